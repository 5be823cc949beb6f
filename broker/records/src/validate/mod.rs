//! What a leader does with records before it appends them (`LogValidator`, `UnifiedLog.analyzeAndValidateRecords`).
//!
//! [`validate`] does everything that costs, before the log's lock; under the lock [`Validated::assign`] writes offset and
//! leader epoch, which no checksum covers. A batch of magic 2 whose codec need not change is neither copied nor, if it is
//! not compressed, touched beyond its header.

mod config;
mod error;
mod in_place;
mod rebuild;
mod records;
mod validated;

pub use config::{AppendOrigin, ValidationConfig};
pub use error::{RECORD_ERRORS_MAX, RecordError, ValidationError};
pub use validated::Validated;

use bytes::Bytes;
use gregor_model::{Offset, Timestamp, TopicPartition};

use crate::batch::{BatchError, BatchRef, Magic, batches};
use crate::compression::Codec;

/// Checks the records of one partition as a leader must, and makes of them the one batch to append; `None` when they
/// hold no complete batch. An incomplete batch at the end is cut off. `partition` is for messages only.
///
/// # Errors
/// Records that the topic, the format or the origin forbid.
pub fn validate(
    records: &Bytes,
    partition: &TopicPartition,
    config: &ValidationConfig,
    origin: AppendOrigin,
    now: Timestamp,
) -> Result<Option<Validated>, ValidationError> {
    let context = records::Context { partition, config, now };
    let Some(input) = Input::check(records, &context, origin)? else {
        return Ok(None);
    };
    let target = config.target(input.source_codec);
    let same_codec = target.codec() == input.source_codec;
    let plain_control = input.first.is_control() && input.source_codec == Codec::None;
    let kept = input.first.magic == Magic::V2 && (same_codec || plain_control);
    if kept && let Some(validated) = in_place::validate(records, &input, &context)? {
        return Ok(Some(validated));
    }
    rebuild::rebuild(&input, target, &context).map(Some)
}

/// What the shallow checks have found.
struct Input<'a> {
    /// The whole batches.
    bytes: &'a [u8],
    first: BatchRef<'a>,
    /// The codec of the last compressed batch.
    source_codec: Codec,
}

impl<'a> Input<'a> {
    /// Checks every batch as far as its header and checksum tell.
    fn check(
        records: &'a [u8],
        context: &records::Context<'_>,
        origin: AppendOrigin,
    ) -> Result<Option<Input<'a>>, ValidationError> {
        let mut first: Option<BatchRef<'a>> = None;
        let mut source_codec = Codec::None;
        let mut count = 0usize;
        let mut length = 0;
        for batch in batches(records) {
            let batch = match batch {
                Ok(batch) => batch,
                Err(BatchError::Torn { .. }) => break,
                Err(error) => return Err(error.into()),
            };
            check_stored(&batch, context.config, origin)?;
            match batch.codec() {
                None => return Err(ValidationError::UnknownCodec(batch.attributes.low_byte() & 0x07)),
                Some(Codec::None) => {}
                Some(codec) => source_codec = codec,
            }
            length += batch.size_in_bytes;
            count += 1;
            first.get_or_insert(batch);
        }
        let Some(first) = first else {
            return Ok(None);
        };
        if count > 1 && (first.magic == Magic::V2 || source_codec != Codec::None) {
            return Err(ValidationError::InvalidRecord(
                "Compressed outer record has more than one batch".to_owned(),
            ));
        }
        let input = Input { bytes: records.get(..length).unwrap_or_default(), first, source_codec };
        for batch in input.batches() {
            check_header(&first, &batch, origin, context.partition)?;
        }
        Ok(Some(input))
    }

    fn batches(&self) -> impl Iterator<Item = BatchRef<'a>> + use<'a> {
        // All of them were viewed before, so none can fail.
        batches(self.bytes).map_while(Result::ok)
    }
}

/// The checks of `UnifiedLog.analyzeAndValidateRecords`.
fn check_stored(
    batch: &BatchRef<'_>,
    config: &ValidationConfig,
    origin: AppendOrigin,
) -> Result<(), ValidationError> {
    if origin == AppendOrigin::Client && batch.magic == Magic::V2 && batch.base_offset() != Offset::ZERO {
        return Err(ValidationError::InvalidRecord(format!(
            "The baseOffset of the record batch should be 0, but it is {}",
            batch.base_offset()
        )));
    }
    if batch.size_in_bytes > config.max_message_bytes {
        return Err(ValidationError::TooLarge {
            size: batch.size_in_bytes,
            max_message_bytes: config.max_message_bytes,
        });
    }
    batch.check_crc().map_err(ValidationError::from)
}

/// The checks of `LogValidator.validateBatch`.
fn check_header(
    first: &BatchRef<'_>,
    batch: &BatchRef<'_>,
    origin: AppendOrigin,
    partition: &TopicPartition,
) -> Result<(), ValidationError> {
    let invalid = |reason: String| {
        Err(ValidationError::InvalidRecord(format!("{reason} in topic partition {partition}")))
    };
    if batch.magic != first.magic {
        return invalid(format!(
            "Batch magic {} is not the same as the first batch's magic byte {}",
            batch.magic.as_byte(),
            first.magic.as_byte()
        ));
    }
    if origin != AppendOrigin::Client {
        return Ok(());
    }
    if batch.magic == Magic::V2 {
        let (base, last) = (batch.base_offset(), batch.last_offset());
        let from_offsets = i64::from(batch.last_offset_delta) + 1;
        let count = i64::from(batch.record_count.unwrap_or_default());
        if from_offsets <= 0 {
            return invalid(format!("Batch has an invalid offset range: [{base}, {last}]"));
        }
        if count <= 0 {
            return invalid(format!("Invalid reported count for record batch: {count}"));
        }
        if from_offsets != count {
            return invalid(format!(
                "Inconsistent batch offset range [{base}, {last}] and count of records {count}"
            ));
        }
    }
    if batch.is_control() {
        return invalid("Clients are not allowed to write control records".to_owned());
    }
    if let (Some(producer), None) = (batch.producer_id, batch.base_sequence) {
        return invalid(format!("Invalid sequence number -1 in record batch with producerId {producer}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
