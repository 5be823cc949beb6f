//! CONFIGS.md, the list of configuration keys, has every key that the classes of Apache Kafka 3.9 define for brokers and
//! topics, and no other.

use anyhow::{Context as _, Result, ensure};
use gregor_harness::java::{kafka_program, run_with_input};
use gregor_harness::run;
use std::collections::BTreeSet;
use std::path::Path;

/// The keys below a heading of the list.
fn listed(list: &str, heading: &str) -> Result<BTreeSet<String>> {
    let start = list.find(&format!("\n## {heading} (")).with_context(|| format!("no heading {heading}"))?;
    let section = list[start + 1..].split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    Ok(rows.filter_map(|row| Some(row.split_once('`')?.0.to_owned())).collect())
}

#[test]
fn the_list_of_keys_is_kafkas() {
    run(async |context| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/java/ConfigNames.java");
        let line = kafka_program(context.dir(), &source).await?;
        let output = run_with_input(line.command(), b"").await?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../broker/config/CONFIGS.md");
        let list = std::fs::read_to_string(list)?;
        for (kind, heading) in [("broker ", "Brokers"), ("topic ", "Topics")] {
            let kafkas: BTreeSet<String> =
                said.lines().filter_map(|line| line.strip_prefix(kind)).map(str::to_owned).collect();
            ensure!(kafkas.len() > 30, "only {} keys of Kafka's", kafkas.len());
            let ours = listed(&list, heading)?;
            let missing: Vec<_> = kafkas.difference(&ours).collect();
            let invented: Vec<_> = ours.difference(&kafkas).collect();
            ensure!(
                missing.is_empty() && invented.is_empty(),
                "{heading}: missing {missing:?}, not Kafka's {invented:?}"
            );
            println!("{heading}: {} keys", ours.len());
        }
        Ok(())
    });
}
