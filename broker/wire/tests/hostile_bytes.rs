//! 200,000 hostile messages through the decoder, in a process that may have half a gigabyte of address space: a length
//! believed without its bytes aborts the test.

use bytes::{BufMut, Bytes, BytesMut};
use gregor_wire::api::{self, Api};
use gregor_wire::kafka_protocol::messages::create_topics_request::CreatableTopic;
use gregor_wire::kafka_protocol::messages::leader_and_isr_request::{
    LeaderAndIsrPartitionState, LeaderAndIsrTopicState,
};
use gregor_wire::kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use gregor_wire::kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use gregor_wire::kafka_protocol::messages::*;
use gregor_wire::kafka_protocol::protocol::{Decodable, StrBytes};
use gregor_wire::{decode, decode_request};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const CASES: usize = 200_000;
const ADDRESS_SPACE_BYTES: u64 = 512 * 1024 * 1024;

/// xorshift64*: the same cases in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 33) as usize % limit
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}

fn limit_address_space() {
    let maximum = getrlimit(Resource::As).maximum;
    let limit = Rlimit { current: Some(ADDRESS_SPACE_BYTES), maximum };
    setrlimit(Resource::As, limit).expect("one's own limit may be lowered");
}

/// A body that looks enough like a message to be read far, and lies somewhere.
fn hostile_body(random: &mut Random) -> Bytes {
    let mut body = BytesMut::new();
    let pieces = 1 + random.below(24);
    for _ in 0..pieces {
        match random.below(8) {
            0 => body.put_i32(random.pick(&[i32::MAX, i32::MAX / 2, 1 << 24, -1, i32::MIN, 70_000])),
            1 => body.put_slice(random.pick(&[
                &[0xff, 0xff, 0xff, 0xff, 0x07][..],
                &[0xff, 0xff, 0xff, 0xff, 0xff],
                &[0x80, 0x80, 0x80, 0x01],
                &[0xff, 0xff, 0x03],
            ])),
            2 => body.put_i16(random.pick(&[i16::MAX, -1, -2, 3])),
            3 => body.put_bytes(0, random.below(16)),
            4 => (0..random.below(64)).for_each(|_| body.put_u8(random.next() as u8)),
            5 => body.put_i32(random.below(4) as i32),
            6 => body.put_slice(&[0, 3, b'a', b'b', b'c']),
            _ => body.put_u8(random.below(4) as u8),
        }
    }
    body.freeze()
}

fn decode_answer<T: Decodable>(body: Bytes, random: &mut Random, version_max: usize) {
    let version = random.below(version_max + 1) as i16;
    let _ = decode::<T>(body, version);
}

fn hostile_answer(random: &mut Random) {
    let body = hostile_body(random);
    match random.below(9) {
        0 => decode_answer::<FetchResponse>(body, random, 17),
        1 => decode_answer::<MetadataResponse>(body, random, 12),
        2 => decode_answer::<LeaderAndIsrResponse>(body, random, 7),
        3 => decode_answer::<UpdateMetadataResponse>(body, random, 8),
        4 => decode_answer::<AlterPartitionResponse>(body, random, 3),
        5 => decode_answer::<ApiVersionsResponse>(body, random, 4),
        6 => decode_answer::<OffsetForLeaderEpochResponse>(body, random, 4),
        7 => decode_answer::<ListOffsetsResponse>(body, random, 9),
        _ => decode_answer::<StopReplicaResponse>(body, random, 4),
    }
}

/// Honest requests of some depth, each in a version it can be encoded in.
fn honest_request(random: &mut Random) -> (ApiKey, i16, BytesMut) {
    let name = TopicName(StrBytes::from_static_str("topic"));
    let records = Bytes::from_static(&[7; 40]);
    let produced = PartitionProduceData::default().with_records(Some(records));
    let topic = TopicProduceData::default().with_name(name.clone()).with_partition_data(vec![produced]);
    let produce = ProduceRequest::default().with_timeout_ms(30_000).with_topic_data(vec![topic]);
    let asked = MetadataRequestTopic::default().with_name(Some(name.clone()));
    let metadata = MetadataRequest::default().with_topics(Some(vec![asked; 5]));
    let state = LeaderAndIsrPartitionState::default().with_isr(vec![BrokerId(1); 3]);
    let states =
        LeaderAndIsrTopicState::default().with_topic_name(name.clone()).with_partition_states(vec![state; 3]);
    let leader_and_isr = LeaderAndIsrRequest::default().with_topic_states(vec![states; 2]);
    let created = CreatableTopic::default().with_name(name).with_num_partitions(1_000_000);
    let create = CreateTopicsRequest::default().with_timeout_ms(60_000).with_topics(vec![created; 3]);
    let (key, kind) = match random.below(4) {
        0 => (ApiKey::Produce, RequestKind::Produce(produce)),
        1 => (ApiKey::Metadata, RequestKind::Metadata(metadata)),
        2 => (ApiKey::LeaderAndIsr, RequestKind::LeaderAndIsr(leader_and_isr)),
        _ => (ApiKey::CreateTopics, RequestKind::CreateTopics(create)),
    };
    let versions = key.valid_versions();
    let version = random.below(usize::from(versions.max.unsigned_abs()) + 1) as i16;
    let mut body = BytesMut::new();
    // A version that cannot carry the message leaves part of it: as good a case as any.
    let _ = kind.encode(&mut body, version);
    (key, version, body)
}

/// Changes, cuts or lengthens a message in up to three places.
fn spoil(random: &mut Random, body: &mut BytesMut) {
    for _ in 0..random.below(4) {
        let at = random.below(body.len().max(1));
        match random.below(3) {
            0 => body.truncate(at),
            1 => body.put_u8(random.next() as u8),
            _ => {
                let lie = random.pick(&[&[0x7f, 0xff, 0xff, 0xff][..], &[0xff; 5], &[0], &[0x7f, 0xff]]);
                for (place, byte) in body.iter_mut().skip(at).zip(lie) {
                    *place = *byte;
                }
            }
        }
    }
}

#[test]
fn no_message_panics_or_takes_memory_it_did_not_bring() {
    limit_address_space();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut decoded = 0;
    for case in 0..CASES {
        match case % 4 {
            0 => hostile_answer(&mut random),
            1 => {
                let (key, version, mut body) = honest_request(&mut random);
                spoil(&mut random, &mut body);
                let outcome = api::decode_body(key, version, body.freeze()).expect("an API of ours");
                decoded += usize::from(outcome.is_ok());
            }
            2 => {
                let mut frame = BytesMut::new();
                frame.put_i16(random.below(80) as i16);
                frame.put_i16(random.below(18) as i16);
                frame.put_i32(case as i32);
                frame.put_slice(&[0, 1, b'c']);
                frame.put_slice(&hostile_body(&mut random));
                decoded += usize::from(decode_request(frame.freeze()).is_ok());
            }
            _ => {
                let Api { key, max_version, .. } = random.pick(api::ALL);
                let version = random.below(usize::from(max_version.unsigned_abs()) + 1) as i16;
                let body = hostile_body(&mut random);
                let outcome = api::decode_body(key, version, body).expect("an API of ours");
                decoded += usize::from(outcome.is_ok());
            }
        }
    }
    // Were none of it honest, the cases would not reach far.
    assert!(decoded > CASES / 20, "{decoded} decoded");
}
