//! The task that owns the client: follows its connection, takes the session over or opens the next one.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Generation, SessionState, Shared};
use crate::client::{Client, ClientState, Connector};
use crate::error::ZooKeeperError;

/// Pause between attempts to connect.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Creates the chroot and opens a session, for as long as it takes while no server answers.
pub(super) async fn open(connector: &dyn Connector) -> Result<Arc<dyn Client>, ZooKeeperError> {
    loop {
        let attempt = async {
            connector.create_chroot().await?;
            connector.connect().await
        };
        match attempt.await {
            Err(ZooKeeperError::ConnectionLoss) => tokio::time::sleep(RETRY_PAUSE).await,
            result => return result,
        }
    }
}

/// Keeps a session until told to stop.
pub(super) async fn own(
    shared: Arc<Shared>,
    connector: Arc<dyn Connector>,
    client: Arc<dyn Client>,
    stop: CancellationToken,
) {
    let work = async {
        let mut client = client;
        loop {
            follow(&shared, client.as_ref()).await;
            client = replace(&shared, connector.as_ref(), client).await;
        }
    };
    // Cancelling drops the client, which closes its session.
    stop.run_until_cancelled(work).await;
    shared.close();
}

/// Publishes the client's connection state until the client is over.
async fn follow(shared: &Shared, client: &dyn Client) {
    let mut states = client.states();
    loop {
        let state = *states.borrow_and_update();
        match state {
            ClientState::Connected => shared.set_state(SessionState::Connected),
            ClientState::Disconnected => shared.set_state(SessionState::Disconnected),
            ClientState::AuthFailed => {
                shared.metrics.auth_failures.increment();
                return;
            }
            ClientState::Expired => return,
        }
        if states.changed().await.is_err() {
            return;
        }
    }
}

/// Puts another client in the place of one that is over.
async fn replace(shared: &Shared, connector: &dyn Connector, over: Arc<dyn Client>) -> Arc<dyn Client> {
    let session = over.session_id();
    shared.publish(|attachment| attachment.client = None);
    shared.set_state(SessionState::Disconnected);
    loop {
        match connector.reattach(over.as_ref()).await {
            Ok(client) => {
                info!(%session, "took the ZooKeeper session over");
                attach(shared, &client, false);
                return client;
            }
            Err(ZooKeeperError::SessionExpired) => break,
            Err(error) => {
                warn!(%session, %error, "cannot reach ZooKeeper to take the session over");
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        }
    }
    warn!(%session, "ZooKeeper session expired");
    shared.set_state(SessionState::Expired);
    drop(over);
    loop {
        match open(connector).await {
            Ok(client) => {
                info!(session = %client.session_id(), "opened a new ZooKeeper session");
                attach(shared, &client, true);
                return client;
            }
            Err(error) => {
                warn!(%error, "cannot open a new ZooKeeper session");
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        }
    }
}

fn attach(shared: &Shared, client: &Arc<dyn Client>, new_session: bool) {
    shared.publish(|attachment| {
        if attachment.status.state == SessionState::Closed {
            return;
        }
        if new_session {
            attachment.status.generation = Generation(attachment.status.generation.0 + 1);
        }
        attachment.status.state = SessionState::Connected;
        attachment.number += 1;
        attachment.client = Some(client.clone());
    });
}
