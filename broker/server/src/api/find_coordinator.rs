//! FindCoordinator (10), versions 0 to 6 (`getCoordinator`): which broker leads the partition of a group or
//! transactional id.
//!
//! Version 1: key types, error messages. 3: flexible. 4: several keys. 6: share keys, which no ZooKeeper cluster has.

use gregor_coordinator::partition_of;
use gregor_model::{BrokerId, EndPoint};
use gregor_wire::convert::text;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse};
use kafka_protocol::protocol::StrBytes;

use crate::broker::Broker;
use crate::coordinators::InternalTopic;
use crate::error_code::usual_message;
use crate::request_context::RequestContext;

/// The key type of share groups.
const SHARE: i8 = 2;

/// Looks each key's coordinator up; a missing internal topic is created on the way.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let version = context.version;
    let topic = match request.key_type {
        0 => Ok(InternalTopic::ConsumerOffsets),
        1 => Ok(InternalTopic::TransactionState),
        SHARE if version >= 6 => Err(ResponseError::CoordinatorNotAvailable),
        _ => Err(ResponseError::InvalidRequest),
    };
    if version < 4 {
        let found = match topic {
            Ok(topic) => find(broker, context, topic, request.key.as_str()).await,
            Err(error) => Err(error),
        };
        let response = match &found {
            Ok((id, endpoint)) => FindCoordinatorResponse::default()
                .with_node_id(id.0.into())
                .with_host(text(&endpoint.host))
                .with_port(endpoint.port.into()),
            Err(error) => FindCoordinatorResponse::default()
                .with_error_code(error.code())
                .with_node_id((-1).into())
                .with_port(-1),
        };
        let message = found.err().map_or_else(|| text("NONE"), |error| text(usual_message(error)));
        return if version >= 1 { response.with_error_message(Some(message)) } else { response };
    }
    let mut coordinators = Vec::with_capacity(request.coordinator_keys.len());
    for key in request.coordinator_keys {
        let coordinator = match topic {
            Ok(topic) => match find(broker, context, topic, key.as_str()).await {
                Ok((id, endpoint)) => Coordinator::default()
                    .with_node_id(id.0.into())
                    .with_host(text(&endpoint.host))
                    .with_port(endpoint.port.into())
                    .with_error_message(Some(StrBytes::default())),
                Err(error) => refused(error).with_error_message(Some(StrBytes::default())),
            },
            Err(error) => refused(error).with_error_message(Some(text(usual_message(error)))),
        };
        coordinators.push(coordinator.with_key(key));
    }
    FindCoordinatorResponse::default().with_coordinators(coordinators)
}

fn refused(error: ResponseError) -> Coordinator {
    Coordinator::default().with_error_code(error.code()).with_node_id((-1).into()).with_port(-1)
}

async fn find(
    broker: &Broker,
    context: &RequestContext,
    topic: InternalTopic,
    key: &str,
) -> Result<(BrokerId, EndPoint), ResponseError> {
    let snapshot = broker.metadata.snapshot();
    let Some(known) = snapshot.topic(topic.name()) else {
        broker.auto_topic_creation.create(broker, vec![topic.name().into()]).await;
        return Err(ResponseError::CoordinatorNotAvailable);
    };
    let partition = partition_of(key, broker.coordinators.partitions(topic));
    let leader = known.partitions.get(&partition).and_then(|partition| partition.leader);
    leader
        .and_then(|id| Some((id, snapshot.endpoint(id, &context.listener)?.clone())))
        .ok_or(ResponseError::CoordinatorNotAvailable)
}
