//! Clients: members of groups, transactional producers, readers of committed records and of committed offsets.
//!
//! They do what the Java client and librdkafka do with each error, but give up sooner and crash more often.

mod assignment;
pub mod auditor;
pub mod member;
pub mod producer;
pub mod reader;
pub mod transactor;

use gregor_model::BrokerId;

use self::auditor::Auditor;
use self::member::Member;
use self::reader::Reader;
use self::transactor::Transactor;
use super::message::{Answer, Correlation, Message, Node, Request};
use super::stage::{ClientTimer, Event, Stage};

/// What a client is.
#[derive(Debug)]
pub enum Role {
    /// A member of a group.
    Member(Box<Member>),
    /// A producer with a transactional id.
    Transactor(Box<Transactor>),
    /// A read_committed consumer of every partition.
    Reader(Reader),
    /// One who looks at committed offsets.
    Auditor(Auditor),
}

/// A client's process.
#[derive(Debug)]
pub struct Client {
    /// Its number.
    pub number: usize,
    /// What it does.
    pub role: Role,
    /// Whether it is paused.
    pub is_paused: bool,
    inbox: Vec<Event>,
}

impl Client {
    /// A client, which begins soon.
    pub fn new(stage: &mut Stage, number: usize, role: Role) -> Client {
        let delay_ms = stage.random.between(50, 1_500);
        stage.after(delay_ms, Event::Client(number, ClientTimer::Step));
        Client { number, role, is_paused: false, inbox: Vec::new() }
    }

    /// It goes on after a pause.
    pub fn resume(&mut self, stage: &mut Stage) {
        self.is_paused = false;
        for event in std::mem::take(&mut self.inbox) {
            self.take(stage, event);
        }
    }

    /// Something happens to it.
    pub fn take(&mut self, stage: &mut Stage, event: Event) {
        if self.is_paused {
            self.inbox.push(event);
            return;
        }
        match event {
            Event::Deliver(_, _, Message::Answer(correlation, answer)) => {
                self.receive(stage, correlation, Some(answer));
            }
            Event::Client(_, ClientTimer::RequestTimeout(correlation)) => {
                self.receive(stage, correlation, None)
            }
            Event::Client(_, ClientTimer::Step) => {
                let step_ms = stage.random.between(1, stage.scenario.step_ms * 2);
                let step_ms = match self.role {
                    Role::Reader(_) | Role::Auditor(_) => 300,
                    Role::Member(_) | Role::Transactor(_) => step_ms,
                };
                stage.after(step_ms, Event::Client(self.number, ClientTimer::Step));
                self.step(stage);
            }
            _ => {}
        }
    }

    fn step(&mut self, stage: &mut Stage) {
        match &mut self.role {
            Role::Member(member) => member.step(stage),
            Role::Transactor(transactor) => transactor.step(stage),
            Role::Reader(reader) => reader.step(stage),
            Role::Auditor(auditor) => auditor.step(stage),
        }
    }

    fn receive(&mut self, stage: &mut Stage, correlation: Correlation, answer: Option<Answer>) {
        match &mut self.role {
            Role::Member(member) => member.receive(stage, correlation, answer),
            Role::Transactor(transactor) => transactor.receive(stage, correlation, answer),
            Role::Reader(reader) => reader.receive(stage, correlation, answer),
            Role::Auditor(auditor) => auditor.receive(correlation, answer),
        }
    }
}

/// Sends a request of a client, which will hear of it in so many milliseconds at the latest.
fn ask(stage: &mut Stage, client: usize, to: BrokerId, request: Request, timeout_ms: i64) -> Correlation {
    let correlation = stage.request(Node::Client(client), to, request);
    stage.after(timeout_ms, Event::Client(client, ClientTimer::RequestTimeout(correlation)));
    correlation
}

/// Any broker, to ask who leads what.
fn any_broker(stage: &mut Stage) -> BrokerId {
    let brokers = i64::from(stage.scenario.brokers);
    BrokerId(i32::try_from(stage.random.between(1, brokers)).unwrap_or(1))
}
