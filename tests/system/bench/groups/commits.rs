//! Commits per second of 1,000 groups: each group has one connection and commits the partitions of its topic again and
//! again, one commit at a time, as consumers do.

use super::driver::{Client, frame, i16_at};
use super::{Setup, TOPIC};
use anyhow::{Result, ensure};
use gregor_harness::cluster::topic_name;
use gregor_harness::{BrokerKind, TestContext};
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::{GroupId, OffsetCommitRequest};
use kafka_protocol::protocol::StrBytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const GROUPS: usize = 1_000;
/// What one commit holds.
pub const PARTITIONS: i32 = 50;
const VERSION: i16 = 7;
/// The code of the first partition: correlation id, throttle time, an array, a name, an array, an index.
const CODE_AT: usize = 4 + 4 + 4 + 2 + TOPIC.len() + 4 + 4;
const WARM_UP: Duration = Duration::from_secs(6);
const MEASURED: Duration = Duration::from_secs(8);

/// What one kind of broker came to.
pub struct Figures {
    /// Commits per second.
    pub per_second: f64,
    /// CPU time of the broker for each, in µs.
    pub cpu_us: f64,
}

/// Measures one kind.
pub async fn measure(context: &TestContext, kind: BrokerKind) -> Result<Figures> {
    let setup = Setup::start(context, kind, 1, &[("offsets.topic.num.partitions", "50")]).await?;
    setup.cluster.create_topic(TOPIC, PARTITIONS, 1).await?;
    let address = setup.cluster.brokers[0].address();
    super::ask_for_coordinator(&address).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let count = Arc::new(AtomicU64::new(0));
    let mut clients = JoinSet::new();
    for group in 0..GROUPS {
        let request = commit(&format!("group-{group}"));
        let client = Client::connect(&address).await?;
        clients.spawn(commit_until(client, request?, stop.clone(), count.clone()));
    }
    tokio::time::sleep(WARM_UP).await;
    let broker = &setup.running[0];
    let (start, before, cpu) = (Instant::now(), count.load(Ordering::Relaxed), broker.cpu()?);
    tokio::time::sleep(MEASURED).await;
    let (elapsed, done) = (start.elapsed(), count.load(Ordering::Relaxed) - before);
    let figures = Figures {
        per_second: done as f64 / elapsed.as_secs_f64(),
        cpu_us: (broker.cpu()? - cpu).as_secs_f64() * 1e6 / done as f64,
    };
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    setup.stop().await?;
    Ok(figures)
}

fn commit(group: &str) -> Result<Vec<u8>> {
    let partition =
        |index| OffsetCommitRequestPartition::default().with_partition_index(index).with_committed_offset(42);
    let topic = OffsetCommitRequestTopic::default()
        .with_name(topic_name(TOPIC))
        .with_partitions((0..PARTITIONS).map(partition).collect());
    let request = OffsetCommitRequest::default()
        .with_group_id(GroupId(StrBytes::from_string(group.to_owned())))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic]);
    frame(&request, VERSION)
}

async fn commit_until(
    mut client: Client,
    request: Vec<u8>,
    stop: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
) -> Result<()> {
    // Its partition may be loading still.
    super::wait_for_code(&mut client, &request, CODE_AT).await?;
    while !stop.load(Ordering::Relaxed) {
        let code = i16_at(client.ask(&request).await?, CODE_AT)?;
        ensure!(code == 0, "a commit was refused with {code}");
        count.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
