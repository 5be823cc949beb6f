//! Somebody who looks at the committed offsets of every group again and again, as monitoring does. What it is told is judged where
//! it is told.

use std::collections::BTreeMap;

use gregor_coordinator::{GroupId, partition_of};
use gregor_model::BrokerId;

use super::super::log::Part;
use super::super::message::{Answer, Correlation, Request};
use super::super::stage::Stage;
use super::member::input;
use super::{any_broker, ask};

/// See the module.
#[derive(Debug)]
pub struct Auditor {
    client: usize,
    coordinators: BTreeMap<usize, BrokerId>,
    asked: BTreeMap<Correlation, usize>,
}

impl Auditor {
    /// Somebody who has not looked yet.
    pub fn new(client: usize) -> Auditor {
        Auditor { client, coordinators: BTreeMap::new(), asked: BTreeMap::new() }
    }

    /// Asks for the offsets of every group of which no answer is awaited.
    pub fn step(&mut self, stage: &mut Stage) {
        for group in 0..stage.scenario.groups.len() {
            if self.asked.values().any(|asked| *asked == group) {
                continue;
            }
            let name = GroupId::from(format!("group-{group}"));
            let inputs = stage.scenario.groups.get(group).map_or(0, |plan| plan.inputs);
            let (to, request) = match self.coordinators.get(&group) {
                Some(coordinator) => {
                    (*coordinator, Request::FetchOffsets(name, (0..inputs).map(input).collect()))
                }
                None => {
                    let partition = partition_of(name.as_str(), stage.scenario.offsets_partitions);
                    (any_broker(stage), Request::Leader(Part::Offsets(partition)))
                }
            };
            let timeout_ms = stage.scenario.request_timeout_ms;
            let correlation = ask(stage, self.client, to, request, timeout_ms);
            self.asked.insert(correlation, group);
        }
    }

    /// An answer came, or none did.
    pub fn receive(&mut self, correlation: Correlation, answer: Option<Answer>) {
        let Some(group) = self.asked.remove(&correlation) else { return };
        match answer {
            Some(Answer::Leader(Some(leader))) => {
                self.coordinators.insert(group, leader);
            }
            Some(Answer::Offsets(Ok(_))) => {}
            _ => {
                self.coordinators.remove(&group);
            }
        }
    }
}
