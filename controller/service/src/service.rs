//! The controller's task: candidacy, one queue, effects.
//!
//! It owns the machine and gives it one event at a time. The machine has at most one operation on ZooKeeper outstanding;
//! its outcome is given before anything newer, because nothing else is taken while many events wait, and because the
//! machine itself queues what comes meanwhile. The task never waits for a broker, and for ZooKeeper only while it stands
//! for election.

mod effects;
mod session;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant as StdInstant;

use futures::future::BoxFuture;
use gregor_controller_machine::{
    Controller, Event, LossReason, OperationId, Outcome, Reply, RequestId, Timer,
};
use gregor_model::{BrokerId, Timestamp};
use gregor_wire::client::Connect;
use gregor_zookeeper::watch::NodeWatch;
use gregor_zookeeper::{Generation, Node, Session, SessionStatus, ZooKeeperError};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::error;

use crate::channel::{Channel, ChannelContext, TermEvent};
use crate::environment::ControllerEnvironment;
use crate::handle::{Ask, ControllerHandle, TopicStanding};
use crate::metrics::{ControllerMetrics, state_of};
use crate::settings::ControllerSettings;
use crate::term::Term;
use crate::vigil::Vigil;

/// While so many events wait in the machine, no more are taken: their senders wait.
const BACKLOG_MAX: usize = 1_000;
/// How many events of watches and brokers may wait to be taken.
const EVENTS_MAX: usize = 1_000;

/// The controller of a broker, running. Stop it with [`ControllerService::stop`].
pub struct ControllerService {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl ControllerService {
    /// Starts standing for election. This broker is registered under the present session already.
    pub fn start(
        settings: ControllerSettings,
        session: &Session,
        connect: Arc<dyn Connect>,
        environment: Arc<dyn ControllerEnvironment>,
    ) -> (ControllerService, ControllerHandle) {
        let active = Arc::new(AtomicBool::new(false));
        let metrics = Arc::new(ControllerMetrics::default());
        let (handle, asks) = ControllerHandle::new(active.clone(), metrics.clone());
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let (events, term_events) = mpsc::channel(EVENTS_MAX);
        let worker = Worker {
            machine: Controller::new(settings.machine.clone()),
            metrics,
            settings,
            statuses: session.statuses(),
            generation: session.status().generation,
            session: session.clone(),
            connect,
            environment,
            active,
            office: None,
            candidacy: None,
            vigil: None,
            retry_at: None,
            renewal: None,
            operation: None,
            timer: None,
            replies: HashMap::new(),
            requests: 0,
            events,
            tasks: tasks.clone(),
        };
        tasks.spawn(worker.run(asks, term_events, stop.clone()));
        (ControllerService { stop, tasks }, handle)
    }

    /// Resigns, without telling anyone: `/controller` vanishes with the session, which the caller closes.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// What this broker has as controller.
struct Office {
    term: Arc<Term>,
    context: Arc<ChannelContext>,
    channels: HashMap<BrokerId, Channel>,
}

/// The watch on `/controller` on its way to its next read. It is kept from one input to the next, so that no flood of
/// other inputs keeps it from being read; and it is not started before what was read last has been dealt with.
type Candidacy = BoxFuture<'static, (NodeWatch, Result<Option<Node>, ZooKeeperError>)>;

type Operation = (OperationId, BoxFuture<'static, Result<Outcome, LossReason>>);

struct Worker {
    metrics: Arc<ControllerMetrics>,
    settings: ControllerSettings,
    machine: Controller,
    session: Session,
    statuses: watch::Receiver<SessionStatus>,
    // The session this broker is registered under.
    generation: Generation,
    connect: Arc<dyn Connect>,
    environment: Arc<dyn ControllerEnvironment>,
    active: Arc<AtomicBool>,
    office: Option<Office>,
    // The next read of `/controller`; none while this broker is not registered.
    candidacy: Option<Candidacy>,
    // Over the controller, while it is another broker.
    vigil: Option<Vigil>,
    // When to read `/controller` again after a failure.
    retry_at: Option<Instant>,
    // Registering under a new session.
    renewal: Option<BoxFuture<'static, Generation>>,
    operation: Option<Operation>,
    timer: Option<(Timer, Instant)>,
    replies: HashMap<RequestId, oneshot::Sender<Reply>>,
    requests: u64,
    events: mpsc::Sender<TermEvent>,
    tasks: TaskTracker,
}

/// What the task waits for.
enum Input {
    Session,
    Renewed(Generation),
    Controller(NodeWatch, Result<Option<Node>, ZooKeeperError>),
    Retry,
    Completed(OperationId, Result<Outcome, LossReason>),
    Timer(Timer),
    Event(TermEvent),
    Ask(StdInstant, Ask),
}

impl Worker {
    async fn run(
        mut self,
        mut asks: mpsc::Receiver<(StdInstant, Ask)>,
        mut events: mpsc::Receiver<TermEvent>,
        stop: CancellationToken,
    ) {
        self.candidacy = Some(self.watch_controller());
        loop {
            let room = self.machine.queued() < BACKLOG_MAX;
            let input = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = self.statuses.changed() => Input::Session,
                generation = optional(self.renewal.as_mut()) => Input::Renewed(generation),
                (id, result) = completed(self.operation.as_mut()) => Input::Completed(id, result),
                (watch, node) = optional(self.candidacy.as_mut()) => Input::Controller(watch, node),
                () = reached(self.retry_at) => Input::Retry,
                timer = elapsed(self.timer) => Input::Timer(timer),
                input = work(&mut events, &mut asks), if room => input,
            };
            let begun = StdInstant::now();
            match &input {
                Input::Event(TermEvent { at, .. }) | Input::Ask(at, _) => {
                    self.metrics.queued(begun.saturating_duration_since(*at));
                }
                _ => {}
            }
            // ZooKeeper may keep an election waiting for as long as it is away.
            if stop.run_until_cancelled(self.handle(input)).await.is_none() {
                break;
            }
            self.metrics.processed(begun.elapsed());
            let waiting = self.machine.queued() + events.len() + asks.len();
            self.metrics.event_queue_size.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        }
        self.apply(Event::Lost(LossReason::Shutdown)).await;
    }

    async fn handle(&mut self, input: Input) {
        match input {
            Input::Session => self.on_session().await,
            Input::Renewed(generation) => self.on_renewed(generation),
            Input::Controller(watch, node) => {
                self.candidacy = Some(session::read(watch));
                self.on_controller(node).await;
            }
            Input::Retry => self.on_retry(),
            Input::Completed(id, result) => self.on_completed(id, result).await,
            Input::Timer(timer) => {
                self.timer = None;
                self.apply(Event::TimerFired(timer)).await;
            }
            Input::Event(TermEvent { controller_epoch, event, .. }) => {
                if self.office.as_ref().is_some_and(|office| office.term.epoch == controller_epoch) {
                    self.apply(event).await;
                }
            }
            Input::Ask(_, ask) => self.on_ask(ask).await,
        }
    }

    /// Gives the machine an event and does what it says.
    async fn apply(&mut self, event: Event) {
        // What comes while an operation is on its way waits in the machine.
        if let (None, Some(state)) = (&self.operation, state_of(&event)) {
            self.metrics.state.set(state);
        }
        let before = self.machine.elections();
        let effects = self.machine.apply(event, Timestamp::now());
        let held = self.machine.elections();
        self.metrics.leader_elections.add(held.leaders - before.leaders);
        self.metrics.unclean_leader_elections.add(held.unclean - before.unclean);
        self.perform(effects).await;
        if self.operation.is_none() {
            self.metrics.state.set(0);
        }
    }

    async fn on_completed(&mut self, id: OperationId, result: Result<Outcome, LossReason>) {
        self.operation = None;
        match result {
            Ok(outcome) => self.apply(Event::Completed { id, outcome }).await,
            Err(reason) => {
                self.lose(reason).await;
                self.read_controller_again();
            }
        }
    }

    async fn on_ask(&mut self, ask: Ask) {
        match ask {
            Ask::Request(event, reply) => {
                self.requests += 1;
                let id = RequestId(self.requests);
                self.replies.insert(id, reply);
                self.apply(event(id)).await;
            }
            Ask::Event(event) => self.apply(event).await,
            Ask::Standing(topic, answer) => {
                let standing = TopicStanding {
                    queued_for_deletion: self.machine.is_queued_for_deletion(&topic),
                    being_reassigned: self.machine.is_being_reassigned(&topic),
                };
                // The asker may have gone.
                let _ = answer.send(standing);
            }
            Ask::Statistics(answer) => {
                let _ = answer.send(self.machine.statistics());
            }
            Ask::Config(config) => {
                self.settings.machine = config.clone();
                self.machine.set_config(config);
            }
        }
    }
}

/// An event or a request, whichever comes; neither can hold the other up.
async fn work(events: &mut mpsc::Receiver<TermEvent>, asks: &mut mpsc::Receiver<(StdInstant, Ask)>) -> Input {
    tokio::select! {
        Some(event) = events.recv() => Input::Event(event),
        Some((at, ask)) = asks.recv() => Input::Ask(at, ask),
        // The handles are gone, and this task itself holds a sender of events.
        else => std::future::pending().await,
    }
}

/// Waits for ever when there is nothing to wait for.
async fn optional<T>(future: Option<&mut BoxFuture<'static, T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

async fn completed(operation: Option<&mut Operation>) -> (OperationId, Result<Outcome, LossReason>) {
    match operation {
        Some((id, future)) => (*id, future.await),
        None => std::future::pending().await,
    }
}

async fn reached(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

async fn elapsed(timer: Option<(Timer, Instant)>) -> Timer {
    match timer {
        Some((timer, at)) => {
            tokio::time::sleep_until(at).await;
            timer
        }
        None => std::future::pending().await,
    }
}

/// An operation in a task of its own, so that it makes progress whatever this one does.
fn in_task(
    tasks: &TaskTracker,
    work: impl Future<Output = Result<Outcome, LossReason>> + Send + 'static,
) -> BoxFuture<'static, Result<Outcome, LossReason>> {
    let task = tasks.spawn(work);
    Box::pin(async move {
        task.await.unwrap_or_else(|failed| {
            error!(%failed, "an operation on ZooKeeper broke");
            Err(LossReason::ControllerMoved)
        })
    })
}
