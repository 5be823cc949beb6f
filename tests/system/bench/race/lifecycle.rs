//! Starting, restarting after `kill -9`, and what clients notice when a leader or the controller dies.

use super::REPETITIONS;
use super::report::{Figure, Report};
use super::side::Side;
use anyhow::Result;
use gregor_harness::cluster::SETTLE;
use gregor_harness::{BrokerKind, Load, TestContext, wait};
use std::time::{Duration, Instant};

const IDLE_PARTITIONS: i32 = 2_000;
const IDLE_TIME: Duration = Duration::from_secs(10);
/// Acknowledged before and after a death.
const PROGRESS: usize = 500;

/// A broker by itself: its start, and what 2,000 partitions cost it while nobody uses them.
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
        let idle = side.new_topic(IDLE_PARTITIONS, 1).await?;
        let before = side.processor_time()?;
        // Nothing is waited for here: this is the measured time.
        tokio::time::sleep(IDLE_TIME).await;
        let used = side.processor_time()? - before;
        report.note(
            "2,000 idle partitions",
            "CPU ms/s",
            kind,
            used.as_secs_f64() * 1e3 / IDLE_TIME.as_secs_f64(),
        );
        let resident = side.cluster.broker(0)?.process()?.resident_bytes()?;
        report.note("2,000 idle partitions: memory", "MiB", kind, resident as f64 / 1048576.0);
        for _ in 0..REPETITIONS {
            side.cluster.broker(0)?.kill();
            side.cluster.wait_for_registrations(&[]).await?;
            let start = Instant::now();
            side.cluster.broker(0)?.start().await?;
            side.cluster.wait_for_topic(&idle, IDLE_PARTITIONS, 1).await?;
            report.note("start after kill -9 with 2,000 partitions", "ms until led", kind, millis(start));
        }
    }
    report.bound("start", Figure::Less(0.1));
    report.bound("2,000 idle partitions", Figure::Less(1.0));
    report.bound("2,000 idle partitions: memory", Figure::Less(0.1));
    report.bound("start after kill -9 with 2,000 partitions", Figure::Less(1.0 / 3.0));
    Ok(())
}

/// A leader that is not the controller dies, then the controller does, each returning.
pub async fn restart_and_failover(sides: &mut [Side; 2], report: &mut Report) -> Result<()> {
    for _ in 0..REPETITIONS {
        for side in &mut *sides {
            let topic = side.new_topic(6, 3).await?;
            let load = Load::start(&side.cluster.bootstrap(), &topic, 500)?;
            load.wait_for_progress(PROGRESS, SETTLE).await?;
            for (case, controller_dies) in [("leader killed", false), ("controller killed", true)] {
                let controller = side.cluster.wait_for_controller().await?;
                let victim = if controller_dies { controller } else { (controller + 1) % 3 };
                let mut led = Vec::new();
                for partition in 0..6 {
                    let state =
                        side.cluster.wait_for_state(&topic, partition, "a leader", |s| s.leader >= 0).await?;
                    if state.leader == victim {
                        led.push(partition);
                    }
                }
                load.take_longest_pause(&led);
                side.cluster.broker(victim)?.kill();
                wait::until_true("every partition to get on", 2 * SETTLE, || async {
                    Ok(led.iter().all(|p| {
                        load.last_progress(*p).is_some_and(|at| at.elapsed() < Duration::from_millis(200))
                    }))
                })
                .await?;
                for partition in &led {
                    side.cluster
                        .wait_for_state(&topic, *partition, "another leader", |s| {
                            s.leader != victim && s.leader >= 0
                        })
                        .await?;
                }
                load.wait_for_progress(PROGRESS, SETTLE).await?;
                let (_, pause) = load.take_longest_pause(&led);
                report.note(&format!("{case}: pause"), "ms", side.kind(), pause.as_secs_f64() * 1e3);
                side.cluster.broker(victim)?.start().await?;
                side.cluster.wait_for_topic(&topic, 6, 3).await?;
            }
            load.stop().await?;
            side.remove_topic(&topic).await?;
        }
    }
    report.bound("leader killed: pause", Figure::Less(0.5));
    report.bound("controller killed: pause", Figure::Less(0.5));
    Ok(())
}

fn millis(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}
