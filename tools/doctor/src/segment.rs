//! One segment, read through: what is wrong with it, and what it would be without that. Pure; batches are fed to it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use gregor_log::stored::{AbortedTxn, FileKind, FileState, OffsetEntry, TimeEntry};
use gregor_model::{Offset, ProducerId};
use gregor_records::{BatchRef, EndTransactionMarker, Limits};

use crate::finding::{Finding, Kind, Repair};
use crate::index::{IndexBuilder, StoredIndex};
use crate::step::Step;
use crate::transactions;

/// A control record is a few dozen bytes.
const MARKER_LIMITS: Limits = Limits { record_bytes_max: 1 << 16, total_bytes_max: 1 << 16 };

/// The files of a segment beside its `.log`, as they were found; none if there is no such file.
#[derive(Debug, Default)]
pub(crate) struct SideFiles {
    pub(crate) offset_index: Option<Vec<u8>>,
    pub(crate) time_index: Option<Vec<u8>>,
    pub(crate) transaction_index: Option<Vec<u8>>,
}

/// A segment being read.
pub(crate) struct SegmentFold {
    dir: PathBuf,
    base: Offset,
    /// Zeros may stand at the end of its indexes: a broker that has not stopped keeps room there.
    active_after_crash: bool,
    offset_index: Option<StoredIndex<OffsetEntry>>,
    time_index: Option<StoredIndex<TimeEntry>>,
    transaction_index: Option<Vec<u8>>,
    builder: IndexBuilder,
    aborted: Vec<AbortedTxn>,
    committed: BTreeMap<Offset, ProducerId>,
    /// Bytes kept so far: positions in the repaired file.
    kept_bytes: u64,
    removed: Vec<Range<u64>>,
    next_offset: Offset,
}

impl SegmentFold {
    pub(crate) fn new(dir: &Path, base: Offset, files: SideFiles, active_after_crash: bool) -> SegmentFold {
        SegmentFold {
            dir: dir.to_owned(),
            base,
            active_after_crash,
            offset_index: files.offset_index.map(|bytes| StoredIndex::offsets(base, &bytes)),
            time_index: files.time_index.map(|bytes| StoredIndex::times(base, &bytes)),
            transaction_index: files.transaction_index,
            builder: IndexBuilder::new(base),
            aborted: Vec::new(),
            committed: BTreeMap::new(),
            kept_bytes: 0,
            removed: Vec::new(),
            next_offset: base,
        }
    }

    /// A batch that stays; `aborted` are the transactions that it aborts.
    pub(crate) fn keep(&mut self, position: u64, batch: &BatchRef<'_>, aborted: Vec<AbortedTxn>) {
        self.builder.add(self.kept_bytes, batch);
        if let Some(index) = &mut self.offset_index {
            index.meet(position, batch);
        }
        if let Some(index) = &mut self.time_index {
            index.meet(batch, self.builder.largest());
        }
        if batch.is_control() && is_commit(batch) {
            self.committed.extend(batch.producer_id.map(|producer| (batch.base_offset(), producer)));
        }
        self.aborted.extend(aborted);
        self.kept_bytes += batch.size_in_bytes as u64;
        self.next_offset = batch.next_offset();
    }

    /// Bytes that go.
    pub(crate) fn remove(&mut self, bytes: Range<u64>) {
        match self.removed.last_mut().filter(|last| last.end == bytes.start) {
            Some(last) => last.end = bytes.end,
            None => self.removed.push(bytes),
        }
    }

    /// A file of this segment.
    pub(crate) fn file(&self, kind: FileKind) -> PathBuf {
        self.dir.join(kind.name(self.base, FileState::Plain))
    }

    /// The segment ends, at `size` bytes. Returns what is wrong with its indexes, and the steps that take out what was
    /// removed; with those, the indexes are written anew and need no repair of their own.
    pub(crate) fn finish(mut self, size: u64) -> (Vec<Finding>, Vec<Step>) {
        let mut findings = Vec::new();
        let mut steps = Vec::new();
        if !self.removed.is_empty() {
            let path = self.file(FileKind::Log);
            let tail = self.removed.len() == 1 && self.removed.last().is_some_and(|range| range.end == size);
            steps.push(if tail {
                Step::Truncate { path, length: self.kept_bytes }
            } else {
                Step::RemoveRanges { path, ranges: std::mem::take(&mut self.removed) }
            });
        }
        let cut = !steps.is_empty();
        let transactions_file = self.file(FileKind::TransactionIndex);
        let (problem, entries) = transactions::check(
            self.base,
            self.next_offset.max(self.base + 1),
            self.transaction_index.as_deref(),
            &self.aborted,
            &self.committed,
        );
        let rewrite = match (entries.is_empty(), self.transaction_index.is_some()) {
            (true, false) => None,
            (true, true) => Some(Step::Unlink { path: transactions_file.clone() }),
            (false, _) => {
                Some(Step::Write { path: transactions_file.clone(), bytes: transactions::encode(&entries) })
            }
        };
        match (problem, cut) {
            (_, true) => steps.extend(rewrite),
            (Some(what), false) => {
                let repair = Repair::lossless(
                    "writes it anew from the markers in the log",
                    rewrite.into_iter().collect(),
                );
                let place = transactions_file.display().to_string();
                findings.push(Finding::new(place, Kind::BrokenTransactionIndex, what).repaired_by(repair));
            }
            (None, false) => {}
        }
        self.finish_indexes(cut, &mut findings, &mut steps);
        (findings, steps)
    }

    fn finish_indexes(mut self, cut: bool, findings: &mut Vec<Finding>, steps: &mut Vec<Step>) {
        let paths = [self.file(FileKind::OffsetIndex), self.file(FileKind::TimeIndex)];
        let next_offset = self.next_offset;
        let zeros = self.active_after_crash;
        let offsets = self.offset_index.take().map(|mut index| {
            index.end(next_offset);
            index.problem(zeros)
        });
        let times = self.time_index.take().map(|mut index| {
            index.end();
            index.problem(zeros)
        });
        let (offset_bytes, time_bytes) = self.builder.finish();
        let files = paths.into_iter().zip([(offsets, offset_bytes), (times, time_bytes)]);
        for (path, (problem, bytes)) in files {
            let place = path.display().to_string();
            let write = Step::Write { path, bytes };
            let repair = |step| Repair::lossless("writes it anew from the log", vec![step]);
            match (problem, cut) {
                (_, true) => steps.push(write),
                // An empty segment may lack its indexes: they are made when they are needed.
                (None, false) if self.kept_bytes > 0 => {
                    let what = "it is missing";
                    findings.push(Finding::new(place, Kind::MissingIndex, what).repaired_by(repair(write)));
                }
                (Some(Some(what)), false) => {
                    findings.push(Finding::new(place, Kind::BrokenIndex, what).repaired_by(repair(write)));
                }
                (None | Some(None), false) => {}
            }
        }
    }
}

fn is_commit(batch: &BatchRef<'_>) -> bool {
    let Ok(mut records) = batch.records(MARKER_LIMITS) else { return false };
    let Ok(Some(record)) = records.next_record() else { return false };
    matches!(EndTransactionMarker::parse(&record), Ok(Some(marker)) if marker.commit)
}
