//! Values shared by every crate: ids, epochs, offsets, partitions and what the controller says of them.
//!
//! Nothing here does IO (only `Timestamp::now` and [`SteadyClock`], for shells, read clocks), and nothing depends on another crate of ours. On the wire and in files
//! many of these are plain integers where -1 means "none"; that -1 becomes an `Option` where bytes are decoded,
//! and nowhere else.

mod assignment;
mod broker;
mod cluster_id;
mod epoch;
mod leadership;
mod offset;
mod producer;
mod time;
mod topic;

pub use assignment::ReplicaAssignment;
pub use broker::{
    BrokerEndpoints, BrokerId, EndPoint, ListenerName, SecurityProtocol, UnknownSecurityProtocol,
};
pub use cluster_id::ClusterId;
pub use epoch::{BrokerEpoch, ControllerEpoch, LeaderEpoch, PartitionEpoch, ZnodeVersion};
pub use leadership::{LeaderAndIsr, LeaderRecoveryState};
pub use offset::Offset;
pub use producer::{ProducerEpoch, ProducerId, Sequence};
pub use time::{SteadyClock, Timestamp};
pub use topic::{InvalidTopicName, TopicId, TopicName, TopicPartition, has_collision_chars, names_collide};
