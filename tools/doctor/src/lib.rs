//! Examines data directories that no broker has open: batches, indexes, snapshots, epochs, checkpoints, and what ZooKeeper
//! says of them; and plans what would repair them.
//!
//! What is wrong, and what would be done and lost, is decided by pure code; [`examine`] reads, [`zookeeper`] reads, and
//! [`Step::perform`] alone changes anything.

mod checkpoint;
mod cluster;
mod epochs;
mod examine;
mod finding;
mod index;
mod internal_record;
mod lock;
mod loss;
mod meta;
mod partition;
mod scan;
mod segment;
mod step;
mod transactions;
pub mod zookeeper;

pub use cluster::{ClusterNodes, StateNode, TopicNode, compare};
pub use examine::{Examination, Options, examine};
pub use finding::{Finding, Kind, Repair};
pub use lock::DirectoryLocks;
pub use loss::{Loss, LostRecords};
pub use partition::Policy;
pub use step::Step;
