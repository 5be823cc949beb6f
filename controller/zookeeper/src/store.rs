//! Typed reads and writes of a cluster's znodes (`KafkaZkClient`), on top of [`Session`].
//!
//! Reads of many znodes go in multis of [`READ_BATCH`], writes in multis of [`WRITE_BATCH`], several in flight. What
//! the controller writes is fenced: each multi first checks the version that `/controller_epoch` got when it was
//! elected, so that a deposed controller changes nothing.

mod admin;
mod batch;
mod brokers;
mod configs;
mod consumers;
mod controller;
mod topics;

pub use admin::{ChangeReader, NumberedChild};
pub use batch::{FencedError, WriteUnit};
pub use brokers::RegisteredBroker;
pub use controller::{Candidacy, ControllerNode};
pub use topics::{StoredTopic, TopicWriteError};

use gregor_model::ZnodeVersion;

use crate::error::ZooKeeperError;
use crate::session::Session;

/// Znodes per multi read.
pub const READ_BATCH: usize = 256;
/// Units per multi write.
pub const WRITE_BATCH: usize = 200;

/// Proof of being the controller: the version of `/controller_epoch` after the election (`epochZkVersion`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fence(pub ZnodeVersion);

/// The znodes of a cluster.
#[derive(Clone)]
pub struct Store {
    session: Session,
}

impl Store {
    /// Through that session; a pinned one gives a store that is over with its session.
    pub fn new(session: Session) -> Store {
        Store { session }
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }
}

type Result<T, E = ZooKeeperError> = std::result::Result<T, E>;
