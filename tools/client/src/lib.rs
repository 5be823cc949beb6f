//! A producer and a consumer, for the data tools and the benchmarks, after Kafka's Java client.
//!
//! What is sent and given are whole record batches, so that no record costs an allocation. Decisions (batching, retries,
//! sequences, assignment, which batches are visible) are pure and stand in modules of their own; tasks around them only move
//! bytes. Memory is bounded: by `buffer.memory` when producing, by `fetch.max.bytes` per broker when consuming.

pub mod cluster;
pub mod config;
pub mod consumer;
mod error;
mod error_code;
pub mod partitioner;
pub mod producer;

pub use error::Error;
pub use error_code::ErrorCode;
