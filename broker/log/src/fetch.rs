//! What a read gives: a region of a segment file, and the offsets that go with it. Record bytes are never copied.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use gregor_model::{LeaderEpoch, Offset, ProducerId};

use crate::OffsetPosition;

/// How far a reader may read (`FetchIsolation`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FetchIsolation {
    /// Up to the log end offset: followers, and tools that debug.
    LogEnd,
    /// Up to the high watermark: read_uncommitted consumers.
    HighWatermark,
    /// Up to the last stable offset, with the list of aborted transactions: read_committed consumers.
    TxnCommitted,
}

/// A region of a segment file. The file stays readable while a slice of it exists, even after its deletion.
#[derive(Clone, Debug)]
pub struct FileSlice {
    /// The segment's file.
    pub file: Arc<File>,
    /// Where the region starts, in bytes.
    pub position: u64,
    /// Its length in bytes.
    pub len: usize,
}

impl FileSlice {
    /// Reads the region into memory: for tests, coordinators and down-conversion, not for the fetch path.
    ///
    /// A file truncated meanwhile gives fewer bytes than `len`.
    pub fn read_to_bytes(&self) -> io::Result<Bytes> {
        let mut buffer = vec![0; self.len];
        let mut filled = 0;
        while filled < buffer.len() {
            match self.file.read_at(&mut buffer[filled..], self.position + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        buffer.truncate(filled);
        Ok(buffer.into())
    }
}

/// An aborted transaction whose records a read_committed consumer must skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AbortedTransaction {
    /// Whose it was.
    pub producer_id: ProducerId,
    /// Its first offset in this partition.
    pub first_offset: Offset,
}

/// What a read found (`FetchDataInfo`).
#[derive(Clone, Debug)]
pub struct FetchData {
    /// Whole batches, but for the last, which `max_bytes` may have cut. `None`: there is nothing to read.
    pub records: Option<FileSlice>,
    /// Where the read began.
    pub fetch_offset: OffsetPosition,
    /// The first batch is longer than what was asked for and `min_one_message` was not: `records` is cut inside it.
    pub first_entry_incomplete: bool,
    /// With [`FetchIsolation::TxnCommitted`]: the transactions aborted within the region (possibly a few beyond).
    pub aborted: Option<Vec<AbortedTransaction>>,
    /// The high watermark at the time of the read.
    pub high_watermark: Offset,
    /// The last stable offset at the time of the read.
    pub last_stable_offset: Offset,
    /// The log start offset at the time of the read.
    pub log_start_offset: Offset,
    /// The log end offset at the time of the read.
    pub log_end_offset: Offset,
}

impl FetchData {
    /// Bytes of records.
    pub fn len(&self) -> usize {
        self.records.as_ref().map_or(0, |slice| slice.len)
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The end of an epoch's offsets: the epoch found, and the offset where the next epoch starts (`OffsetAndEpoch`).
pub type EpochEndOffset = (LeaderEpoch, Offset);
