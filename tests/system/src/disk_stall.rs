//! A leader whose disk stalls: its writes hang for 20 s, four times `replica.lag.time.max.ms`. That is nobody's fault but the
//! disk's: no follower leaves the ISR, the broker keeps its session and its leaderships, and what is on its other disk
//! goes on.

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use gregor_harness::broker::BrokerKind;
use gregor_harness::cluster::{SETTLE, topic_name};
use gregor_harness::rpc::Rpc;
use gregor_harness::{Cluster, ClusterBuilder, Disk, Load, TestContext, read_back, run, wait};
use kafka_protocol::messages::CreateTopicsRequest;
use kafka_protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use std::time::{Duration, Instant};

const STALL: Duration = Duration::from_secs(20);
const LAG_MAX_MS: &str = "5000";
/// The leader; the controller is broker 0, on another disk.
const LEADER: i32 = 1;
const TOPICS: [&str; 2] = ["one", "other"];
/// More requests hang than there are worker threads.
const HANGING: usize = 8;
/// The other disk's partition is never without progress for longer, on however busy a machine.
const PAUSE_MAX: Duration = Duration::from_secs(10);

#[test]
fn a_stalled_disk_of_the_leader_is_no_followers_fault() {
    run(async |context| {
        let builder = ClusterBuilder::of(&[BrokerKind::Gregor; 3])
            .property("replica.lag.time.max.ms", LAG_MAX_MS)
            .property("auto.leader.rebalance.enable", "false");
        let mut cluster = builder.prepare(context).await?;
        let mut disk = match mount_second_disk(context, &mut cluster) {
            Ok(disk) => disk,
            Err(reason) => {
                println!("skipped, as no disk can be frozen here: {reason:#}");
                return Ok(());
            }
        };
        let outcome = live_through(&mut cluster, &mut disk).await;
        // Processes that hang in a disk end once it thaws; and it is unmounted after they ended.
        drop(cluster);
        outcome
    });
}

fn mount_second_disk(context: &TestContext, cluster: &mut Cluster) -> Result<Disk> {
    let broker = cluster.broker(LEADER)?;
    let mount = context.create_dir("second-disk")?;
    broker.set_property("log.dirs", &format!("{},{}", broker.data_dir().display(), mount.display()));
    Disk::mount(context, "second-disk", 64, &mount)
}

async fn live_through(cluster: &mut Cluster, disk: &mut Disk) -> Result<()> {
    cluster.start_brokers().await?;
    for topic in TOPICS {
        create(cluster, topic).await?;
    }
    // A new log goes where fewest are: each disk has one.
    let on_first = |topic: &str| cluster.data_dirs()[1].join(format!("{topic}-0")).exists();
    let [stalled, going] = if on_first(TOPICS[0]) { [TOPICS[1], TOPICS[0]] } else { TOPICS };
    ensure!(on_first(going) && !on_first(stalled), "the topics are on one disk");

    let load = Load::start(&cluster.bootstrap(), going, 500)?;
    // The leader may hear of its leadership before it hears of the topic.
    wait::until("the first record to be taken", SETTLE, || async {
        cluster.produce_to(LEADER, stalled, 0, "before").await.map(Some)
    })
    .await?;
    load.wait_for_progress(500, SETTLE).await?;
    let owner = cluster.znodes.owner(&format!("/brokers/ids/{LEADER}")).await?;

    disk.freeze_for(STALL)?;
    load.take_longest_pause(&[]);
    let hanging = try_join_all((0..HANGING).map(|_| cluster.produce_to(LEADER, stalled, 0, "during")));
    let (looks, offsets) = tokio::try_join!(watch(cluster, disk), async { Ok(hanging.await) })?;
    let (_, pause) = load.take_longest_pause(&[]);
    println!(
        "{looks} looks at the ISRs while the disk stood still; the other was without progress for {pause:?}"
    );
    ensure!(pause <= PAUSE_MAX, "{pause:?} without progress on a disk that works");
    ensure!(cluster.znodes.owner(&format!("/brokers/ids/{LEADER}")).await? == owner, "the session was lost");
    let offsets = offsets.context("what hung was refused afterwards")?;
    ensure!(offsets.iter().max() == Some(&(HANGING as i64)), "appended at {offsets:?}");

    let acknowledged = load.stop().await?;
    check(cluster).await?;
    let found = read_back::read_topic(&cluster.bootstrap(), going, 1).await?;
    read_back::check_acknowledged(&acknowledged, &found)
}

/// Looks at both partitions for as long as the disk stands still, and a while longer.
async fn watch(cluster: &Cluster, disk: &mut Disk) -> Result<usize> {
    let mut looks = 0;
    let mut thawed: Option<Instant> = None;
    while thawed.is_none_or(|at| at.elapsed() < Duration::from_secs(3)) {
        check(cluster).await.with_context(|| format!("after {looks} looks, thawed: {thawed:?}"))?;
        looks += 1;
        if thawed.is_none() && !disk.is_frozen()? {
            thawed = Some(Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(looks)
}

/// Whether everything is led as ever, and nobody has left.
async fn check(cluster: &Cluster) -> Result<()> {
    for topic in TOPICS {
        let state = cluster.znodes.partition_state(topic, 0).await?.context("no state")?;
        let full = state.leader == LEADER && state.leader_epoch == 0 && state.isr.len() == 3;
        ensure!(full, "{topic}: {state:?}");
    }
    Ok(())
}

async fn create(cluster: &Cluster, topic: &str) -> Result<()> {
    let assignment = CreatableReplicaAssignment::default()
        .with_partition_index(0)
        .with_broker_ids([LEADER, 0, 2].map(Into::into).to_vec());
    let creatable = CreatableTopic::default()
        .with_name(topic_name(topic))
        .with_num_partitions(-1)
        .with_replication_factor(-1)
        .with_assignments(vec![assignment]);
    let request = CreateTopicsRequest::default().with_topics(vec![creatable]).with_timeout_ms(20_000);
    cluster.wait_for_controller().await?;
    let answer = Rpc::connect(&cluster.brokers[0].address()).await?.call(5, &request).await?;
    ensure!(answer.topics.iter().all(|topic| topic.error_code == 0), "{:?}", answer.topics);
    cluster.wait_for_topic(topic, 1, 3).await
}
