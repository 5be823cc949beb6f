//! `.index` and `.timeindex` as kafka-dump-log shows them, held against the `.log` beside them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use gregor_log::stored::{IndexEntry, OffsetEntry, TimeEntry};
use gregor_model::Offset;
use gregor_records::Limits;

use super::report::Report;
use super::stored_batch::{StoredBatches, base_offset_of};
use super::{DumpError, Options, absolute};

/// Shows an offset index.
pub(super) fn dump_offsets(
    path: &Path,
    options: &Options,
    out: &mut impl Write,
    report: &mut Report,
) -> Result<(), DumpError> {
    let base = base_offset_of(path)?;
    let log = beside(path, ".log");
    StoredBatches::open(&log, 0, 0)?;
    let index = Index::<OffsetEntry>::read(path, base)?;
    if index.entries.is_empty() {
        return Ok(writeln!(out, "{} is empty.", path.display())?);
    }
    if options.index_sanity_check {
        check_offsets(&index, path)?;
        return Ok(writeln!(out, "{} passed sanity check.", path.display())?);
    }
    for (at, entry) in index.entries.iter().enumerate() {
        // Zeros that were never written follow after a crash.
        if entry.offset == base && at > 0 {
            return Ok(());
        }
        let mut batches =
            StoredBatches::open(&log, u64::from(entry.position), u64::from(options.max_message_size))?;
        let batch = batches.next_batch()?.ok_or_else(|| {
            DumpError::Message(format!("{}: no batch at position {}", log.display(), entry.position))
        })?;
        let found = batch.header.last_offset();
        if found != entry.offset {
            report.index_mismatch(absolute(path), (entry.offset, found));
        }
        if !options.verify_index_only {
            writeln!(out, "offset: {} position: {}", entry.offset, entry.position)?;
        }
    }
    Ok(())
}

/// Shows a time index.
pub(super) fn dump_times(
    path: &Path,
    options: &Options,
    out: &mut impl Write,
    report: &mut Report,
) -> Result<(), DumpError> {
    let base = base_offset_of(path)?;
    let log = beside(path, ".log");
    StoredBatches::open(&log, 0, 0)?;
    let offsets = Index::<OffsetEntry>::read(&beside(path, ".index"), base)?;
    let index = Index::<TimeEntry>::read(path, base)?;
    if options.index_sanity_check {
        check_times(&index, path)?;
        return Ok(writeln!(out, "{} passed sanity check.", path.display())?);
    }
    let mut previous = -1;
    for (at, entry) in index.entries.iter().enumerate() {
        if entry.offset == base && at > 0 {
            return Ok(());
        }
        let below = offsets.entries.partition_point(|known| known.offset <= entry.offset);
        let position =
            below.checked_sub(1).and_then(|at| offsets.entries.get(at)).map_or(0, |known| known.position);
        match find_batch(&log, u64::from(position), entry.offset)? {
            Found::Nothing => report.offset_not_found(absolute(path), (entry.offset, Offset(-1))),
            Found::Other(last) => report.offset_not_found(absolute(path), (entry.offset, last)),
            Found::Batch { max_timestamp } => {
                if max_timestamp != entry.timestamp.0 {
                    report.time_mismatch(absolute(path), (entry.timestamp.0, max_timestamp));
                }
                if previous >= entry.timestamp.0 {
                    report.time_out_of_order(absolute(path), (entry.timestamp.0, previous));
                }
            }
        }
        if !options.verify_index_only {
            writeln!(out, "timestamp: {} offset: {}", entry.timestamp.0, entry.offset)?;
        }
        previous = entry.timestamp.0;
    }
    Ok(())
}

enum Found {
    Nothing,
    /// Another batch holds the offset; this is its last one.
    Other(Offset),
    Batch {
        max_timestamp: i64,
    },
}

/// The batch that ends at or behind `offset`.
fn find_batch(log: &Path, position: u64, offset: Offset) -> Result<Found, DumpError> {
    let mut batches = StoredBatches::open(log, position, u64::MAX)?;
    while let Some(batch) = batches.next_batch()? {
        let last = batch.header.last_offset();
        if last < offset {
            continue;
        }
        if last > offset {
            return Ok(Found::Other(last));
        }
        let view = batch.view()?;
        let mut records = view.records(Limits::for_batch(&batch.header)).map_err(DumpError::message)?;
        let mut max_timestamp = -1;
        while let Some(record) = records.next_record().map_err(DumpError::message)? {
            max_timestamp = max_timestamp.max(record.timestamp.map_or(-1, |timestamp| timestamp.0));
        }
        return Ok(Found::Batch { max_timestamp });
    }
    Ok(Found::Nothing)
}

/// A whole index; none is larger than some MiB.
struct Index<E> {
    base: Offset,
    bytes: usize,
    entries: Vec<E>,
}

impl<E: IndexEntry> Index<E> {
    /// A file that is not there has no entries.
    fn read(path: &Path, base: Offset) -> Result<Index<E>, DumpError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(DumpError::Message(format!("{}: {error}", path.display()))),
        };
        let entries = bytes.chunks_exact(E::SIZE).map(|entry| E::decode(base, entry)).collect();
        Ok(Index { base, bytes: bytes.len(), entries })
    }
}

/// `OffsetIndex.sanityCheck`.
fn check_offsets(index: &Index<OffsetEntry>, path: &Path) -> Result<(), DumpError> {
    let file = absolute(path);
    let base = index.base;
    if let Some(last) = index.entries.last().filter(|last| last.offset < base) {
        return Err(DumpError::Message(format!(
            "Corrupt index found, index file {file} has non-zero size but the last offset is {} which is less than the \
             base offset {base}",
            last.offset
        )));
    }
    check_size::<OffsetEntry>("Index", index.bytes, &file)
}

/// `TimeIndex.sanityCheck`.
fn check_times(index: &Index<TimeEntry>, path: &Path) -> Result<(), DumpError> {
    let file = absolute(path);
    let corrupt = |what: &str, last: i64, first: i64| {
        Err(DumpError::Message(format!(
            "Corrupt time index found, time index file ({file}) has non-zero size but the last {what} is {last} which is \
             less than the first {what} {first}"
        )))
    };
    if let (Some(first), Some(last)) = (index.entries.first(), index.entries.last()) {
        if last.timestamp < first.timestamp {
            return corrupt("timestamp", last.timestamp.0, first.timestamp.0);
        }
        if last.offset < index.base {
            return corrupt("offset", last.offset.0, index.base.0);
        }
    }
    check_size::<TimeEntry>("Time index", index.bytes, &file)
}

fn check_size<E: IndexEntry>(what: &str, bytes: usize, file: &str) -> Result<(), DumpError> {
    if bytes.is_multiple_of(E::SIZE) {
        return Ok(());
    }
    Err(DumpError::Message(format!(
        "{what} file {file} is corrupt, found {bytes} bytes which is neither positive nor a multiple of {}",
        E::SIZE
    )))
}

/// The file of the same segment with another ending.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let number = name.split('.').next().unwrap_or_default();
    path.with_file_name(format!("{number}{ending}"))
}
