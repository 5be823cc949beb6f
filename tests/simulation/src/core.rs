//! The heart of the simulation: the time, the queue of what will happen, chance, network and trace. Everything that acts gets it handed.

use gregor_model::{BrokerId, Timestamp};

use crate::agenda::Agenda;
use crate::invariants::Checker;
use crate::message::{Answer, Correlation, Message, Node, Request};
use crate::missed_term::MissedTerm;
use crate::mutants::Mutant;
use crate::network::{Network, Order};
use crate::random::Random;
use crate::scenario::Scenario;
use crate::trace::Trace;

/// What a process of a broker set itself a clock for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// Speak to ZooKeeper.
    Session,
    /// `FollowerClocks::heartbeat`.
    Heartbeat,
    /// Shrink ISRs.
    Shrink,
    /// Write high watermarks.
    Checkpoint,
    /// A request was not answered.
    RequestTimeout(Correlation),
    /// A fetcher may go on.
    Fetcher(BrokerId),
    /// An empty answer to a fetch has waited long enough.
    FetchWait(Correlation),
    /// A produce request has waited long enough.
    ProduceWait(Correlation),
    /// Try AlterPartition again.
    AlterPartition,
    /// Send to this broker again.
    Channel(BrokerId),
    /// The controller learns that this broker refuses connections, or that it takes them.
    Refusal(BrokerId, bool),
    /// A timer of the controller, of its term of that number.
    Controller(u64),
    /// Try to register again.
    Register,
    /// The disk works again.
    DiskWorks,
    /// A log directory failed.
    DirFailed(usize),
    /// Ask again to be let go.
    ControlledShutdown,
}

/// What happens.
#[derive(Clone, Debug)]
pub enum Event {
    /// A message arrives.
    Deliver {
        /// From.
        from: Node,
        /// To.
        to: Node,
        /// What.
        message: Message,
    },
    /// A clock of a broker's process rings; the process is named by its number.
    Timer(BrokerId, u64, Timer),
    /// A client's next step.
    Client(usize),
    /// Sessions that were silent for too long expire.
    ExpireSessions,
    /// Operating systems write back.
    WriteBack,
    /// The next fault.
    Fault,
    /// A fault's second half.
    Undo(Undo),
    /// Controllers try to connect to this broker: down, or before this time, it seems to refuse.
    Refusal(BrokerId, i64),
    /// The next scene of [`crate::missed_term`].
    MissTerm(MissedTerm),
    /// The next act of the administrator.
    Administer,
    /// Look whether all is well.
    Check,
}

/// How a fault ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undo {
    /// Start a broker.
    Start(BrokerId),
    /// Let a paused one go on.
    Resume(BrokerId),
    /// Repair the log directories of a broker, and start it anew.
    RepairDirs(BrokerId),
    /// Repair the network.
    Heal,
}

/// See the module.
#[derive(Debug)]
pub struct Core {
    /// The true time, in milliseconds.
    pub now: i64,
    /// Chance.
    pub random: Random,
    /// What the seed decided.
    pub scenario: Scenario,
    /// The network.
    pub network: Network,
    /// What must hold.
    pub checker: Checker,
    /// The mistake that is made on purpose.
    pub mutant: Option<Mutant>,
    /// How many events there were.
    pub events: u64,
    agenda: Agenda<Event>,
    correlations: u64,
    story: Trace,
}

impl Core {
    /// A world in which nothing is going to happen yet.
    pub fn new(random: Random, scenario: Scenario, mutant: Option<Mutant>, verbose: bool) -> Core {
        Core {
            now: 1_000_000,
            random,
            checker: Checker::new(&scenario),
            scenario,
            network: Network::default(),
            mutant,
            events: 0,
            agenda: Agenda::default(),
            correlations: 0,
            story: Trace::new(verbose),
        }
    }

    /// The true time as the machines take it.
    pub fn timestamp(&self) -> Timestamp {
        Timestamp(self.now)
    }

    /// Whether this mistake is made.
    pub fn is_mutant(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// Lets something happen after so many milliseconds.
    pub fn after(&mut self, delay_ms: i64, event: Event) {
        self.agenda.note(self.now + delay_ms.max(0), event);
    }

    /// What happens next; the time moves there.
    pub fn take_next(&mut self) -> Option<Event> {
        let (at, event) = self.agenda.take_next()?;
        self.now = at;
        self.events += 1;
        Some(event)
    }

    /// A name for a request.
    pub fn correlation(&mut self) -> Correlation {
        self.correlations += 1;
        self.correlations
    }

    /// Sends a message, as far as the network lets it through.
    pub fn send(&mut self, from: Node, to: Node, message: Message) {
        if matches!(message, Message::Request(_, Request::Control(..))) && !self.network.hears(to) {
            return;
        }
        let order = match message {
            Message::Request(_, Request::Control(..) | Request::Produce(..)) => Order::Kept,
            Message::Request(_, Request::AlterPartition(_)) => Order::KeptOnce,
            _ => Order::Any,
        };
        let arrivals = self.network.arrivals(self.now, from, to, order, &mut self.random, &self.scenario);
        for at in arrivals.into_iter().flatten() {
            let message = message.clone();
            self.after(at - self.now, Event::Deliver { from, to, message });
        }
    }

    /// Sends a request.
    pub fn request(&mut self, from: Node, to: Node, request: Request) -> Correlation {
        let correlation = self.correlation();
        self.send(from, to, Message::Request(correlation, request));
        correlation
    }

    /// Sends an answer.
    pub fn answer(&mut self, from: Node, to: Node, correlation: Correlation, answer: Answer) {
        self.send(from, to, Message::Answer(correlation, answer));
    }

    /// Adds numbers to the trace's hash.
    pub fn mix(&mut self, numbers: &[u64]) {
        self.story.mix(numbers);
    }

    /// What the whole life came to.
    pub fn hash(&self) -> u64 {
        self.story.hash()
    }

    /// Prints a line of the trace, when one is wanted.
    pub fn trace(&self, line: impl FnOnce() -> String) {
        self.story.tell(self.now - 1_000_000, line);
    }
}
