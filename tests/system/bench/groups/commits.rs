//! Commits per second of 1,000 groups, whose members commit the partitions they have again and again.

use super::committers::{Committer, Progress, commit};
use super::driver::{Client, cpu_of, frame};
use super::{Setup, TOPIC};
use anyhow::Result;
use gregor_harness::cluster::topic_name;
use gregor_harness::{BrokerKind, TestContext};
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::{GroupId, OffsetCommitRequest};
use kafka_protocol::protocol::StrBytes;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const GROUPS: usize = 1_000;
/// What one commit holds.
pub const PARTITIONS: i32 = 4;
const VERSION: i16 = 7;
/// The code of the first partition: correlation id, throttle time, an array, a name, an array, an index.
const CODE_AT: usize = 4 + 4 + 4 + 2 + TOPIC.len() + 4 + 4;
/// Where in a frame an offset goes.
const OFFSET_MARK: i64 = 0x5b5b_5b5b_5b5b_5b5b;
/// Enough for Kafka's code to be compiled.
const WARM_UP: Duration = Duration::from_secs(15);
const MEASURED: Duration = Duration::from_secs(10);

/// What one kind of broker came to.
pub struct Figures {
    /// Commits per second.
    pub per_second: f64,
    /// CPU time of the broker for each, in µs.
    pub cpu_us: f64,
    /// CPU time of the clients for each, in µs.
    pub clients_us: f64,
}

/// Measures one kind.
pub async fn measure(context: &TestContext, kind: BrokerKind) -> Result<Figures> {
    let setup = Setup::start(context, kind, 1, &[("offsets.topic.num.partitions", "50")]).await?;
    setup.cluster.create_topic(TOPIC, PARTITIONS, 1).await?;
    let address = setup.cluster.brokers[0].address();
    super::ask_for_coordinator(&address).await?;
    let committers = committers(&address).await?;
    let progress = Arc::new(Progress::default());
    let shared = progress.clone();
    let committing = tokio::task::spawn_blocking(move || commit(committers, CODE_AT, &shared));
    tokio::time::sleep(WARM_UP).await;
    let broker = &setup.running[0];
    let start = (Instant::now(), broker.cpu()?, cpu_of("self")?, progress.commits.load(Ordering::Relaxed));
    tokio::time::sleep(MEASURED).await;
    let elapsed = start.0.elapsed();
    let (cpu, clients) = (broker.cpu()? - start.1, cpu_of("self")? - start.2);
    let done = (progress.commits.load(Ordering::Relaxed) - start.3) as f64;
    progress.stop.store(true, Ordering::Relaxed);
    committing.await??;
    setup.stop().await?;
    Ok(Figures {
        per_second: done / elapsed.as_secs_f64(),
        cpu_us: cpu.as_secs_f64() * 1e6 / done,
        clients_us: clients.as_secs_f64() * 1e6 / done,
    })
}

/// One for each group, connected, its group known to the coordinator.
async fn committers(address: &str) -> Result<Vec<Committer>> {
    let mut connecting = JoinSet::new();
    for group in 0..GROUPS {
        let request = request(&format!("group-{group}"))?;
        let mut client = Client::connect(address).await?;
        connecting.spawn(async move {
            // Its partition may be loading still.
            super::wait_for_code(&mut client, &request, CODE_AT).await?;
            Committer::new(client, &request, OFFSET_MARK)
        });
    }
    let mut committers = Vec::with_capacity(GROUPS);
    while let Some(connected) = connecting.join_next().await {
        committers.push(connected??);
    }
    Ok(committers)
}

fn request(group: &str) -> Result<Vec<u8>> {
    let partition = |index| {
        OffsetCommitRequestPartition::default().with_partition_index(index).with_committed_offset(OFFSET_MARK)
    };
    let topic = OffsetCommitRequestTopic::default()
        .with_name(topic_name(TOPIC))
        .with_partitions((0..PARTITIONS).map(partition).collect());
    let request = OffsetCommitRequest::default()
        .with_group_id(GroupId(StrBytes::from_string(group.to_owned())))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic]);
    frame(&request, VERSION)
}
