//! Metadata (3), versions 0 to 12: topics, their leaders, and where brokers are reached (`handleTopicMetadataRequest`).
//!
//! Version 0: no topics means all. 4: the client may forbid auto creation. 5: offline replicas. 7: leader epochs.
//! 8 to 10: authorized operations of the cluster; 8: of topics. 10: topic ids in answers; 12: asked by id.

use gregor_model::{BrokerId, ClusterId, TopicId, TopicName};
use indexmap::IndexSet;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_response::{MetadataResponseBroker, MetadataResponseTopic};
use kafka_protocol::messages::{MetadataRequest, MetadataResponse};
use kafka_protocol::protocol::StrBytes;

use crate::authorized_operations;
use crate::broker::Broker;
use crate::metadata_cache::{MetadataSnapshot, TopicMetadataOptions, topic_error, topic_metadata};
use crate::request_context::RequestContext;

/// What the client asks for.
enum Selection {
    All,
    Names(IndexSet<TopicName>),
    Ids(IndexSet<TopicId>),
}

/// Answers from one snapshot; creates missing topics where client and broker allow it.
pub async fn handle(broker: &Broker, context: &RequestContext, request: MetadataRequest) -> MetadataResponse {
    let Some(selection) = selection(&request, context.version) else {
        return invalid_request(&request);
    };
    let snapshot = broker.metadata.snapshot();
    let missing = missing(&snapshot, &selection);
    let missing = if missing.is_empty() {
        Vec::new()
    } else if broker.settings.auto_create_topics && request.allow_auto_topic_creation {
        broker.auto_topic_creation.create(broker, missing).await
    } else {
        missing.iter().map(unknown_topic).collect()
    };
    response(&snapshot, &broker.cluster_id, context, &request, &selection, missing)
}

fn response(
    snapshot: &MetadataSnapshot,
    cluster_id: &ClusterId,
    context: &RequestContext,
    request: &MetadataRequest,
    selection: &Selection,
    missing: Vec<MetadataResponseTopic>,
) -> MetadataResponse {
    let mut topics = match selection {
        Selection::All => known_topics(snapshot, context, snapshot.topic_names()),
        Selection::Names(names) => known_topics(snapshot, context, names),
        Selection::Ids(ids) => topics_by_id(snapshot, context, ids),
    };
    topics.extend(missing);
    if context.version >= 8 && request.include_topic_authorized_operations {
        for topic in topics.iter_mut().filter(|topic| topic.name.is_some()) {
            topic.topic_authorized_operations = authorized_operations::TOPIC;
        }
    }
    let cluster_operations =
        (8..=10).contains(&context.version) && request.include_cluster_authorized_operations;
    MetadataResponse::default()
        .with_brokers(brokers(snapshot, context))
        .with_cluster_id(Some(StrBytes::from_string(cluster_id.as_str().to_owned())))
        .with_controller_id(BrokerId::to_wire(snapshot.controller()).into())
        .with_topics(topics)
        .with_cluster_authorized_operations(if cluster_operations {
            authorized_operations::CLUSTER
        } else {
            authorized_operations::NOT_REQUESTED
        })
}

/// `None` when names or ids are used in a version that has none of them.
fn selection(request: &MetadataRequest, version: i16) -> Option<Selection> {
    let topics = match &request.topics {
        None => return Some(Selection::All),
        Some(topics) if topics.is_empty() && version == 0 => return Some(Selection::All),
        Some(topics) => topics,
    };
    if version < 12 && topics.iter().any(|topic| topic.name.is_none() || !topic.topic_id.is_nil()) {
        return None;
    }
    let ids: IndexSet<_> = topics.iter().filter_map(|topic| TopicId::from_wire(topic.topic_id)).collect();
    Some(if ids.is_empty() {
        Selection::Names(
            topics.iter().filter_map(|topic| Some(TopicName::new(topic.name.as_ref()?.as_str()))).collect(),
        )
    } else {
        Selection::Ids(ids)
    })
}

fn known_topics<'a>(
    snapshot: &MetadataSnapshot,
    context: &RequestContext,
    names: impl IntoIterator<Item = &'a TopicName>,
) -> Vec<MetadataResponseTopic> {
    let options = TopicMetadataOptions::of_version(context.version);
    names.into_iter().filter_map(|name| topic_metadata(snapshot, name, &context.listener, options)).collect()
}

fn topics_by_id(
    snapshot: &MetadataSnapshot,
    context: &RequestContext,
    ids: &IndexSet<TopicId>,
) -> Vec<MetadataResponseTopic> {
    let unknown = ids
        .iter()
        .filter(|id| snapshot.topic_name(**id).is_none())
        .map(|id| topic_error(None, Some(*id), ResponseError::UnknownTopicId));
    let known = known_topics(snapshot, context, ids.iter().filter_map(|id| snapshot.topic_name(*id)));
    unknown.chain(known).collect()
}

/// The names asked for that do not exist.
fn missing(snapshot: &MetadataSnapshot, selection: &Selection) -> Vec<TopicName> {
    match selection {
        Selection::All | Selection::Ids(_) => Vec::new(),
        Selection::Names(names) => {
            names.iter().filter(|name| snapshot.topic(name.as_str()).is_none()).cloned().collect()
        }
    }
}

fn unknown_topic(name: &TopicName) -> MetadataResponseTopic {
    let error = match name.validate() {
        Ok(()) => ResponseError::UnknownTopicOrPartition,
        Err(_) => ResponseError::InvalidTopicException,
    };
    topic_error(Some(name), None, error)
}

/// Brokers that have the listener of this connection.
fn brokers(snapshot: &MetadataSnapshot, context: &RequestContext) -> Vec<MetadataResponseBroker> {
    snapshot
        .brokers()
        .filter_map(|broker| {
            let endpoint = broker.endpoint(&context.listener)?;
            Some(
                MetadataResponseBroker::default()
                    .with_node_id(broker.id.0.into())
                    .with_host(StrBytes::from_string(endpoint.host.clone()))
                    .with_port(endpoint.port.into())
                    .with_rack(broker.rack.clone().map(StrBytes::from_string)),
            )
        })
        .collect()
}

fn invalid_request(request: &MetadataRequest) -> MetadataResponse {
    let topics = request.topics.iter().flatten().map(|topic| {
        MetadataResponseTopic::default()
            .with_error_code(ResponseError::InvalidRequest.code())
            .with_name(Some(topic.name.clone().unwrap_or_default()))
            .with_topic_id(topic.topic_id)
    });
    MetadataResponse::default().with_topics(topics.collect()).with_controller_id((-1).into())
}

#[cfg(test)]
mod tests;
