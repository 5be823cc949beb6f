//! The plain path: create, produce, consume, restart.

use anyhow::{Context as _, Result, ensure};
use gregor_harness::cluster::SETTLE;
use gregor_harness::{ClusterBuilder, Load, read_back, run};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

#[test]
fn kcat_reads_what_kcat_sent() {
    run(async |context| {
        let cluster = ClusterBuilder::new(3)?.start(context).await?;
        let kcat = cluster.kcat();
        let lines: String = (0..2_000).map(|n| format!("line {n}\n")).collect();
        for (index, (acks, codec)) in
            [("0", "none"), ("1", "gzip"), ("all", "snappy"), ("all", "lz4"), ("all", "zstd")]
                .iter()
                .enumerate()
        {
            let topic = format!("round-trip-{index}");
            cluster.create_topic(&topic, 1, 3).await?;
            let acks = format!("acks={acks}");
            kcat.produce(&topic, &["-p", "0", "-z", codec, "-X", &acks], &lines).await?;
            let read =
                gregor_harness::wait::until(&format!("{topic} to hold every line"), SETTLE, || async {
                    let read = kcat.consume(&topic, &["-p", "0"]).await?;
                    // With acks=0 kcat is gone before the broker has seen everything.
                    Ok((read.len() >= lines.len()).then_some(read))
                })
                .await?;
            ensure!(read == lines, "{topic}: {} bytes were sent, {} came back", lines.len(), read.len());
        }
        Ok(())
    });
}

#[test]
fn metadata_creates_a_topic_that_is_asked_for() {
    run(async |context| {
        let cluster = ClusterBuilder::new(1)?.start(context).await?;
        cluster.kcat().produce("made-by-asking", &[], "hello\n").await?;
        let read = cluster.kcat().consume("made-by-asking", &[]).await?;
        ensure!(read == "hello\n", "read {read:?}");
        Ok(())
    });
}

#[test]
fn a_torn_tail_is_cut_and_nothing_acknowledged_is_lost() {
    run(async |context| {
        let mut cluster =
            ClusterBuilder::new(1)?.property("log.segment.bytes", "1048576").start(context).await?;
        cluster.create_topic("torn", 1, 1).await?;
        let load = Load::start(&cluster.bootstrap(), "torn", 20_000)?;
        load.wait_for_progress(30_000, SETTLE).await?;
        cluster.broker(0)?.kill();
        let segment = last_segment(&cluster.brokers[0].data_dir().join("torn-0"))?;
        OpenOptions::new().append(true).open(&segment)?.write_all(&[0xAB; 137])?;
        cluster.wait_for_registrations(&[]).await?;
        cluster.broker(0)?.start().await?;
        load.wait_for_progress(500, SETTLE).await?;
        let acknowledged = load.stop().await?;
        let topic = read_back::read_topic(&cluster.bootstrap(), "torn", 1).await?;
        read_back::check_acknowledged(&acknowledged, &topic)
    });
}

#[test]
fn a_clean_restart_keeps_everything() {
    run(async |context| {
        let mut cluster = ClusterBuilder::new(1)?.start(context).await?;
        cluster.create_topic("kept", 2, 1).await?;
        let load = Load::start(&cluster.bootstrap(), "kept", 2_000)?;
        load.wait_for_progress(2_000, SETTLE).await?;
        let acknowledged = load.stop().await?;
        cluster.broker(0)?.stop().await?;
        ensure!(
            cluster.brokers[0].data_dir().join(".kafka_cleanshutdown").exists(),
            "no .kafka_cleanshutdown after a clean stop"
        );
        cluster.broker(0)?.start().await?;
        let topic = read_back::read_topic(&cluster.bootstrap(), "kept", 2).await?;
        read_back::check_acknowledged(&acknowledged, &topic)
    });
}

fn last_segment(partition_dir: &Path) -> Result<PathBuf> {
    let paths = fs::read_dir(partition_dir)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "log"))
        .max()
        .context("no segment")
}
