//! What the files and the topics must be like at the end.

use anyhow::{Result, ensure};
use gregor_harness::cluster::SETTLE;
use gregor_harness::java::kafka_tool;
use gregor_harness::read_back::Topic;
use gregor_harness::{Cluster, TestContext, replicas};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// Topics that every broker compacts when it likes.
const COMPACTED: [&str; 3] = ["__consumer_offsets", "__transaction_state", "table"];

/// Fails unless the topic holds `PREFIX0`, `PREFIX1`, ... up to `count` of them, each once.
pub fn once_each(topic: &Topic, prefix: &str, count: usize) -> Result<()> {
    let mut seen = BTreeSet::new();
    for payload in topic.values().flat_map(|messages| messages.values()) {
        let number: Option<usize> = payload.strip_prefix(prefix).and_then(|number| number.parse().ok());
        ensure!(number.is_some_and(|number| number < count), "nobody sent {payload:?}");
        ensure!(seen.insert(number), "{payload:?} is there twice");
    }
    ensure!(seen.len() == count, "{count} records were acknowledged, {} are there", seen.len());
    Ok(())
}

/// Fails unless replicas are equal and Kafka's own tool finds every batch and index sound. Stops the brokers.
pub async fn check_files(context: &TestContext, cluster: &mut Cluster) -> Result<()> {
    for (topic, partitions, copies) in super::extents().filter(|(topic, ..)| !COMPACTED.contains(topic)) {
        for partition in 0..partitions {
            let copies = copies.unsigned_abs().into();
            replicas::wait_until_copies_equal(&cluster.data_dirs(), topic, partition, copies, SETTLE).await?;
        }
    }
    for broker in &mut cluster.brokers {
        broker.stop().await?;
    }
    let mut files = Vec::new();
    for dir in cluster.data_dirs() {
        for partition in fs::read_dir(dir)?.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()) {
            files.extend(fs::read_dir(partition)?.flatten().map(|entry| entry.path()));
        }
    }
    let of = |extension: &str| -> String {
        let named = files.iter().filter(|path| path.extension().is_some_and(|found| found == extension));
        named.map(|path: &PathBuf| path.display().to_string()).collect::<Vec<_>>().join(",")
    };
    for (flags, extension) in
        [(&["--deep-iteration"][..], "log"), (&["--index-sanity-check"][..], "index"), (&[][..], "timeindex")]
    {
        let list = of(extension);
        let arguments = [&["--files", list.as_str()][..], flags].concat();
        let output = kafka_tool(context.dir(), "kafka.tools.DumpLogSegments", &arguments, b"").await?;
        let said = String::from_utf8_lossy(&output.stdout);
        let complaint = said.lines().find(|line| {
            ["isvalid: false", "Mismatches", "mismatch", "Found", "Out of order", "failed sanity"]
                .iter()
                .any(|words| line.contains(words))
        });
        ensure!(
            output.status.success() && complaint.is_none(),
            "kafka-dump-log {flags:?} on .{extension}: {complaint:?} {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}
