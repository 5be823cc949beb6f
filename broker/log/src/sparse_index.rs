//! The two sparse indexes of a segment, `.index` and `.timeindex` (`AbstractIndex`): sorted entries of fixed size.
//!
//! The file has no header and no count: its length says how many entries there are, so Kafka's preallocated zeros
//! are cut off when it is opened. Entries of the active segment are kept back and written some dozens at a time; a
//! crash loses them, and recovery rebuilds the index. Nothing else of an index is held in memory.

use std::sync::Arc;

use gregor_model::Offset;
use parking_lot::RwLock;

use crate::StorageError;
use crate::segment_file::SegmentFile;

/// So many entries are kept back at most.
const PENDING_MAX: usize = 64;
/// Below so many candidates a search reads them all at once.
const BLOCK_ENTRIES: u32 = 256;

/// So many zeros at the end are no entries that a crash has torn.
const PREALLOCATED_BYTES_MIN: usize = 512;

/// An entry of a sparse index; offsets are stored relative to the segment's base.
pub trait IndexEntry: Copy + PartialEq + std::fmt::Debug {
    /// Stored size in bytes, at most 16.
    const SIZE: usize;
    /// How many slots Kafka keeps free at the end.
    const RESERVED: u32;
    /// Appends the entry as stored in a segment that starts at `base`.
    fn encode(&self, base: Offset, into: &mut Vec<u8>);
    /// The entry at the start of `bytes`; what is missing reads as 0.
    fn decode(base: Offset, bytes: &[u8]) -> Self;
}

/// An index of one segment.
#[derive(Debug)]
pub(crate) struct SparseIndex<E> {
    base: Offset,
    file: Arc<SegmentFile>,
    state: RwLock<State<E>>,
}

#[derive(Debug)]
struct State<E> {
    /// Entries in the file and the last one; `None` until the file was looked at.
    stored: Option<Stored<E>>,
    /// Entries that follow those of the file.
    pending: Vec<E>,
    /// The file may hold the entries already.
    rebuilding: bool,
}

#[derive(Clone, Copy, Debug)]
struct Stored<E> {
    count: u32,
    last: Option<E>,
}

impl<E: IndexEntry> SparseIndex<E> {
    /// The index in `file`, which is looked at when it is first needed.
    pub(crate) fn new(base: Offset, file: Arc<SegmentFile>) -> SparseIndex<E> {
        SparseIndex {
            base,
            file,
            state: RwLock::new(State { stored: None, pending: Vec::new(), rebuilding: false }),
        }
    }

    pub(crate) fn file(&self) -> &Arc<SegmentFile> {
        &self.file
    }

    /// How many entries there are.
    pub(crate) fn count(&self) -> Result<u32, StorageError> {
        let stored = self.stored()?;
        Ok(stored.count + self.state.read().pending.len() as u32)
    }

    /// The last entry.
    pub(crate) fn last(&self) -> Result<Option<E>, StorageError> {
        let stored = self.stored()?;
        Ok(self.state.read().pending.last().copied().or(stored.last))
    }

    /// Whether no entry fits any more in `segment.index.bytes`.
    pub(crate) fn is_full(&self, index_bytes_max: u32) -> Result<bool, StorageError> {
        Ok(self.count()? + E::RESERVED >= index_bytes_max / E::SIZE as u32)
    }

    /// Adds an entry that follows the last one.
    pub(crate) fn append(&self, entry: E) -> Result<(), StorageError> {
        self.stored()?;
        let mut state = self.state.write();
        state.pending.push(entry);
        if state.pending.len() >= PENDING_MAX { self.write_pending(&mut state) } else { Ok(()) }
    }

    /// Writes what was kept back.
    pub(crate) fn write(&self) -> Result<(), StorageError> {
        self.stored()?;
        self.write_pending(&mut self.state.write())
    }

    /// Writes what was kept back, creates the file if there is none, and makes it durable.
    pub(crate) fn sync(&self) -> Result<(), StorageError> {
        self.write()?;
        self.file.get_or_create()?;
        self.file.sync()
    }

    /// Writes what was kept back and cuts the file to its entries.
    pub(crate) fn trim(&self) -> Result<(), StorageError> {
        self.write()?;
        self.state.write().rebuilding = false;
        let len = u64::from(self.stored()?.count) * E::SIZE as u64;
        if self.file.len()? == len { self.file.get_or_create().map(drop) } else { self.file.set_len(len) }
    }

    /// Ends a rebuild without writing: what is kept back stays so, as of an index that is appended to, but what the file
    /// held beyond goes.
    pub(crate) fn end_rebuild(&self) -> Result<(), StorageError> {
        let len = u64::from(self.count()?) * E::SIZE as u64;
        self.state.write().rebuilding = false;
        if self.file.len()? > len { self.file.set_len(len) } else { Ok(()) }
    }

    fn write_pending(&self, state: &mut State<E>) -> Result<(), StorageError> {
        let rebuilding = state.rebuilding;
        let (Some(stored), Some(last)) = (&mut state.stored, state.pending.last().copied()) else {
            return Ok(());
        };
        let mut bytes = Vec::with_capacity(state.pending.len() * E::SIZE);
        state.pending.iter().for_each(|entry| entry.encode(self.base, &mut bytes));
        let position = u64::from(stored.count) * E::SIZE as u64;
        let mut there = vec![0; if rebuilding { bytes.len() } else { 0 }];
        if !rebuilding || self.file.read_at(&mut there, position)? < bytes.len() || there != bytes {
            self.file.write_at(&[&bytes], position)?;
        }
        *stored = Stored { count: stored.count + state.pending.len() as u32, last: Some(last) };
        state.pending.clear();
        Ok(())
    }

    /// Keeps the entries for which `keep` holds, which must be the first ones.
    pub(crate) fn truncate(&self, keep: impl Fn(&E) -> bool) -> Result<(), StorageError> {
        let count = self.partition_point(&keep)?;
        let stored = self.stored()?;
        if count >= stored.count {
            self.state.write().pending.truncate((count - stored.count) as usize);
            return Ok(());
        }
        let last = if count == 0 { None } else { self.read(count - 1, 1)?.first().copied() };
        let mut state = self.state.write();
        state.pending.clear();
        state.stored = Some(Stored { count, last });
        drop(state);
        self.file.set_len(u64::from(count) * E::SIZE as u64)
    }

    /// Begins anew, for a recovery that will end with [`SparseIndex::trim`] or [`SparseIndex::end_rebuild`]. The file stays as it is until then: most
    /// of the time it will turn out to be right.
    pub(crate) fn begin_rebuild(&self) {
        *self.state.write() =
            State { stored: Some(Stored { count: 0, last: None }), pending: Vec::new(), rebuilding: true };
    }

    /// For a new segment: there are no entries, and no need to look.
    pub(crate) fn assume_empty(&self) {
        self.state.write().stored = Some(Stored { count: 0, last: None });
    }

    /// The last entry for which `before` holds; it must hold for the first ones and for no other.
    pub(crate) fn floor(&self, before: impl Fn(&E) -> bool) -> Result<Option<E>, StorageError> {
        if let Some(last) = self.last()?
            && before(&last)
        {
            return Ok(Some(last));
        }
        match self.partition_point(before)? {
            0 => Ok(None),
            count => self.get(count - 1),
        }
    }

    /// The first entry for which `before` does not hold; it must hold for the first ones and for no other.
    pub(crate) fn first_not(&self, before: impl Fn(&E) -> bool) -> Result<Option<E>, StorageError> {
        match self.last()? {
            Some(last) if !before(&last) => {
                let count = self.partition_point(before)?;
                self.get(count)
            }
            _ => Ok(None),
        }
    }

    fn get(&self, at: u32) -> Result<Option<E>, StorageError> {
        let stored = self.stored()?;
        if at < stored.count {
            return Ok(self.read(at, 1)?.first().copied());
        }
        Ok(self.state.read().pending.get((at - stored.count) as usize).copied())
    }

    /// How many of the first entries `before` holds for.
    fn partition_point(&self, before: impl Fn(&E) -> bool) -> Result<u32, StorageError> {
        let stored = self.stored()?;
        {
            let state = self.state.read();
            if stored.count == 0 || stored.last.is_some_and(|last| before(&last)) {
                return Ok(stored.count + state.pending.partition_point(&before) as u32);
            }
        }
        let (mut low, mut high) = (0, stored.count);
        while high - low > BLOCK_ENTRIES {
            let middle = low + (high - low) / 2;
            match self.read(middle, 1)?.first() {
                Some(entry) if before(entry) => low = middle + 1,
                _ => high = middle,
            }
        }
        let block = self.read(low, high - low)?;
        Ok(low + block.partition_point(before) as u32)
    }

    /// Entries of the file; fewer if it is shorter than it was.
    fn read(&self, at: u32, count: u32) -> Result<Vec<E>, StorageError> {
        let mut bytes = vec![0; count as usize * E::SIZE];
        let read = self.file.read_at(&mut bytes, u64::from(at) * E::SIZE as u64)?;
        bytes.truncate(read);
        Ok(bytes.chunks_exact(E::SIZE).map(|entry| E::decode(self.base, entry)).collect())
    }

    /// Whether the file ends in zeros, as Kafka's does while the segment is appended to.
    pub(crate) fn is_preallocated(&self) -> Result<bool, StorageError> {
        let len = self.file.len()?;
        let mut end = [0; PREALLOCATED_BYTES_MIN];
        let Some(from) = len.checked_sub(end.len() as u64) else { return Ok(false) };
        Ok(self.file.read_at(&mut end, from)? == end.len() && end.iter().all(|&byte| byte == 0))
    }

    fn stored(&self) -> Result<Stored<E>, StorageError> {
        if let Some(stored) = self.state.read().stored {
            return Ok(stored);
        }
        let count = u32::try_from(self.file.len()? / E::SIZE as u64).unwrap_or(u32::MAX);
        let count = self.without_preallocation(count)?;
        let last = if count == 0 { None } else { self.read(count - 1, 1)?.first().copied() };
        let stored = Stored { count, last };
        Ok(*self.state.write().stored.get_or_insert(stored))
    }

    /// Kafka's preallocated index ends in zeros, which are no entries: no first append of a segment is indexed.
    fn without_preallocation(&self, count: u32) -> Result<u32, StorageError> {
        let is_zero = |at: u32| -> Result<bool, StorageError> {
            let mut bytes = [0; 16];
            let entry = &mut bytes[..E::SIZE];
            self.file.read_at(entry, u64::from(at) * E::SIZE as u64)?;
            Ok(entry.iter().all(|&byte| byte == 0))
        };
        if count == 0 || !is_zero(count - 1)? {
            return Ok(count);
        }
        let (mut low, mut high) = (0, count - 1);
        while low < high {
            let middle = low + (high - low) / 2;
            if is_zero(middle)? { high = middle } else { low = middle + 1 }
        }
        Ok(low)
    }
}
