//! One partition as a simulated broker hosts it: its role and who waits for it.

use std::collections::BTreeSet;

use gregor_model::{BrokerId, LeaderEpoch, Offset, PartitionEpoch, Timestamp};
use gregor_replication::FollowerClocks;
use gregor_replication::partition::leader::{Followers, LeaderState};

use crate::message::{Correlation, Node};

/// A produce request that waits for the high watermark.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    /// Reached when the high watermark is here.
    pub until: Offset,
    /// Where its records are.
    pub base: Offset,
    /// Who asked.
    pub from: Node,
    /// And how the answer finds it.
    pub correlation: Correlation,
}

/// A leader's state.
#[derive(Debug)]
pub struct Leading {
    /// The product's.
    pub state: LeaderState,
    /// Who waits.
    pub waits: Vec<Wait>,
    /// In one mutant: the ISR that was proposed, taken for confirmed.
    pub assumed: Option<Vec<BrokerId>>,
}

/// What a broker is to a partition.
#[derive(Debug, Default)]
pub enum Role {
    /// Nothing yet.
    #[default]
    None,
    /// Its leader.
    Leader(Box<Leading>),
    /// A follower.
    Follower,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Partition {
    /// Leader, follower, or nothing.
    pub role: Role,
    /// The leader.
    pub leader: Option<BrokerId>,
    /// The term.
    pub leader_epoch: Option<LeaderEpoch>,
    /// The version of the state last applied.
    pub partition_epoch: Option<PartitionEpoch>,
    /// A log is there.
    pub has_log: bool,
    /// Its log directory failed.
    pub is_offline: bool,
}

impl Partition {
    /// The leader's state, where this broker leads.
    pub fn leading(&self) -> Option<&Leading> {
        match &self.role {
            Role::Leader(leading) => Some(leading),
            Role::None | Role::Follower => None,
        }
    }

    /// The same, to be changed.
    pub fn leading_mut(&mut self) -> Option<&mut Leading> {
        match &mut self.role {
            Role::Leader(leading) => Some(leading),
            Role::None | Role::Follower => None,
        }
    }

    /// Whether it is followed in that term.
    pub fn follows_in(&self, term: LeaderEpoch) -> bool {
        matches!(self.role, Role::Follower) && self.has_log && self.leader_epoch == Some(term)
    }
}

/// The other brokers at one moment.
pub struct Others<'a> {
    /// The followers' times.
    pub clocks: &'a FollowerClocks,
    /// Who is registered.
    pub live: &'a BTreeSet<BrokerId>,
    /// What the broker's clock shows.
    pub now: Timestamp,
}

impl Followers for Others<'_> {
    fn now(&self, follower: BrokerId) -> Timestamp {
        self.clocks.now(follower, self.now)
    }

    fn is_alive(&self, follower: BrokerId) -> bool {
        self.live.contains(&follower)
    }
}
