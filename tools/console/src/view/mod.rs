//! What the page shows, a file per noun: questions to brokers, and their answers as plain values that become JSON.

mod brokers;
mod configs;
mod groups;
mod log_dirs;
mod member_assignment;
mod messages;
mod offsets;
mod topics;

pub(crate) use brokers::{BrokerView, ClusterView};
pub(crate) use groups::{GroupLine, GroupView};
pub(crate) use messages::{MessagesView, Wanted};
pub(crate) use topics::{TopicLine, TopicView};

use crate::ConsoleError;

/// Ok for code 0.
fn check(what: &'static str, code: i16) -> Result<(), ConsoleError> {
    if code == 0 { Ok(()) } else { Err(ConsoleError::Refused { what, code }) }
}
