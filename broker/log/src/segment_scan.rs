//! Walking the batches of a `.log`: headers alone (for look-ups), or whole batches with their checksums (for
//! recovery). Reads ahead into one buffer, whose size a header cannot inflate beyond the file's.

use std::sync::Arc;

use gregor_records::{BatchError, BatchHeader, BatchRef, HEADER_LENGTH};

use crate::StorageError;
use crate::segment_file::SegmentFile;

/// How far a walk of headers reads ahead.
const HEADER_WINDOW: usize = 4096;
/// How much a walk of whole batches reads at a time.
const BATCH_WINDOW: usize = 1 << 20;

/// A header and where its batch lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchPlace {
    pub(crate) position: u64,
    pub(crate) header: BatchHeader,
}

impl BatchPlace {
    /// Where the next batch lies.
    pub(crate) fn end(&self) -> u64 {
        self.position + self.header.size_in_bytes as u64
    }
}

/// Why a walk cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScanError {
    #[error("{problem} at position {position}")]
    Corrupt { position: u64, problem: BatchError },
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A walk over headers.
#[derive(Debug)]
pub(crate) struct HeaderScan<'a> {
    file: &'a Arc<SegmentFile>,
    position: u64,
    end: u64,
    window: Vec<u8>,
    window_at: u64,
}

impl<'a> HeaderScan<'a> {
    /// From the batch at `position` on; what ends after `end` is not seen.
    pub(crate) fn new(file: &'a Arc<SegmentFile>, position: u64, end: u64) -> HeaderScan<'a> {
        HeaderScan { file, position, end, window: Vec::new(), window_at: 0 }
    }

    /// The next header; `None` at the end, which may lie within a batch that was cut off.
    pub(crate) fn next(&mut self) -> Result<Option<BatchPlace>, ScanError> {
        let position = self.position;
        let available = self.end.saturating_sub(position).min(HEADER_LENGTH as u64) as usize;
        let bytes = self.bytes(position, available)?;
        let header = match BatchHeader::decode(bytes) {
            Ok(header) => header,
            Err(BatchError::Torn { .. }) => return Ok(None),
            Err(problem) => return Err(ScanError::Corrupt { position, problem }),
        };
        let place = BatchPlace { position, header };
        if place.end() > self.end {
            return Ok(None);
        }
        self.position = place.end();
        Ok(Some(place))
    }

    fn bytes(&mut self, position: u64, len: usize) -> Result<&[u8], StorageError> {
        let window_end = self.window_at + self.window.len() as u64;
        if position < self.window_at || position + len as u64 > window_end {
            let wanted = self.end.saturating_sub(position).min(HEADER_WINDOW as u64) as usize;
            self.window.resize(wanted, 0);
            let read = self.file.read_at(&mut self.window, position)?;
            self.window.truncate(read);
            self.window_at = position;
        }
        let from = (position - self.window_at) as usize;
        Ok(self.window.get(from..self.window.len().min(from + len)).unwrap_or_default())
    }
}

/// A walk over whole batches.
#[derive(Debug)]
pub(crate) struct BatchScan<'a> {
    file: &'a Arc<SegmentFile>,
    position: u64,
    end: u64,
    window: Vec<u8>,
    /// Where in `window` the next batch begins.
    at: usize,
}

impl<'a> BatchScan<'a> {
    /// From the batch at `position` on, up to `end`.
    pub(crate) fn new(file: &'a Arc<SegmentFile>, position: u64, end: u64) -> BatchScan<'a> {
        BatchScan { file, position, end, window: Vec::new(), at: 0 }
    }

    /// Where the next batch begins; after the end, where the last whole one ends.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The next batch, its checksum not yet compared; `None` at the end, which may lie within a batch.
    pub(crate) fn next(&mut self) -> Result<Option<BatchRef<'_>>, ScanError> {
        self.fill(HEADER_LENGTH)?;
        let position = self.position;
        let size = match BatchHeader::decode(self.window.get(self.at..).unwrap_or_default()) {
            Ok(header) => header.size_in_bytes,
            Err(BatchError::Torn { .. }) => return Ok(None),
            Err(problem) => return Err(ScanError::Corrupt { position, problem }),
        };
        if size as u64 > self.end - position {
            return Ok(None);
        }
        self.fill(size)?;
        let Ok(batch) = BatchRef::first(self.window.get(self.at..).unwrap_or_default()) else {
            return Ok(None);
        };
        self.at += size;
        self.position += size as u64;
        Ok(Some(batch))
    }

    /// Sees to it that `needed` bytes from the next batch on are in the window, if the file has them.
    fn fill(&mut self, needed: usize) -> Result<(), StorageError> {
        if self.window.len() - self.at >= needed {
            return Ok(());
        }
        self.window.drain(..self.at);
        self.at = 0;
        let have = self.window.len();
        let rest = self.end.saturating_sub(self.position + have as u64);
        let wanted =
            needed.max(BATCH_WINDOW).saturating_sub(have).min(usize::try_from(rest).unwrap_or(usize::MAX));
        self.window.resize(have + wanted, 0);
        let buffer = self.window.get_mut(have..).unwrap_or_default();
        let read = self.file.read_at(buffer, self.position + have as u64)?;
        self.window.truncate(have + read);
        Ok(())
    }
}
