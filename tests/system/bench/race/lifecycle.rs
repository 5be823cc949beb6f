//! Starting, restarting after `kill -9`, and what clients notice when a leader or the controller dies.

use super::REPETITIONS;
use super::report::{Figure, Report};
use super::side::Side;
use anyhow::{Result, ensure};
use gregor_harness::cluster::{SETTLE, topic_name};
use gregor_harness::rpc::Rpc;
use gregor_harness::{BrokerKind, Load, TestContext, wait};
use kafka_protocol::messages::ListOffsetsRequest;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use std::time::{Duration, Instant};

const IDLE_PARTITIONS: i32 = 2_000;
/// Of the topic that a broker's death interrupts.
const PARTITIONS: i32 = 6;
/// ListOffsets' word for the log end.
const LATEST: i64 = -1;
const IDLE_TIME: Duration = Duration::from_secs(10);
/// Acknowledged before and after a death.
const PROGRESS: usize = 500;

/// From an empty machine to ready, with a directory that holds one topic.
pub async fn start(context: &TestContext, report: &mut Report) -> Result<()> {
    for kind in [BrokerKind::Gregor, BrokerKind::Kafka] {
        let mut side = Side::start(context, kind, 1).await?;
        let topic = side.new_topic(1, 1).await?;
        for _ in 0..REPETITIONS {
            side.cluster.broker(0)?.stop().await?;
            side.cluster.wait_for_registrations(&[]).await?;
            let start = Instant::now();
            side.cluster.broker(0)?.start().await?;
            report.note("start", "ms until ready", kind, millis(start));
            side.cluster.wait_for_topic(&topic, 1, 1).await?;
        }
    }
    report.bound("start", Figure::Less(0.1));
    Ok(())
}

/// What 2,000 partitions cost a broker while nobody uses them, and how long it needs for them after its death.
pub async fn idle(context: &TestContext, report: &mut Report) -> Result<()> {
    for kind in [BrokerKind::Gregor, BrokerKind::Kafka] {
        let mut side = Side::start(context, kind, 1).await?;
        let idle = side.new_topic(IDLE_PARTITIONS, 1).await?;
        let before = side.processor_time()?;
        // Nothing is waited for here: this is the measured time.
        tokio::time::sleep(IDLE_TIME).await;
        let used = side.processor_time()? - before;
        let work = used.as_secs_f64() * 1e3 / IDLE_TIME.as_secs_f64();
        report.note("2,000 idle partitions", "CPU ms/s", kind, work);
        let resident = side.cluster.broker(0)?.process()?.resident_bytes()?;
        report.note("2,000 idle partitions: memory", "MiB", kind, resident as f64 / 1048576.0);
        for _ in 0..REPETITIONS {
            side.cluster.broker(0)?.kill();
            side.cluster.wait_for_registrations(&[]).await?;
            let start = Instant::now();
            side.cluster.broker(0)?.start().await?;
            wait::until_true("every partition to be led", SETTLE, || leads_all(&side, &idle)).await?;
            report.note("start after kill -9 with 2,000 partitions", "ms until led", kind, millis(start));
        }
    }
    report.bound("2,000 idle partitions", Figure::Less(1.0));
    report.bound("2,000 idle partitions: memory", Figure::Less(0.1));
    report.bound("start after kill -9 with 2,000 partitions", Figure::Less(1.0 / 3.0));
    Ok(())
}

/// Whether the only broker tells the end of each idle partition, which only its leader does: what ZooKeeper says of leaders
/// was true before the death, too.
async fn leads_all(side: &Side, topic: &str) -> Result<bool> {
    let partition =
        |index| ListOffsetsPartition::default().with_partition_index(index).with_timestamp(LATEST);
    let topic = ListOffsetsTopic::default()
        .with_name(topic_name(topic))
        .with_partitions((0..IDLE_PARTITIONS).map(partition).collect());
    let request = ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![topic]);
    let answer = Rpc::connect(&side.cluster.bootstrap()).await?.call(5, &request).await?;
    Ok(answer.topics.iter().flat_map(|topic| &topic.partitions).all(|partition| partition.error_code == 0))
}

/// How long no record gets through to the partitions that a dying broker led, which is the controller or is not; then it
/// returns.
pub async fn failover(sides: &mut [Side; 2], report: &mut Report, of_the_controller: bool) -> Result<()> {
    let name = match of_the_controller {
        true => "controller killed, session of 6 s: pause",
        false => "leader killed, session of 6 s: pause",
    };
    let mut loaded = Vec::new();
    for side in &mut *sides {
        let topic = side.new_topic(PARTITIONS, 3).await?;
        let load = Load::start(&side.cluster.bootstrap(), &topic, 500)?;
        load.wait_for_progress(PROGRESS, SETTLE).await?;
        loaded.push((topic, load));
    }
    for _ in 0..REPETITIONS {
        for (side, (topic, load)) in sides.iter_mut().zip(&loaded) {
            let controller = side.cluster.wait_for_controller().await?;
            let victim = if of_the_controller { controller } else { (controller + 1) % 3 };
            let pause = pause_by_death(side, topic, load, victim).await?;
            report.note(name, "ms", side.kind(), pause.as_secs_f64() * 1e3);
        }
    }
    for (side, (topic, load)) in sides.iter().zip(loaded) {
        load.stop().await?;
        side.remove_topic(&topic).await?;
    }
    report.bound(name, Figure::Less(0.5));
    Ok(())
}

/// Kills a broker, waits until what it led gets on, and starts it again; gives the longest pause of a partition.
async fn pause_by_death(side: &mut Side, topic: &str, load: &Load, victim: i32) -> Result<Duration> {
    let led = led_by(side, topic, victim).await?;
    load.take_longest_pause(&led);
    side.cluster.broker(victim)?.kill();
    for partition in &led {
        side.cluster
            .wait_for_state(topic, *partition, "another leader", |s| s.leader != victim && s.leader >= 0)
            .await?;
    }
    wait::until_true("every partition to get on", 2 * SETTLE, || async {
        let recent = |at: Instant| at.elapsed() < Duration::from_millis(200);
        Ok(led.iter().all(|partition| load.last_progress(*partition).is_some_and(recent)))
    })
    .await?;
    load.wait_for_progress(PROGRESS, SETTLE).await?;
    let (_, pause) = load.take_longest_pause(&led);
    side.cluster.broker(victim)?.start().await?;
    side.cluster.wait_for_topic(topic, PARTITIONS, 3).await?;
    side.elect_preferred_leaders(topic, PARTITIONS).await?;
    Ok(pause)
}

/// The partitions that a broker leads; there must be one.
async fn led_by(side: &Side, topic: &str, leader: i32) -> Result<Vec<i32>> {
    let mut led = Vec::new();
    for partition in 0..PARTITIONS {
        let state = side.cluster.wait_for_state(topic, partition, "a leader", |s| s.leader >= 0).await?;
        if state.leader == leader {
            led.push(partition);
        }
    }
    ensure!(!led.is_empty(), "broker {leader} leads nothing");
    Ok(led)
}

fn millis(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}
