//! Offsets that nobody needs any more, and groups that have none left (`cleanupGroupMetadata`).

use gregor_model::{Timestamp, TopicPartition};

use super::request::Batch;
use super::state::{Group, GroupState};
use super::turn::{Turn, Waiting};
use crate::schema::group::encode_group_key;
use crate::schema::offset::{OffsetKey, OffsetValue};

impl Group {
    /// Removes what has expired and leaves tombstones for it. Says whether the group itself is gone.
    pub(super) fn expire(&mut self, turn: &mut Turn<'_>) -> bool {
        let retention_ms = turn.config.offsets_retention_ms;
        let expired: Vec<TopicPartition> = self
            .offsets
            .iter()
            .filter(|(partition, value)| self.is_expired(partition, value, turn.now, retention_ms))
            .map(|(partition, _)| partition.clone())
            .collect();
        for partition in &expired {
            self.offsets.expire(partition);
        }
        let gone = self.state == GroupState::Empty && self.offsets.is_empty();
        self.write_tombstones(turn, expired, gone);
        gone
    }

    fn is_expired(
        &self,
        partition: &TopicPartition,
        value: &OffsetValue,
        now: Timestamp,
        retention_ms: i64,
    ) -> bool {
        if self.offsets.is_in_flight(partition) {
            return false;
        }
        let base = match (&self.protocol_type, self.state) {
            (Some(_), GroupState::Empty) => self.state_since.unwrap_or(value.committed_at),
            (Some(kind), GroupState::Stable) if &**kind == "consumer" && self.subscribed.is_some() => {
                if self.is_subscribed(&partition.topic) {
                    return false;
                }
                value.committed_at
            }
            (None, _) => value.committed_at,
            _ => return false,
        };
        match value.expires_at {
            Some(expires_at) => now >= expires_at,
            None => now - base >= retention_ms,
        }
    }

    /// Tombstones for offsets and, when the group is gone and was ever written, for the group.
    pub(super) fn write_tombstones(&self, turn: &mut Turn<'_>, offsets: Vec<TopicPartition>, gone: bool) {
        let group = (gone && self.generation > 0).then(|| encode_group_key(&self.id));
        let offsets =
            offsets.into_iter().map(|partition| OffsetKey { group: self.id.clone(), partition }.encode());
        let batch = Batch::of_tombstones(offsets.chain(group));
        if !batch.records.is_empty() {
            turn.append(&self.id, batch, Waiting::Nothing);
        }
    }
}
