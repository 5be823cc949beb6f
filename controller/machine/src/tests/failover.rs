//! Taking over: from an empty cluster, from a predecessor, with what it left unfinished.

use gregor_model::{BrokerId, ControllerEpoch};

use super::world::{World, asked};
use super::zoo::partition;
use crate::{ControllerConfig, Event, Operation, Outcome, RequestId, StoreFailure};

#[test]
fn an_empty_cluster() {
    let mut world = World::new(&[1]);
    world.zoo.features = None;
    assert_eq!(
        world.elect(1),
        [
            "LoadContext",
            "WriteFeatures(FeatureNode { enabled: true, current_form: true, features: {} })",
            "add broker 1",
            "UMR 1: live[1]",
            "DeletePreferredElection",
            "timer 5000",
            "active",
            "ReadPreferredElection",
        ]
    );
}

#[test]
fn a_cluster_with_a_dead_broker() {
    let mut world = World::in_charge(&[1, 2, 3], &[("t", &[&[1, 2], &[3, 2], &[2, 1]])]);
    world.give(Event::Lost(crate::LossReason::SessionExpired));
    world.zoo.brokers.remove(&BrokerId(1));
    assert_eq!(
        world.elect(6),
        [
            "LoadContext",
            "add broker 2",
            "add broker 3",
            "UMR 2,3: live[2,3]",
            // Every replica that is online is told where it stands.
            "LISR 2: t-0 L1 e0 v0 i[1,2] r[1,2] t-1 L3 e0 v0 i[3,2] r[3,2] t-2 L2 e0 v0 i[2,1] r[2,1]",
            "LISR 3: t-1 L3 e0 v0 i[3,2] r[3,2]",
            "UMR 2,3: live[2,3] t-0 L1 e0 v0 i[1,2] off[1] t-1 L3 e0 v0 i[3,2] t-2 L2 e0 v0 i[2,1] off[1]",
            // Who is elected leaves the dead behind, and who needs no election does so afterwards.
            "set t-0 L2 e1 v1 i[2]",
            "LISR 2: t-0 L2 e1 v1 i[2] r[1,2]",
            "UMR 2,3: live[2,3] t-0 L2 e1 v1 i[2] off[1]",
            "set t-2 L2 e1 v1 i[2]",
            "LISR 2: t-2 L2 e1 v1 i[2] r[2,1]",
            "UMR 2,3: live[2,3] t-2 L2 e1 v1 i[2] off[1]",
            "DeletePreferredElection",
            "timer 5000",
            "active",
            "ReadPreferredElection",
        ]
    );
    assert_eq!(world.zoo.states[&partition("t-0")].controller_epoch, ControllerEpoch(6));
    assert_eq!(world.zoo.states[&partition("t-1")].controller_epoch, ControllerEpoch(5));
}

#[test]
fn notifications_go_unread_and_topics_get_ids() {
    let mut world = World::new(&[1]);
    world.zoo.create_topic("t", &[&[1]]);
    world.zoo.topics.get_mut("t").unwrap().id = None;
    world.zoo.isr_changes.insert("isr_change_0000000001".to_owned(), Vec::new());
    world.zoo.log_dir_events.insert("log_dir_event_0000000002".to_owned(), BrokerId(1));
    assert_eq!(
        world.elect(5)[..5],
        [
            "LoadContext",
            "DeleteLogDirEvents([log_dir_event_0000000002])",
            "DeleteIsrChanges([isr_change_0000000001])",
            "assign ids [t]",
            "add broker 1",
        ]
    );
}

#[test]
fn pending_work_is_resumed() {
    let mut world = World::new(&[1, 2]);
    world.zoo.create_topic("t", &[&[1, 2]]);
    world.zoo.create_topic("u", &[&[1]]);
    world.elect(5);
    world.give(Event::Lost(crate::LossReason::SessionExpired));
    world.zoo.states.get_mut(&partition("t-0")).unwrap().leader_and_isr.leader = Some(BrokerId(2));
    world.zoo.preferred = Some(vec![partition("t-0"), partition("u-0"), partition("v-0")]);
    world.zoo.reassignments = Some(vec![(partition("u-0"), super::zoo::ids(&[2]))]);
    let lines = world.elect(6);
    assert!(lines.contains(&"set t-0 L1 e1 v1 i[1,2]".to_owned()), "{lines:#?}");
    assert!(lines.contains(&"set topic u 0:r[2,1] +[2] -[1]".to_owned()), "{lines:#?}");
    assert_eq!(world.zoo.preferred, None);
    // Once by the node: the reassignment that it started is not started again.
    assert_eq!(lines.iter().filter(|line| line.starts_with("set topic")).count(), 1);
    assert_eq!(lines.iter().filter(|line| line.contains("set u-0")).count(), 1);
}

#[test]
fn markers_are_removed_when_deletion_is_disabled() {
    let mut world = World::new(&[1]);
    let mut config = ControllerConfig::new(BrokerId(1));
    config.delete_topic_enable = false;
    config.auto_leader_rebalance_enable = false;
    world.controller.set_config(config);
    world.zoo.create_topic("t", &[&[1]]);
    world.zoo.markers.insert("t".into());
    let lines = world.elect(5);
    assert!(lines.contains(&"DeleteDeletionMarkers([t])".to_owned()), "{lines:?}");
    assert!(!lines.contains(&"timer 5000".to_owned()), "{lines:?}");
}

#[test]
fn a_failure_moves_the_office_on() {
    let mut world = World::new(&[1]);
    let lines = world.give_with(
        Event::Elected { controller_epoch: ControllerEpoch(5) },
        |operation| matches!(operation, Operation::LoadContext),
        |_, _| Outcome::Failed(StoreFailure("packet too large".to_owned())),
    );
    assert_eq!(lines, ["LoadContext", "log gave up failover: packet too large", "resigned", "trigger move"]);
    assert!(!world.controller.is_active());
}

#[test]
fn events_wait_until_the_failover_is_done() {
    let mut world = World::new(&[1]);
    let effects = world.apply(Event::Elected { controller_epoch: ControllerEpoch(5) });
    let (id, operation) = asked(&effects).unwrap();
    assert!(world.apply(Event::BrokersChanged).is_empty());
    let shutdown = crate::ControlledShutdownRequest { broker: BrokerId(1), broker_epoch: None };
    assert!(world.apply(Event::ControlledShutdown(RequestId(3), shutdown)).is_empty());
    assert_eq!(world.controller.queued(), 2);
    let outcome = world.zoo.perform(operation);
    let lines = super::transcript::lines(&world.apply(Event::Completed { id, outcome }));
    assert_eq!(lines.last().unwrap(), "DeletePreferredElection");
}
