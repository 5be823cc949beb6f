//! No record that was acknowledged with acks=all is lost while a member of the ISR survives with its disk and elections are clean.
//!
//! Checked in its strong form, by which the promise is kept: at any time each member of the ISR in ZooKeeper has every
//! acknowledged record, at its offset. So whoever is elected has them all.

use gregor_model::{BrokerId, LeaderEpoch, Offset, TopicPartition};

use super::Checker;
use crate::broker::Disk;
use crate::log::{Batch, SimLog};
use crate::zookeeper::StateChange;

const NAME: &str = "acknowledged records survive";

/// Which acknowledged batch is not there.
fn first_missing<'a>(
    log: Option<&SimLog>,
    acknowledged: impl Iterator<Item = (&'a Offset, &'a (i64, u64))>,
) -> Option<Offset> {
    let has = |offset: Offset, payload: u64| {
        log.and_then(|log| log.batch_at(offset)).is_some_and(|b| b.base == offset && b.payload == payload)
    };
    acknowledged
        .into_iter()
        .find(|(offset, (_, payload))| !has(**offset, *payload))
        .map(|(offset, _)| *offset)
}

impl Checker {
    /// A producer got its acknowledgement.
    pub fn on_acknowledged(
        &mut self,
        partition: &TopicPartition,
        (base, epoch): (Offset, LeaderEpoch),
        (count, payload): (i64, u64),
        disks: &[(BrokerId, &Disk)],
    ) {
        let Some(known) = self.partitions.get_mut(partition) else { return };
        if epoch < known.absolved_before || known.forked || self.deleted.contains(&partition.topic) {
            return;
        }
        self.acknowledged += u64::try_from(count).unwrap_or(0);
        if let Some((_, other)) = known.acknowledged.insert(base, (count, payload))
            && other != payload
        {
            self.violated(NAME, || format!("two batches of {partition} were acknowledged at {base:?}"));
            return;
        }
        let isr = known.isr.iter().filter(|member| !known.tainted.contains_key(member));
        let lacking = isr.copied().find(|member| {
            let log = disks.iter().find(|(id, _)| id == member).and_then(|(_, disk)| disk.get(partition));
            log.and_then(|log| log.batch_at(base)).is_none_or(|batch| batch.payload != payload)
        });
        if let Some(member) = lacking {
            self.violated(NAME, || {
                format!(
                    "{partition} at {base:?} (epoch {}) is acknowledged, but ISR member {} lacks it",
                    epoch.0, member.0
                )
            });
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
        let mut found = None;
        for member in known.isr.iter().filter(|member| !known.tainted.contains_key(member)) {
            let log = disks.iter().find(|(id, _)| id == member).and_then(|(_, disk)| disk.get(partition));
            if let Some(offset) = first_missing(log, known.acknowledged.iter()) {
                found = Some((*member, offset));
                break;
            }
        }
        if let Some((member, offset)) = found {
            self.violated(NAME, || {
                format!(
                    "{when}: ISR member {} of {partition} lacks what was acknowledged at {offset:?}",
                    member.0
                )
            });
        }
    }

    /// One that joins the ISR and has everything again is like any other. (One that never left it may be taken, by its leader,
    /// to have what its disk lost.)
    pub(super) fn clear_taints(
        &mut self,
        partition: &TopicPartition,
        joined: &[BrokerId],
        disks: &[(BrokerId, &Disk)],
    ) {
        let Some(known) = self.partitions.get_mut(partition) else { return };
        let (acknowledged, committed) = (&known.acknowledged, &known.committed);
        known.tainted.retain(|broker, _| {
            let log = disks.iter().find(|(id, _)| id == broker).and_then(|(_, disk)| disk.get(partition));
            // An acknowledgement may still be on its way: what is committed counts.
            let has = |batch: &Batch| log.and_then(|log| log.batch_at(batch.base)) == Some(batch);
            !joined.contains(broker)
                || first_missing(log, acknowledged.iter()).is_some()
                || !committed.values().all(has)
        });
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
        let Some(known) = self.partitions.get_mut(partition) else { return };
        if was_in_isr && !known.tainted.contains_key(&leader) {
            return;
        }
        let log = disks.iter().find(|(id, _)| *id == leader).and_then(|(_, disk)| disk.get(partition));
        let differs = known
            .committed
            .values()
            .find(|batch| !log.and_then(|log| log.batch_at(batch.base)).is_some_and(|found| found == *batch));
        let missing = first_missing(log, known.acknowledged.iter());
        let lost = [differs.map(|batch| batch.base), missing].into_iter().flatten().min();
        let Some(lost) = lost.or((!was_in_isr).then_some(Offset(i64::MAX))) else { return };
        self.absolutions += 1;
        known.acknowledged.split_off(&lost);
        known.committed.split_off(&lost);
        if let Some(after) = &change.after {
            known.absolved_before = after.leader_and_isr.leader_epoch;
        }
    }

    /// At the end: every replica has all that was acknowledged.
    pub fn check_acknowledged_at_rest(&mut self, disks: &[(BrokerId, &Disk)]) {
        let all: Vec<TopicPartition> = self.partitions.keys().cloned().collect();
        for partition in all {
            self.check_isr_has_acknowledged(&partition, disks, "at rest");
        }
    }
}
