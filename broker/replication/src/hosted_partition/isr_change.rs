//! Proposing ISR changes and taking in what the controller says (`Partition.maybeExpandIsr`, `maybeShrinkIsr`, `submitAlterPartition`).

use gregor_log::PartitionLog;
use gregor_model::Timestamp;

use super::HostedPartition;
use crate::alter_partition::machine::IsrChange;
use crate::partition::isr::{IsrAnswer, IsrProposal, IsrReaction, IsrRefusal};
use crate::partition::leader::LeaderState;
use crate::shared::{IsrCounters, Shared};

impl HostedPartition {
    /// Hands a proposal to the queue. If an earlier one of this partition still waits there, this one is void.
    pub(super) fn submit_isr_change(
        &self,
        cx: &Shared,
        log: &PartitionLog,
        leader: &mut LeaderState,
        proposal: IsrProposal,
    ) {
        tracing::info!(
            target: "state.change.logger",
            partition = %self.partition, leader_epoch = %proposal.leader_epoch, partition_epoch = %proposal.partition_epoch,
            from = ?leader.isr().members(), to = ?proposal.isr, high_watermark = %log.high_watermark(),
            log_end = %log.log_end_offset(), "proposing an ISR change"
        );
        let change = IsrChange {
            partition: self.partition.clone(),
            topic_id: log.topic_id(),
            proposal: proposal.clone(),
        };
        if cx.isr_changes.submit(change).is_err() {
            leader.on_isr_answer(&proposal, Err(IsrRefusal::NotAttempted));
        }
    }

    /// Drops lagging replicas from the ISR: asks the controller to. Also looks whether the high watermark may move: a replica that
    /// was about to join and died holds it back no longer, and no fetch or append of others may ever say so.
    pub(crate) fn check_followers(&self, cx: &Shared, now: Timestamp) {
        let state = self.state.read();
        let Ok((log, leader)) = state.leading(&self.partition) else { return };
        let mut leader = leader.lock();
        let log_end = log.log_end_offset();
        let lag_max = cx.config.replica_lag_time_max_ms;
        if let Some(proposal) = leader.propose_shrink(log_end, lag_max, &cx.followers(now)) {
            self.submit_isr_change(cx, log, &mut leader, proposal);
        }
        if log.high_watermark() < log_end {
            let moved = Self::advance_high_watermark(cx, log, &leader, now);
            drop(leader);
            self.wake_high_watermark(log, moved);
        }
    }

    /// Takes in the controller's answer to `change`.
    pub(crate) fn on_isr_answer(&self, cx: &Shared, change: &IsrChange, answer: IsrAnswer, now: Timestamp) {
        let state = self.state.read();
        let Ok((log, leader_lock)) = state.leading(&self.partition) else { return };
        let mut leader = leader_lock.lock();
        let refusal = answer.as_ref().err().copied();
        let members_before = leader.isr().members().len();
        let reaction = leader.on_isr_answer(&change.proposal, answer);
        if reaction == IsrReaction::Committed {
            match leader.isr().members().len().cmp(&members_before) {
                std::cmp::Ordering::Greater => IsrCounters::count(&cx.isr_counters.expands),
                std::cmp::Ordering::Less => IsrCounters::count(&cx.isr_counters.shrinks),
                std::cmp::Ordering::Equal => {}
            }
        }
        if let Some(refusal) = refusal {
            IsrCounters::count(&cx.isr_counters.failed_updates);
            tracing::warn!(partition = %self.partition, isr = ?change.proposal.isr, %refusal, "the ISR change was refused");
        }
        match reaction {
            // Going back releases the high watermark from the replica that did not join.
            IsrReaction::Committed | IsrReaction::Reverted => {
                tracing::info!(
                    partition = %self.partition, isr = ?leader.isr().members(),
                    partition_epoch = %leader.partition_epoch(), "the ISR is settled"
                );
                let moved = Self::advance_high_watermark(cx, log, &leader, now);
                drop(leader);
                self.wake_high_watermark(log, moved);
            }
            IsrReaction::Resubmit(proposal) => self.submit_isr_change(cx, log, &mut leader, proposal),
            IsrReaction::AwaitLeaderAndIsr | IsrReaction::Stale => {}
        }
    }
}
