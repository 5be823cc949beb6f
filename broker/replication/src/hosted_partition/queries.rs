//! What is asked of a partition beside its records: offsets by time and by epoch, deletion up to an offset, its status.

use std::sync::Arc;

use gregor_log::{FetchIsolation, ListedOffset, PartitionLog, TimestampQuery};
use gregor_model::{BrokerId, LeaderEpoch, Offset, Timestamp};

use super::{HostedPartition, Role, State, min_insync_replicas};
use crate::error::{DeleteRecordsFailure, ListOffsetsError, PartitionError};
use crate::manager::{EpochEnd, PartitionStatus};
use crate::purgatory::{OffsetWait, OffsetWaitKey, WaitOutcome};
use crate::shared::Shared;

impl HostedPartition {
    /// Whether a reassignment adds this replica (`isAddingReplica`).
    pub(crate) fn is_adding(&self, replica: BrokerId) -> bool {
        self.state.read().adding.contains(&replica)
    }

    /// ListOffsets v1+ (`Partition.fetchOffsetForTimestamp`).
    pub(crate) fn list_offset(
        &self,
        query: TimestampQuery,
        isolation: Option<FetchIsolation>,
        current_leader_epoch: Option<LeaderEpoch>,
        leader_only: bool,
    ) -> Result<Option<ListedOffset>, ListOffsetsError> {
        let (log, bound, not_ready, leader_epoch) = {
            let state = self.state.read();
            state.check_epoch(&self.partition, current_leader_epoch, leader_only)?;
            let log = Arc::clone(state.log(&self.partition)?);
            let bound = match isolation {
                Some(FetchIsolation::TxnCommitted) => log.last_stable_offset(),
                Some(FetchIsolation::HighWatermark) => log.high_watermark(),
                Some(FetchIsolation::LogEnd) | None => log.log_end_offset(),
            };
            let not_ready = isolation.is_some() && is_behind_its_term(&state, &log);
            (log, bound, not_ready, state.leader_epoch)
        };
        let not_available = || ListOffsetsError::NotAvailable(self.partition.clone());
        match query {
            TimestampQuery::Latest if not_ready => Err(not_available()),
            TimestampQuery::Latest => {
                Ok(Some(ListedOffset { timestamp: None, offset: Some(bound), leader_epoch }))
            }
            TimestampQuery::Earliest | TimestampQuery::EarliestLocal | TimestampQuery::LatestTiered => {
                log.offset_for_timestamp(query).map_err(|error| ListOffsetsError::Read(Arc::new(error)))
            }
            TimestampQuery::MaxTimestamp | TimestampQuery::At(_) => {
                let found = log
                    .offset_for_timestamp(query)
                    .map_err(|error| ListOffsetsError::Read(Arc::new(error)))?;
                // A consumer is told only of what it could read.
                let readable = |listed: &ListedOffset| {
                    isolation.is_none() || listed.offset.is_some_and(|offset| offset < bound)
                };
                match found.filter(readable) {
                    None if not_ready => Err(not_available()),
                    found => Ok(found),
                }
            }
        }
    }

    /// ListOffsets v0 (`Partition.legacyFetchOffsetsForTimestamp`).
    pub(crate) fn legacy_offsets_before(
        &self,
        timestamp: i64,
        max: usize,
        from_consumer: bool,
        leader_only: bool,
        now: Timestamp,
    ) -> Result<Vec<Offset>, ListOffsetsError> {
        let log = {
            let state = self.state.read();
            state.check_epoch(&self.partition, None, leader_only)?;
            Arc::clone(state.log(&self.partition)?)
        };
        let offsets = log
            .legacy_offsets_before(timestamp, max, now)
            .map_err(|error| ListOffsetsError::Read(Arc::new(error)))?;
        let high_watermark = log.high_watermark();
        if !from_consumer || offsets.iter().all(|offset| *offset <= high_watermark) {
            return Ok(offsets);
        }
        let below = offsets.into_iter().skip_while(|offset| *offset > high_watermark);
        Ok(std::iter::once(high_watermark).chain(below).collect())
    }

    /// OffsetForLeaderEpoch (`Partition.lastOffsetForLeaderEpoch`).
    pub(crate) fn offset_for_leader_epoch(
        &self,
        current_leader_epoch: Option<LeaderEpoch>,
        epoch: LeaderEpoch,
    ) -> Result<EpochEnd, PartitionError> {
        let state = self.state.read();
        state.check_epoch(&self.partition, current_leader_epoch, true)?;
        let end = state.log(&self.partition)?.end_offset_for_epoch(epoch);
        Ok(EpochEnd { epoch: end.map(|(epoch, _)| epoch), end_offset: end.map(|(_, offset)| offset) })
    }

    /// Deletes records below `offset`; then partition `index` of `wait` waits until all live replicas have. Returns the
    /// offset, the wait's key, and the low watermark by now.
    pub(crate) fn delete_records(
        &self,
        cx: &Shared,
        offset: Option<Offset>,
        wait: &Arc<OffsetWait>,
        index: usize,
        now: Timestamp,
    ) -> Result<(Offset, OffsetWaitKey, Option<Offset>), DeleteRecordsFailure> {
        let state = self.state.read();
        let (log, leader) = state.leading(&self.partition)?;
        let requested = offset.unwrap_or_else(|| log.high_watermark());
        log.delete_records(Some(requested)).map_err(Arc::new)?;
        let key = self.low_watermark_waits.register(requested, wait, index);
        let low = state.low_watermark(log, &leader.lock(), &cx.followers(now));
        if let Some(low) = low {
            self.low_watermark_waits.complete_through(low, WaitOutcome::Reached);
        }
        Ok((requested, key, low))
    }

    /// The lowest log start offset of the live replicas, where this broker leads; `None`: unknown yet.
    pub(crate) fn low_watermark(&self, cx: &Shared, now: Timestamp) -> Option<Offset> {
        let state = self.state.read();
        let (log, leader) = state.leading(&self.partition).ok()?;
        state.low_watermark(log, &leader.lock(), &cx.followers(now))
    }

    /// How the partition stands.
    pub(crate) fn status(&self) -> PartitionStatus {
        let state = self.state.read();
        let mut status = PartitionStatus {
            partition: self.partition.clone(),
            is_leader: false,
            leader: state.leader,
            leader_epoch: state.leader_epoch,
            isr: Vec::new(),
            replicas: Vec::new(),
            under_replicated: false,
            under_min_isr: false,
        };
        if let (Role::Leader(leader), Some(log)) = (&state.role, &state.log) {
            let leader = leader.lock();
            status.is_leader = true;
            status.isr = leader.isr().members().to_vec();
            status.replicas.clone_from(&leader.assignment().replicas);
            status.under_replicated = status.isr.len() < leader.assignment().origin().len();
            status.under_min_isr = !leader.has_min_isr(min_insync_replicas(log));
        }
        status
    }
}

/// Whether a new leader's high watermark has not yet reached the start of its term: what it says of the end may go back.
fn is_behind_its_term(state: &State, log: &PartitionLog) -> bool {
    match &state.role {
        Role::Leader(leader) => log.high_watermark() < leader.lock().epoch_start(),
        Role::None | Role::Follower => false,
    }
}
