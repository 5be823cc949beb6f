//! The group machine, driven as a shell drives it: requests in, appends granted or failed by hand, time by hand.

use std::collections::HashMap;

use bytes::Bytes;
use gregor_model::{Offset, ProducerEpoch, ProducerId, Timestamp, TopicPartition};

use super::request::*;
use super::{AppendFailure, GroupConfig, GroupError, GroupLoader, GroupShard};
use crate::schema::group::GroupTopicKey;
use crate::{GroupId, InstanceId, MemberId};

/// A shard with a log behind it: appends wait until the test lets them through.
struct Context {
    shard: GroupShard,
    now: Timestamp,
    requests: u64,
    replies: HashMap<RequestId, Reply>,
    appends: Vec<(AppendId, Batch)>,
    log: Vec<(Offset, Batch)>,
}

fn group() -> GroupId {
    GroupId::from("g")
}

fn partition(index: i32) -> TopicPartition {
    TopicPartition::new("orders", index)
}

impl Context {
    fn new() -> Context {
        Context::with(GroupConfig::default())
    }

    fn with(config: GroupConfig) -> Context {
        Context {
            shard: GroupShard::new(config),
            now: Timestamp(1_000_000),
            requests: 0,
            replies: HashMap::new(),
            appends: Vec::new(),
            log: Vec::new(),
        }
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Reply(request, reply) => assert_eq!(self.replies.insert(request, reply), None),
                Effect::Append(append, batch) => self.appends.push((append, batch)),
            }
        }
    }

    fn request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }

    /// Lets every append asked for so far into the log.
    fn grant(&mut self) {
        for (append, batch) in std::mem::take(&mut self.appends) {
            let base = self.log.last().map_or(Offset(0), |(at, batch)| *at + batch.records.len() as i64);
            self.log.push((base, batch));
            let effects = self.shard.appended(append, Ok(base), self.now);
            self.perform(effects);
        }
    }

    fn refuse(&mut self, failure: AppendFailure) {
        for (append, _) in std::mem::take(&mut self.appends) {
            let effects = self.shard.appended(append, Err(failure), self.now);
            self.perform(effects);
        }
    }

    /// Lets time pass, firing each timer when it is due.
    fn advance(&mut self, ms: i64) {
        let end = self.now + ms;
        while let Some(at) = self.shard.next_timer().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            let effects = self.shard.fire_timers(self.now);
            self.perform(effects);
        }
        self.now = end;
    }

    fn join_request(member: &str, instance: Option<&str>, protocols: &[&str]) -> Join {
        Join {
            group: group(),
            member: member.into(),
            instance: instance.map(InstanceId::from),
            client_id: "c".into(),
            client_host: "/127.0.0.1".into(),
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: 60_000,
            protocol_type: "consumer".into(),
            protocols: protocols
                .iter()
                .map(|name| Protocol { name: (*name).into(), metadata: Bytes::from_static(b"m") })
                .collect(),
            member_id_required: false,
            skip_assignment_known: true,
            random: [member.len() as u8; 16],
        }
    }

    fn join_with(&mut self, change: impl FnOnce(&mut Join)) -> RequestId {
        let request = self.request();
        let mut join = Context::join_request("", None, &["range"]);
        join.random = u128::from(self.requests).to_be_bytes();
        change(&mut join);
        let effects = self.shard.join(request, &join, self.now);
        self.perform(effects);
        request
    }

    fn join(&mut self, member: &str) -> RequestId {
        self.join_with(|join| join.member = member.into())
    }

    #[track_caller]
    fn joined(&self, request: RequestId) -> &Joined {
        match self.replies.get(&request) {
            Some(Reply::Join(joined)) => joined,
            other => panic!("no join answer but {other:?}"),
        }
    }

    fn sync(
        &mut self,
        member: &MemberId,
        generation: i32,
        assignments: &[(&MemberId, &'static str)],
    ) -> RequestId {
        let request = self.request();
        let assignments = assignments
            .iter()
            .map(|(id, bytes)| ((*id).clone(), Bytes::from_static(bytes.as_bytes())))
            .collect();
        let sync =
            Sync { claim: claim(member, generation), protocol_type: None, protocol: None, assignments };
        let effects = self.shard.sync(request, sync, self.now);
        self.perform(effects);
        request
    }

    #[track_caller]
    fn synced(&self, request: RequestId) -> Result<&[u8], GroupError> {
        match self.replies.get(&request) {
            Some(Reply::Sync(Synced { error: None, assignment, .. })) => Ok(assignment),
            Some(Reply::Sync(Synced { error: Some(error), .. })) => Err(*error),
            other => panic!("no sync answer but {other:?}"),
        }
    }

    fn heartbeat(&mut self, member: &MemberId, generation: i32) -> Result<(), GroupError> {
        let (result, effects) = self.shard.heartbeat(&claim(member, generation), self.now);
        self.perform(effects);
        result
    }

    fn leave(&mut self, member: &str, instance: Option<&str>) -> Result<(), GroupError> {
        let leaver = Leaver { member: member.into(), instance: instance.map(InstanceId::from) };
        let (results, effects) = self.shard.leave(&group(), &[leaver], self.now);
        self.perform(effects);
        results[0]
    }

    fn commit_as(&mut self, claim: Claim, producer: Option<i64>, offset: i64) -> RequestId {
        let request = self.request();
        let commit = Commit {
            claim,
            producer: producer.map(|id| (ProducerId(id), ProducerEpoch(0))),
            verification: None,
            retention_ms: None,
            offsets: vec![OffsetToCommit {
                partition: partition(0),
                offset: Offset(offset),
                leader_epoch: None,
                metadata: "".into(),
                committed_at: None,
            }],
        };
        let effects = self.shard.commit(request, commit, self.now);
        self.perform(effects);
        request
    }

    fn commit(&mut self, offset: i64) -> RequestId {
        self.commit_as(claim(&"".into(), -1), None, offset)
    }

    #[track_caller]
    fn committed(&self, request: RequestId) -> Result<(), GroupError> {
        match self.replies.get(&request) {
            Some(Reply::Commit(results)) => results[0].1,
            other => panic!("no commit answer but {other:?}"),
        }
    }

    fn fetch(&self, stable: bool) -> Result<Option<i64>, GroupError> {
        let fetched = self.shard.fetch(&group(), Some(&[partition(0)]), stable);
        fetched[0].error.map_or(Ok(fetched[0].offset.map(|offset| offset.0)), Err)
    }

    fn state(&self) -> &'static str {
        self.shard.describe(&group()).state
    }

    /// Two members, stable in generation 1; the first leads.
    fn stable_pair(&mut self) -> (MemberId, MemberId) {
        let first = self.join("");
        let second = self.join("");
        self.advance(6_000);
        let (first, second) = (self.joined(first).member.clone(), self.joined(second).member.clone());
        let lead = self.sync(&first, 1, &[(&first, "a"), (&second, "b")]);
        let follow = self.sync(&second, 1, &[]);
        assert!(!self.replies.contains_key(&lead), "an assignment shows only once it is committed");
        self.grant();
        assert_eq!(self.synced(lead), Ok(&b"a"[..]));
        assert_eq!(self.synced(follow), Ok(&b"b"[..]));
        assert_eq!(self.state(), "Stable");
        (first, second)
    }

    /// What another broker has after reading this log.
    fn reloaded(&self, config: GroupConfig) -> Context {
        let mut loader = GroupLoader::new();
        for (at, batch) in &self.log {
            let producer = batch.producer.map(|(id, _)| id);
            for (key, value) in &batch.records {
                loader.record(*at, producer, Some(key), value.as_deref()).expect("a record we wrote");
            }
        }
        let (shard, effects) = loader.finish(config, self.now);
        let mut context = Context { shard, now: self.now, log: self.log.clone(), ..Context::new() };
        context.perform(effects);
        context
    }
}

fn claim(member: &MemberId, generation: i32) -> Claim {
    Claim { group: group(), member: member.clone(), instance: None, generation }
}

#[test]
fn the_first_round_waits_for_more_members_and_is_prolonged_by_them() {
    let mut context = Context::new();
    let first = context.join("");
    context.advance(2_999);
    assert!(context.replies.is_empty());
    let second = context.join("");
    context.advance(3_000);
    assert!(context.replies.is_empty(), "the second member prolonged the wait by 3 s from its end");
    context.advance(1);
    let leader = context.joined(first).clone();
    assert_eq!((leader.generation, leader.error), (1, None));
    assert_eq!(leader.leader, leader.member);
    assert_eq!(leader.members.len(), 2, "the leader is told of all");
    assert!(context.joined(second).members.is_empty(), "the others of nobody");
    assert_eq!(context.state(), "CompletingRebalance");
}

#[test]
fn initial_delay_ends_with_the_rebalance_timeout() {
    let mut context = Context::new();
    let first = context.join_with(|join| join.rebalance_timeout_ms = 10_000);
    // 3 s + 3 s + 3 s + 1 s, with a new member in each.
    for _ in 0..4 {
        assert!(!context.replies.contains_key(&first));
        context.join_with(|join| join.rebalance_timeout_ms = 10_000);
        context.advance(2_500);
    }
    assert_eq!(context.joined(first).members.len(), 5);
}

#[test]
fn a_dynamic_member_is_told_its_id_first() {
    let mut context = Context::new();
    let refused = context.join_with(|join| join.member_id_required = true);
    let refused = context.joined(refused).clone();
    assert_eq!(refused.error, Some(GroupError::MemberIdRequired));
    assert!(refused.member.as_str().starts_with("c-"));
    let joined = context.join(refused.member.as_str());
    context.advance(3_000);
    assert_eq!(context.joined(joined).error, None);
    let unknown = context.join("c-never-given");
    assert_eq!(context.joined(unknown).error, Some(GroupError::UnknownMemberId));
}

#[test]
fn requests_that_are_refused() {
    let mut context = Context::new();
    #[track_caller]
    fn check(context: &mut Context, change: impl FnOnce(&mut Join), error: GroupError) {
        let request = context.join_with(change);
        assert_eq!(context.joined(request).error, Some(error));
    }
    check(&mut context, |join| join.session_timeout_ms = 5_999, GroupError::InvalidSessionTimeout);
    check(&mut context, |join| join.session_timeout_ms = 1_800_001, GroupError::InvalidSessionTimeout);
    check(&mut context, |join| join.member = "x".into(), GroupError::UnknownMemberId);
    check(&mut context, |join| join.protocols.clear(), GroupError::InconsistentGroupProtocol);
    check(&mut context, |join| join.protocol_type = "".into(), GroupError::InconsistentGroupProtocol);
    context.stable_pair();
    check(&mut context, |join| join.protocol_type = "connect".into(), GroupError::InconsistentGroupProtocol);
    let other = Context::join_request("", None, &["roundrobin"]).protocols;
    check(&mut context, |join| join.protocols = other, GroupError::InconsistentGroupProtocol);
}

#[test]
fn a_full_group_turns_members_away() {
    let mut context = Context::with(GroupConfig { group_size_max: 2, ..GroupConfig::default() });
    context.stable_pair();
    let third = context.join("");
    assert_eq!(context.joined(third).error, Some(GroupError::GroupMaxSizeReached));
    assert_eq!(context.joined(third).member.as_str(), "");
}

#[test]
fn rejoining_in_a_stable_group() {
    let mut context = Context::new();
    let (leader, follower) = context.stable_pair();
    let again = context.join(follower.as_str());
    assert_eq!(context.joined(again).generation, 1, "an unchanged follower is told how things stand");
    let again = context.join(leader.as_str());
    assert!(!context.replies.contains_key(&again), "the leader's join always starts a round");
    assert_eq!(context.heartbeat(&follower, 1), Err(GroupError::RebalanceInProgress));
    let rejoined = context.join(follower.as_str());
    assert_eq!(context.joined(again).generation, 2);
    assert_eq!(context.joined(rejoined).generation, 2);
    assert_eq!(context.heartbeat(&follower, 2), Ok(()), "while the leader assigns");
    assert_eq!(context.heartbeat(&follower, 1), Err(GroupError::IllegalGeneration));
}

#[test]
fn a_member_that_does_not_rejoin_is_out() {
    let mut context = Context::new();
    let (leader, follower) = context.stable_pair();
    let again = context.join(follower.as_str());
    assert_eq!(context.joined(again).generation, 1);
    let newcomer = context.join("");
    let rejoined = context.join(follower.as_str());
    for _ in 0..12 {
        context.advance(5_000);
        let _ = context.heartbeat(&leader, 1);
    }
    assert_eq!(context.joined(rejoined).generation, 2);
    assert_eq!(context.joined(newcomer).error, None);
    assert_eq!(context.joined(rejoined).leader, follower, "one that has joined leads now");
    assert_eq!(context.heartbeat(&leader, 2), Err(GroupError::UnknownMemberId));
}

#[test]
fn a_silent_member_is_found_dead() {
    let mut context = Context::new();
    let (leader, follower) = context.stable_pair();
    context.advance(6_000);
    assert_eq!(context.heartbeat(&leader, 1), Ok(()));
    context.advance(4_000);
    assert_eq!(context.heartbeat(&leader, 1), Err(GroupError::RebalanceInProgress));
    let alone = context.join(leader.as_str());
    assert_eq!(context.joined(alone).members.len(), 1);
    assert_eq!(context.heartbeat(&follower, 2), Err(GroupError::UnknownMemberId));
}

#[test]
fn members_that_never_sync_are_out() {
    let mut context = Context::new();
    let first = context.join("");
    let second = context.join("");
    context.advance(6_000);
    let (first, second) = (context.joined(first).member.clone(), context.joined(second).member.clone());
    let lead = context.sync(&first, 1, &[(&first, "a")]);
    context.grant();
    assert_eq!(context.synced(lead), Ok(&b"a"[..]));
    for _ in 0..13 {
        context.advance(5_000);
        let _ = context.heartbeat(&first, 1);
        let _ = context.heartbeat(&second, 1);
    }
    assert_eq!(context.heartbeat(&second, 1), Err(GroupError::UnknownMemberId));
}

#[test]
fn sync_by_state_and_claim() {
    let mut context = Context::new();
    #[track_caller]
    fn check(context: &mut Context, member: &MemberId, generation: i32, error: GroupError) {
        let request = context.sync(member, generation, &[]);
        assert_eq!(context.synced(request), Err(error));
    }
    check(&mut context, &"x".into(), 1, GroupError::UnknownMemberId);
    let (leader, follower) = context.stable_pair();
    check(&mut context, &"x".into(), 1, GroupError::UnknownMemberId);
    check(&mut context, &leader, 2, GroupError::IllegalGeneration);
    let late = context.sync(&follower, 1, &[]);
    assert_eq!(context.synced(late), Ok(&b"b"[..]), "one that lost the answer gets it again");
    context.join(leader.as_str());
    check(&mut context, &follower, 1, GroupError::RebalanceInProgress);
}

#[test]
fn an_assignment_that_cannot_be_written_starts_over() {
    let mut context = Context::new();
    let first = context.join("");
    context.advance(3_000);
    let first = context.joined(first).member.clone();
    let lead = context.sync(&first, 1, &[(&first, "a")]);
    context.refuse(AppendFailure::NotEnoughReplicas);
    assert_eq!(context.synced(lead), Err(GroupError::CoordinatorNotAvailable));
    assert_eq!(context.state(), "PreparingRebalance");
}

#[test]
fn a_static_member_returns_without_a_rebalance() {
    let mut context = Context::new();
    let first = context.join_with(|join| join.instance = Some("i".into()));
    context.advance(3_000);
    let old = context.joined(first).member.clone();
    context.sync(&old, 1, &[(&old, "a")]);
    context.grant();
    let back = context.join_with(|join| join.instance = Some("i".into()));
    context.grant();
    let back = context.joined(back).clone();
    assert_eq!((back.error, back.generation, back.skip_assignment), (None, 1, true));
    assert_eq!(back.leader, back.member);
    assert_ne!(back.member, old);
    let claim = Claim { instance: Some("i".into()), ..claim(&old, 1) };
    assert_eq!(context.shard.heartbeat(&claim, context.now).0, Err(GroupError::FencedInstanceId));
    let older =
        context.join_with(|join| (join.instance, join.skip_assignment_known) = (Some("i".into()), false));
    context.grant();
    let older = context.joined(older);
    assert_eq!(older.leader, back.member, "before version 9 it must not think that it leads");
    assert!(older.members.is_empty());
    assert_eq!(context.leave("", Some("i")), Ok(()));
    assert_eq!(context.leave("", Some("i")), Err(GroupError::UnknownMemberId));
}

#[test]
fn the_last_one_to_leave_empties_the_group() {
    let mut context = Context::new();
    let (leader, follower) = context.stable_pair();
    assert_eq!(context.leave(leader.as_str(), None), Ok(()));
    assert_eq!(context.leave(leader.as_str(), None), Err(GroupError::UnknownMemberId));
    assert_eq!(context.leave(follower.as_str(), None), Ok(()));
    assert_eq!(context.state(), "Empty");
    context.grant();
    let (_, last) = context.log.last().expect("the emptied group is written");
    assert_eq!(GroupTopicKey::decode(&last.records[0].0), Ok(GroupTopicKey::Group(group())));
}

#[test]
fn offsets_show_once_committed() {
    let mut context = Context::new();
    let request = context.commit(5);
    assert_eq!(context.fetch(false), Ok(None));
    assert_eq!(context.fetch(true), Err(GroupError::UnstableOffsetCommit));
    context.grant();
    assert_eq!(context.committed(request), Ok(()));
    assert_eq!(context.fetch(true), Ok(Some(5)));
    let request = context.commit(6);
    context.refuse(AppendFailure::NotLeaderOrFollower);
    assert_eq!(context.committed(request), Err(GroupError::NotCoordinator));
    assert_eq!(context.fetch(true), Ok(Some(5)));
}

#[test]
fn who_may_commit() {
    let mut context = Context::new();
    #[track_caller]
    fn check(context: &mut Context, claim: Claim, expected: Result<(), GroupError>) {
        let request = context.commit_as(claim, None, 1);
        context.grant();
        assert_eq!(context.committed(request), expected);
    }
    check(&mut context, claim(&"x".into(), 3), Err(GroupError::IllegalGeneration));
    let (leader, _) = context.stable_pair();
    check(&mut context, claim(&leader, 1), Ok(()));
    check(&mut context, claim(&leader, 0), Err(GroupError::IllegalGeneration));
    check(&mut context, claim(&"x".into(), 1), Err(GroupError::UnknownMemberId));
    check(&mut context, claim(&"".into(), -1), Err(GroupError::UnknownMemberId));
    let transactional = context.commit_as(claim(&"".into(), -1), Some(9), 1);
    context.grant();
    assert_eq!(context.committed(transactional), Ok(()), "old producers name no member");
}

#[test]
fn metadata_too_large_is_refused_alone() {
    let mut context = Context::new();
    let request = context.request();
    let offset = |index, metadata: &str| OffsetToCommit {
        partition: partition(index),
        offset: Offset(1),
        leader_epoch: None,
        metadata: metadata.into(),
        committed_at: None,
    };
    let commit = Commit {
        claim: claim(&"".into(), -1),
        producer: None,
        verification: None,
        retention_ms: None,
        offsets: vec![offset(0, &"x".repeat(4_097)), offset(1, &"é".repeat(4_096))],
    };
    let effects = context.shard.commit(request, commit, context.now);
    context.perform(effects);
    context.grant();
    let expected = vec![(partition(0), Err(GroupError::OffsetMetadataTooLarge)), (partition(1), Ok(()))];
    assert_eq!(context.replies[&request], Reply::Commit(expected));
}

#[test]
fn transactional_offsets_wait_for_the_marker_and_never_overwrite_newer_ones() {
    let mut context = Context::new();
    context.commit_as(claim(&"".into(), -1), Some(9), 10);
    context.grant();
    assert_eq!(context.fetch(false), Ok(None));
    assert_eq!(context.fetch(true), Err(GroupError::UnstableOffsetCommit));
    context.shard.complete_transaction(ProducerId(9), true);
    assert_eq!(context.fetch(true), Ok(Some(10)));
    context.commit_as(claim(&"".into(), -1), Some(9), 11);
    context.grant();
    context.shard.complete_transaction(ProducerId(9), false);
    assert_eq!(context.fetch(true), Ok(Some(10)), "aborted");
    context.commit_as(claim(&"".into(), -1), Some(9), 12);
    context.grant();
    context.commit(20);
    context.grant();
    context.shard.complete_transaction(ProducerId(9), true);
    assert_eq!(context.fetch(true), Ok(Some(20)), "the plain commit is later in the log");
}

#[test]
fn another_broker_loads_the_same_groups() {
    let mut context = Context::new();
    let (leader, follower) = context.stable_pair();
    context.commit_as(claim(&leader, 1), None, 33);
    context.grant();
    let mut loaded = context.reloaded(GroupConfig::default());
    assert_eq!(loaded.shard.describe(&group()), context.shard.describe(&group()));
    assert_eq!(loaded.fetch(true), Ok(Some(33)));
    assert_eq!(loaded.heartbeat(&follower, 1), Ok(()));
    loaded.advance(10_000);
    assert_eq!(loaded.state(), "Empty", "sessions run after a load");
    let small = GroupConfig { group_size_max: 1, ..GroupConfig::default() };
    assert_eq!(context.reloaded(small).state(), "PreparingRebalance");
}

#[test]
fn unloading_sends_everyone_away() {
    let mut context = Context::new();
    let (leader, _) = context.stable_pair();
    let commit = context.commit_as(claim(&leader, 1), None, 1);
    let join = context.join(leader.as_str());
    let shard = std::mem::replace(&mut context.shard, GroupShard::new(GroupConfig::default()));
    let effects = shard.unload(context.now);
    context.perform(effects);
    assert_eq!(context.joined(join).error, Some(GroupError::NotCoordinator));
    assert_eq!(context.committed(commit), Err(GroupError::NotCoordinator));
}

#[test]
fn offsets_and_groups_expire() {
    let mut context = Context::new();
    let week_ms = GroupConfig::default().offsets_retention_ms;
    context.commit(1);
    context.grant();
    context.advance(week_ms - 1);
    assert_eq!(context.shard.expire(context.now), vec![]);
    context.advance(1);
    let effects = context.shard.expire(context.now);
    let [Effect::Append(_, batch)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(batch.records.len(), 1, "no tombstone for a group that was never written");
    assert!(batch.records[0].1.is_none() && !batch.acknowledged);
    assert_eq!(context.state(), "Dead");
}

#[test]
fn a_managed_group_expires_from_when_it_became_empty() {
    let mut context = Context::new();
    let (leader, follower) = context.stable_pair();
    context.commit_as(claim(&leader, 1), None, 1);
    context.grant();
    let week_ms = GroupConfig::default().offsets_retention_ms;
    context.leave(leader.as_str(), None).expect("a member");
    context.leave(follower.as_str(), None).expect("a member");
    context.grant();
    context.advance(week_ms);
    let effects = context.shard.expire(context.now);
    let [Effect::Append(_, batch)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(batch.records.len(), 2, "the offset's tombstone and the group's");
}

#[test]
fn deleting_groups_and_offsets() {
    let mut context = Context::new();
    assert_eq!(context.shard.delete(&group(), context.now).0, Err(GroupError::GroupIdNotFound));
    let (leader, follower) = context.stable_pair();
    context.commit_as(claim(&leader, 1), None, 1);
    context.grant();
    assert_eq!(context.shard.delete(&group(), context.now).0, Err(GroupError::NonEmptyGroup));
    let (results, _) = context.shard.delete_offsets(&group(), vec![partition(0)], context.now);
    assert_eq!(
        results,
        Ok(vec![(partition(0), Err(GroupError::GroupSubscribedToTopic))]),
        "metadata that is no subscription counts as subscribed to everything"
    );
    context.leave(leader.as_str(), None).expect("a member");
    context.leave(follower.as_str(), None).expect("a member");
    let (results, effects) =
        context.shard.delete_offsets(&group(), vec![partition(0), partition(1)], context.now);
    assert_eq!(results, Ok(vec![(partition(0), Ok(())), (partition(1), Ok(()))]));
    assert_eq!(effects.len(), 1, "a tombstone only for what was stored");
    let (result, effects) = context.shard.delete(&group(), context.now);
    assert_eq!((result, effects.len()), (Ok(()), 1));
    assert_eq!(context.state(), "Dead");
}
