//! Leaders over the network: [`LeaderEndpoints`] on top of the wire's client.

use std::sync::Arc;

use async_trait::async_trait;
use gregor_model::{BrokerId, EndPoint};
use gregor_wire::client::{ClientError, Connect, Connection};
use kafka_protocol::messages::{
    FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
};

use crate::environment::{LeaderEndpoint, LeaderEndpoints, LeaderUnreachable};

/// Connects to leaders by the broker's way of connecting to others (plaintext, TLS, SASL).
pub struct WireLeaders {
    connect: Arc<dyn Connect>,
}

impl WireLeaders {
    /// Leaders reached through `connect`.
    pub fn new(connect: Arc<dyn Connect>) -> WireLeaders {
        WireLeaders { connect }
    }
}

#[async_trait]
impl LeaderEndpoints for WireLeaders {
    async fn connect(
        &self,
        _leader: BrokerId,
        endpoint: &EndPoint,
        client_id: &str,
    ) -> Result<Box<dyn LeaderEndpoint>, LeaderUnreachable> {
        let connection = self.connect.connect(endpoint, client_id).await.map_err(unreachable)?;
        Ok(Box::new(WireLeader { connection }))
    }
}

struct WireLeader {
    connection: Connection,
}

#[async_trait]
impl LeaderEndpoint for WireLeader {
    async fn fetch(&self, request: FetchRequest, version: i16) -> Result<FetchResponse, LeaderUnreachable> {
        self.connection.send(request, version).await.map_err(unreachable)
    }

    async fn list_offsets(
        &self,
        request: ListOffsetsRequest,
        version: i16,
    ) -> Result<ListOffsetsResponse, LeaderUnreachable> {
        self.connection.send(request, version).await.map_err(unreachable)
    }

    async fn offset_for_leader_epoch(
        &self,
        request: OffsetForLeaderEpochRequest,
        version: i16,
    ) -> Result<OffsetForLeaderEpochResponse, LeaderUnreachable> {
        self.connection.send(request, version).await.map_err(unreachable)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unreachable(error: ClientError) -> LeaderUnreachable {
    LeaderUnreachable(error.to_string())
}
