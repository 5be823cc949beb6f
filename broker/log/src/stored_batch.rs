//! What the log needs to know of a batch that is in it, or about to be: its producer's side, with the marker if it
//! holds one.

use gregor_model::Timestamp;
use gregor_records::{BatchHeader, BatchRef, EndTransactionMarker, Limits, Magic, RecordsError};

use crate::producer_state::{Marker, ProducerBatch};
use crate::segment::AppendedBatch;

/// A control record is a few dozen bytes.
const CONTROL_LIMITS: Limits = Limits { record_bytes_max: 1 << 20, total_bytes_max: 1 << 20 };

/// The producer's side of a batch without a control record; `None` without a producer id.
pub(crate) fn producer_batch(header: &BatchHeader, marker: Option<Marker>) -> Option<ProducerBatch> {
    let producer_id = header.producer_id.filter(|_| header.magic == Magic::V2)?;
    Some(ProducerBatch {
        producer_id,
        epoch: header.producer_epoch,
        base_sequence: header.base_sequence.map_or(-1, |sequence| sequence.0),
        last_sequence: header.last_sequence().map_or(-1, |sequence| sequence.0),
        base_offset: header.base_offset(),
        last_offset: header.last_offset(),
        max_timestamp: header.max_timestamp.unwrap_or(Timestamp(-1)),
        transactional: header.is_transactional(),
        control: header.is_control(),
        marker,
    })
}

/// The same for a whole batch, whose control record is read if it has one.
pub(crate) fn producer_batch_of(batch: &BatchRef<'_>) -> Result<Option<ProducerBatch>, RecordsError> {
    if batch.producer_id.is_none() {
        return Ok(None);
    }
    let marker = if batch.is_control() { marker_of(batch)? } else { None };
    Ok(producer_batch(batch.header(), marker))
}

fn marker_of(batch: &BatchRef<'_>) -> Result<Option<Marker>, RecordsError> {
    let mut records = batch.records(CONTROL_LIMITS)?;
    let Some(record) = records.next_record()? else { return Ok(None) };
    let timestamp = record.timestamp.unwrap_or(Timestamp(-1));
    let marker = EndTransactionMarker::parse(&record)?;
    Ok(marker.map(|marker| Marker {
        commit: marker.commit,
        coordinator_epoch: marker.coordinator_epoch,
        timestamp,
    }))
}

/// What a segment needs to know of it.
pub(crate) fn appended_batch(header: &BatchHeader) -> AppendedBatch {
    AppendedBatch {
        last_offset: header.last_offset(),
        size: header.size_in_bytes as u64,
        max_timestamp: largest_record_timestamp(header),
    }
}

/// The largest timestamp of the batch's records. One that compaction has emptied still says what it was, but a time index
/// must not lead there, nor retention go by it.
pub(crate) fn largest_record_timestamp(header: &BatchHeader) -> Option<Timestamp> {
    header.max_timestamp.filter(|_| header.record_count != Some(0))
}
