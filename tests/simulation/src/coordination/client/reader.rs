//! A read_committed consumer: it reads every data partition from the start and leaves out what was aborted, as clients do.

use std::collections::{BTreeMap, BTreeSet};

use gregor_model::{BrokerId, ProducerId};

use super::super::log::{Body, Part};
use super::super::message::{Answer, Correlation, Fetched, Request};
use super::super::stage::Stage;
use super::{any_broker, ask};

#[derive(Debug)]
enum Asked {
    Leader(Part),
    Read(Part),
}

/// See the module.
#[derive(Debug)]
pub struct Reader {
    client: usize,
    leaders: BTreeMap<Part, BrokerId>,
    positions: BTreeMap<Part, i64>,
    asked: BTreeMap<Correlation, Asked>,
}

impl Reader {
    /// A consumer that has read nothing.
    pub fn new(client: usize) -> Reader {
        Reader { client, leaders: BTreeMap::new(), positions: BTreeMap::new(), asked: BTreeMap::new() }
    }

    /// Up to where it has read.
    pub fn position(&self, part: Part) -> i64 {
        self.positions.get(&part).copied().unwrap_or(0)
    }

    /// Asks for more of every partition that it does not wait for.
    pub fn step(&mut self, stage: &mut Stage) {
        for part in (0..stage.scenario.data_partitions).map(Part::Data) {
            let is_asked =
                |asked: &Asked| matches!(asked, Asked::Leader(of) | Asked::Read(of) if *of == part);
            if self.asked.values().any(is_asked) {
                continue;
            }
            let (to, request, asked) = match self.leaders.get(&part) {
                Some(leader) => (*leader, Request::Read(part, self.position(part)), Asked::Read(part)),
                None => (any_broker(stage), Request::Leader(part), Asked::Leader(part)),
            };
            let timeout_ms = stage.scenario.request_timeout_ms;
            let correlation = ask(stage, self.client, to, request, timeout_ms);
            self.asked.insert(correlation, asked);
        }
    }

    /// An answer came, or none did.
    pub fn receive(&mut self, stage: &mut Stage, correlation: Correlation, answer: Option<Answer>) {
        match (self.asked.remove(&correlation), answer) {
            (Some(Asked::Leader(part)), Some(Answer::Leader(Some(leader)))) => {
                self.leaders.insert(part, leader);
            }
            (Some(Asked::Read(part)), Some(Answer::Read(Some(fetched)))) => {
                if fetched.batches.is_empty() {
                    // Perhaps another broker leads by now, and this one does not know.
                    if stage.random.per_mille(300) {
                        self.leaders.remove(&part);
                    }
                }
                self.take_in(stage, part, fetched);
            }
            (Some(Asked::Read(part)), _) => {
                self.leaders.remove(&part);
            }
            _ => {}
        }
    }

    fn take_in(&mut self, stage: &mut Stage, part: Part, fetched: Fetched) {
        let mut aborted = fetched.aborted;
        aborted.sort_by_key(|txn| txn.first_offset);
        let mut aborted = aborted.into_iter().peekable();
        let mut left_out: BTreeSet<ProducerId> = BTreeSet::new();
        let position = self.positions.entry(part).or_insert(0);
        for batch in fetched.batches.iter().filter(|batch| batch.base >= *position) {
            while let Some(txn) = aborted.next_if(|txn| txn.first_offset.0 <= batch.base) {
                left_out.insert(txn.producer_id);
            }
            let producer = batch.author.map(|author| author.producer.0);
            match &batch.body {
                Body::Marker { commit: false, .. } => {
                    left_out.retain(|of| Some(*of) != producer);
                }
                Body::Values(values) if producer.is_none_or(|producer| !left_out.contains(&producer)) => {
                    for value in values {
                        stage.checker.value_read(part, *value, batch.author);
                    }
                }
                Body::Marker { .. } | Body::Values(_) | Body::Records(_) => {}
            }
        }
        *position = fetched.batches.last().map_or(*position, |batch| batch.next().max(*position));
    }
}
