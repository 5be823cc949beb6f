//! AlterPartition: which proposals are accepted, and what is told to whom.

use gregor_model::{BrokerEpoch, BrokerId, LeaderRecoveryState};

use super::world::{World, proposal, replies};
use super::zoo::{ids, partition};
use crate::{
    AlterPartitionError, AlterPartitionItem, AlterPartitionRequest, AlterPartitionTopError, Event, Operation,
    Outcome, Reply, RequestId, TopicRef, WriteOutcome,
};

/// Leader 2, leader epoch 4, ISR [2,3], partition epoch 9; brokers 1 to 3 live, 4 shutting down.
fn world() -> World {
    let mut world = World::new(&[1, 2, 3, 4]);
    world.zoo.create_topic("t", &[&[2, 3, 1, 4]]);
    world.elect(5);
    world.zoo.states.get_mut(&partition("t-0")).unwrap().leader_and_isr = gregor_model::LeaderAndIsr {
        leader: Some(BrokerId(2)),
        leader_epoch: gregor_model::LeaderEpoch(4),
        isr: ids(&[2, 3]),
        recovery: LeaderRecoveryState::Recovered,
        partition_epoch: gregor_model::PartitionEpoch(9),
    };
    world.zoo.isr_changes.insert("isr_change_0000000000".to_owned(), vec![partition("t-0")]);
    world.give(Event::IsrChangesNotified);
    world.shut_down(4);
    assert_eq!(world.state("t-0"), "L2 e4 v9 i[2,3]");
    world
}

fn answers(world: &mut World, items: Vec<AlterPartitionItem>) -> Vec<Result<String, AlterPartitionError>> {
    let broker_epoch = world.epoch(2);
    let request = AlterPartitionRequest { broker: BrokerId(2), broker_epoch, partitions: items };
    let effects = world.give_all(Event::AlterPartition(RequestId(7), request));
    match replies(&effects).as_slice() {
        [Reply::AlterPartition(Ok(answers))] => answers
            .iter()
            .map(|answer| answer.clone().map(|state| super::transcript::state(&state)))
            .collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn proposals_are_judged() {
    use AlterPartitionError::*;
    #[track_caller]
    fn check(epochs: (i32, i32), isr: &[i32], expected: Result<&str, AlterPartitionError>) {
        let mut world = world();
        let answer = answers(&mut world, vec![proposal("t-0", epochs, isr)]);
        assert_eq!(answer, [expected.map(str::to_owned)]);
        if let Ok(state) = expected {
            assert_eq!(world.state("t-0"), state);
        }
    }
    check((4, 9), &[2, 3, 1], Ok("L2 e4 v10 i[2,3,1]"));
    check((4, 9), &[2], Ok("L2 e4 v10 i[2]"));
    check((4, 9), &[3, 2], Ok("L2 e4 v10 i[3,2]"));
    check((4, 9), &[2, 3], Ok("L2 e4 v9 i[2,3]"));
    check((4, 8), &[2, 3], Ok("L2 e4 v9 i[2,3]"));
    check((4, 8), &[2], Err(InvalidUpdateVersion));
    check((4, 9), &[2, 3, 4], Err(IneligibleReplica));
    check((4, 9), &[2, 3, 9], Err(IneligibleReplica));
    check((3, 9), &[2], Err(FencedLeaderEpoch));
    check((5, 9), &[2], Err(NotController));
    check((4, 11), &[2], Err(NotController));
}

#[test]
fn a_lost_answer_is_given_again() {
    let mut world = world();
    let first = answers(&mut world, vec![proposal("t-0", (4, 9), &[2, 3, 1])]);
    assert_eq!(first, [Ok("L2 e4 v10 i[2,3,1]".to_owned())]);
    assert_eq!(answers(&mut world, vec![proposal("t-0", (4, 9), &[2, 3, 1])]), first);
    let older = answers(&mut world, vec![proposal("t-0", (4, 9), &[2])]);
    assert_eq!(older, [Err(AlterPartitionError::InvalidUpdateVersion)]);
}

#[test]
fn recovery_states_are_judged() {
    let recovering = |isr: &[i32]| AlterPartitionItem {
        recovery: LeaderRecoveryState::Recovering,
        ..proposal("t-0", (4, 9), isr)
    };
    let mut world = world();
    assert_eq!(answers(&mut world, vec![recovering(&[2])]), [Err(AlterPartitionError::InvalidRequest)]);
    assert_eq!(answers(&mut world, vec![recovering(&[2, 3])]), [Err(AlterPartitionError::InvalidRequest)]);
}

#[test]
fn topics_are_found_by_id() {
    let mut world = world();
    let by = |topic| AlterPartitionItem { topic, ..proposal("t-0", (4, 9), &[2]) };
    let id = world.zoo.topics["t"].id;
    let stranger = Some(world.zoo.topic_id());
    let items = vec![
        by(TopicRef::Id(stranger)),
        by(TopicRef::Id(None)),
        proposal("t-1", (4, 9), &[2]),
        proposal("u-0", (4, 9), &[2]),
        by(TopicRef::Id(id)),
    ];
    let expected = [
        Err(AlterPartitionError::UnknownTopicId),
        Err(AlterPartitionError::UnknownTopicId),
        Err(AlterPartitionError::UnknownTopicOrPartition),
        Err(AlterPartitionError::UnknownTopicOrPartition),
        Ok("L2 e4 v10 i[2]".to_owned()),
    ];
    assert_eq!(answers(&mut world, items), expected);
}

#[test]
fn of_two_proposals_for_one_partition_the_later_counts() {
    let mut world = world();
    let items = vec![proposal("t-0", (4, 9), &[2]), proposal("t-0", (4, 9), &[2, 3, 1])];
    answers(&mut world, items);
    assert_eq!(world.state("t-0"), "L2 e4 v10 i[2,3,1]");
}

#[test]
fn senders_are_checked() {
    let mut world = world();
    let mut ask = |broker: i32, broker_epoch| {
        let request =
            AlterPartitionRequest { broker: BrokerId(broker), broker_epoch, partitions: Vec::new() };
        replies(&world.give_all(Event::AlterPartition(RequestId(7), request)))
    };
    let stale = [Reply::AlterPartition(Err(AlterPartitionTopError::StaleBrokerEpoch))];
    assert_eq!(ask(9, BrokerEpoch(1)), stale);
    assert_eq!(ask(2, BrokerEpoch(0)), stale);
    assert_eq!(ask(2, BrokerEpoch(99)), stale);
}

#[test]
fn only_metadata_is_sent() {
    let mut world = world();
    let lines = world.propose(2, "t-0", (4, 9), &[2]);
    assert_eq!(
        lines[..2],
        ["set t-0 L2 e4 v10 i[2]", "UMR 1,2,3,4: live[1,2,3,4] t-0 L2 e4 v10 i[2] off[4]",]
    );
    // A refused proposal is answered with metadata, too.
    let lines = world.propose(2, "t-0", (3, 9), &[2]);
    assert_eq!(lines[0], "UMR 1,2,3,4: live[1,2,3,4] t-0 L2 e4 v10 i[2] off[4]");
}

#[test]
fn a_conflict_refreshes_the_cache() {
    let mut world = world();
    // Somebody shrank the ISR behind our back.
    let found = world.zoo.states.get_mut(&partition("t-0")).unwrap();
    found.leader_and_isr.isr = ids(&[2]);
    found.leader_and_isr.partition_epoch = gregor_model::PartitionEpoch(10);
    let refused = answers(&mut world, vec![proposal("t-0", (4, 9), &[2, 3, 1])]);
    assert_eq!(refused, [Err(AlterPartitionError::InvalidUpdateVersion)]);
    let accepted = answers(&mut world, vec![proposal("t-0", (4, 10), &[2, 1])]);
    assert_eq!(accepted, [Ok("L2 e4 v11 i[2,1]".to_owned())]);
}

#[test]
fn our_own_write_is_recognised_when_its_answer_was_lost() {
    let mut world = world();
    let broker_epoch = world.epoch(2);
    let partitions = vec![proposal("t-0", (4, 9), &[2])];
    let request = AlterPartitionRequest { broker: BrokerId(2), broker_epoch, partitions };
    let is_write = |operation: &Operation| matches!(operation, Operation::WritePartitionStates(_));
    let lines = world.give_with(Event::AlterPartition(RequestId(1), request), is_write, |zoo, operation| {
        zoo.perform(operation.clone());
        zoo.perform(operation)
    });
    assert!(lines.last().unwrap().starts_with("AlterPartition(Ok([Ok("), "{lines:?}");
    assert_eq!(world.state("t-0"), "L2 e4 v10 i[2]");
}

#[test]
fn a_failed_write_fails_its_partition() {
    let mut world = world();
    let broker_epoch = world.epoch(2);
    let partitions = vec![proposal("t-0", (4, 9), &[2])];
    let request = AlterPartitionRequest { broker: BrokerId(2), broker_epoch, partitions };
    let is_write = |operation: &Operation| matches!(operation, Operation::WritePartitionStates(_));
    let failed =
        |_: &mut super::zoo::Zoo, _| Outcome::Written(vec![WriteOutcome::Failed("NOAUTH".to_owned())]);
    let lines = world.give_with(Event::AlterPartition(RequestId(1), request), is_write, failed);
    assert_eq!(lines.last().unwrap(), "AlterPartition(Ok([Err(Failed)]))");
}
