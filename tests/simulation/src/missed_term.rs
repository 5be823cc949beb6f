//! A leader misses a term: it does not hear controllers, one of its followers hears nothing of it and is elected, another one
//! truncates to that, and the new leader dies together with the controller. So the next controller finds the old leader in the ISR
//! still, and elects it again.

use gregor_controller_machine::{AlterReassignmentsRequest, ElectLeadersRequest, ElectionType};
use gregor_model::{BrokerId, Offset, TopicPartition};

use crate::core::Event;
use crate::faults::Crash;
use crate::message::{Node, Request};
use crate::world::World;

/// How often is looked whether the next scene can be played, in milliseconds.
const LOOK_MS: i64 = 50;
/// How often is looked at most: what it waits for takes longer than a follower's lag may last, or does not come.
const LOOKS: u32 = 80;

/// Who plays.
#[derive(Clone, Debug)]
pub struct Cast {
    partition: TopicPartition,
    /// Misses the term.
    leader: BrokerId,
    /// Leads in it.
    successor: BrokerId,
    /// Truncates.
    follower: BrokerId,
    looks: u32,
}

/// The next scene.
#[derive(Clone, Debug)]
pub enum MissedTerm {
    /// The successor is elected, once the follower has more than it has.
    Elect(Cast),
    /// The successor dies, and the controller with it, once the follower has not. The offset is where its log ended.
    End(Cast, Offset),
}

impl World {
    /// Begins, if a partition has all who are needed.
    pub(crate) fn miss_a_term(&mut self) {
        let controller = self.zookeeper.store.controller.map(|(controller, _)| controller);
        let cast = self.zookeeper.store.states.iter().filter_map(|(partition, state)| {
            let state = &state.leader_and_isr;
            let leader = state.leader.filter(|_| state.leader != controller)?;
            let others = || state.isr.iter().copied().filter(|member| *member != leader);
            // The controller dies with the successor, and the follower must not.
            let successor = others().find(|member| Some(*member) == controller).or(others().next_back())?;
            let follower = others().find(|member| *member != successor)?;
            Some(Cast { partition: partition.clone(), leader, successor, follower, looks: 0 })
        });
        let all: Vec<Cast> = cast.collect();
        let Some(cast) = self.core.random.pick(&all).cloned() else { return };
        let Cast { partition, leader, successor, .. } = &cast;
        self.core.trace(|| format!("{leader} is to miss a term of {partition}, in which {successor} leads"));
        self.core.network.deafen(*leader);
        self.core.network.isolate(*successor, std::iter::once(Node::Broker(*leader)));
        self.core.after(LOOK_MS, Event::MissTerm(MissedTerm::Elect(cast)));
    }

    /// Plays the next scene, if it can be played.
    pub(crate) fn play_missed_term(&mut self, scene: MissedTerm) {
        match scene {
            MissedTerm::Elect(cast) => {
                let [follower, successor] =
                    [cast.follower, cast.successor].map(|id| self.end_of(id, &cast.partition));
                if follower > successor {
                    self.elect_successor(&cast);
                    let cast = Cast { looks: 0, ..cast };
                    self.core.after(LOOK_MS, Event::MissTerm(MissedTerm::End(cast, follower)));
                } else if cast.looks < LOOKS {
                    let cast = Cast { looks: cast.looks + 1, ..cast };
                    self.core.after(LOOK_MS, Event::MissTerm(MissedTerm::Elect(cast)));
                } else {
                    self.core.network.heal();
                }
            }
            MissedTerm::End(cast, end) => {
                if self.end_of(cast.follower, &cast.partition) >= end && cast.looks < LOOKS {
                    let cast = Cast { looks: cast.looks + 1, ..cast };
                    self.core.after(LOOK_MS, Event::MissTerm(MissedTerm::End(cast, end)));
                } else {
                    self.end_term(&cast);
                }
            }
        }
    }

    fn end_of(&mut self, broker: BrokerId, partition: &TopicPartition) -> Offset {
        self.broker(broker).disk.peek(partition).map_or(Offset::ZERO, |log| log.end())
    }

    /// It becomes the preferred replica, behind it the one that leads, and preferred replicas are elected.
    fn elect_successor(&mut self, cast: &Cast) {
        let Some((controller, _)) = self.zookeeper.store.controller else { return };
        let replicas = vec![cast.successor, cast.leader, cast.follower];
        let partition = cast.partition.clone();
        let first = AlterReassignmentsRequest { partitions: vec![(partition.clone(), Some(replicas))] };
        let election = ElectionType::Preferred;
        let second = ElectLeadersRequest { election, partitions: Some(vec![partition]) };
        let (from, to) = (Node::Client(0), Node::Broker(controller));
        self.core.request(from, to, Request::AlterReassignments(first));
        self.core.request(from, to, Request::ElectLeaders(second));
    }

    fn end_term(&mut self, cast: &Cast) {
        let controller = self.zookeeper.store.controller.map(|(controller, _)| controller);
        let down_ms = self.core.scenario.session_timeout_ms * 2;
        let others =
            controller.filter(|controller| *controller != cast.successor && *controller != cast.leader);
        for broker in [Some(cast.successor), others].into_iter().flatten() {
            self.crash(broker, Crash::Kill, down_ms);
        }
        self.core.network.heal();
    }
}
