//! This broker's requests to the controller (`NodeToControllerChannelManagerImpl`).
//!
//! A channel finds the controller in the metadata cache, keeps one connection to it, and sends again, to a new
//! controller if need be, until there is an answer. AlterPartition has a channel of its own, so that nothing else
//! delays ISR changes. A channel has no queue and no task: its users wait, and there are few of them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gregor_model::{BrokerId, ListenerName};
use gregor_replication::{AuthorityError, IsrAuthority};
use gregor_wire::client::{ClientError, Connect, Connection};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{
    AllocateProducerIdsRequest, AllocateProducerIdsResponse, AlterPartitionRequest, AlterPartitionResponse,
    ApiKey,
};
use kafka_protocol::protocol::{Request, VersionRange};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::metadata_cache::MetadataCache;

/// How long to wait before the next attempt when there is no controller, or it cannot be reached.
const RETRY_BACKOFF: Duration = Duration::from_millis(100);

/// Whether an answer says that its sender is not the controller.
pub trait ControllerAnswer {
    /// NOT_CONTROLLER, at the top or on any item: the whole request goes to the next controller.
    fn is_not_controller(&self) -> bool;
}

impl ControllerAnswer for AlterPartitionResponse {
    fn is_not_controller(&self) -> bool {
        let code = ResponseError::NotController.code();
        let mut partitions = self.topics.iter().flat_map(|topic| &topic.partitions);
        self.error_code == code || partitions.any(|partition| partition.error_code == code)
    }
}

impl ControllerAnswer for AllocateProducerIdsResponse {
    fn is_not_controller(&self) -> bool {
        self.error_code == ResponseError::NotController.code()
    }
}

/// A request that only the controller can answer.
pub trait ControllerRequest: Request<Response: ControllerAnswer> + Clone {
    /// The API.
    const API: ApiKey;

    /// The request with nothing in it that this version cannot carry.
    #[must_use]
    fn for_version(self, version: i16) -> Self;
}

impl ControllerRequest for AlterPartitionRequest {
    const API: ApiKey = ApiKey::AlterPartition;

    /// The ISR is plain up to version 2, and with broker epochs since.
    fn for_version(mut self, version: i16) -> AlterPartitionRequest {
        for partition in self.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            if version >= 3 {
                partition.new_isr.clear();
            } else {
                partition.new_isr_with_epochs.clear();
            }
        }
        self
    }
}

impl ControllerRequest for AllocateProducerIdsRequest {
    const API: ApiKey = ApiKey::AllocateProducerIds;

    fn for_version(self, _version: i16) -> AllocateProducerIdsRequest {
        self
    }
}

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// This broker stops.
    #[error("the broker is stopping")]
    Stopping,
    /// Not within the time given.
    #[error("no controller answered in time")]
    TimedOut,
    /// The controller does not know the request.
    #[error(transparent)]
    Unsupported(ClientError),
}

/// A channel to the controller.
pub struct NodeToController {
    name: &'static str,
    id: BrokerId,
    listener: ListenerName,
    metadata: Arc<MetadataCache>,
    connect: Arc<dyn Connect>,
    stop: CancellationToken,
    current: Mutex<Option<Channel>>,
}

/// A connection to the broker that was the controller when it was made.
#[derive(Clone)]
struct Channel {
    controller: BrokerId,
    connection: Connection,
    api_versions: Arc<gregor_wire::client::ApiVersions>,
}

impl NodeToController {
    /// A channel; `listener` is the one on which brokers reach the controller, `name` goes into logs.
    pub fn new(
        name: &'static str,
        id: BrokerId,
        listener: ListenerName,
        metadata: Arc<MetadataCache>,
        connect: Arc<dyn Connect>,
        stop: CancellationToken,
    ) -> NodeToController {
        NodeToController { name, id, listener, metadata, connect, stop, current: Mutex::new(None) }
    }

    /// Sends a request in the newest version that both sides know, of `versions`, until a controller answers. Returns
    /// the answer with its version.
    pub async fn send<R: ControllerRequest>(
        &self,
        request: R,
        versions: VersionRange,
    ) -> Result<(R::Response, i16), NoAnswer> {
        let answered = async {
            loop {
                let mut updates = self.metadata.updates();
                updates.mark_unchanged();
                match self.attempt(request.clone(), versions).await {
                    Ok(Some(answer)) => return Ok(answer),
                    Ok(None) => {}
                    Err(error @ ClientError::NoCommonVersion(_)) => return Err(NoAnswer::Unsupported(error)),
                    Err(error) => {
                        tracing::debug!(channel = self.name, %error, "request to the controller failed")
                    }
                }
                self.forget().await;
                // The next UpdateMetadata may name another controller.
                let _ = timeout(RETRY_BACKOFF, updates.changed()).await;
            }
        };
        self.stop.run_until_cancelled(answered).await.unwrap_or(Err(NoAnswer::Stopping))
    }

    /// As [`NodeToController::send`], giving up after a while.
    pub async fn send_within<R: ControllerRequest>(
        &self,
        limit: Duration,
        request: R,
        versions: VersionRange,
    ) -> Result<(R::Response, i16), NoAnswer> {
        timeout(limit, self.send(request, versions)).await.unwrap_or(Err(NoAnswer::TimedOut))
    }

    /// One attempt; `None` when there is no controller, or the one asked is not it.
    async fn attempt<R: ControllerRequest>(
        &self,
        request: R,
        versions: VersionRange,
    ) -> Result<Option<(R::Response, i16)>, ClientError> {
        let Some(channel) = self.channel().await? else { return Ok(None) };
        let version = channel.api_versions.latest_common(R::API, versions)?;
        let answer = channel.connection.send(request.for_version(version), version).await?;
        Ok((!answer.is_not_controller()).then_some((answer, version)))
    }

    /// The connection to the controller, made if need be; `None` while no controller is known.
    async fn channel(&self) -> Result<Option<Channel>, ClientError> {
        // Held while connecting: whoever else wants to send needs the same connection.
        let mut current = self.current.lock().await;
        let snapshot = self.metadata.snapshot();
        if let Some(channel) = current.as_ref()
            && snapshot.controller() == Some(channel.controller)
            && !channel.connection.is_closed()
        {
            return Ok(Some(channel.clone()));
        }
        *current = None;
        let Some(controller) = snapshot.controller() else { return Ok(None) };
        let Some(endpoint) = snapshot.endpoint(controller, &self.listener) else { return Ok(None) };
        let connection = self.connect.connect(endpoint, &self.id.to_string()).await?;
        let api_versions = Arc::new(connection.api_versions().await?);
        tracing::info!(channel = self.name, %controller, "connected to the controller");
        let channel = Channel { controller, connection, api_versions };
        *current = Some(channel.clone());
        Ok(Some(channel))
    }

    async fn forget(&self) {
        *self.current.lock().await = None;
    }
}

#[async_trait]
impl IsrAuthority for NodeToController {
    async fn alter_partition(
        &self,
        request: AlterPartitionRequest,
        by_name: bool,
    ) -> Result<(AlterPartitionResponse, i16), AuthorityError> {
        let versions = VersionRange { min: 0, max: if by_name { 1 } else { 3 } };
        self.send(request, versions).await.map_err(|error| AuthorityError(error.to_string()))
    }
}

/// Asks for a block of producer ids.
pub async fn allocate_producer_ids(
    channel: &NodeToController,
    request: AllocateProducerIdsRequest,
    limit: Duration,
) -> Result<AllocateProducerIdsResponse, NoAnswer> {
    let versions = VersionRange { min: 0, max: 0 };
    channel.send_within(limit, request, versions).await.map(|(answer, _)| answer)
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use kafka_protocol::messages::alter_partition_request::{BrokerState, PartitionData, TopicData};
    use kafka_protocol::messages::alter_partition_response;
    use kafka_protocol::protocol::Encodable;

    use super::*;

    #[test]
    fn alter_partition_fits_every_version() {
        let partition = PartitionData::default()
            .with_new_isr(vec![1.into()])
            .with_new_isr_with_epochs(vec![BrokerState::default().with_broker_id(1.into())]);
        let topic = TopicData::default().with_partitions(vec![partition]);
        let request = AlterPartitionRequest::default().with_topics(vec![topic]);
        for version in 0..=3 {
            let encoded = request.clone().for_version(version).encode(&mut BytesMut::new(), version);
            assert!(encoded.is_ok(), "version {version}: {encoded:?}");
        }
    }

    #[test]
    fn not_controller_anywhere_means_another_controller() {
        #[track_caller]
        fn check(top: i16, partition: i16, expected: bool) {
            let partition = alter_partition_response::PartitionData::default().with_error_code(partition);
            let topic = alter_partition_response::TopicData::default().with_partitions(vec![partition]);
            let answer = AlterPartitionResponse::default().with_error_code(top).with_topics(vec![topic]);
            assert_eq!(answer.is_not_controller(), expected);
        }
        let code = ResponseError::NotController.code();
        check(0, 0, false);
        check(code, 0, true);
        check(0, code, true);
        check(0, ResponseError::FencedLeaderEpoch.code(), false);
    }
}
