//! The sequences of a log's idempotent producers, for whoever keeps a log without files, as the simulation does. Pure; the rules
//! are [`ProducerState`]'s.

use gregor_model::{Offset, ProducerEpoch, ProducerId, Timestamp};

use super::{ProducerBatch, ProducerState, Updates};
use crate::{AppendError, AppendOrigin};

/// What the rules look at in a batch of an idempotent producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequencedBatch {
    /// The producer.
    pub producer_id: ProducerId,
    /// Its epoch.
    pub producer_epoch: ProducerEpoch,
    /// The sequence of the first record.
    pub base_sequence: i32,
    /// The offset of the first record.
    pub base_offset: Offset,
    /// How many records; at least one.
    pub count: i32,
}

impl SequencedBatch {
    fn to_producer_batch(self) -> ProducerBatch {
        let delta = self.count.max(1) - 1;
        ProducerBatch {
            producer_id: self.producer_id,
            epoch: self.producer_epoch,
            base_sequence: self.base_sequence,
            last_sequence: self.base_sequence.wrapping_add(delta) & i32::MAX,
            base_offset: self.base_offset,
            last_offset: self.base_offset + i64::from(delta),
            max_timestamp: Timestamp(0),
            transactional: false,
            control: false,
            marker: None,
        }
    }
}

/// The last sequences of a log's producers.
#[derive(Debug, Default)]
pub struct ProducerSequences {
    state: ProducerState,
}

impl ProducerSequences {
    /// Forgets all: what is still in the log is to be appended again.
    pub fn clear(&mut self, log_start: Offset) {
        self.state.clear(log_start);
    }

    /// The first offset of the same batch, if it is among the last five of its producer.
    pub fn find_duplicate(&self, batch: SequencedBatch) -> Option<Offset> {
        self.state.find_duplicate(&batch.to_producer_batch()).map(super::BatchMetadata::first_offset)
    }

    /// Checks a batch, and notes it. A refused one changes nothing.
    pub fn append(&mut self, batch: SequencedBatch, origin: AppendOrigin) -> Result<(), AppendError> {
        let mut updates = Updates::default();
        self.state.check(&mut updates, &batch.to_producer_batch(), origin)?;
        self.state.apply(updates);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_follow_each_other_and_are_recognised() {
        let batch = |base_sequence, base_offset, count| SequencedBatch {
            producer_id: ProducerId(3),
            producer_epoch: ProducerEpoch(0),
            base_sequence,
            base_offset: Offset(base_offset),
            count,
        };
        let mut sequences = ProducerSequences::default();
        sequences.append(batch(0, 10, 3), AppendOrigin::Client).unwrap();
        assert!(sequences.append(batch(4, 13, 1), AppendOrigin::Client).is_err(), "3 is missing");
        sequences.append(batch(3, 13, 2), AppendOrigin::Client).unwrap();
        assert_eq!(sequences.find_duplicate(batch(0, 99, 3)), Some(Offset(10)));
        assert_eq!(sequences.find_duplicate(batch(0, 99, 2)), None, "another batch");
        sequences.clear(Offset(13));
        assert_eq!(sequences.find_duplicate(batch(3, 99, 2)), None);
        sequences.append(batch(9, 13, 1), AppendOrigin::Client).unwrap();
    }
}
