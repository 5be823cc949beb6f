//! One of a leader's two disks is full: what lies there goes offline and gets other leaders, what lies on the other goes on, and
//! when there is room again nothing has been lost.

use anyhow::{Context as _, Result, ensure};
use gregor_harness::cluster::{SETTLE, topic_name};
use gregor_harness::rpc::Rpc;
use gregor_harness::{Cluster, Disk, Load, TestContext, run, wait};
use kafka_protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{BrokerId, CreateTopicsRequest, MetadataRequest};
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use crate::faults::{PARTITIONS, TOPIC, survive, three};

/// Leads everything; the controller is broker 0.
const LEADER: i32 = 1;
/// Of the disk that fills up.
const MEBIBYTES: u64 = 48;

#[test]
fn a_leaders_disk_is_full() {
    run(async |context| {
        let builder = three()?.log_dirs(2).property("auto.leader.rebalance.enable", "false");
        let mut cluster = builder.prepare(context).await?;
        let small = cluster.broker(LEADER)?.data_dirs().pop().context("no second log directory")?;
        let disk = match Disk::mount(context, "small-disk", MEBIBYTES, &small) {
            Ok(disk) => disk,
            Err(reason) => {
                println!("skipped, as no disk can be made here: {reason:#}");
                return Ok(());
            }
        };
        let outcome = live_through(context, &mut cluster, &small).await;
        // It is unmounted after the brokers have ended.
        drop(cluster);
        drop(disk);
        outcome
    });
}

async fn live_through(context: &TestContext, cluster: &mut Cluster, small: &Path) -> Result<()> {
    cluster.start_brokers().await?;
    create_led_by_one(cluster).await?;
    let (there, elsewhere): (Vec<i32>, Vec<i32>) =
        (0..PARTITIONS).partition(|partition| small.join(format!("{TOPIC}-{partition}")).exists());
    ensure!(!there.is_empty() && !elsewhere.is_empty(), "not every disk has a partition");
    let filler = small.join("filler");
    survive(cluster, async |cluster, load| {
        fill(&filler)?;
        for partition in &there {
            let what = "another leader";
            let is_other = |leader: i32| leader >= 0 && leader != LEADER;
            cluster.wait_for_state(TOPIC, *partition, what, |state| is_other(state.leader)).await?;
        }
        wait_for_all(load).await?;
        everybody_knows_what_is_offline(cluster, &there).await?;
        for partition in &elsewhere {
            let state = cluster.znodes.partition_state(TOPIC, *partition).await?.context("no state")?;
            ensure!(state.leader == LEADER && state.isr.len() == 3, "partition {partition}: {state:?}");
        }
        fs::remove_file(&filler)?;
        cluster.broker(LEADER)?.stop().await?;
        cluster.broker(LEADER)?.start().await
    })
    .await
    .with_context(|| format!("see {}", context.dir().display()))
}

/// The controller was told by a notification, and tells every broker: whose replicas of these partitions are offline.
async fn everybody_knows_what_is_offline(cluster: &Cluster, partitions: &[i32]) -> Result<()> {
    let changes = cluster.znodes.changes_of_children("/log_dir_event_notification").await?;
    ensure!(changes > 0, "no notification of a failed directory");
    let topic = MetadataRequestTopic::default().with_name(Some(topic_name(TOPIC)));
    let request = MetadataRequest::default().with_topics(Some(vec![topic]));
    for broker in &cluster.brokers {
        let what = format!("broker {} to know what is offline", broker.id());
        wait::until_true(&what, SETTLE, || async {
            let answer = Rpc::connect(&broker.address()).await?.call(5, &request).await?;
            let topic = answer.topics.into_iter().next().context("no topic")?;
            let mut known = topic.partitions.into_iter();
            let is_as_it_is = known.all(|known| {
                let offline = partitions.contains(&known.partition_index).then_some(BrokerId(LEADER));
                known.offline_replicas == Vec::from_iter(offline)
            });
            Ok(is_as_it_is)
        })
        .await?;
    }
    Ok(())
}

/// Every partition takes a message after now.
async fn wait_for_all(load: &Load) -> Result<()> {
    let since = std::time::Instant::now();
    wait::until_true("progress in every partition", SETTLE, || async {
        Ok((0..PARTITIONS).all(|partition| load.last_progress(partition).is_some_and(|at| at > since)))
    })
    .await
}

async fn create_led_by_one(cluster: &Cluster) -> Result<()> {
    let assignment = |partition: i32| {
        CreatableReplicaAssignment::default()
            .with_partition_index(partition)
            .with_broker_ids([LEADER, 0, 2].map(BrokerId).to_vec())
    };
    let topic = CreatableTopic::default()
        .with_name(topic_name(TOPIC))
        .with_num_partitions(-1)
        .with_replication_factor(-1)
        .with_assignments((0..PARTITIONS).map(assignment).collect());
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(20_000);
    let controller = cluster.brokers.first().context("no brokers")?;
    let answer = Rpc::connect(&controller.address()).await?.call(5, &request).await?;
    ensure!(answer.topics.iter().all(|topic| topic.error_code == 0), "{answer:?}");
    cluster.wait_for_topic(TOPIC, PARTITIONS, 3).await
}

/// Takes what room there is, to the last byte.
fn fill(path: &Path) -> Result<()> {
    let mut filler = File::create(path)?;
    for size in [1 << 20, 4 << 10, 1] {
        let block = vec![0; size];
        loop {
            match filler.write_all(&block) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}
