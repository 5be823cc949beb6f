//! Asking the controller to change ISRs, one request at a time (`AlterPartitionManager`).
//!
//! [`machine`] decides what is sent and what an answer means; [`task`] sends.

pub mod machine;
pub mod message;
pub(crate) mod task;
