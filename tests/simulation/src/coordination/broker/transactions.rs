//! The broker as transaction coordinator, and as leader of partitions that markers are written to.

use gregor_coordinator::runtime::NotHere;
use gregor_coordinator::transaction::{
    AddPartitions, EndTransaction, InitProducer, MarkerAnswer, MarkerTarget, Markers, SettledMarkers,
    TransactionError, TransactionShard, WriteMarkers,
};
use gregor_coordinator::{TransactionalId, partition_of};
use gregor_log::AppendOrigin;
use gregor_model::{BrokerId, LeaderEpoch, TopicPartition};

use super::super::log::{Author, Body, Part, Refusal};
use super::super::message::{Answer, Correlation, Node, Producer, Request};
use super::super::mutants::CoordinationMutant;
use super::super::stage::{Stage, Timer};
use super::hosting::{Coordinator, Hosted, Phase};
use super::partition::NotAppended;
use super::{Asked, Broker, MarkerRequest, Waiter};

/// How often markers are looked after while there are any, in milliseconds.
const MARKERS_MS: i64 = 30;

/// `transaction.abort.timed.out.transaction.cleanup.interval.ms`.
const LOOK_AFTER_MS: i64 = 1_000;

impl Broker {
    fn transaction_host(
        &mut self,
        stage: &Stage,
        id: &TransactionalId,
    ) -> (i32, Result<Hosted<TransactionShard>, NotHere>) {
        let partition = partition_of(id.as_str(), stage.scenario.transactions_partitions);
        (partition, self.find::<TransactionShard>(partition))
    }

    pub(super) fn handle_transaction(
        &mut self,
        stage: &mut Stage,
        from: Node,
        correlation: Correlation,
        request: Request,
    ) {
        let id = match &request {
            Request::Init(init) => &init.id,
            Request::Add(add) | Request::Verify(add) => &add.id,
            Request::End(end) => &end.id,
            _ => return,
        };
        let (partition, hosted) = self.transaction_host(stage, id);
        let hosted = match hosted {
            Ok(hosted) => hosted,
            Err(why) => {
                let error = TransactionError::from(why);
                let answer = match request {
                    Request::Init(_) => Answer::Init(Err(error)),
                    Request::Verify(_) => Answer::Verified(Err(error)),
                    _ => Answer::Done(Err(error)),
                };
                stage.answer(self.id, from, correlation, answer);
                return;
            }
        };
        match request {
            Request::Init(init) => self.init(stage, (from, correlation), (partition, &hosted), &init),
            Request::Add(add) => self.add(stage, (from, correlation), (partition, &hosted), add),
            Request::End(end) => self.end(stage, (from, correlation), (partition, &hosted), end),
            Request::Verify(add) => {
                let add = AddPartitions { producer: believe(stage, &hosted, &add.id, add.producer), ..add };
                let verified = match &hosted.borrow().phase {
                    Phase::Serving(shard) => shard.verify_partitions(&add),
                    Phase::New | Phase::Read(_) => Err(TransactionError::NotCoordinator),
                };
                stage.answer(self.id, from, correlation, Answer::Verified(verified));
            }
            _ => {}
        }
    }

    fn init(
        &mut self,
        stage: &mut Stage,
        (from, correlation): (Node, Correlation),
        (partition, hosted): (i32, &Hosted<TransactionShard>),
        init: &InitProducer,
    ) {
        let needed = match &hosted.borrow().phase {
            Phase::Serving(shard) => shard.needs_producer_id(init),
            Phase::New | Phase::Read(_) => false,
        };
        let fresh = if needed { self.claim_producer_id(stage) } else { None };
        if needed && fresh.is_none() {
            let answer = Answer::Init(Err(TransactionError::CoordinatorLoadInProgress));
            stage.answer(self.id, from, correlation, answer);
            return;
        }
        let (request, now) = (self.note_request(from, correlation), stage.timestamp());
        self.with(stage, partition, hosted, |shard| shard.init(request, init, fresh, now));
    }

    fn add(
        &mut self,
        stage: &mut Stage,
        (from, correlation): (Node, Correlation),
        (partition, hosted): (i32, &Hosted<TransactionShard>),
        add: AddPartitions,
    ) {
        let add = AddPartitions { producer: believe(stage, hosted, &add.id, add.producer), ..add };
        let (request, now) = (self.note_request(from, correlation), stage.timestamp());
        self.with(stage, partition, hosted, |shard| shard.add_partitions(request, add, now));
    }

    fn end(
        &mut self,
        stage: &mut Stage,
        (from, correlation): (Node, Correlation),
        (partition, hosted): (i32, &Hosted<TransactionShard>),
        end: EndTransaction,
    ) {
        let end = EndTransaction { producer: believe(stage, hosted, &end.id, end.producer), ..end };
        let (request, now) = (self.note_request(from, correlation), stage.timestamp());
        self.with(stage, partition, hosted, |shard| shard.end(request, &end, now));
    }

    /// Aborts late transactions and forgets idle ids.
    pub(super) fn look_after_transactions(&mut self, stage: &mut Stage) {
        self.set_timer(stage, LOOK_AFTER_MS, Timer::Transactions);
        let now = stage.timestamp();
        for partition in 0..stage.scenario.transactions_partitions {
            let Ok(hosted) = self.find::<TransactionShard>(partition) else { continue };
            self.with(stage, partition, &hosted, |shard| {
                let mut effects = shard.abort_timed_out(now);
                effects.extend(shard.forget_idle(now));
                effects
            });
        }
    }

    pub(super) fn queue_markers(
        &mut self,
        stage: &mut Stage,
        partition: i32,
        epoch: i32,
        mut markers: Markers,
    ) {
        if stage.is_mutant(CoordinationMutant::DecisionReversedByRetry) && self.has_just_loaded(partition) {
            markers.commit = !markers.commit;
        }
        self.queue.retry(partition, epoch, markers);
        self.arm_markers(stage, 1);
    }

    /// Whether the partition is not served yet: the markers at hand are those of what was loaded.
    fn has_just_loaded(&self, partition: i32) -> bool {
        // A machine that was loaded sends again what it found decided, before anybody could ask it for anything.
        self.requests.is_empty() && self.transactions.find(partition).is_ok()
    }

    fn arm_markers(&mut self, stage: &mut Stage, delay_ms: i64) {
        if !self.marker_timer {
            self.marker_timer = true;
            self.set_timer(stage, delay_ms, Timer::Markers);
        }
    }

    fn marker_target(&self, stage: &Stage, partition: &TopicPartition) -> MarkerTarget {
        let leader =
            Part::of(partition).and_then(|part| self.known.get(&part)).and_then(|(_, leader)| *leader);
        match leader {
            Some(leader) if leader == self.id || !stage.isolated.contains(&self.id) => {
                MarkerTarget::Leader(leader)
            }
            _ => MarkerTarget::Unknown,
        }
    }

    /// Sends what waits to every broker that is not at it, and tries again to store completions.
    pub(super) fn send_markers(&mut self, stage: &mut Stage) {
        self.marker_timer = false;
        let mut queue = std::mem::take(&mut self.queue);
        let gone = queue.resolve(|partition| self.marker_target(stage, partition));
        self.queue = queue;
        for (partition, epoch, markers) in gone {
            self.settle_markers(stage, partition, epoch, &markers);
        }
        for broker in self.queue.brokers() {
            if !self.busy.insert(broker) {
                continue;
            }
            let Some(request) = self.queue.take(broker) else { continue };
            stage.tell(|| format!("broker {} sends to {}: {request:?}", self.id.0, broker.0));
            if stage.is_mutant(CoordinationMutant::CompleteBeforeMarkers) {
                for (partition, epoch, markers) in request.markers.clone() {
                    self.settle_markers(stage, partition, epoch, &markers);
                }
            }
            self.ask(stage, broker, Request::WriteMarkers(request.clone()), Asked::Markers(broker, request));
        }
        let mut is_waiting = self.queue.has_unresolved() || !self.queue.brokers().is_empty();
        for partition in 0..stage.scenario.transactions_partitions {
            let Ok(hosted) = self.find::<TransactionShard>(partition) else { continue };
            self.with(stage, partition, &hosted, TransactionShard::retry_completions);
            is_waiting |= matches!(&hosted.borrow().phase, Phase::Serving(shard) if shard.incomplete() > 0);
        }
        if is_waiting {
            self.arm_markers(stage, MARKERS_MS);
        }
    }

    /// A broker answered, or did not.
    pub(super) fn markers_answered(
        &mut self,
        stage: &mut Stage,
        broker: BrokerId,
        request: WriteMarkers,
        answers: Option<Vec<Vec<MarkerAnswer>>>,
    ) {
        self.busy.remove(&broker);
        let SettledMarkers { settled, again, .. } = request.answered(answers.as_deref());
        for (partition, epoch, markers) in again {
            if self.transactions.find_in_term(partition, LeaderEpoch(epoch)).is_some() {
                self.queue.retry(partition, epoch, markers);
            }
        }
        for (partition, epoch, markers) in settled {
            self.settle_markers(stage, partition, epoch, &markers);
        }
        self.arm_markers(stage, MARKERS_MS);
    }

    fn settle_markers(&mut self, stage: &mut Stage, partition: i32, epoch: i32, markers: &Markers) {
        let Some(hosted) = self.transactions.find_in_term(partition, LeaderEpoch(epoch)).cloned() else {
            return;
        };
        let now = stage.timestamp();
        self.with(stage, partition, &hosted, |shard| {
            let settled = markers.partitions.iter();
            settled.flat_map(|partition| shard.marker_settled(&markers.id, partition, now)).collect()
        });
        self.arm_markers(stage, MARKERS_MS);
    }

    /// WriteTxnMarkers.
    pub(super) fn write_markers(
        &mut self,
        stage: &mut Stage,
        from: Node,
        correlation: Correlation,
        request: &WriteMarkers,
    ) {
        let answers = request.markers.iter().map(|(_, _, markers)| vec![None; markers.partitions.len()]);
        self.marker_requests.insert(correlation, MarkerRequest { from, answers: answers.collect() });
        for (index, (_, epoch, markers)) in request.markers.iter().enumerate() {
            for (position, partition) in markers.partitions.iter().enumerate() {
                let at = (index, position);
                let answer = match Part::of(partition) {
                    Some(part) => self.write_marker(stage, part, (correlation, at), *epoch, markers),
                    None => Some(MarkerAnswer::Settled),
                };
                if let Some(answer) = answer {
                    self.answer_marker(stage, correlation, at, answer);
                }
            }
        }
    }

    fn write_marker(
        &mut self,
        stage: &mut Stage,
        part: Part,
        (correlation, at): (Correlation, (usize, usize)),
        epoch: i32,
        markers: &Markers,
    ) -> Option<MarkerAnswer> {
        let coordinator_epoch = match stage.is_mutant(CoordinationMutant::MarkersOfAnyCoordinator) {
            true => i32::MAX,
            false => epoch,
        };
        let author = Author { producer: markers.producer, base_sequence: -1 };
        let body = Body::Marker { commit: markers.commit, coordinator_epoch };
        let waiter = Waiter::Marker(correlation, at, (markers.producer.0, markers.commit));
        // Shorter than the coordinator waits, so that it hears of it.
        let timeout_ms = stage.scenario.request_timeout_ms / 2;
        let appended = self.append(
            stage,
            part,
            (Some(author), body),
            (AppendOrigin::Coordinator, None),
            Some((waiter, timeout_ms)),
        );
        match appended {
            Ok(_) => None,
            Err(NotAppended::Refused(Refusal::ProducerFenced | Refusal::CoordinatorFenced)) => {
                Some(MarkerAnswer::Fenced)
            }
            Err(_) => Some(MarkerAnswer::Retry),
        }
    }

    /// What became of one marker of a request; the last one lets the answer go.
    pub(super) fn answer_marker(
        &mut self,
        stage: &mut Stage,
        correlation: Correlation,
        (index, position): (usize, usize),
        answer: MarkerAnswer,
    ) {
        let Some(request) = self.marker_requests.get_mut(&correlation) else { return };
        if let Some(slot) = request.answers.get_mut(index).and_then(|answers| answers.get_mut(position)) {
            *slot = Some(answer);
        }
        let all: Option<Vec<Vec<MarkerAnswer>>> =
            request.answers.iter().map(|answers| answers.iter().copied().collect()).collect();
        if let Some(answers) = all {
            let from = request.from;
            self.marker_requests.remove(&correlation);
            stage.answer(self.id, from, correlation, Answer::Markers(answers));
        }
    }

    /// Whether every transaction that it coordinates is over.
    pub fn has_open_transactions(&mut self, stage: &Stage) -> bool {
        (0..stage.scenario.transactions_partitions).any(|partition| {
            self.find::<TransactionShard>(partition).is_ok_and(|hosted| match &hosted.borrow().phase {
                Phase::Serving(shard) => shard.list().any(|listed| {
                    use gregor_coordinator::transaction::TransactionState::{
                        Ongoing, PrepareAbort, PrepareCommit,
                    };
                    matches!(listed.state, Ongoing | PrepareCommit | PrepareAbort)
                }),
                Phase::New | Phase::Read(_) => false,
            })
        })
    }

    /// Whether it serves every partition of the coordinators' topics that it leads.
    pub fn serves_what_it_leads(&mut self) -> bool {
        let leading: Vec<Part> = self.leading.iter().copied().collect();
        leading.into_iter().all(|part| match part {
            Part::Offsets(partition) => {
                gregor_coordinator::group::GroupShard::ownership(self).find(partition).is_ok()
            }
            Part::Transactions(partition) => TransactionShard::ownership(self).find(partition).is_ok(),
            Part::Data(_) => true,
        })
    }
}

/// The mistake of not fencing producers: whoever asks is taken for the current one.
fn believe(
    stage: &Stage,
    hosted: &Hosted<TransactionShard>,
    id: &TransactionalId,
    producer: Producer,
) -> Producer {
    if !stage.is_mutant(CoordinationMutant::NoProducerFencing) {
        return producer;
    }
    match &hosted.borrow().phase {
        Phase::Serving(shard) => shard.describe(id).map_or(producer, |described| described.producer),
        Phase::New | Phase::Read(_) => producer,
    }
}
