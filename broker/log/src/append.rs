//! What an append asks for and what it tells. Owned by the caller; holds no reference into the log.

use gregor_model::{LeaderEpoch, Offset, Timestamp};

/// What an append did (`LogAppendInfo`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendInfo {
    /// The offset given to the first record; for a duplicate, the one it has had since.
    /// `None` when there was no complete batch and so nothing to append.
    pub first_offset: Option<Offset>,
    /// The offset of the last record.
    pub last_offset: Option<Offset>,
    /// The largest record timestamp, if any record has one.
    pub max_timestamp: Option<Timestamp>,
    /// The broker's time, on topics with LogAppendTime; for a duplicate, the cached batch's timestamp.
    pub log_append_time: Option<Timestamp>,
    /// The log start offset after the append.
    pub log_start_offset: Offset,
    /// The leader epoch of the last batch, if it carries one.
    pub last_leader_epoch: Option<LeaderEpoch>,
    /// Bytes appended; 0 for a duplicate.
    pub appended_bytes: usize,
    /// The batch had been appended before: nothing was written.
    pub duplicate: bool,
    /// The log end offset after the append.
    pub log_end_offset: Offset,
}

impl AppendInfo {
    /// How many offsets the append took.
    pub fn offsets(&self) -> i64 {
        match (self.first_offset, self.last_offset) {
            (Some(first), Some(last)) => last - first + 1,
            _ => 0,
        }
    }
}
