use bytes::{Bytes, BytesMut};
use gregor_model::ListenerName;
use kafka_protocol::messages::UpdateMetadataRequest;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::update_metadata_request::{
    UpdateMetadataBroker, UpdateMetadataEndpoint, UpdateMetadataPartitionState, UpdateMetadataTopicState,
};
use kafka_protocol::protocol::{Decodable, Encodable};

use super::*;
use crate::metadata_cache::MetadataCache;

/// Answers that Apache Kafka 3.9.1 gave for the cluster that `cache` describes.
const GOLDEN: &str = include_str!("golden.txt");

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn cache(topic_id: uuid::Uuid) -> MetadataCache {
    let partition = |index| {
        UpdateMetadataPartitionState::default()
            .with_partition_index(index)
            .with_leader(9.into())
            .with_isr(vec![9.into()])
            .with_replicas(vec![9.into()])
    };
    let endpoint = UpdateMetadataEndpoint::default()
        .with_host(text("127.0.0.1"))
        .with_port(31909)
        .with_listener(text("PLAINTEXT"));
    let topic = UpdateMetadataTopicState::default()
        .with_topic_name(text("t1").into())
        .with_topic_id(topic_id)
        .with_partition_states(vec![partition(0), partition(1)]);
    let request = UpdateMetadataRequest::default()
        .with_controller_id(9.into())
        .with_live_brokers(vec![
            UpdateMetadataBroker::default().with_id(9.into()).with_rack(None).with_endpoints(vec![endpoint]),
        ])
        .with_topic_states(vec![topic]);
    let cache = MetadataCache::new();
    cache.update(&request, 8).expect("valid");
    cache
}

fn request(names: Option<&[&str]>, version: i16) -> MetadataRequest {
    let topics = names.map(|names| {
        names.iter().map(|name| MetadataRequestTopic::default().with_name(Some(text(name).into()))).collect()
    });
    let topics = if version == 0 { topics.or(Some(Vec::new())) } else { topics };
    MetadataRequest::default()
        .with_topics(topics)
        .with_include_cluster_authorized_operations((8..=10).contains(&version))
        .with_include_topic_authorized_operations(version >= 8)
}

fn context(version: i16) -> RequestContext {
    RequestContext {
        version,
        client_id: text("c"),
        listener: ListenerName::new("PLAINTEXT"),
        client_address: std::net::Ipv4Addr::LOCALHOST.into(),
    }
}

fn answer(cache: &MetadataCache, cluster: &str, version: i16, request: &MetadataRequest) -> MetadataResponse {
    let Some(selection) = selection(request, version) else { return invalid_request(request) };
    let snapshot = cache.snapshot();
    // Clients before version 4 cannot forbid the creation; a topic just created has no leader yet.
    let created = |name: &TopicName| match unknown_topic(name) {
        topic if version < 4 && topic.error_code == ResponseError::UnknownTopicOrPartition.code() => {
            topic_error(Some(name), None, ResponseError::LeaderNotAvailable)
        }
        topic => topic,
    };
    let missing = missing(&snapshot, &selection).iter().map(created).collect();
    response(&snapshot, &ClusterId::new(cluster), &context(version), request, &selection, missing)
}

fn from_hex(hex: &str) -> Bytes {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
    (0..hex.len()).step_by(2).map(digit).collect()
}

/// Kafka's topics come in no order; the encoding of both must agree byte for byte.
fn encoded(mut response: MetadataResponse, version: i16) -> Bytes {
    response.topics.sort_by(|a, b| a.name.cmp(&b.name));
    let mut bytes = BytesMut::new();
    response.encode(&mut bytes, version).expect("fields fit the version");
    bytes.freeze()
}

#[test]
fn answers_are_those_of_kafka() {
    let mut checked = 0;
    for line in GOLDEN.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split(' ');
        let (kind, version, hex) = (words.next(), words.next(), words.next());
        let version: i16 = version.expect("version").parse().expect("number");
        let golden =
            MetadataResponse::decode(&mut from_hex(hex.expect("hex")), version).expect("Kafka's answer");
        let id =
            golden.topics.iter().find(|t| !t.topic_id.is_nil()).map_or(uuid::Uuid::nil(), |t| t.topic_id);
        let cluster = golden.cluster_id.as_ref().map_or("none", |id| id.as_str());
        let names = (kind == Some("some")).then_some(["t1", "nope", "a/b"].as_slice());
        let ours = answer(&cache(id), cluster, version, &request(names, version));
        assert_eq!(encoded(ours, version), encoded(golden.clone(), version), "{kind:?} version {version}");
        checked += 1;
    }
    assert_eq!(checked, 26);
}

#[test]
fn topics_by_id() {
    let id = uuid::Uuid::from_u128(77);
    let unknown = uuid::Uuid::from_u128(78);
    let ask = |id| MetadataRequestTopic::default().with_name(None).with_topic_id(id);
    let request = MetadataRequest::default().with_topics(Some(vec![ask(id), ask(unknown)]));
    let answer = answer(&cache(id), "c", 12, &request);
    let found: Vec<_> = answer
        .topics
        .iter()
        .map(|topic| (topic.error_code, topic.name.as_ref().map(|name| name.to_string()), topic.topic_id))
        .collect();
    assert_eq!(
        found,
        [(ResponseError::UnknownTopicId.code(), None, unknown), (0, Some("t1".to_owned()), id)]
    );
}

#[test]
fn ids_before_version_12_are_invalid() {
    let ask = MetadataRequestTopic::default()
        .with_name(Some(text("t1").into()))
        .with_topic_id(uuid::Uuid::from_u128(77));
    let request = MetadataRequest::default().with_topics(Some(vec![ask]));
    let answer = answer(&cache(uuid::Uuid::from_u128(77)), "c", 11, &request);
    assert_eq!(answer.topics[0].error_code, ResponseError::InvalidRequest.code());
}
