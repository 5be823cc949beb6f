//! What the two coordinators have in common for those who drive them.

use bytes::Bytes;
use gregor_model::{Offset, ProducerEpoch, ProducerId, Timestamp};

use crate::group::request::{AppendId, Effect, Reply, RequestId, VerifiedTransaction};
use crate::group::{AppendFailure, GroupConfig, GroupLoader, GroupShard};
use crate::schema::SchemaError;
use crate::transaction::{
    Markers, TransactionConfig, TransactionEffect, TransactionLoader, TransactionReply, TransactionShard,
};

/// A batch to append.
#[derive(Debug)]
pub struct AppendPlan {
    /// Keys and values; no value is a tombstone.
    pub records: Vec<(Bytes, Option<Bytes>)>,
    /// Makes the batch part of this producer's transaction.
    pub producer: Option<(ProducerId, ProducerEpoch)>,
    /// Whether to wait for the ISR.
    pub acknowledged: bool,
    /// How long to wait, in ms; for none, the topic's usual time.
    pub timeout_ms: Option<i32>,
    /// Goes with a transactional batch.
    pub verification: Option<VerifiedTransaction>,
    /// Whether it may become part of one batch with others that are asked for meanwhile.
    pub gathers: bool,
}

/// One effect, sorted by who performs it.
pub enum Step<M: Machine> {
    /// Answer a request.
    Reply(RequestId, M::Reply),
    /// Append.
    Append(AppendId, AppendPlan),
    /// Something outside of the topic.
    Errand(M::Errand),
}

/// The machine of one partition.
pub trait Machine: Sized + Send + 'static {
    /// What it is loaded with.
    type Loader: Loader<Machine = Self>;
    /// What it asks of the shell.
    type Effect: Send + 'static;
    /// Answers that may have to wait.
    type Reply: Send + 'static;
    /// What is neither an answer nor an append.
    type Errand: Send + 'static;

    /// Sorts an effect.
    fn step(effect: Self::Effect) -> Step<Self>;
    /// When `fire_timers` is due.
    fn next_timer(&self) -> Option<Timestamp>;
    /// Handles what is due.
    fn fire_timers(&mut self, now: Timestamp) -> Vec<Self::Effect>;
    /// An append is committed, or failed.
    fn appended(
        &mut self,
        append: AppendId,
        outcome: Result<Offset, AppendFailure>,
        now: Timestamp,
    ) -> Vec<Self::Effect>;
    /// The partition is led elsewhere now.
    fn unload(self, now: Timestamp) -> Vec<Self::Effect>;
}

/// The fold that gives a machine back from its records.
pub trait Loader: Default + Send + 'static {
    /// What comes out.
    type Machine: Machine;
    /// Its settings.
    type Config: Clone + Send + Sync + 'static;

    /// One record of a data batch that begins at `batch`.
    ///
    /// # Errors
    /// The record is damaged; it has been left out.
    fn record(
        &mut self,
        batch: Offset,
        producer: Option<ProducerId>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<(), SchemaError>;
    /// A transaction marker.
    fn marker(&mut self, producer: ProducerId, committed: bool);
    /// The machine, and what follows at once.
    fn finish(
        self,
        config: Self::Config,
        now: Timestamp,
    ) -> (Self::Machine, Vec<<Self::Machine as Machine>::Effect>);
}

impl Machine for GroupShard {
    type Loader = GroupLoader;
    type Effect = Effect;
    type Reply = Reply;
    type Errand = std::convert::Infallible;

    fn step(effect: Effect) -> Step<Self> {
        match effect {
            Effect::Reply(request, reply) => Step::Reply(request, reply),
            Effect::Append(append, batch) => {
                let plan = AppendPlan {
                    records: batch.records,
                    producer: batch.producer,
                    acknowledged: batch.acknowledged,
                    timeout_ms: None,
                    verification: batch.verification,
                    gathers: batch.gathers,
                };
                Step::Append(append, plan)
            }
        }
    }

    fn next_timer(&self) -> Option<Timestamp> {
        GroupShard::next_timer(self)
    }

    fn fire_timers(&mut self, now: Timestamp) -> Vec<Effect> {
        GroupShard::fire_timers(self, now)
    }

    fn appended(
        &mut self,
        append: AppendId,
        outcome: Result<Offset, AppendFailure>,
        now: Timestamp,
    ) -> Vec<Effect> {
        GroupShard::appended(self, append, outcome, now)
    }

    fn unload(self, now: Timestamp) -> Vec<Effect> {
        GroupShard::unload(self, now)
    }
}

impl Loader for GroupLoader {
    type Machine = GroupShard;
    type Config = GroupConfig;

    fn record(
        &mut self,
        batch: Offset,
        producer: Option<ProducerId>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<(), SchemaError> {
        GroupLoader::record(self, batch, producer, key, value)
    }

    fn marker(&mut self, producer: ProducerId, committed: bool) {
        GroupLoader::marker(self, producer, committed);
    }

    fn finish(self, config: GroupConfig, now: Timestamp) -> (GroupShard, Vec<Effect>) {
        GroupLoader::finish(self, config, now)
    }
}

impl Machine for TransactionShard {
    type Loader = TransactionLoader;
    type Effect = TransactionEffect;
    type Reply = TransactionReply;
    type Errand = Markers;

    fn step(effect: TransactionEffect) -> Step<Self> {
        match effect {
            TransactionEffect::Reply(request, reply) => Step::Reply(request, reply),
            TransactionEffect::Append(append, record) => {
                let plan = AppendPlan {
                    records: vec![(record.key, record.value)],
                    producer: None,
                    acknowledged: true,
                    timeout_ms: Some(record.timeout_ms),
                    verification: None,
                    gathers: false,
                };
                Step::Append(append, plan)
            }
            TransactionEffect::SendMarkers(markers) => Step::Errand(markers),
        }
    }

    /// Transactions have no timers of their own: the coordinator looks for late ones at intervals.
    fn next_timer(&self) -> Option<Timestamp> {
        None
    }

    fn fire_timers(&mut self, _now: Timestamp) -> Vec<TransactionEffect> {
        Vec::new()
    }

    fn appended(
        &mut self,
        append: AppendId,
        outcome: Result<Offset, AppendFailure>,
        now: Timestamp,
    ) -> Vec<TransactionEffect> {
        TransactionShard::appended(self, append, outcome, now)
    }

    fn unload(self, _now: Timestamp) -> Vec<TransactionEffect> {
        TransactionShard::unload(self)
    }
}

impl Loader for TransactionLoader {
    type Machine = TransactionShard;
    type Config = TransactionConfig;

    fn record(
        &mut self,
        _batch: Offset,
        _producer: Option<ProducerId>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<(), SchemaError> {
        TransactionLoader::record(self, key, value)
    }

    fn marker(&mut self, _producer: ProducerId, _committed: bool) {}

    fn finish(
        self,
        config: TransactionConfig,
        _now: Timestamp,
    ) -> (TransactionShard, Vec<TransactionEffect>) {
        TransactionLoader::finish(self, config)
    }
}
