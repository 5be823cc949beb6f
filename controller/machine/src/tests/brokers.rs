//! Brokers and log directories that come and go, beyond the life of one topic.

use std::sync::Arc;

use gregor_model::{BrokerEpoch, BrokerId};

use super::world::World;
use super::zoo::partition;
use crate::{Event, ReplicaAnswer, VersionRange};

#[test]
fn a_bounce_is_failure_and_startup() {
    let mut world = World::in_charge(&[1, 2], &[("t", &[&[1, 2]])]);
    assert_eq!(
        world.start(1),
        [
            "ReadBrokers",
            "remove broker 1",
            "add broker 1",
            "set t-0 L2 e1 v1 i[2]",
            "LISR 2: t-0 L2 e1 v1 i[2] r[1,2]",
            "UMR 2: live[2] t-0 L2 e1 v1 i[2] off[1]",
            "LISR 2: t-0 L2 e1 v1 i[2] r[1,2]",
            "UMR 2: live[2] t-0 L2 e1 v1 i[2] off[1]",
            "UMR 2: live[1,2]",
            "UMR 1: live[1,2] t-0 L2 e1 v1 i[2]",
            "LISR 1: t-0 L2 e1 v1 i[2] r[1,2]",
            "UMR 1,2: live[1,2] t-0 L2 e1 v1 i[2]",
        ]
    );
}

#[test]
fn a_broker_that_refuses_connections_is_replaced_before_its_session_ends() {
    let mut world = World::in_charge(&[1, 2, 3], &[("t", &[&[2, 3]])]);
    let (broker, epoch) = (BrokerId(2), world.epoch(2));
    let stale = BrokerEpoch(epoch.0 - 1);
    assert!(world.give(Event::BrokerRefuses(broker, stale)).is_empty());
    let lines = world.give(Event::BrokerRefuses(broker, epoch));
    assert_eq!(lines[1..3], ["set t-0 L3 e1 v1 i[3]", "LISR 3: t-0 L3 e1 v1 i[3] r[2,3]"]);
    assert!(lines.iter().all(|line| !line.contains("LISR 2") && !line.contains("live[1,2")), "{lines:?}");
    // Once more is nothing new, and what others register changes nothing for it.
    assert!(world.give(Event::BrokerRefuses(broker, epoch)).is_empty());
    assert_eq!(world.give(Event::BrokersChanged), ["ReadBrokers"]);
    assert!(world.controller.broker(broker).is_none());
    let lines = world.give(Event::BrokerAnswers(broker, epoch));
    assert!(lines.contains(&"LISR 2: t-0 L3 e1 v1 i[3] r[2,3]".to_owned()), "{lines:?}");
    assert!(world.controller.broker(broker).is_some());
    assert!(world.give(Event::BrokerAnswers(broker, epoch)).is_empty());
}

#[test]
fn the_end_of_its_session_or_a_new_one_ends_a_refusal() {
    for restarts in [false, true] {
        let mut world = World::in_charge(&[1, 2, 3], &[("t", &[&[2, 3]])]);
        let (broker, epoch) = (BrokerId(2), world.epoch(2));
        world.give(Event::BrokerRefuses(broker, epoch));
        if restarts {
            let lines = world.start(2);
            assert_eq!(lines[..3], ["ReadBrokers", "remove broker 2", "add broker 2"]);
            assert!(lines.contains(&"LISR 2: t-0 L3 e1 v1 i[3] r[2,3]".to_owned()), "{lines:?}");
        } else {
            assert_eq!(world.kill(2), ["ReadBrokers", "remove broker 2"]);
        }
        assert!(world.give(Event::BrokerAnswers(broker, epoch)).is_empty());
        assert_eq!(world.controller.broker(broker).is_some(), restarts);
    }
}

#[test]
fn when_most_brokers_refuse_it_is_not_they_who_are_gone() {
    for (brokers, taken) in [(2, 0), (3, 1), (4, 1), (5, 2)] {
        let ids: Vec<i32> = (1..=brokers).collect();
        let mut world = World::in_charge(&ids, &[]);
        for id in 2..=brokers {
            let epoch = world.epoch(id);
            world.give(Event::BrokerRefuses(BrokerId(id), epoch));
        }
        let live = ids.iter().filter(|id| world.controller.broker(BrokerId(**id)).is_some()).count();
        assert_eq!(live, ids.len() - taken, "of {brokers}");
    }
}

#[test]
fn a_broker_without_replicas_is_announced_and_missed() {
    let mut world = World::in_charge(&[1], &[("t", &[&[1]])]);
    assert_eq!(
        world.start(2),
        ["ReadBrokers", "add broker 2", "UMR 1: live[1,2]", "UMR 2: live[1,2] t-0 L1 e0 v0 i[1]",]
    );
    assert_eq!(world.kill(2), ["ReadBrokers", "remove broker 2", "UMR 1: live[1]"]);
    assert_eq!(world.give(Event::BrokersChanged), ["ReadBrokers"]);
}

#[test]
fn two_replicas_lost_at_once_leave_one_after_the_other() {
    let mut world = World::in_charge(&[1, 2, 3], &[("t", &[&[1, 2, 3]])]);
    world.zoo.brokers.remove(&BrokerId(2));
    let lines = world.kill(3);
    let sets: Vec<&String> = lines.iter().filter(|line| line.starts_with("set ")).collect();
    assert_eq!(sets, ["set t-0 L1 e1 v1 i[1,3]", "set t-0 L1 e2 v2 i[1]"]);
    let told: Vec<&String> = lines.iter().filter(|line| line.starts_with("LISR ")).collect();
    assert_eq!(world.controller.statistics().offline_partitions, 0);
    world.kill(1);
    let statistics = world.controller.statistics();
    assert_eq!((statistics.offline_partitions, statistics.preferred_replica_imbalance), (1, 1));
    assert_eq!(told, ["LISR 1: t-0 L1 e2 v2 i[1] r[1,2,3]"]);
}

#[test]
fn changed_addresses_are_announced_a_changed_rack_is_not() {
    let mut world = World::in_charge(&[1, 2], &[]);
    let change = |world: &mut World, edit: fn(&mut gregor_model::BrokerEndpoints)| {
        let registration = world.zoo.brokers.get_mut(&BrokerId(2)).unwrap();
        edit(Arc::make_mut(&mut registration.broker));
        world.give(Event::BrokerModified(BrokerId(2)))
    };
    assert_eq!(change(&mut world, |broker| broker.rack = Some("a".to_owned())), ["ReadBroker(BrokerId(2))"]);
    let lines = change(&mut world, |broker| broker.endpoints[0].port = 9999);
    assert_eq!(lines, ["ReadBroker(BrokerId(2))", "UMR 1,2: live[1,2]"]);
    assert_eq!(world.controller.broker(BrokerId(2)).unwrap().endpoints[0].port, 9999);
}

#[test]
fn a_broker_that_lacks_a_finalized_feature_is_ignored() {
    let mut world = World::new(&[1]);
    let node = world.zoo.features.as_mut().unwrap();
    node.features.insert("f".to_owned(), 2);
    let own = world.zoo.brokers.get_mut(&BrokerId(1)).unwrap();
    own.features.insert("f".to_owned(), VersionRange { min: 1, max: 2 });
    world.elect(5);
    let ignored = "log broker 2 does not support the finalized features and is ignored";
    assert_eq!(world.start(2), ["ReadBrokers", ignored]);
    assert!(world.controller.broker(BrokerId(2)).is_none());
}

#[test]
fn a_failed_log_directory() {
    let mut world = World::in_charge(&[1, 2], &[("t", &[&[1, 2]]), ("u", &[&[1]])]);
    world.zoo.log_dir_events.insert("log_dir_event_0000000000".to_owned(), BrokerId(1));
    assert_eq!(
        world.give(Event::LogDirsFailed),
        [
            "ReadLogDirEvents",
            "LISR 1: t-0 L1 e0 v0 i[1,2] r[1,2] u-0 L1 e0 v0 i[1] r[1]",
            "UMR 1,2: live[1,2] t-0 L1 e0 v0 i[1,2] u-0 L1 e0 v0 i[1]",
            "DeleteLogDirEvents([log_dir_event_0000000000])",
        ]
    );
    assert_eq!(world.led(1, "u-0", ReplicaAnswer::Failed), [""; 0]);
    assert_eq!(
        world.led(1, "t-0", ReplicaAnswer::StorageError),
        [
            "set t-0 L2 e1 v1 i[2]",
            "LISR 2: t-0 L2 e1 v1 i[2] r[1,2]",
            "UMR 1,2: live[1,2] t-0 L2 e1 v1 i[2] off[1]",
            "LISR 2: t-0 L2 e1 v1 i[2] r[1,2]",
            "UMR 1,2: live[1,2] t-0 L2 e1 v1 i[2] off[1]",
            "SR 1: t-0 e1",
        ]
    );
    // Said again, it is no news; a restart clears it.
    assert_eq!(world.led(1, "t-0", ReplicaAnswer::StorageError), [""; 0]);
    world.start(1);
    world.propose(2, "t-0", (1, 1), &[2, 1]);
    world.prefer_leaders(&["t-0"]);
    assert_eq!(world.state("t-0"), "L1 e2 v3 i[2,1]");
}

#[test]
fn a_conflicting_write_is_decided_again() {
    let mut world = World::in_charge(&[1, 2, 3], &[("t", &[&[1, 2, 3]])]);
    // A leader of old wrote its ISR itself: 2 is out of sync.
    let state = &mut world.zoo.states.get_mut(&partition("t-0")).unwrap().leader_and_isr;
    state.isr = super::zoo::ids(&[1, 3]);
    state.partition_epoch = gregor_model::PartitionEpoch(1);
    let lines = world.kill(1);
    assert_eq!(lines[2..4], ["set t-0 L2 e1 v1 i[2,3]", "set t-0 L3 e1 v2 i[3]"]);
    assert_eq!(world.state("t-0"), "L3 e1 v2 i[3]");
}

#[test]
fn a_state_of_a_newer_controller_is_left_alone() {
    let mut world = World::in_charge(&[1, 2], &[("t", &[&[1, 2]])]);
    let found = world.zoo.states.get_mut(&partition("t-0")).unwrap();
    found.controller_epoch = gregor_model::ControllerEpoch(6);
    found.leader_and_isr.partition_epoch = gregor_model::PartitionEpoch(1);
    let lines = world.kill(1);
    assert!(lines.iter().any(|line| line.contains("written by a controller with epoch 6")), "{lines:?}");
    assert_eq!(world.state("t-0"), "L1 e0 v1 i[1,2]");
}
