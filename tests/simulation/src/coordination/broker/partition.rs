//! The broker as leader: roles that it is told of, appends, and who waits for their replication.

use gregor_coordinator::group::AppendFailure;
use gregor_log::{AppendOrigin, VerificationGuard};
use gregor_model::{BrokerId, LeaderEpoch, Offset};

use super::super::log::{Appended, Author, Body, Part, Refusal, Replica};
use super::super::message::{Answer, Correlation, Fetched, ProduceError};
use super::super::mutants::CoordinationMutant;
use super::super::stage::{Event, Stage, Timer};
use super::{Broker, Wait, Waiter};

/// Why nothing was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotAppended {
    /// NOT_LEADER_OR_FOLLOWER.
    NotLeader,
    /// NOT_ENOUGH_REPLICAS.
    TooFew,
    /// The log refused it.
    Refused(Refusal),
}

impl NotAppended {
    /// As a coordinator is told.
    pub(super) fn of_coordinator(self) -> AppendFailure {
        match self {
            NotAppended::NotLeader => AppendFailure::NotLeaderOrFollower,
            NotAppended::TooFew => AppendFailure::NotEnoughReplicas,
            NotAppended::Refused(Refusal::ProducerFenced) => AppendFailure::InvalidProducerEpoch,
            NotAppended::Refused(_) => AppendFailure::InvalidTxnState,
        }
    }
}

impl Broker {
    /// LeaderAndIsr and UpdateMetadata.
    pub(super) fn told(&mut self, stage: &mut Stage, part: Part, epoch: i32, leader: Option<BrokerId>) {
        if self.known.get(&part).is_some_and(|(known, _)| *known >= epoch) {
            return;
        }
        self.known.insert(part, (epoch, leader));
        if self.leading.remove(&part) {
            self.end_term(stage, part, epoch);
        }
        if leader == Some(self.id) {
            self.lead(stage, part, epoch);
        }
    }

    fn lead(&mut self, stage: &mut Stage, part: Part, epoch: i32) {
        let Some(truth) = stage.cluster.get(&part).filter(|truth| truth.epoch == epoch) else { return };
        let (batches, high_watermark) = (truth.batches.clone(), truth.high_watermark);
        let before = self.replicas.remove(&part);
        let replica = Replica::lead(epoch, batches, high_watermark, before, stage.timestamp());
        stage
            .tell(|| format!("broker {} leads {part:?} in term {epoch}, up to {}", self.id.0, replica.end()));
        self.note_growth(stage, part, epoch, replica.end());
        self.replicas.insert(part, replica);
        self.leading.insert(part);
        self.elect(stage, part, epoch);
    }

    /// The term goes on under a new epoch (the ISR changed, say), with the same leader.
    pub fn renew_term(&mut self, stage: &mut Stage, part: Part) {
        let Some(truth) = stage.cluster.get_mut(&part) else { return };
        let Some(replica) = self.replicas.get_mut(&part) else { return };
        if !self.leading.contains(&part) || replica.epoch != truth.epoch || self.is_paused {
            return;
        }
        truth.epoch += 1;
        replica.epoch = truth.epoch;
        let (epoch, end) = (replica.epoch, replica.end());
        self.known.insert(part, (epoch, Some(self.id)));
        self.note_growth(stage, part, epoch, end);
        self.elect(stage, part, epoch);
    }

    fn end_term(&mut self, stage: &mut Stage, part: Part, epoch: i32) {
        stage.tell(|| format!("broker {} no longer leads {part:?}, term {epoch}", self.id.0));
        let waits: Vec<u64> = self
            .waits
            .iter()
            .filter(|(_, wait)| wait.part == part && !wait.is_reached)
            .map(|(id, _)| *id)
            .collect();
        for wait in waits {
            self.wait_is_over(stage, wait, Err(AppendFailure::NotLeaderOrFollower));
        }
        self.resign(stage, part, LeaderEpoch(epoch));
    }

    /// Appends as leader. With `waiter` at least so many replicas must be in sync, and it is told of the replication.
    pub(super) fn append(
        &mut self,
        stage: &mut Stage,
        part: Part,
        (author, body): (Option<Author>, Body),
        (origin, guard): (AppendOrigin, Option<VerificationGuard>),
        waiter: Option<(Waiter, i64)>,
    ) -> Result<Appended, NotAppended> {
        let now = stage.timestamp();
        let needs_proof = !stage.is_mutant(CoordinationMutant::NoVerification);
        if !self.leading.contains(&part) {
            return Err(NotAppended::NotLeader);
        }
        let replica = self.replicas.get_mut(&part).ok_or(NotAppended::NotLeader)?;
        let truth = stage.cluster.get_mut(&part).filter(|truth| truth.epoch == replica.epoch);
        if waiter.is_some() && truth.as_ref().is_some_and(|truth| truth.too_few_until > stage.now) {
            return Err(NotAppended::TooFew);
        }
        let appended =
            replica.append(author, body, origin, (guard, needs_proof), now).map_err(NotAppended::Refused)?;
        let epoch = replica.epoch;
        if let Appended::New(batch) = &appended
            && let Some(truth) = truth
        {
            truth.batches.push(std::rc::Rc::clone(batch));
            self.note_growth(stage, part, epoch, appended.next());
        }
        if let Some((waiter, timeout_ms)) = waiter {
            self.wait(stage, part, (appended.base(), appended.next()), waiter, Some(timeout_ms));
        }
        Ok(appended)
    }

    fn note_growth(&self, stage: &mut Stage, part: Part, epoch: i32, end: i64) {
        let delay_ms = stage.random.between(1, stage.scenario.replication_ms);
        stage.after(delay_ms, Event::Replicated(part, epoch, end));
    }

    /// Lets `waiter` wait until everything before the second of these offsets is replicated.
    pub(super) fn wait(
        &mut self,
        stage: &mut Stage,
        part: Part,
        (base, end): (i64, i64),
        waiter: Waiter,
        timeout_ms: Option<i64>,
    ) {
        self.last_wait += 1;
        let id = self.last_wait;
        let is_reached = self.replicas.get(&part).is_some_and(|replica| replica.high_watermark >= end);
        self.waits.insert(id, Wait { part, base, end, is_reached, waiter });
        if is_reached {
            self.set_timer(stage, 0, Timer::Appended(id));
        } else if let Some(timeout_ms) = timeout_ms {
            self.set_timer(stage, timeout_ms, Timer::AppendTimeout(id));
        }
    }

    /// Whether the in-sync replicas can fetch from it.
    pub fn is_fetched_from(&self, part: Part, epoch: i32) -> bool {
        self.is_up
            && !self.is_paused
            && self.leading.contains(&part)
            && self.replicas.get(&part).is_some_and(|replica| replica.epoch == epoch)
    }

    /// The in-sync replicas have everything before `end`.
    pub fn replicated(&mut self, stage: &mut Stage, part: Part, end: i64) {
        let Some(replica) = self.replicas.get_mut(&part) else { return };
        replica.replicated(end);
        let mut due = Vec::new();
        for (id, wait) in &mut self.waits {
            if wait.part == part && wait.end <= end && !wait.is_reached {
                wait.is_reached = true;
                due.push((*id, matches!(wait.waiter, Waiter::Marker(..))));
            }
        }
        for (id, is_marker) in due {
            // A coordinator hears of its appends in their order; who writes a marker may be quicker than that, or slower.
            let delay_ms = if is_marker { stage.random.between(0, 3) } else { 1 };
            self.set_timer(stage, delay_ms, Timer::Appended(id));
        }
    }

    pub(super) fn wait_is_over(&mut self, stage: &mut Stage, id: u64, outcome: Result<(), AppendFailure>) {
        let Some(wait) = self.waits.remove(&id) else { return };
        match wait.waiter {
            Waiter::Coordinator(part, epoch, append) => {
                self.appended(stage, part, epoch, append, outcome.map(|()| Offset(wait.base)));
            }
            Waiter::Producer(from, correlation) => {
                let answer = outcome.map_err(|_| ProduceError::Retriable);
                stage.answer(self.id, from, correlation, Answer::Produced(answer));
            }
            Waiter::Marker(request, at, (producer, commit)) => {
                if outcome.is_ok() {
                    self.transaction_completed(stage, wait.part, producer, commit, Offset(wait.base));
                }
                self.marker_written(stage, request, at, outcome);
            }
            Waiter::Load(part, epoch) => {
                if outcome.is_ok() {
                    self.serve_soon(stage, part, epoch);
                }
            }
        }
    }

    /// Fetch of a read_committed consumer.
    pub(super) fn fetch(&self, stage: &Stage, part: Part, at: i64) -> Option<Fetched> {
        let replica = self.replicas.get(&part).filter(|_| self.leading.contains(&part))?;
        let bound = match stage.is_mutant(CoordinationMutant::StablePastOpenTransactions) {
            true => replica.high_watermark,
            false => replica.last_stable(),
        };
        let batches = replica.read(at, bound);
        let end = batches.last().map_or(at, |batch| batch.next());
        let overlaps = |first: Offset, last: Offset| first.0 < end && last.0 >= at;
        let aborted = replica.aborted.iter().filter(|txn| overlaps(txn.first_offset, txn.last_offset));
        Some(Fetched { batches, aborted: aborted.copied().collect() })
    }

    /// Whether every transaction in it is over, and consumers can read to its end.
    pub fn is_stable(&self, part: Part) -> bool {
        self.replicas.get(&part).is_some_and(|replica| replica.last_stable() == replica.end())
    }

    /// A marker is acknowledged: offsets that were committed in the transaction show, or are forgotten.
    fn transaction_completed(
        &mut self,
        stage: &mut Stage,
        part: Part,
        producer: gregor_model::ProducerId,
        commit: bool,
        marker: Offset,
    ) {
        if let Part::Offsets(partition) = part {
            self.complete_offsets(stage, partition, producer, commit, marker);
        }
    }

    /// The request of a coordinator and the place in it that a marker belongs to.
    fn marker_written(
        &mut self,
        stage: &mut Stage,
        request: Correlation,
        at: (usize, usize),
        outcome: Result<(), AppendFailure>,
    ) {
        let answer = match outcome {
            Ok(()) => gregor_coordinator::transaction::MarkerAnswer::Settled,
            Err(_) => gregor_coordinator::transaction::MarkerAnswer::Retry,
        };
        self.answer_marker(stage, request, at, answer);
    }
}
