//! The end of a term, at any moment: every request is answered, nothing is done after it.

use gregor_model::{BrokerId, ControllerEpoch};

use super::world::{World, asked, proposal};
use crate::{
    AlterPartitionRequest, ControlledShutdownRequest, Effect, ElectLeadersRequest, ElectionType, Event,
    ListReassignmentsRequest, LossReason, Operation, Outcome, RequestId, StoreFailure, UpdateFeaturesRequest,
};

fn requests(world: &World) -> Vec<Event> {
    let broker = BrokerId(1);
    let broker_epoch = world.epoch(1);
    let partitions = vec![proposal("t-0", (0, 0), &[1])];
    vec![
        Event::AlterPartition(RequestId(1), AlterPartitionRequest { broker, broker_epoch, partitions }),
        Event::ControlledShutdown(RequestId(2), ControlledShutdownRequest { broker, broker_epoch: None }),
        Event::ElectLeaders(
            RequestId(3),
            ElectLeadersRequest { election: ElectionType::Preferred, partitions: None },
        ),
        Event::AlterReassignments(
            RequestId(4),
            crate::AlterReassignmentsRequest { partitions: vec![(super::zoo::partition("t-0"), None)] },
        ),
        Event::ListReassignments(RequestId(5), ListReassignmentsRequest { partitions: None }),
        Event::AllocateProducerIds(RequestId(6), crate::AllocateProducerIdsRequest { broker, broker_epoch }),
        Event::UpdateFeatures(RequestId(7), UpdateFeaturesRequest { updates: Vec::new() }),
    ]
}

const NOT_CONTROLLER: [&str; 7] = [
    "AlterPartition(Err(NotController))",
    "ControlledShutdown(Err(NotController))",
    "ElectLeaders(Err(NotController))",
    "AlterReassignments(Err(NotController))",
    "ListReassignments(Err(NotController))",
    "AllocateProducerIds(Err(NotController))",
    "UpdateFeatures(Err(NotController))",
];

#[test]
fn who_is_not_the_controller_says_so_and_does_nothing_else() {
    let mut world = World::new(&[1, 2]);
    for (request, answer) in requests(&world).into_iter().zip(NOT_CONTROLLER) {
        assert_eq!(world.give(request), [answer]);
    }
    let signals = [
        Event::BrokersChanged,
        Event::TopicsChanged,
        Event::DeletionsRequested,
        Event::ReassignmentsRequested,
        Event::IsrChangesNotified,
        Event::LogDirsFailed,
        Event::UncleanElectionEnabled(None),
        Event::TimerFired(crate::Timer::AutoLeaderRebalance),
        Event::Lost(LossReason::Shutdown),
    ];
    for signal in signals {
        assert_eq!(world.give(signal), [""; 0]);
    }
}

#[test]
fn queued_requests_are_answered() {
    let mut world = World::in_charge(&[1, 2], &[("t", &[&[1, 2]])]);
    let effects = world.apply(Event::BrokersChanged);
    let (id, operation) = asked(&effects).unwrap();
    for request in requests(&world) {
        assert!(world.apply(request).is_empty());
    }
    let lines = world.give(Event::Lost(LossReason::SessionExpired));
    assert_eq!(lines[..7], NOT_CONTROLLER);
    assert_eq!(lines[7..], ["resigned"]);
    assert!(!world.controller.is_active());
    assert_eq!(world.controller.queued(), 0);
    // What was asked before comes too late.
    let outcome = world.zoo.perform(operation);
    assert!(world.apply(Event::Completed { id, outcome }).is_empty());
}

#[test]
fn the_request_in_hand_is_answered() {
    let mut world = World::in_charge(&[1, 2], &[("t", &[&[1, 2]])]);
    let request = requests(&world).remove(0);
    assert!(asked(&world.apply(request)).is_some());
    let lines = world.give(Event::Lost(LossReason::ControllerMoved));
    assert_eq!(lines, ["AlterPartition(Err(NotController))", "resigned"]);
}

#[test]
fn outcomes_of_an_earlier_term_are_ignored() {
    let mut world = World::in_charge(&[1, 2], &[("t", &[&[1, 2]])]);
    let effects = world.apply(Event::BrokersChanged);
    let (stale, _) = asked(&effects).unwrap();
    world.apply(Event::Lost(LossReason::SessionExpired));
    let effects = world.apply(Event::Elected { controller_epoch: ControllerEpoch(6) });
    let (id, operation) = asked(&effects).unwrap();
    assert!(world.apply(Event::Completed { id: stale, outcome: Outcome::Brokers(Vec::new()) }).is_empty());
    let outcome = world.zoo.perform(operation);
    assert!(!world.apply(Event::Completed { id, outcome }).is_empty());
}

#[test]
fn an_election_while_in_office_ends_the_old_term_first() {
    let mut world = World::in_charge(&[1, 2], &[("t", &[&[1, 2]])]);
    let lines = world.elect(6);
    assert_eq!(lines[..2], ["resigned", "LoadContext"]);
    assert_eq!(lines.iter().filter(|line| **line == "active").count(), 1);
}

#[test]
fn resignation_is_possible_at_every_operation() {
    // Interrupt a bounce after each of its operations.
    for point in 0..4 {
        let mut world = World::in_charge(&[1, 2], &[("t", &[&[1, 2]])]);
        world.zoo.register(1);
        let mut effects = world.apply(Event::BrokersChanged);
        for _ in 0..point {
            let Some((id, operation)) = asked(&effects) else { break };
            let outcome = world.zoo.perform(operation);
            effects = world.apply(Event::Completed { id, outcome });
        }
        assert_eq!(world.apply(Event::Lost(LossReason::SessionExpired)), [Effect::Resigned]);
        world.elect(6);
        assert!(world.state("t-0").starts_with('L') && !world.state("t-0").starts_with("L-"), "{point}");
    }
}

#[test]
fn a_failed_read_gives_up_the_event_and_answers() {
    let mut world = World::in_charge(&[1], &[]);
    let broker_epoch = world.epoch(1);
    let request = crate::AllocateProducerIdsRequest { broker: BrokerId(1), broker_epoch };
    let lines = world.give_with(
        Event::AllocateProducerIds(RequestId(1), request),
        |operation| matches!(operation, Operation::ReadProducerIdBlock),
        |_, _| Outcome::Failed(StoreFailure("NOAUTH".to_owned())),
    );
    assert_eq!(lines[1..], ["log gave up AllocateProducerIds: NOAUTH", "AllocateProducerIds(Err(Failed))"]);
    assert!(world.controller.is_active());
    // An outcome of another kind than asked for is as bad.
    let lines = world.give_with(Event::TopicsChanged, |_| true, |_, _| Outcome::Done);
    assert_eq!(lines[1], "log gave up TopicChange: the outcome is not the one asked for");
}
