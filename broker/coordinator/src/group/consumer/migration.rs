//! Groups that pass from one protocol to the other (`group.consumer.migration.policy`).
//!
//! A group without members follows whoever joins first. One with members becomes a consumer group when a consumer joins
//! it, and a classic group when its last consumer leaves; its classic members notice no more than a rebalance.

use std::mem;
use std::sync::Arc;

use super::super::GroupError;
use super::super::classic::{ClassicGroup, ClassicState};
use super::super::request::{Batch, Reply, RequestId};
use super::super::state::{Group, Kind};
use super::super::turn::{Turn, Waiting};
use super::changes::Changes;
use super::request::{JOIN_EPOCH, Refused};
use super::state::ConsumerGroup;
use super::topics::Topics;
use crate::schema::consumer_group::{
    ClassicMember, ConsumerRecord, CurrentAssignment, MemberState, MemberValue,
};
use crate::schema::consumer_protocol::{self, PROTOCOL_TYPE, Subscription};
use crate::schema::group::encode_group_key;
use crate::{Assignment, MemberId};

impl Group {
    /// A consumer joins a classic group: what was is given back, and its records are replaced.
    ///
    /// # Errors
    /// It does not join, or the group may not change.
    pub(super) fn become_consumer_group(
        &mut self,
        turn: &Turn<'_>,
        changes: &mut Changes,
        epoch: i32,
    ) -> Result<Kind, Refused> {
        let Kind::Classic(classic) = &self.kind else { return Err(GroupError::UnknownServerError.into()) };
        if epoch != JOIN_EPOCH || !may_become_consumer_group(classic, turn) {
            let reason = format!("Group {} is not a consumer group.", self.id);
            return Err(Refused::new(GroupError::GroupIdNotFound, reason));
        }
        let records = match classic.members.is_empty() {
            true => Vec::new(),
            false => records_of(classic, turn.topics).ok_or_else(|| {
                let reason =
                    format!("Cannot upgrade group {}: a member's subscription is malformed.", self.id);
                Refused::new(GroupError::GroupIdNotFound, reason)
            })?,
        };
        changes.push(encode_group_key(&self.id), None);
        let mut group = ConsumerGroup::new(self.id.clone());
        records.into_iter().for_each(|record| group.change(changes, record));
        Ok(mem::replace(&mut self.kind, Kind::Consumer(Box::new(group))))
    }

    /// A classic member joins a consumer group that has no members: it begins anew as a classic group.
    pub(in crate::group) fn restart_as_classic(&mut self, turn: &mut Turn<'_>) {
        let Kind::Consumer(group) = &self.kind else { return };
        let tombstones = group.tombstones();
        let batch = Batch::of_tombstones(tombstones.iter().map(|record| record.encode_key(&self.id)));
        turn.append(&self.id, batch, Waiting::Nothing);
        self.kind = Kind::Classic(Box::new(ClassicGroup::new(self.id.clone(), turn.now)));
    }

    /// The last consumer leaves a group whose other members are classic (`convertToClassicGroup`).
    pub(super) fn become_classic_group(
        &mut self,
        turn: &mut Turn<'_>,
        leaving: &MemberId,
        reply: Option<(RequestId, Reply)>,
    ) {
        let Kind::Consumer(group) = &self.kind else { return };
        let mut classic = group.as_classic(leaving, turn);
        let mut changes = Changes::default();
        for record in group.tombstones() {
            changes.push(record.encode_key(&self.id), None);
        }
        let value = classic.to_value(|member| member.assignment.clone());
        changes.push(encode_group_key(&self.id), Some(value.encode()));
        tracing::info!(group = %self.id, members = classic.members.len(), "consumer group becomes a classic group");
        classic.resume(turn);
        classic.maybe_rebalance(turn);
        let before = mem::replace(&mut self.kind, Kind::Classic(Box::new(classic)));
        changes.write_for(turn, &self.id, before, reply);
    }
}

/// Whether a consumer may join the classic group (`validateOnlineUpgrade`).
fn may_become_consumer_group(classic: &ClassicGroup, turn: &Turn<'_>) -> bool {
    classic.state == ClassicState::Empty
        || (turn.config.consumer.migration.upgrades()
            && classic.protocol_type.as_deref() == Some(PROTOCOL_TYPE)
            && classic.members.len() <= turn.config.consumer.group_size_max)
}

/// The classic group's members as stable members of a consumer group whose epoch is the generation
/// (`ConsumerGroup.fromClassicGroup`); `None` if what they say is malformed.
fn records_of(classic: &ClassicGroup, topics: &dyn Topics) -> Option<Vec<ConsumerRecord>> {
    let generation = classic.generation;
    let (mut members, mut targets, mut currents) = (Vec::new(), Vec::new(), Vec::new());
    for member in classic.members.values() {
        let protocol = classic.protocol.clone().or_else(|| Some(member.protocols.first()?.name.clone()))?;
        let subscription = Subscription::decode(&member.metadata(&protocol)).ok()?;
        let assigned = assignment_of(&member.assignment, topics)?;
        let about = MemberValue {
            instance: member.instance.clone(),
            rack: subscription.rack,
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            topics: subscription.topics.into_iter().collect(),
            regex: Some("".into()),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            assignor: None,
            classic: Some(ClassicMember {
                session_timeout_ms: member.session_timeout_ms,
                protocols: member
                    .protocols
                    .iter()
                    .map(|protocol| (protocol.name.clone(), protocol.metadata.clone()))
                    .collect(),
            }),
        };
        let current = CurrentAssignment {
            epoch: generation,
            previous_epoch: generation,
            state: MemberState::Stable,
            assigned: assigned.clone(),
            revoking: Assignment::new(),
        };
        members.push(ConsumerRecord::Member(member.id.clone(), Some(Arc::new(about))));
        targets.push(ConsumerRecord::Target(member.id.clone(), Some(Arc::new(assigned))));
        currents.push(ConsumerRecord::Current(member.id.clone(), Some(Arc::new(current))));
    }
    members.push(ConsumerRecord::Epoch(Some(generation)));
    targets.push(ConsumerRecord::TargetEpoch(Some(generation)));
    Some(members.into_iter().chain(targets).chain(currents).collect())
}

/// What a leader assigned, by topic ids; nothing while it has not.
fn assignment_of(bytes: &[u8], topics: &dyn Topics) -> Option<Assignment> {
    if bytes.is_empty() {
        return Some(Assignment::new());
    }
    let named = consumer_protocol::decode_assignment(bytes).ok()?;
    Some(by_topic_id(named, topics))
}

/// Partitions named by topic, by topic ids; of topics that do not exist, none.
pub(super) fn by_topic_id(
    named: Vec<(gregor_model::TopicName, Vec<i32>)>,
    topics: &dyn Topics,
) -> Assignment {
    let known = named.into_iter().filter_map(|(name, partitions)| Some((topics.find(&name)?.id, partitions)));
    known.flat_map(|(id, partitions)| partitions.into_iter().map(move |partition| (id, partition))).collect()
}

impl ConsumerGroup {
    /// Whether the group becomes a classic group when this member leaves (`validateOnlineDowngrade`): all others are
    /// classic members, and there are some.
    pub(super) fn may_become_classic(&self, turn: &Turn<'_>, leaving: &MemberId) -> bool {
        let others = || self.members().filter(|(id, _)| *id != leaving);
        let readable = |about: &MemberValue| {
            about.classic.as_ref().is_some_and(|classic| {
                classic.protocols.iter().all(|(_, metadata)| Subscription::decode(metadata).is_ok())
            })
        };
        turn.config.consumer.migration.downgrades()
            && self.member(leaving).is_some_and(|about| about.classic.is_none())
            && self.size() > 1
            && self.size() - 1 <= turn.config.group_size_max
            && others().all(|(_, about)| readable(about))
    }

    /// The group without the one who leaves, every member owning what its target gives it.
    fn as_classic(&self, leaving: &MemberId, turn: &Turn<'_>) -> ClassicGroup {
        let mut classic = ClassicGroup::of_consumers(self.id.clone(), self.epoch(), turn.now);
        for (id, about) in self.members() {
            if let (true, Some(protocols)) = (id != leaving, &about.classic) {
                classic.insert_consumer(id, about, protocols);
            }
        }
        classic.protocol = classic.select_protocol();
        classic.recompute_subscribed();
        let protocol = classic.protocol.clone();
        for member in classic.members.values_mut() {
            let metadata = protocol.as_deref().map(|protocol| member.metadata(protocol)).unwrap_or_default();
            let version = Subscription::decode(&metadata).map_or(0, |subscription| subscription.version);
            member.assignment =
                consumer_protocol::encode_assignment(version, &self.by_topic_name(&self.target(&member.id)));
        }
        classic
    }

    /// Partitions by the names of their topics, as far as the group subscribes to them.
    pub(super) fn by_topic_name<'a>(
        &'a self,
        assignment: &'a Assignment,
    ) -> Vec<(&'a gregor_model::TopicName, Vec<i32>)> {
        self.topics()
            .iter()
            .map(|(name, topic)| (name, assignment.of_topic(topic.id).collect::<Vec<i32>>()))
            .filter(|(_, partitions)| !partitions.is_empty())
            .collect()
    }
}
