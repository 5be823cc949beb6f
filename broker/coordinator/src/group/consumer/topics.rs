//! The cluster's topics as consumer groups see them at one moment; the shell hands in a newer view when there is one.

use std::fmt;

use gregor_model::TopicName;

use crate::schema::consumer_group::SubscribedTopic;

/// An immutable view of the topics (`TopicsImage`).
pub trait Topics: Send + Sync {
    /// Differs between any two views of one broker.
    fn version(&self) -> u64;

    /// The topic, if it exists and has an id.
    fn find(&self, name: &TopicName) -> Option<SubscribedTopic>;
}

impl fmt::Debug for dyn Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Topics({})", self.version())
    }
}

/// A cluster of which nothing is known yet.
#[derive(Clone, Copy, Debug)]
pub struct NoTopics;

impl Topics for NoTopics {
    fn version(&self) -> u64 {
        0
    }

    fn find(&self, _name: &TopicName) -> Option<SubscribedTopic> {
        None
    }
}
