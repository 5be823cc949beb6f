//! What administrators ask: DeleteGroups and OffsetDelete; and what becomes of deleted topics' offsets.

use gregor_model::TopicPartition;

use super::GroupError;
use super::request::CommitResults;
use super::state::{Group, Kind};
use super::turn::Turn;

impl Group {
    /// Empties the group and leaves tombstones for all it had.
    ///
    /// # Errors
    /// It has members.
    pub(super) fn delete(&mut self, turn: &mut Turn<'_>) -> Result<(), GroupError> {
        if !self.is_empty() {
            return Err(GroupError::NonEmptyGroup);
        }
        let offsets = self.offsets.drain();
        self.write_tombstones(turn, offsets, true);
        self.die(turn, GroupError::NotCoordinator);
        Ok(())
    }

    /// Forgets the offsets of partitions that no member subscribes to.
    ///
    /// # Errors
    /// The group as a whole does not allow it.
    pub(super) fn delete_offsets(
        &mut self,
        turn: &mut Turn<'_>,
        partitions: Vec<TopicPartition>,
    ) -> Result<CommitResults, GroupError> {
        match &self.kind {
            Kind::Classic(classic)
                if !self.is_empty() && classic.protocol_type.as_deref() != Some("consumer") =>
            {
                return Err(GroupError::NonEmptyGroup);
            }
            Kind::Classic(_) | Kind::Consumer(_) => {}
        }
        let mut deleted = Vec::new();
        let mut results = Vec::new();
        for partition in partitions {
            if self.is_subscribed(&partition.topic) {
                results.push((partition, Err(GroupError::GroupSubscribedToTopic)));
                continue;
            }
            if self.offsets.delete(&partition) {
                deleted.push(partition.clone());
            }
            results.push((partition, Ok(())));
        }
        self.end_if_spent(turn, deleted);
        Ok(results)
    }

    /// The topics of these partitions are deleted: their offsets go too.
    pub(super) fn forget_partitions(&mut self, turn: &mut Turn<'_>, partitions: &[TopicPartition]) {
        let deleted = partitions.iter().filter(|partition| self.offsets.delete(partition)).cloned().collect();
        self.end_if_spent(turn, deleted);
    }
}
