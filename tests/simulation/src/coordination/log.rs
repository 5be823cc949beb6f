//! Partitions as coordinators need them: who leads, what a leader has appended, what of it is replicated.
//!
//! How followers fetch is not played here (the cluster of the parent module does that). What a change of leaders does to
//! those who use a log is: everything below the high watermark stays, of the tail behind it any part may be lost, and who was
//! leader goes on for a while without knowing. Producers' states are those of `gregor-log`.

use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;
use gregor_log::{
    Admission, AppendError, AppendOrigin, CompletedTxn, Marker, ProducerBatch, ProducerState, Updates,
    VerificationGuard,
};
use gregor_model::{BrokerId, Offset, ProducerEpoch, ProducerId, Timestamp, TopicPartition};

/// A partition of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Of `__consumer_offsets`.
    Offsets(i32),
    /// Of `__transaction_state`.
    Transactions(i32),
    /// Of the topic that transactions write to.
    Data(i32),
}

const OFFSETS: &str = "__consumer_offsets";
const TRANSACTIONS: &str = "__transaction_state";
const DATA: &str = "data";

impl Part {
    /// As the machines name it.
    pub fn name(self) -> TopicPartition {
        match self {
            Part::Offsets(index) => TopicPartition::new(OFFSETS, index),
            Part::Transactions(index) => TopicPartition::new(TRANSACTIONS, index),
            Part::Data(index) => TopicPartition::new(DATA, index),
        }
    }

    /// The partition of that name.
    pub fn of(name: &TopicPartition) -> Option<Part> {
        match name.topic.as_str() {
            OFFSETS => Some(Part::Offsets(name.partition)),
            TRANSACTIONS => Some(Part::Transactions(name.partition)),
            DATA => Some(Part::Data(name.partition)),
            _ => None,
        }
    }

    /// A number for the trace's hash.
    pub fn number(self) -> u64 {
        let (topic, index) = match self {
            Part::Offsets(index) => (1, index),
            Part::Transactions(index) => (2, index),
            Part::Data(index) => (3, index),
        };
        topic * 100 + u64::from(index.unsigned_abs())
    }
}

/// A record of a transaction: which attempt wrote it, and what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Value {
    /// The attempt's number; no two attempts have the same.
    pub attempt: usize,
    /// What it says; no two records of an attempt say the same.
    pub says: u64,
}

/// Whose transaction a batch belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Author {
    /// The producer id and epoch.
    pub producer: (ProducerId, ProducerEpoch),
    /// Of its first record; -1 if none.
    pub base_sequence: i32,
}

/// What a batch holds.
#[derive(Clone, Debug)]
pub enum Body {
    /// A coordinator's records: keys and values.
    Records(Vec<(Bytes, Option<Bytes>)>),
    /// Records of a transaction.
    Values(Vec<Value>),
    /// The end of a transaction, by the coordinator of that epoch.
    Marker {
        /// COMMIT, or ABORT.
        commit: bool,
        /// The coordinator's.
        coordinator_epoch: i32,
    },
}

/// A batch that lies in a log.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The offset of its first record.
    pub base: i64,
    /// How many offsets it takes.
    pub count: i64,
    /// Present in transactional batches.
    pub author: Option<Author>,
    /// The content.
    pub body: Body,
}

impl Batch {
    /// The offset after the last.
    pub fn next(&self) -> i64 {
        self.base + self.count
    }

    /// The producer's side of it.
    fn of_producer(&self, now: Timestamp) -> Option<ProducerBatch> {
        let author = self.author?;
        let last_sequence =
            if author.base_sequence < 0 { -1 } else { author.base_sequence + self.count as i32 - 1 };
        let marker = match self.body {
            Body::Marker { commit, coordinator_epoch } => {
                Some(Marker { commit, coordinator_epoch, timestamp: now })
            }
            _ => None,
        };
        Some(ProducerBatch {
            producer_id: author.producer.0,
            epoch: author.producer.1,
            base_sequence: author.base_sequence,
            last_sequence,
            base_offset: Offset(self.base),
            last_offset: Offset(self.next() - 1),
            max_timestamp: now,
            transactional: true,
            control: marker.is_some(),
            marker,
        })
    }
}

/// Why a leader did not append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// INVALID_PRODUCER_EPOCH.
    ProducerFenced,
    /// TRANSACTION_COORDINATOR_FENCED.
    CoordinatorFenced,
    /// OUT_OF_ORDER_SEQUENCE_NUMBER.
    OutOfOrder,
    /// INVALID_TXN_STATE.
    NotInTransaction,
}

impl Refusal {
    fn of(error: &AppendError) -> Refusal {
        match error {
            AppendError::InvalidProducerEpoch { .. } => Refusal::ProducerFenced,
            AppendError::TransactionCoordinatorFenced { .. } => Refusal::CoordinatorFenced,
            AppendError::OutOfOrderSequence { .. } => Refusal::OutOfOrder,
            _ => Refusal::NotInTransaction,
        }
    }
}

/// What an append did.
#[derive(Clone, Debug)]
pub enum Appended {
    /// The batch was there before; its first and its next offset.
    Duplicate(i64, i64),
    /// It is there now.
    New(Rc<Batch>),
}

impl Appended {
    /// The offset of the first record.
    pub fn base(&self) -> i64 {
        match self {
            Appended::Duplicate(base, _) => *base,
            Appended::New(batch) => batch.base,
        }
    }

    /// The offset after the last.
    pub fn next(&self) -> i64 {
        match self {
            Appended::Duplicate(_, next) => *next,
            Appended::New(batch) => batch.next(),
        }
    }
}

/// The log of a broker that takes itself for the leader.
#[derive(Debug)]
pub struct Replica {
    /// Its term.
    pub epoch: i32,
    /// Everything.
    pub batches: Vec<Rc<Batch>>,
    /// What it knows to be replicated.
    pub high_watermark: i64,
    /// Its producers, across its terms.
    pub producers: ProducerState,
    /// Transactions that were aborted.
    pub aborted: Vec<CompletedTxn>,
}

impl Replica {
    /// The leader of a new term, which begins with these batches. `before` is what the broker had of the partition.
    pub fn lead(
        epoch: i32,
        batches: Vec<Rc<Batch>>,
        high_watermark: i64,
        before: Option<Replica>,
        now: Timestamp,
    ) -> Replica {
        let mut producers = before.map(|before| before.producers).unwrap_or_default();
        producers.clear(Offset::ZERO);
        let mut replica =
            Replica { epoch, batches: Vec::new(), high_watermark, producers, aborted: Vec::new() };
        for batch in batches {
            replica.replay(batch, now);
        }
        replica.producers.on_high_watermark(Offset(high_watermark));
        replica
    }

    fn replay(&mut self, batch: Rc<Batch>, now: Timestamp) {
        if let Some(of_producer) = batch.of_producer(now) {
            let mut updates = Updates::default();
            // What is replicated is never refused.
            if self.producers.check(&mut updates, &of_producer, AppendOrigin::Replication).is_ok() {
                self.apply(updates);
            }
        }
        self.batches.push(batch);
    }

    fn apply(&mut self, updates: Updates) {
        let completed = self.producers.apply(updates);
        self.aborted.extend(completed.iter().map(|(txn, _)| *txn).filter(|txn| txn.aborted));
    }

    /// The log end offset.
    pub fn end(&self) -> i64 {
        self.batches.last().map_or(0, |batch| batch.next())
    }

    /// Up to where readers of committed records get.
    pub fn last_stable(&self) -> i64 {
        let unstable = self.producers.first_unstable_offset().map_or(i64::MAX, |offset| offset.0);
        unstable.min(self.high_watermark)
    }

    /// Raises the high watermark.
    pub fn replicated(&mut self, end: i64) {
        self.high_watermark = self.high_watermark.max(end);
        self.producers.on_high_watermark(Offset(self.high_watermark));
    }

    /// Appends as leader.
    pub fn append(
        &mut self,
        author: Option<Author>,
        body: Body,
        origin: AppendOrigin,
        proof: (Option<VerificationGuard>, bool),
        now: Timestamp,
    ) -> Result<Appended, Refusal> {
        let count = match &body {
            Body::Records(records) => records.len() as i64,
            Body::Values(values) => values.len() as i64,
            Body::Marker { .. } => 1,
        };
        let batch = Batch { base: self.end(), count, author, body };
        if let Some(of_producer) = batch.of_producer(now) {
            let (guard, needs_proof) = proof;
            match self.producers.admit(&of_producer, origin, guard, needs_proof) {
                Ok(Admission::Append(updates)) => self.apply(updates),
                Ok(Admission::Duplicate(known)) => {
                    return Ok(Appended::Duplicate(known.first_offset().0, known.next_offset().0));
                }
                Err(error) => return Err(Refusal::of(&error)),
            }
        }
        let batch = Rc::new(batch);
        self.batches.push(Rc::clone(&batch));
        Ok(Appended::New(batch))
    }

    /// Batches from `from` on, below `bound`.
    pub fn read(&self, from: i64, bound: i64) -> Vec<Rc<Batch>> {
        let at = self.batches.partition_point(|batch| batch.next() <= from);
        let found = self.batches.iter().skip(at).take_while(|batch| batch.next() <= bound);
        found.take(50).cloned().collect()
    }
}

/// What is true of a partition, whatever the brokers know.
#[derive(Debug, Default)]
pub struct Truth {
    /// Who leads.
    pub leader: Option<BrokerId>,
    /// The term.
    pub epoch: i32,
    /// The log of the term.
    pub batches: Vec<Rc<Batch>>,
    /// What is replicated of it.
    pub high_watermark: i64,
    /// Until then nothing more is replicated.
    pub stalled_until: i64,
    /// Until then fewer replicas are in sync than must be.
    pub too_few_until: i64,
}

impl Truth {
    /// The log end offset.
    pub fn end(&self) -> i64 {
        self.batches.last().map_or(0, |batch| batch.next())
    }

    /// A new term, which begins with as much of the log as `kept` says, and never less than what is replicated.
    pub fn elect(&mut self, leader: Option<BrokerId>, kept: i64) {
        self.leader = leader;
        self.epoch += 1;
        let kept = kept.max(self.high_watermark);
        self.batches.retain(|batch| batch.next() <= kept);
    }
}

/// Everything that is true, by partition.
pub type Cluster = BTreeMap<Part, Truth>;
