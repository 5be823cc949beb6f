//! Consumers join, are assigned to, give up, leave, are fenced, and survive a failover.

use std::collections::BTreeMap;
use std::sync::Arc;

use gregor_model::{TopicId, TopicName};

use super::*;
use crate::Assignment;
use crate::group::consumer::request::{ConsumerBeat, ConsumerHeartbeat, Refused};
use crate::group::consumer::{ConsumerGroupConfig, Topics};
use crate::schema::consumer_group::SubscribedTopic;

pub(super) struct Cluster {
    version: u64,
    topics: BTreeMap<TopicName, SubscribedTopic>,
}

impl Topics for Cluster {
    fn version(&self) -> u64 {
        self.version
    }

    fn find(&self, name: &TopicName) -> Option<SubscribedTopic> {
        self.topics.get(name).cloned()
    }
}

pub(super) fn topic_id(seed: u8) -> TopicId {
    TopicId::from_random([seed; 16]).expect("not reserved")
}

/// Topic `orders` (id 1) and, if it has partitions, `bills` (id 2).
pub(super) fn cluster(version: u64, orders: i32, bills: i32) -> Arc<dyn Topics> {
    let topic = |seed, partitions| SubscribedTopic { id: topic_id(seed), partitions, racks: BTreeMap::new() };
    let topics = [("orders", topic(1, orders)), ("bills", topic(2, bills))];
    let topics = topics.into_iter().filter(|(_, topic)| topic.partitions > 0);
    Arc::new(Cluster { version, topics: topics.map(|(name, topic)| (TopicName::new(name), topic)).collect() })
}

/// Partitions of `orders`.
pub(super) fn orders(partitions: &[i32]) -> Assignment {
    partitions.iter().map(|partition| (topic_id(1), *partition)).collect()
}

pub(super) fn heartbeat(member: &str, epoch: i32) -> ConsumerHeartbeat {
    ConsumerHeartbeat {
        group: group(),
        member: member.into(),
        epoch,
        instance: None,
        rack: None,
        rebalance_timeout_ms: None,
        topics: None,
        assignor: None,
        owned: None,
        client_id: "c".into(),
        client_host: "/127.0.0.1".into(),
        random: [7; 16],
    }
}

pub(super) fn joining(member: &str) -> ConsumerHeartbeat {
    ConsumerHeartbeat {
        rebalance_timeout_ms: Some(60_000),
        topics: Some(vec![TopicName::new("orders")]),
        owned: Some(Assignment::new()),
        ..heartbeat(member, 0)
    }
}

impl Context {
    pub(super) fn consumers(config: ConsumerGroupConfig) -> Context {
        let mut context = Context::with(GroupConfig { consumer: config, ..GroupConfig::default() });
        context.shard.see(cluster(1, 4, 0));
        context
    }

    pub(super) fn send(&mut self, beat: &ConsumerHeartbeat) -> RequestId {
        let request = self.request();
        let effects = self.shard.consumer_heartbeat(request, beat, self.now);
        self.perform(effects);
        request
    }

    #[track_caller]
    pub(super) fn told(&self, request: RequestId) -> Result<&ConsumerBeat, &Refused> {
        match self.replies.get(&request) {
            Some(Reply::Consumer(beat)) => beat.as_ref(),
            other => panic!("no heartbeat answer but {other:?}"),
        }
    }

    /// The answer, once everything is in the log.
    #[track_caller]
    pub(super) fn beat(&mut self, beat: &ConsumerHeartbeat) -> Result<ConsumerBeat, GroupError> {
        let request = self.send(beat);
        self.grant();
        self.told(request).cloned().map_err(|refused| refused.error)
    }

    /// Epoch and assignment of an answer.
    #[track_caller]
    pub(super) fn beat_of(&mut self, beat: &ConsumerHeartbeat) -> (i32, Option<Assignment>) {
        let told = self.beat(beat).expect("accepted");
        (told.epoch, told.assignment.as_deref().cloned())
    }

    #[track_caller]
    pub(super) fn join_consumer(&mut self, member: &str) -> (i32, Option<Assignment>) {
        self.beat_of(&joining(member))
    }

    /// A steady heartbeat that says what the member owns.
    fn owning(&mut self, member: &str, epoch: i32, owned: &[i32]) -> (i32, Option<Assignment>) {
        self.beat_of(&ConsumerHeartbeat { owned: Some(orders(owned)), ..heartbeat(member, epoch) })
    }

    fn steady(&mut self, member: &str, epoch: i32) -> (i32, Option<Assignment>) {
        self.beat_of(&heartbeat(member, epoch))
    }

    pub(super) fn group_state(&self) -> (&'static str, i32, i32) {
        let described = self.shard.describe_consumers(&group()).expect("a consumer group");
        (described.state, described.epoch, described.target_epoch)
    }

    /// `a` with partitions 0 and 1, `b` with 2 and 3, both at epoch 2.
    pub(super) fn pair(&mut self) {
        self.join_consumer("a");
        self.join_consumer("b");
        assert_eq!(self.owning("a", 1, &[0, 1, 2, 3]), (1, Some(orders(&[0, 1]))));
        assert_eq!(self.owning("a", 1, &[0, 1]), (2, None));
        assert_eq!(self.steady("b", 2), (2, Some(orders(&[2, 3]))));
        assert_eq!(self.group_state(), ("Stable", 2, 2));
    }
}

#[test]
fn a_second_member_takes_over_what_the_first_gives_up() {
    let mut context = Context::consumers(ConsumerGroupConfig::default());
    let request = context.send(&joining("a"));
    assert!(!context.replies.contains_key(&request), "the answer waits for the log");
    context.grant();
    let told = context.told(request).expect("accepted").clone();
    assert_eq!((told.epoch, told.interval_ms), (1, 5_000));
    assert_eq!(told.assignment.as_deref(), Some(&orders(&[0, 1, 2, 3])));
    assert_eq!(context.group_state(), ("Stable", 1, 1));

    assert_eq!(context.join_consumer("b"), (2, Some(orders(&[]))), "nothing is free yet");
    assert_eq!(context.group_state(), ("Reconciling", 2, 2));
    assert_eq!(context.steady("b", 2), (2, None));
    assert_eq!(context.owning("a", 1, &[0, 1, 2, 3]), (1, Some(orders(&[0, 1]))), "2 and 3 are to go");
    assert_eq!(context.steady("b", 2), (2, None), "they have not gone yet");
    assert_eq!(context.owning("a", 1, &[0, 1, 2]), (1, None), "nor has 2 now");
    assert_eq!(context.owning("a", 1, &[0, 1]), (2, None));
    assert_eq!(context.steady("b", 2), (2, Some(orders(&[2, 3]))));
    assert_eq!(context.group_state(), ("Stable", 2, 2));
}

#[test]
fn a_steady_group_writes_nothing() {
    let mut context = Context::consumers(ConsumerGroupConfig::default());
    context.pair();
    let written = context.log.len();
    for _ in 0..3 {
        assert_eq!(context.steady("a", 2), (2, None));
        assert_eq!(context.steady("b", 2), (2, None));
    }
    let full = ConsumerHeartbeat { epoch: 2, owned: Some(orders(&[0, 1])), ..joining("a") };
    assert_eq!(context.beat_of(&full), (2, Some(orders(&[0, 1]))), "who tells all is told all");
    assert_eq!(context.log.len(), written);
}

#[test]
fn who_leaves_is_missed_at_once() {
    let mut context = Context::consumers(ConsumerGroupConfig::default());
    context.pair();
    let told = context.beat(&heartbeat("b", -1)).expect("accepted");
    assert_eq!((told.epoch, told.member.as_str(), told.assignment), (-1, "b", None));
    assert_eq!(context.group_state(), ("Assigning", 3, 2));
    assert_eq!(context.steady("a", 2), (3, Some(orders(&[0, 1, 2, 3]))));
    assert_eq!(context.beat(&heartbeat("b", 2)), Err(GroupError::UnknownMemberId));
    assert_eq!(context.beat(&heartbeat("b", -1)), Err(GroupError::UnknownMemberId));
    context.beat(&heartbeat("a", -1)).expect("accepted");
    assert_eq!(context.group_state(), ("Empty", 4, 3));
}

#[test]
fn a_silent_member_is_fenced() {
    let mut context = Context::consumers(ConsumerGroupConfig::default());
    context.pair();
    context.advance(44_999);
    assert_eq!(context.steady("a", 2), (2, None));
    context.advance(1);
    context.grant();
    assert_eq!(context.beat(&heartbeat("b", 2)), Err(GroupError::UnknownMemberId));
    assert_eq!(context.steady("a", 2), (3, Some(orders(&[0, 1, 2, 3]))));
}

#[test]
fn who_gives_nothing_up_is_fenced_after_its_rebalance_timeout() {
    let mut context = Context::consumers(ConsumerGroupConfig::default());
    context.join_consumer("a");
    context.join_consumer("b");
    context.owning("a", 1, &[0, 1, 2, 3]);
    for _ in 0..2 {
        context.advance(29_000);
        assert_eq!(context.owning("a", 1, &[0, 1, 2, 3]), (1, None));
        context.steady("b", 2);
    }
    context.advance(2_000);
    context.grant();
    assert_eq!(context.beat(&heartbeat("a", 1)), Err(GroupError::UnknownMemberId));
    assert_eq!(context.steady("b", 2), (3, Some(orders(&[0, 1, 2, 3]))));
}

#[test]
fn epochs_that_are_accepted() {
    let mut context = Context::consumers(ConsumerGroupConfig::default());
    context.pair();
    #[track_caller]
    fn check(context: &mut Context, epoch: i32, owned: Option<&[i32]>, expected: Result<i32, GroupError>) {
        let beat = ConsumerHeartbeat { owned: owned.map(orders), ..heartbeat("a", epoch) };
        assert_eq!(context.beat(&beat).map(|beat| beat.epoch), expected);
    }
    check(&mut context, 2, None, Ok(2));
    check(&mut context, 3, None, Err(GroupError::FencedMemberEpoch));
    // The answer with epoch 2 was lost.
    check(&mut context, 1, Some(&[0, 1]), Ok(2));
    check(&mut context, 1, Some(&[0]), Ok(2));
    check(&mut context, 1, None, Err(GroupError::FencedMemberEpoch));
    check(&mut context, 1, Some(&[0, 3]), Err(GroupError::FencedMemberEpoch));
    let rejoining = context.beat(&joining("a"));
    assert_eq!(rejoining.map(|beat| beat.epoch), Err(GroupError::FencedMemberEpoch));
}

#[test]
fn requests_that_are_refused() {
    #[track_caller]
    fn check(change: impl FnOnce(&mut ConsumerHeartbeat), error: GroupError) {
        let limits = ConsumerGroupConfig { group_size_max: 1, ..ConsumerGroupConfig::default() };
        let mut context = Context::consumers(limits);
        context.join_consumer("a");
        let mut beat = joining("b");
        change(&mut beat);
        assert_eq!(context.beat(&beat).map(|beat| beat.epoch), Err(error));
    }
    check(|beat| beat.group = " ".into(), GroupError::InvalidRequest);
    check(|beat| beat.instance = Some("".into()), GroupError::InvalidRequest);
    check(|beat| beat.rack = Some("".into()), GroupError::InvalidRequest);
    check(|beat| beat.rebalance_timeout_ms = None, GroupError::InvalidRequest);
    check(|beat| beat.owned = None, GroupError::InvalidRequest);
    check(|beat| beat.owned = Some(orders(&[0])), GroupError::InvalidRequest);
    check(|beat| beat.topics = None, GroupError::InvalidRequest);
    check(|beat| beat.topics = Some(Vec::new()), GroupError::InvalidRequest);
    check(|beat| beat.epoch = -3, GroupError::InvalidRequest);
    check(|beat| beat.epoch = -2, GroupError::InvalidRequest);
    check(|beat| (beat.epoch, beat.member) = (1, "".into()), GroupError::InvalidRequest);
    check(|beat| beat.member = "x".repeat(40_000).into(), GroupError::InvalidRequest);
    check(|beat| beat.assignor = Some("sticky".into()), GroupError::UnsupportedAssignor);
    check(|_| {}, GroupError::GroupMaxSizeReached);
    check(|beat| beat.epoch = 1, GroupError::GroupMaxSizeReached);
    check(|beat| (beat.epoch, beat.group) = (1, "other".into()), GroupError::GroupIdNotFound);
    check(|beat| (beat.epoch, beat.group) = (-1, "other".into()), GroupError::GroupIdNotFound);
    check(|beat| beat.epoch = -1, GroupError::UnknownMemberId);
}

#[test]
fn a_refused_joiner_leaves_no_group_behind() {
    let mut context = Context::consumers(ConsumerGroupConfig { group_size_max: 0, ..Default::default() });
    assert_eq!(context.beat(&joining("a")).map(|_| ()), Err(GroupError::GroupMaxSizeReached));
    assert_eq!(context.shard.list().count(), 0);
}

#[test]
fn static_members_come_back() {
    let mut context = Context::consumers(ConsumerGroupConfig::default());
    let of_instance = |beat| ConsumerHeartbeat { instance: Some("i".into()), ..beat };
    assert_eq!(context.beat_of(&of_instance(joining("a"))).0, 1);
    context.join_consumer("b");
    assert_eq!(
        context.beat(&of_instance(joining("other"))).map(|_| ()),
        Err(GroupError::UnreleasedInstanceId)
    );
    context.beat(&of_instance(heartbeat("a", -2))).expect("accepted");
    let before = context.group_state().1;
    // It takes its place again under a new id, and nobody is rebalanced for that.
    let (epoch, assignment) = context.beat_of(&of_instance(joining("a2")));
    assert_eq!((epoch, context.group_state().1), (2, before));
    assert_eq!(assignment, Some(orders(&[0, 1])));
    assert_eq!(context.steady("b", 2), (2, Some(orders(&[2, 3]))));
    assert_eq!(context.beat(&of_instance(heartbeat("a", 2))).map(|_| ()), Err(GroupError::FencedInstanceId));
    let stranger = ConsumerHeartbeat { instance: Some("j".into()), ..heartbeat("a2", 2) };
    assert_eq!(context.beat(&stranger).map(|_| ()), Err(GroupError::UnknownMemberId));
    context.beat(&of_instance(heartbeat("a2", -1))).expect("accepted");
    assert_eq!(context.beat_of(&of_instance(joining("a3"))).0, 4);
}

#[test]
fn a_static_member_that_stays_away_is_fenced() {
    let mut context = Context::consumers(ConsumerGroupConfig::default());
    let of_instance = |beat| ConsumerHeartbeat { instance: Some("i".into()), ..beat };
    context.beat_of(&of_instance(joining("a")));
    context.beat(&of_instance(heartbeat("a", -2))).expect("accepted");
    assert_eq!(context.shard.describe_consumers(&group()).expect("there").members.len(), 1);
    context.advance(45_000);
    context.grant();
    assert_eq!(context.group_state().0, "Empty");
}

#[test]
fn topics_that_appear_grow_and_go() {
    let mut context = Context::consumers(ConsumerGroupConfig::default());
    context.shard.see(cluster(2, 0, 0));
    assert_eq!(context.join_consumer("a"), (1, Some(orders(&[]))));
    context.shard.see(cluster(3, 2, 0));
    assert_eq!(context.steady("a", 1), (2, Some(orders(&[0, 1]))));
    context.shard.see(cluster(4, 2, 5));
    assert_eq!(context.steady("a", 2), (2, None), "nobody subscribes to bills");
    context.shard.see(cluster(5, 3, 5));
    assert_eq!(context.steady("a", 2), (3, Some(orders(&[0, 1, 2]))));
    context.shard.see(cluster(6, 0, 5));
    assert_eq!(context.steady("a", 3), (3, Some(orders(&[]))));
    assert_eq!(context.owning("a", 3, &[]), (4, None));
}

#[test]
fn subscriptions_and_assignors_change() {
    let mut context = Context::consumers(ConsumerGroupConfig::default());
    context.shard.see(cluster(2, 2, 2));
    let wanting = |assignor: &str| ConsumerHeartbeat { assignor: Some(assignor.into()), ..joining("a") };
    context.beat(&wanting("range")).expect("accepted");
    assert_eq!(context.shard.describe_consumers(&group()).expect("there").assignor, "range");
    let more = [TopicName::new("orders"), TopicName::new("bills")];
    let beat = ConsumerHeartbeat { topics: Some(more.to_vec()), ..heartbeat("a", 1) };
    let (epoch, assignment) = context.beat_of(&beat);
    assert_eq!((epoch, assignment.map(|assignment| assignment.len())), (2, Some(4)));
    // Another assignor alone is no reason to rebalance.
    let beat = ConsumerHeartbeat { assignor: Some("uniform".into()), ..heartbeat("a", 2) };
    assert_eq!(context.beat_of(&beat), (2, None));
    assert_eq!(context.shard.describe_consumers(&group()).expect("there").assignor, "uniform");
}

#[test]
fn an_append_that_fails_changes_nothing() {
    #[track_caller]
    fn check(failure: AppendFailure, error: GroupError) {
        let mut context = Context::consumers(ConsumerGroupConfig::default());
        context.pair();
        let request = context.send(&joining("c"));
        context.refuse(failure);
        assert_eq!(context.told(request).map_err(|refused| refused.error), Err(error));
        assert_eq!(context.group_state(), ("Stable", 2, 2));
        assert_eq!(context.beat(&heartbeat("c", 3)).map(|_| ()), Err(GroupError::UnknownMemberId));
        assert_eq!(context.steady("a", 2), (2, None));
        // A member whose removal could not be written is watched again.
        context.failing = Some(failure);
        context.advance(45_000);
        assert_eq!(context.group_state(), ("Stable", 2, 2));
        context.failing = None;
        context.advance(45_000);
        context.grant();
        assert_eq!(context.group_state().0, "Empty");
    }
    check(AppendFailure::NotEnoughReplicas, GroupError::CoordinatorNotAvailable);
    check(AppendFailure::MessageTooLarge, GroupError::UnknownServerError);
}

#[test]
fn a_group_that_could_not_be_written_does_not_exist() {
    let mut context = Context::consumers(ConsumerGroupConfig::default());
    context.send(&joining("a"));
    context.refuse(AppendFailure::NotEnoughReplicas);
    assert_eq!(context.shard.list().count(), 0);
}

#[test]
fn what_is_in_doubt_is_not_told() {
    let mut context = Context::consumers(ConsumerGroupConfig::default());
    let request = context.send(&joining("a"));
    context.refuse(AppendFailure::RequestTimedOut);
    assert_eq!(
        context.told(request).map_err(|refused| refused.error),
        Err(GroupError::CoordinatorNotAvailable)
    );
    // The records are in the log, but may be lost yet: another append has to be committed first.
    let again = context.send(&joining("a"));
    assert!(!context.replies.contains_key(&again));
    context.grant();
    assert_eq!(context.told(again).map(|beat| beat.epoch), Ok(1));
    let steady = context.send(&heartbeat("a", 1));
    assert_eq!(context.told(steady).map(|beat| beat.epoch), Ok(1));
}

#[test]
fn answers_wait_for_what_was_written_before() {
    let mut context = Context::consumers(ConsumerGroupConfig::default());
    context.pair();
    context.send(&joining("c"));
    let steady = context.send(&heartbeat("c", 3));
    assert!(!context.replies.contains_key(&steady));
    context.grant();
    assert_eq!(context.told(steady).map(|beat| beat.epoch), Ok(3));
}

#[test]
fn a_partition_that_moves_away_is_not_spoken_for() {
    let mut context = Context::consumers(ConsumerGroupConfig::default());
    context.pair();
    context.send(&joining("c"));
    context.refuse(AppendFailure::NotLeaderOrFollower);
    assert_eq!(context.beat(&heartbeat("a", 2)).map(|_| ()), Err(GroupError::NotCoordinator));
    let effects = context.shard.unload(context.now);
    assert_eq!(effects, []);
}

#[test]
fn another_coordinator_goes_on() {
    let mut context = Context::consumers(ConsumerGroupConfig::default());
    context.pair();
    context.send(&joining("c"));
    context.grant();
    context.owning("a", 2, &[0, 1]);
    let described = context.shard.describe_consumers(&group());
    let mut next = context.reloaded(GroupConfig::default());
    next.shard.see(cluster(9, 4, 0));
    assert_eq!(next.shard.describe_consumers(&group()), described);
    assert_eq!(next.steady("b", 2), (2, Some(orders(&[2]))));
    next.advance(45_000);
    next.grant();
    assert_eq!(next.group_state().0, "Empty", "sessions run here, too");
    let mut empty = next.reloaded(GroupConfig::default());
    assert_eq!(empty.group_state().0, "Empty");
    let effects = empty.shard.expire(empty.now);
    empty.perform(effects);
    empty.grant();
    assert_eq!(empty.shard.list().count(), 0);
    assert_eq!(empty.reloaded(GroupConfig::default()).shard.list().count(), 0);
}

#[test]
fn offsets_need_the_present_epoch() {
    let mut context = Context::consumers(ConsumerGroupConfig::default());
    context.pair();
    #[track_caller]
    fn check(
        context: &mut Context,
        member: &str,
        epoch: i32,
        producer: Option<i64>,
        expected: Result<(), GroupError>,
    ) {
        let request = context.commit_knowing_epochs(claim(&member.into(), epoch), producer);
        context.grant();
        assert_eq!(context.committed(request), expected);
    }
    check(&mut context, "a", 2, None, Ok(()));
    check(&mut context, "a", 1, None, Err(GroupError::StaleMemberEpoch));
    check(&mut context, "x", 2, None, Err(GroupError::UnknownMemberId));
    check(&mut context, "", -1, None, Err(GroupError::UnknownMemberId));
    check(&mut context, "a", 2, Some(5), Ok(()));
    check(&mut context, "a", 1, Some(5), Err(GroupError::IllegalGeneration));
    let old_version = context.commit_as(claim(&"a".into(), 2), None, 1);
    assert_eq!(context.committed(old_version), Err(GroupError::UnsupportedVersion));

    let fetch = |context: &Context, member: Option<&str>, epoch| {
        context.shard.check_fetch(&group(), member.map(MemberId::from).as_ref(), epoch)
    };
    assert_eq!(fetch(&context, None, -1), Ok(()));
    assert_eq!(fetch(&context, Some("a"), 2), Ok(()));
    assert_eq!(fetch(&context, Some("a"), 1), Err(GroupError::StaleMemberEpoch));
    assert_eq!(fetch(&context, Some("x"), 2), Err(GroupError::UnknownMemberId));
}

#[test]
fn administrators_see_consumer_groups() {
    let mut context = Context::consumers(ConsumerGroupConfig::default());
    context.pair();
    let listed: Vec<_> = context.shard.list().collect();
    assert_eq!(
        (listed[0].kind, listed[0].state, &*listed[0].protocol_type),
        (GroupType::Consumer, "Stable", "consumer")
    );
    assert_eq!(context.shard.describe(&group()).state, "Dead", "DescribeGroups knows classic groups only");
    let now = context.now;
    assert_eq!(context.shard.delete(&group(), now).0, Err(GroupError::NonEmptyGroup));
    let (deleted, effects) = context.shard.delete_offsets(&group(), vec![partition(0)], now);
    assert_eq!(deleted, Ok(vec![(partition(0), Err(GroupError::GroupSubscribedToTopic))]));
    context.perform(effects);
    for member in ["a", "b"] {
        context.beat(&heartbeat(member, -1)).expect("accepted");
    }
    let (deleted, effects) = context.shard.delete(&group(), now);
    assert_eq!(deleted, Ok(()));
    context.perform(effects);
    context.grant();
    assert_eq!(context.reloaded(GroupConfig::default()).shard.list().count(), 0);
}
