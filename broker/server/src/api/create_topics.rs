//! CreateTopics (19), versions 0 to 7 (`handleCreateTopicsRequest`, `ZkAdminManager.createTopics`).
//!
//! Version 1: validate only, error messages. 4: defaults for partitions and replicas (-1). 5: flexible; the answer describes
//! the topic. 6: quota errors. 7: topic ids. Only the controller creates: it is asked to by the tools, and its cache is
//! the first to know.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures::{StreamExt, future, stream};
use gregor_model::{BrokerId, TopicId, TopicName};
use gregor_wire::convert::{text, topic_name};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use kafka_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};

use crate::broker::Broker;
use crate::config_admin::DescribedConfig;
use crate::error_code::KafkaError;
use crate::topic_admin::{CreateTopicError, CreatedTopic, Layout, NewTopic};
use crate::topic_wait;

/// The name KRaft keeps for itself.
const CLUSTER_METADATA: &str = "__cluster_metadata";

/// Topics of a request that are created at a time: each takes several answers of ZooKeeper, one after the other.
const CONCURRENT: usize = 64;

/// Creates topics, and waits until this broker knows the leaders of all their partitions.
pub async fn handle(broker: &Broker, request: CreateTopicsRequest) -> CreateTopicsResponse {
    if !broker.controller.is_active() {
        // Kafka's empty message, which is not the same as none.
        let empty = || Some(String::new());
        let refused =
            request.topics.iter().map(|topic| refusal(topic, ResponseError::NotController, empty()));
        return CreateTopicsResponse::default().with_topics(refused.collect());
    }
    let concurrent = if some_collide(&request.topics) { 1 } else { CONCURRENT };
    let topics = &request.topics;
    let one = |index: usize| async move {
        let topic = topics.get(index)?;
        Some(match precheck(topic, topics) {
            Some(result) => (result, None),
            None => match create(broker, topic, request.validate_only).await {
                Ok(described) => (describe(broker, topic, &described), Some(described.assignment.len())),
                Err(error) => (refusal(topic, error.kafka_error(), Some(error.to_string())), None),
            },
        })
    };
    let outcomes: Vec<_> =
        stream::iter(0..topics.len()).map(one).buffered(concurrent).filter_map(future::ready).collect().await;
    let mut results = Vec::with_capacity(outcomes.len());
    let mut created: HashMap<TopicName, usize> = HashMap::new();
    for (result, partitions) in outcomes {
        created.extend(partitions.map(|partitions| (topic_name(&result.name), partitions)));
        results.push(result);
    }
    if !request.validate_only && !created.is_empty() {
        let late = wait(broker, created, request.timeout_ms).await;
        for result in &mut results {
            if late.contains(&topic_name(&result.name)) {
                *result = incomplete(result);
            }
        }
    }
    CreateTopicsResponse::default().with_topics(results)
}

/// Whether names of the request exclude one another: the first of them wins, so that they must be created in order.
fn some_collide(topics: &[CreatableTopic]) -> bool {
    let mut seen = HashSet::new();
    // What collides differs in nothing but these two (`Topic.unifyCollisionChars`).
    topics.iter().any(|topic| !seen.insert(topic.name.replace('.', "_")))
}

/// What is wrong with the request itself.
fn precheck(topic: &CreatableTopic, all: &[CreatableTopic]) -> Option<CreatableTopicResult> {
    let message = if topic.name.as_str() == CLUSTER_METADATA {
        format!("Creation of internal topic {CLUSTER_METADATA} is prohibited.")
    } else if all.iter().filter(|other| other.name == topic.name).count() > 1 {
        "Found multiple entries for this topic.".to_owned()
    } else {
        return None;
    };
    Some(refusal(topic, ResponseError::InvalidRequest, Some(message)))
}

async fn create(
    broker: &Broker,
    topic: &CreatableTopic,
    validate_only: bool,
) -> Result<CreatedTopic, CreateTopicError> {
    let assignments = topic.assignments.iter().map(|assignment| {
        let replicas = assignment.broker_ids.iter().map(|id| BrokerId(id.0)).collect();
        (assignment.partition_index, replicas)
    });
    let configs = topic
        .configs
        .iter()
        .map(|config| (config.name.to_string(), config.value.as_ref().map(|value| value.to_string())));
    let new = NewTopic {
        name: topic_name(&topic.name),
        layout: Layout {
            partitions: Some(topic.num_partitions).filter(|count| *count != -1),
            replication_factor: Some(topic.replication_factor).filter(|factor| *factor != -1),
            assignments: assignments.collect(),
        },
        configs: configs.collect(),
    };
    let created = broker.topic_admin.create(&broker.metadata.snapshot(), &new, validate_only).await;
    created.inspect_err(|error| tracing::info!(topic = %new.name, %error, "topic was not created"))
}

/// Which topics still lack a leader when the time is up; all of them when there is no time.
async fn wait(broker: &Broker, created: HashMap<TopicName, usize>, timeout_ms: i32) -> Vec<TopicName> {
    let names = created.keys().cloned().collect();
    let Some(timeout) = u64::try_from(timeout_ms).ok().filter(|timeout| *timeout > 0) else { return names };
    let done = |snapshot: &_, name: &TopicName| {
        topic_wait::has_leaders(snapshot, name, created.get(name).copied().unwrap_or(0))
    };
    topic_wait::wait(&broker.metadata, names, Duration::from_millis(timeout), done).await
}

fn describe(broker: &Broker, topic: &CreatableTopic, created: &CreatedTopic) -> CreatableTopicResult {
    let replicas = created.assignment.values().next().map_or(0, Vec::len);
    CreatableTopicResult::default()
        .with_name(topic.name.clone())
        .with_topic_id(TopicId::to_wire(created.id))
        .with_error_message(None)
        .with_num_partitions(i32::try_from(created.assignment.len()).unwrap_or(i32::MAX))
        .with_replication_factor(i16::try_from(replicas).unwrap_or(i16::MAX))
        .with_configs(Some(configs(broker, created)))
}

/// The topic's keys; they were resolved once, when the topic was checked.
fn configs(broker: &Broker, created: &CreatedTopic) -> Vec<CreatableTopicConfigs> {
    let described = broker.config_admin.describe_created(&created.overrides).unwrap_or_default();
    let entry = |config: DescribedConfig| {
        CreatableTopicConfigs::default()
            .with_name(text(&config.name))
            .with_value(config.value.map(|value| text(&value)))
            .with_is_sensitive(config.sensitive)
            .with_config_source(config.source.wire_id())
    };
    described.into_iter().map(entry).collect()
}

/// A topic that failed: nothing is said of its partitions and configuration.
fn refusal(topic: &CreatableTopic, error: ResponseError, message: Option<String>) -> CreatableTopicResult {
    CreatableTopicResult::default()
        .with_name(topic.name.clone())
        .with_error_code(error.code())
        .with_error_message(message.map(|message| text(&message)))
        .with_num_partitions(-1)
        .with_replication_factor(-1)
        .with_configs(Some(Vec::new()))
}

/// A topic that exists, but is not known everywhere yet.
fn incomplete(result: &CreatableTopicResult) -> CreatableTopicResult {
    CreatableTopicResult::default()
        .with_name(result.name.clone())
        .with_topic_id(result.topic_id)
        .with_error_code(ResponseError::RequestTimedOut.code())
        .with_error_message(None)
        .with_num_partitions(-1)
        .with_replication_factor(-1)
        .with_configs(Some(Vec::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &'static str) -> CreatableTopic {
        CreatableTopic::default().with_name(kafka_protocol::protocol::StrBytes::from_static_str(name).into())
    }

    #[test]
    fn names_that_exclude_one_another_are_found() {
        for (names, expected) in [
            (&["a.b", "a-b", "c"][..], false),
            (&["a.b", "c", "a_b"], true),
            (&["a", "a"], true),
            (&[], false),
        ] {
            let topics: Vec<_> = names.iter().map(|name| topic(name)).collect();
            assert_eq!(some_collide(&topics), expected, "{names:?}");
        }
    }

    #[test]
    fn doubles_are_refused_each_time() {
        let topics = [topic("a"), topic("b"), topic("a"), topic(CLUSTER_METADATA)];
        let found: Vec<_> = topics.iter().map(|topic| precheck(topic, &topics)).collect();
        let messages: Vec<_> = found
            .iter()
            .map(|result| {
                result.as_ref().and_then(|result| result.error_message.as_deref().map(str::to_owned))
            })
            .collect();
        assert_eq!(
            messages,
            [
                Some("Found multiple entries for this topic.".to_owned()),
                None,
                Some("Found multiple entries for this topic.".to_owned()),
                Some("Creation of internal topic __cluster_metadata is prohibited.".to_owned())
            ]
        );
    }
}
