use bytes::{BufMut, BytesMut};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Encodable, StrBytes};

use super::*;
use crate::api;
use crate::request::{WireError, decode_request};

fn encoded(message: &impl Encodable, version: i16) -> Bytes {
    let mut bytes = BytesMut::new();
    message.encode(&mut bytes, version).expect("encodable");
    bytes.freeze()
}

/// A whole request frame with the client id `c`.
fn frame(key: i16, version: i16, header_version: i16, body: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_i16(key);
    frame.put_i16(version);
    frame.put_i32(7);
    if header_version >= 1 {
        frame.put_slice(&[0, 1, b'c']);
    }
    if header_version >= 2 {
        frame.put_u8(0);
    }
    frame.put_slice(body);
    frame.freeze()
}

#[test]
fn four_bytes_do_not_take_144_gib() {
    let claim = Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff]);
    assert!(matches!(decode::<MetadataRequest>(claim, 1), Err(DecodeError::Malformed(_))));
    let compact = Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 0x07]);
    assert!(matches!(decode::<MetadataRequest>(compact, 9), Err(DecodeError::Malformed(_))));
}

#[test]
fn integers_larger_than_the_message_survive() {
    for version in 0..=7 {
        let topic = CreatableTopic::default().with_num_partitions(1_000_000).with_replication_factor(3);
        let request = CreateTopicsRequest::default().with_timeout_ms(60_000).with_topics(vec![topic]);
        assert_eq!(decode(encoded(&request, version), version), Ok(request), "version {version}");
    }
}

#[test]
fn every_request_of_every_version_passes_the_guard() {
    for api in api::ALL {
        for version in api.min_version..=api.max_version {
            let mut bytes = BytesMut::new();
            let request = api::empty_body(api.key).expect("an API of ours");
            if request.encode(&mut bytes, version).is_err() {
                continue;
            }
            let decoded = api::decode_body(api.key, version, bytes.freeze()).expect("an API of ours");
            assert!(decoded.is_ok(), "{:?} {version}: {decoded:?}", api.key);
        }
    }
}

#[test]
fn many_elements_and_unknown_tags_are_honest() {
    let topic = |index: usize| {
        let name = StrBytes::from_string(format!("topic-{index}"));
        MetadataRequestTopic::default().with_name(Some(TopicName(name)))
    };
    let mut request = MetadataRequest::default().with_topics(Some((0..50_000).map(topic).collect()));
    request.unknown_tagged_fields.insert(10_001, Bytes::from_static(b"x"));
    assert_eq!(decode(encoded(&request, 12), 12), Ok(request));
}

#[test]
fn records_share_the_frames_memory() {
    use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
    let records = Bytes::from(vec![7; 100_000]);
    let partition = PartitionProduceData::default().with_records(Some(records.clone()));
    let topic = TopicProduceData::default().with_partition_data(vec![partition]);
    let request =
        ProduceRequest::default().with_topic_data(vec![topic]).with_acks(-1).with_timeout_ms(30_000);
    for version in [3, 9, 11] {
        let bytes = encoded(&request, version);
        let (start, end) = (bytes.as_ptr().addr(), bytes.as_ptr().addr() + bytes.len());
        let decoded: ProduceRequest = decode(bytes, version).expect("honest");
        let found = decoded.topic_data[0].partition_data[0].records.clone().expect("records");
        assert_eq!(found, records);
        assert!((start..end).contains(&found.as_ptr().addr()));
    }
}

#[test]
fn what_is_no_request_of_ours() {
    #[track_caller]
    fn check(frame: Bytes, expected: WireError) {
        match (decode_request(frame), expected) {
            (Err(WireError::Body { key, version, .. }), WireError::Body { key: k, version: v, .. }) => {
                assert_eq!((key, version), (k, v));
            }
            (found, expected) => assert_eq!(found.err(), Some(expected)),
        }
    }
    check(Bytes::new(), WireError::NoHeader(0));
    check(Bytes::from_static(&[0, 3, 0, 1, 0, 0, 0]), WireError::NoHeader(7));
    check(frame(99, 0, 1, &[]), WireError::UnknownApi(99));
    check(frame(-1, 0, 1, &[]), WireError::UnknownApi(-1));
    check(frame(52, 0, 1, &[]), WireError::UnknownApi(52));
    check(frame(3, 13, 2, &[]), WireError::UnsupportedVersion { key: ApiKey::Metadata, version: 13 });
    check(frame(3, -1, 1, &[]), WireError::UnsupportedVersion { key: ApiKey::Metadata, version: -1 });
    check(frame(18, 5, 2, &[]), WireError::UnsupportedApiVersions { version: 5, correlation_id: 7 });
    check(frame(18, -1, 1, &[]), WireError::UnsupportedApiVersions { version: -1, correlation_id: 7 });
}

#[test]
fn bytes_after_a_request_are_passed_over_as_by_kafka() {
    assert!(decode_request(frame(18, 0, 1, &[1, 2])).is_ok());
    assert_eq!(
        decode::<ApiVersionsRequest>(Bytes::from_static(&[1, 2]), 0),
        Err(DecodeError::TrailingBytes(2))
    );
}

#[test]
fn headers_of_every_version() {
    let request = decode_request(frame(18, 0, 1, &[])).expect("ApiVersions 0");
    assert_eq!((request.header.client_id.as_str(), request.header.correlation_id), ("c", 7));
    let request = decode_request(frame(18, 3, 2, &[2, b'a', 2, b'b', 0])).expect("ApiVersions 3");
    assert_eq!(request.size, 8 + 3 + 1 + 5);
    let mut shutdown = frame(7, 0, 0, &[]).to_vec();
    shutdown.extend_from_slice(&[0, 0, 0, 9]);
    let request = decode_request(Bytes::from(shutdown)).expect("ControlledShutdown 0 has no client id");
    assert_eq!(request.header.client_id.as_str(), "");
    let mut nobody = BytesMut::new();
    nobody.put_slice(&[0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff]);
    let request = decode_request(nobody.freeze()).expect("a null client id");
    assert_eq!(request.header.client_id.as_str(), "");
}
