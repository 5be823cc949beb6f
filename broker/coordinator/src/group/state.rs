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

use super::GroupError;
use super::member::Member;
use super::offsets::Offsets;
use super::rebalance::JoinPhase;
use super::request::{JoinedMember, Protocol};
use crate::schema::consumer_protocol::subscribed_topics;
use crate::schema::group::GroupValue;
use crate::{GroupId, InstanceId, MemberId};

/// Where a group stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupState {
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

impl GroupState {
    /// The name that ListGroups and DescribeGroups give.
    pub fn name(self) -> &'static str {
        match self {
            GroupState::Empty => "Empty",
            GroupState::PreparingRebalance => "PreparingRebalance",
            GroupState::CompletingRebalance => "CompletingRebalance",
            GroupState::Stable => "Stable",
            GroupState::Dead => "Dead",
        }
    }
}

/// One group of the shard.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) id: GroupId,
    pub(super) state: GroupState,
    pub(super) state_since: Option<Timestamp>,
    /// Raised by every completed join phase; the first is 1.
    pub(super) generation: i32,
    pub(super) protocol_type: Option<Arc<str>>,
    pub(super) protocol: Option<Arc<str>>,
    pub(super) leader: Option<MemberId>,
    /// In the order of joining.
    pub(super) members: IndexMap<MemberId, Member>,
    pub(super) static_members: HashMap<InstanceId, MemberId>,
    /// Ids given out with MEMBER_ID_REQUIRED, not used yet.
    pub(super) pending_members: HashSet<MemberId>,
    /// Members of this generation that have not synced.
    pub(super) pending_sync: HashSet<MemberId>,
    /// A member came during the initial delay, which is therefore prolonged.
    pub(super) new_member_added: bool,
    pub(super) join_phase: Option<JoinPhase>,
    /// `None` while unknown: then every topic counts as subscribed.
    pub(super) subscribed: Option<HashSet<TopicName>>,
    pub(super) offsets: Offsets,
}

impl Group {
    pub(super) fn new(id: GroupId, now: Timestamp) -> Group {
        Group {
            id,
            state: GroupState::Empty,
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
            offsets: Offsets::default(),
        }
    }

    pub(super) fn transition(&mut self, state: GroupState, now: Timestamp) {
        self.state = state;
        self.state_since = Some(now);
    }

    pub(super) fn can_rebalance(&self) -> bool {
        matches!(self.state, GroupState::Stable | GroupState::CompletingRebalance | GroupState::Empty)
    }

    pub(super) fn is_leader(&self, member: &MemberId) -> bool {
        self.leader.as_ref() == Some(member)
    }

    pub(super) fn leader_or_empty(&self) -> MemberId {
        self.leader.clone().unwrap_or_else(|| MemberId::from(""))
    }

    /// How long the slowest member may take to join again, in ms.
    pub(super) fn rebalance_timeout_ms(&self) -> i32 {
        self.members.values().map(|member| member.rebalance_timeout_ms).max().unwrap_or(0)
    }

    /// Whether the claimed identity is a member's (`validateCurrentMember`).
    pub(super) fn check_member(
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
    pub(super) fn insert_member(&mut self, member: Member, protocol_type: &Arc<str>) {
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
    pub(super) fn take_member(&mut self, id: &MemberId) -> Option<Member> {
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
    pub(super) fn rename_member(&mut self, old: &MemberId, new: &MemberId) {
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
    pub(super) fn supports(&self, protocol_type: &str, protocols: &[Protocol]) -> bool {
        if self.state == GroupState::Empty {
            !protocol_type.is_empty() && !protocols.is_empty()
        } else {
            self.protocol_type.as_deref() == Some(protocol_type)
                && protocols.iter().any(|protocol| self.supported_by_all(&protocol.name))
        }
    }

    /// The protocol with the most votes: each member votes for the first of its own that all support.
    pub(super) fn select_protocol(&self) -> Option<Arc<str>> {
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
    pub(super) fn recompute_subscribed(&mut self) {
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

    pub(super) fn is_subscribed(&self, topic: &TopicName) -> bool {
        self.subscribed.as_ref().is_none_or(|topics| topics.contains(topic))
    }

    /// The members as the leader is told of them.
    pub(super) fn joined_members(&self) -> Vec<JoinedMember> {
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
    pub(super) fn to_value(&self, assignment: impl Fn(&Member) -> Bytes) -> GroupValue {
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
    pub(super) fn from_value(id: GroupId, value: GroupValue, now: Timestamp) -> Group {
        let mut group = Group::new(id, now);
        group.generation = value.generation;
        group.protocol_type = (!value.protocol_type.is_empty()).then(|| (&*value.protocol_type).into());
        group.protocol = value.protocol.map(|protocol| (&*protocol).into());
        group.leader = value.leader;
        group.state_since = value.state_since;
        if !value.members.is_empty() {
            group.state = GroupState::Stable;
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
