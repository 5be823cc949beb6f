//! A group: its members, its state and which protocol they share (`GroupMetadata`).
//!
//! ```text
//! Empty ──► PreparingRebalance ──► CompletingRebalance ──► Stable
//!   ▲              │  ▲ ▲                  │                 │
//!   └──────────────┘  │ └──────────────────┘                 │
//!                     └──────────────────────────────────────┘      any ──► Dead
//! ```

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use gregor_model::{Timestamp, TopicName};
use indexmap::IndexMap;

use super::super::GroupError;
use super::super::request::{JoinedMember, Protocol};
use super::member::Member;
use super::rebalance::JoinPhase;
use crate::schema::consumer_group::{ClassicMember, MemberValue};
use crate::schema::consumer_protocol::{PROTOCOL_TYPE, subscribed_topics};
use crate::schema::group::GroupValue;
use crate::{GroupId, InstanceId, MemberId};

/// Where a group stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::group) enum ClassicState {
    /// No members; it may have offsets.
    Empty,
    /// Members are to join.
    PreparingRebalance,
    /// All have joined; the leader is to assign.
    CompletingRebalance,
    /// Every member has its assignment.
    Stable,
    /// Being removed.
    Dead,
}

impl ClassicState {
    /// The name that ListGroups and DescribeGroups give.
    pub(in crate::group) fn name(self) -> &'static str {
        match self {
            ClassicState::Empty => "Empty",
            ClassicState::PreparingRebalance => "PreparingRebalance",
            ClassicState::CompletingRebalance => "CompletingRebalance",
            ClassicState::Stable => "Stable",
            ClassicState::Dead => "Dead",
        }
    }
}

/// One group of the shard.
#[derive(Debug)]
pub(in crate::group) struct ClassicGroup {
    pub(in crate::group) id: GroupId,
    pub(in crate::group) state: ClassicState,
    pub(in crate::group) state_since: Option<Timestamp>,
    /// Raised by every completed join phase; the first is 1.
    pub(in crate::group) generation: i32,
    pub(in crate::group) protocol_type: Option<Arc<str>>,
    pub(in crate::group) protocol: Option<Arc<str>>,
    pub(in crate::group) leader: Option<MemberId>,
    /// In the order of joining.
    pub(in crate::group) members: IndexMap<MemberId, Member>,
    pub(in crate::group) static_members: HashMap<InstanceId, MemberId>,
    /// Ids given out with MEMBER_ID_REQUIRED, not used yet.
    pub(in crate::group) pending_members: HashSet<MemberId>,
    /// Members of this generation that have not synced.
    pub(in crate::group) pending_sync: HashSet<MemberId>,
    /// A member came during the initial delay, which is therefore prolonged.
    pub(in crate::group) new_member_added: bool,
    pub(in crate::group) join_phase: Option<JoinPhase>,
    /// `None` while unknown: then every topic counts as subscribed.
    pub(in crate::group) subscribed: Option<HashSet<TopicName>>,
}

impl ClassicGroup {
    pub(in crate::group) fn new(id: GroupId, now: Timestamp) -> ClassicGroup {
        ClassicGroup {
            id,
            state: ClassicState::Empty,
            state_since: Some(now),
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: IndexMap::new(),
            static_members: HashMap::new(),
            pending_members: HashSet::new(),
            pending_sync: HashSet::new(),
            new_member_added: false,
            join_phase: None,
            subscribed: None,
        }
    }

    /// A stable group of consumers without members yet; see [`ClassicGroup::insert_consumer`].
    pub(in crate::group) fn of_consumers(id: GroupId, generation: i32, now: Timestamp) -> ClassicGroup {
        ClassicGroup { state: ClassicState::Stable, generation, ..ClassicGroup::new(id, now) }
    }

    /// Takes a classic member of a consumer group in.
    pub(in crate::group) fn insert_consumer(
        &mut self,
        id: &MemberId,
        about: &MemberValue,
        classic: &ClassicMember,
    ) {
        self.insert_member(Member::of_consumer(id.clone(), about, classic), &PROTOCOL_TYPE.into());
    }

    pub(in crate::group) fn transition(&mut self, state: ClassicState, now: Timestamp) {
        self.state = state;
        self.state_since = Some(now);
    }

    pub(in crate::group) fn can_rebalance(&self) -> bool {
        matches!(self.state, ClassicState::Stable | ClassicState::CompletingRebalance | ClassicState::Empty)
    }

    pub(in crate::group) fn is_leader(&self, member: &MemberId) -> bool {
        self.leader.as_ref() == Some(member)
    }

    pub(in crate::group) fn leader_or_empty(&self) -> MemberId {
        self.leader.clone().unwrap_or_else(|| MemberId::from(""))
    }

    /// How long the slowest member may take to join again, in ms.
    pub(in crate::group) fn rebalance_timeout_ms(&self) -> i32 {
        self.members.values().map(|member| member.rebalance_timeout_ms).max().unwrap_or(0)
    }

    /// Whether the claimed identity is a member's (`validateCurrentMember`).
    pub(in crate::group) fn check_member(
        &self,
        member: &MemberId,
        instance: Option<&InstanceId>,
    ) -> Result<(), GroupError> {
        if let Some(instance) = instance {
            match self.static_members.get(instance) {
                None => return Err(GroupError::UnknownMemberId),
                Some(current) if current != member => return Err(GroupError::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member) { Ok(()) } else { Err(GroupError::UnknownMemberId) }
    }

    /// Takes a member in; the first one gives the group its type and leads.
    pub(in crate::group) fn insert_member(&mut self, member: Member, protocol_type: &Arc<str>) {
        if self.members.is_empty() {
            self.protocol_type = Some(protocol_type.clone());
        }
        if self.leader.is_none() {
            self.leader = Some(member.id.clone());
        }
        if let Some(instance) = &member.instance {
            self.static_members.insert(instance.clone(), member.id.clone());
        }
        self.pending_members.remove(&member.id);
        self.members.insert(member.id.clone(), member);
    }

    /// Takes a member out; another one leads if it led.
    pub(in crate::group) fn take_member(&mut self, id: &MemberId) -> Option<Member> {
        let member = self.members.shift_remove(id)?;
        if let Some(instance) = &member.instance
            && self.static_members.get(instance) == Some(id)
        {
            self.static_members.remove(instance);
        }
        if self.is_leader(id) {
            self.leader = self.members.keys().next().cloned();
        }
        self.pending_sync.remove(id);
        Some(member)
    }

    /// The same member under a new id (`replaceStaticMember`); it keeps its place and, if it had it, the lead.
    pub(in crate::group) fn rename_member(&mut self, old: &MemberId, new: &MemberId) {
        let Some((index, _, mut member)) = self.members.shift_remove_full(old) else { return };
        member.id = new.clone();
        if let Some(instance) = &member.instance {
            self.static_members.insert(instance.clone(), new.clone());
        }
        if self.is_leader(old) {
            self.leader = Some(new.clone());
        }
        if self.pending_sync.remove(old) {
            self.pending_sync.insert(new.clone());
        }
        self.members.shift_insert(index, new.clone(), member);
    }

    fn supported_by_all(&self, protocol: &str) -> bool {
        self.members.values().all(|member| member.supports(protocol))
    }

    /// Whether a member with these protocols could be in the group.
    pub(in crate::group) fn supports(&self, protocol_type: &str, protocols: &[Protocol]) -> bool {
        if self.state == ClassicState::Empty {
            !protocol_type.is_empty() && !protocols.is_empty()
        } else {
            self.protocol_type.as_deref() == Some(protocol_type)
                && protocols.iter().any(|protocol| self.supported_by_all(&protocol.name))
        }
    }

    /// The protocol with the most votes: each member votes for the first of its own that all support.
    pub(in crate::group) fn select_protocol(&self) -> Option<Arc<str>> {
        let mut votes: IndexMap<&Arc<str>, usize> = IndexMap::new();
        for member in self.members.values() {
            let vote = member.protocols.iter().find(|protocol| self.supported_by_all(&protocol.name))?;
            *votes.entry(&vote.name).or_default() += 1;
        }
        // The first of those with the most votes: `max_by_key` alone would take the last.
        let most = votes.values().copied().max()?;
        votes.into_iter().find(|(_, count)| *count == most).map(|(name, _)| name.clone())
    }

    /// Reads from the members' metadata what they subscribe to (`computeSubscribedTopics`).
    pub(in crate::group) fn recompute_subscribed(&mut self) {
        self.subscribed = match (&self.protocol_type, &self.protocol) {
            (Some(kind), _) if &**kind != "consumer" => None,
            (Some(_), Some(protocol)) if !self.members.is_empty() => self
                .members
                .values()
                .map(|member| subscribed_topics(&member.metadata(protocol)))
                .collect::<Result<Vec<_>, _>>()
                .map(|topics| topics.into_iter().flatten().collect())
                .ok(),
            (Some(_), _) if self.members.is_empty() => Some(HashSet::new()),
            _ => None,
        };
    }

    pub(in crate::group) fn is_subscribed(&self, topic: &TopicName) -> bool {
        self.subscribed.as_ref().is_none_or(|topics| topics.contains(topic))
    }

    /// The members as the leader is told of them.
    pub(in crate::group) fn joined_members(&self) -> Vec<JoinedMember> {
        let protocol = self.protocol.as_deref().unwrap_or("");
        self.members
            .values()
            .map(|member| JoinedMember {
                member: member.id.clone(),
                instance: member.instance.clone(),
                metadata: member.metadata(protocol),
            })
            .collect()
    }

    /// The group as it is stored, with the assignment of each member as `assignment` gives it.
    pub(in crate::group) fn to_value(&self, assignment: impl Fn(&Member) -> Bytes) -> GroupValue {
        let protocol = self.protocol.as_deref();
        GroupValue {
            protocol_type: self.protocol_type.as_deref().unwrap_or("").into(),
            generation: self.generation,
            protocol: protocol.map(Into::into),
            leader: self.leader.clone(),
            state_since: self.state_since,
            members: self
                .members
                .values()
                .map(|member| member.to_value(protocol, assignment(member)))
                .collect(),
        }
    }

    /// A group as loaded: stable if it has members.
    pub(in crate::group) fn from_value(id: GroupId, value: GroupValue, now: Timestamp) -> ClassicGroup {
        let mut group = ClassicGroup::new(id, now);
        group.generation = value.generation;
        group.protocol_type = (!value.protocol_type.is_empty()).then(|| (&*value.protocol_type).into());
        group.protocol = value.protocol.map(|protocol| (&*protocol).into());
        group.leader = value.leader;
        group.state_since = value.state_since;
        if !value.members.is_empty() {
            group.state = ClassicState::Stable;
        }
        for member in value.members {
            let member = Member::from_value(member, group.protocol.as_ref());
            if let Some(instance) = &member.instance {
                group.static_members.insert(instance.clone(), member.id.clone());
            }
            group.members.insert(member.id.clone(), member);
        }
        group.recompute_subscribed();
        group
    }
}
