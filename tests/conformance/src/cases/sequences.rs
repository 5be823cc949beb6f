//! Idempotent producers: duplicates that the leader still remembers, older ones, gaps, new epochs. The producers differ by
//! version, so that each version is asked from the start.

use crate::case::{Case, case, topic};
use bytes::Bytes;
use gregor_model::{Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};
use gregor_records::{BatchBuilder, BatchOptions, Producer};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ApiKey, ProduceRequest};

/// The topic, which nothing else writes to.
pub const TOPIC: &str = "sequences";

/// The records of one batch.
#[derive(Clone, Copy)]
struct Sent {
    producer: i64,
    epoch: i16,
    sequence: i32,
    count: i64,
    value: &'static [u8],
}

/// Two records of the first producer in its first epoch.
const fn two(sequence: i32) -> Sent {
    Sent { producer: 0, epoch: 0, sequence, count: 2, value: b"value" }
}

pub fn cases() -> Vec<Case> {
    let of = |name: &'static str, sent: Sent| {
        case(ApiKey::Produce, name, move |version, _| {
            // Older formats know no producers.
            (version >= 3).then(|| request(Sent { producer: id(version, sent.producer), ..sent }).into())
        })
    };
    let next_epoch = |sequence| Sent { epoch: 1, ..two(sequence) };
    vec![
        of("sequences from 0", two(0)),
        of("sequences from 2", two(2)),
        of("sequences from 4", two(4)),
        of("sequences from 6", two(6)),
        of("sequences from 8", two(8)),
        of("sequences from 10", two(10)),
        of("the last batch again", two(10)),
        of("the oldest batch remembered again", two(2)),
        of("a batch no longer remembered", two(0)),
        of("other records with sequences of before", Sent { value: b"other", ..two(8) }),
        of("the begin of a batch of before", Sent { count: 1, ..two(10) }),
        of("the end of a batch of before", Sent { count: 1, ..two(11) }),
        of("a batch of before and more", Sent { count: 4, ..two(10) }),
        of("a gap", two(14)),
        of("in sequence after all that", two(12)),
        of("a new epoch from the middle", next_epoch(14)),
        of("a new epoch", next_epoch(0)),
        of("a new epoch again", next_epoch(0)),
        of("a gap in the new epoch", next_epoch(4)),
        of("a batch of the old epoch again", two(12)),
        of("in sequence in the old epoch", two(14)),
        of("the next batch of the new epoch", next_epoch(2)),
        of("an unknown producer from the middle", Sent { producer: 1, ..two(7) }),
        of("the same producer, before that", Sent { producer: 1, ..two(5) }),
        of("the last sequences there are", Sent { producer: 2, ..two(i32::MAX - 1) }),
        of("the first ones after them", Sent { producer: 2, ..two(0) }),
        of("the last ones again", Sent { producer: 2, ..two(i32::MAX - 1) }),
        of("sequences across the end", Sent { producer: 3, ..two(i32::MAX) }),
        of("after them", Sent { producer: 3, ..two(1) }),
        of("no sequence", Sent { producer: 4, ..two(-1) }),
    ]
}

fn id(version: i16, producer: i64) -> i64 {
    200_000 + 10 * i64::from(version) + producer
}

fn request(sent: Sent) -> ProduceRequest {
    let data = PartitionProduceData::default().with_records(Some(batch(sent)));
    let topic = TopicProduceData::default().with_name(topic(TOPIC)).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(5_000).with_topic_data(vec![topic])
}

fn batch(sent: Sent) -> Bytes {
    let producer = Producer {
        id: ProducerId(sent.producer),
        epoch: ProducerEpoch(sent.epoch),
        base_sequence: (sent.sequence >= 0).then_some(Sequence(sent.sequence)),
    };
    let build = || {
        let mut builder =
            BatchBuilder::new(BatchOptions { producer: Some(producer), ..BatchOptions::default() })?;
        for index in 0..sent.count {
            builder.append(Offset(index), Some(Timestamp(1_600_000_000_000)), None, Some(sent.value), &[])?;
        }
        builder.finish()
    };
    build().map(Bytes::from).unwrap_or_default()
}
