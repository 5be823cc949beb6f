//! ZooKeeper: an ensemble that behaves as one server, with sessions, connections, watches and zxids.
//!
//! A client's requests are done in the order sent, and its answers and watch events come in the order made, as long as its
//! connection lasts. A message that is lost ends the connection: both sides count, and refuse what comes after a gap. Watches go
//! with the connection. Ephemeral nodes go with the session.

mod store;

use std::collections::BTreeMap;

use gregor_controller_machine::{BrokerRegistration, Operation, Outcome, Snapshot};
use gregor_model::{BrokerEpoch, BrokerId, ControllerEpoch, TopicName, ZnodeVersion};

pub use store::{StateChange, Store};

/// A session's name.
pub type SessionId = u64;

/// A connection's name; a client's later ones have larger ones.
pub type ConnectionId = u64;

/// What a client does in one step; writes may be fenced with the version that `/controller_epoch` must have.
#[derive(Clone, Debug)]
pub enum ZkRequest {
    /// Keeps the session alive.
    Ping,
    /// Watches `/controller`, and all that a controller watches if that is wanted.
    Watch {
        /// The controller's watches too.
        controller: bool,
    },
    /// Creates `/brokers/ids/<id>`, ephemeral.
    Register(BrokerRegistration),
    /// Reads `/controller`.
    ReadController,
    /// Reads `/controller_epoch`.
    ReadControllerEpoch,
    /// Creates `/controller`, ephemeral, if `/controller_epoch` has that version, and raises it.
    Elect(BrokerId, ControllerEpoch, ZnodeVersion),
    /// Creates a child of `/log_dir_event_notification`.
    NotifyLogDirFailure(BrokerId),
    /// Deletes `/controller`, fenced.
    DeleteController(ZnodeVersion),
    /// One of the reads that make up [`Operation::LoadContext`].
    SnapshotPart(u8),
    /// An operation of the controller, with its epoch and what fences it.
    Perform(Operation, ControllerEpoch, ZnodeVersion),
}

/// How a step ended.
#[derive(Clone, Debug)]
pub enum ZkAnswer {
    /// Done.
    Done,
    /// The watches are set; these topics exist.
    Watching(Vec<TopicName>),
    /// Registered; that is the broker epoch.
    Registered(BrokerEpoch),
    /// NODEEXISTS: somebody's node is there.
    Exists,
    /// BADVERSION.
    BadVersion,
    /// `/controller`: who, and by which session.
    Controller(Option<(BrokerId, SessionId)>),
    /// `/controller_epoch`.
    ControllerEpoch(ControllerEpoch, ZnodeVersion),
    /// Elected; the new version of `/controller_epoch`.
    Elected(ZnodeVersion),
    /// A part of the snapshot: only that part is filled in.
    Snapshot(Box<Snapshot>),
    /// Of an operation.
    Outcome(Outcome),
    /// The fence was in the way: this controller was deposed.
    Fenced,
}

/// A watch event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watched {
    /// `/controller` was created or deleted.
    Controller,
    /// Children of `/brokers/ids`.
    Brokers,
    /// Children of `/brokers/topics`.
    Topics,
    /// Data of a topic.
    Topic(TopicName),
    /// Children of `/admin/delete_topics`.
    Deletions,
    /// Children of `/log_dir_event_notification`.
    LogDirs,
}

/// From a client.
#[derive(Clone, Debug)]
pub struct ToZookeeper {
    /// Who.
    pub broker: BrokerId,
    /// On which connection.
    pub connection: ConnectionId,
    /// Its number on the connection; 0 opens it.
    pub number: u64,
    /// What.
    pub content: ToContent,
}

/// See [`ToZookeeper`].
#[derive(Clone, Debug)]
pub enum ToContent {
    /// Opens a connection; without a session a new one is made.
    Connect(Option<SessionId>),
    /// A request of that session.
    Request(SessionId, ZkRequest),
}

/// To a client.
#[derive(Clone, Debug)]
pub struct FromZookeeper {
    /// On which connection.
    pub connection: ConnectionId,
    /// Its number on the connection.
    pub number: u64,
    /// What.
    pub content: FromContent,
}

/// See [`FromZookeeper`].
#[derive(Clone, Debug)]
pub enum FromContent {
    /// The connection is open, for that session.
    Connected(SessionId),
    /// The session asked for is no more.
    Expired,
    /// An answer; answers come in the order of the requests.
    Answer(ZkAnswer),
    /// Something watched changed.
    Watched(Watched),
}

#[derive(Debug)]
struct Session {
    broker: BrokerId,
    connection: ConnectionId,
    /// What the client sends next.
    expected: u64,
    /// What is sent to it next.
    next: u64,
    /// A message was lost: nothing is taken on this connection any more.
    broken: bool,
    heard: i64,
    watches_controller: bool,
    watches_all: bool,
    /// The connection breaks when it is to be told of a change.
    loses_next_watch: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Zookeeper {
    /// The tree.
    pub store: Store,
    sessions: BTreeMap<SessionId, Session>,
    next_session: SessionId,
    out: Vec<(BrokerId, FromZookeeper)>,
}

impl Zookeeper {
    /// What is to be sent.
    pub fn take_messages(&mut self) -> Vec<(BrokerId, FromZookeeper)> {
        std::mem::take(&mut self.out)
    }

    /// Whether the session lives.
    pub fn is_alive(&self, session: SessionId) -> bool {
        self.sessions.contains_key(&session)
    }

    /// The sessions of a broker.
    pub fn sessions_of(&self, broker: BrokerId) -> Vec<SessionId> {
        self.sessions.iter().filter(|(_, s)| s.broker == broker).map(|(id, _)| *id).collect()
    }

    fn say(&mut self, session: SessionId, content: FromContent) {
        if let Some(known) = self.sessions.get_mut(&session)
            && !known.broken
        {
            let message = FromZookeeper { connection: known.connection, number: known.next, content };
            known.next += 1;
            self.out.push((known.broker, message));
        }
    }

    /// Takes a message in.
    pub fn receive(&mut self, now: i64, message: ToZookeeper) {
        match message.content {
            ToContent::Connect(session) => self.connect(now, message.broker, message.connection, session),
            ToContent::Request(session, request) => {
                let Some(known) = self.sessions.get_mut(&session) else { return };
                if known.connection != message.connection || known.broken {
                    return;
                }
                if known.expected != message.number {
                    known.broken = true;
                    return;
                }
                known.expected += 1;
                known.heard = now;
                let answer = self.perform(session, request);
                self.fire();
                self.say(session, FromContent::Answer(answer));
            }
        }
    }

    fn connect(&mut self, now: i64, broker: BrokerId, connection: ConnectionId, session: Option<SessionId>) {
        let id = match session {
            Some(id) if !self.sessions.contains_key(&id) => {
                let content = FromContent::Expired;
                self.out.push((broker, FromZookeeper { connection, number: 0, content }));
                return;
            }
            Some(id) => id,
            None => {
                self.next_session += 1;
                self.next_session
            }
        };
        if self.sessions.get(&id).is_some_and(|known| known.connection > connection) {
            return;
        }
        let fresh = Session {
            broker,
            connection,
            expected: 1,
            next: 0,
            broken: false,
            heard: now,
            watches_controller: false,
            watches_all: false,
            loses_next_watch: false,
        };
        self.sessions.insert(id, fresh);
        self.say(id, FromContent::Connected(id));
    }

    /// Ends sessions that were silent for too long.
    pub fn expire(&mut self, now: i64, timeout_ms: i64) {
        let silent = self.sessions.iter().filter(|(_, s)| now - s.heard > timeout_ms);
        let silent: Vec<SessionId> = silent.map(|(id, _)| *id).collect();
        for session in silent {
            self.end_session(session);
        }
    }

    /// Ends a session; its ephemeral nodes go.
    pub fn end_session(&mut self, session: SessionId) {
        self.sessions.remove(&session);
        self.store.end_session(session);
        self.fire();
    }

    /// Breaks a client's connection, and with it its watches.
    pub fn break_connection(&mut self, session: SessionId) {
        if let Some(known) = self.sessions.get_mut(&session) {
            known.broken = true;
        }
    }

    /// The next watch event is lost, and its connection with it.
    pub fn lose_next_watch(&mut self, session: SessionId) {
        if let Some(known) = self.sessions.get_mut(&session) {
            known.loses_next_watch = true;
        }
    }

    /// Tells those who watch what changed.
    pub fn fire(&mut self) {
        for watched in self.store.take_changes() {
            let concerned = |s: &Session| match watched {
                Watched::Controller => s.watches_controller,
                _ => s.watches_all,
            };
            let to: Vec<SessionId> =
                self.sessions.iter().filter(|(_, s)| concerned(s)).map(|(id, _)| *id).collect();
            for session in to {
                if let Some(known) = self.sessions.get_mut(&session) {
                    known.broken |= known.loses_next_watch;
                }
                self.say(session, FromContent::Watched(watched.clone()));
            }
        }
    }

    fn perform(&mut self, session: SessionId, request: ZkRequest) -> ZkAnswer {
        match request {
            ZkRequest::Ping => ZkAnswer::Done,
            ZkRequest::Watch { controller } => {
                if let Some(known) = self.sessions.get_mut(&session) {
                    known.watches_controller = true;
                    known.watches_all |= controller;
                }
                ZkAnswer::Watching(self.store.topics.keys().cloned().collect())
            }
            ZkRequest::Register(registration) => self.store.register(session, registration),
            ZkRequest::ReadController => ZkAnswer::Controller(self.store.controller),
            ZkRequest::ReadControllerEpoch => {
                let (epoch, version) = self.store.controller_epoch;
                ZkAnswer::ControllerEpoch(epoch, version)
            }
            ZkRequest::Elect(broker, epoch, version) => self.store.elect(session, broker, epoch, version),
            ZkRequest::NotifyLogDirFailure(broker) => {
                self.store.notify_log_dir_failure(broker);
                ZkAnswer::Done
            }
            ZkRequest::DeleteController(fence) => self.store.delete_controller(fence),
            ZkRequest::SnapshotPart(part) => {
                if part == 0
                    && let Some(known) = self.sessions.get_mut(&session)
                {
                    known.watches_all = true;
                }
                ZkAnswer::Snapshot(Box::new(self.store.snapshot_part(part)))
            }
            ZkRequest::Perform(operation, epoch, fence) => self.store.perform(operation, epoch, fence),
        }
    }
}
