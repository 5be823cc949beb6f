//! A rebalance of 200 members: all join with changed subscriptions, the leader assigns, all have their assignment.

use super::driver::{Client, find, frame, i16_at, i32_at};
use super::{Setup, TOPIC};
use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use gregor_harness::{BrokerKind, TestContext};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::join_group_response::JoinGroupResponse;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{GroupId, JoinGroupRequest, SyncGroupRequest};
use kafka_protocol::protocol::{Decodable as _, StrBytes};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

const MEMBERS: usize = 200;
/// Few: a rebalance is rare, and no broker has just had many.
const WARM_UP_ROUNDS: usize = 10;
const ROUNDS: usize = 31;
const ROUND_DEADLINE: Duration = Duration::from_secs(60);
const ATTEMPTS: usize = 4;
/// A group begins 3 s after its last member has come.
const FIRST_ROUND_DEADLINE: Duration = Duration::from_secs(20);
/// Member ids without a handshake before, static members unknown.
const JOIN_VERSION: i16 = 3;
const SYNC_VERSION: i16 = 2;
/// What a member's metadata and assignment take besides what changes.
const METADATA_BYTES: usize = 200;
const ASSIGNMENT_BYTES: usize = 100;
/// Marks, in frames, of what changes from round to round.
const ROUND_MARK: [u8; 8] = *b"ROUNDNOW";
const GENERATION_MARK: i32 = 0x5b5b_5b5b;
/// In both answers: correlation id, throttle time, the code.
const CODE_AT: usize = 8;
const GENERATION_AT: usize = 10;

/// The median time of a rebalance.
pub async fn measure(context: &TestContext, kind: BrokerKind) -> Result<Duration> {
    let setup = Setup::start(context, kind, 1, &[]).await?;
    setup.cluster.create_topic(TOPIC, 1, 1).await?;
    let address = setup.cluster.brokers[0].address();
    super::ask_for_coordinator(&address).await?;
    let members = members(&address).await?;
    let barrier = Arc::new(Barrier::new(MEMBERS + 1));
    let mut tasks = JoinSet::new();
    for member in members {
        let barrier = barrier.clone();
        tasks.spawn(async move {
            let mut member = member;
            for round in 0..WARM_UP_ROUNDS + ROUNDS {
                barrier.wait().await;
                member.round(round).await?;
                barrier.wait().await;
            }
            anyhow::Ok(())
        });
    }
    let mut times = Vec::new();
    for _ in 0..WARM_UP_ROUNDS + ROUNDS {
        let round = async {
            barrier.wait().await;
            let start = Instant::now();
            barrier.wait().await;
            start.elapsed()
        };
        times.push(tokio::time::timeout(ROUND_DEADLINE, round).await.context("a member is missing")?);
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    setup.stop().await?;
    let mut measured = times.split_off(WARM_UP_ROUNDS);
    measured.sort_unstable();
    measured.get(ROUNDS / 2).copied().context("no rounds")
}

/// A member between rounds: its frames, and where in them a round's values go.
struct Member {
    client: Client,
    join: Vec<u8>,
    round_at: usize,
    sync: Vec<u8>,
    generation_at: usize,
}

impl Member {
    async fn round(&mut self, round: usize) -> Result<()> {
        put(&mut self.join, self.round_at, &(round as u64).to_be_bytes())?;
        let joined = self.client.ask(&self.join).await?;
        let code = i16_at(joined, CODE_AT)?;
        ensure!(code == 0, "JoinGroup: {code}");
        let generation = i32_at(joined, GENERATION_AT)?;
        put(&mut self.sync, self.generation_at, &generation.to_be_bytes())?;
        let code = i16_at(self.client.ask(&self.sync).await?, CODE_AT)?;
        ensure!(code == 0, "SyncGroup: {code}");
        Ok(())
    }
}

fn put(frame: &mut [u8], at: usize, bytes: &[u8]) -> Result<()> {
    frame.get_mut(at..at + bytes.len()).context("a short frame")?.copy_from_slice(bytes);
    Ok(())
}

/// A whole group. A broker that has just started may be so slow that the group begins before its last member has come; those
/// who came before would have to join again. Another group is tried then.
async fn members(address: &str) -> Result<Vec<Member>> {
    for attempt in 0..ATTEMPTS {
        let group = format!("rebalanced-{attempt}");
        match tokio::time::timeout(FIRST_ROUND_DEADLINE, first_round(address, &group)).await {
            Ok(Ok(Some(members))) => return Ok(members),
            Ok(Err(error)) => return Err(error),
            Ok(Ok(None)) | Err(_) => {}
        }
    }
    bail!("no group began with all its members")
}

/// All join for the first time; the leader is known then, and with it who sends what. `None` if not all are in one
/// generation.
async fn first_round(address: &str, group: &str) -> Result<Option<Vec<Member>>> {
    let mut clients = Vec::new();
    for _ in 0..MEMBERS {
        clients.push(Client::connect(address).await?);
    }
    let mut joining = JoinSet::new();
    for mut client in clients {
        let request = frame(&join(group, ""), JOIN_VERSION)?;
        joining.spawn(async move {
            super::wait_for_code(&mut client, &request, CODE_AT).await?;
            anyhow::Ok(client)
        });
    }
    let mut joined = Vec::new();
    while let Some(client) = joining.join_next().await {
        let client = client??;
        let mut answer = Bytes::copy_from_slice(client.last().get(4..).context("a short answer")?);
        joined.push((client, JoinGroupResponse::decode(&mut answer, JOIN_VERSION)?));
    }
    if joined.iter().map(|(_, answer)| answer.members.len()).max() != Some(MEMBERS) {
        return Ok(None);
    }
    let ids: Vec<StrBytes> = joined.iter().map(|(_, answer)| answer.member_id.clone()).collect();
    let member = |(client, answer): (Client, JoinGroupResponse)| {
        let join = frame(&join(group, &answer.member_id), JOIN_VERSION)?;
        let leads = answer.leader == answer.member_id;
        let sync = frame(&sync(group, &answer.member_id, if leads { &ids } else { &[] }), SYNC_VERSION)?;
        let round_at = find(&join, &ROUND_MARK)?;
        let generation_at = find(&sync, &GENERATION_MARK.to_be_bytes())?;
        Ok(Member { client, join, round_at, sync, generation_at })
    };
    joined.into_iter().map(member).collect::<Result<_>>().map(Some)
}

fn group_id(group: &str) -> GroupId {
    GroupId(StrBytes::from_string(group.to_owned()))
}

fn join(group: &str, member: &str) -> JoinGroupRequest {
    // A subscription of version 0 to one topic, with user data.
    let mut metadata = vec![0, 0, 0, 0, 0, 1];
    metadata.extend_from_slice(&(TOPIC.len() as u16).to_be_bytes());
    metadata.extend_from_slice(TOPIC.as_bytes());
    metadata.extend_from_slice(&(METADATA_BYTES as u32).to_be_bytes());
    metadata.extend_from_slice(&ROUND_MARK);
    metadata.resize(metadata.len() + METADATA_BYTES - ROUND_MARK.len(), 1);
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(StrBytes::from_static_str("range"))
        .with_metadata(metadata.into());
    JoinGroupRequest::default()
        .with_group_id(group_id(group))
        .with_session_timeout_ms(60_000)
        .with_rebalance_timeout_ms(60_000)
        .with_member_id(StrBytes::from_string(member.to_owned()))
        .with_protocol_type(StrBytes::from_static_str("consumer"))
        .with_protocols(vec![protocol])
}

fn sync(group: &str, member: &StrBytes, members: &[StrBytes]) -> SyncGroupRequest {
    let assignment = |id: &StrBytes| {
        SyncGroupRequestAssignment::default()
            .with_member_id(id.clone())
            .with_assignment(Bytes::from(vec![2; ASSIGNMENT_BYTES]))
    };
    SyncGroupRequest::default()
        .with_group_id(group_id(group))
        .with_generation_id(GENERATION_MARK)
        .with_member_id(member.clone())
        .with_assignments(members.iter().map(assignment).collect())
}
