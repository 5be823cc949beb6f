//! Every state of a transactional id by every request, timer and marker: what is answered, and where the id stands when
//! all appends that were asked for are in the log. A dead id is forgotten as soon as its tombstone is there, so its column
//! is what a later request meets.

use Outcome::{Done, Refused};
use TransactionState::*;

use super::*;

/// The columns.
const STATES: [TransactionState; 8] =
    [Dead, Empty, Ongoing, PrepareCommit, PrepareAbort, CompleteCommit, CompleteAbort, PrepareEpochFence];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    Refused(TransactionError),
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// The producer that has the id.
    Current,
    /// The epoch that the current one was asked for with: its answer may have been lost.
    Last,
    /// An older epoch.
    Older,
    /// Another producer id.
    Other,
}

use Who::{Current, Last, Older, Other};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    /// InitProducerId of a producer that starts.
    Init,
    /// InitProducerId of a producer that asks for its next epoch.
    InitFrom(Who),
    AddPartitions(Who),
    /// AddOffsetsToTxn.
    AddOffsets(Who),
    /// AddPartitionsToTxn that asks whether a partition is in.
    Verify(Who),
    VerifyOther,
    Commit(Who),
    Abort(Who),
    TransactionTimesOut,
    IdExpires,
    FirstMarker,
    AllMarkers,
    /// Another broker reads the log.
    Moves,
}

/// A transactional id in one of the states; its transaction writes `orders-0` and `orders-1`.
struct Fixture {
    context: Context,
    producer: Producer,
}

impl Fixture {
    fn in_state(state: TransactionState) -> Fixture {
        let mut context = Context::new();
        let first = context.init(None).expect("a new id");
        let second = context.init(Some(first)).expect("the next epoch");
        let producer = context.init(Some(second)).expect("the next epoch");
        let mut fixture = Fixture { context, producer };
        fixture.bring_to(state);
        fixture
    }

    fn bring_to(&mut self, state: TransactionState) {
        match state {
            Empty => return,
            Dead => {
                self.ask(Request::IdExpires);
                return;
            }
            _ => {
                for index in [0, 1] {
                    self.context.add(self.producer, index).expect("added");
                }
            }
        }
        match state {
            PrepareCommit | CompleteCommit => self.ask(Request::Commit(Current)),
            PrepareAbort | CompleteAbort => self.ask(Request::Abort(Current)),
            _ => Done,
        };
        match state {
            CompleteCommit | CompleteAbort => self.context.settle_markers(),
            // The record that fences is on its way.
            PrepareEpochFence => {
                self.context.start_init(None);
            }
            _ => {}
        }
    }

    fn id(&self, who: Who) -> Producer {
        let (id, ProducerEpoch(epoch)) = self.producer;
        match who {
            Current => (id, ProducerEpoch(epoch)),
            Last => (id, ProducerEpoch(epoch - 1)),
            Older => (id, ProducerEpoch(epoch - 2)),
            Other => (ProducerId(7), ProducerEpoch(epoch)),
        }
    }

    fn outcome(&mut self, request: RequestId) -> Outcome {
        self.context.grant();
        let error = match &self.context.replies[&request] {
            TransactionReply::Init(result) => result.err(),
            TransactionReply::Done(result) => result.err(),
        };
        error.map_or(Done, Refused)
    }

    fn done(&mut self, effects: Vec<TransactionEffect>) -> Outcome {
        self.context.perform(effects);
        self.context.grant();
        Done
    }

    fn verify(&mut self, who: Who, index: i32) -> Outcome {
        let partitions = vec![partition(index)];
        let verify = VerifyPartitions { id: "x".into(), producer: self.id(who), partitions };
        let verified = self.context.shard.verify_partitions(&verify);
        self.context.grant();
        verified.and_then(|verified| verified[0].1).map_or_else(Refused, |()| Done)
    }

    fn ask(&mut self, request: Request) -> Outcome {
        let now = self.context.now;
        match request {
            Request::Init => {
                let request = self.context.start_init(None);
                self.outcome(request)
            }
            Request::InitFrom(who) => {
                let request = self.context.start_init(Some(self.id(who)));
                self.outcome(request)
            }
            Request::AddPartitions(who) => {
                let request = self.context.start_add(self.id(who), 2);
                self.outcome(request)
            }
            Request::AddOffsets(who) => {
                let request = self.context.request();
                let partitions = vec![TopicPartition::new("__consumer_offsets", 3)];
                let add = AddPartitions { id: "x".into(), producer: self.id(who), partitions };
                let effects = self.context.shard.add_partitions(request, add, now);
                self.context.perform(effects);
                self.outcome(request)
            }
            Request::Verify(who) => self.verify(who, 1),
            Request::VerifyOther => self.verify(Current, 2),
            Request::Commit(who) => {
                let request = self.context.start_end(self.id(who), true);
                self.outcome(request)
            }
            Request::Abort(who) => {
                let request = self.context.start_end(self.id(who), false);
                self.outcome(request)
            }
            Request::TransactionTimesOut => {
                let effects = self.context.shard.abort_timed_out(now + 60_001);
                self.done(effects)
            }
            Request::IdExpires => {
                let later = now + TransactionConfig::default().id_expiration_ms;
                let effects = self.context.shard.forget_idle(later);
                self.done(effects)
            }
            Request::FirstMarker => {
                let effects = self.context.shard.marker_settled(&"x".into(), &partition(0), now);
                self.done(effects)
            }
            Request::AllMarkers => {
                self.ask(Request::FirstMarker);
                let effects = self.context.shard.marker_settled(&"x".into(), &partition(1), now);
                self.done(effects)
            }
            Request::Moves => {
                let decided = self.context.markers.pop();
                self.context = self.context.reloaded();
                let is_decided = matches!(self.state(), PrepareCommit | PrepareAbort);
                assert_eq!(self.context.markers.pop(), decided.filter(|_| is_decided));
                Done
            }
        }
    }

    fn state(&self) -> TransactionState {
        let described = self.context.shard.describe(&"x".into());
        described.map_or(Dead, |described| described.state)
    }
}

type Row = (Request, [(Outcome, TransactionState); 8]);

#[track_caller]
fn check(table: &[Row]) {
    for (request, expected) in table {
        for (state, expected) in STATES.into_iter().zip(expected) {
            let mut fixture = Fixture::in_state(state);
            let outcome = fixture.ask(*request);
            assert_eq!((outcome, fixture.state()), *expected, "{request:?} of an id that is {state:?}");
        }
    }
}

/// Refused alike, and nothing changes, but that a fence that was on its way is in the log by now.
const fn refused(errors: [TransactionError; 8]) -> [(Outcome, TransactionState); 8] {
    let [dead, empty, ongoing, commit, abort, committed, aborted, fencing] = errors;
    [
        (Refused(dead), Dead),
        (Refused(empty), Empty),
        (Refused(ongoing), Ongoing),
        (Refused(commit), PrepareCommit),
        (Refused(abort), PrepareAbort),
        (Refused(committed), CompleteCommit),
        (Refused(aborted), CompleteAbort),
        (Refused(fencing), PrepareAbort),
    ]
}

const fn fenced() -> [(Outcome, TransactionState); 8] {
    let mut errors = [ProducerFenced; 8];
    errors[0] = InvalidProducerIdMapping;
    refused(errors)
}

/// The markers are on their way, or a record is.
const WAIT: Outcome = Refused(ConcurrentTransactions);

#[test]
#[rustfmt::skip]
fn init_producer_id() {
    const NEW: (Outcome, TransactionState) = (Done, Empty);
    const OUT: Outcome = Refused(ProducerFenced);
    const COMMIT: (Outcome, TransactionState) = (WAIT, PrepareCommit);
    const ABORT: (Outcome, TransactionState) = (WAIT, PrepareAbort);
    check(&[
        //                            dead  empty         ongoing  prepare-  prepare-  complete-              complete-             fencing
        //                                                         commit    abort     commit                 abort
        (Request::Init,              [NEW,  NEW,          ABORT,   COMMIT,   ABORT,    NEW,                   NEW,                  ABORT]),
        (Request::InitFrom(Current), [NEW,  NEW,          ABORT,   COMMIT,   ABORT,    NEW,                   NEW,                  ABORT]),
        (Request::InitFrom(Last),    [NEW,  NEW,          ABORT,   COMMIT,   ABORT,    NEW,                   NEW,                  ABORT]),
        (Request::InitFrom(Older),   [NEW,  (OUT, Empty), ABORT,   COMMIT,   ABORT,    (OUT, CompleteCommit), (OUT, CompleteAbort), ABORT]),
        (Request::InitFrom(Other),   [NEW,  (OUT, Empty), (OUT, Ongoing), COMMIT, ABORT, (OUT, CompleteCommit), (OUT, CompleteAbort), ABORT]),
    ]);
}

#[test]
#[rustfmt::skip]
fn add_partitions_and_offsets() {
    const NO: (Outcome, TransactionState) = (Refused(InvalidProducerIdMapping), Dead);
    const IN: (Outcome, TransactionState) = (Done, Ongoing);
    const COMMIT: (Outcome, TransactionState) = (WAIT, PrepareCommit);
    const ABORT: (Outcome, TransactionState) = (WAIT, PrepareAbort);
    const OUT: (Outcome, TransactionState) = (Refused(ProducerFenced), PrepareAbort);
    check(&[
        //                                 dead  empty  ongoing  prepare-  prepare-  complete-  complete-  fencing
        (Request::AddPartitions(Current), [NO,   IN,    IN,      COMMIT,   ABORT,    IN,        IN,        OUT]),
        (Request::AddPartitions(Last),    fenced()),
        (Request::AddPartitions(Other),   refused([InvalidProducerIdMapping; 8])),
        (Request::AddOffsets(Current),    [NO,   IN,    IN,      COMMIT,   ABORT,    IN,        IN,        OUT]),
        (Request::AddOffsets(Last),       fenced()),
        (Request::AddOffsets(Other),      refused([InvalidProducerIdMapping; 8])),
    ]);
}

#[test]
#[rustfmt::skip]
fn verify_partitions() {
    const NOT_IN: [TransactionError; 8] = [
        InvalidProducerIdMapping, TransactionAbortable, TransactionAbortable, ConcurrentTransactions,
        ConcurrentTransactions, TransactionAbortable, TransactionAbortable, ProducerFenced,
    ];
    let mut is_in = refused(NOT_IN);
    is_in[2] = (Done, Ongoing);
    check(&[
        (Request::Verify(Current), is_in),
        (Request::VerifyOther,     refused(NOT_IN)),
        (Request::Verify(Last),    fenced()),
        (Request::Verify(Other),   refused([InvalidProducerIdMapping; 8])),
    ]);
}

#[test]
#[rustfmt::skip]
fn end_txn() {
    const NO: (Outcome, TransactionState) = (Refused(InvalidProducerIdMapping), Dead);
    const BAD: Outcome = Refused(InvalidTxnState);
    const COMMIT: (Outcome, TransactionState) = (WAIT, PrepareCommit);
    const ABORT: (Outcome, TransactionState) = (WAIT, PrepareAbort);
    const OUT: (Outcome, TransactionState) = (Refused(ProducerFenced), PrepareAbort);
    check(&[
        //                          dead  empty         ongoing                prepare-  prepare-  complete-               complete-              fencing
        (Request::Commit(Current), [NO,   (BAD, Empty), (Done, PrepareCommit), COMMIT,   ABORT,    (Done, CompleteCommit), (BAD, CompleteAbort),  OUT]),
        (Request::Commit(Last),    fenced()),
        (Request::Commit(Other),   refused([InvalidProducerIdMapping; 8])),
        (Request::Abort(Current),  [NO,   (BAD, Empty), (Done, PrepareAbort),  COMMIT,   ABORT,    (BAD, CompleteCommit),  (Done, CompleteAbort), OUT]),
        (Request::Abort(Last),     fenced()),
        (Request::Abort(Other),    refused([InvalidProducerIdMapping; 8])),
    ]);
}

#[test]
fn time_markers_and_moves() {
    fn becomes(states: [TransactionState; 8]) -> [(Outcome, TransactionState); 8] {
        states.map(|state| (Done, state))
    }
    check(&[
        (
            Request::TransactionTimesOut,
            becomes([
                Dead,
                Empty,
                PrepareAbort,
                PrepareCommit,
                PrepareAbort,
                CompleteCommit,
                CompleteAbort,
                PrepareAbort,
            ]),
        ),
        (
            Request::IdExpires,
            becomes([Dead, Dead, Ongoing, PrepareCommit, PrepareAbort, Dead, Dead, PrepareAbort]),
        ),
        (
            Request::FirstMarker,
            becomes([
                Dead,
                Empty,
                Ongoing,
                PrepareCommit,
                PrepareAbort,
                CompleteCommit,
                CompleteAbort,
                PrepareAbort,
            ]),
        ),
        (
            Request::AllMarkers,
            becomes([
                Dead,
                Empty,
                Ongoing,
                CompleteCommit,
                CompleteAbort,
                CompleteCommit,
                CompleteAbort,
                // What comes before the decision is not its answer.
                PrepareAbort,
            ]),
        ),
        (
            Request::Moves,
            becomes([
                Dead,
                Empty,
                Ongoing,
                PrepareCommit,
                PrepareAbort,
                CompleteCommit,
                CompleteAbort,
                Ongoing,
            ]),
        ),
    ]);
}

#[test]
fn a_failed_append_leaves_every_state_as_it_was() {
    const FAILURES: [(AppendFailure, TransactionError); 8] = [
        (AppendFailure::UnknownTopicOrPartition, CoordinatorNotAvailable),
        (AppendFailure::NotEnoughReplicas, CoordinatorNotAvailable),
        (AppendFailure::NotEnoughReplicasAfterAppend, CoordinatorNotAvailable),
        (AppendFailure::RequestTimedOut, CoordinatorNotAvailable),
        (AppendFailure::NotLeaderOrFollower, NotCoordinator),
        (AppendFailure::KafkaStorageError, NotCoordinator),
        (AppendFailure::MessageTooLarge, UnknownServerError),
        (AppendFailure::RecordListTooLarge, UnknownServerError),
    ];
    for (failure, error) in FAILURES {
        for state in [Empty, Ongoing, CompleteCommit, CompleteAbort] {
            let mut fixture = Fixture::in_state(state);
            let producer = fixture.producer;
            let requests = [
                fixture.context.start_init(None),
                fixture.context.start_add(producer, 2),
                fixture.context.start_end(producer, true),
            ];
            fixture.context.refuse(failure);
            assert_eq!(fixture.state(), state, "{failure:?}");
            let init = &fixture.context.replies[&requests[0]];
            assert_eq!(*init, TransactionReply::Init(Err(error)), "{failure:?} in {state:?}");
            let add = fixture.context.start_add(producer, 3);
            fixture.context.grant();
            let expected = if state == Ongoing { Err(ProducerFenced) } else { Ok(()) };
            assert_eq!(
                fixture.context.done(add),
                expected,
                "nothing is pending; an epoch once raised stays so"
            );
        }
    }
}
