//! What drives the machines: one task for each led partition of a coordinator topic, loading, and the gate in front.
//!
//! A partition's task owns its machine, so nothing is locked while it decides. Requests reach it through a bounded
//! queue; its appends run beside it and come back as calls of `appended`.

mod group;
mod load;
mod machine;
mod ownership;
mod partition;
mod partitions;
mod topic_log;
mod transaction;

#[cfg(test)]
mod tests;

pub use group::{FetchGroup, GroupCoordinator};
pub use machine::{AppendPlan, Loader, Machine, Step};
pub use ownership::{NotHere, Ownership};
pub use partition::{Handle, Unloaded};
pub use partitions::Partitions;
pub use topic_log::{LoadError, TopicAppend, TopicLog};
pub use transaction::{MarkerRoute, ProducerIdSource, TransactionCoordinator};
