//! Who gets which partitions: pure functions over subscriptions, previous targets and partition counts.
//!
//! Invariant: every partition of a topic that somebody subscribes to goes to exactly one of its subscribers.

mod range;
mod uniform;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use gregor_model::TopicId;

use crate::{Assignment, InstanceId, MemberId};

/// A strategy that assigns (`ConsumerGroupPartitionAssignor`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Assignor {
    /// As many partitions for everyone, moving as few as possible.
    #[default]
    Uniform,
    /// Of each topic a range of partitions for everyone, the same range of each topic where topics are alike.
    Range,
}

/// A member to assign to.
#[derive(Clone, Debug)]
pub struct Subscriber<'a> {
    /// Its id.
    pub member: &'a MemberId,
    /// `group.instance.id`.
    pub instance: Option<&'a InstanceId>,
    /// The topics it subscribes to, of those that exist.
    pub topics: BTreeSet<TopicId>,
    /// What it was to own until now.
    pub target: &'a Assignment,
}

impl Assignor {
    /// The name that members ask for it by.
    pub fn name(self) -> &'static str {
        match self {
            Assignor::Uniform => "uniform",
            Assignor::Range => "range",
        }
    }

    /// The assignor that `group.consumer.assignors` names by its class.
    pub fn of_class(class: &str) -> Option<Assignor> {
        match class {
            "org.apache.kafka.coordinator.group.assignor.UniformAssignor" => Some(Assignor::Uniform),
            "org.apache.kafka.coordinator.group.assignor.RangeAssignor" => Some(Assignor::Range),
            _ => None,
        }
    }

    /// What each subscriber is to own, in their order; `partitions` has the partition count of every topic subscribed to.
    pub fn assign(
        self,
        subscribers: &[Subscriber<'_>],
        partitions: &BTreeMap<TopicId, i32>,
    ) -> Vec<Assignment> {
        match self {
            Assignor::Uniform => uniform::assign(subscribers, partitions),
            Assignor::Range => range::assign(subscribers, partitions),
        }
    }
}
