//! One request on its way: waits for a client and a place among the requests in flight, and decides after a failure
//! whether to send again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::SemaphorePermit;

use super::{Attachment, Generation, Session, SessionState};
use crate::client::Client;
use crate::error::ZooKeeperError;

/// What a server takes unless configured otherwise (`jute.maxbuffer`). It drops the connection at more, which looks like
/// any other loss.
const REQUEST_BYTES_USUAL_MAX: usize = 1_000_000;
/// After so many losses a large request is taken for too large.
const LARGE_REQUEST_LOSSES_MAX: u32 = 3;
/// Pause before a request is sent again; while disconnected the client itself waits, too.
const RESEND_PAUSE: Duration = Duration::from_millis(10);

pub(super) struct Sending<'a> {
    session: &'a Session,
    bytes: usize,
    losses: u32,
    // Under which client it was last sent.
    sent: Option<(Generation, u64)>,
    permit: Option<SemaphorePermit<'a>>,
}

impl Session {
    /// Prepares to send a request of about that size.
    pub(super) fn sending(&self, bytes: usize) -> Sending<'_> {
        Sending { session: self, bytes, losses: 0, sent: None, permit: None }
    }
}

impl Sending<'_> {
    /// The client to send with. The place among the requests in flight is held until the next call or the drop.
    pub(super) async fn client(&mut self) -> Result<Arc<dyn Client>, ZooKeeperError> {
        let shared = &self.session.shared;
        let permit = shared.permits.acquire().await.map_err(|_| ZooKeeperError::Closed)?;
        let pinned = self.session.pinned;
        let mut attachments = shared.attachment.subscribe();
        let attachment = attachments
            .wait_for(|attachment| attachment.client.is_some() || is_over(attachment, pinned).is_some())
            .await
            .map_err(|_| ZooKeeperError::Closed)?;
        if let Some(error) = is_over(&attachment, pinned) {
            return Err(error);
        }
        let client = attachment.client.clone().ok_or(ZooKeeperError::Closed)?;
        self.sent = Some((attachment.status.generation, attachment.number));
        self.permit = Some(permit);
        Ok(client)
    }

    /// An attempt that began then is over.
    pub(super) fn attempted(&self, begun: Instant) {
        self.session.shared.metrics.answered(begun);
    }

    /// Whether an earlier attempt may have been performed.
    pub(super) fn sent_before(&self) -> bool {
        self.losses > 0
    }

    /// After a failure: `Ok` to send again, else the error to report.
    pub(super) async fn failed(&mut self, error: ZooKeeperError) -> Result<(), ZooKeeperError> {
        self.permit = None;
        match error {
            ZooKeeperError::ConnectionLoss => {
                self.losses = self.losses.saturating_add(1);
                if self.bytes > REQUEST_BYTES_USUAL_MAX && self.losses >= LARGE_REQUEST_LOSSES_MAX {
                    self.session.metrics().oversized(self.bytes);
                    return Err(ZooKeeperError::RequestTooLarge { bytes: self.bytes });
                }
                tokio::time::sleep(RESEND_PAUSE).await;
                Ok(())
            }
            ZooKeeperError::SessionExpired => self.after_expiry().await,
            other => Err(other),
        }
    }

    /// The client says that the session is over. It may err: if the same session is taken over, this was only a loss.
    async fn after_expiry(&mut self) -> Result<(), ZooKeeperError> {
        let Some((generation, number)) = self.sent else { return Err(ZooKeeperError::SessionExpired) };
        let mut attachments = self.session.shared.attachment.subscribe();
        let attachment = attachments
            .wait_for(|attachment| {
                attachment.number != number || is_over(attachment, Some(generation)).is_some()
            })
            .await
            .map_err(|_| ZooKeeperError::Closed)?;
        match is_over(&attachment, Some(generation)) {
            Some(error) => Err(error),
            None => {
                self.losses = self.losses.saturating_add(1);
                Ok(())
            }
        }
    }
}

/// Why nothing more can be sent in that generation (or in any, for `None`).
fn is_over(attachment: &Attachment, generation: Option<Generation>) -> Option<ZooKeeperError> {
    let status = attachment.status;
    match (status.state, generation) {
        (SessionState::Closed, _) => Some(ZooKeeperError::Closed),
        (_, Some(generation)) if status.generation != generation => Some(ZooKeeperError::SessionExpired),
        (SessionState::Expired, Some(_)) => Some(ZooKeeperError::SessionExpired),
        _ => None,
    }
}
