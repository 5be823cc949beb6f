//! What a leader does for producers and consumers, and with its high watermark (`HostedPartition` in the product).

use gregor_model::{Offset, TopicPartition};

use super::partition::{Leading, Others, Wait};
use super::{Context, Process, Role};
use crate::core::Timer;
use crate::log::{Appended, Payload};
use crate::message::{Answer, Consumed, Correlation, Node, Produced};
use crate::mutants::Mutant;

/// How long a produce request waits, in milliseconds.
const PRODUCE_TIMEOUT_MS: i64 = 10_000;

impl Process {
    /// Raises the high watermark as far as the leader's rules allow; lets go those who wait for it.
    pub(super) fn advance(&mut self, cx: &mut Context<'_>, partition: &TopicPartition) {
        let Some(hosted) = self.partitions.get_mut(partition) else { return };
        let Some(epoch) = hosted.leader_epoch else { return };
        let (Some(leading), Some(log)) = (hosted.leading_mut(), cx.disk.get_mut(partition)) else { return };
        let others = Others { clocks: &self.clocks, live: &self.metadata.live, now: cx.now };
        let min_isr = cx.core.scenario.min_insync_replicas;
        let lag_ms = cx.core.scenario.lag_max_ms;
        let candidate = match cx.core.mutant {
            Some(Mutant::IsrNotFrozen | Mutant::HighWatermarkPastJoining) => {
                let frozen = !cx.core.is_mutant(Mutant::IsrNotFrozen);
                mutated_high_watermark(leading, log.end(), min_isr, frozen)
            }
            _ => leading.state.high_watermark(log.end(), min_isr, lag_ms, &others),
        };
        let before = log.high_watermark;
        if !candidate.is_some_and(|candidate| log.raise_high_watermark(candidate)) {
            return;
        }
        cx.core.checker.on_raised(self.id, partition, epoch, before, log);
        self.release_reached(cx, partition);
    }

    /// Lets go who waits for what is below the high watermark.
    fn release_reached(&mut self, cx: &mut Context<'_>, partition: &TopicPartition) {
        let Some(hosted) = self.partitions.get_mut(partition) else { return };
        let Some(epoch) = hosted.leader_epoch else { return };
        let (Some(leading), Some(log)) = (hosted.leading_mut(), cx.disk.get(partition)) else { return };
        let high_watermark = log.high_watermark;
        let reached = leading.state.has_min_isr_after_append(cx.core.scenario.min_insync_replicas);
        let (done, waits): (Vec<Wait>, Vec<Wait>) =
            leading.waits.drain(..).partition(|wait| wait.until <= high_watermark);
        leading.waits = waits;
        for wait in done {
            let produced = if reached { Produced::At(wait.base, epoch) } else { Produced::Failed };
            cx.core.answer(Node::Broker(self.id), wait.from, wait.correlation, Answer::Produced(produced));
        }
    }

    /// The role is over: whoever waits is told.
    pub(super) fn release_role(&self, cx: &mut Context<'_>, role: Role) {
        if let Role::Leader(leading) = role {
            self.release(cx, leading.waits);
        }
    }

    pub(super) fn release(&self, cx: &mut Context<'_>, waits: Vec<Wait>) {
        for wait in waits {
            let answer = Answer::Produced(Produced::Failed);
            cx.core.answer(Node::Broker(self.id), wait.from, wait.correlation, answer);
        }
    }

    /// Produce with acks=all (`HostedPartition::append_as_leader`).
    pub(super) fn on_produce(
        &mut self,
        cx: &mut Context<'_>,
        from: Node,
        correlation: Correlation,
        partition: &TopicPartition,
        payload: Payload,
    ) {
        let min_isr = cx.core.scenario.min_insync_replicas;
        let leading = self.partitions.get_mut(partition).and_then(|hosted| hosted.leading_mut());
        let log = cx.disk.get_mut(partition);
        let refuse = |cx: &mut Context<'_>, produced| {
            cx.core.answer(Node::Broker(self.id), from, correlation, Answer::Produced(produced));
        };
        let (Some(leading), Some(log)) = (leading.filter(|l| l.state.has_min_isr(min_isr)), log) else {
            return refuse(cx, Produced::Failed);
        };
        let epoch = leading.state.leader_epoch();
        let appended = if cx.core.is_mutant(Mutant::DuplicatesAppended) {
            log.append_unchecked(epoch, payload)
        } else {
            log.append(epoch, payload)
        };
        cx.core.trace(|| format!("{} appends to {partition} {payload:?}: {appended:?}", self.id));
        let base = match appended {
            Appended::At(base) | Appended::Duplicate(base) => base,
            Appended::OutOfOrder => return refuse(cx, Produced::OutOfOrder(epoch)),
        };
        leading.waits.push(Wait { until: base + payload.count, base, from, correlation });
        self.advance(cx, partition);
        self.release_reached(cx, partition);
        self.wake_fetches(cx, partition);
        cx.timer(self.id, self.number, PRODUCE_TIMEOUT_MS, Timer::ProduceWait(correlation));
    }

    /// A produce request waited for too long.
    pub(super) fn give_up_produce(&mut self, cx: &mut Context<'_>, correlation: Correlation) {
        let mut gone = Vec::new();
        for leading in self.partitions.values_mut().filter_map(|hosted| hosted.leading_mut()) {
            gone.extend(leading.waits.extract_if(.., |wait| wait.correlation == correlation));
        }
        self.release(cx, gone);
    }

    /// DeleteRecords, as far as the high watermark goes.
    pub(super) fn delete_records(&self, cx: &mut Context<'_>, partition: &TopicPartition, below: Offset) {
        let leads = self.partitions.get(partition).is_some_and(|hosted| hosted.leading().is_some());
        if let Some(log) = cx.disk.get_mut(partition).filter(|_| leads)
            && log.raise_start(below) == Ok(true)
        {
            cx.core.trace(|| format!("{}: {partition} starts at {below:?}", self.id));
            cx.core.checker.on_records_deleted(partition, below);
        }
    }

    /// Fetch of a consumer, below the high watermark.
    pub(super) fn consume(
        &self,
        cx: &Context<'_>,
        partition: &TopicPartition,
        offset: Offset,
    ) -> Option<Consumed> {
        let hosted = self.partitions.get(partition)?;
        hosted.leading()?;
        let (log, epoch) = (cx.disk.get(partition)?, hosted.leader_epoch?);
        let batches = log.read(offset.max(log.start()), log.high_watermark, 50);
        Some(Consumed { batches, log_start: log.start(), out_of_range: offset > log.end(), epoch })
    }
}

/// The high watermark as the two mutants take it: of the ISR that was proposed, or (`frozen`) of the confirmed one alone.
fn mutated_high_watermark(leading: &Leading, end: Offset, min_isr: usize, frozen: bool) -> Option<Offset> {
    let state = &leading.state;
    if !state.has_min_isr(min_isr) {
        return None;
    }
    let members = leading.assumed.as_deref().filter(|_| !frozen).unwrap_or(state.isr().members());
    let followers = state.followers().filter(|(id, _)| members.contains(id));
    followers.map(|(_, progress)| progress.log_end_offset()).try_fold(end, |low, next| Some(low.min(next?)))
}
