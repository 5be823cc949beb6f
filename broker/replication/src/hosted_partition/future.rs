//! The copy of a partition's log that is on its way to another log directory (`Partition.futureLog`).
//!
//! The copy follows its log as a follower does its leader: it is cut to where both agree, takes over batches as they are, and
//! steps into the log's place when it has everything. Lock order: the partition's `state`, then `copying`, then the logs.

use std::path::Path;
use std::sync::Arc;

use gregor_log::{
    AppendError, FetchIsolation, LogError, LogManager, LogStartReason, PartitionLog, ReadError, StorageError,
};
use gregor_model::{Offset, Timestamp};
use parking_lot::Mutex;

use super::HostedPartition;
use super::follower::append_or_restart;
use crate::error::PartitionError;
use crate::fetcher::truncation::{self, Truncation};
use crate::manager::EpochEnd;
use crate::purgatory::WaitOutcome;
use crate::shared::Shared;

/// The copy, and what is known of it.
pub(super) struct FutureReplica {
    log: Arc<PartitionLog>,
    copying: Mutex<Copying>,
}

#[derive(Default)]
struct Copying {
    /// All that the copy holds is in the log, too.
    agrees: bool,
}

/// What a step of a move came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MoveStep {
    /// So many bytes were copied, and there are more.
    Copied(usize),
    /// The copy has, after so many bytes, everything that the log had.
    CaughtUp(usize),
    /// There is more, but nothing that can be read: the log ends in offsets without records.
    Stuck,
    /// There is no copy (any more).
    Gone,
}

/// Why a move cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MoveError {
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl FutureReplica {
    fn new(log: Arc<PartitionLog>) -> Arc<FutureReplica> {
        Arc::new(FutureReplica { log, copying: Mutex::default() })
    }

    /// The log was cut: whether the copy agrees with it has to be found out anew.
    pub(super) fn distrust(&self) {
        self.copying.lock().agrees = false;
    }

    pub(super) fn log_start_offset(&self) -> Offset {
        self.log.log_start_offset()
    }
}

impl HostedPartition {
    /// Ends a move to another directory than `dir`: its copy is deleted.
    pub(crate) fn cancel_move_elsewhere(
        &self,
        logs: &LogManager,
        dir: &Path,
        now: Timestamp,
    ) -> Result<(), LogError> {
        let mut state = self.state.write();
        if state.future.as_ref().is_some_and(|future| future.log.parent_dir() != dir) {
            state.future = None;
            logs.delete_future(&self.partition, now)?;
        }
        Ok(())
    }

    /// Begins a move to `dir`, unless the log is there or on its way. Returns whether there is something to copy now
    /// (`maybeCreateFutureReplica`).
    pub(crate) fn begin_move(
        &self,
        logs: &LogManager,
        dir: &Path,
        now: Timestamp,
    ) -> Result<bool, MoveRefusal> {
        let mut state = self.state.write();
        let log = state.log(&self.partition)?;
        if log.parent_dir() == dir || state.future.is_some() {
            return Ok(false);
        }
        let future = logs.get_or_create_future(&self.partition, log.topic_id(), dir, now)?;
        state.future = Some(FutureReplica::new(future));
        Ok(true)
    }

    /// Takes up a move that an earlier run of the broker began. Returns whether there is one.
    pub(crate) fn resume_move(&self, logs: &LogManager) -> bool {
        let Some(future) = logs.future_log(&self.partition) else { return false };
        let mut state = self.state.write();
        let Some(log) = &state.log else { return false };
        if state.future.is_some() {
            return true;
        }
        if log.parent_dir() == future.parent_dir() {
            tracing::warn!(partition = %self.partition, dir = %future.dir().display(), "a copy lies beside its log, and is left alone");
            return false;
        }
        state.future = Some(FutureReplica::new(future));
        true
    }

    /// The copy's directory failed.
    pub(crate) fn forget_move(&self) {
        self.state.write().future = None;
    }

    /// Copies at most `max_bytes`, or one batch that is larger. What the copy has caught up with is on disk.
    pub(crate) fn copy_to_future(
        &self,
        cx: &Shared,
        max_bytes: usize,
        now: Timestamp,
    ) -> Result<MoveStep, MoveError> {
        let (log, future) = {
            let state = self.state.read();
            let (Some(log), Some(future)) = (&state.log, &state.future) else { return Ok(MoveStep::Gone) };
            (Arc::clone(log), Arc::clone(future))
        };
        let step = {
            let mut copying = future.copying.lock();
            agree(&log, &future.log, &mut copying, now)?;
            copy(&log, &future.log, max_bytes, now)?
        };
        if let MoveStep::CaughtUp(_) = step {
            future.log.flush(now)?;
        }
        if !self.low_watermark_waits.is_empty()
            && let Some(low) = self.low_watermark(cx, now)
        {
            self.low_watermark_waits.complete_through(low, WaitOutcome::Reached);
        }
        Ok(step)
    }

    /// Puts the copy in the log's place, when no more than `max_bytes` are missing in it. Returns whether the move is over
    /// (`maybeReplaceCurrentWithFutureReplica`). Nothing is appended meanwhile.
    pub(crate) fn finish_move(
        &self,
        logs: &LogManager,
        max_bytes: usize,
        now: Timestamp,
    ) -> Result<bool, MoveError> {
        let mut state = self.state.write();
        let (Some(log), Some(future)) = (&state.log, &state.future) else { return Ok(true) };
        {
            let mut copying = future.copying.lock();
            agree(log, &future.log, &mut copying, now)?;
            if !matches!(copy(log, &future.log, max_bytes, now)?, MoveStep::CaughtUp(_)) {
                return Ok(false);
            }
        }
        // The log goes: what was on disk of it must be so of the copy.
        future.log.flush(now)?;
        logs.replace_current_with_future(&self.partition, now)?;
        tracing::info!(
            partition = %self.partition, from = %log.parent_dir().display(), to = %future.log.parent_dir().display(),
            "moved to another log directory"
        );
        state.log = Some(Arc::clone(&future.log));
        state.future = None;
        drop(state);
        // Who waits knows positions in the segments of before.
        self.fetch_waits.wake_all();
        Ok(true)
    }
}

/// Why a partition is not moved.
#[derive(Debug, thiserror::Error)]
pub enum MoveRefusal {
    /// It is not here.
    #[error(transparent)]
    Partition(#[from] PartitionError),
    /// The directory cannot take it.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Cuts the copy to what the log has, too, as a follower does that asks its leader where its last epoch ends.
fn agree(
    log: &PartitionLog,
    future: &PartitionLog,
    copying: &mut Copying,
    now: Timestamp,
) -> Result<(), StorageError> {
    while !copying.agrees {
        let end = future.log_end_offset();
        let decided = match future.latest_epoch() {
            // Old formats have no epochs: what was committed is the same everywhere.
            None => Truncation { offset: future.high_watermark().min(end), complete: true },
            Some(epoch) => {
                let ends = log.end_offset_for_epoch(epoch);
                let ends =
                    EpochEnd { epoch: ends.map(|(epoch, _)| epoch), end_offset: ends.map(|(_, end)| end) };
                truncation::decide(ends, future.high_watermark(), end, |epoch| {
                    future.end_offset_for_epoch(epoch)
                })
            }
        };
        future.truncate_to(decided.offset.min(log.log_end_offset()), now)?;
        copying.agrees = decided.complete;
    }
    Ok(())
}

/// Copies `max_bytes`, in reads none of which goes beyond a segment.
fn copy(
    log: &PartitionLog,
    future: &PartitionLog,
    max_bytes: usize,
    now: Timestamp,
) -> Result<MoveStep, MoveError> {
    let mut copied = 0;
    loop {
        let read = copy_once(log, future, max_bytes.saturating_sub(copied), now)?;
        copied += read;
        if future.log_end_offset() == log.log_end_offset() {
            return Ok(MoveStep::CaughtUp(copied));
        }
        match (read, copied) {
            (0, 0) => return Ok(MoveStep::Stuck),
            _ if read == 0 || copied >= max_bytes => return Ok(MoveStep::Copied(copied)),
            _ => {}
        }
    }
}

/// Returns the bytes copied: at least one batch, if there is any.
fn copy_once(
    log: &PartitionLog,
    future: &PartitionLog,
    max_bytes: usize,
    now: Timestamp,
) -> Result<usize, MoveError> {
    let start = log.log_start_offset();
    if future.log_end_offset() < start {
        future.truncate_fully_and_start_at(start, now)?;
    }
    let from = future.log_end_offset();
    let mut copied = 0;
    if from < log.log_end_offset() {
        let data = log.read(from, max_bytes, FetchIsolation::LogEnd, true)?;
        if let Some(records) = data.records {
            let records = records.read_to_bytes()?;
            copied = append_or_restart(future, records, None, Some(start), now)?.appended_bytes;
        }
    }
    future.set_high_watermark(log.high_watermark());
    if (future.log_start_offset()..=future.high_watermark()).contains(&start) {
        future.increment_log_start_offset(start, LogStartReason::LeaderOffset)?;
    }
    Ok(copied)
}
