//! Loading one log: looks at its directory, has `plan` decide, and does what was decided (`LogLoader.load`).

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use gregor_model::{Offset, Timestamp, TopicId};

use super::hole::{Gap, LeftBy};
use super::plan::{Found, Reason, RecoveryStep, plan};
use super::producers::{ProducerRebuild, rebuild_producer_state};
use super::segment::{Overflow, Rebuilt, recover_segment};
use crate::StorageError;
use crate::checkpoint::{self, leader_epochs, partition_metadata};
use crate::file_name::{FileKind, FileName, FileState};
use crate::leader_epochs::LeaderEpochs;
use crate::partition_dir::PartitionDir;
use crate::partition_log::LoadedLog;
use crate::producer_snapshots::ProducerSnapshots;
use crate::segment::Segment;
use crate::segment_scan::{BatchScan, HeaderScan, ScanError};
use crate::transaction_index::BadTransactionIndex;

/// What is known of the log from before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checkpoint {
    /// The directory was closed cleanly.
    pub(crate) clean: bool,
    /// What the recovery point checkpoint says; `None`: nothing that could be read.
    pub(crate) recovery_point: Option<Offset>,
    pub(crate) log_start: Offset,
    pub(crate) now: Timestamp,
    pub(crate) producer_expiration_ms: i64,
    pub(crate) index_interval_bytes: u32,
}

/// How much of a segment is copied at a time when it is split.
const SPLIT_BUFFER_BYTES: usize = 1 << 20;

/// A log being put together.
struct Loader<'a> {
    dir: &'a Arc<PartitionDir>,
    checkpoint: &'a Checkpoint,
    segments: Vec<Arc<Segment>>,
    snapshots: ProducerSnapshots,
    rebuilt: Rebuilt,
    /// The end of the last segment, if that was recovered.
    recovered_end: Option<Offset>,
    /// Everything before it is on disk.
    recovery_point: Offset,
    /// Who appended last; not looked at yet if `None`.
    left_by: Option<LeftBy>,
    newest_base: Offset,
}

/// Loads the log in `dir`.
pub(crate) fn load_log(dir: &Arc<PartitionDir>, checkpoint: &Checkpoint) -> Result<LoadedLog, StorageError> {
    let found = look(dir)?;
    let recovery_point = checkpoint.recovery_point.unwrap_or_default();
    let steps = plan(&found, (!checkpoint.clean).then_some(recovery_point));
    let gone: BTreeSet<Offset> = steps
        .iter()
        .filter_map(|step| match step {
            RecoveryStep::Unlink(FileName { base, kind: FileKind::Snapshot, state: FileState::Plain }) => {
                Some(*base)
            }
            _ => None,
        })
        .collect();
    let is_snapshot = |name: &FileName| name.kind == FileKind::Snapshot && name.state == FileState::Plain;
    let snapshots =
        found.files.iter().map(|(name, _)| name).filter(|name| is_snapshot(name)).map(|name| name.base);
    let snapshots = snapshots.filter(|base| !gone.contains(base)).collect();
    let mut loader = Loader {
        dir,
        checkpoint,
        segments: Vec::new(),
        snapshots: ProducerSnapshots::new(Arc::clone(dir), snapshots),
        rebuilt: Rebuilt { epochs: load_epochs(dir)?, ..Rebuilt::default() },
        recovered_end: None,
        recovery_point,
        left_by: None,
        newest_base: newest_base(&found),
    };
    for step in steps {
        if loader.perform(step)?.is_break() {
            break;
        }
    }
    loader.finish()
}

fn newest_base(found: &Found) -> Offset {
    let logs = found.files.iter().filter(|(name, _)| name.kind == FileKind::Log);
    logs.map(|(name, _)| name.base).max().unwrap_or_default()
}

/// Lists the files, and looks where the segments end that are about to replace others.
fn look(dir: &Arc<PartitionDir>) -> Result<Found, StorageError> {
    let is_log = |name: &str| FileName::parse(name).is_some_and(|name| name.kind == FileKind::Log);
    let entries = dir.run("list", "", |disk, path| disk.list(path, &is_log))?;
    let files: Vec<_> = entries
        .iter()
        .filter(|entry| !entry.is_dir)
        .filter_map(|entry| Some((FileName::parse(&entry.name)?, entry.len)))
        .collect();
    let mut found = Found { files, ..Found::default() };
    for (name, len) in &found.files {
        if name.kind == FileKind::Log && name.state == FileState::Swap {
            let end = end_of_swap(dir, name.base, *len)?;
            found.swap_ends.insert(name.base, end);
        }
    }
    Ok(found)
}

fn end_of_swap(dir: &Arc<PartitionDir>, base: Offset, size: u64) -> Result<Offset, StorageError> {
    let segment = Segment::with_state(dir, base, size, Timestamp(0), FileState::Swap);
    let mut end = base;
    let mut scan = BatchScan::new(segment.log(), 0, size);
    loop {
        match scan.next() {
            Ok(Some(batch)) => end = batch.next_offset(),
            Ok(None) => return Ok(end),
            Err(ScanError::Storage(error)) => return Err(error),
            Err(ScanError::Corrupt { .. }) => return Ok(end),
        }
    }
}

/// What a file of the directory says, through `parse`; damage takes the log directory offline, as in Kafka.
fn load_file<T, E: std::fmt::Display>(
    dir: &PartitionDir,
    name: &str,
    parse: impl FnOnce(&[u8]) -> Result<T, E>,
) -> Result<Option<T>, StorageError> {
    let bytes = dir.run_if_exists("read", name, |disk, path| disk.read(path, checkpoint::BYTES_MAX))?;
    let Some(bytes) = bytes else { return Ok(None) };
    parse(&bytes).map(Some).map_err(|problem| damaged(dir, name, &problem))
}

fn damaged(dir: &PartitionDir, name: &str, problem: &dyn std::fmt::Display) -> StorageError {
    let error = io::Error::new(io::ErrorKind::InvalidData, problem.to_string());
    dir.log_dir().fail("parse", &dir.path().join(name), error)
}

fn load_epochs(dir: &PartitionDir) -> Result<LeaderEpochs, StorageError> {
    let entries = load_file(dir, leader_epochs::NAME, leader_epochs::parse)?;
    Ok(LeaderEpochs::from_entries(entries.unwrap_or_default()))
}

fn load_topic_id(dir: &PartitionDir) -> Result<Option<TopicId>, StorageError> {
    load_file(dir, partition_metadata::NAME, partition_metadata::parse)
}

impl Loader<'_> {
    /// `Break`: what follows was cut off and is gone.
    fn perform(&mut self, step: RecoveryStep) -> Result<std::ops::ControlFlow<()>, StorageError> {
        let plain_name = |name: &FileName| name.kind.name(name.base, name.state);
        match step {
            RecoveryStep::Unlink(name) => {
                let name = plain_name(&name);
                tracing::info!(partition = %self.dir.partition(), name, "removing a leftover file");
                self.dir.run_if_exists("unlink", &name, |disk, path| disk.remove_file(path))?;
            }
            RecoveryStep::Rename(name) => {
                let target = name.kind.name(name.base, FileState::Plain);
                tracing::info!(partition = %self.dir.partition(), target, "finishing a replacement of segments");
                self.dir.run("rename", &plain_name(&name), |disk, path| {
                    disk.rename(path, &path.with_file_name(&target))
                })?;
            }
            RecoveryStep::Open { base, size, has_transaction_index } => {
                let segment = Arc::new(Segment::existing(self.dir, base, size, self.checkpoint.now));
                if !has_transaction_index {
                    segment.transaction_index().assume_empty();
                }
                match segment.transaction_index().check(base)? {
                    None => {
                        self.segments.push(segment);
                        self.recovered_end = None;
                    }
                    Some(BadTransactionIndex::BeforeSegment(_)) => {
                        return self.recover(segment, Reason::BadTransactionIndex);
                    }
                    Some(problem @ BadTransactionIndex::Version(_)) => {
                        let name = segment.transaction_index().file().name();
                        return Err(damaged(self.dir, &name, &problem));
                    }
                }
            }
            RecoveryStep::Recover { base, size, reason } => {
                let segment = Arc::new(Segment::existing(self.dir, base, size, self.checkpoint.now));
                return self.recover(segment, reason);
            }
        }
        Ok(std::ops::ControlFlow::Continue(()))
    }

    fn recover(
        &mut self,
        segment: Arc<Segment>,
        reason: Reason,
    ) -> Result<std::ops::ControlFlow<()>, StorageError> {
        let (base, partition) = (segment.base(), self.dir.partition());
        if let Some(end) = self.recovered_end.filter(|end| *end < base)
            && reason == Reason::UncleanShutdown
        {
            if self.is_loss(end, &segment)? {
                // Kafka goes on with a hole that replicas do not have; what follows it is fetched again instead.
                tracing::warn!(%partition, %end, next_base = %base, "a segment has lost its end, cutting the log there");
                self.remove_segments_from(base)?;
                return Ok(std::ops::ControlFlow::Break(()));
            }
            tracing::info!(%partition, %end, next_base = %base, "offsets are missing between two segments");
            self.settle_before(base)?;
        }
        tracing::info!(%partition, %base, bytes = segment.size(), ?reason, "recovering a segment");
        // Snapshots beyond may know of batches that are about to be cut off.
        self.rebuild_producers(base)?;
        let is_newest = base >= self.newest_base;
        let interval = self.checkpoint.index_interval_bytes;
        let recovered = recover_segment(&segment, &mut self.rebuilt, interval, is_newest)?;
        self.snapshots.take(&self.rebuilt.producers)?;
        self.segments.push(Arc::clone(&segment));
        self.recovered_end = Some(recovered.next_offset);
        if let Some(overflow) = recovered.overflow {
            let rest = self.split_off(&segment, overflow)?;
            return self.recover(rest, Reason::OffsetOverflow);
        }
        if recovered.cut == 0 {
            return Ok(std::ops::ControlFlow::Continue(()));
        }
        self.remove_segments_from(base + 1)?;
        Ok(std::ops::ControlFlow::Break(()))
    }

    /// Whether the crash has made the hole before the segment.
    fn is_loss(&mut self, end: Offset, next: &Segment) -> Result<bool, StorageError> {
        let left_by = match self.left_by {
            Some(left_by) => left_by,
            None => {
                let newest = Segment::existing(self.dir, self.newest_base, 0, self.checkpoint.now);
                let by_kafka =
                    newest.offset_index().is_preallocated()? || newest.time_index().is_preallocated()?;
                if by_kafka { LeftBy::Kafka } else { LeftBy::Gregor }
            }
        };
        self.left_by = Some(left_by);
        let first_batch = match HeaderScan::new(next.log(), 0, next.size()).next() {
            Ok(first) => first.map(|first| first.header.last_offset()),
            Err(ScanError::Corrupt { .. }) => None,
            Err(ScanError::Storage(error)) => return Err(error),
        };
        let within_reach = |offset| self.segments.last().is_none_or(|before| before.can_hold(offset));
        let log_dir = self.dir.log_dir();
        let gap = Gap {
            clean: self.checkpoint.clean,
            cleaned_to: log_dir.cleaner_checkpoint().get(log_dir, self.dir.partition())?,
            end,
            recovery_point: self.checkpoint.recovery_point.map(|_| self.recovery_point),
            left_by,
            next_base: next.base(),
            within_reach: first_batch.is_none_or(within_reach),
        };
        Ok(gap.is_loss())
    }

    /// Makes what was recovered durable, so that the hole before `base` is not taken for the next crash's.
    fn settle_before(&mut self, base: Offset) -> Result<(), StorageError> {
        let from =
            self.segments.partition_point(|segment| segment.base() <= self.recovery_point).saturating_sub(1);
        self.segments.get(from..).unwrap_or_default().iter().try_for_each(|segment| segment.sync())?;
        self.dir.sync()?;
        self.recovery_point = self.recovery_point.max(base);
        let log_dir = self.dir.log_dir();
        match self.checkpoint.recovery_point {
            // The file is not to be trusted; it is written when all logs of the directory are loaded.
            None => Ok(()),
            Some(_) => log_dir.recovery_points().cover(log_dir, self.dir.partition(), Some(base), || base),
        }
    }

    /// Moves the rest of a segment into one of its own (`LocalLog.splitOverflowedSegment`). A crash in between leaves
    /// both, and the next start does it again.
    fn split_off(
        &mut self,
        segment: &Arc<Segment>,
        overflow: Overflow,
    ) -> Result<Arc<Segment>, StorageError> {
        tracing::info!(partition = %self.dir.partition(), base = %segment.base(), at = %overflow.base, "splitting a segment whose offsets are too far from its base");
        let rest = Segment::create(self.dir, overflow.base, FileState::Cleaned, self.checkpoint.now)?;
        let end = segment.log().len()?;
        let (mut from, mut to) = (overflow.position, 0);
        let mut buffer = vec![0; SPLIT_BUFFER_BYTES];
        while from < end {
            let read = segment.log().read_at(&mut buffer, from)?;
            if read == 0 {
                break;
            }
            rest.log().write_at(&[buffer.get(..read).unwrap_or_default()], to)?;
            from += read as u64;
            to += read as u64;
        }
        rest.log().sync()?;
        rest.rename(FileState::Plain)?;
        self.dir.sync()?;
        segment.log().set_len(overflow.position)?;
        segment.log().sync()?;
        Ok(Arc::new(Segment::existing(self.dir, overflow.base, to, self.checkpoint.now)))
    }

    /// What follows a cut cannot be reached any more without a gap.
    fn remove_segments_from(&mut self, base: Offset) -> Result<(), StorageError> {
        let entries = self.dir.run("list", "", |disk, path| disk.list(path, &|_| true))?;
        let later = entries.iter().rev().filter(|entry| {
            FileName::parse(&entry.name)
                .is_some_and(|name| name.base >= base && name.kind != FileKind::Snapshot)
        });
        for entry in later {
            let (partition, name) = (self.dir.partition(), &entry.name);
            tracing::warn!(%partition, name, bytes = entry.len, "removing a segment beyond the cut");
            self.dir.run_if_exists("unlink", name, |disk, path| disk.remove_file(path))?;
        }
        Ok(())
    }

    fn rebuild_producers(&mut self, up_to: Offset) -> Result<(), StorageError> {
        let first = self.segments.first().map_or(up_to, |segment| segment.base());
        rebuild_producer_state(
            &mut self.rebuilt.producers,
            &mut self.snapshots,
            &ProducerRebuild {
                segments: &self.segments,
                log_start: self.checkpoint.log_start.max(first),
                log_end: up_to,
                now: self.checkpoint.now,
                expiration_ms: self.checkpoint.producer_expiration_ms,
            },
        )
    }

    fn log_end(&self) -> Result<Offset, StorageError> {
        let Some(last) = self.segments.last() else { return Ok(self.checkpoint.log_start) };
        if let Some(end) = self.recovered_end {
            return Ok(end);
        }
        last.read_next_offset().map_err(|error| match error {
            ScanError::Storage(error) => error,
            ScanError::Corrupt { .. } => damaged(self.dir, &last.log().name(), &error),
        })
    }

    fn finish(mut self) -> Result<LoadedLog, StorageError> {
        let topic_id = load_topic_id(self.dir)?;
        let mut log_end = self.log_end()?;
        if log_end < self.checkpoint.log_start {
            let (partition, log_start) = (self.dir.partition(), self.checkpoint.log_start);
            tracing::warn!(%partition, %log_end, %log_start, "the log ends before its start offset, starting it anew there");
            self.segments.drain(..).try_for_each(|segment| segment.unlink())?;
            self.rebuilt.epochs_changed |= !self.rebuilt.epochs.is_empty();
            self.rebuilt.epochs.clear();
            log_end = log_start;
        }
        if self.segments.is_empty() {
            let first = Segment::create(self.dir, log_end, FileState::Plain, self.checkpoint.now)?;
            self.segments.push(Arc::new(first));
        }
        let first = self.segments.first().map_or(log_end, |segment| segment.base());
        let log_start = self.checkpoint.log_start.max(first).min(log_end.max(first));
        self.trim_epochs(log_start, log_end)?;
        let bases: Vec<_> = self.segments.iter().map(|segment| segment.base()).collect();
        self.snapshots.remove_strays(&bases)?;
        self.rebuild_producers(log_end)?;
        // After a crash nothing tells how much of it is on disk; only a flush raises the recovery point then.
        let recovery_point = if self.checkpoint.clean { log_end } else { self.recovery_point.min(log_end) };
        Ok(LoadedLog {
            segments: self.segments,
            log_start,
            log_end,
            recovery_point,
            epochs: self.rebuilt.epochs,
            producers: self.rebuilt.producers,
            snapshots: self.snapshots,
            topic_id,
        })
    }

    fn trim_epochs(&mut self, log_start: Offset, log_end: Offset) -> Result<(), StorageError> {
        let epochs = &mut self.rebuilt.epochs;
        let mut changed = self.rebuilt.epochs_changed;
        changed |= epochs.truncate_from_end(log_end);
        // In the file they stay until the next checkpoint of the log start offset.
        epochs.truncate_from_start(log_start);
        if !changed {
            return Ok(());
        }
        let content = leader_epochs::format(&epochs.stored());
        self.dir.run("write", leader_epochs::NAME, |disk, path| disk.replace(path, &content))
    }
}
