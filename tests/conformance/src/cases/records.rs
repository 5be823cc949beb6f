//! Records: produce, fetch, and offsets.

use crate::case::{Case, case, ids, plain, topic, transactional};
use crate::side::Side;
use bytes::Bytes;
use gregor_model::{Offset, Timestamp};
use gregor_records::{BatchBuilder, BatchOptions, Headers, RecordRef};
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiKey, BrokerId, DeleteRecordsRequest, FetchRequest, ListOffsetsRequest, OffsetForLeaderEpochRequest,
    ProduceRequest, RequestKind,
};
use uuid::Uuid;

/// A moment long before any clock a broker could have.
const THEN: i64 = 1_600_000_000_000;

pub fn cases() -> Vec<Case> {
    [produce(), fetch(), list_offsets(), leader_epochs(), delete_records()].into_iter().flatten().collect()
}

/// A batch of `count` records, one millisecond apart.
pub fn batch(count: i64, key: Option<&[u8]>) -> Bytes {
    let options = BatchOptions::default();
    let build = || {
        let mut builder = BatchBuilder::new(options)?;
        for index in 0..count {
            builder.append_record(&RecordRef {
                offset: Offset(index),
                timestamp: Some(Timestamp(THEN + index)),
                sequence: None,
                key,
                value: Some(b"value"),
                headers: Headers::NONE,
            })?;
        }
        builder.finish()
    };
    build().map(Bytes::from).unwrap_or_default()
}

fn to(name: &str, partition: i32, acks: i16, records: Option<Bytes>) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(partition).with_records(records);
    let topic = TopicProduceData::default().with_name(topic(name)).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(acks).with_timeout_ms(5_000).with_topic_data(vec![topic])
}

/// What only versions of the current record format can carry.
fn current(name: &'static str, request: ProduceRequest) -> Case {
    case(ApiKey::Produce, name, move |version, _| (version >= 3).then(|| request.clone().into()))
}

fn produce() -> Vec<Case> {
    let damaged = || {
        let mut bytes = batch(1, None).to_vec();
        if let Some(last) = bytes.last_mut() {
            *last ^= 1;
        }
        Bytes::from(bytes)
    };
    let with_magic = |magic: u8| {
        let mut bytes = batch(1, None).to_vec();
        bytes[16] = magic;
        Bytes::from(bytes)
    };
    let cut = || batch(1, None).slice(..40);
    vec![
        current("acks=1", to("plain", 0, 1, Some(batch(3, None)))),
        current("acks=all", to("plain", 0, -1, Some(batch(2, Some(b"k"))))),
        current("acks=2", to("plain", 0, 2, Some(batch(1, None)))),
        current("an unknown topic", to("nowhere", 0, 1, Some(batch(1, None)))),
        current("an unknown partition", to("plain", 9, 1, Some(batch(1, None)))),
        current("led elsewhere", to("plain", 1, 1, Some(batch(1, None)))),
        current("a wrong CRC", to("plain", 0, 1, Some(damaged()))),
        current("no such magic", to("plain", 0, 1, Some(with_magic(7)))),
        current("magic of old formats", to("plain", 0, 1, Some(with_magic(1)))),
        current("a torn batch", to("plain", 0, 1, Some(cut()))),
        current("two batches", to("plain", 0, 1, Some([batch(1, None), batch(1, None)].concat().into()))),
        current("no records", to("plain", 0, 1, Some(Bytes::new()))),
        current("no key, compacted", to("compacted", 0, 1, Some(batch(2, None)))),
        current("a key, compacted", to("compacted", 0, 1, Some(batch(2, Some(b"k"))))),
        current("too large", to("small", 0, 1, Some(batch(200, None)))),
        current("an internal topic", to("__consumer_offsets", 0, 1, Some(batch(1, Some(b"k"))))),
        current(
            "a transaction without producer",
            to("plain", 0, -1, Some(batch(1, None))).with_transactional_id(Some(transactional("nobody"))),
        ),
        plain(ApiKey::Produce, "no topics", ProduceRequest::default().with_acks(1).with_timeout_ms(1_000)),
    ]
}

fn partition(index: i32, offset: i64) -> FetchPartition {
    FetchPartition::default()
        .with_partition(index)
        .with_fetch_offset(offset)
        .with_partition_max_bytes(1 << 20)
}

/// A fetch of one partition, by name or, from version 13 on, by id.
fn fetch_of(
    name: &'static str,
    topic_name: &'static str,
    partition: FetchPartition,
    change: fn(FetchRequest) -> FetchRequest,
) -> Case {
    case(ApiKey::Fetch, name, move |version, side: &Side| {
        let part = if version >= 5 { partition.clone() } else { partition.clone().with_log_start_offset(-1) };
        let of = FetchTopic::default().with_partitions(vec![part]);
        let of = if version >= 13 {
            of.with_topic_id(match side.topic_id(topic_name) {
                id if id.is_nil() => Uuid::from_u128(99),
                id => id,
            })
        } else {
            of.with_topic(topic(topic_name))
        };
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(100)
            .with_min_bytes(0)
            .with_max_bytes(1 << 20)
            .with_session_epoch(-1)
            .with_topics(vec![of]);
        // Older formats are converted from version 4 down, and their bytes hold the time of conversion nowhere.
        Some(change(request).into())
    })
}

fn fetch() -> Vec<Case> {
    let same = |request| request;
    vec![
        fetch_of("from the start", "plain", partition(0, 0), same),
        fetch_of("from the middle", "plain", partition(0, 6), same),
        fetch_of("at the end", "plain", partition(0, 10), same),
        fetch_of("beyond the end", "plain", partition(0, 1_000_000), same),
        fetch_of("a negative offset", "plain", partition(0, -5), same),
        fetch_of("one byte", "plain", partition(0, 0).with_partition_max_bytes(1), same),
        fetch_of("read_committed", "plain", partition(0, 0), |request| request.with_isolation_level(1)),
        fetch_of("an unknown topic", "nowhere", partition(0, 0), same),
        fetch_of("an unknown partition", "plain", partition(9, 0), same),
        fetch_of("replicated here, led elsewhere", "plain", partition(1, 0), same),
        fetch_of("an old leader epoch", "plain", partition(0, 0).with_current_leader_epoch(0), same),
        fetch_of("a future leader epoch", "plain", partition(0, 0).with_current_leader_epoch(99), same),
        fetch_of("an epoch that ended elsewhere", "plain", partition(0, 9).with_last_fetched_epoch(7), same),
        fetch_of("an unknown session", "plain", partition(0, 0), |request| {
            request.with_session_id(77).with_session_epoch(3)
        }),
        fetch_of("an unknown follower", "plain", partition(0, 0), |request| {
            if request.replica_id.0 == -1 { request.with_replica_id(BrokerId(8)) } else { request }
        }),
    ]
}

fn list_offsets() -> Vec<Case> {
    let at = |name: &'static str, topic_name: &'static str, index: i32, timestamp: i64, epoch: i32| {
        case(ApiKey::ListOffsets, name, move |version, _| {
            let mut partition = ListOffsetsPartition::default()
                .with_partition_index(index)
                .with_timestamp(timestamp)
                .with_current_leader_epoch(epoch);
            if version == 0 {
                partition = partition.with_max_num_offsets(5);
            }
            let of =
                ListOffsetsTopic::default().with_name(topic(topic_name)).with_partitions(vec![partition]);
            let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![of]);
            Some(request.into())
        })
    };
    vec![
        at("earliest", "plain", 0, -2, -1),
        at("latest", "plain", 0, -1, -1),
        at("max timestamp", "plain", 0, -3, -1),
        at("earliest local", "plain", 0, -4, -1),
        at("latest tiered", "plain", 0, -5, -1),
        at("no such special", "plain", 0, -9, -1),
        at("at a time", "plain", 0, THEN + 1, -1),
        at("after every time", "plain", 0, THEN * 2, -1),
        at("earliest of nothing", "compacted", 0, -2, -1),
        at("an unknown topic", "nowhere", 0, -1, -1),
        at("an unknown partition", "plain", 9, -1, -1),
        at("led elsewhere", "plain", 1, -1, -1),
        at("an old leader epoch", "plain", 0, -1, 0),
        at("a future leader epoch", "plain", 0, -1, 99),
        at("an illegal name", "a b", 0, -1, -1),
    ]
}

fn leader_epochs() -> Vec<Case> {
    let of =
        |name: &'static str, topic_name: &'static str, index: i32, epoch: i32, current: i32, replica: i32| {
            case(ApiKey::OffsetForLeaderEpoch, name, move |version, _| {
                let partition = OffsetForLeaderPartition::default()
                    .with_partition(index)
                    .with_leader_epoch(epoch)
                    .with_current_leader_epoch(current);
                let topic = OffsetForLeaderTopic::default()
                    .with_topic(topic(topic_name))
                    .with_partitions(vec![partition]);
                let request = OffsetForLeaderEpochRequest::default().with_topics(vec![topic]);
                let request = if version >= 3 { request.with_replica_id(BrokerId(replica)) } else { request };
                Some(request.into())
            })
        };
    vec![
        of("the first epoch", "plain", 0, 0, -1, -1),
        of("a future epoch", "plain", 0, 50, -1, -1),
        of("no epoch", "plain", 0, -1, -1, -1),
        of("a fenced leader epoch", "plain", 0, 0, 50, -1),
        of("an unknown topic", "nowhere", 0, 0, -1, -1),
        of("an unknown partition", "plain", 7, 0, -1, -1),
        of("led elsewhere", "plain", 1, 0, -1, -1),
        of("asked by a follower", "plain", 0, 0, -1, 1),
    ]
}

fn delete_records() -> Vec<Case> {
    let of = |name: &'static str, topic_name: &'static str, index: i32, offset: i64| {
        let partition = DeleteRecordsPartition::default().with_partition_index(index).with_offset(offset);
        let topic =
            DeleteRecordsTopic::default().with_name(topic(topic_name)).with_partitions(vec![partition]);
        let request = DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(5_000);
        plain(ApiKey::DeleteRecords, name, RequestKind::from(request))
    };
    vec![
        of("before an offset", "deleted", 0, 2),
        of("again", "deleted", 0, 1),
        of("to the HW", "deleted", 0, -1),
        of("beyond the end", "deleted", 0, 5_000),
        of("a negative offset", "deleted", 0, -7),
        of("an unknown topic", "nowhere", 0, 0),
        of("an unknown partition", "deleted", 5, 0),
        of("led elsewhere", "plain", 1, 0),
        of("compacted", "compacted", 0, 1),
        of("an internal topic", "__consumer_offsets", 0, 0),
    ]
}

/// What is in `plain` and `deleted` before the first case.
pub fn fill() -> [ProduceRequest; 3] {
    [
        to("plain", 0, -1, Some(batch(5, None))),
        to("plain", 0, -1, Some(batch(5, Some(b"k")))),
        to("deleted", 0, -1, Some(batch(5, None))),
    ]
}

/// Where replicas of these topics live.
pub fn assignment(topic: &str) -> Vec<Vec<BrokerId>> {
    if topic == "plain" { vec![ids(&[0, 1]), ids(&[1, 0])] } else { vec![ids(&[0])] }
}
