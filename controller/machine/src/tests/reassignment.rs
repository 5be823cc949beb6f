//! Reassignments from request to end, superseded, cancelled, resumed.

use std::sync::Arc;

use gregor_model::{LeaderEpoch, ReplicaAssignment};

use super::world::World;
use super::zoo::{ids, partition};
use crate::{Event, ListReassignmentsRequest, RequestId};

/// t-0 on [1,2], leader 1, ISR [1,2], leader epoch 2, version 7.
fn world() -> World {
    let mut world = World::new(&[1, 2, 3]);
    world.zoo.create_topic("t", &[&[1, 2]]);
    world.elect(5);
    let state = &mut world.zoo.states.get_mut(&partition("t-0")).unwrap().leader_and_isr;
    state.leader_epoch = LeaderEpoch(2);
    state.partition_epoch = gregor_model::PartitionEpoch(7);
    world.zoo.isr_changes.insert("isr_change_0000000000".to_owned(), vec![partition("t-0")]);
    world.give(Event::IsrChangesNotified);
    world
}

const ACCEPTED: &str = "AlterReassignments(Ok([(t-0, Ok(()))]))";

#[test]
fn a_replica_is_replaced() {
    let mut world = world();
    assert_eq!(
        world.reassign("t-0", Some(&[3, 2])),
        [
            "set topic t 0:r[3,2,1] +[3] -[1]",
            "set t-0 L1 e3 v8 i[1,2]",
            "LISR 1: t-0 L1 e3 v8 i[1,2] r[3,2,1] +[3] -[1]",
            "LISR 2: t-0 L1 e3 v8 i[1,2] r[3,2,1] +[3] -[1]",
            "LISR 3: t-0 L1 e3 v8 i[1,2] r[3,2,1] +[3] -[1] new",
            "UMR 1,2,3: live[1,2,3] t-0 L1 e3 v8 i[1,2]",
            "LISR 3: t-0 L1 e3 v8 i[1,2] r[3,2,1] +[3] -[1] new",
            "UMR 1,2,3: live[1,2,3] t-0 L1 e3 v8 i[1,2]",
            ACCEPTED,
        ]
    );
    assert!(world.controller.is_being_reassigned(&"t".into()));
    let mut lines = world.propose(1, "t-0", (3, 8), &[1, 2, 3]);
    assert!(lines.remove(2).starts_with("AlterPartition(Ok([Ok("));
    assert_eq!(
        lines,
        [
            "set t-0 L1 e3 v9 i[1,2,3]",
            "UMR 1,2,3: live[1,2,3] t-0 L1 e3 v9 i[1,2,3]",
            "set t-0 L3 e4 v10 i[1,2,3]",
            "LISR 2: t-0 L3 e4 v10 i[1,2,3] r[3,2]",
            "LISR 3: t-0 L3 e4 v10 i[1,2,3] r[3,2]",
            "UMR 1,2,3: live[1,2,3] t-0 L3 e4 v10 i[1,2,3]",
            "set t-0 L3 e5 v11 i[2,3]",
            "LISR 2: t-0 L3 e5 v11 i[2,3] r[3,2]",
            "LISR 3: t-0 L3 e5 v11 i[2,3] r[3,2]",
            "UMR 1,2,3: live[1,2,3] t-0 L3 e5 v11 i[2,3]",
            "SR 1: t-0 e4",
            "SR 1: t-0 e5 delete",
            "set topic t 0:r[3,2]",
            "UMR 1,2,3: live[1,2,3] t-0 L3 e5 v11 i[2,3]",
        ]
    );
    assert!(!world.controller.is_being_reassigned(&"t".into()));
}

#[test]
fn cancelled() {
    let mut world = world();
    world.reassign("t-0", Some(&[3, 2]));
    assert_eq!(
        world.reassign("t-0", None),
        [
            "set topic t 0:r[2,1]",
            "LISR 1: t-0 L1 e3 v8 i[1,2] r[2,1]",
            "LISR 2: t-0 L1 e3 v8 i[1,2] r[2,1]",
            "UMR 1,2,3: live[1,2,3] t-0 L1 e3 v8 i[1,2]",
            "SR 3: t-0 e3",
            "SR 3: t-0 e3 delete",
            "set t-0 L1 e4 v9 i[1,2]",
            "LISR 1: t-0 L1 e4 v9 i[1,2] r[2,1]",
            "LISR 2: t-0 L1 e4 v9 i[1,2] r[2,1]",
            "UMR 1,2,3: live[1,2,3] t-0 L1 e4 v9 i[1,2]",
            "set topic t 0:r[2,1]",
            "UMR 1,2,3: live[1,2,3] t-0 L1 e4 v9 i[1,2]",
            ACCEPTED,
        ]
    );
    assert_eq!(
        world.reassign("t-0", None),
        ["AlterReassignments(Ok([(t-0, Err(NoReassignmentInProgress))]))"]
    );
}

#[test]
fn a_pure_reordering_is_done_at_once() {
    let mut world = world();
    let lines = world.reassign("t-0", Some(&[2, 1]));
    assert_eq!(lines.first().unwrap(), "set topic t 0:r[2,1]");
    assert_eq!(lines.last().unwrap(), ACCEPTED);
    assert_eq!(world.state("t-0"), "L1 e3 v8 i[1,2]");
    assert!(!world.controller.is_being_reassigned(&"t".into()));
}

#[test]
fn a_later_request_supersedes() {
    let mut world = World::in_charge(&[1, 2, 3, 4], &[("t", &[&[1, 2]])]);
    world.reassign("t-0", Some(&[3, 2]));
    let lines = world.reassign("t-0", Some(&[4, 2]));
    assert_eq!(lines[0], "set topic t 0:r[4,2,1] +[4] -[1]");
    assert!(lines.contains(&"SR 3: t-0 e1 delete".to_owned()), "{lines:?}");
    world.propose(1, "t-0", (2, 2), &[1, 2, 4]);
    assert_eq!(*world.zoo.topics["t"].partitions[&0], ReplicaAssignment::new(ids(&[4, 2])));
}

#[test]
fn requests_are_validated() {
    #[track_caller]
    fn check(world: &mut World, name: &str, target: Option<&[i32]>, error: &str) {
        let lines = world.reassign(name, target);
        assert!(lines.len() == 1 && lines[0].contains(error), "{lines:?}");
    }
    let world = &mut world();
    check(world, "t-0", Some(&[]), "InvalidReplicaAssignment");
    check(world, "t-0", Some(&[1, 1]), "InvalidReplicaAssignment");
    check(world, "t-0", Some(&[1, -1]), "InvalidReplicaAssignment");
    check(world, "t-0", Some(&[1, 9]), "InvalidReplicaAssignment");
    check(world, "u-0", Some(&[1]), "UnknownTopicOrPartition");
    check(world, "u-0", None, "NoReassignmentInProgress");
    world.kill(2);
    // A dead replica that is assigned already may stay.
    assert_eq!(world.reassign("t-0", Some(&[2, 1])).last().unwrap(), ACCEPTED);
    world.delete_topic("t");
    check(world, "t-0", Some(&[1, 3]), "UnknownTopicOrPartition");
}

#[test]
fn reassignments_are_listed() {
    let mut world = world();
    world.reassign("t-0", Some(&[3, 2]));
    let list = |partitions| Event::ListReassignments(RequestId(1), ListReassignmentsRequest { partitions });
    let all = world.give(list(None));
    assert!(all[0].contains("t-0, ReplicaAssignment"), "{all:?}");
    assert_eq!(world.give(list(Some(vec![partition("t-0")]))), all);
    assert_eq!(world.give(list(Some(vec![partition("u-0")]))), ["ListReassignments(Ok([]))"]);
}

#[test]
fn a_new_controller_resumes() {
    let mut world = world();
    world.reassign("t-0", Some(&[3, 2]));
    world.give(Event::Lost(crate::LossReason::SessionExpired));
    let lines = world.elect(6);
    let raised = "LISR 3: t-0 L1 e4 v9 i[1,2] r[3,2,1] +[3] -[1] new".to_owned();
    assert!(lines.contains(&raised), "{lines:#?}");
    world.propose(1, "t-0", (4, 9), &[1, 2, 3]);
    assert_eq!(world.state("t-0"), "L3 e6 v12 i[2,3]");
}

#[test]
fn the_legacy_node_starts_reassignments_and_shrinks() {
    let mut world = World::in_charge(&[1, 2, 3], &[("t", &[&[1, 2], &[1, 2]])]);
    let entries =
        vec![(partition("t-0"), ids(&[3])), (partition("t-1"), ids(&[2, 1])), (partition("u-0"), ids(&[1]))];
    world.zoo.reassignments = Some(entries);
    world.give(Event::ReassignmentsRequested);
    // The reordering of t-1 is done and u-0 does not exist: only t-0 is left.
    assert_eq!(world.zoo.reassignments, Some(vec![(partition("t-0"), ids(&[3]))]));
    let lines = world.propose(1, "t-0", (1, 1), &[1, 2, 3]);
    assert_eq!(world.zoo.reassignments, None);
    // It looks once more afterwards.
    assert_eq!(lines[lines.len() - 2..], ["UMR 1,2,3: live[1,2,3] t-0 L3 e4 v5 i[3]", "ReadReassignments"]);
}

#[test]
fn a_request_wins_over_the_legacy_node() {
    let mut world = World::in_charge(&[1, 2, 3], &[("t", &[&[1]])]);
    world.zoo.reassignments = Some(vec![(partition("t-0"), ids(&[2]))]);
    world.give(Event::ReassignmentsRequested);
    world.reassign("t-0", Some(&[3]));
    assert_eq!(world.zoo.reassignments, None);
    let expected = ReplicaAssignment { replicas: ids(&[3, 1]), adding: ids(&[3]), removing: ids(&[1]) };
    assert_eq!(world.zoo.topics["t"].partitions[&0], Arc::new(expected));
}

#[test]
fn a_topic_node_that_cannot_be_written_fails_the_request() {
    let mut world = world();
    let request =
        crate::AlterReassignmentsRequest { partitions: vec![(partition("t-0"), Some(ids(&[3, 2])))] };
    let lines = world.give_with(
        Event::AlterReassignments(RequestId(1), request),
        |operation| matches!(operation, crate::Operation::WriteTopics(_)),
        |_, _| crate::Outcome::Results(vec![Err(crate::StoreFailure("NONODE".to_owned()))]),
    );
    assert_eq!(lines.last().unwrap(), "AlterReassignments(Ok([(t-0, Err(Failed))]))");
    assert!(!world.controller.is_being_reassigned(&"t".into()));
}

#[test]
fn cancelling_does_not_delete_the_only_replica_in_sync() {
    let mut world = World::in_charge(&[1, 2, 3], &[("t", &[&[1]])]);
    world.reassign("t-0", Some(&[2, 3]));
    world.propose(1, "t-0", (1, 1), &[1, 2]);
    world.kill(1);
    assert_eq!(world.state("t-0"), "L2 e2 v3 i[2]");
    let lines = world.reassign("t-0", None);
    assert!(lines.len() == 1 && lines[0].contains("InvalidReplicaAssignment"), "{lines:?}");
    // Once the old replica is back in sync, it can be cancelled.
    world.start(1);
    world.propose(2, "t-0", (2, 3), &[2, 1]);
    assert_eq!(world.reassign("t-0", None).last().unwrap(), ACCEPTED);
    assert_eq!(world.state("t-0"), "L1 e4 v6 i[1]");
}

#[test]
fn a_leader_that_a_new_reassignment_drops_is_replaced() {
    let mut world = World::in_charge(&[1, 2, 3, 4], &[("t", &[&[1, 2]])]);
    let propose = |world: &mut World, leader, isr: &[i32]| {
        let state = &world.zoo.states[&partition("t-0")].leader_and_isr;
        let epochs = (state.leader_epoch.0, state.partition_epoch.0);
        world.propose(leader, "t-0", epochs, isr);
    };
    world.reassign("t-0", Some(&[3, 4]));
    propose(&mut world, 1, &[1, 2, 3]);
    world.kill(1);
    world.kill(2);
    world.start(1);
    propose(&mut world, 3, &[3, 1]);
    assert!(world.state("t-0").starts_with("L3"), "{}", world.state("t-0"));
    world.reassign("t-0", None);
    assert!(world.state("t-0").starts_with("L1"), "{}", world.state("t-0"));
}
