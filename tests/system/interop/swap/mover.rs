//! A replica that moves to another broker, throttled so that a broker changes hands meanwhile.

use super::history::{set_default_config, set_topic_config};
use anyhow::{Context as _, Result, ensure};
use gregor_harness::cluster::{SETTLE, topic_name};
use gregor_harness::rpc::Rpc;
use gregor_harness::{Cluster, wait};
use kafka_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use kafka_protocol::messages::{AlterPartitionReassignmentsRequest, BrokerId};

const NAME: &str = "moved";
/// What moves.
pub const TOPIC: super::Extent = (NAME, 1, 2);

const LINES: usize = 10_000;
/// Bytes a second: the move takes 15 s or more, until it is let go.
const THROTTLE: &str = "400000";
const THROTTLED: [&str; 2] =
    ["leader.replication.throttled.replicas", "follower.replication.throttled.replicas"];
const RATES: [&str; 2] = ["leader.replication.throttled.rate", "follower.replication.throttled.rate"];

/// The replica that is moved, and whereto.
pub struct Mover {
    target: Vec<i32>,
}

impl Mover {
    /// Fills the topic.
    pub async fn prepare(cluster: &Cluster) -> Result<Mover> {
        let (name, partitions, replicas) = TOPIC;
        cluster.create_topic(name, partitions, replicas).await?;
        let lines: String = (0..LINES).map(|line| format!("{line:0600}\n")).collect();
        cluster.kcat().produce(name, &["-p", "0", "-X", "acks=all"], &lines).await?;
        let replicas = replicas_of(cluster).await?;
        let other = cluster.brokers.iter().map(|broker| broker.id()).find(|id| !replicas.contains(id));
        Ok(Mover { target: vec![replicas[0], other.context("no third broker")?] })
    }

    /// Begins the move.
    pub async fn begin(&self, cluster: &Cluster) -> Result<()> {
        for key in THROTTLED {
            set_topic_config(cluster, NAME, key, Some("*")).await?;
        }
        for key in RATES {
            set_default_config(cluster, key, Some(THROTTLE)).await?;
        }
        let partition = ReassignablePartition::default()
            .with_partition_index(0)
            .with_replicas(Some(self.target.iter().map(|id| BrokerId(*id)).collect()));
        let topic = ReassignableTopic::default().with_name(topic_name(NAME)).with_partitions(vec![partition]);
        let request = AlterPartitionReassignmentsRequest::default().with_topics(vec![topic]);
        wait::until_true("the reassignment to be accepted", SETTLE, || async {
            let controller = cluster.znodes.controller().await?.context("no controller")?;
            let broker = cluster.brokers.iter().find(|broker| broker.id() == controller);
            let address = broker.context("an unknown controller")?.address();
            let answer = Rpc::connect(&address).await?.call(0, &request).await?;
            let refused = answer.error_code != 0
                || answer.responses.iter().flat_map(|t| &t.partitions).any(|p| p.error_code != 0);
            ensure!(!refused, "{answer:?}");
            Ok(true)
        })
        .await?;
        ensure!(replicas_of(cluster).await?.len() == 3, "the move was over at once");
        Ok(())
    }

    /// Lets it go, and waits for its end.
    pub async fn end(&self, cluster: &Cluster) -> Result<()> {
        println!("the replicas are {:?} as the throttle ends", replicas_of(cluster).await?);
        for key in RATES {
            set_default_config(cluster, key, None).await?;
        }
        for key in THROTTLED {
            set_topic_config(cluster, NAME, key, None).await?;
        }
        wait::until_true("the reassignment to end", 2 * SETTLE, || async {
            let replicas = replicas_of(cluster).await?;
            ensure!(replicas == self.target, "the replicas are {replicas:?}");
            Ok(true)
        })
        .await
    }
}

async fn replicas_of(cluster: &Cluster) -> Result<Vec<i32>> {
    let assignment = cluster.znodes.assignment(NAME).await?.context("no assignment")?;
    assignment.partitions.get("0").cloned().context("no partition 0")
}
