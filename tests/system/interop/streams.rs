//! Kafka Streams on Gregor: the word count of its tutorial, exactly once, with a broker killed meanwhile.

use anyhow::{Context as _, ensure};
use gregor_harness::java::fetched_program;
use gregor_harness::{BrokerKind, ClusterBuilder, Process, run_within, wait};
use std::path::Path;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(240);
const PATIENCE: Duration = Duration::from_secs(150);
/// Results after which a broker dies; there are 8,000.
const BEFORE_THE_KILL: u64 = 1_000;

#[test]
fn words_are_counted_exactly_once_while_a_broker_dies() {
    run_within(DEADLINE, async |context| {
        let mut cluster = ClusterBuilder::of(&[BrokerKind::Gregor; 3])
            .property("min.insync.replicas", "2")
            .property("offsets.topic.replication.factor", "3")
            .property("transaction.state.log.replication.factor", "3")
            .property("transaction.state.log.num.partitions", "2")
            .property("group.initial.rebalance.delay.ms", "200")
            .start(context)
            .await?;
        for topic in ["lines", "counts"] {
            cluster.create_topic(topic, 2, 3).await?;
        }
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/java/WordCount.java");
        let state = context.create_dir("streams")?;
        let line = fetched_program(context.dir(), &source, "applications").await?.args([
            &cluster.bootstrap(),
            "lines",
            "counts",
            &state.display().to_string(),
        ]);
        let mut application = Process::spawn(context, "word-count", &line)?;
        let log = context.log_file("word-count")?;
        wait::until_true("results", PATIENCE, || async {
            let text = std::fs::read_to_string(&log)?;
            let last = text.lines().filter_map(|line| line.strip_prefix("progress ")).next_back();
            Ok(last.context("none yet")?.parse::<u64>()? >= BEFORE_THE_KILL)
        })
        .await?;
        let leader = cluster.wait_for_state("counts", 0, "a leader", |state| state.leader >= 0).await?.leader;
        cluster.broker(leader)?.kill();
        let status = application.wait_for_exit(PATIENCE).await?;
        let text = std::fs::read_to_string(&log)?;
        let counts = text.lines().find_map(|line| line.strip_prefix("counts "));
        ensure!(
            status.success() && counts == Some("{be=2000, not=2000, or=2000, to=2000}"),
            "{status}: {counts:?}"
        );
        ensure!(!text.contains("failed: "), "{text}");
        Ok(())
    });
}
