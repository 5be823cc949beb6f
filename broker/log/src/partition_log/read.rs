//! Reading: which region of which segment, up to which offset (`UnifiedLog.read`, `LocalLog.read`).

use std::sync::Arc;

use gregor_model::Offset;

use super::marks::Marks;
use super::{PartitionLog, Segments};
use crate::segment::{ReadPlace, Segment, read_place};
use crate::segment_scan::ScanError;
use crate::{
    AbortedTransaction, FetchData, FetchIsolation, FileSlice, OffsetPosition, ReadError, StorageError,
};

/// How often a read starts again because a segment was deleted under it.
const ATTEMPTS_MAX: usize = 8;

impl PartitionLog {
    /// Reads from `from` on: whole batches from the one that holds it, within one segment and about `max_bytes`.
    /// With `min_one_message` the first batch is given whole whatever its size.
    pub fn read(
        &self,
        from: Offset,
        max_bytes: usize,
        isolation: FetchIsolation,
        min_one_message: bool,
    ) -> Result<FetchData, ReadError> {
        self.retry(|marks, segments| {
            let request = Request { from, max_bytes, isolation, min_one_message };
            self.read_once(&request, marks, segments)
        })
    }

    /// Runs a look-up on the offsets and segments of one moment; again if a segment vanished meanwhile.
    pub(super) fn retry<T>(
        &self,
        look_up: impl Fn(&Marks, &Segments) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        self.dir.log_dir().check_online()?;
        let mut attempts = 0;
        loop {
            attempts += 1;
            // Offsets first: the segments are then at least as new, and hold what the offsets promise.
            let marks = *self.marks.read();
            let segments = self.segments.load_full();
            match look_up(&marks, &segments) {
                Err(ReadError::Storage(StorageError::Closed(_)))
                    if attempts < ATTEMPTS_MAX && !Arc::ptr_eq(&segments, &self.segments.load_full()) => {}
                result => return result,
            }
        }
    }

    fn read_once(
        &self,
        request: &Request,
        marks: &Marks,
        segments: &Segments,
    ) -> Result<FetchData, ReadError> {
        let from = request.from;
        let (log_start, log_end) = (marks.log_start, marks.log_end.offset);
        if from < log_start || from > log_end {
            return Err(ReadError::OutOfRange { offset: from, log_start, log_end });
        }
        let end = match request.isolation {
            FetchIsolation::LogEnd => log_end,
            FetchIsolation::HighWatermark => marks.high_watermark,
            FetchIsolation::TxnCommitted => marks.last_stable(),
        };
        let mut data = FetchData {
            records: None,
            fetch_offset: marks.log_end,
            first_entry_incomplete: false,
            aborted: (request.isolation == FetchIsolation::TxnCommitted).then(Vec::new),
            high_watermark: marks.high_watermark,
            last_stable_offset: marks.last_stable(),
            log_start_offset: log_start,
            log_end_offset: log_end,
        };
        if from >= end {
            data.fetch_offset = self.locate(from, marks, segments)?;
            return Ok(data);
        }
        let end = self.locate(end, marks, segments)?;
        let floor = floor_segment(segments, from);
        for segment in segments.get(floor..).unwrap_or_default() {
            if segment.base() > end.segment_base {
                break;
            }
            let at_end = segment.base() == end.segment_base;
            let max_position = if at_end { end.position } else { segment.size() };
            let Some(place) = self.place_in(segment, request, max_position)? else { continue };
            data.fetch_offset =
                OffsetPosition { offset: from, segment_base: segment.base(), position: place.position };
            data.first_entry_incomplete = place.first_entry_incomplete;
            if place.len > 0 {
                let file = segment.log().get().map_err(ReadError::Storage)?;
                let len = usize::try_from(place.len).unwrap_or(usize::MAX);
                data.records =
                    Some(FileSlice { file: Arc::clone(file.std()), position: place.position, len });
                if let Some(aborted) = &mut data.aborted {
                    *aborted = aborted_in(segments, segment, from, &place, log_end)?;
                }
            }
            return Ok(data);
        }
        Ok(data)
    }

    fn place_in(
        &self,
        segment: &Segment,
        request: &Request,
        max_position: u64,
    ) -> Result<Option<ReadPlace>, ReadError> {
        let recent = self.recent.lock().starting_at(request.from);
        if let Some(recent) = recent.filter(|recent| recent.place.segment_base == segment.base()) {
            return Ok(Some(read_place(
                recent.place.position,
                recent.first_batch_size,
                request.max_bytes,
                max_position,
                request.min_one_message,
            )));
        }
        let found = segment.read(request.from, request.max_bytes, max_position, request.min_one_message);
        found.map_err(|error| read_error(segment, error))
    }

    /// Where `offset` lies, for waiters that count bytes; `None` if it is outside of the log.
    pub fn position_of(&self, offset: Offset) -> Option<OffsetPosition> {
        self.retry(|marks, segments| {
            let (log_start, log_end) = (marks.log_start, marks.log_end.offset);
            if offset < log_start || offset > log_end {
                return Err(ReadError::OutOfRange { offset, log_start, log_end });
            }
            self.locate(offset, marks, segments)
        })
        .ok()
    }

    /// The same for offsets that are known to be inside; what cannot be read lies at the start of its segment.
    pub(super) fn place_or_segment_start(&self, offset: Offset, marks: &Marks) -> OffsetPosition {
        let segments = self.segments.load_full();
        self.locate(offset, marks, &segments).unwrap_or_else(|_| {
            let base =
                segments.get(floor_segment(&segments, offset)).map_or(offset, |segment| segment.base());
            OffsetPosition { offset, segment_base: base, position: 0 }
        })
    }

    /// Where the batch that holds `offset` begins, or the next one if none does.
    pub(super) fn locate(
        &self,
        offset: Offset,
        marks: &Marks,
        segments: &Segments,
    ) -> Result<OffsetPosition, ReadError> {
        if offset >= marks.log_end.offset {
            return Ok(OffsetPosition { offset, ..marks.log_end });
        }
        if let Some(recent) = self.recent.lock().starting_at(offset) {
            return Ok(recent.place);
        }
        for segment in segments.get(floor_segment(segments, offset)..).unwrap_or_default() {
            let found = segment.find(offset).map_err(|error| read_error(segment, error))?;
            if let Some(place) = found {
                return Ok(OffsetPosition { offset, segment_base: segment.base(), position: place.position });
            }
        }
        Ok(OffsetPosition { offset, ..marks.log_end })
    }
}

#[derive(Clone, Copy)]
struct Request {
    from: Offset,
    max_bytes: usize,
    isolation: FetchIsolation,
    min_one_message: bool,
}

/// The index of the last segment that begins at or before `offset`, or of the first one.
pub(super) fn floor_segment(segments: &[Arc<Segment>], offset: Offset) -> usize {
    segments.partition_point(|segment| segment.base() <= offset).saturating_sub(1)
}

pub(super) fn read_error(segment: &Segment, error: ScanError) -> ReadError {
    match error {
        ScanError::Storage(error) => ReadError::Storage(error),
        ScanError::Corrupt { .. } => ReadError::Corrupt { path: segment.path(), problem: error.to_string() },
    }
}

/// The transactions aborted in the region, and possibly a few beyond it (`collectAbortedTransactions`).
fn aborted_in(
    segments: &Segments,
    segment: &Arc<Segment>,
    from: Offset,
    place: &ReadPlace,
    log_end: Offset,
) -> Result<Vec<AbortedTransaction>, StorageError> {
    let at = floor_segment(segments, segment.base());
    let upper = match segment.upper_bound_offset(place.position, place.len)? {
        Some(offset) => offset,
        None => segments.get(at + 1).map_or(log_end, |next| next.base()),
    };
    let mut aborted = Vec::new();
    for segment in segments.get(at..).unwrap_or_default() {
        let mut complete = false;
        segment.transaction_index().visit(|entry| {
            if entry.last_offset >= from && entry.first_offset < upper {
                aborted.push(AbortedTransaction {
                    producer_id: entry.producer_id,
                    first_offset: entry.first_offset,
                });
            }
            complete = entry.last_stable_offset >= upper;
            !complete
        })?;
        if complete {
            break;
        }
    }
    Ok(aborted)
}
