//! Connections to other brokers on the inter-broker listener, one for each broker, shared by what the coordinators
//! send. Made when first needed, and anew when lost.

use std::collections::HashMap;
use std::sync::Arc;

use gregor_model::{BrokerId, EndPoint, ListenerName};
use gregor_wire::client::{ApiVersions, ClientError, Connect, Connection};
use tokio::sync::Mutex;

use crate::metadata_cache::MetadataCache;

/// A connection, and what the broker at its other end understands.
#[derive(Clone)]
pub(super) struct Peer {
    pub(super) connection: Connection,
    pub(super) versions: Arc<ApiVersions>,
    endpoint: EndPoint,
}

/// Why a broker cannot be asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreachable {
    #[error("the broker is not alive, or has no address on the inter-broker listener")]
    Unknown,
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// The way to each broker; at most one connection per broker of the cluster.
pub(super) struct Peers {
    id: BrokerId,
    listener: ListenerName,
    metadata: Arc<MetadataCache>,
    connect: Arc<dyn Connect>,
    open: parking_lot::Mutex<HashMap<BrokerId, Arc<Mutex<Option<Peer>>>>>,
}

impl Peers {
    pub(super) fn new(
        id: BrokerId,
        listener: ListenerName,
        metadata: Arc<MetadataCache>,
        connect: Arc<dyn Connect>,
    ) -> Peers {
        Peers { id, listener, metadata, connect, open: parking_lot::Mutex::default() }
    }

    /// The connection to a broker.
    pub(super) async fn peer(&self, broker: BrokerId) -> Result<Peer, Unreachable> {
        let snapshot = self.metadata.snapshot();
        let endpoint = snapshot.endpoint(broker, &self.listener).ok_or(Unreachable::Unknown)?;
        let slot = Arc::clone(self.open.lock().entry(broker).or_default());
        // Held while connecting: whoever else wants to send needs the same connection.
        let mut current = slot.lock().await;
        if let Some(peer) = current.as_ref()
            && !peer.connection.is_closed()
            && peer.endpoint == *endpoint
        {
            return Ok(peer.clone());
        }
        *current = None;
        let connection = self.connect.connect(endpoint, &self.id.to_string()).await?;
        let versions = Arc::new(connection.api_versions().await?);
        let peer = Peer { connection, versions, endpoint: endpoint.clone() };
        *current = Some(peer.clone());
        Ok(peer)
    }
}
