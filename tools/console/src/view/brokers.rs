//! The brokers: who is registered, who is controller, who leads how much.

use std::collections::HashMap;

use kafka_protocol::messages::MetadataResponse;
use serde::Serialize;

use super::configs::{self, ConfigEntry};
use super::log_dirs::{self, LogDir};
use crate::ConsoleError;
use crate::cluster::{Cluster, brokers};

/// The cluster, and a line per broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClusterView {
    cluster_id: Option<String>,
    controller: Option<i32>,
    brokers: Vec<BrokerLine>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct BrokerLine {
    id: i32,
    host: String,
    port: u16,
    rack: Option<String>,
    leaders: usize,
    replicas: usize,
    /// Replicas that are assigned here and not in the ISR.
    out_of_sync: usize,
    bytes: Option<i64>,
}

impl ClusterView {
    /// Asks for it.
    pub(crate) async fn load(cluster: &Cluster) -> Result<ClusterView, ConsoleError> {
        let metadata = cluster.metadata(None).await?;
        let sizes = log_dirs::sizes(cluster, &brokers(&metadata)).await;
        let mut stored: HashMap<i32, i64> = HashMap::new();
        for ((_, _, broker), size) in sizes {
            *stored.entry(broker).or_default() += size;
        }
        Ok(ClusterView::of(&metadata, &stored))
    }

    fn of(metadata: &MetadataResponse, stored: &HashMap<i32, i64>) -> ClusterView {
        let partitions = || metadata.topics.iter().flat_map(|topic| &topic.partitions);
        let line = |broker: crate::cluster::Broker| {
            let here = |ids: &[kafka_protocol::messages::BrokerId]| ids.iter().any(|id| id.0 == broker.id);
            BrokerLine {
                id: broker.id,
                leaders: partitions().filter(|partition| partition.leader_id.0 == broker.id).count(),
                replicas: partitions().filter(|partition| here(&partition.replica_nodes)).count(),
                out_of_sync: partitions()
                    .filter(|partition| here(&partition.replica_nodes) && !here(&partition.isr_nodes))
                    .count(),
                bytes: stored.get(&broker.id).copied(),
                host: broker.address.host,
                port: broker.address.port,
                rack: broker.rack,
            }
        };
        ClusterView {
            cluster_id: metadata.cluster_id.as_ref().map(ToString::to_string),
            controller: Some(metadata.controller_id.0).filter(|id| *id >= 0),
            brokers: brokers(metadata).into_iter().map(line).collect(),
        }
    }
}

/// One broker: its directories and configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct BrokerView {
    id: i32,
    directories: Vec<LogDir>,
    configs: Vec<ConfigEntry>,
}

impl BrokerView {
    /// Asks for it.
    pub(crate) async fn load(cluster: &Cluster, id: i32) -> Result<BrokerView, ConsoleError> {
        let metadata = cluster.metadata(Some(&[])).await?;
        let broker = brokers(&metadata).into_iter().find(|broker| broker.id == id);
        let broker =
            broker.ok_or_else(|| ConsoleError::NotFound(format!("broker {id} is not registered")))?;
        let id = id.to_string();
        let (directories, configs) = tokio::join!(
            log_dirs::of_broker(cluster, &broker),
            configs::of_resource(cluster, &broker, configs::BROKER, &id)
        );
        Ok(BrokerView { id: broker.id, directories, configs: configs? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::BrokerId;
    use kafka_protocol::messages::metadata_response::{
        MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
    };
    use kafka_protocol::protocol::StrBytes;

    #[test]
    fn brokers_count_what_is_theirs() {
        let ids = |ids: &[i32]| ids.iter().copied().map(BrokerId).collect::<Vec<_>>();
        let partition = MetadataResponsePartition::default()
            .with_leader_id(BrokerId(1))
            .with_replica_nodes(ids(&[1, 2]))
            .with_isr_nodes(ids(&[1]));
        let broker = |id| {
            MetadataResponseBroker::default()
                .with_node_id(BrokerId(id))
                .with_host(StrBytes::from_static_str("host"))
                .with_port(9092)
        };
        let metadata = MetadataResponse::default()
            .with_brokers(vec![broker(2), broker(1)])
            .with_controller_id(BrokerId(-1))
            .with_topics(vec![MetadataResponseTopic::default().with_partitions(vec![partition])]);
        let view = ClusterView::of(&metadata, &HashMap::from([(2, 10)]));
        let lines: Vec<_> = view
            .brokers
            .iter()
            .map(|line| (line.id, line.leaders, line.replicas, line.out_of_sync, line.bytes))
            .collect();
        assert_eq!(lines, [(1, 1, 1, 0, None), (2, 0, 1, 1, Some(10))]);
        assert_eq!(view.controller, None);
    }
}
