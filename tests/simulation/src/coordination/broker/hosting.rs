//! Coordinated partitions on a broker: elected, read, served, left. The same for groups and transactions, as in the product's
//! `runtime`, whose [`Ownership`] and [`Machine`] are used as they are.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use gregor_coordinator::group::request::{AppendId, Reply, RequestId};
use gregor_coordinator::group::{AppendFailure, GroupConfig, GroupShard};
use gregor_coordinator::runtime::{AppendPlan, Loader, Machine, NotHere, Ownership, Step};
use gregor_coordinator::transaction::{Markers, TransactionConfig, TransactionReply, TransactionShard};
use gregor_log::{AppendOrigin, VerificationGuard};
use gregor_model::{LeaderEpoch, Offset, ProducerId};

use super::super::log::{Author, Body, Part};
use super::super::message::Answer;
use super::super::mutants::CoordinationMutant;
use super::super::stage::{Stage, Timer};
use super::{Broker, Waiter};

/// How far a term has come.
#[derive(Debug)]
pub(super) enum Phase<M: Machine> {
    /// To be read.
    New,
    /// Read, and waiting for what was read to be replicated.
    Read(M::Loader),
    /// At work.
    Serving(M),
}

/// One term of a coordinated partition.
pub(super) struct Term<M: Machine> {
    pub(super) epoch: i32,
    pub(super) phase: Phase<M>,
    /// Markers that came before it served: whose, what they decide, where they lie.
    pub(super) deferred: Vec<(ProducerId, bool, Offset)>,
    /// When its timer rings.
    pub(super) armed: Option<i64>,
}

impl<M: Machine> std::fmt::Debug for Term<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "term {}", self.epoch)
    }
}

pub(super) type Hosted<M> = Rc<RefCell<Term<M>>>;

/// What is different between the coordinators.
pub(super) trait Coordinator: Machine {
    /// The partition of its topic.
    fn part(partition: i32) -> Part;
    /// Where a broker keeps them.
    fn ownership(broker: &mut Broker) -> &mut Ownership<Hosted<Self>>;
    /// Its settings.
    fn config(stage: &Stage) -> <Self::Loader as Loader>::Config;
    /// A reply as it travels.
    fn answer(broker: &mut Broker, request: RequestId, reply: Self::Reply) -> Answer;
    /// Does what is neither an answer nor an append.
    fn run_errand(broker: &mut Broker, stage: &mut Stage, at: (i32, i32), errand: Self::Errand);
    /// The mistake of taking an append for committed when it is not.
    const HASTE: CoordinationMutant;
}

impl Coordinator for GroupShard {
    fn part(partition: i32) -> Part {
        Part::Offsets(partition)
    }

    fn ownership(broker: &mut Broker) -> &mut Ownership<Hosted<Self>> {
        &mut broker.groups
    }

    fn config(stage: &Stage) -> GroupConfig {
        GroupConfig { initial_rebalance_delay_ms: stage.scenario.initial_delay_ms, ..GroupConfig::default() }
    }

    fn answer(broker: &mut Broker, request: RequestId, reply: Reply) -> Answer {
        broker.group_answer(request, reply)
    }

    fn run_errand(_: &mut Broker, _: &mut Stage, _: (i32, i32), errand: Self::Errand) {
        match errand {}
    }

    const HASTE: CoordinationMutant = CoordinationMutant::OffsetsBeforeReplication;
}

impl Coordinator for TransactionShard {
    fn part(partition: i32) -> Part {
        Part::Transactions(partition)
    }

    fn ownership(broker: &mut Broker) -> &mut Ownership<Hosted<Self>> {
        &mut broker.transactions
    }

    fn config(stage: &Stage) -> TransactionConfig {
        TransactionConfig {
            id_expiration_ms: stage.scenario.id_expiration_ms,
            ..TransactionConfig::default()
        }
    }

    fn answer(_: &mut Broker, _: RequestId, reply: TransactionReply) -> Answer {
        match reply {
            TransactionReply::Init(result) => Answer::Init(result),
            TransactionReply::Done(result) => Answer::Done(result),
        }
    }

    fn run_errand(broker: &mut Broker, stage: &mut Stage, (partition, epoch): (i32, i32), markers: Markers) {
        broker.queue_markers(stage, partition, epoch, markers);
    }

    const HASTE: CoordinationMutant = CoordinationMutant::DecisionsBeforeReplication;
}

impl Broker {
    pub(super) fn elect(&mut self, stage: &mut Stage, part: Part, epoch: i32) {
        let new = match part {
            Part::Offsets(partition) => {
                self.groups.elect(partition, LeaderEpoch(epoch), || new_term(epoch)).is_some()
            }
            Part::Transactions(partition) => {
                self.transactions.elect(partition, LeaderEpoch(epoch), || new_term(epoch)).is_some()
            }
            Part::Data(_) => false,
        };
        if new {
            let delay_ms = stage.random.between(1, 200);
            self.set_timer(stage, delay_ms, Timer::Read(part, epoch));
        }
    }

    /// Reads the partition, and waits until that is replicated.
    pub(super) fn read(&mut self, stage: &mut Stage, part: Part, epoch: i32) {
        let end = match part {
            Part::Offsets(partition) => self.read_into::<GroupShard>(stage, partition, epoch),
            Part::Transactions(partition) => self.read_into::<TransactionShard>(stage, partition, epoch),
            Part::Data(_) => None,
        };
        let Some(end) = end else { return };
        if stage.is_mutant(CoordinationMutant::ServedBeforeReplication) {
            self.serve_soon(stage, part, epoch);
        } else {
            self.wait(stage, part, (end, end), Waiter::Load(part, epoch), None);
        }
    }

    /// The fold over what was read takes a while, longer than its replication.
    pub(super) fn serve_soon(&mut self, stage: &mut Stage, part: Part, epoch: i32) {
        let delay_ms = stage.random.between(1, 150);
        self.set_timer(stage, delay_ms, Timer::Serve(part, epoch));
    }

    fn read_into<M: Coordinator>(&mut self, stage: &Stage, partition: i32, epoch: i32) -> Option<i64> {
        let hosted = find_term::<M>(self, partition, epoch)?;
        let replica = self.replicas.get(&M::part(partition))?;
        let mut loader = M::Loader::default();
        for batch in &replica.batches {
            let mut producer = batch.author.map(|author| author.producer.0);
            if stage.is_mutant(CoordinationMutant::TransactionalOffsetsTakenAsPlain) {
                producer = None;
            }
            match &batch.body {
                Body::Records(records) => {
                    for (key, value) in records {
                        let is_group =
                            key.get(..2) == Some(&[0, 2]) && matches!(M::part(0), Part::Offsets(_));
                        if is_group && stage.is_mutant(CoordinationMutant::GenerationsForgotten) {
                            continue;
                        }
                        let read = loader.record(Offset(batch.base), producer, Some(key), value.as_deref());
                        debug_assert!(read.is_ok(), "a record that a machine wrote: {read:?}");
                    }
                }
                Body::Marker { commit, .. } => {
                    producer.into_iter().for_each(|producer| loader.marker(producer, *commit));
                }
                Body::Values(_) => {}
            }
        }
        hosted.borrow_mut().phase = Phase::Read(loader);
        Some(replica.end())
    }

    /// Takes up work on a partition.
    pub(super) fn serve(&mut self, stage: &mut Stage, part: Part, epoch: i32) {
        match part {
            Part::Offsets(partition) => self.serve_from::<GroupShard>(stage, partition, epoch),
            Part::Transactions(partition) => self.serve_from::<TransactionShard>(stage, partition, epoch),
            Part::Data(_) => {}
        }
    }

    fn serve_from<M: Coordinator>(&mut self, stage: &mut Stage, partition: i32, epoch: i32) {
        let Some(hosted) = find_term::<M>(self, partition, epoch) else { return };
        let (loader, deferred) = {
            let mut term = hosted.borrow_mut();
            match std::mem::replace(&mut term.phase, Phase::New) {
                Phase::Read(loader) => (loader, std::mem::take(&mut term.deferred)),
                other => {
                    term.phase = other;
                    return;
                }
            }
        };
        stage.tell(|| format!("broker {} serves {:?}", self.id.0, M::part(partition)));
        let (machine, effects) = loader.finish(M::config(stage), stage.timestamp());
        hosted.borrow_mut().phase = Phase::Serving(machine);
        M::ownership(self).loaded(partition, LeaderEpoch(epoch));
        self.perform::<M>(stage, partition, &hosted, effects);
        if let Part::Offsets(_) = M::part(partition) {
            for (producer, commit, marker) in deferred {
                self.complete_offsets(stage, partition, producer, commit, marker);
            }
        }
    }

    pub(super) fn resign(&mut self, stage: &mut Stage, part: Part, epoch: LeaderEpoch) {
        match part {
            Part::Offsets(partition) => self.leave::<GroupShard>(stage, partition, epoch),
            Part::Transactions(partition) => {
                self.leave::<TransactionShard>(stage, partition, epoch);
                self.queue.forget(partition);
            }
            Part::Data(_) => {}
        }
    }

    fn leave<M: Coordinator>(&mut self, stage: &mut Stage, partition: i32, epoch: LeaderEpoch) {
        let Some(hosted) = M::ownership(self).resign(partition, Some(epoch)) else { return };
        let phase = std::mem::replace(&mut hosted.borrow_mut().phase, Phase::New);
        let Phase::Serving(machine) = phase else { return };
        let mut replies: Vec<(RequestId, M::Reply)> = machine
            .unload(stage.timestamp())
            .into_iter()
            .filter_map(|effect| match M::step(effect) {
                Step::Reply(request, reply) => Some((request, reply)),
                Step::Append(..) | Step::Errand(_) => None,
            })
            .collect();
        // The machine may tell them in any order.
        replies.sort_by_key(|(request, _)| *request);
        for (request, reply) in replies {
            let answer = M::answer(self, request, reply);
            self.reply(stage, request, answer);
        }
    }

    /// What serves a partition.
    pub(super) fn find<M: Coordinator>(&mut self, partition: i32) -> Result<Hosted<M>, NotHere> {
        M::ownership(self).find(partition).cloned()
    }

    /// Lets the machine of a partition work, and does what it asks for.
    pub(super) fn with<M: Coordinator>(
        &mut self,
        stage: &mut Stage,
        partition: i32,
        hosted: &Hosted<M>,
        work: impl FnOnce(&mut M) -> Vec<M::Effect>,
    ) {
        let effects = match &mut hosted.borrow_mut().phase {
            Phase::Serving(machine) => work(machine),
            Phase::New | Phase::Read(_) => return,
        };
        self.perform(stage, partition, hosted, effects);
    }

    fn perform<M: Coordinator>(
        &mut self,
        stage: &mut Stage,
        partition: i32,
        hosted: &Hosted<M>,
        effects: Vec<M::Effect>,
    ) {
        let mut effects: VecDeque<M::Effect> = effects.into();
        let epoch = hosted.borrow().epoch;
        while let Some(effect) = effects.pop_front() {
            match M::step(effect) {
                Step::Reply(request, reply) => {
                    let answer = M::answer(self, request, reply);
                    self.reply(stage, request, answer);
                }
                Step::Errand(errand) => M::run_errand(self, stage, (partition, epoch), errand),
                Step::Append(append, plan) => {
                    if let Some(outcome) = self.append_for::<M>(stage, (partition, epoch), append, plan)
                        && let Phase::Serving(machine) = &mut hosted.borrow_mut().phase
                    {
                        effects.extend(machine.appended(append, outcome, stage.timestamp()));
                    }
                }
            }
        }
        self.arm(stage, partition, hosted);
    }

    /// Appends what a machine asks for. `None`: its outcome comes later.
    fn append_for<M: Coordinator>(
        &mut self,
        stage: &mut Stage,
        (partition, epoch): (i32, i32),
        append: AppendId,
        plan: AppendPlan,
    ) -> Option<Result<Offset, AppendFailure>> {
        let part = M::part(partition);
        let author = plan.producer.map(|producer| Author { producer, base_sequence: 0 });
        let guard = plan.verification.map(|proof| VerificationGuard::from_bits(proof.0));
        let timeout_ms = plan.timeout_ms.map_or(stage.scenario.commit_timeout_ms, i64::from);
        let hasty = stage.is_mutant(M::HASTE);
        let waiter =
            (plan.acknowledged && !hasty).then_some((Waiter::Coordinator(part, epoch, append), timeout_ms));
        let acknowledged = waiter.is_some();
        let body = Body::Records(plan.records);
        stage.tell(|| {
            let end = self.replicas.get(&part).map(|replica| replica.end());
            format!("broker {} appends {append:?} to {part:?} at {end:?}", self.id.0)
        });
        match self.append(stage, part, (author, body), (AppendOrigin::Coordinator, guard), waiter) {
            Ok(_) if acknowledged => None,
            Ok(appended) => Some(Ok(Offset(appended.base()))),
            Err(why) => Some(Err(why.of_coordinator())),
        }
    }

    /// An append that a machine asked for is replicated, or failed.
    pub(super) fn appended(
        &mut self,
        stage: &mut Stage,
        part: Part,
        epoch: i32,
        append: AppendId,
        outcome: Result<Offset, AppendFailure>,
    ) {
        match part {
            Part::Offsets(partition) => {
                self.appended_for::<GroupShard>(stage, partition, epoch, append, outcome);
            }
            Part::Transactions(partition) => {
                self.appended_for::<TransactionShard>(stage, partition, epoch, append, outcome);
            }
            Part::Data(_) => {}
        }
    }

    fn appended_for<M: Coordinator>(
        &mut self,
        stage: &mut Stage,
        partition: i32,
        epoch: i32,
        append: AppendId,
        outcome: Result<Offset, AppendFailure>,
    ) {
        let Some(hosted) = M::ownership(self).find_in_term(partition, LeaderEpoch(epoch)).cloned() else {
            return;
        };
        stage.tell(|| {
            format!("broker {}: {append:?} of {part:?}: {outcome:?}", self.id.0, part = M::part(partition))
        });
        let now = stage.timestamp();
        self.with(stage, partition, &hosted, |machine| machine.appended(append, outcome, now));
    }

    /// Sets the timer that the machine of a partition wants next.
    fn arm<M: Coordinator>(&mut self, stage: &mut Stage, partition: i32, hosted: &Hosted<M>) {
        let mut term = hosted.borrow_mut();
        let Phase::Serving(machine) = &term.phase else { return };
        let Some(at) = machine.next_timer() else { return };
        if term.armed.is_none_or(|armed| at.0 < armed) {
            term.armed = Some(at.0);
            self.set_timer(stage, at.0 - stage.now, Timer::Groups(partition));
        }
    }

    pub(super) fn fire_group_timers(&mut self, stage: &mut Stage, partition: i32) {
        let Ok(hosted) = self.find::<GroupShard>(partition) else { return };
        let now = stage.timestamp();
        if hosted.borrow().armed.is_some_and(|armed| armed <= now.0) {
            hosted.borrow_mut().armed = None;
        }
        self.with(stage, partition, &hosted, |shard| shard.fire_timers(now));
    }
}

fn new_term<M: Machine>(epoch: i32) -> Hosted<M> {
    Rc::new(RefCell::new(Term { epoch, phase: Phase::New, deferred: Vec::new(), armed: None }))
}

/// The term of that epoch, if it has not ended.
fn find_term<M: Coordinator>(broker: &mut Broker, partition: i32, epoch: i32) -> Option<Hosted<M>> {
    let hosted = M::ownership(broker).find_loading(partition)?.clone();
    let is_current = hosted.borrow().epoch == epoch;
    is_current.then_some(hosted)
}
