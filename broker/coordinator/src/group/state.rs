//! One group of the shard: who its members are, and what it has committed.

use gregor_model::{Timestamp, TopicName};

use super::GroupError;
use super::classic::{ClassicGroup, ClassicState};
use super::consumer::ConsumerGroup;
use super::offsets::Offsets;
use super::request::ListedGroup;
use super::turn::Turn;
use crate::GroupId;
use crate::schema::offset::OffsetValue;

/// A group (`Group`).
#[derive(Debug)]
pub(super) struct Group {
    pub(super) id: GroupId,
    pub(super) kind: Kind,
    pub(super) offsets: Offsets,
    /// To be dropped by the shard: deleted, expired, or moved to another broker.
    pub(super) gone: bool,
}

/// Which protocol a group's members follow.
#[derive(Debug)]
pub(super) enum Kind {
    /// Members assign among themselves; also groups without members that only commit.
    Classic(Box<ClassicGroup>),
    /// The coordinator assigns.
    Consumer(Box<ConsumerGroup>),
}

impl Group {
    /// A group without members.
    pub(super) fn new(id: GroupId, now: Timestamp) -> Group {
        Group::of_classic(ClassicGroup::new(id, now))
    }

    pub(super) fn of_classic(classic: ClassicGroup) -> Group {
        Group::of(classic.id.clone(), Kind::Classic(Box::new(classic)))
    }

    pub(super) fn of_consumers(group: ConsumerGroup) -> Group {
        Group::of(group.id.clone(), Kind::Consumer(Box::new(group)))
    }

    fn of(id: GroupId, kind: Kind) -> Group {
        Group { id, kind, offsets: Offsets::default(), gone: false }
    }

    /// Whether a consumer group came to nothing: no record of it was written.
    pub(super) fn is_vacant(&self) -> bool {
        match &self.kind {
            Kind::Classic(_) => false,
            Kind::Consumer(group) => group.is_vacant() && self.offsets.is_empty(),
        }
    }

    /// Whether the group has no members.
    pub(super) fn is_empty(&self) -> bool {
        match &self.kind {
            Kind::Classic(classic) => classic.state == ClassicState::Empty,
            Kind::Consumer(group) => group.size() == 0,
        }
    }

    /// Whether a member subscribes to the topic; unknown subscriptions count as all topics.
    pub(super) fn is_subscribed(&self, topic: &TopicName) -> bool {
        match &self.kind {
            Kind::Classic(classic) => classic.state != ClassicState::Empty && classic.is_subscribed(topic),
            Kind::Consumer(group) => group.is_subscribed(topic),
        }
    }

    /// Whether an offset has outlived its retention.
    pub(super) fn is_expired(
        &self,
        topic: &TopicName,
        value: &OffsetValue,
        now: Timestamp,
        retention_ms: i64,
    ) -> bool {
        let base = match &self.kind {
            Kind::Classic(classic) => classic.expires_from(topic, value),
            Kind::Consumer(group) => (!group.is_subscribed(topic)).then_some(value.committed_at),
        };
        match (base, value.expires_at) {
            (None, _) => false,
            (Some(_), Some(expires_at)) => now >= expires_at,
            (Some(base), None) => now - base >= retention_ms,
        }
    }

    /// The group is no longer this broker's, or is deleted: whoever waits is told.
    pub(super) fn die(&mut self, turn: &mut Turn<'_>, error: GroupError) {
        self.gone = true;
        match &mut self.kind {
            Kind::Classic(classic) => classic.die(turn, error),
            Kind::Consumer(group) => group.stop_all_timers(turn),
        }
    }

    /// The group as ListGroups tells it.
    pub(super) fn list(&self) -> ListedGroup {
        match &self.kind {
            Kind::Classic(classic) => classic.list(),
            Kind::Consumer(group) => group.list(),
        }
    }
}
