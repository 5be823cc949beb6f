//! A consumer group as the fold over its records: epochs, members, what each is to own and owns.
//!
//! Everything here follows from the records applied, in whatever order compaction left them; nothing refers to requests.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem;
use std::sync::Arc;

use gregor_model::{TopicId, TopicName};

use super::changes::Unconfirmed;
use crate::schema::consumer_group::{
    ConsumerRecord, CurrentAssignment, MemberState, MemberValue, SubscribedTopics,
};
use crate::{Assignment, GroupId, InstanceId, MemberId};

/// A group with the consumer protocol.
#[derive(Debug)]
pub(in crate::group) struct ConsumerGroup {
    pub(in crate::group) id: GroupId,
    epoch: Option<i32>,
    target_epoch: Option<i32>,
    topics: Option<Arc<SubscribedTopics>>,
    members: BTreeMap<MemberId, Member>,
    instances: HashMap<InstanceId, MemberId>,
    /// How many members own each partition, or have still to give it up: at most one, unless the log is damaged.
    owners: HashMap<(TopicId, i32), u32>,
    /// The version of the cluster's topics that `topics` was compared with last.
    pub(super) topics_seen: Option<u64>,
    pub(super) unconfirmed: Unconfirmed,
}

/// The three records of one member. It is a member while it has said who it is.
#[derive(Clone, Debug, Default)]
struct Member {
    about: Option<Arc<MemberValue>>,
    target: Option<Arc<Assignment>>,
    current: Option<Arc<CurrentAssignment>>,
}

impl Member {
    fn is_vacant(&self) -> bool {
        self.about.is_none() && self.target.is_none() && self.current.is_none()
    }
}

impl ConsumerGroup {
    pub(in crate::group) fn new(id: GroupId) -> ConsumerGroup {
        ConsumerGroup {
            id,
            epoch: None,
            target_epoch: None,
            topics: None,
            members: BTreeMap::new(),
            instances: HashMap::new(),
            owners: HashMap::new(),
            topics_seen: None,
            unconfirmed: Unconfirmed::default(),
        }
    }

    /// Takes a record over, and gives the record that would take it back.
    pub(in crate::group) fn apply(&mut self, record: ConsumerRecord) -> ConsumerRecord {
        match record {
            ConsumerRecord::Epoch(epoch) => ConsumerRecord::Epoch(mem::replace(&mut self.epoch, epoch)),
            ConsumerRecord::TargetEpoch(epoch) => {
                ConsumerRecord::TargetEpoch(mem::replace(&mut self.target_epoch, epoch))
            }
            ConsumerRecord::Topics(topics) => ConsumerRecord::Topics(mem::replace(&mut self.topics, topics)),
            ConsumerRecord::Member(id, about) => {
                let before = self.replace(&id, |member| mem::replace(&mut member.about, about.clone()));
                self.note_instance(&id, before.as_deref(), about.as_deref());
                ConsumerRecord::Member(id, before)
            }
            ConsumerRecord::Target(id, target) => {
                let before = self.replace(&id, |member| mem::replace(&mut member.target, target));
                ConsumerRecord::Target(id, before)
            }
            ConsumerRecord::Current(id, current) => {
                let before = self.replace(&id, |member| mem::replace(&mut member.current, current.clone()));
                self.note_owner(before.as_deref(), current.as_deref());
                ConsumerRecord::Current(id, before)
            }
        }
    }

    fn replace<T>(&mut self, id: &MemberId, replace: impl FnOnce(&mut Member) -> T) -> T {
        let member = self.members.entry(id.clone()).or_default();
        let before = replace(member);
        if member.is_vacant() {
            self.members.remove(id);
        }
        before
    }

    fn note_instance(&mut self, id: &MemberId, before: Option<&MemberValue>, after: Option<&MemberValue>) {
        if let Some(instance) = before.and_then(|before| before.instance.as_ref())
            && self.instances.get(instance) == Some(id)
        {
            self.instances.remove(instance);
        }
        if let Some(instance) = after.and_then(|after| after.instance.clone()) {
            self.instances.insert(instance, id.clone());
        }
    }

    fn note_owner(&mut self, before: Option<&CurrentAssignment>, after: Option<&CurrentAssignment>) {
        let partitions = |current: &CurrentAssignment| {
            current.assigned.iter().chain(current.revoking.iter()).collect::<Vec<_>>()
        };
        for partition in before.map(partitions).unwrap_or_default() {
            if let Some(owners) = self.owners.get_mut(&partition) {
                *owners -= 1;
                if *owners == 0 {
                    self.owners.remove(&partition);
                }
            }
        }
        for partition in after.map(partitions).unwrap_or_default() {
            *self.owners.entry(partition).or_default() += 1;
        }
    }

    /// Drops what is left of members whose own record is gone; for a group that has just been read.
    pub(in crate::group) fn drop_remains(&mut self) {
        let remains: Vec<MemberId> = self
            .members
            .iter()
            .filter(|(_, member)| member.about.is_none())
            .map(|(id, _)| id.clone())
            .collect();
        for id in remains {
            self.apply(ConsumerRecord::Target(id.clone(), None));
            self.apply(ConsumerRecord::Current(id, None));
        }
    }

    /// Whether no record is left: the group does not exist.
    pub(in crate::group) fn is_vacant(&self) -> bool {
        self.epoch.is_none()
            && self.target_epoch.is_none()
            && self.topics.is_none()
            && self.members.is_empty()
    }

    /// Raised when subscriptions or their topics change; 0 at first.
    pub(super) fn epoch(&self) -> i32 {
        self.epoch.unwrap_or(0)
    }

    /// The epoch as it is stored, if it is.
    pub(super) fn stored_epoch(&self) -> Option<i32> {
        self.epoch
    }

    /// The group epoch that the target was made for.
    pub(super) fn target_epoch(&self) -> i32 {
        self.target_epoch.unwrap_or(0)
    }

    /// The topics subscribed to that existed when the epoch was raised.
    pub(super) fn topics(&self) -> &SubscribedTopics {
        static NONE: SubscribedTopics = SubscribedTopics::new();
        self.topics.as_deref().unwrap_or(&NONE)
    }

    /// The names of all topics subscribed to, whether they exist or not.
    pub(super) fn subscribed(&self) -> BTreeSet<&TopicName> {
        self.members().flat_map(|(_, about)| &about.topics).collect()
    }

    /// Whether a member subscribes to the topic.
    pub(in crate::group) fn is_subscribed(&self, topic: &TopicName) -> bool {
        self.members().any(|(_, about)| about.topics.contains(topic))
    }

    /// The members, by id.
    pub(super) fn members(&self) -> impl Iterator<Item = (&MemberId, &Arc<MemberValue>)> {
        self.members.iter().filter_map(|(id, member)| Some((id, member.about.as_ref()?)))
    }

    pub(in crate::group) fn size(&self) -> usize {
        self.members.len()
    }

    /// What the member said of itself, if it is one.
    pub(super) fn member(&self, id: &MemberId) -> Option<&Arc<MemberValue>> {
        self.members.get(id)?.about.as_ref()
    }

    /// The static member behind an instance id.
    pub(super) fn of_instance(&self, instance: &InstanceId) -> Option<&MemberId> {
        self.instances.get(instance)
    }

    /// What the member is to own.
    pub(super) fn target(&self, id: &MemberId) -> Arc<Assignment> {
        self.members.get(id).and_then(|member| member.target.clone()).unwrap_or_default()
    }

    /// The target of a member, if one was made since it joined.
    pub(super) fn stored_target(&self, id: &MemberId) -> Option<&Assignment> {
        self.members.get(id)?.target.as_deref()
    }

    /// What the member owns, and how far it has come; the beginning for one that has just joined.
    pub(super) fn current(&self, id: &MemberId) -> Arc<CurrentAssignment> {
        self.members.get(id).and_then(|member| member.current.clone()).unwrap_or_default()
    }

    /// Whether nobody owns the partition or has still to give it up.
    pub(super) fn is_free(&self, topic: TopicId, partition: i32) -> bool {
        !self.owners.contains_key(&(topic, partition))
    }

    fn is_reconciled(&self, id: &MemberId) -> bool {
        self.current(id).is_reconciled_to(self.target_epoch())
    }

    /// The state's name (`ConsumerGroupState`).
    pub(super) fn state(&self) -> &'static str {
        if self.members.is_empty() {
            "Empty"
        } else if self.epoch() > self.target_epoch() {
            "Assigning"
        } else if self.members.keys().all(|id| self.is_reconciled(id)) {
            "Stable"
        } else {
            "Reconciling"
        }
    }

    /// The records that remove the group (`createGroupTombstoneRecords`): of the members first, of the group last.
    pub(in crate::group) fn tombstones(&self) -> Vec<ConsumerRecord> {
        let of_members =
            |tombstone: fn(MemberId) -> ConsumerRecord| self.members.keys().cloned().map(tombstone);
        of_members(|id| ConsumerRecord::Current(id, None))
            .chain(of_members(|id| ConsumerRecord::Target(id, None)))
            .chain([ConsumerRecord::TargetEpoch(None)])
            .chain(of_members(|id| ConsumerRecord::Member(id, None)))
            .chain([ConsumerRecord::Topics(None), ConsumerRecord::Epoch(None)])
            .collect()
    }
}

impl CurrentAssignment {
    /// Whether the member owns all that the target of that epoch gives it.
    pub(super) fn is_reconciled_to(&self, target_epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == target_epoch
    }
}
