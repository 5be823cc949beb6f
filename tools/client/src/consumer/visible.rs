//! Which batches of a fetch answer a consumer may see (`CompletedFetch`). Pure.

use std::collections::HashSet;

use bytes::Bytes;
use gregor_model::{Offset, ProducerId, TopicPartition};
use gregor_records::{BatchError, BatchRef, EndTransactionMarker, Limits, batches};
use kafka_protocol::messages::fetch_response::AbortedTransaction;

use super::chunk::Chunk;
use crate::error::Error;

/// A marker is a few dozen bytes.
const MARKER_LIMITS: Limits = Limits { record_bytes_max: 1 << 16, total_bytes_max: 1 << 16 };

/// What an answer gives for one partition.
#[derive(Debug, Default)]
pub(super) struct Visible {
    /// Batches with records to see.
    pub(super) chunks: Vec<Chunk>,
    /// Where fetching goes on; none if the answer held no whole batch.
    pub(super) next: Option<Offset>,
}

/// Sorts the batches of an answer. `aborted` is what it says of aborted transactions, if those are to be left out.
pub(super) fn visible(
    partition: &TopicPartition,
    from: Offset,
    records: &Bytes,
    aborted: Option<&[AbortedTransaction]>,
    check_crcs: bool,
) -> Result<Visible, Error> {
    let mut filter = aborted.map(AbortedFilter::new);
    let mut visible = Visible::default();
    let mut walk = batches(records);
    loop {
        let start = walk.position();
        let batch = match walk.next() {
            None | Some(Err(BatchError::Torn { .. })) => return Ok(visible),
            Some(Ok(batch)) => batch,
            Some(Err(error)) => return Err(invalid(partition, visible.next.unwrap_or(from), &error)),
        };
        if check_crcs {
            batch.check_crc().map_err(|error| invalid(partition, batch.base_offset(), &error))?;
        }
        let hidden = filter.as_mut().is_some_and(|filter| filter.hides(&batch));
        let next = batch.next_offset();
        visible.next = Some(visible.next.map_or(next, |known| known.max(next)));
        if !hidden && !batch.is_control() && next > from && batch.record_count != Some(0) {
            let bytes = records.slice(start..start + batch.size_in_bytes);
            visible.chunks.push(Chunk::new(partition.clone(), bytes, &batch, from));
        }
    }
}

fn invalid(partition: &TopicPartition, offset: Offset, reason: &BatchError) -> Error {
    Error::Records(format!(
        "Record batch for partition {partition} at offset {offset} is invalid, cause: {reason}"
    ))
}

/// The transactions that are aborted where the walk stands.
struct AbortedFilter {
    /// By first offset, the last one first.
    to_come: Vec<(Offset, ProducerId)>,
    producers: HashSet<ProducerId>,
}

impl AbortedFilter {
    fn new(aborted: &[AbortedTransaction]) -> AbortedFilter {
        let mut to_come: Vec<_> =
            aborted.iter().map(|txn| (Offset(txn.first_offset), ProducerId(txn.producer_id.0))).collect();
        to_come.sort_unstable_by(|a, b| b.cmp(a));
        AbortedFilter { to_come, producers: HashSet::new() }
    }

    fn hides(&mut self, batch: &BatchRef<'_>) -> bool {
        let Some(producer) = batch.producer_id else { return false };
        while let Some((_, begun)) = self.to_come.pop_if(|(first, _)| *first <= batch.last_offset()) {
            self.producers.insert(begun);
        }
        if batch.is_control() {
            if is_abort(batch) {
                self.producers.remove(&producer);
            }
            return true;
        }
        batch.is_transactional() && self.producers.contains(&producer)
    }
}

fn is_abort(batch: &BatchRef<'_>) -> bool {
    let Ok(mut records) = batch.records(MARKER_LIMITS) else { return false };
    let Ok(Some(record)) = records.next_record() else { return false };
    matches!(EndTransactionMarker::parse(&record), Ok(Some(marker)) if !marker.commit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gregor_model::{ProducerEpoch, Sequence, Timestamp};
    use gregor_records::{BatchBuilder, BatchOptions, Producer};

    fn data(base: i64, count: i64, producer: Option<i64>) -> Vec<u8> {
        let producer = producer.map(|id| Producer {
            id: ProducerId(id),
            epoch: ProducerEpoch(0),
            base_sequence: Some(Sequence(0)),
        });
        let options = BatchOptions {
            base_offset: Offset(base),
            transactional: producer.is_some(),
            producer,
            ..BatchOptions::default()
        };
        let mut builder = BatchBuilder::new(options).unwrap();
        for at in base..base + count {
            builder.append(Offset(at), Some(Timestamp(1)), None, Some(b"v"), &[]).unwrap();
        }
        builder.finish().unwrap()
    }

    fn marker(base: i64, producer: i64, commit: bool) -> Vec<u8> {
        EndTransactionMarker { commit, coordinator_epoch: 0 }
            .batch(Offset(base), None, ProducerId(producer), ProducerEpoch(0), Timestamp(1))
            .unwrap()
    }

    fn aborted(producer: i64, first: i64) -> AbortedTransaction {
        AbortedTransaction::default().with_producer_id(producer.into()).with_first_offset(first)
    }

    #[track_caller]
    fn check(
        parts: &[Vec<u8>],
        from: i64,
        aborted: Option<&[AbortedTransaction]>,
        expected: &[i64],
        next: i64,
    ) {
        let partition = TopicPartition::new("t", 0);
        let seen = visible(&partition, Offset(from), &Bytes::from(parts.concat()), aborted, true).unwrap();
        let mut offsets = Vec::new();
        for chunk in &seen.chunks {
            chunk
                .each(|record, _| {
                    offsets.push(record.offset.0);
                    Ok::<_, Error>(())
                })
                .unwrap();
        }
        assert_eq!((offsets.as_slice(), seen.next), (expected, Some(Offset(next))));
    }

    #[test]
    fn aborted_transactions_are_left_out_only_when_asked() {
        let log = [
            data(0, 2, None),
            data(2, 2, Some(7)),
            data(4, 1, Some(8)),
            marker(5, 7, false),
            data(6, 1, Some(7)),
            marker(7, 7, true),
            marker(8, 8, true),
        ];
        let all = [0, 1, 2, 3, 4, 6];
        check(&log, 0, None, &all, 9);
        check(&log, 0, Some(&[aborted(7, 2)]), &[0, 1, 4, 6], 9);
        check(&log, 0, Some(&[]), &all, 9);
        check(&log[1..], 3, Some(&[aborted(7, 2), aborted(8, 100)]), &[4, 6], 9);
        check(&log[..3], 3, None, &[3, 4], 5);
    }

    #[test]
    fn a_torn_end_is_no_error_and_damage_is() {
        let whole = data(0, 2, None);
        let torn = [whole.clone(), data(2, 5, None)[..20].to_vec()];
        check(&torn, 0, None, &[0, 1], 2);
        let mut damaged = whole;
        let last = damaged.len() - 1;
        damaged[last] ^= 1;
        let partition = TopicPartition::new("t", 0);
        let error = visible(&partition, Offset(0), &Bytes::from(damaged.clone()), None, true).unwrap_err();
        assert!(
            error.to_string().starts_with("Record batch for partition t-0 at offset 0 is invalid"),
            "{error}"
        );
        assert!(visible(&partition, Offset(0), &Bytes::from(damaged), None, false).is_ok());
    }
}
