//! One segment: a `.log` and its three indexes (`LogSegment`).
//!
//! The owning log's writer appends and truncates, under the log's mutex; readers use it at any time. Invariant: `size`
//! counts whole batches that are in the file, and an index entry never points beyond it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gregor_model::{Offset, Timestamp};
use parking_lot::Mutex;

use crate::StorageError;
use crate::file_name::{FileKind, FileState};
use crate::offset_index::{OffsetEntry, OffsetIndex};
use crate::partition_dir::PartitionDir;
use crate::segment_file::SegmentFile;
use crate::segment_scan::{BatchPlace, HeaderScan, ScanError};
use crate::stored_batch::largest_record_timestamp;
use crate::time_index::{TimeEntry, TimeIndex};
use crate::transaction_index::{AbortedTxn, TransactionIndex};

/// The largest distance of an offset from its segment's base.
pub(crate) const RELATIVE_OFFSET_MAX: i64 = i32::MAX as i64;

/// One segment.
#[derive(Debug)]
pub(crate) struct Segment {
    base: Offset,
    log: Arc<SegmentFile>,
    offset_index: OffsetIndex,
    time_index: TimeIndex,
    transaction_index: TransactionIndex,
    size: AtomicU64,
    tail: Mutex<Tail>,
}

/// What appends need to know; read back from the files after a restart when it is needed.
#[derive(Debug)]
struct Tail {
    /// The largest timestamp and the last offset of its batch; the outer `None`: not read back yet.
    largest: Option<Option<TimeEntry>>,
    bytes_since_index_entry: u64,
    /// What `segment.ms` counts from: the largest timestamp of the first batch. The outer `None`: not read back yet.
    rolling: Option<Option<Timestamp>>,
    /// What `segment.ms` counts from if records have no timestamps.
    created: Timestamp,
}

/// What an append says of one of its batches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AppendedBatch {
    pub(crate) last_offset: Offset,
    pub(crate) size: u64,
    pub(crate) max_timestamp: Option<Timestamp>,
}

/// Where a read begins and how far it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReadPlace {
    pub(crate) position: u64,
    pub(crate) len: u64,
    pub(crate) first_entry_incomplete: bool,
}

impl Segment {
    /// A segment whose files exist; they are looked at when they are needed.
    pub(crate) fn existing(dir: &Arc<PartitionDir>, base: Offset, size: u64, now: Timestamp) -> Segment {
        Segment::with_state(dir, base, size, now, FileState::Plain)
    }

    /// The same for a segment whose files have a suffix.
    pub(crate) fn with_state(
        dir: &Arc<PartitionDir>,
        base: Offset,
        size: u64,
        now: Timestamp,
        state: FileState,
    ) -> Segment {
        let file = |kind| SegmentFile::new(Arc::clone(dir), base, kind, state);
        Segment {
            base,
            log: file(FileKind::Log),
            offset_index: OffsetIndex::new(base, file(FileKind::OffsetIndex)),
            time_index: TimeIndex::new(base, file(FileKind::TimeIndex)),
            transaction_index: TransactionIndex::new(file(FileKind::TransactionIndex)),
            size: AtomicU64::new(size),
            tail: Mutex::new(Tail { largest: None, bytes_since_index_entry: 0, rolling: None, created: now }),
        }
    }

    /// A new segment; leftovers of its name are removed. Index files come to be when something is written to them.
    pub(crate) fn create(
        dir: &Arc<PartitionDir>,
        base: Offset,
        state: FileState,
        now: Timestamp,
    ) -> Result<Segment, StorageError> {
        for kind in FileKind::OF_SEGMENT {
            dir.run_if_exists("unlink", &kind.name(base, state), |disk, path| disk.remove_file(path))?;
        }
        let segment = Segment::with_state(dir, base, 0, now, state);
        segment.log.get_or_create()?;
        segment.assume_new(now);
        Ok(segment)
    }

    fn assume_new(&self, now: Timestamp) {
        self.offset_index.assume_empty();
        self.time_index.assume_empty();
        self.transaction_index.assume_empty();
        *self.tail.lock() =
            Tail { largest: Some(None), bytes_since_index_entry: 0, rolling: Some(None), created: now };
    }

    pub(crate) fn base(&self) -> Offset {
        self.base
    }

    /// Bytes of the `.log`.
    pub(crate) fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    pub(crate) fn log(&self) -> &Arc<SegmentFile> {
        &self.log
    }

    pub(crate) fn offset_index(&self) -> &OffsetIndex {
        &self.offset_index
    }

    pub(crate) fn time_index(&self) -> &TimeIndex {
        &self.time_index
    }

    pub(crate) fn transaction_index(&self) -> &TransactionIndex {
        &self.transaction_index
    }

    /// Where the `.log` is, for messages.
    pub(crate) fn path(&self) -> PathBuf {
        self.log.dir().path().join(self.log.name())
    }

    /// Whether `offset` can be told relative to the base.
    pub(crate) fn can_hold(&self, offset: Offset) -> bool {
        (0..=RELATIVE_OFFSET_MAX).contains(&(offset - self.base))
    }

    /// Writes `parts` at the end: whole batches, described by `batches` in order.
    pub(crate) fn append(
        &self,
        parts: &[&[u8]],
        batches: &[AppendedBatch],
        index_interval_bytes: u32,
    ) -> Result<(), StorageError> {
        let mut position = self.size();
        self.log.write_at(parts, position)?;
        let mut tail = self.tail.lock();
        let mut largest = self.largest_in(&mut tail)?;
        for batch in batches {
            if position == 0 {
                tail.rolling = Some(batch.max_timestamp);
            }
            if let Some(timestamp) = batch.max_timestamp
                && largest.is_none_or(|largest| timestamp > largest.timestamp)
            {
                largest = Some(TimeEntry { timestamp, offset: batch.last_offset });
            }
            if tail.bytes_since_index_entry > u64::from(index_interval_bytes) {
                let position = u32::try_from(position).unwrap_or(u32::MAX);
                self.offset_index.append(OffsetEntry { offset: batch.last_offset, position })?;
                self.append_time(largest)?;
                tail.bytes_since_index_entry = 0;
            }
            tail.bytes_since_index_entry += batch.size;
            position += batch.size;
        }
        tail.largest = Some(largest);
        drop(tail);
        self.size.store(position, Ordering::Release);
        Ok(())
    }

    /// Adds an entry to the time index, if it is later than the last one.
    pub(crate) fn append_time(&self, entry: Option<TimeEntry>) -> Result<(), StorageError> {
        let Some(entry) = entry else { return Ok(()) };
        match self.time_index.last()? {
            Some(last) if last.timestamp >= entry.timestamp => Ok(()),
            _ => self.time_index.append(entry),
        }
    }

    /// The largest timestamp and the last offset of its batch; after a restart, what the time index knows.
    pub(crate) fn largest_timestamp(&self) -> Result<Option<TimeEntry>, StorageError> {
        self.largest_in(&mut self.tail.lock())
    }

    fn largest_in(&self, tail: &mut Tail) -> Result<Option<TimeEntry>, StorageError> {
        if let Some(largest) = tail.largest {
            return Ok(largest);
        }
        let largest = self.time_index.last()?;
        tail.largest = Some(largest);
        Ok(largest)
    }

    /// Sets what recovery found.
    pub(crate) fn set_recovered(&self, size: u64, largest: Option<TimeEntry>, rolling: Option<Timestamp>) {
        self.size.store(size, Ordering::Release);
        let mut tail = self.tail.lock();
        tail.largest = Some(largest);
        tail.rolling = Some(rolling);
        tail.bytes_since_index_entry = 0;
    }

    /// The largest timestamp, or when the file was last written if its records have none: what retention goes by.
    pub(crate) fn retention_timestamp(&self) -> Result<Timestamp, StorageError> {
        match self.largest_timestamp()? {
            Some(largest) => Ok(largest.timestamp),
            None => Ok(self.log.modified()?.unwrap_or_default()),
        }
    }

    /// How long the segment has waited for its time to roll (`timeWaitedForRoll`).
    pub(crate) fn waited_for_roll(
        &self,
        now: Timestamp,
        incoming: Option<Timestamp>,
    ) -> Result<i64, StorageError> {
        let mut tail = self.tail.lock();
        let rolling = match tail.rolling {
            Some(rolling) => rolling,
            None => {
                let first = HeaderScan::new(&self.log, 0, self.size()).next();
                let rolling = match first {
                    Ok(first) => first.and_then(|first| largest_record_timestamp(&first.header)),
                    Err(ScanError::Storage(error)) => return Err(error),
                    Err(ScanError::Corrupt { .. }) => None,
                };
                tail.rolling = Some(rolling);
                rolling
            }
        };
        Ok(match rolling.filter(|timestamp| timestamp.0 >= 0) {
            Some(rolling) => incoming.map_or(-1, |incoming| incoming.0).saturating_sub(rolling.0),
            None => now - tail.created,
        })
    }

    /// The batch that holds `offset`, or the first one after it; `None` if all batches end before it.
    pub(crate) fn find(&self, offset: Offset) -> Result<Option<BatchPlace>, ScanError> {
        let from = self.offset_index.floor(|entry| entry.offset <= offset)?.map_or(0, |entry| entry.position);
        if from != 0 {
            // A damaged index must not hide batches: its batch has to be one, and not to lie beyond.
            match self.find_from(u64::from(from), offset, true) {
                Ok(found) => return Ok(found),
                Err(ScanError::Storage(error)) => return Err(error.into()),
                Err(ScanError::Corrupt { .. }) => {
                    tracing::warn!(path = %self.path().display(), offset = offset.0, "the offset index is wrong, scanning");
                }
            }
        }
        self.find_from(0, offset, false)
    }

    fn find_from(
        &self,
        position: u64,
        offset: Offset,
        by_index: bool,
    ) -> Result<Option<BatchPlace>, ScanError> {
        let mut scan = HeaderScan::new(&self.log, position, self.size());
        let mut first = by_index;
        loop {
            let Some(place) = scan.next()? else {
                if first {
                    return Err(wrong_index(position));
                }
                return Ok(None);
            };
            if first && (place.header.base_offset() > offset || place.header.base_offset() < self.base) {
                return Err(wrong_index(position));
            }
            first = false;
            if place.header.last_offset() >= offset {
                return Ok(Some(place));
            }
        }
    }

    /// Where to read from `offset` on, at most `max_bytes` and not beyond `max_position`, but the whole first batch
    /// with `min_one_message`. `None`: the segment ends before `offset`.
    pub(crate) fn read(
        &self,
        offset: Offset,
        max_bytes: usize,
        max_position: u64,
        min_one_message: bool,
    ) -> Result<Option<ReadPlace>, ScanError> {
        let Some(first) = self.find(offset)? else { return Ok(None) };
        Ok(Some(read_place(
            first.position,
            first.header.size_in_bytes,
            max_bytes,
            max_position,
            min_one_message,
        )))
    }

    /// An offset that the fetched region does not reach (`fetchUpperBoundOffset`); `None`: the segment's end.
    pub(crate) fn upper_bound_offset(&self, position: u64, len: u64) -> Result<Option<Offset>, StorageError> {
        let end = position + len;
        Ok(self.offset_index.first_not(|entry| u64::from(entry.position) < end)?.map(|entry| entry.offset))
    }

    /// The offset after the last batch, the base if there is none (`readNextOffset`).
    pub(crate) fn read_next_offset(&self) -> Result<Offset, ScanError> {
        let from = self.offset_index.last()?.map_or(0, |entry| u64::from(entry.position));
        let from = if from < self.size() { from } else { 0 };
        let mut next = None;
        let mut scan = HeaderScan::new(&self.log, from, self.size());
        while let Some(place) = scan.next()? {
            next = Some(place.header.next_offset());
        }
        Ok(next.unwrap_or(self.base))
    }

    /// Notes an aborted transaction whose marker is in this segment.
    pub(crate) fn append_aborted(&self, aborted: AbortedTxn) -> Result<(), StorageError> {
        self.transaction_index.append(aborted)
    }

    /// Cuts the segment before the batch that holds `offset`. Returns the bytes cut.
    pub(crate) fn truncate_to(&self, offset: Offset, now: Timestamp) -> Result<u64, ScanError> {
        let position = self.find(offset)?.map(|place| place.position);
        self.offset_index.truncate(|entry| entry.offset < offset)?;
        self.time_index.truncate(|entry| entry.offset < offset)?;
        self.transaction_index.truncate_to(offset)?;
        let size = self.size();
        let kept = position.unwrap_or(size);
        if kept < size {
            self.size.store(kept, Ordering::Release);
            self.log.set_len(kept)?;
        }
        let largest = self.largest_of_what_is_left()?;
        let mut tail = self.tail.lock();
        tail.largest = Some(largest);
        tail.bytes_since_index_entry = 0;
        if kept == 0 {
            tail.rolling = Some(None);
            tail.created = now;
        }
        Ok(size - kept)
    }

    fn largest_of_what_is_left(&self) -> Result<Option<TimeEntry>, ScanError> {
        let mut largest = self.time_index.last()?;
        let from = self.offset_index.last()?.map_or(0, |entry| u64::from(entry.position));
        let mut scan = HeaderScan::new(&self.log, from, self.size());
        while let Some(place) = scan.next()? {
            if let Some(timestamp) = largest_record_timestamp(&place.header)
                && largest.is_none_or(|largest| timestamp > largest.timestamp)
            {
                largest = Some(TimeEntry { timestamp, offset: place.header.last_offset() });
            }
        }
        Ok(largest)
    }

    /// What has to be done before the segment is no longer appended to, or closed: the closing time entry, without
    /// which its largest timestamp is lost, and indexes of exactly their entries' length.
    pub(crate) fn seal(&self) -> Result<(), StorageError> {
        let largest = self.largest_timestamp()?;
        self.append_time(largest)?;
        self.offset_index.trim()?;
        self.time_index.trim()
    }

    /// The end of a recovery of the segment that is appended to: its indexes are kept back as they always are. To write
    /// them for each of thousands of logs would be to sync them all, as no more than some files stay open.
    pub(crate) fn end_recovery(&self) -> Result<(), StorageError> {
        self.offset_index.end_rebuild()?;
        self.time_index.end_rebuild()
    }

    /// Makes the segment durable (`LogSegment.flush`).
    pub(crate) fn sync(&self) -> Result<(), StorageError> {
        self.log.sync()?;
        self.offset_index.sync()?;
        self.time_index.sync()?;
        self.transaction_index.sync()
    }

    /// The files, existing or not.
    pub(crate) fn files(&self) -> [&Arc<SegmentFile>; 4] {
        [&self.log, self.offset_index.file(), self.time_index.file(), self.transaction_index.file()]
    }

    /// Gives all files another suffix. The `.log` goes last on the way out and first on the way in, so that an index
    /// never stays without its `.log` for long; at load such are removed.
    pub(crate) fn rename(&self, to: FileState) -> Result<(), StorageError> {
        self.files().into_iter().try_for_each(|file| file.rename(to))
    }

    /// Unlinks all files.
    pub(crate) fn unlink(&self) -> Result<(), StorageError> {
        self.files().into_iter().try_for_each(|file| file.unlink())
    }

    /// Closes all files without writing; the segment is not used any more.
    pub(crate) fn forget(&self) {
        self.files().into_iter().for_each(|file| file.forget());
    }
}

/// How much of what starts at `position` a read gets (`LogSegment.read`).
pub(crate) fn read_place(
    position: u64,
    first_size: usize,
    max_bytes: usize,
    max_position: u64,
    min_one_message: bool,
) -> ReadPlace {
    let wanted = if min_one_message { max_bytes.max(first_size) } else { max_bytes };
    ReadPlace {
        position,
        len: max_position.saturating_sub(position).min(wanted as u64),
        first_entry_incomplete: wanted < first_size,
    }
}

fn wrong_index(position: u64) -> ScanError {
    let problem = gregor_records::BatchError::Corrupt("no batch where the offset index says".to_owned());
    ScanError::Corrupt { position, problem }
}
