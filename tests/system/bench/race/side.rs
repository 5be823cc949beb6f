//! One side of the race: a cluster of one kind of broker, and what it has used.

use crate::KAFKAS_HEAP_MEBIBYTES;
use anyhow::{Context as _, Result};
use gregor_harness::cluster::SETTLE;
use gregor_harness::{BrokerKind, Cluster, ClusterBuilder, TestContext, wait};
use std::time::Duration;

/// A cluster in the race.
pub struct Side {
    /// Its brokers.
    pub cluster: Cluster,
    kind: BrokerKind,
    topics: usize,
}

impl Side {
    /// Starts `brokers` brokers in a directory of their own.
    pub async fn start(context: &TestContext, kind: BrokerKind, brokers: usize) -> Result<Side> {
        let dir = context.create_dir(&format!("{kind:?}-{brokers}"))?;
        let cluster = ClusterBuilder::of(&vec![kind; brokers])
            .kafkas_heap(KAFKAS_HEAP_MEBIBYTES)
            .property("num.network.threads", "3")
            .property("num.io.threads", "8")
            // A third of the default: what follows a death is measured, and takes that long.
            .property("zookeeper.session.timeout.ms", "6000")
            // What one case leaves is not written back during the next.
            .property("log.segment.delete.delay.ms", "0")
            .property("replica.lag.time.max.ms", "30000")
            .start(&TestContext::in_directory(dir))
            .await?;
        Ok(Side { cluster, kind, topics: 0 })
    }

    /// Whose brokers they are.
    pub fn kind(&self) -> BrokerKind {
        self.kind
    }

    /// A new topic.
    pub async fn new_topic(&mut self, partitions: i32, replicas: i16) -> Result<String> {
        self.topics += 1;
        let name = format!("race-{}", self.topics);
        self.cluster.create_topic(&name, partitions, replicas).await?;
        Ok(name)
    }

    /// Gives every partition back to the replica that its assignment names first, by the znode that tools used to write.
    pub async fn elect_preferred_leaders(&self, topic: &str, partitions: i32) -> Result<()> {
        let named: Vec<String> =
            (0..partitions).map(|p| format!("{{\"topic\":\"{topic}\",\"partition\":{p}}}")).collect();
        let plan = format!("{{\"version\":1,\"partitions\":[{}]}}", named.join(","));
        self.cluster.znodes.create("/admin/preferred_replica_election", plan.as_bytes()).await?;
        let assignment = self.cluster.znodes.assignment(topic).await?.context("the topic is gone")?;
        for partition in 0..partitions {
            let replicas = assignment.partitions.get(&partition.to_string()).context("no such partition")?;
            let preferred = *replicas.first().context("no replicas")?;
            self.cluster
                .wait_for_state(topic, partition, "its preferred leader", |state| state.leader == preferred)
                .await?;
        }
        Ok(())
    }

    /// Removes a topic, so that the next case finds the page cache as this one did.
    pub async fn remove_topic(&self, name: &str) -> Result<()> {
        self.cluster.znodes.create(&format!("/admin/delete_topics/{name}"), b"").await?;
        wait::until_true(&format!("{name} to be deleted"), SETTLE, || async {
            Ok(self.cluster.znodes.assignment(name).await?.is_none())
        })
        .await
    }

    /// Processor time of all brokers so far.
    pub fn processor_time(&mut self) -> Result<Duration> {
        self.cluster.brokers.iter_mut().map(|broker| broker.process()?.processor_time()).sum()
    }

    /// The most memory that a broker of the side ever had, in bytes.
    pub fn peak_bytes(&mut self) -> Result<u64> {
        let peaks = self.cluster.brokers.iter_mut().map(|broker| broker.process()?.peak_resident_bytes());
        peaks.collect::<Result<Vec<_>>>()?.into_iter().max().context("no broker")
    }
}
