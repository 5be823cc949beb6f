//! The groups of one partition of `__consumer_offsets`: the machine that the shell drives.
//!
//! The shell calls a method with the time, performs the effects in order, reports each append with [`GroupShard::appended`]
//! (one that did not get as far as the log before anything else is asked of the shard), and calls
//! [`GroupShard::fire_timers`] when [`GroupShard::next_timer`] is due. Requests pass Kafka's gate before they get here: the
//! shard exists only while its partition is led and loaded.

use std::collections::HashMap;
use std::sync::Arc;

use gregor_model::{Offset, ProducerId, Timestamp, TopicPartition};

use super::classic::ClassicState;
use super::consumer::{NoTopics, Topics};
use super::request::{
    AppendId, Claim, Commit, CommitResults, DescribedGroup, Effect, FetchedOffset, Join, Joined, Leaver,
    ListedGroup, Reply, RequestId, Sync, Synced,
};
use super::state::Group;
use super::timers::Timers;
use super::turn::{Turn, Waiting};
use super::{AppendFailure, GroupConfig, GroupError};
use crate::{GroupId, MemberId};

/// The groups of one partition (`GroupCoordinator` and `GroupMetadataManager`, cut by partition).
#[derive(Debug)]
pub struct GroupShard {
    pub(super) config: GroupConfig,
    topics: Arc<dyn Topics>,
    pub(super) groups: HashMap<GroupId, Group>,
    timers: Timers,
    waiting: HashMap<AppendId, (GroupId, Waiting)>,
    last_append: u64,
}

impl GroupShard {
    /// A partition without groups; a loaded one comes from [`super::GroupLoader`].
    pub fn new(config: GroupConfig) -> GroupShard {
        GroupShard {
            config,
            topics: Arc::new(NoTopics),
            groups: HashMap::new(),
            timers: Timers::default(),
            waiting: HashMap::new(),
            last_append: 0,
        }
    }

    /// The cluster's topics as they are now; consumer groups look at them when a member is heard of.
    pub fn see(&mut self, topics: Arc<dyn Topics>) {
        self.topics = topics;
    }

    /// Takes loaded groups over: sessions start, and a group that is too large now must rebalance.
    pub(super) fn adopt(&mut self, groups: HashMap<GroupId, Group>, now: Timestamp) -> Vec<Effect> {
        self.groups = groups;
        let ids: Vec<GroupId> = self.groups.keys().cloned().collect();
        let mut effects = Vec::new();
        for id in ids {
            effects.extend(self.with(&id, now, Group::loaded));
        }
        effects
    }

    /// Works on one group if it is there; drops it when it has died.
    pub(super) fn with(
        &mut self,
        id: &GroupId,
        now: Timestamp,
        work: impl FnOnce(&mut Group, &mut Turn<'_>),
    ) -> Vec<Effect> {
        let Some(group) = self.groups.get_mut(id) else { return Vec::new() };
        let mut turn = Turn {
            config: &self.config,
            topics: &*self.topics,
            timers: &mut self.timers,
            waiting: &mut self.waiting,
            last_append: &mut self.last_append,
            effects: Vec::new(),
            now,
        };
        work(group, &mut turn);
        let effects = turn.effects;
        if group.gone {
            self.groups.remove(id);
        }
        effects
    }

    fn create(&mut self, id: &GroupId, now: Timestamp) {
        self.groups.entry(id.clone()).or_insert_with(|| Group::new(id.clone(), now));
    }

    /// JoinGroup.
    pub fn join(&mut self, request: RequestId, join: &Join, now: Timestamp) -> Vec<Effect> {
        let refuse = |member: MemberId, error| {
            vec![Effect::Reply(request, Reply::Join(Joined::refused(member, error)))]
        };
        let bounds = self.config.session_timeout_ms_min..=self.config.session_timeout_ms_max;
        if !bounds.contains(&join.session_timeout_ms) {
            return refuse(join.member.clone(), GroupError::InvalidSessionTimeout);
        }
        if !self.groups.contains_key(&join.group) {
            if !join.member.is_empty() {
                return refuse(join.member.clone(), GroupError::UnknownMemberId);
            }
            self.create(&join.group, now);
        }
        self.with(&join.group, now, |group, turn| group.join(turn, request, join))
    }

    /// SyncGroup.
    pub fn sync(&mut self, request: RequestId, sync: Sync, now: Timestamp) -> Vec<Effect> {
        let id = sync.claim.group.clone();
        if !self.groups.contains_key(&id) {
            let refused = Synced::refused(GroupError::UnknownMemberId);
            return vec![Effect::Reply(request, Reply::Sync(refused))];
        }
        self.with(&id, now, |group, turn| group.sync(turn, request, sync))
    }

    /// Heartbeat: answered at once.
    pub fn heartbeat(&mut self, claim: &Claim, now: Timestamp) -> (Result<(), GroupError>, Vec<Effect>) {
        let mut result = Err(GroupError::UnknownMemberId);
        let effects = self.with(&claim.group, now, |group, turn| result = group.heartbeat(turn, claim));
        (result, effects)
    }

    /// LeaveGroup: one result per leaver.
    pub fn leave(
        &mut self,
        id: &GroupId,
        leavers: &[Leaver],
        now: Timestamp,
    ) -> (Vec<Result<(), GroupError>>, Vec<Effect>) {
        let mut results = vec![Err(GroupError::UnknownMemberId); leavers.len()];
        let effects = self.with(id, now, |group, turn| {
            results = group.leave(turn, leavers);
        });
        (results, effects)
    }

    /// OffsetCommit and TxnOffsetCommit.
    pub fn commit(&mut self, request: RequestId, commit: Commit, now: Timestamp) -> Vec<Effect> {
        let id = commit.claim.group.clone();
        if !self.groups.contains_key(&id) {
            if commit.claim.generation >= 0 && commit.producer.is_none() {
                let refused = |partition| (partition, Err(GroupError::IllegalGeneration));
                let results = commit.offsets.into_iter().map(|offset| refused(offset.partition)).collect();
                return vec![Effect::Reply(request, Reply::Commit(results))];
            }
            self.create(&id, now);
        }
        self.with(&id, now, |group, turn| group.commit(turn, request, commit))
    }

    /// OffsetFetch: the given partitions, or all that have an offset. A group that does not exist has none.
    pub fn fetch(
        &self,
        id: &GroupId,
        partitions: Option<&[TopicPartition]>,
        require_stable: bool,
    ) -> Vec<FetchedOffset> {
        match self.groups.get(id) {
            Some(group) => group.fetch(partitions, require_stable),
            None => partitions.unwrap_or_default().iter().cloned().map(FetchedOffset::none).collect(),
        }
    }

    /// A producer's marker is in this partition at `marker`: the offsets before it show, or are forgotten. It may be
    /// told late, or twice.
    pub fn complete_transaction(&mut self, producer: ProducerId, committed: bool, marker: Offset) {
        for group in self.groups.values_mut() {
            group.offsets.complete_transaction(producer, committed, marker);
        }
    }

    /// DeleteGroups.
    pub fn delete(&mut self, id: &GroupId, now: Timestamp) -> (Result<(), GroupError>, Vec<Effect>) {
        let mut result = Err(GroupError::GroupIdNotFound);
        let effects = self.with(id, now, |group, turn| result = group.delete(turn));
        (result, effects)
    }

    /// OffsetDelete.
    pub fn delete_offsets(
        &mut self,
        id: &GroupId,
        partitions: Vec<TopicPartition>,
        now: Timestamp,
    ) -> (Result<CommitResults, GroupError>, Vec<Effect>) {
        let mut result = Err(GroupError::GroupIdNotFound);
        let effects = self.with(id, now, |group, turn| result = group.delete_offsets(turn, partitions));
        (result, effects)
    }

    /// Partitions of deleted topics: no group keeps offsets of them.
    pub fn forget_partitions(&mut self, partitions: &[TopicPartition], now: Timestamp) -> Vec<Effect> {
        let ids: Vec<GroupId> = self.groups.keys().cloned().collect();
        let forget = |id| self.with(id, now, |group, turn| group.forget_partitions(turn, partitions));
        ids.iter().flat_map(forget).collect()
    }

    /// DescribeGroups: a group that does not exist is `Dead`.
    pub fn describe(&self, id: &GroupId) -> DescribedGroup {
        self.groups.get(id).and_then(Group::describe).unwrap_or_else(|| DescribedGroup {
            state: ClassicState::Dead.name(),
            protocol_type: "".into(),
            protocol: "".into(),
            members: Vec::new(),
        })
    }

    /// ListGroups.
    pub fn list(&self) -> impl Iterator<Item = ListedGroup> + '_ {
        self.groups.values().map(Group::list)
    }

    /// How many offsets are stored; for metrics.
    pub fn offset_count(&self) -> usize {
        self.groups.values().map(|group| group.offsets.len()).sum()
    }

    /// Removes expired offsets and empty groups; to be called every `offsets.retention.check.interval.ms`.
    pub fn expire(&mut self, now: Timestamp) -> Vec<Effect> {
        let ids: Vec<GroupId> = self.groups.keys().cloned().collect();
        let mut effects = Vec::new();
        for id in ids {
            effects.extend(self.with(&id, now, Group::expire));
        }
        effects
    }

    /// An append that was asked for is committed, its batch beginning at the offset given; or it failed.
    pub fn appended(
        &mut self,
        append: AppendId,
        outcome: Result<Offset, AppendFailure>,
        now: Timestamp,
    ) -> Vec<Effect> {
        let Some((id, waiting)) = self.waiting.remove(&append) else { return Vec::new() };
        if !self.groups.contains_key(&id) {
            return waiting.orphaned();
        }
        self.with(&id, now, |group, turn| group.appended(turn, append, waiting, outcome))
    }

    /// When [`GroupShard::fire_timers`] is to be called next.
    pub fn next_timer(&self) -> Option<Timestamp> {
        self.timers.next()
    }

    /// Handles timers that are due, up to the first that asks for an append: how that went is to be told before the next
    /// is handled.
    pub fn fire_timers(&mut self, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some((id, kind)) = self.timers.pop_due(now) {
            effects.extend(self.with(&id, now, |group, turn| group.timer_fired(turn, &kind)));
            if effects.iter().any(|effect| matches!(effect, Effect::Append(..))) {
                break;
            }
        }
        effects
    }

    /// The partition is led elsewhere now: whoever waits is sent to the new coordinator.
    pub fn unload(mut self, now: Timestamp) -> Vec<Effect> {
        let ids: Vec<GroupId> = self.groups.keys().cloned().collect();
        let mut effects: Vec<Effect> = ids
            .iter()
            .flat_map(|id| self.with(id, now, |group, turn| group.die(turn, GroupError::NotCoordinator)))
            .collect();
        effects.extend(self.waiting.drain().flat_map(|(_, (_, waiting))| waiting.orphaned()));
        effects
    }
}
