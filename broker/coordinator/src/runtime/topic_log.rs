//! What a coordinator needs of its topic; the server supplies it from the replica manager.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use gregor_model::Offset;

use crate::group::AppendFailure;
use crate::group::request::VerifiedTransaction;

/// Why a partition cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The partition is not led here, or its log is offline.
    #[error("the partition is not available here: {0}")]
    Unavailable(String),
    /// The disk failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A batch is damaged.
    #[error("damaged batch at or after offset {at}: {reason}")]
    Corrupt {
        /// Where reading stopped.
        at: Offset,
        /// What is wrong.
        reason: String,
    },
}

/// A batch, and how to append it.
#[derive(Clone, Debug)]
pub struct TopicAppend {
    /// The batch.
    pub batch: Bytes,
    /// Whether to wait for the ISR.
    pub acknowledged: bool,
    /// How long to wait, in ms; for none, the topic's usual time.
    pub timeout_ms: Option<i32>,
    /// Goes with a transactional batch.
    pub verification: Option<VerifiedTransaction>,
}

/// One coordinator topic (`__consumer_offsets` or `__transaction_state`) on this broker.
#[async_trait]
pub trait TopicLog: Send + Sync + 'static {
    /// Appends a batch as the partition's leader, and says where it begins. The local append is done when the future
    /// is first polled, so that appends keep the order in which they are asked for.
    ///
    /// # Errors
    /// As a produce request would fail.
    async fn append(&self, partition: i32, append: TopicAppend) -> Result<Offset, AppendFailure>;

    /// The log start offset and the log end offset.
    ///
    /// # Errors
    /// The partition is not here.
    fn range(&self, partition: i32) -> Result<Range<Offset>, LoadError>;

    /// How many partitions the topic has now; `None` if that cannot be told.
    async fn partition_count(&self) -> Option<i32>;

    /// Whole batches from the one that holds `from`, at least one if there is one. Blocks on the disk.
    ///
    /// # Errors
    /// The partition is not here, or its disk fails.
    fn read(&self, partition: i32, from: Offset) -> Result<Bytes, LoadError>;

    /// Waits, as the partition's leader, until the in-sync replicas have everything before `end`.
    ///
    /// # Errors
    /// The partition is not led here, or no longer.
    async fn replicated(&self, partition: i32, end: Offset) -> Result<(), LoadError>;
}
