use gregor_model::{BrokerId, ListenerName};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic, ReplicaState};
use kafka_protocol::protocol::StrBytes;

use super::*;
use crate::metadata_cache::MetadataSnapshot;

fn context(version: i16) -> RequestContext {
    RequestContext {
        version,
        client_id: StrBytes::from_static_str("c"),
        listener: ListenerName::new("PLAINTEXT"),
        client_address: std::net::Ipv4Addr::LOCALHOST.into(),
    }
}

fn topic(name: &'static str, partitions: &[i32]) -> FetchTopic {
    let partition =
        |index: &i32| FetchPartition::default().with_partition(*index).with_partition_max_bytes(9);
    FetchTopic::default()
        .with_topic(StrBytes::from_static_str(name).into())
        .with_partitions(partitions.iter().map(partition).collect())
}

#[test]
fn who_asks_by_version() {
    #[track_caller]
    fn check(version: i16, request: FetchRequest, expected: FetchRequester) {
        assert_eq!(params(&context(version), &request).requester, expected);
    }
    let consumer = |rack: Option<&str>| FetchRequester::Consumer { rack: rack.map(str::to_owned) };
    let of = |replica: i32| FetchRequest::default().with_replica_id(replica.into());
    check(4, of(-1), consumer(None));
    check(4, of(-2), consumer(None));
    check(11, of(-1), consumer(Some("")));
    check(14, of(3), FetchRequester::Follower { id: BrokerId(3), epoch: None });
    let state = ReplicaState::default().with_replica_id(3.into()).with_replica_epoch(77);
    let newer = FetchRequest::default().with_replica_state(state);
    check(15, newer, FetchRequester::Follower { id: BrokerId(3), epoch: Some(BrokerEpoch(77)) });
}

#[test]
fn limits_by_version() {
    let request = FetchRequest::default().with_max_bytes(100).with_isolation_level(1);
    let old = params(&context(2), &request);
    assert_eq!((old.max_bytes, old.hard_max_bytes), (i32::MAX, true));
    let new = params(&context(3), &request);
    assert_eq!((new.max_bytes, new.hard_max_bytes), (100, false));
    assert_eq!(new.isolation, FetchIsolation::TxnCommitted);
}

#[test]
fn requests_before_version_7_have_no_session() {
    let forgotten =
        ForgottenTopic::default().with_topic(StrBytes::from_static_str("b").into()).with_partitions(vec![4]);
    let request = FetchRequest::default()
        .with_session_id(5)
        .with_session_epoch(2)
        .with_topics(vec![topic("a", &[0, 1])])
        .with_forgotten_topics_data(vec![forgotten]);
    let snapshot = MetadataSnapshot::default();
    let old = request::session_request(&request, 6, false, &snapshot);
    assert_eq!((old.session_id, old.session_epoch), (0, -1));
    let new = request::session_request(&request, 12, true, &snapshot);
    assert_eq!((new.session_id, new.session_epoch, new.from_follower, new.by_topic_id), (5, 2, true, false));
    assert_eq!(new.listed.len(), 2);
    assert_eq!(new.forgotten.len(), 1);
}

#[test]
fn partitions_that_the_metadata_does_not_know() {
    use kafka_protocol::ResponseError::{UnknownTopicId, UnknownTopicOrPartition};
    let snapshot = MetadataSnapshot::default();
    let by_name = FetchRequest::default().with_topics(vec![topic("a", &[0])]);
    let asked = request::session_request(&by_name, 12, false, &snapshot);
    let found = request::partitions(&asked.listed, &snapshot);
    assert_eq!(found[0].known, Err(UnknownTopicOrPartition));
    let by_id =
        FetchRequest::default().with_topics(vec![topic("", &[0]).with_topic_id(uuid::Uuid::from_u128(7))]);
    let asked = request::session_request(&by_id, 13, false, &snapshot);
    assert!(asked.by_topic_id && asked.listed[0].0.topic_id.is_some());
    let found = request::partitions(&asked.listed, &snapshot);
    assert_eq!(found[0].known, Err(UnknownTopicId));
}
