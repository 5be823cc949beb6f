//! Groups pass from one protocol to the other, with members and without.

use super::consumers::{heartbeat, joining, orders};
use super::*;
use crate::group::consumer::{ConsumerGroupConfig, MigrationPolicy};
use crate::schema::consumer_protocol::{decode_assignment, encode_assignment};
use crate::schema::group::tests::hex;
use gregor_model::TopicName;

/// Subscribes to `orders`, owns nothing (version 1).
fn subscription() -> Bytes {
    hex("0001 00000001 00066f7264657273 ffffffff 00000000").into()
}

fn migrating(migration: MigrationPolicy) -> Context {
    Context::consumers(ConsumerGroupConfig { migration, ..ConsumerGroupConfig::default() })
}

impl Context {
    fn classic_join(&mut self, member: &str) -> RequestId {
        let request = self.join_with(|join| {
            join.member = member.into();
            join.protocols[0].metadata = subscription();
        });
        self.grant();
        request
    }

    /// A stable classic group of one, which owns all of `orders`.
    fn classic_group(&mut self) -> MemberId {
        let request = self.classic_join("");
        self.advance(3_000);
        let member = self.joined(request).member.clone();
        let request = self.request();
        let all = encode_assignment(1, &[(&TopicName::new("orders"), vec![0, 1, 2, 3])]);
        let sync = Sync {
            claim: claim(&member, 1),
            protocol_type: None,
            protocol: None,
            assignments: vec![(member.clone(), all)],
        };
        let effects = self.shard.sync(request, sync, self.now);
        self.perform(effects);
        self.grant();
        member
    }

    /// What a classic member is given.
    fn collect(&mut self, member: &MemberId, generation: i32) -> Result<Vec<i32>, GroupError> {
        let request = self.sync(member, generation, &[]);
        self.grant();
        let assignment = self.synced(request)?;
        let named = decode_assignment(assignment).expect("an assignment");
        Ok(named.into_iter().flat_map(|(_, partitions)| partitions).collect())
    }
}

#[test]
fn a_group_without_members_follows_who_joins() {
    let mut context = migrating(MigrationPolicy::Disabled);
    let member = context.classic_group();
    assert_eq!(context.beat(&joining("a")).map(|_| ()), Err(GroupError::GroupIdNotFound));
    assert_eq!(context.state(), "Stable", "and nothing has changed");
    context.commit_as(claim(&member, 1), None, 42);
    context.grant();
    context.leave(member.as_str(), None).expect("it was a member");
    context.grant();
    assert_eq!(context.beat_of(&joining("a")), (1, Some(orders(&[0, 1, 2, 3]))));
    assert_eq!(context.fetch(false), Ok(Some(42)), "offsets stay");
    let reloaded = context.reloaded(GroupConfig::default());
    assert_eq!(reloaded.group_state(), ("Stable", 1, 1));

    context.beat(&heartbeat("a", -1)).expect("accepted");
    context.advance(45_000);
    context.grant();
    let request = context.classic_join("");
    context.advance(3_000);
    assert_eq!(context.joined(request).error, None);
    context.grant();
    assert_eq!(context.state(), "CompletingRebalance");
    assert_eq!(context.fetch(false), Ok(Some(42)));
}

#[test]
fn a_classic_group_is_upgraded_and_downgraded() {
    let mut context = migrating(MigrationPolicy::Bidirectional);
    let old = context.classic_group();
    // A consumer joins: it waits for what the classic member has.
    assert_eq!(context.beat_of(&joining("new")), (2, Some(orders(&[]))));
    assert_eq!(context.group_state(), ("Reconciling", 2, 2));
    assert_eq!(context.reloaded(GroupConfig::default()).group_state(), ("Reconciling", 2, 2));
    // The classic member is told to join again, and gives up two partitions by that.
    assert_eq!(context.heartbeat(&old, 1), Err(GroupError::RebalanceInProgress));
    let joined = context.classic_join(old.as_str());
    assert_eq!((context.joined(joined).error, context.joined(joined).generation), (None, 2));
    assert_eq!(context.collect(&old, 2), Ok(vec![0, 1]));
    assert_eq!(context.heartbeat(&old, 2), Ok(()));
    assert_eq!(context.heartbeat(&old, 1), Err(GroupError::IllegalGeneration));
    assert_eq!(context.beat_of(&heartbeat("new", 2)), (2, Some(orders(&[2, 3]))));
    assert_eq!(context.group_state(), ("Stable", 2, 2));

    // Commits of either kind.
    let request = context.commit_as(claim(&old, 2), None, 7);
    context.grant();
    assert_eq!(context.committed(request), Ok(()));
    let request = context.commit_as(claim(&old, 1), None, 8);
    assert_eq!(context.committed(request), Err(GroupError::IllegalGeneration));

    // The consumer leaves: the group is classic again, and rebalances.
    context.beat(&heartbeat("new", -1)).expect("accepted");
    assert_eq!(context.state(), "PreparingRebalance");
    assert_eq!(context.reloaded(GroupConfig::default()).state(), "Stable");
    assert_eq!(context.heartbeat(&old, 2), Err(GroupError::RebalanceInProgress));
    let joined = context.classic_join(old.as_str());
    assert_eq!((context.joined(joined).error, context.joined(joined).generation), (None, 3));
    assert_eq!(context.joined(joined).leader, old);
}

#[test]
fn an_upgrade_that_cannot_be_written_is_taken_back() {
    let mut context = migrating(MigrationPolicy::Upgrade);
    let old = context.classic_group();
    let request = context.send(&joining("new"));
    context.refuse(AppendFailure::NotEnoughReplicas);
    assert_eq!(
        context.told(request).map_err(|refused| refused.error),
        Err(GroupError::CoordinatorNotAvailable)
    );
    assert_eq!(context.state(), "Stable");
    assert_eq!(context.heartbeat(&old, 1), Ok(()));
}

#[test]
fn a_downgrade_that_cannot_be_written_is_taken_back() {
    let mut context = migrating(MigrationPolicy::Bidirectional);
    let old = context.classic_group();
    context.beat(&joining("new")).expect("accepted");
    context.send(&heartbeat("new", -1));
    context.refuse(AppendFailure::NotEnoughReplicas);
    assert_eq!(context.group_state(), ("Reconciling", 2, 2));
    assert_eq!(context.beat(&heartbeat("new", 2)).map(|beat| beat.epoch), Ok(2));
    assert_eq!(context.heartbeat(&old, 1), Err(GroupError::RebalanceInProgress));
}

#[test]
fn without_downgrade_classic_members_stay_in_a_consumer_group() {
    let mut context = migrating(MigrationPolicy::Upgrade);
    let old = context.classic_group();
    context.beat(&joining("new")).expect("accepted");
    context.beat(&heartbeat("new", -1)).expect("accepted");
    assert_eq!(context.group_state().0, "Assigning");
    assert_eq!(context.heartbeat(&old, 1), Err(GroupError::RebalanceInProgress));
    let joined = context.classic_join(old.as_str());
    assert_eq!(context.joined(joined).generation, 3);
    assert_eq!(context.collect(&old, 3), Ok(vec![0, 1, 2, 3]));
    assert_eq!(context.leave(old.as_str(), None), Ok(()));
    context.grant();
    assert_eq!(context.group_state().0, "Empty");
}

#[test]
fn members_waiting_in_a_classic_group_are_told_to_join_again() {
    let mut context = migrating(MigrationPolicy::Bidirectional);
    let old = context.classic_group();
    let parked = context.classic_join("");
    assert_eq!(context.state(), "PreparingRebalance");
    context.beat(&joining("new")).expect("accepted");
    assert_eq!(context.joined(parked).error, Some(GroupError::RebalanceInProgress));
    assert_eq!(context.heartbeat(&old, 1), Err(GroupError::RebalanceInProgress));
}

#[test]
fn classic_members_have_deadlines() {
    #[track_caller]
    fn check(act: impl FnOnce(&mut Context, &MemberId), beats_at: i32, gone_after_ms: i64) {
        let mut context = migrating(MigrationPolicy::Bidirectional);
        let old = context.classic_group();
        context.beat(&joining("new")).expect("accepted");
        act(&mut context, &old);
        let mut waited = 0;
        while waited + 5_000 < gone_after_ms {
            context.advance(5_000);
            context.grant();
            waited += 5_000;
            context.beat(&heartbeat("new", 2)).expect("accepted");
            context.heartbeat(&old, beats_at).ok();
        }
        assert_eq!(context.shard.describe_consumers(&group()).map(|group| group.members.len()), Ok(2));
        context.advance(5_000);
        context.grant();
        let left = context.shard.describe_consumers(&group()).map(|group| group.members.len());
        assert_eq!(left, Ok(1));
    }
    // It is told to join again and does not, though it beats.
    check(|context, old| assert!(context.heartbeat(old, 1).is_err()), 1, 60_000);
    // It joins and never asks for what it got.
    check(
        |context, old| {
            context.classic_join(old.as_str());
        },
        2,
        60_000,
    );
}

#[test]
fn classic_joiners_of_a_consumer_group() {
    let mut context = migrating(MigrationPolicy::Bidirectional);
    context.beat(&joining("new")).expect("accepted");
    let check = |context: &mut Context, change: &dyn Fn(&mut Join), error: Option<GroupError>| {
        let request = context.join_with(|join| {
            join.protocols[0].metadata = subscription();
            change(join);
        });
        context.grant();
        assert_eq!(context.joined(request).error, error);
        context.joined(request).member.clone()
    };
    check(
        &mut context,
        &|join| join.protocol_type = "connect".into(),
        Some(GroupError::InconsistentGroupProtocol),
    );
    check(&mut context, &|join| join.protocols.clear(), Some(GroupError::InconsistentGroupProtocol));
    check(&mut context, &|join| join.session_timeout_ms = 1, Some(GroupError::InvalidSessionTimeout));
    check(
        &mut context,
        &|join| join.protocols[0].metadata = Bytes::new(),
        Some(GroupError::UnknownServerError),
    );
    let id = check(&mut context, &|join| join.member_id_required = true, Some(GroupError::MemberIdRequired));
    let joined = check(&mut context, &|join| join.member = id.clone(), None);
    assert_eq!(joined, id);
    // A second classic member must have a protocol in common with the first.
    check(
        &mut context,
        &|join| join.protocols[0].name = "sticky".into(),
        Some(GroupError::InconsistentGroupProtocol),
    );
    assert_eq!(context.leave("nobody", None), Err(GroupError::UnknownMemberId));
    assert_eq!(context.leave("new", None), Err(GroupError::UnknownMemberId), "it is no classic member");
}

#[test]
fn what_another_broker_wrote_since_wins() {
    let mut context = migrating(MigrationPolicy::Disabled);
    context.beat(&joining("a")).expect("accepted");
    let mut classic = migrating(MigrationPolicy::Disabled);
    classic.classic_group();
    // A broker that does not know consumer groups took over, and its clients formed a classic group.
    for (_, batch) in &classic.log {
        context.log.push((Offset(100), batch.clone()));
    }
    assert_eq!(context.reloaded(GroupConfig::default()).state(), "Stable");
    let mut back = context.reloaded(GroupConfig::default());
    let tombstone = Batch {
        records: vec![(crate::schema::group::encode_group_key(&group()), None)],
        ..back.log[0].1.clone()
    };
    back.log.push((Offset(200), tombstone));
    assert_eq!(back.reloaded(GroupConfig::default()).shard.list().count(), 0);
}
