//! What must hold whatever happens; checked on every state that ZooKeeper gets and every request that brokers get.

use std::collections::{BTreeMap, BTreeSet};

use gregor_model::{BrokerId, ControllerEpoch, LeaderAndIsr, LeaderEpoch, TopicId, TopicPartition};

use super::zoo::Zoo;
use crate::{ControlRequest, Effect, Operation, RequestId};

/// Remembers what was seen.
#[derive(Default)]
pub(super) struct Invariants {
    /// Who led in each leader epoch of each partition, as ZooKeeper was told.
    leaders: BTreeMap<(TopicId, i32, LeaderEpoch), Option<BrokerId>>,
    last: BTreeMap<(TopicId, i32), (LeaderEpoch, ControllerEpoch)>,
    open: BTreeSet<RequestId>,
}

impl Invariants {
    /// A request was made.
    pub(super) fn asked(&mut self, id: RequestId) {
        assert!(self.open.insert(id));
    }

    /// Every request is answered, if nothing is under way.
    pub(super) fn all_answered(&self) {
        assert!(self.open.is_empty(), "not answered: {:?}", self.open);
    }

    /// Effects of one event.
    pub(super) fn effects(&mut self, effects: &[Effect]) {
        for (place, effect) in effects.iter().enumerate() {
            match effect {
                Effect::Store { .. } => {
                    assert_eq!(place, effects.len() - 1, "a store operation is the last effect")
                }
                Effect::Reply { request, .. } => {
                    assert!(self.open.remove(request), "{request:?} answered twice")
                }
                Effect::Send { broker, request: ControlRequest::LeaderAndIsr(request) } => {
                    for topic in &request.topics {
                        for partition in &topic.partitions {
                            assert!(partition.assignment.replicas.contains(broker), "only replicas are told");
                            let state = &partition.leadership.leader_and_isr;
                            let known = self.leaders.get(&(
                                topic.id.unwrap(),
                                partition.partition,
                                state.leader_epoch,
                            ));
                            assert_eq!(
                                known,
                                Some(&state.leader),
                                "brokers hear what ZooKeeper was told: {state:?}"
                            );
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// An operation that ZooKeeper has performed.
    pub(super) fn operation(&mut self, operation: &Operation, zoo: &Zoo) {
        let names: Vec<&TopicPartition> = match operation {
            Operation::CreatePartitionStates(creates) => {
                creates.iter().map(|create| &create.partition).collect()
            }
            Operation::WritePartitionStates(writes) => writes.iter().map(|write| &write.partition).collect(),
            _ => return,
        };
        for name in names {
            if let Some(found) = zoo.states.get(name) {
                self.state(zoo, name, &found.leader_and_isr, found.controller_epoch);
            }
        }
    }

    fn state(&mut self, zoo: &Zoo, name: &TopicPartition, state: &LeaderAndIsr, controller: ControllerEpoch) {
        let Some(id) = zoo.topics.get(&name.topic).and_then(|topic| topic.id) else { return };
        assert!(!state.isr.is_empty(), "{name}: the ISR is never empty");
        assert!(
            state.leader.is_none_or(|leader| state.isr.contains(&leader)),
            "{name}: the leader is in the ISR"
        );
        let distinct: BTreeSet<&BrokerId> = state.isr.iter().collect();
        assert_eq!(distinct.len(), state.isr.len(), "{name}: ISR members are distinct");
        let leader = self.leaders.entry((id, name.partition, state.leader_epoch)).or_insert(state.leader);
        assert_eq!(*leader, state.leader, "{name}: one leader in epoch {}", state.leader_epoch);
        let last = self.last.entry((id, name.partition)).or_insert((state.leader_epoch, controller));
        assert!(state.leader_epoch >= last.0, "{name}: leader epochs do not fall");
        assert!(controller >= last.1, "{name}: controller epochs do not fall");
        *last = (state.leader_epoch, controller);
    }
}
