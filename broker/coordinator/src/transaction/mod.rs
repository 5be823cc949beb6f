//! The transaction coordinator: one [`TransactionShard`] for each led partition of `__transaction_state`, the queue of
//! markers on their way to partition leaders, and the blocks of producer ids.
//!
//! Every transition has two halves: the target is appended first and shows only when that is committed; meanwhile
//! the id is *pending* and other requests are told CONCURRENT_TRANSACTIONS.

mod admin;
mod end;
mod error;
mod expiry;
mod init;
mod loader;
mod markers;
mod metadata;
mod partitions;
mod producer_ids;
mod request;
mod shard;

#[cfg(test)]
mod tests;

pub use error::TransactionError;
pub use loader::TransactionLoader;
pub use markers::{MarkerAnswer, MarkerQueue, MarkerTarget, SettledMarkers, WriteMarkers};
pub use metadata::TransactionState;
pub use partitions::Verified;
pub use producer_ids::{ProducerIdClaim, ProducerIds};
pub use request::{
    AddPartitions, DescribedTransaction, EndTransaction, InitProducer, ListedTransaction, Markers,
    TransactionEffect, TransactionRecord, TransactionReply, VerifyPartitions,
};
pub use shard::{TransactionConfig, TransactionShard};
