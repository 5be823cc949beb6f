//! OffsetCommit, TxnOffsetCommit and OffsetFetch.

use gregor_model::{Offset, ProducerEpoch, ProducerId, TopicPartition};

use super::GroupError;
use super::classic::ClassicState;
use super::request::{AppendId, Batch, Commit, FetchedOffset, OffsetToCommit, Reply, RequestId};
use super::state::{Group, Kind};
use super::turn::{PendingCommit, Turn, Waiting};
use crate::MemberId;
use crate::schema::offset::{OffsetValue, encode_commit};

impl Group {
    fn check_commit(&self, commit: &Commit) -> Result<(), GroupError> {
        match &self.kind {
            Kind::Classic(classic) => classic.check_commit(commit),
            Kind::Consumer(group) => group.check_commit(commit),
        }
    }

    /// A commit shows that a classic member lives.
    fn heard_of_by_commit(&mut self, turn: &mut Turn<'_>, member: &MemberId) {
        match &self.kind {
            Kind::Classic(classic)
                if matches!(classic.state, ClassicState::Stable | ClassicState::PreparingRebalance) =>
            {
                classic.heard_of(turn, member);
            }
            Kind::Classic(_) | Kind::Consumer(_) => {}
        }
    }

    /// Handles a commit that has passed the gate.
    pub(super) fn commit(&mut self, turn: &mut Turn<'_>, request: RequestId, commit: Commit) {
        if let Err(error) = self.check_commit(&commit) {
            let results = commit.offsets.into_iter().map(|offset| (offset.partition, Err(error))).collect();
            turn.reply(request, Reply::Commit(results));
            return;
        }
        if commit.producer.is_none() {
            self.heard_of_by_commit(turn, &commit.claim.member);
        }
        let (producer, verification, retention_ms) =
            (commit.producer, commit.verification, commit.retention_ms);
        let partitions: Vec<_> =
            commit.offsets.into_iter().map(|offset| value_to_store(turn, offset, retention_ms)).collect();
        let accepted =
            || partitions.iter().filter_map(|(partition, value)| Some((partition, value.as_ref()?)));
        let records = encode_commit(&self.id, accepted());
        if records.is_empty() {
            let refused = |(partition, _)| (partition, Err(GroupError::OffsetMetadataTooLarge));
            turn.reply(request, Reply::Commit(partitions.into_iter().map(refused).collect()));
            return;
        }
        let append = turn.next_append();
        match producer {
            None => accepted().for_each(|(partition, _)| self.offsets.begin(append, partition)),
            Some((producer, _)) => accepted().for_each(|(partition, value)| {
                self.offsets.begin_transactional(append, producer, partition.clone(), value.clone());
            }),
        }
        let gathers = producer.is_none();
        let batch = Batch { records, producer, verification, gathers, ..Batch::default() };
        let pending = PendingCommit { request, producer, partitions };
        turn.append_as(append, &self.id, batch, Waiting::Commit(pending));
    }

    /// The batch of a commit is in the log at `outcome`, or could not be written.
    pub(super) fn committed(
        &mut self,
        turn: &mut Turn<'_>,
        append: AppendId,
        pending: PendingCommit,
        outcome: Result<Offset, GroupError>,
    ) {
        let PendingCommit { request, producer, partitions } = pending;
        let mut results = Vec::with_capacity(partitions.len());
        for (partition, value) in partitions {
            let result = match value {
                None => Err(GroupError::OffsetMetadataTooLarge),
                Some(value) => {
                    self.settle(append, producer, &partition, value, outcome);
                    outcome.map(|_| ())
                }
            };
            results.push((partition, result));
        }
        turn.reply(request, Reply::Commit(results));
    }

    fn settle(
        &mut self,
        append: AppendId,
        producer: Option<(ProducerId, ProducerEpoch)>,
        partition: &TopicPartition,
        value: OffsetValue,
        outcome: Result<Offset, GroupError>,
    ) {
        match (producer, outcome) {
            (None, Ok(at)) => self.offsets.commit(append, partition, value, at),
            (None, Err(_)) => self.offsets.fail(append, partition),
            (Some((producer, _)), Ok(at)) => {
                self.offsets.append_transactional(append, producer, partition, at);
            }
            (Some((producer, _)), Err(_)) => self.offsets.fail_transactional(append, producer, partition),
        }
    }

    /// What is committed for the given partitions, or for all.
    pub(super) fn fetch(&self, partitions: Option<&[TopicPartition]>, stable: bool) -> Vec<FetchedOffset> {
        match partitions {
            Some(partitions) => {
                partitions.iter().map(|partition| self.fetch_one(partition, stable)).collect()
            }
            None => self.offsets.iter().map(|(partition, _)| self.fetch_one(partition, stable)).collect(),
        }
    }

    fn fetch_one(&self, partition: &TopicPartition, stable: bool) -> FetchedOffset {
        if stable && self.offsets.is_unstable(partition) {
            let error = Some(GroupError::UnstableOffsetCommit);
            return FetchedOffset { error, ..FetchedOffset::none(partition.clone()) };
        }
        match self.offsets.get(partition) {
            None => FetchedOffset::none(partition.clone()),
            Some(value) => FetchedOffset {
                partition: partition.clone(),
                offset: Some(value.offset),
                leader_epoch: value.leader_epoch,
                metadata: value.metadata.clone(),
                error: None,
            },
        }
    }
}

impl FetchedOffset {
    /// Nothing is committed for the partition, which is not an error.
    pub fn none(partition: TopicPartition) -> FetchedOffset {
        FetchedOffset { partition, offset: None, leader_epoch: None, metadata: "".into(), error: None }
    }
}

fn value_to_store(
    turn: &Turn<'_>,
    offset: OffsetToCommit,
    retention_ms: Option<i64>,
) -> (TopicPartition, Option<OffsetValue>) {
    if offset.metadata.encode_utf16().count() > turn.config.offset_metadata_bytes_max {
        return (offset.partition, None);
    }
    let value = OffsetValue {
        offset: offset.offset,
        leader_epoch: offset.leader_epoch,
        metadata: offset.metadata,
        committed_at: offset.committed_at.unwrap_or(turn.now),
        expires_at: retention_ms.map(|retention_ms| turn.now + retention_ms),
    };
    (offset.partition, Some(value))
}
