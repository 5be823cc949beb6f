//! DeleteTopics (20), versions 0 to 6 (`handleDeleteTopicsRequest`, `ZkAdminManager.deleteTopics`).
//!
//! Version 3: TOPIC_DELETION_DISABLED exists (before: INVALID_REQUEST). 5: error messages, quota errors. 6: by topic id.
//! Only the controller deletes. The answer comes when the topic left this broker's metadata, not when its data is gone.

use std::time::Duration;

use futures::{StreamExt, stream};
use gregor_model::{TopicId, TopicName};
use gregor_wire::convert::{topic_name, wire_topic_name};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse};

use crate::broker::Broker;
use crate::error_code::KafkaError;
use crate::request_context::RequestContext;
use crate::topic_wait;

/// How a request names a topic.
struct Named {
    name: Option<TopicName>,
    id: Option<TopicId>,
}

/// Topics of a request that are marked at a time.
const CONCURRENT: usize = 64;

/// Marks topics for deletion, and waits until this broker no longer knows them.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: &DeleteTopicsRequest,
) -> DeleteTopicsResponse {
    let topics = topics(request);
    if !broker.controller.is_active() {
        return refuse_all(&topics, ResponseError::NotController);
    }
    if !broker.settings.delete_topics {
        let old = context.version < 3;
        let error = if old { ResponseError::InvalidRequest } else { ResponseError::TopicDeletionDisabled };
        return refuse_all(&topics, error);
    }
    if topics.iter().any(|topic| topic.name.is_some() && topic.id.is_some()) {
        return refuse_all(&topics, ResponseError::InvalidRequest);
    }
    let outcomes: Vec<_> =
        stream::iter(topics).map(|topic| delete(broker, topic)).buffered(CONCURRENT).collect().await;
    let mut results = Vec::with_capacity(outcomes.len());
    let mut marked = Vec::new();
    for (result, name) in outcomes {
        marked.extend(name);
        results.push(result);
    }
    for name in wait(broker, marked, request.timeout_ms).await {
        let late = results.iter_mut().filter(|result| {
            result.error_code == 0 && result.name.as_ref().is_some_and(|found| topic_name(found) == name)
        });
        late.for_each(|result| result.error_code = ResponseError::RequestTimedOut.code());
    }
    DeleteTopicsResponse::default().with_responses(results)
}

/// Names before version 6, names or ids since; Kafka answers what is named twice twice.
fn topics(request: &DeleteTopicsRequest) -> Vec<Named> {
    let names = request.topic_names.iter().map(|name| Named { name: Some(topic_name(name)), id: None });
    let states = request.topics.iter().map(|topic| Named {
        name: topic.name.as_ref().map(topic_name),
        id: TopicId::from_wire(topic.topic_id),
    });
    names.chain(states).collect()
}

/// Marks one topic; the name comes back when it is to be waited for.
async fn delete(broker: &Broker, topic: Named) -> (DeletableTopicResult, Option<TopicName>) {
    let snapshot = broker.metadata.snapshot();
    let by_id = topic.id.and_then(|id| snapshot.topic_name(id).cloned());
    let Some(name) = topic.name.clone().or(by_id) else {
        // Without a name and an id it is, to Kafka, a topic that one may not see.
        let none = ResponseError::TopicAuthorizationFailed;
        let error = if topic.id.is_some() { ResponseError::UnknownTopicId } else { none };
        return (result(&topic, Some(error)), None);
    };
    let topic = Named { name: Some(name.clone()), id: topic.id };
    if snapshot.topic(name.as_str()).is_none() {
        return (result(&topic, Some(ResponseError::UnknownTopicOrPartition)), None);
    }
    match broker.topic_admin.delete(&name).await {
        Ok(()) => (result(&topic, None), Some(name)),
        Err(error) => {
            tracing::error!(topic = %name, %error, "topic was not deleted");
            (result(&topic, Some(error.kafka_error())), None)
        }
    }
}

/// Which topics are still there when the time is up; all of them when there is no time.
async fn wait(broker: &Broker, marked: Vec<TopicName>, timeout_ms: i32) -> Vec<TopicName> {
    match u64::try_from(timeout_ms) {
        Ok(timeout @ 1..) if !marked.is_empty() => {
            let timeout = Duration::from_millis(timeout);
            topic_wait::wait(&broker.metadata, marked, timeout, topic_wait::is_gone).await
        }
        _ => marked,
    }
}

fn refuse_all(topics: &[Named], error: ResponseError) -> DeleteTopicsResponse {
    DeleteTopicsResponse::default()
        .with_responses(topics.iter().map(|topic| result(topic, Some(error))).collect())
}

fn result(topic: &Named, error: Option<ResponseError>) -> DeletableTopicResult {
    DeletableTopicResult::default()
        .with_name(topic.name.as_ref().map(wire_topic_name))
        .with_topic_id(TopicId::to_wire(topic.id))
        .with_error_code(error.map_or(0, |error| error.code()))
        .with_error_message(None)
}
