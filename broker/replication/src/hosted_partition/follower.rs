//! What a fetcher does to a partition this broker follows: append, truncate (`ReplicaFetcherThread`).
//!
//! Every step names the term it belongs to and happens under the state's lock: what a fetcher of an earlier term still has
//! in hand can touch nothing.

use std::sync::Arc;

use bytes::Bytes;
use gregor_log::{AppendError, LogStartReason, PartitionLog, ReadError, StorageError};
use gregor_model::{LeaderEpoch, Offset, Timestamp};

use super::{HostedPartition, Role, State};

/// What a leader's answer brings for one partition.
#[derive(Clone, Debug)]
pub(crate) struct FollowerAppend {
    /// The offset that was asked for: must still be the log's end.
    pub(crate) fetch_offset: Offset,
    /// The batches, as received.
    pub(crate) records: Bytes,
    /// The leader's high watermark.
    pub(crate) high_watermark: Option<Offset>,
    /// The leader's log start offset.
    pub(crate) log_start_offset: Option<Offset>,
}

/// Why a fetcher's step on a partition was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FollowerError {
    /// The partition is not followed in that term (any more).
    #[error("the partition is not followed in this term any more")]
    Superseded,
    /// The log end is not where the fetch started.
    #[error("fetched from {fetched}, but the log ends at {log_end}")]
    UnexpectedLogEnd { fetched: Offset, log_end: Offset },
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Where a follower's log stands after an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FollowerPosition {
    pub(crate) log_end: Offset,
    pub(crate) last_epoch: Option<LeaderEpoch>,
    pub(crate) appended_bytes: usize,
}

impl State {
    /// The log, if it is followed in `term`.
    fn followed(&self, term: LeaderEpoch) -> Result<&Arc<PartitionLog>, FollowerError> {
        match (&self.role, &self.log) {
            (Role::Follower, Some(log)) if self.leader_epoch == Some(term) => Ok(log),
            _ => Err(FollowerError::Superseded),
        }
    }
}

impl HostedPartition {
    /// Runs `step` on the log, if the partition is followed in `term`.
    fn following<T>(
        &self,
        term: LeaderEpoch,
        step: impl FnOnce(&Arc<PartitionLog>) -> Result<T, FollowerError>,
    ) -> Result<T, FollowerError> {
        self.state.read().followed(term).and_then(step)
    }

    /// The same for a step that may cut the log. Its copy in another directory must not take its place before that is
    /// known there, so the state stays locked until it is.
    fn cutting<T>(
        &self,
        term: LeaderEpoch,
        step: impl FnOnce(&Arc<PartitionLog>) -> Result<T, FollowerError>,
    ) -> Result<T, FollowerError> {
        let state = self.state.read();
        let done = state.followed(term).and_then(step);
        if let Some(future) = &state.future {
            future.distrust();
        }
        done
    }

    /// The log, if the partition is followed in `term`.
    pub(crate) fn follower_log(&self, term: LeaderEpoch) -> Option<Arc<PartitionLog>> {
        self.following(term, |log| Ok(Arc::clone(log))).ok()
    }

    /// Appends what was fetched, then adopts the leader's offsets.
    pub(crate) fn append_as_follower(
        &self,
        term: LeaderEpoch,
        append: FollowerAppend,
        now: Timestamp,
    ) -> Result<FollowerPosition, FollowerError> {
        self.following(term, |log| {
            let log_end = log.log_end_offset();
            if append.fetch_offset != log_end {
                return Err(FollowerError::UnexpectedLogEnd { fetched: append.fetch_offset, log_end });
            }
            let appended = if append.records.is_empty() {
                None
            } else {
                Some(append_or_restart(log, append.records, Some(term), append.log_start_offset, now)?)
            };
            let before = log.high_watermark();
            let high_watermark = match append.high_watermark {
                Some(offset) => log.set_high_watermark(offset),
                None => before,
            };
            if let Some(start) = append.log_start_offset
                && start > log.log_start_offset()
            {
                log.increment_log_start_offset(start, LogStartReason::LeaderOffset)?;
            }
            if high_watermark != before || appended.is_some() {
                self.fetch_waits.on_progress(|| log.offsets());
            }
            Ok(FollowerPosition {
                log_end: log.log_end_offset(),
                last_epoch: appended.as_ref().and_then(|info| info.last_leader_epoch),
                appended_bytes: appended.map_or(0, |info| info.appended_bytes),
            })
        })
    }

    /// Truncates to `offset` (at most the log end). Below the high watermark data that was committed goes; that is
    /// right after an unclean election only, so it is said aloud.
    pub(crate) fn truncate_as_follower(
        &self,
        term: LeaderEpoch,
        offset: Offset,
        now: Timestamp,
    ) -> Result<Offset, FollowerError> {
        self.cutting(term, |log| {
            let high_watermark = log.high_watermark();
            if offset < high_watermark {
                tracing::warn!(partition = %self.partition, %offset, %high_watermark, "truncating below the high watermark");
            }
            log.truncate_to(offset, now)?;
            self.fetch_waits.on_progress(|| log.offsets());
            Ok(log.log_end_offset())
        })
    }

    /// Empties the log to start again at `offset`, where the leader's begins.
    pub(crate) fn restart_as_follower(
        &self,
        term: LeaderEpoch,
        offset: Offset,
        now: Timestamp,
    ) -> Result<(), FollowerError> {
        self.cutting(term, |log| {
            log.truncate_fully_and_start_at(offset, now)?;
            self.fetch_waits.wake_all();
            Ok(())
        })
    }
}

/// Appends. When DeleteRecords moved the leader's start into the middle of a batch, fetching from there brings that batch, which begins
/// below our end: the log starts anew with it, as all it has was deleted. (Kafka does so only for an empty log, and
/// gives up on one that was truncated to that start.)
pub(super) fn append_or_restart(
    log: &PartitionLog,
    records: Bytes,
    term: Option<LeaderEpoch>,
    leader_start: Option<Offset>,
    now: Timestamp,
) -> Result<gregor_log::AppendInfo, AppendError> {
    match log.append_as_follower(records.clone(), term, now) {
        Err(AppendError::UnexpectedOffset { first, log_end })
            if first < log_end
                && (log_end == log.log_start_offset()
                    || leader_start.is_some_and(|start| start >= log_end)) =>
        {
            log.truncate_fully_and_start_at(first, now)?;
            log.append_as_follower(records, term, now)
        }
        other => other,
    }
}
