//! Requests and admin nodes: elections, rebalance, unclean elections, producer ids, features, topics that grow.

use gregor_model::{BrokerEpoch, BrokerId, ProducerId, TopicName, ZnodeVersion};

use super::world::World;
use super::zoo::partition;
use crate::{
    AllocateProducerIdsRequest, ControlledShutdownRequest, ElectLeadersRequest, ElectionType, Event,
    FeatureUpdate, Operation, Outcome, ProducerIdBlock, RequestId, Timer, UpdateFeaturesRequest, UpgradeType,
};

/// t-0 led by 2 though 1 is preferred and in sync.
fn displaced() -> World {
    let mut world = World::in_charge(&[1, 2], &[("t", &[&[1, 2]])]);
    world.start(1);
    world.propose(2, "t-0", (1, 1), &[2, 1]);
    assert_eq!(world.state("t-0"), "L2 e1 v2 i[2,1]");
    world
}

#[test]
fn elections_on_request() {
    let mut world = displaced();
    let lines = world.prefer_leaders(&["t-0", "t-1", "t-0"]);
    let expected = "ElectLeaders(Ok([(t-0, Ok(BrokerId(1))), (t-1, Err(UnknownTopicOrPartition)), \
                    (t-0, Ok(BrokerId(1)))]))";
    assert_eq!(lines.last().unwrap(), expected);
    assert_eq!(world.prefer_leaders(&["t-0"]), ["ElectLeaders(Ok([(t-0, Err(NotNeeded))]))"]);
    let all = ElectLeadersRequest { election: ElectionType::Preferred, partitions: None };
    assert_eq!(world.give(Event::ElectLeaders(RequestId(1), all)), ["ElectLeaders(Ok([]))"]);
    world.kill(1);
    assert!(world.prefer_leaders(&["t-0"]).last().unwrap().contains("PreferredLeaderNotAvailable"));
    world.delete_topic("t");
    assert!(world.prefer_leaders(&["t-0"])[0].contains("TopicBeingDeleted"));
}

#[test]
fn a_partition_without_state_is_answered() {
    let mut world = World::in_charge(&[1], &[("t", &[&[2]])]);
    assert!(world.prefer_leaders(&["t-0"])[0].contains("PreferredLeaderNotAvailable"));
    let lines = world.request_election(ElectionType::Unclean, &["t-0"]);
    assert!(lines[0].contains("EligibleLeadersNotAvailable"), "{lines:?}");
}

/// The last ISR member 2 is dead; 1 lives, out of sync.
fn out_of_sync() -> World {
    let mut world = displaced();
    world.propose(2, "t-0", (1, 2), &[2]);
    world.kill(2);
    assert_eq!(world.state("t-0"), "L- e2 v4 i[2]");
    world
}

#[test]
fn an_unclean_election_on_request() {
    let mut world = out_of_sync();
    let lines = world.request_election(ElectionType::Unclean, &["t-0"]);
    assert_eq!(
        lines,
        [
            "set t-0 L1 e3 v5 i[1] recovering",
            "LISR 1: t-0 L1 e3 v5 i[1] recovering r[1,2]",
            "UMR 1: live[1] t-0 L1 e3 v5 i[1] recovering off[2]",
            "ElectLeaders(Ok([(t-0, Ok(BrokerId(1)))]))",
        ]
    );
    assert!(world.request_election(ElectionType::Unclean, &["t-0"])[0].contains("NotNeeded"));
}

#[test]
fn an_unclean_election_by_config() {
    let mut world = out_of_sync();
    let topic = || Some(TopicName::from("t"));
    // Without the config, nothing.
    world.give(Event::UncleanElectionEnabled(topic()));
    assert_eq!(world.state("t-0"), "L- e2 v4 i[2]");
    world.zoo.unclean.insert("t".into());
    assert_eq!(world.give(Event::UncleanElectionEnabled(Some("u".into()))), [""; 0]);
    let lines = world.give(Event::UncleanElectionEnabled(topic()));
    assert_eq!(lines[..2], ["ReadUncleanElection([t])", "set t-0 L1 e3 v5 i[1] recovering"]);
    // The same when it is enabled for all.
    let mut world = out_of_sync();
    world.zoo.unclean.insert("t".into());
    world.give(Event::UncleanElectionEnabled(None));
    assert_eq!(world.state("t-0"), "L1 e3 v5 i[1] recovering");
}

#[test]
fn an_unreadable_config_forbids_unclean_elections() {
    let mut world = out_of_sync();
    world.zoo.unclean.insert("t".into());
    world.give_with(
        Event::UncleanElectionEnabled(None),
        |operation| matches!(operation, Operation::ReadUncleanElection(_)),
        |_, _| Outcome::Failed(crate::StoreFailure("session".to_owned())),
    );
    assert_eq!(world.state("t-0"), "L- e2 v4 i[2]");
}

#[test]
fn a_preferred_election_node_is_worked_off_and_deleted() {
    let mut world = displaced();
    world.zoo.preferred = Some(vec![partition("t-0"), partition("u-0")]);
    let lines = world.give(Event::PreferredElectionRequested);
    assert_eq!(lines[0], "ReadPreferredElection");
    assert_eq!(lines[lines.len() - 2..], ["DeletePreferredElection", "ReadPreferredElection"]);
    assert_eq!(world.state("t-0"), "L1 e2 v3 i[2,1]");
    assert_eq!(world.zoo.preferred, None);
}

#[test]
fn leaders_are_rebalanced_beyond_the_percentage() {
    // Of ten partitions that prefer broker 1, as many as given are led by 2.
    #[track_caller]
    fn check(displaced: usize, moved: bool) {
        let replicas: &[i32] = &[1, 2];
        let mut world = World::in_charge(&[1, 2], &[("t", &[replicas; 10])]);
        for index in 0..displaced {
            let state = world.zoo.states.get_mut(&partition(&format!("t-{index}"))).unwrap();
            state.leader_and_isr.leader = Some(BrokerId(2));
        }
        world.give(Event::Lost(crate::LossReason::SessionExpired));
        world.elect(6);
        let lines = world.give(Event::TimerFired(Timer::AutoLeaderRebalance));
        assert_eq!(lines[0], "timer 300000");
        assert_eq!(lines.len() > 1, moved, "{displaced}: {lines:?}");
    }
    check(0, false);
    check(1, false);
    check(2, true);
}

#[test]
fn rebalance_leaves_out_who_is_not_in_sync() {
    let mut world = displaced();
    world.propose(2, "t-0", (1, 2), &[2]);
    assert_eq!(world.give(Event::TimerFired(Timer::AutoLeaderRebalance)), ["timer 300000"]);
}

#[test]
fn controlled_shutdowns_are_checked() {
    let mut world = World::in_charge(&[1, 2, 3], &[("t", &[&[1, 2], &[2, 1], &[1]])]);
    let mut ask = |broker: i32, broker_epoch| {
        let request = ControlledShutdownRequest { broker: BrokerId(broker), broker_epoch };
        world.give(Event::ControlledShutdown(RequestId(1), request))
    };
    assert_eq!(ask(9, None), ["ControlledShutdown(Err(BrokerNotAvailable))"]);
    assert_eq!(ask(9, Some(BrokerEpoch(1))), ["ControlledShutdown(Err(Failed))"]);
    assert_eq!(ask(1, Some(BrokerEpoch(0))), ["ControlledShutdown(Err(StaleBrokerEpoch))"]);
    // A larger epoch is accepted. What is led moves, what is followed leaves the ISR, a single replica stays.
    assert_eq!(
        ask(1, Some(BrokerEpoch(99))),
        [
            "set t-0 L2 e1 v1 i[2]",
            "LISR 1: t-0 L2 e1 v1 i[2] r[1,2]",
            "LISR 2: t-0 L2 e1 v1 i[2] r[1,2]",
            "UMR 1,2,3: live[1,2,3] t-0 L2 e1 v1 i[2] off[1]",
            "SR 1: t-1 e0",
            "set t-1 L2 e1 v1 i[2]",
            "LISR 2: t-1 L2 e1 v1 i[2] r[2,1]",
            "UMR 1,2,3: live[1,2,3] t-1 L2 e1 v1 i[2] off[1]",
            "SR 1: t-1 e0",
            "ControlledShutdown(Ok([]))",
        ]
    );
    // Broker 2 is the last in sync: it keeps what it leads.
    assert_eq!(ask(2, None).last().unwrap(), "ControlledShutdown(Ok([t-0, t-1]))");
}

#[test]
fn producer_ids() {
    let mut world = World::in_charge(&[1, 2], &[]);
    let epoch = world.epoch(2);
    let ask = |broker, broker_epoch| {
        let request = AllocateProducerIdsRequest { broker: BrokerId(broker), broker_epoch };
        Event::AllocateProducerIds(RequestId(1), request)
    };
    let answer = |first: i64| {
        format!("AllocateProducerIds(Ok(ProducerIds {{ first: ProducerId({first}), length: 1000 }}))")
    };
    assert_eq!(world.give(ask(9, epoch)), ["AllocateProducerIds(Err(BrokerIdNotRegistered))"]);
    assert_eq!(world.give(ask(2, BrokerEpoch(0))), ["AllocateProducerIds(Err(StaleBrokerEpoch))"]);
    // Absent, then null, then a block.
    assert_eq!(*world.give(ask(2, epoch)).last().unwrap(), answer(0));
    world.zoo.producer_ids = Some((None, ZnodeVersion(4)));
    assert_eq!(*world.give(ask(2, epoch)).last().unwrap(), answer(0));
    let block = ProducerIdBlock { broker: BrokerId(1), first: ProducerId(3000), last: ProducerId(3999) };
    world.zoo.producer_ids = Some((Some(block), ZnodeVersion(7)));
    assert_eq!(*world.give(ask(2, epoch)).last().unwrap(), answer(4000));
    let written = ProducerIdBlock { broker: BrokerId(2), first: ProducerId(4000), last: ProducerId(4999) };
    assert_eq!(world.zoo.producer_ids, Some((Some(written), ZnodeVersion(8))));
    // A conflict begins again with what is there now.
    let is_write = |operation: &Operation| matches!(operation, Operation::WriteProducerIdBlock { .. });
    let lines = world.give_with(ask(2, epoch), is_write, |zoo, _| {
        zoo.producer_ids = Some((Some(block), ZnodeVersion(9)));
        Outcome::Conditional(false)
    });
    assert_eq!(*lines.last().unwrap(), answer(4000));
}

#[test]
fn features_cannot_be_raised_but_deleted() {
    let mut world = World::new(&[1]);
    world.zoo.brokers.clear();
    world.zoo.features.as_mut().unwrap().features.insert("old".to_owned(), 1);
    world.elect(5);
    let update = |name: &str, max_version_level, upgrade_type| FeatureUpdate {
        name: name.to_owned(),
        max_version_level,
        upgrade_type,
    };
    let updates = vec![update("new", 1, UpgradeType::Upgrade), update("old", 0, UpgradeType::SafeDowngrade)];
    let request = || UpdateFeaturesRequest { updates: updates.clone() };
    let lines = world.give(Event::UpdateFeatures(RequestId(1), request()));
    assert!(
        lines[1].contains("(\"new\", Err(InvalidRequest(") && lines[1].contains("(\"old\", Ok(()))"),
        "{lines:?}"
    );
    assert!(world.zoo.features.as_ref().unwrap().features.is_empty());
    let lines = world.give(Event::UpdateFeatures(RequestId(1), request()));
    assert!(lines.len() == 1 && lines[0].contains("(\"old\", Err("), "{lines:?}");
}

#[test]
fn a_topic_grows() {
    let mut world = World::in_charge(&[1, 2], &[("t", &[&[1]])]);
    let node = world.zoo.topics.get_mut("t").unwrap();
    let replicas = gregor_model::ReplicaAssignment::new(super::zoo::ids(&[2, 1]));
    node.partitions.insert(1, replicas.into());
    let event = || Event::PartitionsChanged("t".into());
    assert_eq!(
        world.give(event())[..3],
        ["ReadTopics([t])", "create t-1 L2 e0 v0 i[2,1]", "LISR 1: t-1 L2 e0 v0 i[2,1] r[2,1] new",]
    );
    assert_eq!(world.give(event()), ["ReadTopics([t])"]);
    assert_eq!(world.give(Event::PartitionsChanged("unknown".into())), [""; 0]);
}

#[test]
fn a_new_topic_gets_an_id_and_waits_for_its_brokers() {
    let mut world = World::in_charge(&[1], &[]);
    world.zoo.create_topic("t", &[&[2]]);
    world.zoo.topics.get_mut("t").unwrap().id = None;
    let lines = world.give(Event::TopicsChanged);
    assert_eq!(
        lines[2..],
        ["assign ids [t]", "log partition t-0 got no new leader: no assigned replica is alive",]
    );
    assert!(world.zoo.topics["t"].id.is_some());
    let lines = world.start(2);
    assert!(lines.contains(&"LISR 2: t-0 L2 e0 v0 i[2] r[2] new".to_owned()), "{lines:?}");
}

#[test]
fn topics_that_vanish_are_forgotten() {
    let mut world = World::in_charge(&[1], &[("t", &[&[1]])]);
    world.zoo.topics.clear();
    world.zoo.states.clear();
    assert_eq!(world.give(Event::TopicsChanged), ["ListTopics"]);
    assert!(world.prefer_leaders(&["t-0"])[0].contains("UnknownTopicOrPartition"));
}

#[test]
fn notified_isr_changes_are_read_announced_and_deleted() {
    let mut world = World::in_charge(&[1, 2], &[("t", &[&[1, 2]])]);
    let state = &mut world.zoo.states.get_mut(&partition("t-0")).unwrap().leader_and_isr;
    state.isr = super::zoo::ids(&[1]);
    state.partition_epoch = gregor_model::PartitionEpoch(1);
    world
        .zoo
        .isr_changes
        .insert("isr_change_0000000042".to_owned(), vec![partition("t-0"), partition("u-0")]);
    assert_eq!(
        world.give(Event::IsrChangesNotified),
        [
            "ReadIsrChanges",
            "ReadPartitionStates([t-0])",
            "UMR 1,2: live[1,2] t-0 L1 e0 v1 i[1]",
            "DeleteIsrChanges([isr_change_0000000042])",
        ]
    );
}
