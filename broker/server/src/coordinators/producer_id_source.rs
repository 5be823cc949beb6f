//! Blocks of producer ids from the controller.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gregor_coordinator::runtime::ProducerIdSource;
use gregor_model::{BrokerEpoch, BrokerId};
use kafka_protocol::messages::AllocateProducerIdsRequest;

use crate::node_to_controller::{NodeToController, allocate_producer_ids};
use crate::registration::Registration;

/// How long a block may take; producers are told to try again meanwhile.
const LIMIT: Duration = Duration::from_secs(10);

/// The controller as a source of blocks (`RPCProducerIdManager`).
pub(super) struct ControllerProducerIds {
    id: BrokerId,
    channel: Arc<NodeToController>,
    registration: Arc<Registration>,
}

impl ControllerProducerIds {
    pub(super) fn new(
        id: BrokerId,
        channel: Arc<NodeToController>,
        registration: Arc<Registration>,
    ) -> ControllerProducerIds {
        ControllerProducerIds { id, channel, registration }
    }
}

#[async_trait]
impl ProducerIdSource for ControllerProducerIds {
    async fn allocate(&self) -> Option<(i64, i32)> {
        let request = AllocateProducerIdsRequest::default()
            .with_broker_id(self.id.0.into())
            .with_broker_epoch(BrokerEpoch::to_wire(self.registration.epoch()));
        match allocate_producer_ids(&self.channel, request, LIMIT).await {
            Ok(answer) if answer.error_code == 0 => {
                Some((answer.producer_id_start.0, answer.producer_id_len))
            }
            Ok(answer) => {
                tracing::warn!(code = answer.error_code, "the controller refused a block of producer ids");
                None
            }
            Err(error) => {
                tracing::warn!(%error, "no block of producer ids from the controller");
                None
            }
        }
    }
}
