//! Offsets are committed, fetched, expired and deleted; groups move and go.

use super::*;

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
        member_epoch_known: false,
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
    context.complete(true);
    assert_eq!(context.fetch(true), Ok(Some(10)));
    context.commit_as(claim(&"".into(), -1), Some(9), 11);
    context.grant();
    context.complete(false);
    assert_eq!(context.fetch(true), Ok(Some(10)), "aborted");
    context.commit_as(claim(&"".into(), -1), Some(9), 12);
    context.grant();
    context.commit(20);
    context.grant();
    context.complete(true);
    assert_eq!(context.fetch(true), Ok(Some(20)), "the plain commit is later in the log");
}

#[test]
fn a_marker_told_before_the_commit_it_decides() {
    for committed in [true, false] {
        let mut context = Context::new();
        context.commit_as(claim(&"".into(), -1), Some(9), 10);
        // Both are replicated at once, and the one who waits for the marker is woken first.
        context.shard.complete_transaction(ProducerId(9), committed, Offset(1));
        assert_eq!(context.fetch(true), Err(GroupError::UnstableOffsetCommit));
        context.grant();
        assert_eq!(context.fetch(true), Ok(committed.then_some(10)));
    }
}

#[test]
fn a_marker_told_twice_does_not_decide_the_next_transaction() {
    let mut context = Context::new();
    context.commit_as(claim(&"".into(), -1), Some(9), 10);
    context.grant();
    let marker = Offset(1);
    context.shard.complete_transaction(ProducerId(9), true, marker);
    context.log.push((marker, Batch::clone(&context.log[0].1)));
    context.commit_as(claim(&"".into(), -1), Some(9), 11);
    context.shard.complete_transaction(ProducerId(9), true, marker);
    context.grant();
    context.shard.complete_transaction(ProducerId(9), true, marker);
    assert_eq!(context.fetch(false), Ok(Some(10)));
    assert_eq!(context.fetch(true), Err(GroupError::UnstableOffsetCommit));
    context.complete(false);
    assert_eq!(context.fetch(true), Ok(Some(10)));
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
    let (result, effects) = context.shard.delete(&group(), context.now);
    assert_eq!((result, effects.len()), (Ok(()), 1));
    assert_eq!(context.state(), "Dead");
}

#[test]
fn a_group_without_members_ends_with_its_last_offset() {
    #[track_caller]
    fn check(remove: impl Fn(&mut GroupShard, TopicPartition, Timestamp) -> Vec<Effect>) {
        let mut context = Context::new();
        let two = [partition(0), partition(1)];
        for index in [0, 1] {
            let mut commit = Context::commit_request(claim(&"".into(), -1), None, 1);
            commit.offsets[0].partition = partition(index);
            let request = context.request();
            let effects = context.shard.commit(request, commit, context.now);
            context.perform(effects);
            context.grant();
        }
        let [first, second] = two.map(|partition| {
            let effects = remove(&mut context.shard, partition, context.now);
            let [Effect::Append(_, batch)] = &effects[..] else { panic!("{effects:?}") };
            (batch.records.len(), context.state())
        });
        assert_eq!(first, (1, "Empty"));
        assert_eq!(second, (1, "Dead"), "one tombstone, as the group itself was never written");
        assert_eq!(context.shard.delete(&group(), context.now).0, Err(GroupError::GroupIdNotFound));
        let (results, _) = context.shard.delete_offsets(&group(), vec![partition(0)], context.now);
        assert_eq!(results, Err(GroupError::GroupIdNotFound));
    }
    check(|shard, partition, now| {
        let (results, effects) = shard.delete_offsets(&group(), vec![partition.clone()], now);
        assert_eq!(results, Ok(vec![(partition, Ok(()))]));
        effects
    });
    check(|shard, partition, now| shard.forget_partitions(&[partition], now));
}

#[test]
fn a_commit_under_way_keeps_the_group() {
    let mut context = Context::new();
    context.commit(1);
    context.grant();
    context.commit(2);
    let (results, _) = context.shard.delete_offsets(&group(), vec![partition(1)], context.now);
    assert_eq!(results, Ok(vec![(partition(1), Ok(()))]), "nothing was stored there");
    assert_eq!(context.state(), "Empty");
    context.grant();
    assert_eq!(context.fetch(true), Ok(Some(2)));
}
