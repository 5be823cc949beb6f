//! CreatePartitions (37), versions 0 to 3 (`handleCreatePartitionsRequest`). Version 2: flexible. 3: quota errors.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures::{StreamExt, future, stream};
use gregor_model::{BrokerId, TopicName};
use gregor_wire::convert::{text, topic_name};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};

use crate::broker::Broker;
use crate::error_code::KafkaError;
use crate::topic_admin::{GrowError, Growth};
use crate::topic_wait;

/// Topics of a request that grow at a time: each takes several answers of ZooKeeper, one after the other.
const CONCURRENT: usize = 64;

/// Adds partitions, and waits until this broker knows their leaders.
pub async fn handle(broker: &Broker, request: CreatePartitionsRequest) -> CreatePartitionsResponse {
    let mut seen = HashSet::new();
    let duplicates: HashSet<TopicName> = request
        .topics
        .iter()
        .map(|topic| topic_name(&topic.name))
        .filter(|name| !seen.insert(name.clone()))
        .collect();
    let mut answered = HashSet::new();
    let asked = request.topics.iter().map(|topic| (topic, topic_name(&topic.name)));
    let asked: Vec<_> = asked.filter(|(_, name)| answered.insert(name.clone())).collect();
    let (asked, duplicates, validate_only) = (&asked, &duplicates, request.validate_only);
    let one = |index: usize| async move {
        let (topic, name) = asked.get(index)?;
        let outcome = if duplicates.contains(name) {
            Err((ResponseError::InvalidRequest, Some("Duplicate topic in request.".to_owned())))
        } else {
            grow(broker, topic, name, validate_only).await
        };
        Some((*topic, name, outcome))
    };
    let outcomes = stream::iter(0..asked.len()).map(one).buffered(CONCURRENT);
    let outcomes: Vec<_> = outcomes.filter_map(future::ready).collect().await;
    let mut results = Vec::with_capacity(outcomes.len());
    let mut grown: HashMap<TopicName, usize> = HashMap::new();
    for (topic, name, outcome) in outcomes {
        let result = CreatePartitionsTopicResult::default().with_name(topic.name.clone());
        results.push(match outcome {
            Ok(count) => {
                grown.insert(name.clone(), count);
                result
            }
            Err((error, message)) => {
                result.with_error_code(error.code()).with_error_message(message.map(|message| text(&message)))
            }
        });
    }
    if !request.validate_only && !grown.is_empty() {
        for late in wait(broker, grown, request.timeout_ms).await {
            if let Some(result) = results.iter_mut().find(|result| topic_name(&result.name) == late) {
                result.error_code = ResponseError::RequestTimedOut.code();
                result.error_message = None;
            }
        }
    }
    CreatePartitionsResponse::default().with_results(results)
}

async fn grow(
    broker: &Broker,
    topic: &CreatePartitionsTopic,
    name: &TopicName,
    validate_only: bool,
) -> Result<usize, (ResponseError, Option<String>)> {
    let Ok(standing) = broker.controller.topic_standing(name).await else {
        return Err((ResponseError::NotController, None));
    };
    let assignments = topic.assignments.as_ref().map(|lists| {
        let lists = lists.iter().map(|list| list.broker_ids.iter().map(|id| BrokerId(id.0)).collect());
        lists.collect()
    });
    let growth = Growth { name: name.clone(), count: topic.count, assignments };
    let grown = broker.topic_admin.grow(&broker.metadata.snapshot(), &growth, standing, validate_only).await;
    grown.map_err(|error: GrowError| (error.kafka_error(), Some(error.to_string())))
}

/// Which topics' new partitions still lack a leader when the time is up.
async fn wait(broker: &Broker, grown: HashMap<TopicName, usize>, timeout_ms: i32) -> Vec<TopicName> {
    let names = grown.keys().cloned().collect();
    let Some(timeout) = u64::try_from(timeout_ms).ok().filter(|timeout| *timeout > 0) else { return names };
    let done = |snapshot: &_, name: &TopicName| {
        topic_wait::has_leaders(snapshot, name, grown.get(name).copied().unwrap_or(0))
    };
    topic_wait::wait(&broker.metadata, names, Duration::from_millis(timeout), done).await
}
