//! The group coordinator: one [`GroupShard`] for each led partition of `__consumer_offsets`.
//!
//! A request changes at once only what dies with the broker (who is a member, who waits); committed offsets and
//! assignments change when the shell reports that their records are committed. `loader` folds the same records
//! after a failover.

mod admin;
mod classic;
mod commit;
mod config;
pub mod consumer;
mod dispatch;
mod error;
mod expiry;
mod loaded_offsets;
mod loader;
mod offsets;
pub mod request;
mod shard;
mod state;
mod timers;
mod turn;

#[cfg(test)]
mod tests;

pub use config::GroupConfig;
pub use error::{AppendFailure, GroupError};
pub use loader::GroupLoader;
pub use shard::GroupShard;
