//! `.txnindex` (`TransactionIndex`): the aborted transactions whose marker lies in a segment. The file exists only if
//! there is one. Few and small, so the entries are read each time they are needed.

use std::sync::Arc;

use gregor_model::{Offset, ProducerId};
use parking_lot::Mutex;

use crate::StorageError;
use crate::segment_file::SegmentFile;

/// Stored size of an entry, in bytes.
const ENTRY_SIZE: usize = 34;
/// So many entries are read at a time.
const BLOCK_ENTRIES: usize = 1024;

/// An aborted transaction (`AbortedTxn`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTxn {
    /// Whose transaction it was.
    pub producer_id: ProducerId,
    /// Of its first record.
    pub first_offset: Offset,
    /// Of the marker.
    pub last_offset: Offset,
    /// The last stable offset once the marker is replicated: no later transaction starts below it.
    pub last_stable_offset: Offset,
}

impl AbortedTxn {
    /// Stored size, in bytes.
    pub const SIZE: usize = ENTRY_SIZE;

    /// The entry as stored.
    pub fn encode(&self) -> [u8; ENTRY_SIZE] {
        let mut bytes = [0; ENTRY_SIZE];
        let fields = [self.producer_id.0, self.first_offset.0, self.last_offset.0, self.last_stable_offset.0];
        for (slot, field) in bytes[2..].chunks_exact_mut(8).zip(fields) {
            slot.copy_from_slice(&field.to_be_bytes());
        }
        bytes
    }

    /// A stored entry.
    ///
    /// # Errors
    /// The version of an entry newer than those known.
    pub fn decode(bytes: &[u8; ENTRY_SIZE]) -> Result<AbortedTxn, i16> {
        let version = i16::from_be_bytes([bytes[0], bytes[1]]);
        // Kafka looks at the high byte alone, and so lets 1 to 255 pass.
        if bytes[0] != 0 {
            return Err(version);
        }
        let mut fields = bytes[2..].chunks_exact(8).map(|f| f.try_into().map_or(0, i64::from_be_bytes));
        let mut next = || fields.next().unwrap_or_default();
        Ok(AbortedTxn {
            producer_id: ProducerId(next()),
            first_offset: Offset(next()),
            last_offset: Offset(next()),
            last_stable_offset: Offset(next()),
        })
    }
}

/// What is wrong with a transaction index.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadTransactionIndex {
    /// Rebuilt by recovery of the segment.
    #[error("an entry ends at {0}, before the segment")]
    BeforeSegment(Offset),
    /// Not repaired: a newer broker wrote it.
    #[error("an entry has version {0}")]
    Version(i16),
}

/// The transaction index of one segment.
#[derive(Debug)]
pub(crate) struct TransactionIndex {
    file: Arc<SegmentFile>,
    /// How many entries there are; `None` until the file was looked at.
    count: Mutex<Option<u64>>,
}

impl TransactionIndex {
    pub(crate) fn new(file: Arc<SegmentFile>) -> TransactionIndex {
        TransactionIndex { file, count: Mutex::new(None) }
    }

    /// There is no file, and no need to look.
    pub(crate) fn assume_empty(&self) {
        *self.count.lock() = Some(0);
    }

    pub(crate) fn file(&self) -> &Arc<SegmentFile> {
        &self.file
    }

    fn count(&self) -> Result<u64, StorageError> {
        if let Some(count) = *self.count.lock() {
            return Ok(count);
        }
        let count = self.file.len()? / ENTRY_SIZE as u64;
        Ok(*self.count.lock().get_or_insert(count))
    }

    /// Adds an entry behind the last whole one.
    pub(crate) fn append(&self, entry: AbortedTxn) -> Result<(), StorageError> {
        let count = self.count()?;
        self.file.write_at(&[&entry.encode()], count * ENTRY_SIZE as u64)?;
        *self.count.lock() = Some(count + 1);
        Ok(())
    }

    /// Gives the entries in order to `visit` until that returns false.
    pub(crate) fn visit(&self, mut visit: impl FnMut(AbortedTxn) -> bool) -> Result<(), StorageError> {
        self.visit_raw(|entry| entry.map_or(true, &mut visit))
    }

    fn visit_raw(&self, mut visit: impl FnMut(Result<AbortedTxn, i16>) -> bool) -> Result<(), StorageError> {
        let count = self.count()?;
        let mut at = 0;
        while at < count {
            let wanted = usize::try_from(count - at).unwrap_or(BLOCK_ENTRIES).min(BLOCK_ENTRIES);
            let mut bytes = vec![0; wanted * ENTRY_SIZE];
            let read = self.file.read_at(&mut bytes, at * ENTRY_SIZE as u64)?;
            let (entries, _) = bytes.get(..read).unwrap_or_default().as_chunks::<ENTRY_SIZE>();
            if entries.is_empty() || !entries.iter().all(|entry| visit(AbortedTxn::decode(entry))) {
                return Ok(());
            }
            at += entries.len() as u64;
        }
        Ok(())
    }

    /// What Kafka checks when it loads the index (`TransactionIndex.sanityCheck`).
    pub(crate) fn check(&self, base: Offset) -> Result<Option<BadTransactionIndex>, StorageError> {
        let mut bad = None;
        self.visit_raw(|entry| {
            bad = match entry {
                Err(version) => Some(BadTransactionIndex::Version(version)),
                Ok(entry) if entry.last_offset < base => {
                    Some(BadTransactionIndex::BeforeSegment(entry.last_offset))
                }
                Ok(_) => None,
            };
            bad.is_none()
        })?;
        Ok(bad)
    }

    /// Drops the entries from the first one on that ends at or after `offset`.
    pub(crate) fn truncate_to(&self, offset: Offset) -> Result<(), StorageError> {
        let mut kept = 0;
        self.visit(|entry| {
            let keep = entry.last_offset < offset;
            kept += u64::from(keep);
            keep
        })?;
        self.cut(kept)
    }

    /// Drops all entries.
    pub(crate) fn reset(&self) -> Result<(), StorageError> {
        self.cut(0)
    }

    fn cut(&self, count: u64) -> Result<(), StorageError> {
        let len = count * ENTRY_SIZE as u64;
        if self.file.len()? > len {
            self.file.set_len(len)?;
        }
        *self.count.lock() = Some(count);
        Ok(())
    }

    /// Makes the entries durable.
    pub(crate) fn sync(&self) -> Result<(), StorageError> {
        self.file.sync()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file_name::{FileKind, FileState};
    use crate::testing::partition_dir;

    fn aborted(last_offset: i64) -> AbortedTxn {
        AbortedTxn {
            producer_id: ProducerId(4000),
            first_offset: Offset(40),
            last_offset: Offset(last_offset),
            last_stable_offset: Offset(last_offset + 1),
        }
    }

    #[test]
    fn golden_bytes() {
        let mut expected = [0; ENTRY_SIZE];
        expected[8..10].copy_from_slice(&[0x0f, 0xa0]);
        expected[17] = 0x28;
        expected[25] = 0x32;
        expected[33] = 0x33;
        assert_eq!(aborted(50).encode(), expected);
        assert_eq!(AbortedTxn::decode(&expected), Ok(aborted(50)));
    }

    #[test]
    fn entries_are_appended_behind_a_torn_one_and_truncated_by_marker() {
        let (_root, dir) = partition_dir();
        let path = dir.path().join("00000000000000000000.txnindex");
        std::fs::write(&path, [&aborted(50).encode()[..], &[7; 20]].concat()).unwrap();
        let open = || {
            let dir = std::sync::Arc::clone(&dir);
            TransactionIndex::new(SegmentFile::new(
                dir,
                Offset(0),
                FileKind::TransactionIndex,
                FileState::Plain,
            ))
        };
        let index = open();
        index.append(aborted(60)).unwrap();
        index.append(aborted(70)).unwrap();
        let entries = |index: &TransactionIndex| {
            let mut all = Vec::new();
            index
                .visit(|entry| {
                    all.push(entry.last_offset.0);
                    true
                })
                .unwrap();
            all
        };
        assert_eq!(entries(&open()), [50, 60, 70]);
        assert_eq!(open().check(Offset(51)).unwrap(), Some(BadTransactionIndex::BeforeSegment(Offset(50))));
        index.truncate_to(Offset(60)).unwrap();
        assert_eq!(entries(&open()), [50]);
        std::fs::write(&path, [1; ENTRY_SIZE]).unwrap();
        assert_eq!(open().check(Offset(0)).unwrap(), Some(BadTransactionIndex::Version(257)));
    }
}
