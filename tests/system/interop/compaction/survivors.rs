//! Batches as they lie in a segment, with everything that a cleaner has to keep.

use anyhow::{Context as _, Result};
use gregor_records::{BatchRef, Limits, batches};

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    offset: i64,
    timestamp: Option<i64>,
    sequence: Option<i32>,
    key: Option<String>,
    value: Option<String>,
    headers: Vec<(String, Option<String>)>,
}

/// One batch. Its delete horizon is known to be there or not: when the cleaner ran is nothing to compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    magic: u8,
    base_offset: i64,
    last_offset: i64,
    leader_epoch: Option<i32>,
    codec: u8,
    timestamp_type: &'static str,
    max_timestamp: Option<i64>,
    transactional: bool,
    control: bool,
    has_delete_horizon: bool,
    producer: Option<(i64, i16, Option<i32>)>,
    pub records: Vec<Record>,
}

/// The batches of a segment.
pub fn batches_of(bytes: &[u8]) -> Result<Vec<Batch>> {
    batches(bytes).map(|batch| read(&batch?)).collect()
}

/// Those with records, and those without.
pub fn split(batches: &[Batch]) -> (Vec<&Batch>, Vec<&Batch>) {
    batches.iter().partition(|batch| !batch.records.is_empty())
}

fn read(batch: &BatchRef<'_>) -> Result<Batch> {
    batch.check_crc()?;
    let mut records = Vec::new();
    let mut stored = batch.records(Limits::for_batch(batch.header()))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    while let Some(record) = stored.next_record()? {
        records.push(Record {
            offset: record.offset.0,
            timestamp: record.timestamp.map(|timestamp| timestamp.0),
            sequence: record.sequence.map(|sequence| sequence.0),
            key: record.key.map(text),
            value: record.value.map(text),
            headers: record.headers.iter().map(|(key, value)| (text(key), value.map(text))).collect(),
        });
    }
    Ok(Batch {
        magic: batch.magic.as_byte(),
        base_offset: batch.base_offset().0,
        last_offset: batch.last_offset().0,
        leader_epoch: batch.partition_leader_epoch.map(|epoch| epoch.0),
        codec: batch.codec().context("an unknown codec")?.id(),
        timestamp_type: batch.timestamp_type().as_str(),
        max_timestamp: batch.max_timestamp.map(|timestamp| timestamp.0),
        transactional: batch.is_transactional(),
        control: batch.is_control(),
        has_delete_horizon: batch.delete_horizon().is_some(),
        producer: batch
            .producer_id
            .map(|id| (id.0, batch.producer_epoch.0, batch.base_sequence.map(|sequence| sequence.0))),
        records,
    })
}
