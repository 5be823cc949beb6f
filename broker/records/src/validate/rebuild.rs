//! Building the batch to store from records that cannot be kept as they are: an old format, another codec, offsets that
//! are not dense. Records are streamed from one to the other; the result never grows past `max.message.bytes` by more
//! than a record and what the codec holds back.

use gregor_model::Offset;

use super::records::{Context, Fault, Faults};
use super::{Input, Validated, ValidationError};
use crate::batch::{BatchError, BatchRef, Magic};
use crate::builder::{BatchBuilder, BatchOptions, Producer};
use crate::compression::Compression;
use crate::legacy::LegacyRecords;
use crate::record::{Headers, Limits, RecordRef, Records};

/// Validates every record and builds one batch of magic 2 of them, with offsets from 0 on.
pub(super) fn rebuild(
    input: &Input<'_>,
    target: Compression,
    context: &Context<'_>,
) -> Result<Validated, ValidationError> {
    let first = &input.first;
    let producer = first.producer_id.map(|id| Producer {
        id,
        epoch: first.producer_epoch,
        base_sequence: first.base_sequence,
    });
    let append_time = context.append_time();
    let mut builder = BatchBuilder::new(BatchOptions {
        base_offset: Offset::ZERO,
        partition_leader_epoch: None,
        compression: target,
        timestamp_type: context.config.timestamp_type,
        append_time,
        producer,
        transactional: first.is_transactional(),
        control: first.is_control(),
        delete_horizon: None,
    })?;
    for batch in input.batches() {
        match batch.magic {
            Magic::V2 => copy_current(&batch, &mut builder, context)?,
            Magic::V0 | Magic::V1 => copy_legacy(&batch, &mut builder, context)?,
        }
    }
    let count = builder.record_count();
    let max_timestamp = builder.max_timestamp();
    let batch = builder.finish()?;
    if batch.is_empty() {
        return Err(ValidationError::InvalidRecord("Record batch has no records at all".to_owned()));
    }
    check_size(batch.len(), context)?;
    let mut validated = Validated::new(&batch.into(), append_time, i64::from(count), count)?;
    validated.max_timestamp = max_timestamp;
    Ok(validated)
}

fn copy_current(
    batch: &BatchRef<'_>,
    builder: &mut BatchBuilder,
    context: &Context<'_>,
) -> Result<(), ValidationError> {
    let mut records = Records::of_parts(batch.header(), batch.payload(), Limits::for_batch(batch.header()))?;
    let mut faults = Faults::default();
    let mut index = 0i32;
    while let Some(record) = records.next_record()? {
        match context.check(batch.header(), record.offset, record.key.is_some(), record.timestamp) {
            Ok(()) => append(builder, &record, &faults, context)?,
            Err(fault) => faults.add(index, &fault, context),
        }
        index = index.saturating_add(1);
    }
    faults.into_result()
}

fn copy_legacy(
    batch: &BatchRef<'_>,
    builder: &mut BatchBuilder,
    context: &Context<'_>,
) -> Result<(), ValidationError> {
    let mut records = LegacyRecords::new(batch, Limits::for_batch(batch.header()))?;
    let mut faults = Faults::default();
    let mut index = 0i32;
    while let Some(record) = records.next_message()? {
        let message = &record.message;
        let has_key = message.key.is_some();
        let checked = if message.magic != batch.magic {
            Err(Fault::WrongMagic { outer: batch.magic.as_byte(), inner: message.magic.as_byte() })
        } else {
            if batch.is_compressed() {
                check_inner_crc(message.checksums())?;
            }
            context.check(batch.header(), record.offset, has_key, record.timestamp)
        };
        let record = RecordRef {
            offset: record.offset,
            timestamp: record.timestamp,
            sequence: None,
            key: message.key,
            value: message.value,
            headers: Headers::NONE,
        };
        match checked {
            Ok(()) => append(builder, &record, &faults, context)?,
            Err(fault) => faults.add(index, &fault, context),
        }
        index = index.saturating_add(1);
    }
    faults.into_result()
}

/// Appends at the next offset, unless the batch is refused anyway.
fn append(
    builder: &mut BatchBuilder,
    record: &RecordRef<'_>,
    faults: &Faults,
    context: &Context<'_>,
) -> Result<(), ValidationError> {
    if !faults.is_empty() {
        return Ok(());
    }
    builder.append_record_at(Offset(i64::from(builder.record_count())), record)?;
    check_size(builder.written_bytes(), context)
}

fn check_inner_crc((stored, computed): (u32, u32)) -> Result<(), ValidationError> {
    if stored == computed {
        return Ok(());
    }
    let text = format!("Record is corrupt (stored crc = {stored}, computed crc = {computed})");
    Err(BatchError::Corrupt(text).into())
}

fn check_size(size: usize, context: &Context<'_>) -> Result<(), ValidationError> {
    let max_message_bytes = context.config.max_message_bytes;
    if size > max_message_bytes {
        return Err(ValidationError::TooLarge { size, max_message_bytes });
    }
    Ok(())
}
