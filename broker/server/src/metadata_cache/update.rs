//! Applying an UpdateMetadata request to a snapshot (`ZkMetadataCache.updateMetadata`).
//!
//! The live brokers are replaced as a whole; partitions are merged. Leader -2 deletes a partition, and the topic with its last one.

use std::collections::BTreeMap;
use std::sync::Arc;

use gregor_model::{
    BrokerId, EndPoint, LeaderEpoch, ListenerName, PartitionEpoch, SecurityProtocol, TopicId, TopicName,
    TopicPartition,
};
use kafka_protocol::messages::UpdateMetadataRequest;
use kafka_protocol::messages::update_metadata_request::{
    UpdateMetadataBroker, UpdateMetadataEndpoint, UpdateMetadataPartitionState,
};

use super::snapshot::{AliveBroker, MetadataSnapshot, PartitionMetadata, TopicMetadata};

/// The leader of a partition that is being deleted (`LeaderAndIsr.LeaderDuringDelete`).
const LEADER_DURING_DELETE: i32 = -2;

/// An UpdateMetadata request that no controller sends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUpdateMetadata {
    /// A security protocol that Kafka does not have.
    #[error("broker {broker} has an endpoint with unknown security protocol {protocol}")]
    SecurityProtocol {
        /// Whose endpoint.
        broker: i32,
        /// The id.
        protocol: i16,
    },
    /// A port outside 0 to 65535.
    #[error("broker {broker} has an endpoint with port {port}")]
    Port {
        /// Whose endpoint.
        broker: i32,
        /// The number.
        port: i32,
    },
}

impl MetadataSnapshot {
    /// The snapshot after the request, and the partitions it deleted.
    pub(super) fn updated(
        &self,
        request: &UpdateMetadataRequest,
        version: i16,
    ) -> Result<(MetadataSnapshot, Vec<TopicPartition>), InvalidUpdateMetadata> {
        let mut next = self.clone();
        next.version += 1;
        next.controller = BrokerId::from_wire(request.controller_id.0);
        next.brokers = Arc::new(alive_brokers(&request.live_brokers, version)?);
        let mut deleted = Vec::new();
        for topic in &request.topic_states {
            let id = TopicId::from_wire(topic.topic_id);
            next.set_id(topic.topic_name.as_str(), id);
            for state in &topic.partition_states {
                next.apply(topic.topic_name.as_str(), id, state, &mut deleted);
            }
        }
        for state in &request.ungrouped_partition_states {
            next.apply(state.topic_name.as_str(), None, state, &mut deleted);
        }
        Ok((next, deleted))
    }

    /// A new id replaces the old; the zero id removes it.
    fn set_id(&mut self, name: &str, id: Option<TopicId>) {
        let Some(topic) = self.topics.get_mut(name).filter(|topic| topic.id != id) else { return };
        if let Some(old) = topic.id {
            self.names_by_id.remove(&old);
        }
        if let Some(id) = id {
            self.names_by_id.insert(id, TopicName::new(name));
        }
        Arc::make_mut(topic).id = id;
    }

    fn apply(
        &mut self,
        name: &str,
        id: Option<TopicId>,
        state: &UpdateMetadataPartitionState,
        deleted: &mut Vec<TopicPartition>,
    ) {
        if state.leader.0 == LEADER_DURING_DELETE {
            self.delete(name, state.partition_index);
            deleted.push(TopicPartition::new(name, state.partition_index));
            return;
        }
        if !self.topics.contains_key(name) {
            let name = TopicName::new(name);
            if let Some(id) = id {
                self.names_by_id.insert(id, name.clone());
            }
            self.topics.insert(name, Arc::new(TopicMetadata { id, partitions: BTreeMap::new() }));
        }
        if let Some(topic) = self.topics.get_mut(name) {
            Arc::make_mut(topic).partitions.insert(state.partition_index, partition_metadata(state));
        }
    }

    fn delete(&mut self, name: &str, partition: i32) {
        let Some(topic) = self.topics.get_mut(name) else { return };
        let topic = Arc::make_mut(topic);
        topic.partitions.remove(&partition);
        if topic.partitions.is_empty() {
            if let Some(id) = topic.id {
                self.names_by_id.remove(&id);
            }
            self.topics.remove(name);
        }
    }
}

fn partition_metadata(state: &UpdateMetadataPartitionState) -> PartitionMetadata {
    let ids = |ids: &[kafka_protocol::messages::BrokerId]| ids.iter().map(|id| BrokerId(id.0)).collect();
    PartitionMetadata {
        leader: BrokerId::from_wire(state.leader.0),
        leader_epoch: LeaderEpoch(state.leader_epoch),
        isr: ids(&state.isr),
        partition_epoch: PartitionEpoch(state.zk_version),
        replicas: ids(&state.replicas),
        offline_replicas: ids(&state.offline_replicas),
    }
}

fn alive_brokers(
    brokers: &[UpdateMetadataBroker],
    version: i16,
) -> Result<BTreeMap<BrokerId, AliveBroker>, InvalidUpdateMetadata> {
    brokers.iter().map(|broker| Ok((BrokerId(broker.id.0), alive_broker(broker, version)?))).collect()
}

fn alive_broker(broker: &UpdateMetadataBroker, version: i16) -> Result<AliveBroker, InvalidUpdateMetadata> {
    let endpoints = if version == 0 {
        let protocol = SecurityProtocol::Plaintext;
        vec![EndPoint {
            listener: ListenerName::new(protocol.as_str()),
            protocol,
            host: broker.v0_host.to_string(),
            port: port(broker, broker.v0_port)?,
        }]
    } else {
        broker.endpoints.iter().map(|endpoint| alive_endpoint(broker, endpoint)).collect::<Result<_, _>>()?
    };
    Ok(AliveBroker {
        id: BrokerId(broker.id.0),
        endpoints,
        // Before version 2 there were no racks.
        rack: broker.rack.as_ref().filter(|_| version >= 2).map(|rack| rack.to_string()),
    })
}

fn alive_endpoint(
    broker: &UpdateMetadataBroker,
    endpoint: &UpdateMetadataEndpoint,
) -> Result<EndPoint, InvalidUpdateMetadata> {
    let protocol = SecurityProtocol::from_id(endpoint.security_protocol).ok_or(
        InvalidUpdateMetadata::SecurityProtocol { broker: broker.id.0, protocol: endpoint.security_protocol },
    )?;
    // Before version 3 a listener had no name of its own.
    let listener = if endpoint.listener.is_empty() { protocol.as_str() } else { endpoint.listener.as_str() };
    Ok(EndPoint {
        listener: ListenerName::new(listener),
        protocol,
        host: endpoint.host.to_string(),
        port: port(broker, endpoint.port)?,
    })
}

fn port(broker: &UpdateMetadataBroker, port: i32) -> Result<u16, InvalidUpdateMetadata> {
    u16::try_from(port).map_err(|_| InvalidUpdateMetadata::Port { broker: broker.id.0, port })
}
