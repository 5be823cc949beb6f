//! What any broker writes into ZooKeeper for an administrator (`AdminZkClient`): configs, with the notification that makes
//! every broker read them. Topics and their partitions are the server's, which has the metadata cache that these need.

mod configs;

pub use configs::{ConfigWriteError, change_configs};
