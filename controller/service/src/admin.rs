//! What any broker writes into ZooKeeper for an administrator (`AdminZkClient`): partitions added to a topic, and configs
//! with the notification that makes every broker read them. Creating and deleting topics is the server's, which has the
//! metadata cache that these need.

mod configs;
mod partitions;

pub use configs::{ConfigWriteError, change_configs};
pub use partitions::{AddPartitionsError, AddedPartitions, NewPartitions, add_partitions};
