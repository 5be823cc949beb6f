//! One connection: read a request, have it handled, write the answer, take the next.
//!
//! Answers keep the order of the requests because there is one request in hand (Kafka mutes the channel). What the
//! socket already holds is read ahead into one buffer, and answers to requests that were handled without waiting
//! are written together; before anything waits, what is ready is written.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gregor_wire::{
    FrameBuffer, Request, WireError, decode_request, encode_response, unsupported_api_versions,
};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::context::ConnectionContext;
use crate::dispatch::{Answer, Dispatch};
use crate::idle::IdleTimer;
use crate::quotas::Slot;
use crate::timing::{Handled, Unsent, UnsentAnswers, timed};
use crate::writer::Outgoing;

/// Answers are held back for more answers up to this many bytes.
const COALESCE_BYTES_MAX: usize = 64 * 1024;

pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) context: ConnectionContext,
    pub(crate) slot: Slot,
    pub(crate) dispatch: Arc<dyn Dispatch>,
    pub(crate) frames: FrameBuffer,
    pub(crate) idle: IdleTimer,
    /// Cancelled when no further request is to be taken.
    pub(crate) stop: CancellationToken,
    pub(crate) outgoing: Outgoing,
    /// The requests whose answers `outgoing` holds.
    pub(crate) unsent: UnsentAnswers,
    /// When the socket last gave something.
    pub(crate) read_at: Instant,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum End {
    #[error("closed by the client")]
    Client,
    #[error("silent for too long")]
    Idle,
    #[error("the broker stops")]
    Stop,
    #[error("made room for another connection")]
    Evicted,
    #[error("the request could not be answered otherwise")]
    Refused,
    #[error(transparent)]
    Frame(#[from] gregor_wire::FrameError),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error(transparent)]
    Encode(#[from] gregor_wire::EncodeError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Connection {
    /// Serves until the connection ends, and says why.
    pub(crate) async fn serve(mut self) -> (ConnectionContext, End) {
        let end = loop {
            // Requests that never wait must not keep other connections waiting.
            tokio::task::consume_budget().await;
            if let Err(end) = self.serve_one().await {
                break end;
            }
        };
        // What was answered is still sent, where anyone may be reading.
        if !matches!(end, End::Client | End::Idle | End::Io(_)) {
            let _ = self.flush().await;
        }
        (self.context, end)
    }

    async fn serve_one(&mut self) -> Result<(), End> {
        let frame = self.next_frame().await?;
        self.touch();
        let request = match decode_request(frame) {
            Err(WireError::UnsupportedApiVersions { correlation_id, .. }) => {
                self.outgoing.push(unsupported_api_versions(correlation_id)?)?;
                return Ok(());
            }
            decoded => decoded?,
        };
        let correlation_id = request.header.correlation_id;
        let (answer, mut unsent) = self.handle(request).await?;
        let Handled { key, version, .. } = unsent.handled;
        match answer {
            Answer::Reply(reply) => {
                let rope = encode_response(key, version, correlation_id, &reply.response, &reply.regions)?;
                self.outgoing.push(rope)?;
                (unsent.handled.tag, unsent.handled.throttle) = (reply.tag, reply.mute_for);
                self.unsent.push(unsent);
                self.mute(reply.mute_for).await
            }
            Answer::NoReply { mute_for } => {
                unsent.handled.throttle = mute_for;
                self.report(unsent.sent(unsent.answered, unsent.answered));
                self.mute(mute_for).await
            }
            Answer::Close => {
                self.report(unsent.sent(unsent.answered, unsent.answered));
                Err(End::Refused)
            }
        }
    }

    fn report(&self, handled: Handled) {
        self.dispatch.handled(&self.context, &handled);
    }

    /// Everything that waited was written between these times.
    fn report_sent(&mut self, begun: Instant, ended: Instant) {
        for unsent in self.unsent.drain() {
            self.dispatch.handled(&self.context, &unsent.sent(begun, ended));
        }
    }

    /// Has a request handled, to its end whatever becomes of the client. If that takes waiting, answers held back are
    /// written meanwhile.
    async fn handle(&mut self, request: Request) -> Result<(Answer, Unsent), End> {
        let dispatch = self.dispatch.clone();
        let (key, version, bytes) = (request.header.api_key, request.header.api_version, request.size);
        let (received, begun) = (self.read_at, Instant::now());
        let mut local = Duration::ZERO;
        let (answer, written) = {
            let handling = pin!(dispatch.dispatch(&self.context, request));
            let mut handling = timed(handling, &mut local);
            let at_once = std::future::poll_fn(|task| Poll::Ready(Pin::new(&mut handling).poll(task))).await;
            match at_once {
                Poll::Ready(answer) => (answer, None),
                Poll::Pending => {
                    let flush = async {
                        let begun = Instant::now();
                        flush(&mut self.outgoing, &self.stream, &mut self.idle, &self.slot).await?;
                        Ok::<_, End>((begun, Instant::now()))
                    };
                    let (written, answer) = tokio::join!(flush, &mut handling);
                    (answer, Some(written?))
                }
            }
        };
        let answered = Instant::now();
        if let Some((begun, ended)) = written {
            self.report_sent(begun, ended);
        }
        let handled = Handled {
            key,
            version,
            bytes,
            tag: 0,
            request_queue: begun.saturating_duration_since(received),
            local,
            remote: (answered - begun).saturating_sub(local),
            throttle: Duration::ZERO,
            response_queue: Duration::ZERO,
            response_send: Duration::ZERO,
            total: Duration::ZERO,
        };
        Ok((answer, Unsent { handled, received, answered }))
    }

    /// The next whole frame. Writes what is held back before it waits for the client.
    async fn next_frame(&mut self) -> Result<Bytes, End> {
        if self.outgoing.len() >= COALESCE_BYTES_MAX {
            self.flush().await?;
        }
        loop {
            if self.stop.is_cancelled() {
                return Err(End::Stop);
            }
            if let Some(frame) = self.frames.next_frame()? {
                return Ok(frame);
            }
            self.flush().await?;
            self.read_some().await?;
        }
    }

    async fn read_some(&mut self) -> Result<(), End> {
        // Unlike `try_read`, this knows after a short read that nothing more is there, and does not ask in vain.
        let read = self.stream.read_buf(self.frames.spare());
        let count = tokio::select! {
            biased;
            read = read => read?,
            () = self.stop.cancelled() => return Err(End::Stop),
            () = self.slot.evicted.cancelled() => return Err(End::Evicted),
            () = self.idle.expired() => return Err(End::Idle),
        };
        if count == 0 {
            return Err(End::Client);
        }
        self.frames.read(count);
        self.read_at = Instant::now();
        self.touch();
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), End> {
        if self.unsent.is_empty() {
            return flush(&mut self.outgoing, &self.stream, &mut self.idle, &self.slot).await;
        }
        let begun = Instant::now();
        flush(&mut self.outgoing, &self.stream, &mut self.idle, &self.slot).await?;
        self.report_sent(begun, Instant::now());
        Ok(())
    }

    /// Takes no request for a while, for quotas; the answer goes out before.
    async fn mute(&mut self, pause: Duration) -> Result<(), End> {
        if pause.is_zero() {
            return Ok(());
        }
        self.flush().await?;
        tokio::select! {
            () = tokio::time::sleep(pause) => Ok(()),
            () = self.stop.cancelled() => Err(End::Stop),
            () = self.slot.evicted.cancelled() => Err(End::Evicted),
        }
    }

    fn touch(&mut self) {
        self.idle.touch();
        self.slot.touch();
    }
}

/// Writes all that is held back. A client that takes nothing for as long as it may be idle is dropped.
async fn flush(
    outgoing: &mut Outgoing,
    stream: &TcpStream,
    idle: &mut IdleTimer,
    slot: &Slot,
) -> Result<(), End> {
    while !outgoing.is_empty() {
        tokio::select! {
            biased;
            written = outgoing.write_some(stream) => {
                written?;
            }
            () = idle.expired() => return Err(End::Idle),
            () = slot.evicted.cancelled() => return Err(End::Evicted),
        }
        idle.touch();
        slot.touch();
    }
    Ok(())
}
