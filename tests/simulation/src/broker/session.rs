//! A broker's side of its ZooKeeper session: connects, counts, sends again what was not answered, notices silence.
//!
//! Requests that a broken connection left unanswered are sent again, though the first attempt may have been done
//! (CONNECTIONLOSS); watches are set anew first, and whatever they guard counts as changed.

use std::collections::VecDeque;

use gregor_controller_machine::OperationId;
use gregor_model::{BrokerId, ControllerEpoch};

use crate::core::Core;
use crate::message::{Message, Node};
use crate::zookeeper::{
    ConnectionId, FromContent, FromZookeeper, SessionId, ToContent, ToZookeeper, ZkRequest,
};

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// Nothing to be done with the answer.
    None,
    /// Watches were set anew.
    Rewatched,
    /// Registration.
    Register,
    /// Who is the controller?
    ReadController,
    /// In which epoch? Asked to run for office.
    ReadEpoch,
    /// Asked to find out whether an unanswered candidacy won.
    ConfirmEpoch,
    /// Candidacy, for this epoch.
    Elect(ControllerEpoch),
    /// A part of an operation, in the term of that number.
    Operation(u64, OperationId),
}

/// See the module.
#[derive(Debug, Default)]
pub struct SessionClient {
    session: Option<SessionId>,
    connection: ConnectionId,
    connected: bool,
    next: u64,
    expected: u64,
    heard: i64,
    outstanding: VecDeque<(Tag, ZkRequest)>,
}

/// What a message from ZooKeeper means to the broker.
#[derive(Debug)]
pub enum Heard {
    /// A new session.
    Began,
    /// The old one is gone.
    Expired,
    /// An answer.
    Answer(Tag, crate::zookeeper::ZkAnswer),
    /// A watch event.
    Watched(crate::zookeeper::Watched),
    /// Nothing.
    Nothing,
}

impl SessionClient {
    /// The session, if there is one.
    pub fn session(&self) -> Option<SessionId> {
        self.session
    }

    /// Opens a connection.
    pub fn connect(&mut self, core: &mut Core, broker: BrokerId) {
        self.connection = core.correlation();
        self.connected = false;
        self.expected = 0;
        self.heard = core.now;
        let content = ToContent::Connect(self.session);
        let message = ToZookeeper { broker, connection: self.connection, number: 0, content };
        core.send(Node::Broker(broker), Node::Zookeeper, Message::ToZookeeper(message));
    }

    /// Asks for something; answers come in order.
    pub fn submit(&mut self, core: &mut Core, broker: BrokerId, tag: Tag, request: ZkRequest) {
        self.outstanding.push_back((tag, request.clone()));
        if self.connected {
            self.send(core, broker, request);
        }
    }

    fn send(&mut self, core: &mut Core, broker: BrokerId, request: ZkRequest) {
        let Some(session) = self.session else { return };
        let content = ToContent::Request(session, request);
        let message = ToZookeeper { broker, connection: self.connection, number: self.next, content };
        self.next += 1;
        core.send(Node::Broker(broker), Node::Zookeeper, Message::ToZookeeper(message));
    }

    /// Looks after the connection.
    pub fn tick(&mut self, core: &mut Core, broker: BrokerId) {
        let silent_ms = core.now - self.heard;
        let patience_ms = core.scenario.session_timeout_ms * 2 / 3;
        if !self.connected && silent_ms > 500 || silent_ms > patience_ms {
            self.connect(core, broker);
        } else if self.connected && !self.outstanding.iter().any(|(tag, _)| *tag == Tag::None) {
            self.submit(core, broker, Tag::None, ZkRequest::Ping);
        }
    }

    /// Takes a message in. `watch_all`: the broker is the controller.
    pub fn receive(
        &mut self,
        core: &mut Core,
        broker: BrokerId,
        message: FromZookeeper,
        watch_all: bool,
    ) -> Heard {
        if message.connection != self.connection {
            return Heard::Nothing;
        }
        if message.number != self.expected {
            // Something is missing: the connection is broken.
            self.connect(core, broker);
            return Heard::Nothing;
        }
        self.expected += 1;
        self.heard = core.now;
        match message.content {
            FromContent::Connected(session) => {
                let is_new = self.session.replace(session) != Some(session);
                self.connected = true;
                self.next = 1;
                if is_new {
                    self.outstanding.clear();
                    self.submit(core, broker, Tag::None, ZkRequest::Watch { controller: false });
                    return Heard::Began;
                }
                self.outstanding.retain(|(tag, _)| !matches!(tag, Tag::None | Tag::Rewatched));
                let rewatch = ZkRequest::Watch { controller: watch_all };
                self.outstanding.push_front((Tag::Rewatched, rewatch));
                for (_, request) in self.outstanding.clone() {
                    self.send(core, broker, request);
                }
                Heard::Nothing
            }
            FromContent::Expired => {
                self.session = None;
                self.outstanding.clear();
                self.connect(core, broker);
                Heard::Expired
            }
            FromContent::Answer(answer) => match self.outstanding.pop_front() {
                Some((tag, _)) => Heard::Answer(tag, answer),
                None => Heard::Nothing,
            },
            FromContent::Watched(watched) => Heard::Watched(watched),
        }
    }
}
