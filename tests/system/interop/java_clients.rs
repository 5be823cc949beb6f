//! Java clients of many releases, each with its own codecs, groups, transactions and administrator's requests, on Gregor.

use anyhow::ensure;
use gregor_harness::java::{fetched_program, run_with_input};
use gregor_harness::{BrokerKind, ClusterBuilder, run_within};
use std::path::Path;
use std::time::Duration;

/// A JVM compiles and another one runs, for each release.
const DEADLINE: Duration = Duration::from_secs(300);

/// Where the jars of a release are, and the codecs that it has.
const RELEASES: [(&str, &str); 5] = [
    ("clients-0.11.0.3", "none,gzip,snappy,lz4"),
    ("clients-1.1.1", "none,gzip,snappy,lz4"),
    ("clients-2.8.2", "none,gzip,snappy,lz4,zstd"),
    ("clients-3.9.2", "none,gzip,snappy,lz4,zstd"),
    ("clients", "none,gzip,snappy,lz4,zstd"),
];

#[test]
fn clients_of_every_age_work() {
    run_within(DEADLINE, async |context| {
        let cluster = ClusterBuilder::of(&[BrokerKind::Gregor; 3])
            .property("min.insync.replicas", "2")
            .property("offsets.topic.replication.factor", "3")
            .property("transaction.state.log.replication.factor", "3")
            .property("transaction.state.log.num.partitions", "2")
            .property("group.initial.rebalance.delay.ms", "200")
            .start(context)
            .await?;
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/java/Client.java");
        for (release, codecs) in RELEASES {
            let line = fetched_program(context.dir(), &source, release).await?;
            let line = line.args([&cluster.bootstrap(), &release.replace('.', "-"), codecs]);
            let output = run_with_input(line.command(), b"").await?;
            let said = String::from_utf8_lossy(&output.stdout);
            ensure!(
                output.status.success() && said.starts_with("ok "),
                "{release}: {said}{}",
                String::from_utf8_lossy(&output.stderr)
            );
            println!("{release}: {}", said.trim());
        }
        Ok(())
    });
}
