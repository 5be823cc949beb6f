//! Bringing followed logs in line with their leader: truncation where histories part, a new start where offsets are out of range.

use std::collections::HashMap;

use gregor_model::{LeaderEpoch, Offset, Timestamp, TopicPartition};

use super::machine::{Asked, LeaderRefusal, Step};
use super::message;
use super::task::{Fetcher, LATER_TERM};
use crate::environment::LeaderUnreachable;
use crate::manager::EpochEnd;

/// ListOffsets: the log end.
const LATEST: i64 = -1;
/// ListOffsets: the log start.
const EARLIEST: i64 = -2;

impl Fetcher {
    pub(super) fn truncate_one(
        &mut self,
        partition: &TopicPartition,
        asked: Asked,
        leader: EpochEnd,
        now: Timestamp,
    ) {
        match self.replicas.truncate(partition, asked.leader_epoch, leader, asked.fetch_offset, now) {
            Ok((truncation, last_epoch)) => {
                self.machine.truncated(partition, asked.leader_epoch, truncation, last_epoch);
            }
            Err(error) => self.step_failed(partition, asked.leader_epoch, &error, now),
        }
    }

    /// Asks where the epochs of partitions in phase Truncating end. Returns whether there were any.
    pub(super) async fn truncate(&mut self) -> Result<bool, LeaderUnreachable> {
        let now = self.shared.now();
        let mut queries = Vec::new();
        let mut without_epochs = Vec::new();
        for (partition, state) in self.machine.to_truncate(now) {
            let asked = Asked { leader_epoch: state.leader_epoch, fetch_offset: state.fetch_offset };
            match self.replicas.log(partition, state.leader_epoch).and_then(|log| log.latest_epoch()) {
                Some(epoch) => queries.push((partition.clone(), asked.leader_epoch, epoch)),
                None => without_epochs.push((partition.clone(), asked)),
            }
        }
        let any = !queries.is_empty() || !without_epochs.is_empty();
        // A log that knows no epoch keeps what is committed: where it starts to fetch.
        for (partition, asked) in without_epochs {
            self.truncate_one(&partition, asked, EpochEnd { epoch: None, end_offset: None }, now);
        }
        if queries.is_empty() {
            return Ok(any);
        }
        let asked: HashMap<TopicPartition, Asked> = queries
            .iter()
            .filter_map(|(partition, term, _)| {
                let fetch_offset = self.machine.get(partition)?.fetch_offset;
                Some((partition.clone(), Asked { leader_epoch: *term, fetch_offset }))
            })
            .collect();
        let request = message::epochs_request(self.shared.config.broker_id, &queries);
        let version = self.shared.config.protocol.offset_for_leader_epoch;
        let response = self.connect().await?.offset_for_leader_epoch(request, version).await?;
        self.take_commands();
        let now = self.shared.now();
        for (partition, end) in message::epoch_ends(&response) {
            let Some(asked) = asked.get(&partition).copied() else { continue };
            match self.machine.on_epoch_end(&partition, asked, end, now) {
                Step::Truncate(leader) => self.truncate_one(&partition, asked, leader, now),
                Step::Failed => self.fail(&partition, asked.leader_epoch, &LATER_TERM),
                Step::Append | Step::ResolveOutOfRange | Step::Nothing => {}
            }
        }
        Ok(any)
    }

    /// Brings logs into their leader's range (`fetchOffsetAndTruncate`): first by the leader's end, then by its start.
    pub(super) async fn resolve_out_of_range(
        &mut self,
        partitions: Vec<(TopicPartition, LeaderEpoch)>,
    ) -> Result<(), LeaderUnreachable> {
        let ends = self.leader_offsets(LATEST, &partitions).await?;
        let mut by_start = Vec::new();
        for (partition, term) in partitions {
            let now = self.shared.now();
            match ends.get(&partition) {
                Some(Ok(end)) => match self.replicas.cut_to_leader_end(&partition, term, *end, now) {
                    Ok(Some(offset)) => self.restarted(&partition, term, offset),
                    Ok(None) => by_start.push((partition, term)),
                    Err(error) => self.step_failed(&partition, term, &error, now),
                },
                Some(Err(refusal)) => self.refused(&partition, term, *refusal, now),
                None => self.machine.delay(&partition, term, now),
            }
        }
        if by_start.is_empty() {
            return Ok(());
        }
        let starts = self.leader_offsets(EARLIEST, &by_start).await?;
        for (partition, term) in by_start {
            let now = self.shared.now();
            match starts.get(&partition) {
                Some(Ok(start)) => match self.replicas.restart_at_leader_start(&partition, term, *start, now)
                {
                    Ok(offset) => self.restarted(&partition, term, offset),
                    Err(error) => self.step_failed(&partition, term, &error, now),
                },
                Some(Err(refusal)) => self.refused(&partition, term, *refusal, now),
                None => self.machine.delay(&partition, term, now),
            }
        }
        Ok(())
    }

    async fn leader_offsets(
        &mut self,
        timestamp: i64,
        partitions: &[(TopicPartition, LeaderEpoch)],
    ) -> Result<HashMap<TopicPartition, Result<Offset, LeaderRefusal>>, LeaderUnreachable> {
        let request = message::offsets_request(self.shared.config.broker_id, timestamp, partitions);
        let version = self.shared.config.protocol.list_offsets;
        let response = self.connect().await?.list_offsets(request, version).await?;
        self.take_commands();
        Ok(message::offsets(&response).collect())
    }

    pub(super) fn restarted(&mut self, partition: &TopicPartition, term: LeaderEpoch, offset: Offset) {
        let last_epoch = self.replicas.log(partition, term).and_then(|log| log.latest_epoch());
        self.machine.restarted(partition, term, offset, last_epoch);
    }

    fn refused(
        &mut self,
        partition: &TopicPartition,
        term: LeaderEpoch,
        refusal: LeaderRefusal,
        now: Timestamp,
    ) {
        if self.machine.refused(partition, term, refusal, now) == Step::Failed {
            self.fail(partition, term, &LATER_TERM);
        }
    }
}
