//! The crate against a real ZooKeeper server: each test starts its own.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod fixture;
mod lost_answers;
mod registration;
mod session;
mod store;
mod watch;
