//! Moving replicas between log directories: which partition is next, and the tasks that copy (`ReplicaAlterLogDirsManager`,
//! `ReplicaAlterLogDirsThread`). What copying means for one partition is in `hosted_partition`.

pub mod queue;
pub(crate) mod task;
