//! Members join, sync, are found dead, return and leave.

use super::*;

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
