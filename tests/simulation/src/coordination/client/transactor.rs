//! A producer with a transactional id that others use as well: whoever starts last fences the others.

use gregor_coordinator::TransactionalId;

use super::super::log::Part;
use super::super::message::{Answer, Correlation};
use super::super::stage::Stage;
use super::producer::{Attempt, Producer};

/// See the module.
#[derive(Debug)]
pub struct Transactor {
    client: usize,
    id: TransactionalId,
    producer: Option<Producer>,
    /// When it starts again.
    starts: i64,
    /// Whether it begins transactions.
    pub is_active: bool,
}

impl Transactor {
    /// A producer that starts soon.
    pub fn new(stage: &mut Stage, client: usize, id: usize) -> Transactor {
        let starts = stage.now + stage.random.between(0, 5_000);
        let id = TransactionalId::from(format!("id-{id}"));
        Transactor { client, id, producer: None, starts, is_active: true }
    }

    /// Its process ends, and another one takes its place after a while.
    pub fn crash(&mut self, stage: &mut Stage) {
        self.producer = None;
        self.starts = stage.now + stage.random.between(50, 8_000);
    }

    /// Whether it has nothing open.
    pub fn is_idle(&self) -> bool {
        self.producer.as_ref().is_none_or(Producer::is_idle)
    }

    /// The next thing to do.
    pub fn step(&mut self, stage: &mut Stage) {
        if self.producer.as_ref().is_some_and(Producer::is_dead) {
            self.crash(stage);
        }
        if self.producer.is_none() && self.is_active && stage.now >= self.starts {
            self.producer = Some(Producer::new(self.client, self.id.clone()));
        }
        let Some(producer) = &mut self.producer else { return };
        if producer.is_ready()
            && self.is_active
            && stage.random.per_mille(700)
            && let Some(attempt) = draw_attempt(stage, producer)
        {
            producer.begin(stage, attempt);
        }
        producer.step(stage);
    }

    /// An answer came, or none did.
    pub fn receive(&mut self, stage: &mut Stage, correlation: Correlation, answer: Option<Answer>) {
        if let Some(producer) = &mut self.producer {
            producer.receive(stage, correlation, answer);
        }
    }
}

fn draw_attempt(stage: &mut Stage, producer: &Producer) -> Option<Attempt> {
    let mut parts: Vec<Part> = (0..stage.scenario.data_partitions).map(Part::Data).collect();
    stage.random.shuffle(&mut parts);
    let count = stage.random.between(1, parts.len() as i64);
    parts.truncate(usize::try_from(count).unwrap_or(1));
    let mut attempt = producer.attempt(stage)?;
    let mut says = 0;
    for part in parts {
        for _ in 0..stage.random.between(1, 2) {
            let values = stage.random.between(1, 2);
            attempt.write(
                part,
                (0..values).map(|_| {
                    says += 1;
                    says
                }),
            );
        }
    }
    attempt.is_to_commit = stage.random.per_mille(750);
    Some(attempt)
}
