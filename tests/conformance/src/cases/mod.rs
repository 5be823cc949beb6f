//! What is asked, a file per family of APIs. Order matters within a file: each case finds the state the ones before it left, the
//! same on both sides. Topics: `plain` (two partitions on both brokers, led by 0 and by 1, ten records in the first),
//! `compacted`, `sequences`, and `doomed-N` for what changes.

mod cluster;
mod configs;
mod control;
mod groups;
mod partitions;
mod records;
mod security;
mod sequences;
mod topics;
mod transactions;

use crate::case::Case;
pub use records::{assignment, fill};
pub use sequences::TOPIC as SEQUENCES;

/// Every case, in the order to be asked.
pub fn all() -> Vec<Case> {
    [
        cluster::cases(),
        records::cases(),
        sequences::cases(),
        configs::cases(),
        topics::cases(),
        partitions::cases(),
        groups::cases(),
        transactions::cases(),
        security::cases(),
        control::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
