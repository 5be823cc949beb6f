//! Loading one partition of `__consumer_offsets`: the fold over its records that gives the groups back.

use std::collections::HashMap;

use gregor_model::{Offset, ProducerId, Timestamp};

use super::classic::ClassicGroup;
use super::consumer::ConsumerGroup;
use super::loaded_offsets::LoadedOffsets;
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
    offsets: LoadedOffsets,
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
                let value = value.map(OffsetValue::decode).transpose()?;
                match (producer, value) {
                    (Some(producer), value) => {
                        let value = value.map(|value| (value, batch));
                        self.transactions.entry(producer).or_default().insert(key.into(), value);
                    }
                    (None, Some(value)) => self.offsets.insert(key, value, batch),
                    (None, None) => self.offsets.remove(key),
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
            match value {
                Some((value, at)) => self.offsets.decide(key, value, at),
                None => self.offsets.remove(key.as_ref()),
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
        for (id, offsets) in self.offsets.by_group() {
            groups.entry(id).or_insert_with_key(|id| Group::new(id.clone(), now)).offsets = offsets;
        }
        for (producer, undecided) in self.transactions {
            for (OffsetKey { group, partition }, value) in undecided {
                let Some((value, at)) = value else { continue };
                let group = groups.entry(group).or_insert_with_key(|id| Group::new(id.clone(), now));
                group.offsets.load_transactional(producer, partition, value, at);
            }
        }
        let mut shard = GroupShard::new(config);
        let effects = shard.adopt(groups, now);
        (shard, effects)
    }
}
