//! The controller: one event in, a list of effects out.
//!
//! An event is worked off as a stack of steps. A step that needs ZooKeeper leaves a continuation behind and the machine
//! rests until the outcome is given; events that come meanwhile wait in the queue. A step may put steps of its own in
//! front of the rest, so the order is the order in which Kafka's synchronous calls would run.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use gregor_model::{BrokerId, ControllerEpoch, Timestamp, TopicName};

use crate::batch::Batch;
use crate::config::ControllerConfig;
use crate::context::{Context, PartitionKey};
use crate::effect::{Effect, Notice};
use crate::event::{Event, LossReason};
use crate::operation::{Operation, OperationId, StoreFailure};
use crate::pending::Pending;
use crate::request::{Reply, RequestId};
use crate::statistics::ElectionTally;
use crate::step::{Continuation, Step};

/// The controller of one broker, active or not (`KafkaController`).
#[derive(Debug)]
pub struct Controller {
    pub(crate) config: ControllerConfig,
    /// Since when this broker has been the controller; `None` while it is not.
    active_since: Option<Timestamp>,
    /// Whether the failover is still under way.
    pub(crate) failing_over: bool,
    pub(crate) context: Context,
    pub(crate) batch: Batch,
    /// Outcome of the last transition to OnlinePartition.
    pub(crate) elections: BTreeMap<PartitionKey, Result<BrokerId, String>>,
    /// Partitions whose reassignment failed in the event in hand.
    pub(crate) failed_reassignments: BTreeSet<PartitionKey>,
    steps: Vec<Step>,
    waiting: Option<(OperationId, Continuation)>,
    backlog: VecDeque<Event>,
    /// Name of the event in hand, for notices.
    event: &'static str,
    /// The request in hand that is not answered yet.
    pending: Option<(RequestId, Pending)>,
    operations: u64,
    pub(crate) tally: ElectionTally,
    pub(crate) effects: Vec<Effect>,
}

impl Controller {
    /// A controller that is not active.
    pub fn new(config: ControllerConfig) -> Controller {
        Controller {
            config,
            active_since: None,
            failing_over: false,
            context: Context::default(),
            batch: Batch::default(),
            elections: BTreeMap::new(),
            failed_reassignments: BTreeSet::new(),
            steps: Vec::new(),
            waiting: None,
            backlog: VecDeque::new(),
            event: "",
            pending: None,
            operations: 0,
            tally: ElectionTally::default(),
            effects: Vec::new(),
        }
    }

    /// Takes an event in and says what to do.
    pub fn apply(&mut self, event: Event, now: Timestamp) -> Vec<Effect> {
        match event {
            Event::Lost(reason) => self.lose(reason),
            Event::Completed { id, outcome } => {
                if let Some((_, continuation)) = self.waiting.take_if(|(waiting, _)| *waiting == id) {
                    self.resume(continuation, outcome);
                }
            }
            event => self.backlog.push_back(event),
        }
        self.run(now);
        std::mem::take(&mut self.effects)
    }

    /// Whether this broker is the controller (from [`Event::Elected`] until [`Effect::Resigned`]).
    pub fn is_active(&self) -> bool {
        self.active_since.is_some()
    }

    /// Since when this broker has been the controller.
    pub fn active_since(&self) -> Option<Timestamp> {
        self.active_since
    }

    /// How many events wait; the shell stops reading requests while there are many.
    pub fn queued(&self) -> usize {
        self.backlog.len()
    }

    /// Whether the topic is queued for deletion (CreatePartitions answers INVALID_TOPIC_EXCEPTION then).
    pub fn is_queued_for_deletion(&self, topic: &TopicName) -> bool {
        self.context.topic_key(topic).is_some_and(|key| self.context.is_queued_for_deletion(key))
    }

    /// Whether any partition of the topic is being reassigned (CreatePartitions: REASSIGNMENT_IN_PROGRESS).
    pub fn is_being_reassigned(&self, topic: &TopicName) -> bool {
        let Some(key) = self.context.topic_key(topic) else { return false };
        self.context.partitions_of(key).iter().any(|partition| self.context.is_reassigning(*partition))
    }

    /// Takes over changed settings; they hold from the next event on.
    pub fn set_config(&mut self, config: ControllerConfig) {
        self.config = config;
    }

    fn run(&mut self, now: Timestamp) {
        while self.waiting.is_none() {
            if let Some(step) = self.steps.pop() {
                self.step(step);
            } else if let Some(event) = self.backlog.pop_front() {
                self.begin(event, now);
            } else {
                break;
            }
        }
    }

    /// Does these steps next, in this order, before what else is to be done.
    pub(crate) fn then<I>(&mut self, steps: I)
    where
        I: IntoIterator<Item = Step>,
        I::IntoIter: DoubleEndedIterator,
    {
        self.steps.extend(steps.into_iter().rev());
    }

    /// Asks for a ZooKeeper operation; the steps left wait for its outcome.
    pub(crate) fn store(&mut self, operation: Operation, continuation: impl Into<Continuation>) {
        let id = OperationId(self.operations);
        self.operations += 1;
        self.waiting = Some((id, continuation.into()));
        self.effects.push(Effect::Store { id, operation });
    }

    /// Puts an event of our own at the end of the queue.
    pub(crate) fn enqueue(&mut self, event: Event) {
        self.backlog.push_back(event);
    }

    /// Writes to the log.
    pub(crate) fn notice(&mut self, notice: Notice) {
        self.effects.push(Effect::Log(notice));
    }

    /// Sends what the batch holds.
    pub(crate) fn send_batch(&mut self) {
        self.batch.send(&self.context, &mut self.effects);
    }

    /// Notes the request in hand, so that it is answered whatever happens.
    pub(crate) fn expect_reply(&mut self, request: RequestId, pending: Pending) {
        self.pending = Some((request, pending));
    }

    /// Answers the request in hand.
    pub(crate) fn reply(&mut self, reply: Reply) {
        if let Some((request, _)) = self.pending.take() {
            self.effects.push(Effect::Reply { request, reply });
        }
    }

    /// Sets the name of the event in hand.
    pub(crate) fn name_event(&mut self, name: &'static str) {
        self.event = name;
    }

    /// Gives the event in hand up: Kafka logs the exception and goes on with the next event. A failover that cannot go
    /// on ends the term instead, so that someone is elected anew (`triggerControllerMove`).
    pub(crate) fn abandon(&mut self, failure: StoreFailure) {
        self.notice(Notice::EventAbandoned { event: self.event, failure });
        self.steps.clear();
        self.batch.clear();
        if let Some((request, pending)) = self.pending.take() {
            self.effects.push(Effect::Reply { request, reply: pending.failed() });
        }
        if self.failing_over {
            self.resign();
            self.effects.push(Effect::TriggerMove);
        }
    }

    /// Begins a term.
    pub(crate) fn take_office(&mut self, epoch: ControllerEpoch, now: Timestamp) {
        if self.is_active() {
            self.resign();
        }
        self.active_since = Some(now);
        self.failing_over = true;
        self.context.epoch = epoch;
    }

    fn lose(&mut self, _reason: LossReason) {
        if self.is_active() {
            self.resign();
        }
    }

    /// Ends the term (`onControllerResignation`): requests are answered, everything known is forgotten.
    fn resign(&mut self) {
        self.active_since = None;
        self.failing_over = false;
        self.context = Context::default();
        self.batch.clear();
        self.elections.clear();
        self.failed_reassignments.clear();
        self.steps.clear();
        self.waiting = None;
        if let Some((request, pending)) = self.pending.take() {
            self.effects.push(Effect::Reply { request, reply: pending.not_controller() });
        }
        for event in std::mem::take(&mut self.backlog) {
            if let Some((request, pending)) = Pending::of(&event) {
                self.effects.push(Effect::Reply { request, reply: pending.not_controller() });
            } else if matches!(event, Event::Elected { .. }) {
                self.backlog.push_back(event);
            }
        }
        self.effects.push(Effect::Resigned);
    }
}
