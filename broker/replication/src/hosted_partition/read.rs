//! Reading for consumers and followers (`Partition.fetchRecords`).

use std::sync::Arc;

use gregor_log::{FetchData, FetchIsolation, OffsetPosition, PartitionLog};
use gregor_model::{BrokerId, LeaderEpoch, Offset, Timestamp};
use parking_lot::Mutex;

use super::{HostedPartition, State};
use crate::error::{FetchError, PartitionError};
use crate::manager::{EpochEnd, FetchPartition, FetchRequester, FetchedPartition};
use crate::partition::leader::LeaderState;
use crate::partition::progress::FollowerPosition;
use crate::partition::replica_selector::{Candidate, select};
use crate::shared::Shared;

/// How to read one partition.
pub(crate) struct ReadSpec<'a> {
    pub(crate) requester: &'a FetchRequester,
    pub(crate) partition: &'a FetchPartition,
    pub(crate) isolation: FetchIsolation,
    /// What is left of the request's limit.
    pub(crate) max_bytes: usize,
    /// The first batch is given whole, however large.
    pub(crate) min_one_message: bool,
    /// A first batch that does not fit is cut rather than left out.
    pub(crate) hard_max_bytes: bool,
    /// The fetch just arrived: what it says of the follower counts. Not so when it is read again after waiting.
    pub(crate) is_arrival: bool,
}

/// What was read, and where to wait from.
pub(crate) struct ReadResult {
    pub(crate) fetched: FetchedPartition,
    /// `None` when nothing is to be waited for: diverging, or to be read elsewhere.
    pub(crate) start: Option<OffsetPosition>,
    /// Whether a follower's quota holds it back.
    pub(crate) throttled: bool,
}

impl HostedPartition {
    /// Reads. For a follower's fetch that just arrived, also notes its progress, lets it into the ISR and moves the high watermark.
    pub(crate) fn read(
        &self,
        cx: &Shared,
        spec: &ReadSpec<'_>,
        now: Timestamp,
    ) -> Result<ReadResult, FetchError> {
        let state = self.state.read();
        let leader_only = !matches!(spec.requester, FetchRequester::Consumer { rack: Some(_) });
        state.check_epoch(&self.partition, spec.partition.current_leader_epoch, leader_only)?;
        let log = state.log(&self.partition)?;
        if let (Some(requested), Some(id)) = (spec.partition.topic_id, log.topic_id())
            && requested != id
        {
            return Err(PartitionError::InconsistentTopicId(self.partition.clone()).into());
        }
        let throttled = match spec.requester {
            FetchRequester::Follower { id, .. } => {
                self.is_throttled(cx, state.leading(&self.partition)?.1, *id, spec, now)?
            }
            FetchRequester::Consumer { rack } => {
                let rack = rack.as_deref().unwrap_or_default();
                if let Some(replica) =
                    self.preferred_replica(cx, &state, log, rack, spec.partition.fetch_offset, now)
                {
                    return Ok(elsewhere(log, Some(replica), None));
                }
                false
            }
        };
        if let Some(epoch) = spec.partition.last_fetched_epoch
            && let Some(end) = self.divergence(log, epoch, spec.partition.fetch_offset)?
        {
            return Ok(elsewhere(log, None, Some(end)));
        }
        let (max_bytes, min_one_message) =
            if throttled { (0, false) } else { (spec.max_bytes, spec.min_one_message) };
        let data = log
            .read(spec.partition.fetch_offset, max_bytes, spec.isolation, min_one_message)
            .map_err(|error| self.read_error(error, spec.partition.fetch_offset))?;
        if let FetchRequester::Follower { id, epoch } = spec.requester
            && spec.is_arrival
        {
            let position = FollowerPosition {
                fetch_offset: spec.partition.fetch_offset,
                log_start_offset: spec.partition.log_start_offset,
                broker_epoch: *epoch,
            };
            self.on_follower_fetch(cx, &state, *id, position, data.log_end_offset, now);
        }
        Ok(ReadResult {
            start: Some(data.fetch_offset),
            fetched: fetched(data, spec.hard_max_bytes),
            throttled,
        })
    }

    /// Whether the follower is one, and its quota holds it back: only while it is not in sync.
    fn is_throttled(
        &self,
        cx: &Shared,
        leader: &Mutex<LeaderState>,
        follower: BrokerId,
        spec: &ReadSpec<'_>,
        now: Timestamp,
    ) -> Result<bool, FetchError> {
        let in_sync = {
            let leader = leader.lock();
            if leader.follower(follower).is_none() {
                return Err(FetchError::NotAReplica {
                    partition: self.partition.clone(),
                    replica: follower,
                    with_epoch: spec.partition.current_leader_epoch.is_some(),
                });
            }
            leader.isr().contains(follower)
        };
        Ok(!in_sync && cx.is_leader_throttled(&self.partition) && cx.leader_throttle.is_exceeded(now))
    }

    fn on_follower_fetch(
        &self,
        cx: &Shared,
        state: &State,
        follower: BrokerId,
        position: FollowerPosition,
        leader_end: Offset,
        now: Timestamp,
    ) {
        let followers = cx.followers(now);
        let Ok((log, leader)) = state.leading(&self.partition) else { return };
        let mut leader = leader.lock();
        let Ok(moved) = leader.on_follower_fetch(follower, position, leader_end, &followers) else { return };
        if let Some(proposal) = leader.propose_expand(follower, log.high_watermark(), &followers) {
            self.submit_isr_change(cx, log, &mut leader, proposal);
        }
        let high_watermark = if moved { Self::advance_high_watermark(cx, log, &leader, now) } else { None };
        let low_watermark = if self.low_watermark_waits.is_empty() {
            None
        } else {
            state.low_watermark(log, &leader, &followers)
        };
        drop(leader);
        self.wake_high_watermark(log, high_watermark);
        if let Some(low) = low_watermark {
            self.low_watermark_waits.complete_through(low, crate::purgatory::WaitOutcome::Reached);
        }
    }

    /// Where this log and one that ends at `fetch_offset` with `epoch` part ways; `None` if they do not.
    fn divergence(
        &self,
        log: &PartitionLog,
        epoch: LeaderEpoch,
        fetch_offset: Offset,
    ) -> Result<Option<EpochEnd>, FetchError> {
        let out_of_range =
            || FetchError::OffsetOutOfRange { partition: self.partition.clone(), offset: fetch_offset };
        let (found, end) = log.end_offset_for_epoch(epoch).ok_or_else(out_of_range)?;
        if fetch_offset < log.log_start_offset() {
            return Err(out_of_range());
        }
        let diverges = found < epoch || end < fetch_offset;
        Ok(diverges.then_some(EpochEnd { epoch: Some(found), end_offset: Some(end) }))
    }

    /// The replica this consumer should read from instead of us (KIP-392).
    fn preferred_replica(
        &self,
        cx: &Shared,
        state: &State,
        log: &PartitionLog,
        rack: &str,
        fetch_offset: Offset,
        now: Timestamp,
    ) -> Option<BrokerId> {
        let selector = cx.config.replica_selector;
        if selector == crate::ReplicaSelector::Leader || rack.is_empty() {
            return None;
        }
        let leader = state.leading(&self.partition).ok()?.1.lock();
        let local = cx.config.broker_id;
        let mut replicas = vec![(local, log.log_end_offset(), 0)];
        for (id, progress) in leader.followers() {
            let (Some(start), Some(end)) = (progress.log_start_offset(), progress.log_end_offset()) else {
                continue;
            };
            if leader.isr().contains(id) && start <= fetch_offset && fetch_offset <= end {
                let ago = progress.last_caught_up().map_or(i64::MAX, |at| cx.clocks.now(id, now) - at);
                replicas.push((id, end, ago));
            }
        }
        drop(leader);
        let racks: Vec<Option<String>> = replicas.iter().map(|(id, ..)| cx.environment.rack(*id)).collect();
        let candidates: Vec<Candidate<'_>> = replicas
            .iter()
            .zip(&racks)
            .map(|(&(id, log_end_offset, caught_up_ms_ago), rack)| Candidate {
                id,
                rack: rack.as_deref(),
                log_end_offset,
                caught_up_ms_ago,
            })
            .collect();
        select(selector, rack, local, &candidates)
    }

    pub(super) fn read_error(&self, error: gregor_log::ReadError, offset: Offset) -> FetchError {
        match error {
            gregor_log::ReadError::OutOfRange { .. } => {
                FetchError::OffsetOutOfRange { partition: self.partition.clone(), offset }
            }
            other => FetchError::Read(Arc::new(other)),
        }
    }
}

/// An answer without records: truncate first, or read elsewhere.
fn elsewhere(log: &PartitionLog, replica: Option<BrokerId>, diverging_epoch: Option<EpochEnd>) -> ReadResult {
    let offsets = log.offsets();
    let fetched = FetchedPartition {
        records: None,
        high_watermark: offsets.high_watermark.offset,
        last_stable_offset: offsets.last_stable_offset.offset,
        log_start_offset: offsets.log_start_offset,
        aborted: None,
        diverging_epoch,
        preferred_read_replica: replica,
    };
    ReadResult { fetched, start: None, throttled: false }
}

fn fetched(data: FetchData, hard_max_bytes: bool) -> FetchedPartition {
    let left_out = data.first_entry_incomplete && !hard_max_bytes;
    FetchedPartition {
        records: if left_out { None } else { data.records },
        high_watermark: data.high_watermark,
        last_stable_offset: data.last_stable_offset,
        log_start_offset: data.log_start_offset,
        aborted: data.aborted,
        diverging_epoch: None,
        preferred_read_replica: None,
    }
}
