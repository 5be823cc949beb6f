//! Loading 1,000,000 committed offsets after a failover: from the last moment at which the follower says that it is not the
//! coordinator until it tells an offset.

use super::driver::{Client, frame, i16_at};
use super::{Setup, TOPIC};
use anyhow::{Context as _, Result, ensure};
use gregor_harness::cluster::{SETTLE, topic_name};
use gregor_harness::{BrokerKind, TestContext};
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::{GroupId, OffsetCommitRequest, OffsetFetchRequest};
use kafka_protocol::protocol::StrBytes;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const OFFSETS: &str = "__consumer_offsets";
/// Records = groups x partitions x rounds.
const GROUPS: usize = 1_000;
const PARTITIONS: i32 = 100;
const ROUNDS: i64 = 10;
const FILLERS: usize = 20;
const COMMIT_VERSION: i16 = 7;
const FETCH_VERSION: i16 = 5;
const NOT_COORDINATOR: i16 = 16;
const FAILOVERS: usize = 3;
const LOOK_INTERVAL: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(60);

/// The median time of a load.
pub async fn measure(context: &TestContext, kind: BrokerKind) -> Result<Duration> {
    let properties = [
        ("offsets.topic.num.partitions", "1"),
        ("offsets.topic.replication.factor", "2"),
        ("log.cleaner.enable", "false"),
    ];
    let mut setup = Setup::start(context, kind, 2, &properties).await?;
    setup.cluster.create_topic(TOPIC, PARTITIONS, 2).await?;
    let addresses: Vec<String> = setup.cluster.brokers.iter().map(|broker| broker.address()).collect();
    super::ask_for_coordinator(&addresses[0]).await?;
    let mut leader = leader(&setup).await?;
    fill(&addresses[leader]).await?;
    let mut times = Vec::new();
    for _ in 0..FAILOVERS {
        setup.cluster.wait_for_topic(OFFSETS, 1, 2).await?;
        setup.cluster.wait_for_topic(TOPIC, PARTITIONS, 2).await?;
        let follower = 1 - leader;
        let stopping = setup.running.remove(leader);
        let (stopped, took) = tokio::join!(stopping.stop(), load_time(&addresses[follower]));
        stopped?;
        times.push(took?);
        let restarted = setup.start_broker(context, leader).await?;
        setup.running.insert(leader, restarted);
        leader = follower;
    }
    setup.stop().await?;
    times.sort_unstable();
    times.get(FAILOVERS / 2).copied().context("no failovers")
}

async fn leader(setup: &Setup) -> Result<usize> {
    let state = setup.cluster.wait_for_state(OFFSETS, 0, "a leader", |state| state.leader >= 0).await?;
    Ok(usize::try_from(state.leader)?)
}

/// Commits from several clients.
async fn fill(address: &str) -> Result<()> {
    let mut fillers = JoinSet::new();
    for filler in 0..FILLERS {
        let mut client = Client::connect(address).await?;
        fillers.spawn(async move {
            for round in 0..ROUNDS {
                for group in (filler..GROUPS).step_by(FILLERS) {
                    let request = commit(group, round)?;
                    let answer = client.ask(&request).await?;
                    // The last partition's code is the answer's end.
                    let code = i16_at(answer, answer.len() - 2)?;
                    ensure!(code == 0, "a commit was refused with {code}");
                }
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = fillers.join_next().await {
        ended??;
    }
    Ok(())
}

fn group(number: usize) -> GroupId {
    GroupId(StrBytes::from_string(format!("group-{number}")))
}

fn commit(number: usize, offset: i64) -> Result<Vec<u8>> {
    let partition = |index| {
        OffsetCommitRequestPartition::default().with_partition_index(index).with_committed_offset(offset)
    };
    let topic = OffsetCommitRequestTopic::default()
        .with_name(topic_name(TOPIC))
        .with_partitions((0..PARTITIONS).map(partition).collect());
    let request = OffsetCommitRequest::default()
        .with_group_id(group(number))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic]);
    frame(&request, COMMIT_VERSION)
}

/// Asks the follower for an offset, again and again, until it tells it.
async fn load_time(address: &str) -> Result<Duration> {
    let topic =
        OffsetFetchRequestTopic::default().with_name(topic_name(TOPIC)).with_partition_indexes(vec![7]);
    let request =
        OffsetFetchRequest::default().with_group_id(group(GROUPS - 1)).with_topics(Some(vec![topic]));
    let request = frame(&request, FETCH_VERSION)?;
    let mut client = Client::connect(address).await?;
    let (began, mut last_elsewhere) = (Instant::now(), None);
    while began.elapsed() < PATIENCE {
        let asked = Instant::now();
        let answer = client.ask(&request).await?;
        match i16_at(answer, answer.len() - 2)? {
            NOT_COORDINATOR => last_elsewhere = Some(asked),
            0 => {
                let since = last_elsewhere.context("it was the coordinator from the start")?;
                return Ok(since.elapsed());
            }
            _ => {}
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    anyhow::bail!("not loaded within {PATIENCE:?} (and {SETTLE:?} is what tests allow)")
}
