//! Replica managers of several brokers in one process: real logs in temporary directories, no network, and a controller that is a test.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod acks;
mod bulk;
mod chaos;
mod control;
mod failover;
mod fetching;
mod harness;
mod isr;
mod moves;
mod quotas;
mod restart;
