//! Every tool of `gregor` on a live cluster prints what was recorded from Kafka's tools and brokers; and `gregor dev`, which
//! Kafka has not.

use crate::conversation::Side;
use crate::tool_conversations::{
    GregorTools, ON_EMPTY_CLUSTER, cluster, converse_about, converse_among_inhabitants,
};
use anyhow::ensure;
use gregor_harness::broker::gregor_binary;
use gregor_harness::cluster::SETTLE;
use gregor_harness::process::{CommandLine, Process};
use gregor_harness::{BrokerKind, ClusterBuilder, ports, run, run_within, wait};
use std::fs;
use std::time::Duration;

/// A few hundred commands.
const DEADLINE: Duration = Duration::from_secs(240);

#[test]
fn every_tool_prints_what_kafkas_prints() {
    run_within(DEADLINE, async |context| {
        let cluster = cluster([BrokerKind::Gregor; 2]).start(context).await?;
        let tools = GregorTools::on(&cluster, context)?;
        converse_about(ON_EMPTY_CLUSTER, context, &cluster, &[(&tools, &[Side::Tool, Side::Broker])]).await
    });
}

#[test]
fn every_tool_tells_of_applications_what_kafkas_tells() {
    run_within(DEADLINE, async |context| {
        let cluster = cluster([BrokerKind::Gregor; 2]).start(context).await?;
        let tools = GregorTools::on(&cluster, context)?;
        converse_among_inhabitants(context, &cluster, &[(&tools, &[Side::Tool, Side::Broker])]).await
    });
}

#[test]
fn dev_runs_a_cluster_until_it_is_told_to_stop() {
    run(async |context| {
        let ensemble = ClusterBuilder::of(&[]).prepare(context).await?.ensemble;
        let port = ports::free_port()?;
        let data = context.dir().join("dev");
        let line = CommandLine::new(gregor_binary("gregor")?.display().to_string()).args([
            "dev",
            "--zookeeper",
            &format!("{}/dev", ensemble.connect_string()),
            "--port",
            &port.to_string(),
            "--data",
            &data.display().to_string(),
        ]);
        let mut dev = Process::spawn(context, "dev", &line)?;
        let log = context.log_file("dev")?;
        wait::until_true("the cluster to be ready", Duration::from_secs(90), || async {
            let said = fs::read_to_string(&log)?;
            Ok(said.contains(&format!("ready: 1 broker(s), --bootstrap-server 127.0.0.1:{port}\n")))
        })
        .await?;
        dev.terminate();
        let status = dev.wait_for_exit(SETTLE).await?;
        let said = fs::read_to_string(&log)?;
        ensure!(status.success(), "it ended with {status}: {said}");
        ensure!(said.contains("stopped; data is kept in"), "{said}");
        Ok(())
    });
}
