//! No record that was acknowledged with acks=all is lost while a member of the ISR survives with its disk and elections are clean.
//!
//! Checked in its strong form, by which the promise is kept: at any time each member of the ISR in ZooKeeper has every
//! acknowledged record, at its offset, unless it was deleted since. So whoever is elected has them all.

use gregor_model::{BrokerId, LeaderEpoch, Offset, TopicPartition};

use super::Checker;
use crate::log::{Disk, Payload, SimLog};
use crate::zookeeper::StateChange;

const NAME: &str = "acknowledged records survive";

/// Whether that very batch is in a log.
fn holds(log: Option<&SimLog>, offset: Offset, payload: Payload) -> bool {
    log.and_then(|log| log.batch_at(offset)).is_some_and(|b| b.base == offset && b.payload == payload)
}

/// Which acknowledged batch is not there.
pub(super) fn first_missing<'a>(
    log: Option<&SimLog>,
    acknowledged: impl Iterator<Item = (&'a Offset, &'a Payload)>,
) -> Option<Offset> {
    acknowledged.into_iter().find(|(offset, payload)| !holds(log, **offset, **payload)).map(|(at, _)| *at)
}

/// A broker's log, even if its directory cannot be read just now.
pub(super) fn log_of<'a>(
    disks: &'a [(BrokerId, &Disk)],
    broker: BrokerId,
    partition: &TopicPartition,
) -> Option<&'a SimLog> {
    disks.iter().find(|(id, _)| *id == broker).and_then(|(_, disk)| disk.peek(partition))
}

impl Checker {
    /// A producer got its acknowledgement.
    pub fn on_acknowledged(
        &mut self,
        partition: &TopicPartition,
        (base, epoch): (Offset, LeaderEpoch),
        payload: Payload,
        disks: &[(BrokerId, &Disk)],
    ) {
        let Some(known) = self.partitions.get_mut(partition) else { return };
        if epoch < known.absolved_before || known.forked || self.deleted.contains(&partition.topic) {
            return;
        }
        self.acknowledged += u64::try_from(payload.count).unwrap_or(0);
        if base < known.deleted_below {
            return;
        }
        if let Some(other) = known.acknowledged.insert(base, payload)
            && other != payload
        {
            self.violated(NAME, || format!("two batches of {partition} were acknowledged at {base:?}"));
            return;
        }
        let isr = known.isr.iter().filter(|member| !known.tainted.contains_key(member));
        let lacking = isr.copied().find(|member| !holds(log_of(disks, *member, partition), base, payload));
        if let Some(member) = lacking {
            self.violated(NAME, || {
                format!(
                    "{partition} at {base:?} (epoch {}) is acknowledged, but ISR member {} lacks it",
                    epoch.0, member.0
                )
            });
        }
    }

    /// A leader deleted what is below `below` for good.
    pub fn on_records_deleted(&mut self, partition: &TopicPartition, below: Offset) {
        let Some(known) = self.partitions.get_mut(partition) else { return };
        if below > known.deleted_below {
            known.deleted_below = below;
            known.acknowledged = known.acknowledged.split_off(&below);
            known.committed = known.committed.split_off(&below);
            let deleted = known.sequences.extract_if(.., |_, offset| *offset < below);
            for ((producer, base), _) in deleted {
                let last = known.deleted_sequences.entry(producer).or_insert(base);
                *last = base.max(*last);
            }
        }
    }

    /// Each member of the ISR has all that was acknowledged.
    pub(super) fn check_isr_has_acknowledged(
        &mut self,
        partition: &TopicPartition,
        disks: &[(BrokerId, &Disk)],
        when: &str,
    ) {
        let Some(known) = self.partitions.get(partition) else { return };
        if known.forked || self.deleted.contains(&partition.topic) {
            return;
        }
        let found =
            known.isr.iter().filter(|member| !known.tainted.contains_key(member)).find_map(|member| {
                let missing = first_missing(log_of(disks, *member, partition), known.acknowledged.iter());
                missing.map(|offset| (*member, offset))
            });
        if let Some((member, offset)) = found {
            self.violated(NAME, || {
                format!(
                    "{when}: ISR member {} of {partition} lacks what was acknowledged at {offset:?}",
                    member.0
                )
            });
        }
    }

    /// A leader was elected. If Kafka promises nothing any more, what it lacks is forgotten.
    pub(super) fn check_election(
        &mut self,
        change: &StateChange,
        leader: BrokerId,
        was_in_isr: bool,
        disks: &[(BrokerId, &Disk)],
    ) {
        let partition = &change.partition;
        if !was_in_isr && !self.unclean_elections {
            self.violated(NAME, || {
                format!("{} was elected for {partition} from outside the ISR: {change:?}", leader.0)
            });
            return;
        }
        let Some(known) = self.partitions.get(partition) else { return };
        if was_in_isr && !known.tainted.contains_key(&leader) {
            return;
        }
        if let Some(after) = &change.after {
            let epoch = after.leader_and_isr.leader_epoch;
            let log = log_of(disks, leader, partition);
            // A leader before it may yet acknowledge what it believes to be there.
            let always = !was_in_isr || self.lacks_what_it_had(partition, leader, log);
            self.absolve(partition, epoch, log, always);
        }
    }

    /// What the log of the leader of `epoch` lacks is forgotten; so is what happens in earlier terms, `always` or if it lacks anything.
    pub(super) fn absolve(
        &mut self,
        partition: &TopicPartition,
        epoch: LeaderEpoch,
        log: Option<&SimLog>,
        always: bool,
    ) {
        // A leader that hears of its term when others have followed it decides nothing any more (seed 68367).
        let known = self.partitions.get_mut(partition).filter(|known| epoch >= known.absolved_before);
        let Some(known) = known else { return };
        let has = |batch: &crate::log::Batch| log.and_then(|log| log.batch_at(batch.base)) == Some(batch);
        let differs = known.committed.values().find(|batch| !has(batch)).map(|batch| batch.base);
        let missing = first_missing(log, known.acknowledged.iter());
        let lost = [differs, missing].into_iter().flatten().min();
        let Some(lost) = lost.or(always.then_some(Offset(i64::MAX))) else { return };
        known.acknowledged.split_off(&lost);
        known.committed.split_off(&lost);
        known.sequences.retain(|_, offset| *offset < lost);
        known.absolved_before = epoch;
        self.absolutions += 1;
    }

    /// At the end: every replica has all that was acknowledged.
    pub fn check_acknowledged_at_rest(&mut self, disks: &[(BrokerId, &Disk)]) {
        let all: Vec<TopicPartition> = self.partitions.keys().cloned().collect();
        for partition in all {
            self.check_isr_has_acknowledged(&partition, disks, "at rest");
        }
    }
}
