//! The formats of the files in a log directory, pure, for tools that look into directories which no broker has open.
//!
//! Nothing here is kept by a running log; [`ProducerFold`] is the one piece of state, and belongs to who makes it.

pub use crate::checkpoint::{BadCheckpoint, clean_shutdown, leader_epochs, offsets, partition_metadata};
pub use crate::cleaner::CLEANER_CHECKPOINT;
pub use crate::file_name::{DirName, FileKind, FileName, FileState};
pub use crate::offset_index::OffsetEntry;
pub use crate::producer_state::{
    BadSnapshot, BatchMetadata, ProducerEntry, decode_snapshot, encode_snapshot,
};
pub use crate::sparse_index::IndexEntry;
pub use crate::time_index::TimeEntry;
pub use crate::transaction_index::AbortedTxn;

use gregor_model::{Offset, Timestamp};
use gregor_records::{BatchRef, RecordsError};

use crate::producer_state::ProducerState;
use crate::recovery::replay;
use crate::stored_batch::producer_batch_of;

/// What the batches of a log say of its producers: the content of snapshots and of transaction indexes
/// (`ProducerStateManager`). Producers do not expire here.
#[derive(Debug, Default)]
pub struct ProducerFold(ProducerState);

impl ProducerFold {
    /// Starts at `offset` with the producers of a snapshot.
    pub fn new(offset: Offset, entries: Vec<ProducerEntry>) -> ProducerFold {
        let mut state = ProducerState::default();
        state.reload(offset, entries, Timestamp(0), i64::MAX);
        ProducerFold(state)
    }

    /// Adds the next batch. Returns the transactions that it aborts, as the transaction index holds them.
    ///
    /// # Errors
    /// A control record that cannot be read; it changes nothing.
    pub fn apply(&mut self, batch: &BatchRef<'_>) -> Result<Vec<AbortedTxn>, RecordsError> {
        let stored = producer_batch_of(batch)?;
        self.0.set_map_end(batch.next_offset());
        let Some(stored) = stored else { return Ok(Vec::new()) };
        let completed = replay(&mut self.0, &stored);
        let aborted = completed.into_iter().filter(|(completed, _)| completed.aborted);
        Ok(aborted
            .map(|(completed, last_stable_offset)| AbortedTxn {
                producer_id: completed.producer_id,
                first_offset: completed.first_offset,
                last_offset: completed.last_offset,
                last_stable_offset,
            })
            .collect())
    }

    /// The producers known, by id.
    pub fn producers(&self) -> Vec<&ProducerEntry> {
        let mut entries: Vec<_> = self.0.producers().values().collect();
        entries.sort_by_key(|entry| entry.producer_id);
        entries
    }

    /// The snapshot of the state.
    pub fn snapshot(&self) -> Vec<u8> {
        encode_snapshot(self.producers().into_iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gregor_model::{ProducerEpoch, ProducerId, Sequence};
    use gregor_records::{BatchBuilder, BatchOptions, EndTransactionMarker, Producer};

    fn data(base: i64, sequence: i32) -> Vec<u8> {
        let producer =
            Producer { id: ProducerId(7), epoch: ProducerEpoch(1), base_sequence: Some(Sequence(sequence)) };
        let options = BatchOptions {
            base_offset: Offset(base),
            producer: Some(producer),
            transactional: true,
            ..BatchOptions::default()
        };
        let mut builder = BatchBuilder::new(options).unwrap();
        builder.append(Offset(base), Some(Timestamp(5)), None, Some(b"v"), &[]).unwrap();
        builder.finish().unwrap()
    }

    #[test]
    fn batches_become_aborted_transactions_and_a_snapshot() {
        let mut fold = ProducerFold::default();
        let marker = EndTransactionMarker { commit: false, coordinator_epoch: 3 };
        let end = marker.batch(Offset(12), None, ProducerId(7), ProducerEpoch(1), Timestamp(6)).unwrap();
        for bytes in [data(10, 0), data(11, 1)] {
            assert_eq!(fold.apply(&BatchRef::first(&bytes).unwrap()), Ok(Vec::new()));
        }
        let open = decode_snapshot(&fold.snapshot()).unwrap();
        assert_eq!(open[0].transaction_start, Some(Offset(10)));

        let expected = AbortedTxn {
            producer_id: ProducerId(7),
            first_offset: Offset(10),
            last_offset: Offset(12),
            last_stable_offset: Offset(13),
        };
        let batch = BatchRef::first(&end).unwrap();
        assert_eq!(fold.apply(&batch), Ok(vec![expected]));
        // The same from the snapshot taken before the marker.
        assert_eq!(ProducerFold::new(Offset(12), open).apply(&batch), Ok(vec![expected]));
        let after = decode_snapshot(&fold.snapshot()).unwrap();
        assert_eq!(after.len(), 1);
        assert_eq!((after[0].last_sequence(), after[0].coordinator_epoch), (1, 3));
        assert_eq!(after[0].transaction_start, None);
    }
}
