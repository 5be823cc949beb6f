//! Looking up offsets by time (ListOffsets).

use gregor_model::{LeaderEpoch, Offset, Timestamp};

/// What ListOffsets asks for; the wire's special timestamps are -2 to -5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampQuery {
    /// -2: the log start offset.
    Earliest,
    /// -1: the log end offset. (Which bound a consumer is told instead is for the caller to choose.)
    Latest,
    /// -3: the record with the largest timestamp.
    MaxTimestamp,
    /// -4: the first offset on local disk; the log start offset, as nothing is tiered.
    EarliestLocal,
    /// -5: the last tiered offset: never one.
    LatestTiered,
    /// The first record whose timestamp is at or after this.
    At(Timestamp),
}

impl TimestampQuery {
    /// The query of a wire timestamp, or `None` for negative values that mean nothing.
    pub fn from_wire(timestamp: i64) -> Option<TimestampQuery> {
        match timestamp {
            -1 => Some(TimestampQuery::Latest),
            -2 => Some(TimestampQuery::Earliest),
            -3 => Some(TimestampQuery::MaxTimestamp),
            -4 => Some(TimestampQuery::EarliestLocal),
            -5 => Some(TimestampQuery::LatestTiered),
            0.. => Some(TimestampQuery::At(Timestamp(timestamp))),
            _ => None,
        }
    }
}

/// What was found (`TimestampAndOffset`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedOffset {
    /// The record's timestamp, for queries by timestamp.
    pub timestamp: Option<Timestamp>,
    /// The offset; `None` is the wire's -1.
    pub offset: Option<Offset>,
    /// The leader epoch the record was written in, if known.
    pub leader_epoch: Option<LeaderEpoch>,
}
