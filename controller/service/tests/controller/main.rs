//! The controller service against a real ZooKeeper server and brokers that the test plays.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod brokers;
#[path = "../../../zookeeper/tests/zookeeper/fixture.rs"]
#[allow(dead_code, reason = "each user of the fixture needs a part of it")]
mod fixture;
mod terms;
mod topics;
