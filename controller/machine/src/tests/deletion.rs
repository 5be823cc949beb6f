//! Deletion of topics whose replicas cannot all be reached.

use super::world::World;
use super::zoo::{ids, partition};
use crate::{Event, ReplicaAnswer};

fn world() -> World {
    World::in_charge(&[1, 2, 3], &[("t", &[&[1, 2]]), ("u", &[&[1]])])
}

fn gone(world: &World) -> bool {
    !world.zoo.topics.contains_key("t") && world.zoo.markers.is_empty()
}

#[test]
fn it_waits_for_a_dead_broker() {
    let mut world = world();
    world.kill(2);
    let lines = world.delete_topic("t");
    assert!(
        lines.contains(&"log deletion of topic t waits: some replicas are offline".to_owned()),
        "{lines:?}"
    );
    assert!(lines.contains(&"SR 1: t-0 e-2 delete".to_owned()), "{lines:?}");
    assert!(world.controller.is_queued_for_deletion(&"t".into()));
    world.stopped(1, "t-0", ReplicaAnswer::Done);
    assert!(!gone(&world));
    let expected = crate::ControllerStatistics {
        active_brokers: 2,
        topics: 2,
        partitions: 2,
        topics_to_delete: 1,
        replicas_to_delete: 1,
        topics_ineligible_to_delete: 1,
        replicas_ineligible_to_delete: 0,
        ..crate::ControllerStatistics::default()
    };
    assert_eq!(world.controller.statistics(), expected);
    let lines = world.start(2);
    assert!(lines.contains(&"SR 2: t-0 e-2 delete".to_owned()), "{lines:?}");
    assert!(!lines.contains(&"SR 1: t-0 e-2 delete".to_owned()), "broker 1 is done: {lines:?}");
    world.stopped(2, "t-0", ReplicaAnswer::Done);
    assert!(gone(&world));
}

#[test]
fn it_survives_a_broker_that_dies_before_it_answers() {
    let mut world = world();
    world.delete_topic("t");
    world.kill(1);
    world.stopped(2, "t-0", ReplicaAnswer::Done);
    assert!(!gone(&world));
    world.start(1);
    world.stopped(1, "t-0", ReplicaAnswer::Done);
    assert!(gone(&world));
}

#[test]
fn it_is_tried_again_after_a_failure_when_the_broker_returns() {
    let mut world = world();
    world.delete_topic("t");
    world.stopped(1, "t-0", ReplicaAnswer::StorageError);
    world.stopped(2, "t-0", ReplicaAnswer::Done);
    assert!(!gone(&world));
    world.start(1);
    world.stopped(1, "t-0", ReplicaAnswer::Done);
    assert!(gone(&world));
}

#[test]
fn answers_of_an_earlier_life_do_not_count() {
    let mut world = world();
    world.delete_topic("t");
    let broker_epoch = world.epoch(1);
    world.start(1);
    let partitions = vec![(partition("t-0"), ReplicaAnswer::Done)];
    let broker = gregor_model::BrokerId(1);
    assert_eq!(world.give(Event::StopReplicaAnswered { broker, broker_epoch, partitions }), [""; 0]);
    world.stopped(2, "t-0", ReplicaAnswer::Done);
    assert!(!gone(&world));
    world.stopped(1, "t-0", ReplicaAnswer::Done);
    assert!(gone(&world));
}

#[test]
fn a_reassignment_does_not_hold_it_up() {
    let mut world = world();
    world.reassign("t-0", Some(&[3, 2]));
    let lines = world.delete_topic("t");
    for replica in 1..=3 {
        assert!(lines.contains(&format!("SR {replica}: t-0 e-2 delete")), "{lines:#?}");
    }
    // The leader's last word is answered, and moves nothing any more.
    let lines = world.propose(1, "t-0", (1, 1), &[1, 2, 3]);
    assert!(!lines.iter().any(|line| line.starts_with("set topic")), "{lines:#?}");
    for replica in 1..=3 {
        world.stopped(replica, "t-0", ReplicaAnswer::Done);
    }
    assert!(gone(&world));
    assert!(!world.controller.is_being_reassigned(&"t".into()));
}

#[test]
fn a_reassignment_without_a_leader_does_not_hold_it_up() {
    let mut world = world();
    world.reassign("t-0", Some(&[3]));
    world.kill(1);
    world.kill(2);
    world.delete_topic("t");
    // Nobody elects a leader for a topic that goes, so the reassignment could not end.
    world.give(Event::Lost(crate::LossReason::ControllerMoved));
    world.elect(6);
    world.start(2);
    world.start(1);
    for broker in [3, 2, 1] {
        world.stopped(broker, "t-0", ReplicaAnswer::Done);
    }
    assert!(gone(&world));
}

#[test]
fn a_new_controller_does_not_resume_the_reassignment_first() {
    let mut world = world();
    world.reassign("t-0", Some(&[3, 2]));
    world.give(Event::Lost(crate::LossReason::ControllerMoved));
    world.zoo.markers.insert("t".into());
    let lines = world.elect(6);
    assert!(!lines.iter().any(|line| line.contains("new")), "{lines:#?}");
    for replica in 1..=3 {
        assert!(lines.contains(&format!("SR {replica}: t-0 e-2 delete")), "{lines:#?}");
        world.stopped(replica, "t-0", ReplicaAnswer::Done);
    }
    assert!(gone(&world));
}

#[test]
fn what_the_legacy_node_asks_of_a_deleted_topic_is_taken_out() {
    let mut world = world();
    let entries = vec![(partition("t-0"), ids(&[3, 2])), (partition("u-0"), ids(&[3]))];
    world.zoo.reassignments = Some(entries.clone());
    world.give(Event::ReassignmentsRequested);
    world.delete_topic("t");
    for replica in 1..=3 {
        world.stopped(replica, "t-0", ReplicaAnswer::Done);
    }
    assert!(gone(&world));
    assert_eq!(world.zoo.reassignments.as_deref(), entries.get(1..));
}

#[test]
fn a_new_controller_carries_on() {
    let mut world = world();
    world.delete_topic("t");
    world.stopped(1, "t-0", ReplicaAnswer::Done);
    world.give(Event::Lost(crate::LossReason::ControllerMoved));
    let lines = world.elect(6);
    assert!(lines.contains(&"SR 1: t-0 e-2 delete".to_owned()), "{lines:#?}");
    world.stopped(1, "t-0", ReplicaAnswer::Done);
    world.stopped(2, "t-0", ReplicaAnswer::Done);
    assert!(gone(&world));
}

#[test]
fn what_a_predecessor_left_half_deleted_is_cleared() {
    let mut world = World::new(&[1, 2]);
    // The states are gone, the topic is still there; of another topic only the marker is left.
    world.zoo.create_topic("t", &[&[1, 2]]);
    world.zoo.markers.extend(["t".into(), "v".into()]);
    let lines = world.elect(5);
    assert!(lines.contains(&"DeleteTopics([v])".to_owned()), "{lines:#?}");
    world.stopped(1, "t-0", ReplicaAnswer::Done);
    world.stopped(2, "t-0", ReplicaAnswer::Done);
    assert!(gone(&world));
}

#[test]
fn missing_states_do_not_block_it() {
    let mut world = world();
    world.zoo.states.remove(&partition("t-0"));
    world.delete_topic("t");
    world.stopped(1, "t-0", ReplicaAnswer::Done);
    world.stopped(2, "t-0", ReplicaAnswer::Done);
    assert!(gone(&world));
}

#[test]
fn markers_without_topics_are_removed() {
    let mut world = world();
    assert_eq!(world.delete_topic("v"), ["ListDeletions", "DeleteDeletionMarkers([v])"]);
}

#[test]
fn all_markers_are_removed_when_deletion_is_disabled() {
    let mut world = world();
    let mut config = crate::ControllerConfig::new(gregor_model::BrokerId(1));
    config.delete_topic_enable = false;
    world.controller.set_config(config);
    assert_eq!(world.delete_topic("t"), ["ListDeletions", "DeleteDeletionMarkers([t])"]);
    assert!(!world.controller.is_queued_for_deletion(&"t".into()));
}

#[test]
fn a_topic_on_its_way_out_does_not_grow() {
    let mut world = world();
    world.kill(2);
    world.delete_topic("t");
    let node = world.zoo.topics.get_mut("t").unwrap();
    node.partitions.insert(1, node.partitions[&0].clone());
    assert_eq!(
        world.give(Event::PartitionsChanged("t".into())),
        ["ReadTopics([t])", "ListCreatedPartitions(t)", "set topic t 0:r[1,2]",]
    );
}

#[test]
fn a_name_can_be_used_again() {
    let mut world = world();
    world.delete_topic("t");
    world.stopped(1, "t-0", ReplicaAnswer::Done);
    world.stopped(2, "t-0", ReplicaAnswer::Done);
    let lines = world.create_topic("t", &[&[2, 3]]);
    assert!(lines.contains(&"create t-0 L2 e0 v0 i[2,3]".to_owned()), "{lines:?}");
}
