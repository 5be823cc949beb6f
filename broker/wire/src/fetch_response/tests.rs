use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::fetch_response::{
    AbortedTransaction, EpochEndOffset, LeaderIdAndEpoch, NodeEndpoint, SnapshotId,
};
use kafka_protocol::messages::{ApiKey, BrokerId, ProducerId, ResponseKind, TopicName};
use kafka_protocol::protocol::StrBytes;
use proptest::prelude::*;

use super::*;
use crate::response::{encode_response, encode_response_plain};
use crate::rope::{FileRegion, MadeRegion, Pieces, Segment};

fn records() -> impl Strategy<Value = Option<Bytes>> {
    let bytes = |length: usize, fill: u8| Some(Bytes::from(vec![fill; length]));
    prop_oneof![
        Just(None),
        Just(Some(Bytes::new())),
        (1..200usize, any::<u8>()).prop_map(move |(length, fill)| bytes(length, fill)),
        (4000..9000usize, any::<u8>()).prop_map(move |(length, fill)| bytes(length, fill)),
    ]
}

prop_compose! {
    fn partition()(
        index in any::<i32>(),
        error in any::<i16>(),
        offset in any::<i64>(),
        aborted in proptest::option::of(proptest::collection::vec((any::<i64>(), any::<i64>()), 0..3)),
        records in records(),
        tags in any::<[bool; 3]>(),
    ) -> PartitionData {
        let aborted = aborted.map(|all| all.into_iter().map(|(producer, first)| {
            AbortedTransaction::default().with_producer_id(ProducerId(producer)).with_first_offset(first)
        }).collect());
        let mut data = PartitionData::default()
            .with_partition_index(index)
            .with_error_code(error)
            .with_high_watermark(offset)
            .with_last_stable_offset(offset.wrapping_sub(1))
            .with_log_start_offset(offset.wrapping_sub(2))
            .with_aborted_transactions(aborted)
            .with_records(records);
        if tags[0] {
            data.diverging_epoch = EpochEndOffset::default().with_epoch(3).with_end_offset(9);
        }
        if tags[1] {
            data.current_leader = LeaderIdAndEpoch::default().with_leader_id(BrokerId(2)).with_leader_epoch(5);
        }
        if tags[2] {
            data.snapshot_id = SnapshotId::default().with_end_offset(1).with_epoch(1);
        }
        data
    }
}

prop_compose! {
    fn response()(
        throttle in any::<i32>(),
        error in any::<i16>(),
        name in "[a-z]{1,300}",
        topics in proptest::collection::vec(proptest::collection::vec(partition(), 0..4), 0..4),
        endpoint in any::<bool>(),
    ) -> FetchResponse {
        let topic = |partitions| FetchableTopicResponse::default()
            .with_topic(TopicName(StrBytes::from_string(name.clone())))
            .with_topic_id(uuid::Uuid::from_u128(77))
            .with_partitions(partitions);
        let mut response = FetchResponse::default()
            .with_throttle_time_ms(throttle)
            .with_error_code(error)
            .with_responses(topics.into_iter().map(topic).collect());
        if endpoint {
            response.node_endpoints = vec![NodeEndpoint::default().with_host(StrBytes::from_static_str("h"))];
        }
        response
    }
}

/// Gives them some at a time.
struct InPieces(Bytes);

impl Pieces for InPieces {
    fn next_piece(&mut self) -> std::io::Result<Bytes> {
        Ok(self.0.split_to(self.0.len().min(700)))
    }
}

/// Puts something that makes them in the place of every second partition's records.
fn into_made(response: &FetchResponse, regions: &mut FileRegions) -> FetchResponse {
    let mut response = response.clone();
    let partitions = response.responses.iter_mut().flat_map(|topic| &mut topic.partitions);
    for records in partitions.step_by(2).filter_map(|partition| partition.records.as_mut()) {
        let made = MadeRegion::new(records.len(), InPieces(records.clone()));
        *records = regions.add_made(made).expect("a handle");
    }
    response
}

/// Puts every second partition's records into a file and its handle in their place.
fn into_file(response: &FetchResponse, regions: &mut FileRegions) -> FetchResponse {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(b"before").expect("written");
    let (mut position, mut moved) = (6, Vec::new());
    let mut response = response.clone();
    let partitions = response.responses.iter_mut().flat_map(|topic| &mut topic.partitions);
    for records in partitions.step_by(2).filter_map(|partition| partition.records.as_mut()) {
        file.write_all(records).expect("written");
        moved.push((position, records));
        position += moved.last().map_or(0, |(_, records)| records.len() as u64);
    }
    let file = Arc::new(file);
    for (position, records) in moved {
        let region = FileRegion { file: file.clone(), position, len: records.len() };
        *records = regions.add(region).expect("a handle");
    }
    response
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn as_the_protocol_crate_encodes_it(response in response()) {
        for version in 0..=17 {
            let plain = encode_response_plain(version, 5, &response).expect("encodable");
            let kind = ResponseKind::Fetch(response.clone());
            let rope = encode_response(ApiKey::Fetch, version, 5, &kind, &FileRegions::new()).expect("encodable");
            prop_assert_eq!(rope.to_bytes().expect("no files"), plain.clone(), "version {}", version);
            let mut regions = FileRegions::new();
            let kind = ResponseKind::Fetch(into_file(&response, &mut regions));
            let rope = encode_response(ApiKey::Fetch, version, 5, &kind, &regions).expect("encodable");
            let files = rope.segments.iter().filter(|segment| matches!(segment, Segment::File(_))).count();
            prop_assert_eq!(files, regions.len());
            prop_assert_eq!(rope.to_bytes().expect("readable"), plain.clone(), "version {} from a file", version);
            let mut regions = FileRegions::new();
            let kind = ResponseKind::Fetch(into_made(&response, &mut regions));
            let rope = encode_response(ApiKey::Fetch, version, 5, &kind, &regions).expect("encodable");
            prop_assert_eq!(rope.to_bytes().expect("made"), plain, "version {} made", version);
        }
    }
}

#[test]
fn large_records_are_shared() {
    let records = Bytes::from(vec![1; 1 << 20]);
    let partition = PartitionData::default().with_records(Some(records.clone()));
    let topic = FetchableTopicResponse::default().with_partitions(vec![partition]);
    let kind = ResponseKind::Fetch(FetchResponse::default().with_responses(vec![topic]));
    let rope = encode_response(ApiKey::Fetch, 12, 1, &kind, &FileRegions::new()).expect("encodable");
    let shared =
        |segment: &Segment| matches!(segment, Segment::Bytes(bytes) if bytes.as_ptr() == records.as_ptr());
    assert!(rope.segments.iter().any(shared));
}

#[test]
fn unknown_versions_of_api_versions_are_answered_in_version_0() {
    let answer = crate::unsupported_api_versions(1).expect("encodable").to_bytes().expect("no files");
    let expected = [0, 0, 0, 16, 0, 0, 0, 1, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4];
    assert_eq!(answer, expected[..]);
}
