//! Who lost records and is believed to have them. Nothing is promised of such a replica (see the module above) until its leader
//! knows better, and it has again what was committed meanwhile.

use gregor_model::{BrokerId, Offset, TopicPartition};

use super::Checker;
use super::acknowledged_records::{first_missing, log_of};
use crate::log::{Batch, Disk, SimLog};

/// A leader noted that a replica is at that offset.
pub(super) type Noted = (TopicPartition, BrokerId, Offset);

impl Checker {
    /// A disk lost what was not synced, or more; `before` was the log's end.
    pub fn on_disk_loss(&mut self, broker: BrokerId, partition: &TopicPartition, before: Offset) {
        if let Some(known) = self.partitions.get_mut(partition) {
            let lost = known.tainted.entry(broker).or_insert(before);
            *lost = before.max(*lost);
        }
    }

    /// A replica is deleted by an order that the controller gave before it elected this replica uncleanly: only then is it in the
    /// ISR (seed 90268).
    pub fn on_replica_deleted(&mut self, broker: BrokerId, partition: &TopicPartition, before: Offset) {
        let known = self.partitions.get(partition);
        if self.unclean_elections && known.is_some_and(|known| known.isr.contains(&broker)) {
            self.on_disk_loss(broker, partition, before);
        }
    }

    /// Whether a replica's log ends before where it ended when its disk lost records.
    pub(super) fn lacks_what_it_had(
        &self,
        partition: &TopicPartition,
        broker: BrokerId,
        log: Option<&SimLog>,
    ) -> bool {
        let before = self.partitions.get(partition).and_then(|known| known.tainted.get(&broker));
        before.is_some_and(|before| log.is_none_or(|log| log.end() < *before))
    }

    /// A leader took in a follower's fetch.
    pub fn on_follower_noted(&mut self, partition: &TopicPartition, follower: BrokerId, offset: Offset) {
        if self.partitions.get(partition).is_some_and(|known| known.tainted.contains_key(&follower)) {
            self.noted.push((partition.clone(), follower, offset));
        }
    }

    /// Replicas that have all again, and that are not believed to have more.
    pub fn settle_taints(&mut self, disks: &[(BrokerId, &Disk)]) {
        for (partition, follower, offset) in std::mem::take(&mut self.noted) {
            let Some(known) = self.partitions.get_mut(&partition) else { continue };
            let log = log_of(disks, follower, &partition);
            let has = |batch: &Batch| log.and_then(|log| log.batch_at(batch.base)) == Some(batch);
            if log.is_some_and(|log| log.end() >= offset)
                && first_missing(log, known.acknowledged.iter()).is_none()
                && known.committed.values().all(has)
            {
                known.tainted.remove(&follower);
            }
        }
    }

    /// Whether taints are to be looked at.
    pub fn has_noted(&self) -> bool {
        !self.noted.is_empty()
    }
}
