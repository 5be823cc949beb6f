//! Loading one partition of `__consumer_offsets`: the fold over its records that gives the groups back.

use std::collections::HashMap;

use gregor_model::{Offset, ProducerId, Timestamp, TopicPartition};

use super::classic::ClassicGroup;
use super::consumer::ConsumerGroup;
use super::request::Effect;
use super::state::Group;
use super::{GroupConfig, GroupShard};
use crate::GroupId;
use crate::schema::SchemaError;
use crate::schema::consumer_group::ConsumerRecord;
use crate::schema::group::{GroupTopicKey, GroupValue};
use crate::schema::offset::{OffsetKey, OffsetValue};

type TransactionalOffsets = HashMap<OffsetKey, Option<(OffsetValue, Offset)>>;

/// What has been read so far (`GroupMetadataManager.doLoadGroupsAndOffsets`). Feed every record from log start to
/// log end, in order; the offsets given are those of the *batch*, as a commit remembers where its batch lies.
#[derive(Debug, Default)]
pub struct GroupLoader {
    groups: HashMap<GroupId, GroupValue>,
    consumers: HashMap<GroupId, ConsumerGroup>,
    offsets: HashMap<OffsetKey, (OffsetValue, Offset)>,
    transactions: HashMap<ProducerId, TransactionalOffsets>,
}

impl GroupLoader {
    /// A partition of which nothing has been read.
    pub fn new() -> GroupLoader {
        GroupLoader::default()
    }

    /// One record of a data batch; `producer` is that of a transactional batch.
    ///
    /// # Errors
    /// The record is corrupt or of an unknown value version; it has been left out.
    pub fn record(
        &mut self,
        batch: Offset,
        producer: Option<ProducerId>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<(), SchemaError> {
        let Some(key) = key else { return Ok(()) };
        match GroupTopicKey::decode(key)? {
            GroupTopicKey::Offset(key) => {
                let value = value.map(OffsetValue::decode).transpose()?.map(|value| (value, batch));
                match (producer, value) {
                    (Some(producer), value) => {
                        self.transactions.entry(producer).or_default().insert(key, value);
                    }
                    (None, Some(value)) => {
                        self.offsets.insert(key, value);
                    }
                    (None, None) => {
                        self.offsets.remove(&key);
                    }
                }
            }
            GroupTopicKey::Group(group) => {
                let value = value.map(GroupValue::decode).transpose()?;
                // What a consumer group of the same name left before this is void.
                self.consumers.remove(&group);
                match value {
                    Some(value) => self.groups.insert(group, value),
                    None => self.groups.remove(&group),
                };
            }
            GroupTopicKey::Consumer(group, key) => {
                let record = ConsumerRecord::decode(key, value)?;
                if value.is_some() {
                    self.groups.remove(&group);
                }
                let consumers = self.consumers.entry(group);
                let group = consumers.or_insert_with_key(|group| ConsumerGroup::new(group.clone()));
                group.apply(record);
            }
            GroupTopicKey::Unknown(version) => {
                tracing::warn!(version, offset = %batch, "skipped a group record of an unknown key version");
            }
        }
        Ok(())
    }

    /// A transaction marker of the producer.
    pub fn marker(&mut self, producer: ProducerId, committed: bool) {
        let Some(decided) = self.transactions.remove(&producer).filter(|_| committed) else { return };
        for (key, value) in decided {
            let Some((value, at)) = value else {
                self.offsets.remove(&key);
                continue;
            };
            if self.offsets.get(&key).is_none_or(|(_, before)| *before < at) {
                self.offsets.insert(key, (value, at));
            }
        }
    }

    /// The shard, with the sessions of all members started anew, and what follows at once from that.
    pub fn finish(self, config: GroupConfig, now: Timestamp) -> (GroupShard, Vec<Effect>) {
        let mut groups: HashMap<GroupId, Group> = self
            .groups
            .into_iter()
            .map(|(id, value)| (id.clone(), Group::of_classic(ClassicGroup::from_value(id, value, now))))
            .collect();
        for (id, mut group) in self.consumers {
            group.drop_remains();
            if !group.is_vacant() {
                groups.insert(id, Group::of_consumers(group));
            }
        }
        let mut group_of = |id: &GroupId, store: &mut dyn FnMut(&mut Group)| {
            store(groups.entry(id.clone()).or_insert_with(|| Group::new(id.clone(), now)));
        };
        for (key, (value, at)) in self.offsets {
            let partition: TopicPartition = key.partition;
            group_of(&key.group, &mut |group| {
                group.offsets.store(partition.clone(), value.clone(), at);
            });
        }
        for (producer, undecided) in self.transactions {
            for (key, value) in undecided {
                let Some((value, at)) = value else { continue };
                group_of(&key.group, &mut |group| {
                    group.offsets.load_transactional(producer, key.partition.clone(), value.clone(), at);
                });
            }
        }
        let mut shard = GroupShard::new(config);
        let effects = shard.adopt(groups, now);
        (shard, effects)
    }
}
