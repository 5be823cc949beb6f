//! A partition as its leader sees it: assignment, ISR, followers, high watermark (`Partition` while it is leader).
//!
//! Pure: log positions, the time and who is alive are arguments; what to do comes back as values. Owner: the replica of
//! the partition, under its lock. Invariant: the high watermark handed out never passes the log end of a member of the maximal
//! ISR, nor of a replica that is about to join it.

use gregor_model::{BrokerId, LeaderEpoch, Offset, PartitionEpoch, ReplicaAssignment, Timestamp};

use super::isr::{Isr, IsrAnswer, IsrProposal, IsrReaction};
use super::progress::{FollowerPosition, ReplicaProgress};

/// What the leader must know of the other brokers.
pub trait Followers {
    /// The time of that follower: the wall clock less what this broker itself kept the follower waiting, so that a leader
    /// that stalls blames nobody (see `FollowerClocks`).
    fn now(&self, follower: BrokerId) -> Timestamp;

    /// Whether the broker is registered (`MetadataCache.hasAliveBroker`): in ZooKeeper mode what makes it eligible for the ISR.
    fn is_alive(&self, follower: BrokerId) -> bool;
}

/// What LeaderAndIsr says to a leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leadership {
    /// The term.
    pub leader_epoch: LeaderEpoch,
    /// The version of the partition state.
    pub partition_epoch: PartitionEpoch,
    /// The ISR.
    pub isr: Vec<BrokerId>,
    /// Who has the partition.
    pub assignment: ReplicaAssignment,
}

/// The fetch came from a broker that is not assigned the partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("broker {0} is not a replica")]
pub struct NotAReplica(pub BrokerId);

/// The state that exists while this broker leads the partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderState {
    local: BrokerId,
    leader_epoch: LeaderEpoch,
    epoch_start: Offset,
    partition_epoch: PartitionEpoch,
    assignment: ReplicaAssignment,
    isr: Isr,
    followers: Vec<(BrokerId, ReplicaProgress)>,
}

impl LeaderState {
    /// Begins a term (`Partition.makeLeader`). `log_end` is where the term's first record will go.
    pub fn elect(
        local: BrokerId,
        leadership: Leadership,
        log_end: Offset,
        others: &impl Followers,
    ) -> LeaderState {
        let followers = leadership
            .assignment
            .replicas
            .iter()
            .filter(|replica| **replica != local)
            .map(|&id| (id, ReplicaProgress::at_election(leadership.isr.contains(&id), others.now(id))))
            .collect();
        LeaderState {
            local,
            leader_epoch: leadership.leader_epoch,
            epoch_start: log_end,
            partition_epoch: leadership.partition_epoch,
            assignment: leadership.assignment,
            isr: Isr::committed(leadership.isr),
            followers,
        }
    }

    /// Takes in a LeaderAndIsr while leading already. With a newer leader epoch a term begins at `log_end`. Whatever ISR change
    /// was pending is replaced.
    ///
    /// What is known of the followers' positions stays only if the new term follows directly on the one that ends. Unlike Kafka's, a
    /// leader that missed a term forgets them: followers may have truncated to another leader meanwhile.
    pub fn renew(&mut self, leadership: Leadership, log_end: Offset, others: &impl Followers) {
        let mut known = std::mem::take(&mut self.followers);
        let new_term = leadership.leader_epoch > self.leader_epoch;
        let missed_one = leadership.leader_epoch > self.leader_epoch.next();
        for &id in leadership.assignment.replicas.iter().filter(|replica| **replica != self.local) {
            let in_sync = leadership.isr.contains(&id);
            let progress = match known.iter().position(|(replica, _)| *replica == id) {
                Some(at) if !missed_one => {
                    let mut progress = known.swap_remove(at).1;
                    if new_term {
                        progress.renew(in_sync, log_end, others.now(id));
                    }
                    progress
                }
                _ => ReplicaProgress::at_election(in_sync, others.now(id)),
            };
            self.followers.push((id, progress));
        }
        if new_term {
            self.leader_epoch = leadership.leader_epoch;
            self.epoch_start = log_end;
        }
        self.partition_epoch = leadership.partition_epoch;
        self.assignment = leadership.assignment;
        self.isr = Isr::committed(leadership.isr);
    }

    /// The term.
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.leader_epoch
    }

    /// The log end offset when the term began.
    pub fn epoch_start(&self) -> Offset {
        self.epoch_start
    }

    /// The version of the partition state last confirmed.
    pub fn partition_epoch(&self) -> PartitionEpoch {
        self.partition_epoch
    }

    /// Who has the partition.
    pub fn assignment(&self) -> &ReplicaAssignment {
        &self.assignment
    }

    /// The in-sync replicas.
    pub fn isr(&self) -> &Isr {
        &self.isr
    }

    /// The followers and how far they are.
    pub fn followers(&self) -> impl Iterator<Item = (BrokerId, &ReplicaProgress)> {
        self.followers.iter().map(|(id, progress)| (*id, progress))
    }

    /// One follower's progress.
    pub fn follower(&self, id: BrokerId) -> Option<&ReplicaProgress> {
        self.followers.iter().find(|(replica, _)| *replica == id).map(|(_, progress)| progress)
    }

    /// How many in-sync replicas acks=all needs: `min.insync.replicas`, but never more than there are replicas.
    pub fn effective_min_isr(&self, min_insync_replicas: usize) -> usize {
        min_insync_replicas.min(self.assignment.replicas.len())
    }

    /// Whether acks=all may be accepted now: decided by the committed ISR.
    pub fn has_min_isr(&self, min_insync_replicas: usize) -> bool {
        self.isr.members().len() >= self.effective_min_isr(min_insync_replicas)
    }

    /// Whether what the high watermark has passed was replicated often enough: decided by the maximal ISR
    /// (`Partition.checkEnoughReplicasReachOffset`).
    pub fn has_min_isr_after_append(&self, min_insync_replicas: usize) -> bool {
        self.isr.maximal_len() >= self.effective_min_isr(min_insync_replicas)
    }

    /// Notes a follower's fetch; returns whether its log end offset changed.
    pub fn on_follower_fetch(
        &mut self,
        follower: BrokerId,
        position: FollowerPosition,
        leader_end: Offset,
        others: &impl Followers,
    ) -> Result<bool, NotAReplica> {
        let (_, progress) =
            self.followers.iter_mut().find(|(id, _)| *id == follower).ok_or(NotAReplica(follower))?;
        Ok(progress.on_fetch(position, leader_end, others.now(follower)))
    }

    /// Where the high watermark may stand (`Partition.maybeIncrementLeaderHW`); `None` when it must not move: fewer are in sync than
    /// the topic asks for, or a member has not fetched in this term. The caller never lowers it.
    ///
    /// Unlike Kafka's it also stands still while the ISR has a member that is no longer assigned, at the end of a reassignment:
    /// until the controller has taken that one out, the next controller may still elect it.
    pub fn high_watermark(
        &self,
        leader_end: Offset,
        min_insync_replicas: usize,
        lag_time_max_ms: i64,
        others: &impl Followers,
    ) -> Option<Offset> {
        if !self.has_min_isr(min_insync_replicas) {
            return None;
        }
        let is_unassigned = |id: BrokerId| id != self.local && self.follower(id).is_none();
        if self.isr.members().iter().any(|id| is_unassigned(*id)) {
            return None;
        }
        let mut high_watermark = leader_end;
        for (id, progress) in &self.followers {
            let end = progress.log_end_offset();
            if end.is_some_and(|end| end >= high_watermark) {
                continue;
            }
            // A replica that has almost caught up is waited for, or it would chase the high watermark for ever.
            let about_to_join = || {
                progress.is_caught_up(leader_end, lag_time_max_ms, others.now(*id)) && others.is_alive(*id)
            };
            if self.isr.contains_maximal(*id) || about_to_join() {
                high_watermark = end?;
            }
        }
        Some(high_watermark)
    }

    /// The lowest log start offset of all live replicas: below it DeleteRecords is done (`lowWatermarkIfLeader`).
    /// `None` while a live replica has not told its own.
    pub fn low_watermark(&self, log_start: Offset, others: &impl Followers) -> Option<Offset> {
        let mut low = log_start;
        for (id, progress) in &self.followers {
            if others.is_alive(*id) {
                low = low.min(progress.log_start_offset()?);
            }
        }
        Some(low)
    }

    /// Proposes to let `follower` into the ISR, when it has reached the high watermark and the start of this term
    /// (`Partition.maybeExpandIsr`).
    pub fn propose_expand(
        &mut self,
        follower: BrokerId,
        high_watermark: Offset,
        others: &impl Followers,
    ) -> Option<IsrProposal> {
        if self.isr.is_pending() || self.isr.contains(follower) {
            return None;
        }
        let end = self.follower(follower)?.log_end_offset()?;
        if end < high_watermark || end < self.epoch_start || !others.is_alive(follower) {
            return None;
        }
        self.isr.propose_expand(follower, self.leader_epoch, self.partition_epoch)
    }

    /// Proposes to drop the members that have not been caught up for `lag_time_max_ms`, and those no longer assigned
    /// (`Partition.maybeShrinkIsr`).
    pub fn propose_shrink(
        &mut self,
        leader_end: Offset,
        lag_time_max_ms: i64,
        others: &impl Followers,
    ) -> Option<IsrProposal> {
        if self.isr.is_pending() {
            return None;
        }
        let lags = |id: BrokerId| {
            id != self.local
                && self.follower(id).is_none_or(|progress| {
                    !progress.is_caught_up(leader_end, lag_time_max_ms, others.now(id))
                })
        };
        if !self.isr.members().iter().any(|&id| lags(id)) {
            return None;
        }
        let lagging: Vec<BrokerId> = self.isr.members().iter().copied().filter(|&id| lags(id)).collect();
        self.isr.propose_shrink(&lagging, self.leader_epoch, self.partition_epoch)
    }

    /// Takes in the controller's answer to `asked`.
    pub fn on_isr_answer(&mut self, asked: &IsrProposal, answer: IsrAnswer) -> IsrReaction {
        self.isr.on_answer(asked, answer, self.leader_epoch, &mut self.partition_epoch)
    }
}
