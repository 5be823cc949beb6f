//! Every state of a classic group by every request and timer: what is answered, and where the group stands afterwards.
//! A dead group is dropped in the very turn in which it dies, so its column is what a later request meets.

use GroupError::*;
use Outcome::{Done, Offset as Found, Refused, Waits};
use State::{Completing, Dead, Empty, Preparing, Stable};

use super::*;

/// Where a group stands, in the order of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Dead,
    Empty,
    Preparing,
    Completing,
    Stable,
}

const STATES: [State; 5] = [Dead, Empty, Preparing, Completing, Stable];

impl State {
    fn named(name: &str) -> State {
        match name {
            "Dead" => Dead,
            "Empty" => Empty,
            "PreparingRebalance" => Preparing,
            "CompletingRebalance" => Completing,
            "Stable" => Stable,
            other => panic!("no state is called {other}"),
        }
    }
}

/// What becomes of a request once every append it asked for is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    Waits,
    Refused(GroupError),
    Offset(Option<i64>),
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Leader,
    Follower,
    /// A static member, under its id.
    Static,
    /// The static member's instance id, under another member id.
    Zombie,
    /// An id that the coordinator gave out, and that has not joined yet.
    Pending,
    Stranger,
    /// No member id.
    Nobody,
}

use Who::{Follower, Leader, Nobody, Pending, Static, Stranger, Zombie};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    /// With the protocols and metadata that it had.
    Join(Who),
    /// A dynamic member of a client that knows KIP-394.
    JoinForId,
    /// A static member of an instance that is not in the group; that is; that is, with fewer protocols.
    JoinStatic(&'static str, &'static [&'static str]),
    /// With other metadata.
    JoinChanged(Who),
    JoinOtherType,
    JoinNoType,
    JoinOtherProtocol,
    Sync(Who),
    SyncOldGeneration,
    SyncOtherProtocol,
    Heartbeat(Who),
    HeartbeatOldGeneration,
    Leave(Who),
    /// By an administrator, who names the instance.
    LeaveInstance(&'static str),
    Commit(Who),
    CommitOldGeneration,
    CommitNoGeneration,
    CommitInTransaction(Who),
    CommitInTransactionOldGeneration,
    Fetch,
    DeleteOffset(&'static str),
    Describe,
    Delete,
    SessionEnds(Who),
    JoinPhaseEnds,
    SyncPhaseEnds,
    RetentionEnds,
}

/// A group in one of the states: a leader, a follower and the static member `i`, which support `range` and `roundrobin`,
/// subscribe to `orders` and have joined once. While it prepares, the leader alone has joined again.
struct Fixture {
    context: Context,
    leader: MemberId,
    follower: MemberId,
    fixed: MemberId,
    pending: MemberId,
    generation: i32,
}

const SUBSCRIPTION: &[u8] = b"\0\0\0\0\0\x01\0\x06orders\xff\xff\xff\xff";
const BOTH: &[&str] = &["range", "roundrobin"];

fn protocols(names: &[&str], metadata: &'static [u8]) -> Vec<Protocol> {
    let protocol = |name: &&str| Protocol { name: (*name).into(), metadata: Bytes::from_static(metadata) };
    names.iter().map(protocol).collect()
}

impl Fixture {
    fn in_state(state: State) -> Fixture {
        let mut context = Context::new();
        let join = |context: &mut Context, instance: Option<&str>| {
            context.join_with(|join| {
                join.protocols = protocols(BOTH, SUBSCRIPTION);
                join.instance = instance.map(InstanceId::from);
            })
        };
        let joins = [None, None, Some("i")].map(|instance| join(&mut context, instance));
        context.advance(6_000);
        let [leader, follower, fixed] = joins.map(|request| context.joined(request).member.clone());
        let pending = MemberId::from("c-given-out");
        let mut fixture = Fixture { context, leader, follower, fixed, pending, generation: 1 };
        fixture.synchronize();
        fixture.store_offsets();
        fixture.bring_to(state);
        assert_eq!(State::named(fixture.context.state()), state);
        fixture
    }

    fn synchronize(&mut self) {
        for who in [Leader, Follower, Static] {
            self.ask(Request::Sync(who));
        }
    }

    /// One of `orders`, and one of a topic that nobody subscribes to.
    fn store_offsets(&mut self) {
        let mut commit = Context::commit_request(self.claim(Leader), None, 5);
        let mut other = commit.offsets[0].clone();
        other.partition = TopicPartition::new("other", 0);
        commit.offsets.push(other);
        let request = self.context.request();
        let effects = self.context.shard.commit(request, commit, self.context.now);
        self.context.perform(effects);
        self.context.grant();
    }

    fn bring_to(&mut self, state: State) {
        match state {
            Stable => {}
            Preparing => {
                self.ask(Request::Join(Leader));
            }
            Completing => {
                for who in [Leader, Follower, Static] {
                    self.ask(Request::Join(who));
                }
                self.generation = 2;
            }
            Empty | Dead => {
                for who in [Leader, Follower, Static] {
                    self.ask(Request::Leave(who));
                }
                if state == Dead {
                    self.ask(Request::Delete);
                }
            }
        }
    }

    fn id(&self, who: Who) -> MemberId {
        match who {
            Leader => self.leader.clone(),
            Follower => self.follower.clone(),
            Static => self.fixed.clone(),
            Pending => self.pending.clone(),
            Zombie | Stranger => "c-stranger".into(),
            Nobody => "".into(),
        }
    }

    fn claim(&self, who: Who) -> Claim {
        let instance = matches!(who, Static | Zombie).then(|| InstanceId::from("i"));
        let generation = if who == Nobody { -1 } else { self.generation };
        Claim { instance, ..claim(&self.id(who), generation) }
    }

    fn old_claim(&self) -> Claim {
        Claim { generation: self.generation - 1, ..self.claim(Follower) }
    }

    /// Has an id given out, to a group that lives.
    fn give_out(&mut self) {
        let refused = self.context.join_with(|join| {
            join.protocols = protocols(BOTH, SUBSCRIPTION);
            join.member_id_required = true;
        });
        self.pending = self.context.joined(refused).member.clone();
    }

    fn join(&mut self, who: Who, change: impl FnOnce(&mut Join)) -> Outcome {
        let claim = self.claim(who);
        let request = self.context.join_with(|join| {
            join.protocols = protocols(BOTH, SUBSCRIPTION);
            (join.member, join.instance) = (claim.member, claim.instance);
            change(join);
        });
        self.outcome(request)
    }

    fn sync(&mut self, claim: Claim, protocol: Option<&str>) -> Outcome {
        let assignments = vec![(self.follower.clone(), Bytes::from_static(b"b"))];
        let sync = Sync { claim, protocol_type: None, protocol: protocol.map(Into::into), assignments };
        let request = self.context.request();
        let effects = self.context.shard.sync(request, sync, self.context.now);
        self.context.perform(effects);
        self.outcome(request)
    }

    fn commit(&mut self, claim: Claim, producer: Option<i64>) -> Outcome {
        let request = self.context.commit_as(claim, producer, 6);
        self.outcome(request)
    }

    fn outcome(&mut self, request: RequestId) -> Outcome {
        self.context.grant();
        let error = match self.context.replies.get(&request) {
            None => return Waits,
            Some(Reply::Join(joined)) => joined.error,
            Some(Reply::Sync(synced)) => synced.error,
            Some(Reply::Commit(results)) => results[0].1.err(),
            Some(Reply::Consumer(_)) => panic!("nobody asked this"),
        };
        error.map_or(Done, Refused)
    }

    fn called<T>(&mut self, (result, effects): (Result<T, GroupError>, Vec<Effect>)) -> Outcome {
        self.context.perform(effects);
        self.context.grant();
        result.map_or_else(Refused, |_| Done)
    }

    fn leave(&mut self, member: MemberId, instance: Option<InstanceId>) -> Outcome {
        let leaver = Leaver { member, instance };
        let (results, effects) = self.context.shard.leave(&group(), &[leaver], self.context.now);
        self.called((results[0], effects))
    }

    /// Lets time pass while those who are not named show that they live.
    fn silence(&mut self, ms: i64, silent: &[Who]) -> Outcome {
        let end = self.context.now + ms;
        while self.context.now < end {
            self.context.advance((end - self.context.now).min(5_000));
            for who in [Leader, Follower, Static].into_iter().filter(|who| !silent.contains(who)) {
                let claim = self.claim(who);
                let beat = self.context.shard.heartbeat(&claim, self.context.now);
                self.called(beat);
            }
        }
        self.context.grant();
        Done
    }

    fn ask(&mut self, request: Request) -> Outcome {
        let now = self.context.now;
        match request {
            Request::Join(who) => {
                if who == Pending && self.context.state() != "Dead" {
                    self.give_out();
                }
                self.join(who, |_| {})
            }
            Request::JoinForId => self.join(Nobody, |join| join.member_id_required = true),
            Request::JoinStatic(instance, names) => self.join(Nobody, |join| {
                join.instance = Some(instance.into());
                join.protocols = protocols(names, SUBSCRIPTION);
            }),
            Request::JoinChanged(who) => self.join(who, |join| join.protocols = protocols(BOTH, b"new")),
            Request::JoinOtherType => self.join(Nobody, |join| join.protocol_type = "connect".into()),
            Request::JoinNoType => self.join(Nobody, |join| join.protocol_type = "".into()),
            Request::JoinOtherProtocol => {
                self.join(Nobody, |join| join.protocols = protocols(&["sticky"], SUBSCRIPTION))
            }
            Request::Sync(who) => self.sync(self.claim(who), None),
            Request::SyncOldGeneration => self.sync(self.old_claim(), None),
            Request::SyncOtherProtocol => self.sync(self.claim(Follower), Some("roundrobin")),
            Request::Heartbeat(who) => {
                let beat = self.context.shard.heartbeat(&self.claim(who), now);
                self.called(beat)
            }
            Request::HeartbeatOldGeneration => {
                let beat = self.context.shard.heartbeat(&self.old_claim(), now);
                self.called(beat)
            }
            Request::Leave(who) => {
                if who == Pending && self.context.state() != "Dead" {
                    self.give_out();
                }
                let Claim { member, instance, .. } = self.claim(who);
                self.leave(member, instance)
            }
            Request::LeaveInstance(instance) => self.leave("".into(), Some(instance.into())),
            Request::Commit(who) => self.commit(self.claim(who), None),
            Request::CommitOldGeneration => self.commit(self.old_claim(), None),
            Request::CommitNoGeneration => {
                self.commit(Claim { generation: -1, ..self.claim(Follower) }, None)
            }
            Request::CommitInTransaction(who) => self.commit(self.claim(who), Some(9)),
            Request::CommitInTransactionOldGeneration => self.commit(self.old_claim(), Some(9)),
            Request::Fetch => self.context.fetch(true).map_or_else(Refused, Found),
            Request::DeleteOffset(topic) => {
                let partitions = vec![TopicPartition::new(topic, 0)];
                let (results, effects) = self.context.shard.delete_offsets(&group(), partitions, now);
                self.called((results.and_then(|results| results[0].1), effects))
            }
            Request::Describe => {
                assert!(self.context.shard.describe(&group()).members.len() <= 3);
                Done
            }
            Request::Delete => {
                let deleted = self.context.shard.delete(&group(), now);
                self.called(deleted)
            }
            Request::SessionEnds(who) => self.silence(10_001, &[who]),
            Request::JoinPhaseEnds | Request::SyncPhaseEnds => self.silence(60_001, &[]),
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
    for (request, expected) in table {
        for (state, expected) in STATES.into_iter().zip(expected) {
            let mut fixture = Fixture::in_state(state);
            let outcome = fixture.ask(*request);
            let after = State::named(fixture.context.state());
            assert_eq!((outcome, after), *expected, "{request:?} of a group that is {state:?}");
        }
    }
}

/// Refused alike, and nothing changes.
const fn refused(errors: [GroupError; 5]) -> [(Outcome, State); 5] {
    let [dead, empty, preparing, completing, stable] = errors;
    [
        (Refused(dead), Dead),
        (Refused(empty), Empty),
        (Refused(preparing), Preparing),
        (Refused(completing), Completing),
        (Refused(stable), Stable),
    ]
}

/// Nobody is known in a group without members; a stranger nowhere.
const UNKNOWN: [(Outcome, State); 5] = refused([UnknownMemberId; 5]);
const FENCED: [(Outcome, State); 5] =
    refused([UnknownMemberId, UnknownMemberId, FencedInstanceId, FencedInstanceId, FencedInstanceId]);
const OLD: [(Outcome, State); 5] =
    refused([UnknownMemberId, UnknownMemberId, IllegalGeneration, IllegalGeneration, IllegalGeneration]);

#[test]
#[rustfmt::skip]
fn join_group() {
    const NO: Outcome = Refused(UnknownMemberId);
    const ID: Outcome = Refused(MemberIdRequired);
    const OTHER: Outcome = Refused(InconsistentGroupProtocol);
    const WAITS: (Outcome, State) = (Waits, Preparing);
    check(&[
        //                                     dead               empty              preparing             completing             stable
        (Request::Join(Nobody),               [WAITS,             WAITS,             WAITS,                WAITS,                 WAITS]),
        (Request::JoinForId,                  [(ID, Empty),       (ID, Empty),       (ID, Preparing),      (ID, Completing),      (ID, Stable)]),
        (Request::JoinStatic("j", BOTH),      [WAITS,             WAITS,             WAITS,                WAITS,                 WAITS]),
        (Request::JoinStatic("i", BOTH),      [WAITS,             WAITS,             WAITS,                WAITS,                 (Done, Stable)]),
        (Request::JoinStatic("i", &["roundrobin"]),
                                              [WAITS,             WAITS,             WAITS,                WAITS,                 WAITS]),
        (Request::Join(Leader),               [(NO, Dead),        (NO, Empty),       WAITS,                (Done, Completing),    WAITS]),
        (Request::Join(Follower),             [(NO, Dead),        (NO, Empty),       WAITS,                (Done, Completing),    (Done, Stable)]),
        (Request::Join(Static),               [(NO, Dead),        (NO, Empty),       WAITS,                (Done, Completing),    (Done, Stable)]),
        (Request::JoinChanged(Follower),      [(NO, Dead),        (NO, Empty),       WAITS,                WAITS,                 WAITS]),
        (Request::Join(Pending),              [(NO, Dead),        WAITS,             WAITS,                WAITS,                 WAITS]),
        (Request::Join(Stranger),             UNKNOWN),
        (Request::Join(Zombie),               FENCED),
        (Request::JoinOtherType,              [WAITS,             WAITS,             (OTHER, Preparing),   (OTHER, Completing),   (OTHER, Stable)]),
        (Request::JoinNoType,                 [(OTHER, Empty),    (OTHER, Empty),    (OTHER, Preparing),   (OTHER, Completing),   (OTHER, Stable)]),
        (Request::JoinOtherProtocol,          [WAITS,             WAITS,             (OTHER, Preparing),   (OTHER, Completing),   (OTHER, Stable)]),
    ]);
}

#[test]
#[rustfmt::skip]
fn sync_group() {
    const NO: Outcome = Refused(UnknownMemberId);
    const AGAIN: Outcome = Refused(RebalanceInProgress);
    check(&[
        //                                dead           empty          preparing            completing             stable
        (Request::Sync(Leader),          [(NO, Dead),    (NO, Empty),   (AGAIN, Preparing),  (Done, Stable),        (Done, Stable)]),
        (Request::Sync(Follower),        [(NO, Dead),    (NO, Empty),   (AGAIN, Preparing),  (Waits, Completing),   (Done, Stable)]),
        (Request::Sync(Static),          [(NO, Dead),    (NO, Empty),   (AGAIN, Preparing),  (Waits, Completing),   (Done, Stable)]),
        (Request::Sync(Stranger),        UNKNOWN),
        (Request::Sync(Zombie),          FENCED),
        (Request::SyncOldGeneration,     OLD),
        (Request::SyncOtherProtocol,
            refused([UnknownMemberId, UnknownMemberId, InconsistentGroupProtocol, InconsistentGroupProtocol, InconsistentGroupProtocol])),
    ]);
}

#[test]
#[rustfmt::skip]
fn heartbeat() {
    const NO: Outcome = Refused(UnknownMemberId);
    const AGAIN: Outcome = Refused(RebalanceInProgress);
    check(&[
        //                                   dead          empty          preparing             completing            stable
        (Request::Heartbeat(Leader),        [(NO, Dead),   (NO, Empty),   (AGAIN, Preparing),   (Done, Completing),   (Done, Stable)]),
        (Request::Heartbeat(Follower),      [(NO, Dead),   (NO, Empty),   (AGAIN, Preparing),   (Done, Completing),   (Done, Stable)]),
        (Request::Heartbeat(Stranger),      UNKNOWN),
        (Request::Heartbeat(Zombie),        FENCED),
        (Request::HeartbeatOldGeneration,   OLD),
    ]);
}

#[test]
#[rustfmt::skip]
fn leave_group() {
    const NO: Outcome = Refused(UnknownMemberId);
    const LEFT: (Outcome, State) = (Done, Preparing);
    check(&[
        //                               dead          empty           preparing   completing            stable
        (Request::Leave(Leader),        [(NO, Dead),   (NO, Empty),    LEFT,       LEFT,                 LEFT]),
        (Request::Leave(Follower),      [(NO, Dead),   (NO, Empty),    LEFT,       LEFT,                 LEFT]),
        (Request::Leave(Static),        [(NO, Dead),   (NO, Empty),    LEFT,       LEFT,                 LEFT]),
        (Request::LeaveInstance("i"),   [(NO, Dead),   (NO, Empty),    LEFT,       LEFT,                 LEFT]),
        (Request::Leave(Pending),       [(NO, Dead),   (Done, Empty),  LEFT,       (Done, Completing),   (Done, Stable)]),
        (Request::LeaveInstance("j"),   UNKNOWN),
        (Request::Leave(Stranger),      UNKNOWN),
        (Request::Leave(Nobody),        UNKNOWN),
        (Request::Leave(Zombie),        FENCED),
    ]);
}

#[test]
#[rustfmt::skip]
fn offset_commit() {
    const NO: Outcome = Refused(UnknownMemberId);
    const OLD: Outcome = Refused(IllegalGeneration);
    const AGAIN: Outcome = Refused(RebalanceInProgress);
    const OUT: Outcome = Refused(FencedInstanceId);
    check(&[
        //                               dead            empty           preparing           completing            stable
        (Request::Commit(Leader),       [(OLD, Dead),    (NO, Empty),    (Done, Preparing),  (AGAIN, Completing),  (Done, Stable)]),
        (Request::Commit(Follower),     [(OLD, Dead),    (NO, Empty),    (Done, Preparing),  (AGAIN, Completing),  (Done, Stable)]),
        (Request::Commit(Static),       [(OLD, Dead),    (NO, Empty),    (Done, Preparing),  (AGAIN, Completing),  (Done, Stable)]),
        (Request::Commit(Stranger),     [(OLD, Dead),    (NO, Empty),    (NO, Preparing),    (NO, Completing),     (NO, Stable)]),
        (Request::Commit(Zombie),       [(OLD, Dead),    (NO, Empty),    (OUT, Preparing),   (OUT, Completing),    (OUT, Stable)]),
        (Request::CommitOldGeneration,  [(OLD, Dead),    (NO, Empty),    (OLD, Preparing),   (OLD, Completing),    (OLD, Stable)]),
        (Request::CommitNoGeneration,   [(Done, Empty),  (Done, Empty),  (OLD, Preparing),   (OLD, Completing),    (OLD, Stable)]),
        (Request::Commit(Nobody),       [(Done, Empty),  (Done, Empty),  (NO, Preparing),    (NO, Completing),     (NO, Stable)]),
    ]);
}

#[test]
#[rustfmt::skip]
fn txn_offset_commit() {
    const NO: Outcome = Refused(UnknownMemberId);
    const OLD: Outcome = Refused(IllegalGeneration);
    const OUT: Outcome = Refused(FencedInstanceId);
    check(&[
        //                                            dead            empty           preparing          completing          stable
        (Request::CommitInTransaction(Follower),     [(NO, Empty),    (NO, Empty),    (Done, Preparing), (Done, Completing), (Done, Stable)]),
        (Request::CommitInTransaction(Nobody),       [(Done, Empty),  (Done, Empty),  (Done, Preparing), (Done, Completing), (Done, Stable)]),
        (Request::CommitInTransaction(Stranger),     [(NO, Empty),    (NO, Empty),    (NO, Preparing),   (NO, Completing),   (NO, Stable)]),
        (Request::CommitInTransaction(Zombie),       [(NO, Empty),    (NO, Empty),    (OUT, Preparing),  (OUT, Completing),  (OUT, Stable)]),
        (Request::CommitInTransactionOldGeneration,  [(NO, Empty),    (NO, Empty),    (OLD, Preparing),  (OLD, Completing),  (OLD, Stable)]),
    ]);
}

#[test]
#[rustfmt::skip]
fn administration() {
    const NONE: (Outcome, State) = (Refused(GroupIdNotFound), Dead);
    const OFFSET: Outcome = Found(Some(5));
    const IN_USE: Outcome = Refused(GroupSubscribedToTopic);
    const MEMBERS: Outcome = Refused(NonEmptyGroup);
    check(&[
        //                                   dead                  empty             preparing              completing              stable
        (Request::Fetch,                    [(Found(None), Dead),  (OFFSET, Empty),  (OFFSET, Preparing),   (OFFSET, Completing),   (OFFSET, Stable)]),
        (Request::DeleteOffset("orders"),   [NONE,                 (Done, Empty),    (IN_USE, Preparing),   (IN_USE, Completing),   (IN_USE, Stable)]),
        (Request::DeleteOffset("other"),    [NONE,                 (Done, Empty),    (Done, Preparing),     (Done, Completing),     (Done, Stable)]),
        (Request::Describe,                 [(Done, Dead),         (Done, Empty),    (Done, Preparing),     (Done, Completing),     (Done, Stable)]),
        (Request::Delete,                   [NONE,                 (Done, Dead),     (MEMBERS, Preparing),  (MEMBERS, Completing),  (MEMBERS, Stable)]),
    ]);
}

#[test]
#[rustfmt::skip]
fn time() {
    check(&[
        //                                 dead           empty           preparing           completing            stable
        (Request::SessionEnds(Follower),  [(Done, Dead),  (Done, Empty),  (Done, Preparing),  (Done, Preparing),    (Done, Preparing)]),
        (Request::SessionEnds(Static),    [(Done, Dead),  (Done, Empty),  (Done, Preparing),  (Done, Preparing),    (Done, Preparing)]),
        (Request::JoinPhaseEnds,          [(Done, Dead),  (Done, Empty),  (Done, Completing), (Done, Empty),        (Done, Stable)]),
        (Request::SyncPhaseEnds,          [(Done, Dead),  (Done, Empty),  (Done, Completing), (Done, Empty),        (Done, Stable)]),
        (Request::RetentionEnds,          [(Done, Dead),  (Done, Dead),   (Done, Preparing),  (Done, Completing),   (Done, Stable)]),
    ]);
}

#[test]
fn a_group_of_another_protocol_type() {
    let mut context = Context::new();
    let connect = |join: &mut Join| join.protocol_type = "connect".into();
    let first = context.join_with(connect);
    context.advance(3_000);
    let member = context.joined(first).member.clone();
    context.sync(&member, 1, &[(&member, "a")]);
    context.grant();
    let described = context.shard.describe(&group());
    assert_eq!(
        (described.state, &*described.protocol_type, &*described.protocol),
        ("Stable", "connect", "range")
    );
    let commit = context.commit_as(claim(&member, 1), None, 5);
    context.grant();
    assert_eq!(context.committed(commit), Ok(()));
    let (results, _) = context.shard.delete_offsets(&group(), vec![partition(0)], context.now);
    assert_eq!(results, Err(NonEmptyGroup), "nobody but consumers says what it subscribes to");
    let week_ms = GroupConfig::default().offsets_retention_ms;
    assert_eq!(context.shard.expire(context.now + week_ms), vec![], "as long as it has members");
    let consumer = context.join("");
    assert_eq!(context.joined(consumer).error, Some(InconsistentGroupProtocol));
    let mut loaded = context.reloaded(GroupConfig::default());
    assert_eq!(&*loaded.shard.describe(&group()).protocol_type, "connect");
    assert_eq!(loaded.heartbeat(&member, 1), Ok(()));
    loaded.leave(member.as_str(), None).expect("a member");
    let later = loaded.now + week_ms;
    let effects = loaded.shard.expire(later);
    loaded.perform(effects);
    assert_eq!(loaded.state(), "Dead");
}
