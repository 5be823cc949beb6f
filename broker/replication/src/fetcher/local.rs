//! The own side of a fetcher's steps: what it reads from and does to the logs it follows.

use std::sync::Arc;

use gregor_log::{AppendError, PartitionLog};
use gregor_model::{BrokerId, LeaderEpoch, Offset, Timestamp, TopicPartition};

use super::truncation::{self, Truncation};
use crate::hosted_partition::{FollowerAppend, FollowerError, FollowerPosition, HostedPartition};
use crate::manager::{EpochEnd, PartitionMap};

/// What a failed step means for the partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consequence {
    /// The partition is no longer followed in this term: let go of it.
    Drop,
    /// What came cannot be appended; ask again after the back-off.
    Delay,
    /// The log end moved under the fetch: go on from where it is.
    Resume,
    /// The log cannot follow until the next term.
    Fail,
}

/// What follows from an error (`processFetchRequest`).
pub(super) fn consequence(error: &FollowerError) -> Consequence {
    match error {
        FollowerError::Superseded => Consequence::Drop,
        FollowerError::Append(AppendError::Corrupt(_)) => Consequence::Delay,
        FollowerError::UnexpectedLogEnd { .. } => Consequence::Resume,
        FollowerError::Append(_) | FollowerError::Read(_) | FollowerError::Storage(_) => Consequence::Fail,
    }
}

/// The logs that a fetcher writes to.
pub(super) struct LocalReplicas {
    /// This broker.
    pub(super) broker: BrokerId,
    pub(super) partitions: Arc<PartitionMap>,
}

impl LocalReplicas {
    fn hosted(&self, partition: &TopicPartition) -> Result<Arc<HostedPartition>, FollowerError> {
        self.partitions.online(partition).ok_or(FollowerError::Superseded)
    }

    /// The log, if it is followed in that term.
    pub(super) fn log(&self, partition: &TopicPartition, term: LeaderEpoch) -> Option<Arc<PartitionLog>> {
        self.partitions.online(partition)?.follower_log(term)
    }

    /// Appends.
    pub(super) fn append(
        &self,
        partition: &TopicPartition,
        term: LeaderEpoch,
        append: FollowerAppend,
        now: Timestamp,
    ) -> Result<FollowerPosition, FollowerError> {
        let hosted = self.hosted(partition)?;
        let position = hosted.append_as_follower(term, append, now)?;
        if position.appended_bytes > 0 {
            hosted.traffic.replicated_in(position.appended_bytes, hosted.is_adding(self.broker));
        }
        Ok(position)
    }

    /// Truncates to where the leader says the logs part; returns that and the newest epoch left.
    pub(super) fn truncate(
        &self,
        partition: &TopicPartition,
        term: LeaderEpoch,
        leader: EpochEnd,
        initial: Offset,
        now: Timestamp,
    ) -> Result<(Truncation, Option<LeaderEpoch>), FollowerError> {
        let hosted = self.hosted(partition)?;
        let log = hosted.follower_log(term).ok_or(FollowerError::Superseded)?;
        let log_end = log.log_end_offset();
        let decided = truncation::decide(leader, initial, log_end, |epoch| log.end_offset_for_epoch(epoch));
        // What is cut, the log says at `info`; mostly nothing is, for every partition of a new leader.
        tracing::debug!(
            %partition, leader_epoch = %term, ?leader, %log_end, offset = %decided.offset, complete = decided.complete,
            "truncating to where the logs part"
        );
        let offset = hosted.truncate_as_follower(term, decided.offset, now)?;
        Ok((Truncation { offset, ..decided }, log.latest_epoch()))
    }

    /// Brings a log into its leader's range, first step: a log longer than the leader's is cut. Returns where to go on,
    /// or `None` when the leader's start must be known as well.
    pub(super) fn cut_to_leader_end(
        &self,
        partition: &TopicPartition,
        term: LeaderEpoch,
        leader_end: Offset,
        now: Timestamp,
    ) -> Result<Option<Offset>, FollowerError> {
        let hosted = self.hosted(partition)?;
        let log = hosted.follower_log(term).ok_or(FollowerError::Superseded)?;
        let log_end = log.log_end_offset();
        if leader_end >= log_end {
            return Ok(None);
        }
        tracing::warn!(%partition, %leader_end, %log_end, "the leader's log ends before ours, truncating");
        hosted.truncate_as_follower(term, leader_end, now).map(Some)
    }

    /// Second step: a log that ends before the leader's starts is begun anew there.
    pub(super) fn restart_at_leader_start(
        &self,
        partition: &TopicPartition,
        term: LeaderEpoch,
        leader_start: Offset,
        now: Timestamp,
    ) -> Result<Offset, FollowerError> {
        let hosted = self.hosted(partition)?;
        let log = hosted.follower_log(term).ok_or(FollowerError::Superseded)?;
        let log_end = log.log_end_offset();
        if leader_start > log_end {
            tracing::warn!(%partition, %leader_start, %log_end, "the leader's log starts after ours ends, starting anew");
            hosted.restart_as_follower(term, leader_start, now)?;
        }
        Ok(leader_start.max(log_end))
    }
}
