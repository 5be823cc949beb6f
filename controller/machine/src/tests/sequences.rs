//! The life of one topic, step by step: what ZooKeeper is asked to write and what the brokers are told, in order.

use super::world::World;
use crate::ReplicaAnswer;

fn created() -> World {
    let mut world = World::in_charge(&[1, 2, 3], &[]);
    world.create_topic("t", &[&[1, 2]]);
    world
}

#[test]
fn a_topic_is_created() {
    let mut world = World::in_charge(&[1, 2, 3], &[]);
    assert_eq!(
        world.create_topic("t", &[&[1, 2]]),
        [
            "ListTopics",
            "ReadTopics([t])",
            "create t-0 L1 e0 v0 i[1,2]",
            "LISR 1: t-0 L1 e0 v0 i[1,2] r[1,2] new",
            "LISR 2: t-0 L1 e0 v0 i[1,2] r[1,2] new",
            "UMR 1,2,3: live[1,2,3] t-0 L1 e0 v0 i[1,2]",
        ]
    );
}

#[test]
fn a_leader_crashes_and_returns() {
    let mut world = created();
    assert_eq!(
        world.kill(1),
        [
            "ReadBrokers",
            "remove broker 1",
            "set t-0 L2 e1 v1 i[2]",
            "LISR 2: t-0 L2 e1 v1 i[2] r[1,2]",
            "UMR 2,3: live[2,3] t-0 L2 e1 v1 i[2] off[1]",
            "LISR 2: t-0 L2 e1 v1 i[2] r[1,2]",
            "UMR 2,3: live[2,3] t-0 L2 e1 v1 i[2] off[1]",
        ]
    );
    assert_eq!(
        world.start(1),
        [
            "ReadBrokers",
            "add broker 1",
            "UMR 2,3: live[1,2,3]",
            "UMR 1: live[1,2,3] t-0 L2 e1 v1 i[2]",
            "LISR 1: t-0 L2 e1 v1 i[2] r[1,2]",
            "UMR 1,2,3: live[1,2,3] t-0 L2 e1 v1 i[2]",
        ]
    );
    let caught_up = world.propose(2, "t-0", (1, 1), &[2, 1]);
    assert_eq!(caught_up[..2], ["set t-0 L2 e1 v2 i[2,1]", "UMR 1,2,3: live[1,2,3] t-0 L2 e1 v2 i[2,1]"]);
    assert!(caught_up[2].starts_with("AlterPartition(Ok([Ok("), "{caught_up:?}");
    assert_eq!(caught_up.len(), 3);
    assert_eq!(
        world.prefer_leaders(&["t-0"])[..4],
        [
            "set t-0 L1 e2 v3 i[2,1]",
            "LISR 1: t-0 L1 e2 v3 i[2,1] r[1,2]",
            "LISR 2: t-0 L1 e2 v3 i[2,1] r[1,2]",
            "UMR 1,2,3: live[1,2,3] t-0 L1 e2 v3 i[2,1]",
        ]
    );
}

/// The topic led by 1 again, at version 3.
fn rebalanced() -> World {
    let mut world = created();
    world.kill(1);
    world.start(1);
    world.propose(2, "t-0", (1, 1), &[2, 1]);
    world.prefer_leaders(&["t-0"]);
    assert_eq!(world.state("t-0"), "L1 e2 v3 i[2,1]");
    world
}

#[test]
fn a_clean_shutdown_then_the_other_crashes() {
    let mut world = rebalanced();
    assert_eq!(
        world.shut_down(1),
        [
            "set t-0 L2 e3 v4 i[2]",
            "LISR 1: t-0 L2 e3 v4 i[2] r[1,2]",
            "LISR 2: t-0 L2 e3 v4 i[2] r[1,2]",
            "UMR 1,2,3: live[1,2,3] t-0 L2 e3 v4 i[2] off[1]",
            "ControlledShutdown(Ok([]))",
        ]
    );
    assert_eq!(
        world.kill(1),
        [
            "ReadBrokers",
            "remove broker 1",
            "LISR 2: t-0 L2 e3 v4 i[2] r[1,2]",
            "UMR 2,3: live[2,3] t-0 L2 e3 v4 i[2] off[1]",
        ]
    );
    assert_eq!(
        world.kill(2),
        [
            "ReadBrokers",
            "remove broker 2",
            "log partition t-0 got no new leader: Failed to elect leader under strategy \
             OfflinePartitionLeaderElectionStrategy(false)",
            "set t-0 L- e4 v5 i[2]",
            "UMR 3: live[3] t-0 L- e4 v5 i[2] off[1,2]",
        ]
    );
    // The one outside the ISR comes first: nothing to write, nobody to lead.
    assert_eq!(
        world.start(1),
        [
            "ReadBrokers",
            "add broker 1",
            "UMR 3: live[1,3]",
            "UMR 1: live[1,3] t-0 L- e4 v5 i[2] off[2]",
            "LISR 1: t-0 L- e4 v5 i[2] r[1,2]",
            "UMR 1,3: live[1,3] t-0 L- e4 v5 i[2] off[2]",
            "ReadUncleanElection([t])",
            "log partition t-0 got no new leader: Failed to elect leader under strategy \
             OfflinePartitionLeaderElectionStrategy(false)",
        ]
    );
    assert_eq!(
        world.start(2),
        [
            "ReadBrokers",
            "add broker 2",
            "UMR 1,3: live[1,2,3]",
            "UMR 2: live[1,2,3] t-0 L- e4 v5 i[2]",
            "LISR 2: t-0 L- e4 v5 i[2] r[1,2]",
            "UMR 1,2,3: live[1,2,3] t-0 L- e4 v5 i[2]",
            "set t-0 L2 e5 v6 i[2]",
            "LISR 1: t-0 L2 e5 v6 i[2] r[1,2]",
            "LISR 2: t-0 L2 e5 v6 i[2] r[1,2]",
            "UMR 1,2,3: live[1,2,3] t-0 L2 e5 v6 i[2]",
        ]
    );
}

#[test]
fn a_topic_is_deleted() {
    let mut world = created();
    assert_eq!(
        world.delete_topic("t"),
        [
            "ListDeletions",
            "UMR 1,2,3: live[1,2,3] t-0 gone",
            "set t-0 L- e1 v1 i[2]",
            "set t-0 L- e2 v2 i[2]",
            "SR 1: t-0 e-2",
            "SR 2: t-0 e-2",
            "SR 1: t-0 e-2 delete",
            "SR 2: t-0 e-2 delete",
        ]
    );
    assert_eq!(world.stopped(1, "t-0", ReplicaAnswer::Done), [""; 0]);
    assert_eq!(world.stopped(2, "t-0", ReplicaAnswer::Done), ["DeleteTopics([t])"]);
    assert!(world.zoo.topics.is_empty() && world.zoo.states.is_empty() && world.zoo.markers.is_empty());
    assert_eq!(world.give(crate::Event::TopicsChanged), ["ListTopics"]);
}

#[test]
fn the_only_replica_bounces() {
    let mut world = World::in_charge(&[1, 2], &[("t", &[&[2]])]);
    assert_eq!(world.state("t-0"), "L2 e0 v0 i[2]");
    world.start(2);
    assert_eq!(world.state("t-0"), "L2 e2 v2 i[2]");
}

#[test]
fn a_follower_crashes() {
    let mut world = World::in_charge(&[1, 2], &[("t", &[&[1, 2]])]);
    world.kill(2);
    assert_eq!(world.state("t-0"), "L1 e1 v1 i[1]");
}
