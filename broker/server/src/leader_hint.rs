//! Where a client should have sent its request (KIP-951): the current leader and its address, told along with
//! NOT_LEADER_OR_FOLLOWER in Produce v10 and Fetch v16 (`KafkaApis.getCurrentLeader`).

use std::collections::BTreeMap;

use gregor_model::{BrokerId, LeaderEpoch, ListenerName, TopicPartition};

use crate::broker::Broker;

/// Who leads a partition, as far as this broker knows: what its own replica was last told, else the metadata cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CurrentLeader {
    /// The leader, if known.
    pub id: Option<BrokerId>,
    /// Its term, if known.
    pub epoch: Option<LeaderEpoch>,
}

/// A broker's address for one listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeAddress {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: i32,
    /// `broker.rack`.
    pub rack: Option<String>,
}

/// Collects the addresses of the leaders that one response names.
pub struct LeaderHints<'a> {
    broker: &'a Broker,
    listener: &'a ListenerName,
    nodes: BTreeMap<BrokerId, NodeAddress>,
}

impl<'a> LeaderHints<'a> {
    /// No leaders yet, for a client on that listener.
    pub fn new(broker: &'a Broker, listener: &'a ListenerName) -> LeaderHints<'a> {
        LeaderHints { broker, listener, nodes: BTreeMap::new() }
    }

    /// The leader of a partition; its address goes with the response.
    pub fn current_leader(&mut self, partition: &TopicPartition) -> CurrentLeader {
        let snapshot = self.broker.metadata.snapshot();
        let leader = match self.broker.replicas.status(partition) {
            Some(status) => CurrentLeader { id: status.leader, epoch: status.leader_epoch },
            None => snapshot.partition(partition.topic.as_str(), partition.partition).map_or_else(
                CurrentLeader::default,
                |known| CurrentLeader { id: known.leader, epoch: Some(known.leader_epoch) },
            ),
        };
        if let Some(alive) = leader.id.and_then(|id| snapshot.broker(id))
            && let Some(endpoint) = alive.endpoint(self.listener)
        {
            self.nodes.insert(
                alive.id,
                NodeAddress {
                    host: endpoint.host.clone(),
                    port: endpoint.port.into(),
                    rack: alive.rack.clone(),
                },
            );
        }
        leader
    }

    /// The addresses collected.
    pub fn into_nodes(self) -> BTreeMap<BrokerId, NodeAddress> {
        self.nodes
    }
}
