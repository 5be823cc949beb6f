//! Groups whose members are assigned to by the coordinator (KIP-848): ConsumerGroupHeartbeat (`ConsumerGroup`).
//!
//! A group is a fold over its records ([`state`]). A request makes records, which are applied at once; its answer is held
//! until they are committed, and so is every answer given meanwhile. Records that turn out not to be in the log are taken
//! back by their inverses ([`changes`]). Members come to own what the target gives them step by step ([`reconcile`]);
//! invariant: a partition is given to a member only when no other member owns it or has still to give it up.

pub mod assignor;
mod changes;
mod classic_member;
mod commit;
mod config;
mod describe;
mod heartbeat;
mod leave;
mod migration;
mod reconcile;
pub mod request;
mod shard;
mod state;
mod target;
mod topics;

pub use config::{ConsumerGroupConfig, MigrationPolicy};
pub use topics::{NoTopics, Topics};

pub(super) use changes::ConsumerWrite;
pub(super) use state::ConsumerGroup;
