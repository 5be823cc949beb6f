//! What a leader does with its ISR (`HostedPartition`'s ISR changes and the AlterPartition task in the product).

use std::collections::HashMap;

use gregor_controller_machine::{
    AlterPartitionError, AlterPartitionItem, AlterPartitionRequest, AlterPartitionTopError, TopicRef,
};
use gregor_model::{LeaderAndIsr, LeaderRecoveryState, TopicPartition};
use gregor_replication::alter_partition::machine::{IsrChange, Outcome};
use gregor_replication::partition::isr::{IsrAnswer, IsrProposal, IsrReaction, IsrRefusal};

use super::partition::Others;
use super::{Context, InFlight, Process};
use crate::core::Timer;
use crate::message::{Answer, Node, Request};
use crate::mutants::Mutant;

impl Process {
    /// As `HostedPartition::submit_isr_change`.
    pub(super) fn submit_isr_change(
        &mut self,
        cx: &mut Context<'_>,
        partition: &TopicPartition,
        proposal: IsrProposal,
    ) {
        cx.core.trace(|| {
            let (isr, version) = (&proposal.isr, proposal.partition_epoch.0);
            format!("{} proposes ISR {isr:?} of {partition} at version {version}", self.id)
        });
        let Some(leading) = self.partitions.get_mut(partition).and_then(|hosted| hosted.leading_mut()) else {
            return;
        };
        leading.assumed = Some(proposal.isr.clone());
        let topic_id = cx.disk.get(partition).and_then(|log| log.topic_id);
        let change = IsrChange { partition: partition.clone(), topic_id, proposal: proposal.clone() };
        if self.isr_changes.submit(change).is_err() {
            leading.state.on_isr_answer(&proposal, Err(IsrRefusal::NotAttempted));
        }
        if cx.core.is_mutant(Mutant::IsrNotFrozen) {
            self.advance(cx, partition);
        }
        self.send_isr_changes(cx);
    }

    /// Drops lagging replicas from the ISRs: asks the controller to.
    pub(super) fn shrink_isrs(&mut self, cx: &mut Context<'_>) {
        let others = Others { clocks: &self.clocks, live: &self.metadata.live, now: cx.now };
        let mut proposals = Vec::new();
        for (partition, hosted) in &mut self.partitions {
            let (Some(leading), Some(log)) = (hosted.leading_mut(), cx.disk.get(partition)) else { continue };
            let lag_ms = cx.core.scenario.lag_max_ms;
            if let Some(proposal) = leading.state.propose_shrink(log.end(), lag_ms, &others) {
                proposals.push((partition.clone(), proposal));
            }
        }
        for (partition, proposal) in proposals {
            self.submit_isr_change(cx, &partition, proposal);
        }
    }

    /// Sends what waits, if nothing is on its way.
    pub(super) fn send_isr_changes(&mut self, cx: &mut Context<'_>) {
        let sent = self.isr_changes.next_request(cx.now);
        if sent.is_empty() {
            return;
        }
        let (Some(controller), Some(broker_epoch)) = (self.metadata.controller, self.epoch) else {
            return self.alter_partition_failed(cx, &sent);
        };
        let item = |change: &IsrChange| AlterPartitionItem {
            topic: match change.topic_id {
                Some(id) => TopicRef::Id(Some(id)),
                None => TopicRef::Name(change.partition.topic.clone()),
            },
            partition: change.partition.partition,
            leader_epoch: change.proposal.leader_epoch,
            isr: change.proposal.isr.clone(),
            recovery: LeaderRecoveryState::Recovered,
            partition_epoch: change.proposal.partition_epoch,
        };
        let partitions = sent.iter().map(item).collect();
        let request = AlterPartitionRequest { broker: self.id, broker_epoch, partitions };
        let to = Node::Broker(controller);
        let correlation = cx.core.request(Node::Broker(self.id), to, Request::AlterPartition(request));
        self.expect(cx, correlation, InFlight::AlterPartition(sent));
    }

    fn alter_partition_failed(&mut self, cx: &mut Context<'_>, sent: &[IsrChange]) {
        self.isr_changes.on_outcome(sent, Outcome::Failed, cx.now);
        cx.timer(self.id, self.number, 100, Timer::AlterPartition);
    }

    /// The controller answered an AlterPartition, or did not.
    pub(super) fn on_alter_partition(
        &mut self,
        cx: &mut Context<'_>,
        sent: &[IsrChange],
        answer: Option<Answer>,
    ) {
        let Some(Answer::AlterPartition(Ok(results))) = answer else {
            if let Some(Answer::AlterPartition(Err(error))) = &answer {
                cx.core.trace(|| format!("{}: AlterPartition refused: {error}", self.id));
                debug_assert!(matches!(
                    error,
                    AlterPartitionTopError::NotController
                        | AlterPartitionTopError::StaleBrokerEpoch
                        | AlterPartitionTopError::Failed
                ));
            }
            return self.alter_partition_failed(cx, sent);
        };
        if results.iter().any(|result| matches!(result, Err(AlterPartitionError::NotController))) {
            return self.alter_partition_failed(cx, sent);
        }
        let answers: HashMap<TopicPartition, IsrAnswer> = sent
            .iter()
            .zip(results)
            .map(|(change, result)| (change.partition.clone(), isr_answer(result)))
            .collect();
        let delivered = self.isr_changes.on_outcome(sent, Outcome::Answered(answers), cx.now);
        for (change, answer) in delivered {
            self.on_isr_answer(cx, &change, answer);
        }
        self.send_isr_changes(cx);
    }

    fn on_isr_answer(&mut self, cx: &mut Context<'_>, change: &IsrChange, answer: IsrAnswer) {
        let partition = &change.partition;
        let Some(leading) = self.partitions.get_mut(partition).and_then(|hosted| hosted.leading_mut()) else {
            return;
        };
        let reaction = leading.state.on_isr_answer(&change.proposal, answer);
        cx.core.trace(|| format!("{}: ISR of {partition}: {reaction:?}", self.id));
        match reaction {
            IsrReaction::Committed => {
                leading.assumed = None;
                self.advance(cx, partition);
            }
            IsrReaction::Reverted => leading.assumed = None,
            IsrReaction::Resubmit(proposal) => self.submit_isr_change(cx, partition, proposal),
            IsrReaction::AwaitLeaderAndIsr | IsrReaction::Stale => {}
        }
    }
}

/// As `alter_partition::message` reads the wire's codes.
fn isr_answer(result: Result<LeaderAndIsr, AlterPartitionError>) -> IsrAnswer {
    result.map_err(|error| match error {
        AlterPartitionError::UnknownTopicId => IsrRefusal::UnknownTopicId,
        AlterPartitionError::UnknownTopicOrPartition => IsrRefusal::UnknownTopicOrPartition,
        AlterPartitionError::FencedLeaderEpoch => IsrRefusal::FencedLeaderEpoch,
        AlterPartitionError::InvalidUpdateVersion => IsrRefusal::InvalidUpdateVersion,
        AlterPartitionError::InvalidRequest => IsrRefusal::InvalidRequest,
        AlterPartitionError::IneligibleReplica => IsrRefusal::IneligibleReplica,
        AlterPartitionError::NotController => IsrRefusal::Other(41),
        AlterPartitionError::Failed => IsrRefusal::Other(-1),
    })
}
