//! What a request changes in a consumer group: records that are applied at once, their inverses, and the answers that wait
//! until they are committed.
//!
//! The shell reports an append that did not get into the log before it hands in the next request, so that taking its
//! records back takes back nothing that was built on them.

use bytes::Bytes;
use gregor_model::Offset;

use super::super::error::Fate;
use super::super::request::{AppendId, Batch, Effect, Reply, RequestId};
use super::super::state::{Group, Kind};
use super::super::turn::{Turn, Waiting};
use super::super::{AppendFailure, GroupError};
use super::state::ConsumerGroup;
use crate::GroupId;
use crate::schema::consumer_group::ConsumerRecord;

/// The records of one request.
#[derive(Debug, Default)]
pub(super) struct Changes {
    records: Vec<(Bytes, Option<Bytes>)>,
    /// In the order of the records: to be applied backwards.
    undo: Vec<ConsumerRecord>,
}

/// What depends on an append of a consumer group's records.
#[derive(Debug)]
pub(in crate::group) struct ConsumerWrite {
    undo: Vec<ConsumerRecord>,
    /// What the group was, where the append turned it into something else.
    before: Option<Kind>,
    replies: Vec<(RequestId, Reply)>,
}

/// How sure it is that the group's state is in the log to stay.
#[derive(Debug, Default)]
pub(super) struct Unconfirmed {
    /// The newest append asked for.
    last: Option<AppendId>,
    /// An append is in the log but was not replicated in time: it may yet be lost.
    in_doubt: bool,
    /// The partition is about to move: nothing may be told any more.
    lost: bool,
}

impl Changes {
    /// A record that is not of the consumer group: the tombstone or the value of a classic group.
    pub(super) fn push(&mut self, key: Bytes, value: Option<Bytes>) {
        self.records.push((key, value));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Asks for records that turn the group into something else; a failure gives back what it was.
    pub(super) fn write_for(
        self,
        turn: &mut Turn<'_>,
        group: &GroupId,
        before: Kind,
        reply: Option<(RequestId, Reply)>,
    ) {
        let replies = reply.into_iter().collect();
        append(turn, group, self.records, ConsumerWrite { undo: self.undo, before: Some(before), replies });
    }
}

impl ConsumerGroup {
    /// Changes the group by a record.
    pub(super) fn change(&mut self, changes: &mut Changes, record: ConsumerRecord) {
        changes.push(record.encode_key(&self.id), record.encode_value());
        changes.undo.push(self.apply(record));
    }

    /// Takes back what a request changed.
    pub(super) fn revert(&mut self, undo: Vec<ConsumerRecord>) {
        for record in undo.into_iter().rev() {
            self.apply(record);
        }
        self.topics_seen = None;
    }

    /// Takes back what a request changed that is refused after all.
    pub(super) fn abandon(&mut self, changes: Changes) {
        self.revert(changes.undo);
    }

    /// # Errors
    /// The partition is about to move.
    pub(super) fn check_not_lost(&self) -> Result<(), GroupError> {
        if self.unconfirmed.lost { Err(GroupError::NotCoordinator) } else { Ok(()) }
    }

    /// Asks for the records to be written and lets the answer wait for that. Without records the answer still waits for
    /// what was written before, as it may tell of it.
    pub(super) fn write(
        &mut self,
        turn: &mut Turn<'_>,
        mut changes: Changes,
        before: Option<Kind>,
        reply: Option<(RequestId, Reply)>,
    ) {
        if changes.is_empty() {
            let Some((request, reply)) = reply else { return };
            if let Some(held) = self.unconfirmed.last.and_then(|last| turn.consumer_write(last)) {
                held.replies.push((request, reply));
                return;
            }
            let (true, Some(epoch)) = (self.unconfirmed.in_doubt, self.stored_epoch()) else {
                turn.reply(request, reply);
                return;
            };
            // The same record again: when it is committed, so is everything before it.
            self.change(&mut changes, ConsumerRecord::Epoch(Some(epoch)));
            let write = ConsumerWrite { undo: changes.undo, before: None, replies: vec![(request, reply)] };
            self.unconfirmed.last = Some(append(turn, &self.id, changes.records, write));
            return;
        }
        let write = ConsumerWrite { undo: changes.undo, before, replies: reply.into_iter().collect() };
        self.unconfirmed.last = Some(append(turn, &self.id, changes.records, write));
    }

    fn confirm(&mut self, append: AppendId) {
        self.unconfirmed.in_doubt = false;
        if self.unconfirmed.last == Some(append) {
            self.unconfirmed.last = None;
        }
    }
}

fn append(
    turn: &mut Turn<'_>,
    group: &GroupId,
    records: Vec<(Bytes, Option<Bytes>)>,
    write: ConsumerWrite,
) -> AppendId {
    let batch = Batch { records, ..Batch::default() };
    turn.append(group, batch, Waiting::Consumer(Box::new(write)))
}

impl Group {
    /// The records of a consumer group are committed, or could not be written.
    pub(in crate::group) fn consumer_written(
        &mut self,
        turn: &mut Turn<'_>,
        append: AppendId,
        write: ConsumerWrite,
        outcome: Result<Offset, AppendFailure>,
    ) {
        let failure = outcome.err();
        match (failure.map(AppendFailure::fate), &mut self.kind) {
            (None, Kind::Consumer(group)) => group.confirm(append),
            (Some(Fate::InLog), Kind::Consumer(group)) => group.unconfirmed.in_doubt = true,
            (Some(Fate::Unknown), Kind::Consumer(group)) => group.unconfirmed.lost = true,
            (Some(Fate::NotInLog), _) => self.take_back(turn, write.undo, write.before),
            (_, Kind::Classic(_)) => {}
        }
        for (request, reply) in write.replies {
            let reply = match failure {
                None => reply,
                Some(failure) => reply.refused(failure.of_consumer_group()),
            };
            turn.reply(request, reply);
        }
    }

    fn take_back(&mut self, turn: &mut Turn<'_>, undo: Vec<ConsumerRecord>, before: Option<Kind>) {
        match (before, &mut self.kind) {
            (Some(before), _) => self.kind = before,
            (None, Kind::Consumer(group)) => group.revert(undo),
            (None, Kind::Classic(_)) => {}
        }
        // Who was to be removed is a member again, and one who left for the other protocol must be heard of here.
        self.loaded(turn);
        self.gone |= self.is_vacant();
    }
}

impl ConsumerWrite {
    /// The answers when the group is gone before its records were committed.
    pub(in crate::group) fn orphaned(self) -> Vec<Effect> {
        let refused = |(request, reply): (RequestId, Reply)| {
            Effect::Reply(request, reply.refused(GroupError::NotCoordinator))
        };
        self.replies.into_iter().map(refused).collect()
    }
}
