//! Every state of a member by what it says it owns, what the target is, and what is free.

use super::*;

fn topic() -> TopicId {
    TopicId::from_random([1; 16]).expect("not reserved")
}

fn set(partitions: &[i32]) -> Assignment {
    partitions.iter().map(|partition| (topic(), *partition)).collect()
}

fn member(state: MemberState, epoch: i32, assigned: &[i32], revoking: &[i32]) -> CurrentAssignment {
    let (assigned, revoking) = (set(assigned), set(revoking));
    CurrentAssignment { epoch, previous_epoch: epoch - 1, state, assigned, revoking }
}

/// State, epoch, what is assigned, what is to be given up.
type Step<'a> = (MemberState, i32, &'a [i32], &'a [i32]);

/// From a member, by the target of epoch 11, what it says that it owns, and which partitions others own.
#[track_caller]
fn check(
    current: CurrentAssignment,
    target: &[i32],
    owned: Option<&[i32]>,
    taken: &[i32],
    expected: Result<Step<'_>, GroupError>,
) {
    let partitions = set(target);
    let target = Target { epoch: 11, partitions: &partitions };
    let owned = owned.map(set);
    let found = next(&current, &target, owned.as_ref(), |_, partition| !taken.contains(&partition));
    let expected = expected.map(|(state, epoch, assigned, revoking)| {
        let unchanged = (state, epoch, set(assigned), set(revoking))
            == (current.state, current.epoch, current.assigned.clone(), current.revoking.clone());
        let previous_epoch = if unchanged { current.previous_epoch } else { current.epoch };
        CurrentAssignment { previous_epoch, ..member(state, epoch, assigned, revoking) }
    });
    assert_eq!(found, expected);
}

use MemberState::{Stable, Unknown, UnreleasedPartitions, UnrevokedPartitions};

#[test]
fn a_stable_member() {
    check(member(Stable, 11, &[1], &[]), &[1, 2], None, &[], Ok((Stable, 11, &[1], &[])));
    check(member(Stable, 10, &[1], &[]), &[1], None, &[], Ok((Stable, 11, &[1], &[])));
    check(member(Stable, 10, &[1], &[]), &[1, 2], None, &[], Ok((Stable, 11, &[1, 2], &[])));
    check(member(Stable, 0, &[], &[]), &[1, 2], Some(&[]), &[2], Ok((UnreleasedPartitions, 11, &[1], &[])));
    check(member(Stable, 10, &[1], &[]), &[1, 2], None, &[2], Ok((UnreleasedPartitions, 11, &[1], &[])));
    check(member(Stable, 10, &[1, 2], &[]), &[2, 3], None, &[], Ok((UnrevokedPartitions, 10, &[2], &[1])));
    // It has given up already what it is to give up.
    check(member(Stable, 10, &[1, 2], &[]), &[2, 3], Some(&[2]), &[], Ok((Stable, 11, &[2, 3], &[])));
    check(member(Stable, 10, &[1], &[]), &[], Some(&[1]), &[], Ok((UnrevokedPartitions, 10, &[], &[1])));
}

#[test]
fn a_member_that_gives_up() {
    let giving_up = || member(UnrevokedPartitions, 9, &[2], &[1]);
    check(giving_up(), &[2, 3], None, &[], Ok((UnrevokedPartitions, 9, &[2], &[1])));
    check(giving_up(), &[2, 3], Some(&[1, 2]), &[], Ok((UnrevokedPartitions, 9, &[2], &[1])));
    check(giving_up(), &[2, 3], Some(&[2]), &[], Ok((Stable, 11, &[2, 3], &[])));
    check(giving_up(), &[2, 3], Some(&[2]), &[3], Ok((UnreleasedPartitions, 11, &[2], &[])));
    // Given up, but by now there is more to give up: first that, an epoch later.
    check(giving_up(), &[3], Some(&[2]), &[], Ok((UnrevokedPartitions, 10, &[], &[2])));
    // What it was to give up is its own again, once it has given it up.
    check(giving_up(), &[1, 2], Some(&[2]), &[1], Ok((UnreleasedPartitions, 11, &[2], &[])));
}

#[test]
fn a_member_that_waits() {
    let waiting = || member(UnreleasedPartitions, 11, &[2], &[]);
    check(waiting(), &[2, 3], None, &[], Ok((Stable, 11, &[2, 3], &[])));
    check(waiting(), &[2, 3, 4], None, &[4], Ok((UnreleasedPartitions, 11, &[2, 3], &[])));
    check(
        member(UnreleasedPartitions, 10, &[2], &[]),
        &[3],
        None,
        &[],
        Ok((UnrevokedPartitions, 10, &[], &[2])),
    );
}

#[test]
fn a_member_in_a_state_of_a_later_release() {
    check(member(Unknown, 9, &[2], &[]), &[2], Some(&[2]), &[], Err(GroupError::FencedMemberEpoch));
    check(member(Unknown, 9, &[2], &[]), &[2], None, &[], Err(GroupError::FencedMemberEpoch));
    check(member(Unknown, 9, &[2], &[]), &[2], Some(&[]), &[], Ok((Stable, 11, &[2], &[])));
}
