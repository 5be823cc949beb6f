//! The transaction machine, driven as a shell drives it: appends granted or failed by hand, time by hand.

mod by_state;

use std::collections::HashMap;

use gregor_model::{Offset, ProducerEpoch, ProducerId, Timestamp, TopicPartition};

use super::*;
use crate::group::AppendFailure;
use crate::group::request::{AppendId, RequestId};
use crate::schema::transaction::{TransactionStatus, TransactionValue};
use TransactionError::*;

struct Context {
    shard: TransactionShard,
    now: Timestamp,
    requests: u64,
    next_producer_id: i64,
    replies: HashMap<RequestId, TransactionReply>,
    appends: Vec<(AppendId, TransactionRecord)>,
    log: Vec<TransactionRecord>,
    markers: Vec<Markers>,
}

type Producer = (ProducerId, ProducerEpoch);

fn producer(id: i64, epoch: i16) -> Producer {
    (ProducerId(id), ProducerEpoch(epoch))
}

fn partition(index: i32) -> TopicPartition {
    TopicPartition::new("orders", index)
}

impl Context {
    fn new() -> Context {
        Context {
            shard: TransactionShard::new(TransactionConfig::default()),
            now: Timestamp(1_000_000),
            requests: 0,
            next_producer_id: 100,
            replies: HashMap::new(),
            appends: Vec::new(),
            log: Vec::new(),
            markers: Vec::new(),
        }
    }

    fn perform(&mut self, effects: Vec<TransactionEffect>) {
        for effect in effects {
            match effect {
                TransactionEffect::Reply(request, reply) => {
                    assert_eq!(self.replies.insert(request, reply), None);
                }
                TransactionEffect::Append(append, record) => self.appends.push((append, record)),
                TransactionEffect::SendMarkers(markers) => self.markers.push(markers),
            }
        }
    }

    fn request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }

    fn grant(&mut self) {
        for (append, record) in std::mem::take(&mut self.appends) {
            self.log.push(record);
            let effects = self.shard.appended(append, Ok(Offset(self.log.len() as i64)), self.now);
            self.perform(effects);
        }
    }

    fn refuse(&mut self, failure: AppendFailure) {
        for (append, _) in std::mem::take(&mut self.appends) {
            let effects = self.shard.appended(append, Err(failure), self.now);
            self.perform(effects);
        }
    }

    fn start_init(&mut self, current: Option<Producer>) -> RequestId {
        let request = self.request();
        let init = InitProducer { id: "x".into(), timeout_ms: 60_000, current };
        let fresh = self.shard.needs_producer_id(&init).then(|| {
            self.next_producer_id += 1;
            ProducerId(self.next_producer_id)
        });
        let effects = self.shard.init(request, &init, fresh, self.now);
        self.perform(effects);
        request
    }

    #[track_caller]
    fn init(&mut self, current: Option<Producer>) -> Result<Producer, TransactionError> {
        let request = self.start_init(current);
        self.grant();
        match &self.replies[&request] {
            TransactionReply::Init(result) => *result,
            other => panic!("{other:?}"),
        }
    }

    fn start_add(&mut self, producer: Producer, index: i32) -> RequestId {
        let request = self.request();
        let add = AddPartitions { id: "x".into(), producer, partitions: vec![partition(index)] };
        let effects = self.shard.add_partitions(request, add, self.now);
        self.perform(effects);
        request
    }

    fn add(&mut self, producer: Producer, index: i32) -> Result<(), TransactionError> {
        let request = self.start_add(producer, index);
        self.grant();
        self.done(request)
    }

    fn start_end(&mut self, producer: Producer, commit: bool) -> RequestId {
        let request = self.request();
        let end = EndTransaction { id: "x".into(), producer, commit };
        let effects = self.shard.end(request, &end, self.now);
        self.perform(effects);
        request
    }

    fn end(&mut self, producer: Producer, commit: bool) -> Result<(), TransactionError> {
        let request = self.start_end(producer, commit);
        if let Some((append, record)) = self.appends.pop() {
            self.log.push(record);
            let effects = self.shard.appended(append, Ok(Offset(self.log.len() as i64)), self.now);
            self.perform(effects);
        }
        self.done(request)
    }

    #[track_caller]
    fn done(&self, request: RequestId) -> Result<(), TransactionError> {
        match &self.replies[&request] {
            TransactionReply::Done(result) => *result,
            other => panic!("{other:?}"),
        }
    }

    fn settle_markers(&mut self) {
        for markers in std::mem::take(&mut self.markers) {
            for partition in &markers.partitions {
                let effects = self.shard.marker_settled(&markers.id, partition, self.now);
                self.perform(effects);
            }
        }
        self.grant();
    }

    fn state(&self) -> TransactionState {
        self.shard.describe(&"x".into()).expect("the id exists").state
    }

    fn reloaded(&self) -> Context {
        let mut loader = TransactionLoader::new();
        for record in &self.log {
            loader.record(Some(&record.key), record.value.as_deref()).expect("a record we wrote");
        }
        let (shard, effects) = loader.finish(TransactionConfig::default());
        let mut context = Context { shard, now: self.now, log: self.log.clone(), ..Context::new() };
        context.perform(effects);
        context
    }
}

#[test]
fn a_transaction_from_start_to_end() {
    let mut context = Context::new();
    let first = context.init(None).expect("a new id");
    assert_eq!(first, producer(101, 0));
    assert_eq!(context.add(first, 0), Ok(()));
    assert_eq!(context.add(first, 2), Ok(()));
    assert_eq!(context.add(first, 2), Ok(()), "already in");
    assert_eq!(context.end(first, true), Ok(()), "the client hears before any marker is written");
    assert_eq!(context.state(), TransactionState::PrepareCommit);
    assert_eq!(context.markers[0].partitions, vec![partition(0), partition(2)]);
    assert_eq!(context.add(first, 3), Err(ConcurrentTransactions));
    assert_eq!(context.end(first, true), Err(ConcurrentTransactions));
    context.settle_markers();
    assert_eq!(context.state(), TransactionState::CompleteCommit);
    assert_eq!(context.end(first, true), Ok(()), "asked again");
    assert_eq!(context.end(first, false), Err(InvalidTxnState));
    let last =
        TransactionValue::decode(context.log.last().and_then(|r| r.value.as_deref()).expect("a value"));
    let last = last.expect("decodes");
    assert_eq!((last.status, last.partitions.len()), (TransactionStatus::CompleteCommit, 0));
    assert_eq!(last.started_at, Some(context.now));
    assert_eq!(context.add(first, 0), Ok(()), "the next one");
    assert_eq!(context.state(), TransactionState::Ongoing);
}

#[test]
fn what_was_done_before_is_confirmed_by_the_log_alone() {
    let mut context = Context::new();
    let first = context.init(None).expect("a new id");
    assert_eq!(context.add(first, 0), Ok(()));
    let again = context.start_add(first, 0);
    assert!(!context.replies.contains_key(&again), "another broker may coordinate by now");
    context.refuse(AppendFailure::NotLeaderOrFollower);
    assert_eq!(context.done(again), Err(NotCoordinator));
    assert_eq!(context.end(first, true), Ok(()));
    context.settle_markers();
    let again = context.start_end(first, true);
    assert!(
        !context.replies.contains_key(&again),
        "it may be about a transaction that only the other one knows"
    );
    context.refuse(AppendFailure::RequestTimedOut);
    assert_eq!(context.done(again), Err(CoordinatorNotAvailable));
    assert_eq!(context.end(first, true), Ok(()));
    assert_eq!(context.state(), TransactionState::CompleteCommit);
}

#[test]
fn requests_that_are_refused() {
    let mut context = Context::new();
    let init = |id: &str, timeout_ms| InitProducer { id: id.into(), timeout_ms, current: None };
    for (init, error) in [
        (init("", 1), InvalidRequest),
        (init("x", 0), InvalidTransactionTimeout),
        (init("x", 900_001), InvalidTransactionTimeout),
        (init("x", 1), CoordinatorLoadInProgress),
    ] {
        let effects = context.shard.init(RequestId(0), &init, None, context.now);
        assert_eq!(effects, vec![TransactionEffect::Reply(RequestId(0), TransactionReply::Init(Err(error)))]);
    }
    assert_eq!(context.add(producer(1, 0), 0), Err(InvalidProducerIdMapping));
    let now = context.init(None).expect("a new id");
    assert_eq!(context.add(producer(1, 0), 0), Err(InvalidProducerIdMapping));
    assert_eq!(context.add(producer(now.0.0, 7), 0), Err(ProducerFenced));
    assert_eq!(context.end(now, true), Err(InvalidTxnState));
}

#[test]
fn while_an_append_is_under_way_others_are_told_to_wait() {
    let mut context = Context::new();
    let first = context.init(None).expect("a new id");
    let adding = context.start_add(first, 0);
    let second = context.start_add(first, 1);
    assert_eq!(context.done(second), Err(ConcurrentTransactions));
    let init = context.start_init(None);
    assert_eq!(context.replies[&init], TransactionReply::Init(Err(ConcurrentTransactions)));
    context.refuse(AppendFailure::NotEnoughReplicas);
    assert_eq!(context.done(adding), Err(CoordinatorNotAvailable));
    assert_eq!(context.add(first, 0), Ok(()));
}

#[test]
fn initialising_again_raises_the_epoch() {
    let mut context = Context::new();
    let first = context.init(None).expect("a new id");
    assert_eq!(context.init(None), Ok(producer(101, 1)));
    assert_eq!(context.add(first, 0), Err(ProducerFenced));
    // KIP-360: from the epoch it has, and again when the answer was lost.
    assert_eq!(context.init(Some(producer(101, 1))), Ok(producer(101, 2)));
    assert_eq!(context.init(Some(producer(101, 1))), Ok(producer(101, 2)));
    assert_eq!(context.init(Some(producer(101, 0))), Err(ProducerFenced));
    assert_eq!(context.init(Some(producer(5, 0))), Err(ProducerFenced));
}

#[test]
fn used_up_epochs_give_a_new_producer_id() {
    let mut context = Context::new();
    let value = TransactionValue {
        producer_id: ProducerId(7),
        producer_epoch: ProducerEpoch(i16::MAX - 1),
        timeout_ms: 1,
        status: TransactionStatus::Empty,
        partitions: vec![],
        updated_at: context.now,
        started_at: None,
    };
    let mut loader = TransactionLoader::new();
    let key = crate::schema::transaction::encode_key(&"x".into());
    loader.record(Some(&key), Some(&value.encode())).expect("decodes");
    context.shard = loader.finish(TransactionConfig::default()).0;
    let last = producer(7, i16::MAX - 1);
    assert_eq!(context.init(Some(last)), Ok(producer(101, 0)));
    assert_eq!(context.init(Some(last)), Ok(producer(101, 0)), "the answer was lost");
}

#[test]
fn an_open_transaction_is_aborted_before_its_successor_starts() {
    let mut context = Context::new();
    let first = context.init(None).expect("a new id");
    context.add(first, 0).expect("added");
    let request = context.start_init(None);
    context.grant();
    assert_eq!(context.replies[&request], TransactionReply::Init(Err(ConcurrentTransactions)));
    assert_eq!(context.markers[0].producer, producer(101, 1), "the markers carry the raised epoch");
    assert!(!context.markers[0].commit);
    assert_eq!(context.init(None), Err(ConcurrentTransactions));
    context.settle_markers();
    assert_eq!(context.init(None), Ok(producer(101, 2)));
    assert_eq!(context.end(first, true), Err(ProducerFenced), "no zombie commits");
}

#[test]
fn a_fence_that_could_not_be_stored_raises_the_epoch_once() {
    let mut context = Context::new();
    let first = context.init(None).expect("a new id");
    context.add(first, 0).expect("added");
    for _ in 0..3 {
        let request = context.start_init(None);
        context.refuse(AppendFailure::NotEnoughReplicas);
        assert_eq!(context.replies[&request], TransactionReply::Init(Err(CoordinatorNotAvailable)));
    }
    context.start_init(None);
    context.grant();
    assert_eq!(context.markers[0].producer, producer(101, 1));
}

#[test]
fn a_late_transaction_is_aborted() {
    let mut context = Context::new();
    let first = context.init(None).expect("a new id");
    context.add(first, 0).expect("added");
    context.now = context.now + 60_000;
    assert_eq!(context.shard.abort_timed_out(context.now), vec![]);
    context.now = context.now + 1;
    let effects = context.shard.abort_timed_out(context.now);
    context.perform(effects);
    context.grant();
    context.settle_markers();
    assert_eq!(context.state(), TransactionState::CompleteAbort);
    assert_eq!(context.end(first, true), Err(ProducerFenced));
}

#[test]
fn another_coordinator_finishes_what_was_decided() {
    let mut context = Context::new();
    let first = context.init(None).expect("a new id");
    context.add(first, 0).expect("added");
    context.end(first, true).expect("decided");
    let mut loaded = context.reloaded();
    assert_eq!(loaded.markers, context.markers);
    assert_eq!(loaded.init(None), Err(ConcurrentTransactions));
    loaded.settle_markers();
    assert_eq!(loaded.state(), TransactionState::CompleteCommit);
    assert_eq!(loaded.reloaded().markers, vec![]);
}

#[test]
fn a_completion_that_could_not_be_stored_is_tried_again() {
    let mut context = Context::new();
    let first = context.init(None).expect("a new id");
    context.add(first, 0).expect("added");
    context.end(first, true).expect("decided");
    let effects = context.shard.marker_settled(&"x".into(), &partition(0), context.now);
    context.perform(effects);
    context.refuse(AppendFailure::NotEnoughReplicas);
    assert_eq!(context.add(first, 0), Err(ConcurrentTransactions));
    assert_eq!(context.shard.incomplete(), 1);
    let effects = context.shard.retry_completions();
    context.perform(effects);
    context.grant();
    assert_eq!(context.state(), TransactionState::CompleteCommit);
}

#[test]
fn verification_of_partitions() {
    let mut context = Context::new();
    let first = context.init(None).expect("a new id");
    context.add(first, 0).expect("added");
    let verify =
        |producer, index| VerifyPartitions { id: "x".into(), producer, partitions: vec![partition(index)] };
    assert_eq!(context.shard.verify_partitions(&verify(first, 0)), Ok(vec![(partition(0), Ok(()))]));
    assert_eq!(
        context.shard.verify_partitions(&verify(first, 1)),
        Ok(vec![(partition(1), Err(TransactionAbortable))])
    );
    assert_eq!(context.shard.verify_partitions(&verify(producer(101, 9), 0)), Err(ProducerFenced));
    assert_eq!(context.shard.verify_partitions(&verify(producer(1, 0), 0)), Err(InvalidProducerIdMapping));
    context.end(first, true).expect("decided");
    assert_eq!(context.shard.verify_partitions(&verify(first, 0)), Err(ConcurrentTransactions));
}

#[test]
fn idle_ids_are_forgotten() {
    let mut context = Context::new();
    context.init(None).expect("a new id");
    context.now = context.now + TransactionConfig::default().id_expiration_ms;
    let effects = context.shard.forget_idle(context.now);
    context.perform(effects);
    assert!(context.appends[0].1.value.is_none());
    context.grant();
    assert_eq!(context.shard.describe(&"x".into()), Err(TransactionalIdNotFound));
    assert_eq!(context.init(None), Ok(producer(102, 0)));
}
