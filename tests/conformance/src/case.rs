//! One request in every version, and the ways to write many of them briefly.

use crate::side::Side;
use kafka_protocol::messages::{
    ApiKey, BrokerId, GroupId, RequestKind, ResponseKind, TopicName, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;

/// What a case asks: the request for a version, made for a side; none where the version has no such question.
pub type Build = Box<dyn Fn(i16, &Side) -> Option<RequestKind>>;
/// What later cases need of the answer.
pub type Remember = fn(&ResponseKind, &mut Side);

/// One request in every version of its API.
pub struct Case {
    /// The API.
    pub key: ApiKey,
    /// What is asked, in few words.
    pub name: &'static str,
    /// The broker it goes to; 0 is the controller.
    pub broker: usize,
    /// Makes the request.
    pub build: Build,
    /// Keeps what later cases need.
    pub remember: Option<Remember>,
}

impl Case {
    /// Asks broker 1, which is not the controller.
    pub fn of_broker_1(mut self) -> Case {
        self.broker = 1;
        self
    }

    /// Keeps something of the answer.
    pub fn remember(mut self, remember: Remember) -> Case {
        self.remember = Some(remember);
        self
    }
}

/// A case whose request depends on version and side.
pub fn case(
    key: ApiKey,
    name: &'static str,
    build: impl Fn(i16, &Side) -> Option<RequestKind> + 'static,
) -> Case {
    Case { key, name, broker: 0, build: Box::new(build), remember: None }
}

/// A case whose request is the same in each version that has all its fields.
pub fn plain(key: ApiKey, name: &'static str, request: impl Into<RequestKind>) -> Case {
    let request = request.into();
    case(key, name, move |_, _| Some(request.clone()))
}

/// A string of the protocol.
pub fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

/// A topic's name.
pub fn topic(name: &str) -> TopicName {
    TopicName(text(name))
}

/// A group's id.
pub fn group(id: &str) -> GroupId {
    GroupId(text(id))
}

/// A transactional id.
pub fn transactional(id: &str) -> TransactionalId {
    TransactionalId(text(id))
}

/// Brokers' ids.
pub fn ids(ids: &[i32]) -> Vec<BrokerId> {
    ids.iter().copied().map(BrokerId).collect()
}
