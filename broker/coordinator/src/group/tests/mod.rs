//! The group machine, driven as a shell drives it: requests in, appends granted or failed by hand, time by hand.

mod by_state;
mod consumers;
mod consumers_by_state;
mod members;
mod migration;
mod offsets;

use std::collections::HashMap;

use bytes::Bytes;
use gregor_model::{Offset, ProducerEpoch, ProducerId, Timestamp, TopicPartition};

use super::request::*;
use super::{AppendFailure, GroupConfig, GroupError, GroupLoader, GroupShard};
use crate::schema::group::GroupTopicKey;
use crate::{GroupId, InstanceId, MemberId};

/// A shard with a log behind it: appends wait until the test lets them through.
struct Context {
    shard: GroupShard,
    now: Timestamp,
    requests: u64,
    replies: HashMap<RequestId, Reply>,
    appends: Vec<(AppendId, Batch)>,
    /// Why no append gets as far as the log; told at once.
    failing: Option<AppendFailure>,
    log: Vec<(Offset, Batch)>,
}

fn group() -> GroupId {
    GroupId::from("g")
}

fn partition(index: i32) -> TopicPartition {
    TopicPartition::new("orders", index)
}

impl Context {
    fn new() -> Context {
        Context::with(GroupConfig::default())
    }

    fn with(config: GroupConfig) -> Context {
        Context {
            shard: GroupShard::new(config),
            now: Timestamp(1_000_000),
            requests: 0,
            replies: HashMap::new(),
            appends: Vec::new(),
            failing: None,
            log: Vec::new(),
        }
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Reply(request, reply) => assert_eq!(self.replies.insert(request, reply), None),
                Effect::Append(append, batch) => match self.failing {
                    None => self.appends.push((append, batch)),
                    Some(failure) => {
                        let effects = self.shard.appended(append, Err(failure), self.now);
                        self.perform(effects);
                    }
                },
            }
        }
    }

    fn request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }

    /// Lets every append asked for so far into the log.
    fn grant(&mut self) {
        for (append, batch) in std::mem::take(&mut self.appends) {
            let base = self.log.last().map_or(Offset(0), |(at, batch)| *at + batch.records.len() as i64);
            self.log.push((base, batch));
            let effects = self.shard.appended(append, Ok(base), self.now);
            self.perform(effects);
        }
    }

    fn refuse(&mut self, failure: AppendFailure) {
        for (append, _) in std::mem::take(&mut self.appends) {
            let effects = self.shard.appended(append, Err(failure), self.now);
            self.perform(effects);
        }
    }

    /// Lets time pass, firing each timer when it is due.
    fn advance(&mut self, ms: i64) {
        let end = self.now + ms;
        while let Some(at) = self.shard.next_timer().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            let effects = self.shard.fire_timers(self.now);
            self.perform(effects);
        }
        self.now = end;
    }

    fn join_request(member: &str, instance: Option<&str>, protocols: &[&str]) -> Join {
        Join {
            group: group(),
            member: member.into(),
            instance: instance.map(InstanceId::from),
            client_id: "c".into(),
            client_host: "/127.0.0.1".into(),
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: 60_000,
            protocol_type: "consumer".into(),
            protocols: protocols
                .iter()
                .map(|name| Protocol { name: (*name).into(), metadata: Bytes::from_static(b"m") })
                .collect(),
            member_id_required: false,
            skip_assignment_known: true,
            random: [member.len() as u8; 16],
        }
    }

    fn join_with(&mut self, change: impl FnOnce(&mut Join)) -> RequestId {
        let request = self.request();
        let mut join = Context::join_request("", None, &["range"]);
        join.random = u128::from(self.requests).to_be_bytes();
        change(&mut join);
        let effects = self.shard.join(request, &join, self.now);
        self.perform(effects);
        request
    }

    fn join(&mut self, member: &str) -> RequestId {
        self.join_with(|join| join.member = member.into())
    }

    #[track_caller]
    fn joined(&self, request: RequestId) -> &Joined {
        match self.replies.get(&request) {
            Some(Reply::Join(joined)) => joined,
            other => panic!("no join answer but {other:?}"),
        }
    }

    fn sync(
        &mut self,
        member: &MemberId,
        generation: i32,
        assignments: &[(&MemberId, &'static str)],
    ) -> RequestId {
        let request = self.request();
        let assignments = assignments
            .iter()
            .map(|(id, bytes)| ((*id).clone(), Bytes::from_static(bytes.as_bytes())))
            .collect();
        let sync =
            Sync { claim: claim(member, generation), protocol_type: None, protocol: None, assignments };
        let effects = self.shard.sync(request, sync, self.now);
        self.perform(effects);
        request
    }

    #[track_caller]
    fn synced(&self, request: RequestId) -> Result<&[u8], GroupError> {
        match self.replies.get(&request) {
            Some(Reply::Sync(Synced { error: None, assignment, .. })) => Ok(assignment),
            Some(Reply::Sync(Synced { error: Some(error), .. })) => Err(*error),
            other => panic!("no sync answer but {other:?}"),
        }
    }

    fn heartbeat(&mut self, member: &MemberId, generation: i32) -> Result<(), GroupError> {
        let (result, effects) = self.shard.heartbeat(&claim(member, generation), self.now);
        self.perform(effects);
        result
    }

    fn leave(&mut self, member: &str, instance: Option<&str>) -> Result<(), GroupError> {
        let leaver = Leaver { member: member.into(), instance: instance.map(InstanceId::from) };
        let (results, effects) = self.shard.leave(&group(), &[leaver], self.now);
        self.perform(effects);
        results[0]
    }

    fn commit_as(&mut self, claim: Claim, producer: Option<i64>, offset: i64) -> RequestId {
        self.commit_of(claim, producer, offset, false)
    }

    fn commit_knowing_epochs(&mut self, claim: Claim, producer: Option<i64>) -> RequestId {
        self.commit_of(claim, producer, 1, true)
    }

    fn commit_request(claim: Claim, producer: Option<i64>, offset: i64) -> Commit {
        Commit {
            claim,
            producer: producer.map(|id| (ProducerId(id), ProducerEpoch(0))),
            verification: None,
            member_epoch_known: false,
            retention_ms: None,
            offsets: vec![OffsetToCommit {
                partition: partition(0),
                offset: Offset(offset),
                leader_epoch: None,
                metadata: "".into(),
                committed_at: None,
            }],
        }
    }

    fn commit_of(
        &mut self,
        claim: Claim,
        producer: Option<i64>,
        offset: i64,
        member_epoch_known: bool,
    ) -> RequestId {
        let request = self.request();
        let commit = Commit { member_epoch_known, ..Context::commit_request(claim, producer, offset) };
        let effects = self.shard.commit(request, commit, self.now);
        self.perform(effects);
        request
    }

    fn commit(&mut self, offset: i64) -> RequestId {
        self.commit_as(claim(&"".into(), -1), None, offset)
    }

    /// The marker of producer 9 comes to lie at the end of the log.
    fn complete(&mut self, committed: bool) {
        let end = self.log.last().map_or(Offset(0), |(at, batch)| *at + batch.records.len() as i64);
        self.shard.complete_transaction(ProducerId(9), committed, end);
    }

    #[track_caller]
    fn committed(&self, request: RequestId) -> Result<(), GroupError> {
        match self.replies.get(&request) {
            Some(Reply::Commit(results)) => results[0].1,
            other => panic!("no commit answer but {other:?}"),
        }
    }

    fn fetch(&self, stable: bool) -> Result<Option<i64>, GroupError> {
        let fetched = self.shard.fetch(&group(), Some(&[partition(0)]), stable);
        fetched[0].error.map_or(Ok(fetched[0].offset.map(|offset| offset.0)), Err)
    }

    fn state(&self) -> &'static str {
        self.shard.describe(&group()).state
    }

    /// Two members, stable in generation 1; the first leads.
    fn stable_pair(&mut self) -> (MemberId, MemberId) {
        let first = self.join("");
        let second = self.join("");
        self.advance(6_000);
        let (first, second) = (self.joined(first).member.clone(), self.joined(second).member.clone());
        let lead = self.sync(&first, 1, &[(&first, "a"), (&second, "b")]);
        let follow = self.sync(&second, 1, &[]);
        assert!(!self.replies.contains_key(&lead), "an assignment shows only once it is committed");
        self.grant();
        assert_eq!(self.synced(lead), Ok(&b"a"[..]));
        assert_eq!(self.synced(follow), Ok(&b"b"[..]));
        assert_eq!(self.state(), "Stable");
        (first, second)
    }

    /// What another broker has after reading this log.
    fn reloaded(&self, config: GroupConfig) -> Context {
        let mut loader = GroupLoader::new();
        for (at, batch) in &self.log {
            let producer = batch.producer.map(|(id, _)| id);
            for (key, value) in &batch.records {
                loader.record(*at, producer, Some(key), value.as_deref()).expect("a record we wrote");
            }
        }
        let (shard, effects) = loader.finish(config, self.now);
        let mut context = Context { shard, now: self.now, log: self.log.clone(), ..Context::new() };
        context.perform(effects);
        context
    }
}

fn claim(member: &MemberId, generation: i32) -> Claim {
    Claim { group: group(), member: member.clone(), instance: None, generation }
}
