use gregor_model::{BrokerId, ListenerName, TopicId, TopicName, TopicPartition};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::UpdateMetadataRequest;
use kafka_protocol::messages::update_metadata_request::{
    UpdateMetadataBroker, UpdateMetadataEndpoint, UpdateMetadataPartitionState, UpdateMetadataTopicState,
};
use kafka_protocol::protocol::StrBytes;

use super::{MetadataCache, TopicMetadataOptions, topic_metadata};

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn broker(id: i32, listeners: &[&str]) -> UpdateMetadataBroker {
    UpdateMetadataBroker::default().with_id(id.into()).with_endpoints(
        listeners
            .iter()
            .map(|listener| {
                UpdateMetadataEndpoint::default()
                    .with_host(text("h"))
                    .with_port(9092 + id)
                    .with_listener(text(listener))
            })
            .collect(),
    )
}

fn partition(index: i32, leader: i32, replicas: &[i32]) -> UpdateMetadataPartitionState {
    let ids: Vec<_> = replicas.iter().map(|id| (*id).into()).collect();
    UpdateMetadataPartitionState::default()
        .with_partition_index(index)
        .with_leader(leader.into())
        .with_leader_epoch(4)
        .with_isr(ids.clone())
        .with_replicas(ids)
}

fn topic(name: &str, id: u128, partitions: Vec<UpdateMetadataPartitionState>) -> UpdateMetadataTopicState {
    UpdateMetadataTopicState::default()
        .with_topic_name(text(name).into())
        .with_topic_id(uuid::Uuid::from_u128(id))
        .with_partition_states(partitions)
}

fn request(
    brokers: Vec<UpdateMetadataBroker>,
    topics: Vec<UpdateMetadataTopicState>,
) -> UpdateMetadataRequest {
    UpdateMetadataRequest::default()
        .with_controller_id(1.into())
        .with_live_brokers(brokers)
        .with_topic_states(topics)
}

fn plaintext(ids: &[i32]) -> Vec<UpdateMetadataBroker> {
    ids.iter().map(|id| broker(*id, &["PLAINTEXT"])).collect()
}

fn cache(requests: Vec<UpdateMetadataRequest>) -> MetadataCache {
    let cache = MetadataCache::new();
    for request in requests {
        cache.update(&request, 8).expect("valid request");
    }
    cache
}

#[test]
fn brokers_are_replaced_and_topics_merged() {
    let cache = cache(vec![
        request(plaintext(&[1, 2, 3]), vec![topic("a", 7, vec![partition(0, 1, &[1, 2])])]),
        request(plaintext(&[1, 2]), vec![topic("a", 7, vec![partition(1, 2, &[1, 2])])]),
    ]);
    let snapshot = cache.snapshot();
    assert_eq!(snapshot.brokers().map(|b| b.id.0).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(snapshot.topic("a").expect("topic").partitions.len(), 2);
    assert_eq!(snapshot.controller(), Some(BrokerId(1)));
}

#[test]
fn deletion_removes_the_topic_with_its_last_partition() {
    let cache = cache(vec![request(
        plaintext(&[1]),
        vec![topic("a", 7, vec![partition(0, 1, &[1]), partition(1, 1, &[1])])],
    )]);
    let id = TopicId::from_wire(uuid::Uuid::from_u128(7)).expect("not zero");
    let gone = |index| request(plaintext(&[1]), vec![topic("a", 7, vec![partition(index, -2, &[1])])]);
    assert_eq!(cache.update(&gone(0), 8), Ok(vec![TopicPartition::new("a", 0)]));
    assert!(cache.snapshot().topic("a").is_some());
    assert_eq!(cache.update(&gone(1), 8), Ok(vec![TopicPartition::new("a", 1)]));
    assert!(cache.snapshot().topic("a").is_none());
    assert_eq!(cache.snapshot().topic_name(id), None);
}

#[test]
fn topic_ids_follow_the_controller() {
    let id = |n| TopicId::from_wire(uuid::Uuid::from_u128(n));
    let cache = cache(vec![request(plaintext(&[1]), vec![topic("a", 7, vec![partition(0, 1, &[1])])])]);
    assert_eq!(cache.snapshot().topic_id("a"), id(7));
    cache.update(&request(plaintext(&[1]), vec![topic("a", 8, vec![])]), 8).expect("valid");
    assert_eq!(cache.snapshot().topic_id("a"), id(8));
    assert_eq!(cache.snapshot().topic_name(id(8).expect("some")), Some(&TopicName::new("a")));
    assert_eq!(cache.snapshot().topic_name(id(7).expect("some")), None);
    cache.update(&request(plaintext(&[1]), vec![topic("a", 0, vec![])]), 8).expect("valid");
    assert_eq!(cache.snapshot().topic_id("a"), None);
}

#[test]
fn version_zero_has_one_plaintext_address() {
    let old = UpdateMetadataBroker::default().with_id(1.into()).with_v0_host(text("old")).with_v0_port(9);
    let cache = MetadataCache::new();
    cache.update(&request(vec![old], vec![]), 0).expect("valid");
    let endpoint = cache.snapshot().endpoint(BrokerId(1), &ListenerName::new("PLAINTEXT")).cloned();
    assert_eq!(endpoint.map(|endpoint| (endpoint.host, endpoint.port)), Some(("old".to_owned(), 9)));
}

#[test]
fn bad_endpoints_change_nothing() {
    let cache = MetadataCache::new();
    let mut bad = broker(1, &["PLAINTEXT"]);
    bad.endpoints[0].security_protocol = 9;
    assert!(cache.update(&request(vec![bad], vec![]), 8).is_err());
    let mut bad = broker(1, &["PLAINTEXT"]);
    bad.endpoints[0].port = 70_000;
    assert!(cache.update(&request(vec![bad], vec![]), 8).is_err());
    assert_eq!(cache.snapshot().brokers().count(), 0);
}

#[test]
fn partition_errors_by_version() {
    // Broker 1 has both listeners, broker 2 lacks CLIENTS, broker 3 is dead.
    let cache = cache(vec![request(
        vec![broker(1, &["CLIENTS", "INTERNAL"]), broker(2, &["INTERNAL"])],
        vec![topic(
            "a",
            7,
            vec![
                partition(0, 1, &[1]),
                partition(1, 2, &[2]),
                partition(2, 3, &[3]),
                partition(3, -1, &[1]),
                partition(4, 1, &[1, 3]),
            ],
        )],
    )]);
    #[track_caller]
    fn check(cache: &MetadataCache, version: i16, expected: [(i16, i32, usize); 5]) {
        let answer = topic_metadata(
            &cache.snapshot(),
            &TopicName::new("a"),
            &ListenerName::new("CLIENTS"),
            TopicMetadataOptions::of_version(version),
        )
        .expect("topic");
        let found: Vec<_> = answer
            .partitions
            .iter()
            .map(|partition| (partition.error_code, partition.leader_id.0, partition.replica_nodes.len()))
            .collect();
        assert_eq!(found, expected, "version {version}");
    }
    let not_available = ResponseError::LeaderNotAvailable.code();
    let replica = ResponseError::ReplicaNotAvailable.code();
    let listener = ResponseError::ListenerNotFound.code();
    check(
        &cache,
        0,
        [(0, 1, 1), (not_available, -1, 0), (not_available, -1, 0), (not_available, -1, 1), (replica, 1, 1)],
    );
    check(
        &cache,
        1,
        [(0, 1, 1), (not_available, -1, 1), (not_available, -1, 1), (not_available, -1, 1), (0, 1, 2)],
    );
    check(
        &cache,
        6,
        [(0, 1, 1), (listener, -1, 1), (not_available, -1, 1), (not_available, -1, 1), (0, 1, 2)],
    );
}
