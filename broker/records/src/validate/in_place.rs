//! Validation of a batch whose records are stored as they were sent: they are walked, nothing is copied.

use bytes::Bytes;

use super::records::{Context, Faults};
use super::{Input, Validated, ValidationError};
use crate::batch::{NO_TIMESTAMP, timestamp_from_wire, timestamp_to_wire};
use crate::compression::Codec;
use crate::record::{Limits, Records};

/// Validates the one batch of magic 2; `None` when its offsets are not 0, 1, 2, … within a compressed batch, which then
/// has to be rebuilt. (Of an uncompressed batch Kafka does not look at them.)
pub(super) fn validate(
    records: &Bytes,
    input: &Input<'_>,
    context: &Context<'_>,
) -> Result<Option<Validated>, ValidationError> {
    let batch = &input.first;
    let mut reader = Records::of_parts(batch.header(), batch.payload(), Limits::for_batch(batch.header()))?;
    let mut faults = Faults::default();
    let mut max_timestamp = NO_TIMESTAMP;
    let mut dense = true;
    let mut index = 0i32;
    while let Some(record) = reader.next_glance()? {
        match context.check(batch.header(), record.offset, record.has_key, record.timestamp) {
            Ok(()) => {
                max_timestamp = max_timestamp.max(timestamp_to_wire(record.timestamp));
                dense &= record.offset - batch.base_offset() == i64::from(index);
            }
            Err(fault) => faults.add(index, &fault, context),
        }
        index = index.saturating_add(1);
    }
    faults.into_result()?;
    if !dense && input.source_codec != Codec::None {
        return Ok(None);
    }
    let append_time = context.append_time();
    let mut validated = Validated::new(records, append_time, i64::from(index), 0)?;
    let max_timestamp = append_time.or_else(|| timestamp_from_wire(max_timestamp));
    validated.set_max_timestamp(context.config.timestamp_type, max_timestamp);
    Ok(Some(validated))
}
