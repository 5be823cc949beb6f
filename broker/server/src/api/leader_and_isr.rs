//! LeaderAndIsr (4), versions 0 to 7: the controller says who leads and who follows (`handleLeaderAndIsrRequest`).
//!
//! Version 2 is flat no more: partitions by topic. 5: topic ids; errors are by id. The rules are the replica manager's.

use std::collections::BTreeSet;
use std::time::Duration;

use gregor_model::TopicPartition;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::leader_and_isr_request::LeaderAndIsrPartitionState;
use kafka_protocol::messages::leader_and_isr_response::{LeaderAndIsrPartitionError, LeaderAndIsrTopicError};
use kafka_protocol::messages::{LeaderAndIsrRequest, LeaderAndIsrResponse, TopicName};

use crate::broker::Broker;
use crate::control_epochs::is_broker_epoch_stale;
use crate::request_context::RequestContext;

/// Hands the request to the replica manager, unless it was meant for an earlier registration of this broker.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: LeaderAndIsrRequest,
) -> LeaderAndIsrResponse {
    if is_broker_epoch_stale(request.broker_epoch, broker.registration.epoch()) {
        tracing::info!(
            request_broker_epoch = request.broker_epoch,
            controller = request.controller_id.0,
            controller_epoch = request.controller_epoch,
            "ignoring LeaderAndIsr meant for an earlier registration of this broker"
        );
        return refusal(&request, context.version, ResponseError::StaleBrokerEpoch);
    }
    read_configs_of_new_topics(broker, &request).await;
    let (response, changes) = broker.replicas.become_leader_or_follower(request, context.version).await;
    broker.coordinators.apply(&changes);
    response
}

/// Reads the overrides of the topics whose partitions get a log here. Where that stays impossible they get the defaults:
/// refusing the request would leave them without a leader.
async fn read_configs_of_new_topics(broker: &Broker, request: &LeaderAndIsrRequest) {
    let grouped = request.topic_states.iter().flat_map(|topic| {
        topic.partition_states.iter().map(|state| (&topic.topic_name, state.partition_index))
    });
    let ungrouped =
        request.ungrouped_partition_states.iter().map(|state| (&state.topic_name, state.partition_index));
    let new: BTreeSet<_> = grouped
        .chain(ungrouped)
        .map(|(topic, partition)| TopicPartition::new(topic.as_str(), partition))
        .filter(|partition| broker.logs.log(partition).is_none())
        .map(|partition| partition.topic)
        .collect();
    if new.is_empty() {
        return;
    }
    for _ in 0..READ_ATTEMPTS {
        match broker.topic_configs.read(&broker.store, &broker.logs, &new).await {
            Ok(()) => return,
            Err(error) => {
                tracing::warn!(%error, topics = new.len(), "cannot read the configuration of new topics");
                tokio::time::sleep(READ_BACKOFF).await;
            }
        }
    }
    tracing::error!(topics = ?new, "new topics have the default configuration until the next start");
}

/// How often the configuration of new topics is read while that fails: a session that expired has a successor soon.
const READ_ATTEMPTS: u32 = 10;
const READ_BACKOFF: Duration = Duration::from_millis(200);

/// The same error for the request and each of its partitions (`LeaderAndIsrRequest.getErrorResponse`).
fn refusal(request: &LeaderAndIsrRequest, version: i16, error: ResponseError) -> LeaderAndIsrResponse {
    let partition_error = |name: TopicName, state: &LeaderAndIsrPartitionState| {
        LeaderAndIsrPartitionError::default()
            .with_topic_name(name)
            .with_partition_index(state.partition_index)
            .with_error_code(error.code())
    };
    let response = LeaderAndIsrResponse::default().with_error_code(error.code());
    if version >= 5 {
        let topics = request.topic_states.iter().map(|topic| {
            let states = topic.partition_states.iter();
            LeaderAndIsrTopicError::default().with_topic_id(topic.topic_id).with_partition_errors(
                states.map(|state| partition_error(TopicName::default(), state)).collect(),
            )
        });
        return response.with_topics(topics.collect());
    }
    let grouped = request.topic_states.iter().flat_map(|topic| {
        topic.partition_states.iter().map(|state| partition_error(topic.topic_name.clone(), state))
    });
    let ungrouped = request
        .ungrouped_partition_states
        .iter()
        .map(|state| partition_error(state.topic_name.clone(), state));
    response.with_partition_errors(grouped.chain(ungrouped).collect())
}
