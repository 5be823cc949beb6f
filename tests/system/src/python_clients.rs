//! Producers and group consumers in Python, written as any tutorial writes them, with confluent-kafka and kafka-python from
//! PyPI. `tests/run` makes their environment; without it (PyPI out of reach) the test says so in one line.

use anyhow::{Result, ensure};
use gregor_harness::java::{run_with_input, target_dir};
use gregor_harness::process::CommandLine;
use gregor_harness::{Cluster, ClusterBuilder, run};
use std::path::Path;

const COUNT: usize = 2_000;

#[test]
fn tutorials_in_python_work() {
    run(async |context| {
        if !target_dir().join("python/complete").exists() {
            println!("skipped: confluent-kafka and kafka-python cannot be fetched from PyPI");
            return Ok(());
        }
        let cluster = ClusterBuilder::new(2)?.start(context).await?;
        for (producer, consumer) in
            [("confluent_producer", "confluent_consumer"), ("kafka_python_producer", "kafka_python_consumer")]
        {
            cluster.create_topic(producer, 3, 2).await?;
            python(&cluster, producer, producer).await?;
            python(&cluster, consumer, producer).await?;
        }
        // Each library reads what the other sent.
        python(&cluster, "confluent_consumer", "kafka_python_producer").await?;
        python(&cluster, "kafka_python_consumer", "confluent_producer").await
    });
}

/// Runs a program, which prints how many messages it sent or saw.
async fn python(cluster: &Cluster, program: &str, topic: &str) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("python/{program}.py"));
    let line = CommandLine::new(target_dir().join("python/bin/python").display().to_string())
        .arg(path.display().to_string())
        .args([cluster.bootstrap(), topic.to_owned(), COUNT.to_string()]);
    let output = run_with_input(line.command(), b"").await?;
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success() && said.trim() == COUNT.to_string(), "{program}: {said}{complained}");
    Ok(())
}
