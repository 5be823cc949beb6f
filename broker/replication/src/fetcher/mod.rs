//! Fetching from leaders: the rules per partition, and the tasks that do it (`AbstractFetcherThread`, `ReplicaFetcherManager`).
//!
//! [`machine`], [`truncation`], [`session`] and [`message`] are pure; `task` is one connection to one leader, `pool` owns the tasks.

mod local;
pub mod machine;
pub mod message;
pub(crate) mod pool;
mod reconcile;
pub mod session;
pub(crate) mod stats;
mod task;
pub mod truncation;
