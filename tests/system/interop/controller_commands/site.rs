//! A cluster of one kind, the commands, and what is noted of its znodes.

use anyhow::{Context as _, Result, ensure};
use gregor_harness::cluster::{SETTLE, topic_name};
use gregor_harness::rpc::Rpc;
use gregor_harness::{BrokerKind, Cluster, ClusterBuilder, TestContext, wait};
use kafka_protocol::messages::CreateTopicsRequest;
use kafka_protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use kafka_protocol::protocol::Request;
use serde_json::Value;
use std::time::Duration;

const TIMEOUT_MS: i32 = 20_000;
/// A JVM on a busy machine may take its time.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Whether a state's version is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// Every change of the state was commanded.
    Told,
    /// Followers joined on their own.
    Free,
}

pub struct Site {
    pub cluster: Cluster,
    lines: Vec<String>,
}

impl Site {
    pub async fn start(context: &TestContext, kind: BrokerKind) -> Result<Site> {
        let cluster = ClusterBuilder::of(&[kind; 4])
            .property("auto.leader.rebalance.enable", "false")
            .property("auto.create.topics.enable", "false")
            .property("unclean.leader.election.enable", "false")
            // Only what is commanded may change an ISR: a broker that is slow for a while must not.
            .property("replica.lag.time.max.ms", "60000")
            .start(context)
            .await?;
        Ok(Site { cluster, lines: Vec::new() })
    }

    /// What was noted.
    pub fn lines(self) -> Vec<String> {
        self.lines
    }

    pub fn note(&mut self, line: String) {
        self.lines.push(line);
    }

    /// Asks the controller.
    pub async fn ask<R: Request>(&self, version: i16, request: &R) -> Result<R::Response> {
        let controller = self.cluster.wait_for_controller().await?;
        ensure!(controller == 0, "broker {controller} became the controller");
        Rpc::connect(&self.cluster.brokers[0].address()).await?.call(version, request).await
    }

    /// Creates a topic with these replicas, and waits until all are in sync.
    pub async fn create(&mut self, name: &str, partitions: &[&[i32]]) -> Result<()> {
        let assignment = |(index, replicas): (i32, &&[i32])| {
            CreatableReplicaAssignment::default()
                .with_partition_index(index)
                .with_broker_ids(replicas.iter().map(|id| (*id).into()).collect())
        };
        let topic = CreatableTopic::default()
            .with_name(topic_name(name))
            .with_num_partitions(-1)
            .with_replication_factor(-1)
            .with_assignments((0..).zip(partitions).map(assignment).collect());
        let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(TIMEOUT_MS);
        let answer = self.ask(5, &request).await?;
        ensure!(answer.topics.iter().all(|topic| topic.error_code == 0), "{:?}", answer.topics);
        for (index, replicas) in (0..).zip(partitions) {
            self.wait_for(name, index, "a full ISR", |state| state.isr.len() == replicas.len()).await?;
        }
        Ok(())
    }

    /// Waits until a partition's state is as wanted.
    pub async fn wait_for(
        &self,
        topic: &str,
        partition: i32,
        what: &str,
        wanted: impl Fn(&gregor_harness::znodes::PartitionState) -> bool,
    ) -> Result<()> {
        let what = format!("{what} of {topic}-{partition}");
        wait::until_true(&what, PATIENCE, || async {
            let state = self.cluster.znodes.partition_state(topic, partition).await?;
            let state = state.context("no state")?;
            ensure!(wanted(&state), "{state:?}");
            Ok(true)
        })
        .await
    }

    /// Waits until there is no such znode.
    pub async fn wait_until_gone(&self, path: &str) -> Result<()> {
        wait::until_true(&format!("{path} to be gone"), PATIENCE, || async {
            Ok(self.cluster.znodes.data(path).await?.is_none())
        })
        .await
    }

    /// Waits until the controller knows of a broker's death or return: its registration is gone or there.
    pub async fn wait_for_brokers(&self, ids: &[i32]) -> Result<()> {
        self.cluster.wait_for_registrations(ids).await
    }

    /// Notes a topic's znodes, and those below `/admin`.
    pub async fn note_topic(&mut self, moment: &str, topic: &str, versions: Versions) -> Result<()> {
        let path = format!("/brokers/topics/{topic}");
        let Some(data) = self.cluster.znodes.data(&path).await? else {
            self.note(format!("{moment}: {topic} is gone"));
            return self.note_admin(moment).await;
        };
        let mut node: Value = serde_json::from_slice(&data)?;
        ensure!(node["topic_id"].as_str().is_some_and(|id| id.len() == 22), "{node}");
        node["topic_id"] = "ID".into();
        let partitions = node["partitions"].as_object().map_or(0, |partitions| partitions.len());
        self.note(format!("{moment}: {topic} {node}"));
        for partition in 0..partitions {
            let path = format!("{path}/partitions/{partition}/state");
            let line = match self.cluster.znodes.data_and_version(&path).await? {
                None => "no state".to_owned(),
                Some((data, version)) => state(&data, (versions == Versions::Told).then_some(version))?,
            };
            self.note(format!("{moment}: {topic}-{partition} {line}"));
        }
        self.note_admin(moment).await
    }

    async fn note_admin(&mut self, moment: &str) -> Result<()> {
        let children = self.cluster.znodes.children("/admin").await?;
        let markers = self.cluster.znodes.children("/admin/delete_topics").await?;
        self.note(format!("{moment}: /admin holds {children:?}, to be deleted {markers:?}"));
        Ok(())
    }

    /// Starts a broker again and waits until it is registered.
    pub async fn start_broker(&mut self, id: i32) -> Result<()> {
        self.cluster.broker(id)?.start().await?;
        wait::until_true("the broker to be registered", SETTLE, || async {
            Ok(self.cluster.znodes.broker_ids().await?.contains(&id))
        })
        .await
    }
}

/// A state in words: members it must have, in one order.
fn state(data: &[u8], version: Option<i32>) -> Result<String> {
    let state: Value = serde_json::from_slice(data)?;
    let mut isr: Vec<i64> =
        state["isr"].as_array().context("no ISR")?.iter().filter_map(Value::as_i64).collect();
    isr.sort_unstable();
    let recovery = state.get("leader_recovery_state").and_then(Value::as_i64).unwrap_or(0);
    let version = version.map_or("free".to_owned(), |version| version.to_string());
    Ok(format!(
        "leader {} epoch {} isr {isr:?} recovery {recovery} controller {} version {version}",
        state["leader"], state["leader_epoch"], state["controller_epoch"]
    ))
}
