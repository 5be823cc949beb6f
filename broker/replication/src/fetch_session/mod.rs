//! Incremental fetch sessions on the leader's side (KIP-227, `FetchSession`).
//!
//! A request handler begins a [`FetchContext`] with what the request says, fetches [`FetchContext::partitions`], and ends it with the
//! results: what has to be answered comes back. Rules are pure; the cache has one short lock per shard and one per session.

mod cache;
mod context;
mod session;

pub use cache::FetchSessionCache;
pub use context::{FetchContext, SessionAnswer, SessionRequest};
pub use session::{PartitionSummary, SessionPartition};

/// Why a fetch is answered at the top, without partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchSessionError {
    /// FETCH_SESSION_ID_NOT_FOUND: closed, evicted, or never there.
    #[error("fetch session {0} is not known")]
    IdNotFound(i32),
    /// INVALID_FETCH_SESSION_EPOCH: out of step.
    #[error("fetch session {id} expects another epoch than {epoch}")]
    InvalidEpoch {
        /// The session.
        id: i32,
        /// Of the request.
        epoch: i32,
    },
    /// FETCH_SESSION_TOPIC_ID_ERROR: the session was made with topic ids and the request is older than v13, or the other way round.
    #[error("fetch session {0} names topics another way than the request")]
    TopicIds(i32),
}

#[cfg(test)]
mod tests;
