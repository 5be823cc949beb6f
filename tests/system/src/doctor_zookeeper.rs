//! `gregor doctor --zookeeper`: the directories of stopped brokers held against the znodes; a sound cluster, then one
//! difference of each kind, what a repair does, and that the brokers go on afterwards.

use crate::doctor::findings;
use anyhow::{Context as _, Result, ensure};
use gregor_harness::broker::gregor_binary;
use gregor_harness::java::run_with_input;
use gregor_harness::process::CommandLine;
use gregor_harness::{Broker, Cluster, ClusterBuilder, run};
use std::fs;
use std::path::Path;
use std::process::Output;

/// Runs `gregor doctor DIR --zookeeper CONNECT ARGUMENTS`.
async fn doctor(broker: &Broker, arguments: &[&str]) -> Result<Output> {
    let line = CommandLine::new(gregor_binary("gregor")?.display().to_string())
        .args(["doctor", "--zookeeper", &broker.zookeeper_connect()])
        .args(arguments.iter().copied())
        .arg(broker.data_dir().display().to_string());
    run_with_input(line.command(), b"").await
}

/// The kinds that are found, sorted, but for notes that checkpoints know of what is not there.
async fn kinds(broker: &Broker) -> Result<Vec<String>> {
    let found = findings(&doctor(broker, &["--json"]).await?)?;
    let mut kinds: Vec<String> = found.into_iter().map(|(kind, _)| kind).collect();
    kinds.retain(|kind| kind != "checkpoint-of-nothing");
    kinds.sort();
    Ok(kinds)
}

async fn expect(broker: &Broker, expected: &[&str], after: &str) -> Result<()> {
    let found = kinds(broker).await?;
    ensure!(found == expected, "after {after}: found {found:?}, not {expected:?}");
    Ok(())
}

/// Changes the text of a znode.
async fn rewrite(cluster: &Cluster, path: &str, change: impl FnOnce(&str) -> String) -> Result<Vec<u8>> {
    let before = cluster.znodes.data(path).await?.with_context(|| format!("no {path}"))?;
    let after = change(std::str::from_utf8(&before)?);
    ensure!(after.as_bytes() != before, "{path} would not change");
    cluster.znodes.set_all(&[(path.to_owned(), after.into_bytes())]).await?;
    Ok(before)
}

#[test]
fn directories_are_held_against_the_znodes() {
    run(async |context| {
        let mut cluster = ClusterBuilder::new(2)?.start(context).await?;
        for topic in ["orders", "payments", "stray"] {
            cluster.create_topic(topic, 1, 2).await?;
            cluster.wait_for_topic(topic, 1, 2).await?;
        }
        let leader = cluster.wait_for_state("orders", 0, "a leader", |state| state.leader >= 0).await?.leader;
        cluster.produce_to(leader, "orders", 0, "kept").await?;
        for broker in &mut cluster.brokers {
            broker.stop().await?;
        }
        let broker = &cluster.brokers[0];
        expect(broker, &[], "a clean stop").await?;
        let data = broker.data_dir();

        let set_aside = context.dir().join("payments-0");
        fs::rename(data.join("payments-0"), &set_aside)?;
        expect(broker, &["missing-replica"], "a replica was taken away").await?;
        fs::rename(&set_aside, data.join("payments-0"))?;

        let topic = "/brokers/topics/orders";
        let known =
            rewrite(&cluster, topic, |text| text.replace("[0,1]", "[1]").replace("[1,0]", "[1]")).await?;
        expect(broker, &["not-assigned"], "the replica went to another broker").await?;
        cluster.znodes.set_all(&[(topic.to_owned(), known)]).await?;

        let known = rewrite(&cluster, topic, |_| "{".to_owned()).await?;
        expect(broker, &["broken-znode"], "a znode was damaged").await?;
        cluster.znodes.set_all(&[(topic.to_owned(), known)]).await?;

        wrong_topic_id(broker, &data).await?;

        let cluster_id = rewrite(&cluster, "/cluster/id", |_| {
            r#"{"version":"1","id":"AAAAAAAAAAAAAAAAAAAAAA"}"#.to_owned()
        })
        .await?;
        expect(broker, &["wrong-cluster"], "the cluster was another").await?;
        cluster.znodes.set_all(&[("/cluster/id".to_owned(), cluster_id)]).await?;

        stray_topic(&cluster, &data).await?;
        expect(broker, &["stray-partition"], "everything was put right").await?;
        cluster.start_brokers().await?;
        cluster.wait_for_topic("orders", 1, 2).await?;
        cluster.wait_for_topic("payments", 1, 2).await
    });
}

/// A log of a topic that was deleted and made anew: only a person can say whether its records may stay.
async fn wrong_topic_id(broker: &Broker, data: &Path) -> Result<()> {
    let file = data.join("orders-0/partition.metadata");
    let known = fs::read_to_string(&file)?;
    let line = known.lines().find(|line| line.starts_with("topic_id")).context("no topic id")?;
    fs::write(&file, known.replace(line, "topic_id: AAAAAAAAAAAAAAAAAAAAAQ"))?;
    let found = findings(&doctor(broker, &["--json"]).await?)?;
    let loses = "that these records are of another topic of the same name";
    let expected = [("wrong-topic-id".to_owned(), Some(loses.to_owned()))];
    ensure!(found == expected, "after the topic id changed: found {found:?}");
    let repaired = doctor(broker, &["--repair", "--yes"]).await?;
    ensure!(repaired.status.success(), "{}", String::from_utf8_lossy(&repaired.stderr));
    ensure!(fs::read_to_string(&file)? == known, "the repair wrote another id");
    Ok(())
}

/// A topic that is gone while the broker was down: its directory is put aside, with everything in it.
async fn stray_topic(cluster: &Cluster, data: &Path) -> Result<()> {
    let broker = &cluster.brokers[0];
    let node = "/brokers/topics/stray";
    for path in ["/partitions/0/state", "/partitions/0", "/partitions", ""] {
        cluster.znodes.delete(&format!("{node}{path}")).await?;
    }
    expect(broker, &["unknown-topic"], "the topic went").await?;
    ensure!(data.join("stray-0").exists(), "something was changed without being asked for");
    let repaired = doctor(broker, &["--repair", "--yes"]).await?;
    ensure!(repaired.status.success(), "{}", String::from_utf8_lossy(&repaired.stderr));
    let names: Vec<String> = fs::read_dir(data)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    let aside: Vec<&String> =
        names.iter().filter(|name| name.starts_with("stray-0.") && name.ends_with("-stray")).collect();
    let [aside] = &aside[..] else { anyhow::bail!("no directory was put aside: {names:?}") };
    ensure!(data.join(aside).join("00000000000000000000.log").exists(), "it was emptied");
    ensure!(!data.join("stray-0").exists(), "it is still there");
    Ok(())
}
