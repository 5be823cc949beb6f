//! Every state of a consumer group (KIP-848) by every request and timer: what is answered, and where the group stands
//! afterwards. A group that is gone is one that nobody has heard of.

use GroupError::*;
use Outcome::{Done, Offset as Found, Refused};
use State::{Assigning, Dead, Empty, Reconciling, Stable};
use Who::{Member, Newcomer, Nobody, Stranger};

use super::consumers::{heartbeat, joining};
use super::*;
use crate::group::consumer::ConsumerGroupConfig;
use crate::group::consumer::request::ConsumerHeartbeat;

/// Where a group stands, in the order of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Dead,
    Empty,
    Assigning,
    Reconciling,
    Stable,
}

const STATES: [State; 5] = [Dead, Empty, Assigning, Reconciling, Stable];

/// What becomes of a request once every append it asked for is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    Refused(GroupError),
    Offset(Option<i64>),
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// `a`, where it is in the group.
    Member,
    /// Who wants to be in it.
    Newcomer,
    /// Who thinks that it is in it.
    Stranger,
    /// No member id, and no epoch.
    Nobody,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    Join(Who),
    Beat(Who),
    BeatOfOldEpoch,
    BeatOfLaterEpoch,
    Leave(Who),
    /// A JoinGroup of another protocol type.
    JoinConnect,
    Commit(Who),
    CommitOfOldEpoch,
    CommitInTransaction(Who),
    CommitInTransactionOfOldEpoch,
    Fetch(Who),
    FetchOfOldEpoch,
    DeleteOffset(&'static str),
    Describe,
    Delete,
    SessionsEnd,
    RetentionEnds,
}

/// A group in one of the states. Its member `a` has the epoch given, and the group an offset of `orders` and one of a topic
/// that nobody subscribes to.
struct Fixture {
    context: Context,
    epoch: i32,
}

impl Fixture {
    fn in_state(state: State) -> Fixture {
        let mut context = Context::consumers(ConsumerGroupConfig::default());
        let mut fixture = match state {
            Dead => return Fixture { context, epoch: 1 },
            Empty | Reconciling => {
                context.join_consumer("a");
                Fixture { context, epoch: 1 }
            }
            Assigning | Stable => {
                context.pair();
                Fixture { context, epoch: 2 }
            }
        };
        fixture.store_offsets();
        match state {
            Empty => fixture.leave("a"),
            Assigning => fixture.leave("b"),
            Reconciling => drop(fixture.context.join_consumer("b")),
            Dead | Stable => {}
        }
        assert_eq!(fixture.state(), state);
        fixture
    }

    fn store_offsets(&mut self) {
        let mut commit = Context::commit_request(claim(&"a".into(), self.epoch), None, 5);
        commit.member_epoch_known = true;
        let mut other = commit.offsets[0].clone();
        other.partition = TopicPartition::new("other", 0);
        commit.offsets.push(other);
        let request = self.context.request();
        let effects = self.context.shard.commit(request, commit, self.context.now);
        self.context.perform(effects);
        self.context.grant();
        assert_eq!(self.context.committed(request), Ok(()));
    }

    fn leave(&mut self, member: &str) {
        self.context.beat(&heartbeat(member, -1)).expect("a member");
    }

    fn state(&self) -> State {
        match self.context.shard.describe_consumers(&group()).map(|described| described.state) {
            Err(_) => Dead,
            Ok("Empty") => Empty,
            Ok("Assigning") => Assigning,
            Ok("Reconciling") => Reconciling,
            Ok("Stable") => Stable,
            Ok(other) => panic!("no state is called {other}"),
        }
    }

    fn name(who: Who) -> &'static str {
        match who {
            Member => "a",
            Newcomer => "n",
            Stranger => "x",
            Nobody => "",
        }
    }

    fn claim(&self, who: Who, epoch: i32) -> Claim {
        claim(&Fixture::name(who).into(), if who == Nobody { -1 } else { epoch })
    }

    fn beat(&mut self, beat: &ConsumerHeartbeat) -> Outcome {
        self.context.beat(beat).map_or_else(Refused, |_| Done)
    }

    fn commit(&mut self, claim: Claim, producer: Option<i64>) -> Outcome {
        let request = self.context.commit_knowing_epochs(claim, producer);
        self.context.grant();
        self.context.committed(request).map_or_else(Refused, |()| Done)
    }

    fn fetch(&self, who: Who, epoch: i32) -> Outcome {
        let Claim { member, generation, .. } = self.claim(who, epoch);
        let member = Some(&member).filter(|member| !member.is_empty());
        match self.context.shard.check_fetch(&group(), member, generation) {
            Ok(()) => self.context.fetch(true).map_or_else(Refused, Found),
            Err(error) => Refused(error),
        }
    }

    fn called<T>(&mut self, (result, effects): (Result<T, GroupError>, Vec<Effect>)) -> Outcome {
        self.context.perform(effects);
        self.context.grant();
        result.map_or_else(Refused, |_| Done)
    }

    fn ask(&mut self, request: Request) -> Outcome {
        let (now, epoch) = (self.context.now, self.epoch);
        match request {
            Request::Join(who) => self.beat(&joining(Fixture::name(who))),
            Request::Beat(who) => self.beat(&heartbeat(Fixture::name(who), epoch)),
            Request::BeatOfOldEpoch => self.beat(&heartbeat("a", epoch - 1)),
            Request::BeatOfLaterEpoch => self.beat(&heartbeat("a", epoch + 1)),
            Request::Leave(who) => self.beat(&heartbeat(Fixture::name(who), -1)),
            Request::JoinConnect => {
                let request = self.context.join_with(|join| join.protocol_type = "connect".into());
                self.context.grant();
                let error = self.context.replies.get(&request).map(|_| self.context.joined(request).error);
                error.flatten().map_or(Done, Refused)
            }
            Request::Commit(who) => self.commit(self.claim(who, epoch), None),
            Request::CommitOfOldEpoch => self.commit(self.claim(Member, epoch - 1), None),
            Request::CommitInTransaction(who) => self.commit(self.claim(who, epoch), Some(9)),
            Request::CommitInTransactionOfOldEpoch => self.commit(self.claim(Member, epoch - 1), Some(9)),
            Request::Fetch(who) => self.fetch(who, epoch),
            Request::FetchOfOldEpoch => self.fetch(Member, epoch - 1),
            Request::DeleteOffset(topic) => {
                let partitions = vec![TopicPartition::new(topic, 0)];
                let (results, effects) = self.context.shard.delete_offsets(&group(), partitions, now);
                self.called((results.and_then(|results| results[0].1), effects))
            }
            Request::Describe => {
                self.context.shard.describe_consumers(&group()).map_or_else(Refused, |_| Done)
            }
            Request::Delete => {
                let deleted = self.context.shard.delete(&group(), now);
                self.called(deleted)
            }
            Request::SessionsEnd => {
                self.context.advance(45_000);
                self.context.grant();
                Done
            }
            Request::RetentionEnds => {
                let later = now + GroupConfig::default().offsets_retention_ms;
                let effects = self.context.shard.expire(later);
                self.called::<()>((Ok(()), effects))
            }
        }
    }
}

type Row = (Request, [(Outcome, State); 5]);

#[track_caller]
fn check(table: &[Row]) {
    let mut wrong = Vec::new();
    for (request, expected) in table {
        for (state, expected) in STATES.into_iter().zip(expected) {
            let mut fixture = Fixture::in_state(state);
            let outcome = fixture.ask(*request);
            let found = (outcome, fixture.state());
            if found != *expected {
                wrong.push(format!("{request:?} of a group that is {state:?}: {found:?}, not {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Refused alike, and nothing changes.
const fn refused(errors: [GroupError; 5]) -> [(Outcome, State); 5] {
    let [dead, empty, assigning, reconciling, stable] = errors;
    [
        (Refused(dead), Dead),
        (Refused(empty), Empty),
        (Refused(assigning), Assigning),
        (Refused(reconciling), Reconciling),
        (Refused(stable), Stable),
    ]
}

const UNKNOWN: [(Outcome, State); 5] =
    refused([GroupIdNotFound, UnknownMemberId, UnknownMemberId, UnknownMemberId, UnknownMemberId]);

#[test]
#[rustfmt::skip]
fn heartbeats() {
    const FENCED: Outcome = Refused(FencedMemberEpoch);
    const LITTLE: Outcome = Refused(InvalidRequest);
    const OTHER: Outcome = Refused(InconsistentGroupProtocol);
    const NONE: (Outcome, State) = (Refused(GroupIdNotFound), Dead);
    const NO: (Outcome, State) = (Refused(UnknownMemberId), Empty);
    check(&[
        //                              dead             empty            assigning             reconciling            stable
        (Request::Join(Newcomer),      [(Done, Stable),  (Done, Stable),  (Done, Reconciling),  (Done, Reconciling),   (Done, Reconciling)]),
        // In the epoch after it joined, its answer may have been lost.
        (Request::Join(Member),        [(Done, Stable),  (Done, Stable),  (FENCED, Assigning),  (Done, Reconciling),   (FENCED, Stable)]),
        (Request::Beat(Member),        [NONE,            NO,              (Done, Stable),       (Done, Reconciling),   (Done, Stable)]),
        // The epoch before the first is that of who joins, and has to say more.
        (Request::BeatOfOldEpoch,      [(LITTLE, Dead),  (LITTLE, Empty), (FENCED, Assigning),  (LITTLE, Reconciling), (FENCED, Stable)]),
        (Request::BeatOfLaterEpoch,    [NONE,            NO,              (FENCED, Assigning),  (FENCED, Reconciling), (FENCED, Stable)]),
        (Request::Beat(Stranger),      UNKNOWN),
        (Request::Leave(Member),       [NONE,            NO,              (Done, Empty),        (Done, Assigning),     (Done, Assigning)]),
        (Request::Leave(Stranger),     UNKNOWN),
        // An empty group becomes what its first member is.
        (Request::JoinConnect,         [(Done, Dead),    (Done, Dead),    (OTHER, Assigning),   (OTHER, Reconciling),  (OTHER, Stable)]),
    ]);
}

#[test]
#[rustfmt::skip]
fn offsets() {
    const NO: Outcome = Refused(UnknownMemberId);
    const STALE: Outcome = Refused(StaleMemberEpoch);
    const OLD: Outcome = Refused(IllegalGeneration);
    const OFFSET: Outcome = Found(Some(5));
    check(&[
        //                                         dead                      empty            assigning            reconciling            stable
        (Request::Commit(Member),                 [(OLD, Dead),              (NO, Empty),     (Done, Assigning),   (Done, Reconciling),   (Done, Stable)]),
        (Request::CommitOfOldEpoch,               [(OLD, Dead),              (NO, Empty),     (STALE, Assigning),  (STALE, Reconciling),  (STALE, Stable)]),
        (Request::Commit(Stranger),               [(OLD, Dead),              (NO, Empty),     (NO, Assigning),     (NO, Reconciling),     (NO, Stable)]),
        (Request::Commit(Nobody),                 [(Done, Dead),             (Done, Empty),   (NO, Assigning),     (NO, Reconciling),     (NO, Stable)]),
        (Request::CommitInTransaction(Member),    [(NO, Dead),               (NO, Empty),     (Done, Assigning),   (Done, Reconciling),   (Done, Stable)]),
        (Request::CommitInTransactionOfOldEpoch,  [(NO, Dead),               (NO, Empty),     (OLD, Assigning),    (OLD, Reconciling),    (OLD, Stable)]),
        (Request::CommitInTransaction(Nobody),    [(Done, Dead),             (Done, Empty),   (NO, Assigning),     (NO, Reconciling),     (NO, Stable)]),
        (Request::Fetch(Member),                  [(Found(None), Dead),      (NO, Empty),     (OFFSET, Assigning), (OFFSET, Reconciling), (OFFSET, Stable)]),
        (Request::FetchOfOldEpoch,                [(Found(None), Dead),      (NO, Empty),     (STALE, Assigning),  (STALE, Reconciling),  (STALE, Stable)]),
        (Request::Fetch(Stranger),                [(Found(None), Dead),      (NO, Empty),     (NO, Assigning),     (NO, Reconciling),     (NO, Stable)]),
        (Request::Fetch(Nobody),                  [(Found(None), Dead),      (OFFSET, Empty), (OFFSET, Assigning), (OFFSET, Reconciling), (OFFSET, Stable)]),
    ]);
}

#[test]
#[rustfmt::skip]
fn administration_and_time() {
    const NONE: (Outcome, State) = (Refused(GroupIdNotFound), Dead);
    const IN_USE: Outcome = Refused(GroupSubscribedToTopic);
    const MEMBERS: Outcome = Refused(NonEmptyGroup);
    check(&[
        //                                   dead          empty           assigning             reconciling             stable
        (Request::DeleteOffset("orders"),   [NONE,         (Done, Empty),  (IN_USE, Assigning),  (IN_USE, Reconciling),  (IN_USE, Stable)]),
        (Request::DeleteOffset("other"),    [NONE,         (Done, Empty),  (Done, Assigning),    (Done, Reconciling),    (Done, Stable)]),
        (Request::Describe,                 [NONE,         (Done, Empty),  (Done, Assigning),    (Done, Reconciling),    (Done, Stable)]),
        (Request::Delete,                   [NONE,         (Done, Dead),   (MEMBERS, Assigning), (MEMBERS, Reconciling), (MEMBERS, Stable)]),
        (Request::SessionsEnd,              [(Done, Dead), (Done, Empty),  (Done, Empty),        (Done, Empty),          (Done, Empty)]),
        (Request::RetentionEnds,            [(Done, Dead), (Done, Dead),   (Done, Assigning),    (Done, Reconciling),    (Done, Stable)]),
    ]);
}
