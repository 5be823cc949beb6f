//! ControlledShutdown (7).

use gregor_controller_machine::{ControlledShutdownError, ControlledShutdownRequest};
use gregor_model::{BrokerEpoch, BrokerId, TopicPartition};
use gregor_wire::convert::wire_topic_name;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::controlled_shutdown_response::RemainingPartition;
use kafka_protocol::messages::{self, ControlledShutdownResponse};

pub(crate) fn decode(
    request: &messages::ControlledShutdownRequest,
) -> Result<ControlledShutdownRequest, ControlledShutdownResponse> {
    let broker_epoch = BrokerEpoch::from_wire(request.broker_epoch);
    match BrokerId::from_wire(request.broker_id.0) {
        Some(broker) => Ok(ControlledShutdownRequest { broker, broker_epoch }),
        None => Err(answer(Err(ControlledShutdownError::BrokerNotAvailable))),
    }
}

pub(crate) fn answer(
    answer: Result<Vec<TopicPartition>, ControlledShutdownError>,
) -> ControlledShutdownResponse {
    let remaining = |partition: &TopicPartition| {
        RemainingPartition::default()
            .with_topic_name(wire_topic_name(&partition.topic))
            .with_partition_index(partition.partition)
    };
    match answer {
        Ok(partitions) => ControlledShutdownResponse::default()
            .with_remaining_partitions(partitions.iter().map(remaining).collect()),
        Err(error) => ControlledShutdownResponse::default().with_error_code(code(error).code()),
    }
}

pub(crate) fn not_controller() -> ControlledShutdownResponse {
    answer(Err(ControlledShutdownError::NotController))
}

fn code(error: ControlledShutdownError) -> ResponseError {
    match error {
        // Not NOT_CONTROLLER: so it was before KIP-380, and so it stayed.
        ControlledShutdownError::NotController => ResponseError::StaleControllerEpoch,
        ControlledShutdownError::StaleBrokerEpoch => ResponseError::StaleBrokerEpoch,
        ControlledShutdownError::BrokerNotAvailable => ResponseError::BrokerNotAvailable,
        ControlledShutdownError::Failed => ResponseError::UnknownServerError,
    }
}
