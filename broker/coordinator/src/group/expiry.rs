//! Offsets that nobody needs any more, and groups that have none left (`cleanupGroupMetadata`).

use gregor_model::TopicPartition;

use super::GroupError;
use super::request::Batch;
use super::state::{Group, Kind};
use super::turn::{Turn, Waiting};
use crate::schema::group::encode_group_key;
use crate::schema::offset::OffsetKey;

impl Group {
    /// Removes what has expired and leaves tombstones for it.
    pub(super) fn expire(&mut self, turn: &mut Turn<'_>) {
        let retention_ms = turn.config.offsets_retention_ms;
        let expired: Vec<TopicPartition> = self
            .offsets
            .iter()
            .filter(|(partition, value)| {
                !self.offsets.is_in_flight(partition)
                    && self.is_expired(&partition.topic, value, turn.now, retention_ms)
            })
            .map(|(partition, _)| partition.clone())
            .collect();
        for partition in &expired {
            self.offsets.expire(partition);
        }
        self.end_if_spent(turn, expired);
    }

    /// Offsets have been removed: tombstones for them, and the end of a group that has neither members nor any left.
    pub(super) fn end_if_spent(&mut self, turn: &mut Turn<'_>, removed: Vec<TopicPartition>) {
        let gone = self.is_empty() && self.offsets.is_empty();
        self.write_tombstones(turn, removed, gone);
        if gone {
            self.die(turn, GroupError::NotCoordinator);
        }
    }

    /// Tombstones for offsets and, when the group is gone and was ever written, for the group.
    pub(super) fn write_tombstones(&self, turn: &mut Turn<'_>, offsets: Vec<TopicPartition>, gone: bool) {
        let group: Vec<_> = match &self.kind {
            _ if !gone => Vec::new(),
            Kind::Classic(classic) if classic.generation > 0 => vec![encode_group_key(&self.id)],
            Kind::Classic(_) => Vec::new(),
            Kind::Consumer(group) => {
                group.tombstones().iter().map(|record| record.encode_key(&self.id)).collect()
            }
        };
        let offsets =
            offsets.into_iter().map(|partition| OffsetKey { group: self.id.clone(), partition }.encode());
        let batch = Batch::of_tombstones(offsets.chain(group));
        if !batch.records.is_empty() {
            turn.append(&self.id, batch, Waiting::Nothing);
        }
    }
}
