//! A controller with its ZooKeeper, and the vocabulary of the tests.

use gregor_model::{
    BrokerEpoch, BrokerId, ControllerEpoch, LeaderEpoch, LeaderRecoveryState, PartitionEpoch, Timestamp,
};

use super::transcript;
use super::zoo::{Zoo, ids, partition};
use crate::{
    AlterPartitionItem, AlterPartitionRequest, AlterReassignmentsRequest, ControlledShutdownRequest,
    Controller, ControllerConfig, Effect, ElectLeadersRequest, ElectionType, Event, Operation, OperationId,
    Outcome, ReplicaAnswer, Reply, RequestId, TopicRef,
};

pub(super) struct World {
    pub(super) zoo: Zoo,
    pub(super) controller: Controller,
    /// Every effect so far.
    pub(super) history: Vec<Effect>,
}

impl World {
    /// A controller that is not active, over these brokers.
    pub(super) fn new(brokers: &[i32]) -> World {
        let mut zoo = Zoo::default();
        for id in brokers {
            zoo.register(*id);
        }
        zoo.features = Some(crate::features::set_up(None).0);
        let controller = Controller::new(ControllerConfig::new(BrokerId(1)));
        World { zoo, controller, history: Vec::new() }
    }

    /// A controller with epoch 5 in charge of these brokers and topics.
    pub(super) fn in_charge(brokers: &[i32], topics: &[(&str, &[&[i32]])]) -> World {
        let mut world = World::new(brokers);
        for (name, partitions) in topics {
            world.zoo.create_topic(name, partitions);
        }
        world.elect(5);
        assert!(world.controller.is_active());
        world
    }

    pub(super) fn elect(&mut self, epoch: i32) -> Vec<String> {
        self.give(Event::Elected { controller_epoch: ControllerEpoch(epoch) })
    }

    /// Applies one event, without answering what it asks of ZooKeeper.
    pub(super) fn apply(&mut self, event: Event) -> Vec<Effect> {
        let effects = self.controller.apply(event, Timestamp(0));
        self.history.extend(effects.iter().cloned());
        effects
    }

    /// Applies an event and everything ZooKeeper answers; all effects, in order.
    pub(super) fn give_all(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = self.apply(event);
        let mut next = asked(&effects);
        while let Some((id, operation)) = next {
            let outcome = self.zoo.perform(operation);
            let more = self.apply(Event::Completed { id, outcome });
            next = asked(&more);
            effects.extend(more);
        }
        effects
    }

    /// The same as text.
    pub(super) fn give(&mut self, event: Event) -> Vec<String> {
        transcript::lines(&self.give_all(event))
    }

    /// The same, with an outcome instead of ZooKeeper's for the first operation that `when` picks.
    pub(super) fn give_with(
        &mut self,
        event: Event,
        when: impl Fn(&Operation) -> bool,
        answer: impl FnOnce(&mut Zoo, Operation) -> Outcome,
    ) -> Vec<String> {
        let mut answer = Some(answer);
        let mut effects = self.apply(event);
        let mut next = asked(&effects);
        while let Some((id, operation)) = next {
            let outcome = match answer.take_if(|_| when(&operation)) {
                Some(answer) => answer(&mut self.zoo, operation),
                None => self.zoo.perform(operation),
            };
            let more = self.apply(Event::Completed { id, outcome });
            next = asked(&more);
            effects.extend(more);
        }
        transcript::lines(&effects)
    }

    pub(super) fn state(&self, name: &str) -> String {
        transcript::state(&self.zoo.states[&partition(name)].leader_and_isr)
    }

    pub(super) fn epoch(&self, broker: i32) -> BrokerEpoch {
        self.zoo.brokers[&BrokerId(broker)].broker.epoch
    }

    pub(super) fn kill(&mut self, broker: i32) -> Vec<String> {
        self.zoo.brokers.remove(&BrokerId(broker));
        self.give(Event::BrokersChanged)
    }

    pub(super) fn start(&mut self, broker: i32) -> Vec<String> {
        self.zoo.register(broker);
        self.give(Event::BrokersChanged)
    }

    pub(super) fn create_topic(&mut self, name: &str, partitions: &[&[i32]]) -> Vec<String> {
        self.zoo.create_topic(name, partitions);
        self.give(Event::TopicsChanged)
    }

    pub(super) fn delete_topic(&mut self, name: &str) -> Vec<String> {
        self.zoo.markers.insert(name.into());
        self.give(Event::DeletionsRequested)
    }

    pub(super) fn shut_down(&mut self, broker: i32) -> Vec<String> {
        let broker_epoch = Some(self.epoch(broker));
        let request = ControlledShutdownRequest { broker: BrokerId(broker), broker_epoch };
        self.give(Event::ControlledShutdown(RequestId(1), request))
    }

    pub(super) fn prefer_leaders(&mut self, names: &[&str]) -> Vec<String> {
        self.request_election(ElectionType::Preferred, names)
    }

    pub(super) fn request_election(&mut self, election: ElectionType, names: &[&str]) -> Vec<String> {
        let partitions = Some(names.iter().map(|name| partition(name)).collect());
        self.give(Event::ElectLeaders(RequestId(1), ElectLeadersRequest { election, partitions }))
    }

    pub(super) fn reassign(&mut self, name: &str, target: Option<&[i32]>) -> Vec<String> {
        let partitions = vec![(partition(name), target.map(ids))];
        self.give(Event::AlterReassignments(RequestId(1), AlterReassignmentsRequest { partitions }))
    }

    /// `leader` proposes an ISR, based on these epochs.
    pub(super) fn propose(
        &mut self,
        leader: i32,
        name: &str,
        epochs: (i32, i32),
        isr: &[i32],
    ) -> Vec<String> {
        let item = proposal(name, epochs, isr);
        self.alter_partition(leader, vec![item])
    }

    pub(super) fn alter_partition(
        &mut self,
        leader: i32,
        partitions: Vec<AlterPartitionItem>,
    ) -> Vec<String> {
        let broker_epoch = self.epoch(leader);
        let request = AlterPartitionRequest { broker: BrokerId(leader), broker_epoch, partitions };
        self.give(Event::AlterPartition(RequestId(1), request))
    }

    pub(super) fn stopped(&mut self, broker: i32, name: &str, answer: ReplicaAnswer) -> Vec<String> {
        let broker_epoch = self.epoch(broker);
        let partitions = vec![(partition(name), answer)];
        self.give(Event::StopReplicaAnswered { broker: BrokerId(broker), broker_epoch, partitions })
    }

    pub(super) fn led(&mut self, broker: i32, name: &str, answer: ReplicaAnswer) -> Vec<String> {
        let broker_epoch = self.epoch(broker);
        let partitions = vec![(partition(name), answer)];
        self.give(Event::LeaderAndIsrAnswered { broker: BrokerId(broker), broker_epoch, partitions })
    }
}

pub(super) fn proposal(
    name: &str,
    (leader_epoch, partition_epoch): (i32, i32),
    isr: &[i32],
) -> AlterPartitionItem {
    let name = partition(name);
    AlterPartitionItem {
        topic: TopicRef::Name(name.topic),
        partition: name.partition,
        leader_epoch: LeaderEpoch(leader_epoch),
        isr: ids(isr),
        recovery: LeaderRecoveryState::Recovered,
        partition_epoch: PartitionEpoch(partition_epoch),
    }
}

/// The operation that waits for an outcome, if the list ends with one.
pub(super) fn asked(effects: &[Effect]) -> Option<(OperationId, Operation)> {
    match effects.last() {
        Some(Effect::Store { id, operation }) => Some((*id, operation.clone())),
        _ => None,
    }
}

/// The replies among effects.
pub(super) fn replies(effects: &[Effect]) -> Vec<Reply> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Reply { reply, .. } => Some(reply.clone()),
            _ => None,
        })
        .collect()
}
