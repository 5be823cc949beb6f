//! UpdateMetadata, encoded once for all brokers: between two receivers of the same content only the broker epoch near
//! its beginning differs.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use gregor_controller_machine::{
    UpdateMetadataContent, UpdateMetadataPartition, UpdateMetadataRequest, UpdateMetadataTopic,
};
use gregor_model::{BrokerEndpoints, BrokerId, ControllerEpoch, TopicId};
use gregor_wire::client::ClientError;
use gregor_wire::convert::{text, wire_broker_id, wire_topic_name};
use kafka_protocol::messages;
use kafka_protocol::messages::update_metadata_request::{
    UpdateMetadataBroker, UpdateMetadataEndpoint, UpdateMetadataPartitionState, UpdateMetadataTopicState,
};
use kafka_protocol::protocol::Encodable;
use parking_lot::Mutex;
use uuid::Uuid;

use super::encode::broker_ids;

/// Leader of a partition whose topic is being deleted (`LeaderAndIsr.LeaderDuringDelete`).
const LEADER_DURING_DELETE: messages::BrokerId = messages::BrokerId(-2);
/// Contents kept encoded: brokers take the same one at about the same time.
const CONTENTS_MAX: usize = 4;

/// The contents encoded last, without their receivers' broker epochs. Contents are told apart by identity; holding them
/// keeps their addresses from being used again.
#[derive(Default)]
pub(super) struct EncodedMetadata {
    recent: Mutex<Vec<(Arc<UpdateMetadataContent>, Bytes)>>,
}

impl EncodedMetadata {
    /// The body of a request. All calls give the same controller, epoch and version.
    pub(super) fn body(
        &self,
        request: &UpdateMetadataRequest,
        controller: BrokerId,
        version: i16,
    ) -> Result<BytesMut, ClientError> {
        let shared = match self.find(&request.content) {
            Some(encoded) => encoded,
            None => {
                let encoded = encode(&request.content, request.controller_epoch, controller, version)?;
                let mut recent = self.recent.lock();
                if recent.len() >= CONTENTS_MAX {
                    recent.remove(0);
                }
                recent.push((request.content.clone(), encoded.clone()));
                encoded
            }
        };
        let mut body = BytesMut::from(&shared[..]);
        // Behind ControllerId, isKRaftController (from version 8 on) and ControllerEpoch.
        let at = if version >= 8 { 9 } else { 8 };
        let epoch = body.get_mut(at..at + 8);
        let epoch = epoch.ok_or_else(|| ClientError::Unencodable("no room for a broker epoch".to_owned()))?;
        epoch.copy_from_slice(&request.broker_epoch.0.to_be_bytes());
        Ok(body)
    }

    fn find(&self, content: &Arc<UpdateMetadataContent>) -> Option<Bytes> {
        let recent = self.recent.lock();
        recent.iter().find(|(known, _)| Arc::ptr_eq(known, content)).map(|(_, encoded)| encoded.clone())
    }
}

fn encode(
    content: &UpdateMetadataContent,
    controller_epoch: ControllerEpoch,
    controller: BrokerId,
    version: i16,
) -> Result<Bytes, ClientError> {
    let request = messages::UpdateMetadataRequest::default()
        .with_controller_id(wire_broker_id(Some(controller)))
        .with_controller_epoch(controller_epoch.0)
        .with_topic_states(content.topics.iter().map(|topic| topic_state(topic, version)).collect())
        .with_live_brokers(content.live_brokers.iter().map(|broker| live_broker(broker)).collect());
    let mut body = BytesMut::new();
    request.encode(&mut body, version).map_err(|error| ClientError::Unencodable(error.to_string()))?;
    Ok(body.freeze())
}

fn topic_state(topic: &UpdateMetadataTopic, version: i16) -> UpdateMetadataTopicState {
    let id = if version >= 7 { TopicId::to_wire(topic.id) } else { Uuid::nil() };
    UpdateMetadataTopicState::default()
        .with_topic_name(wire_topic_name(&topic.name))
        .with_topic_id(id)
        .with_partition_states(topic.partitions.iter().map(partition_state).collect())
}

fn partition_state(partition: &UpdateMetadataPartition) -> UpdateMetadataPartitionState {
    let leadership = &partition.leadership.leader_and_isr;
    let state = UpdateMetadataPartitionState::default()
        .with_partition_index(partition.partition)
        .with_controller_epoch(partition.leadership.controller_epoch.0)
        .with_isr(broker_ids(&leadership.isr))
        .with_replicas(broker_ids(&partition.assignment.replicas))
        .with_offline_replicas(broker_ids(&partition.offline_replicas));
    match partition.deleting {
        true => state.with_leader(LEADER_DURING_DELETE).with_leader_epoch(0).with_zk_version(0),
        false => state
            .with_leader(wire_broker_id(leadership.leader))
            .with_leader_epoch(leadership.leader_epoch.0)
            .with_zk_version(leadership.partition_epoch.0),
    }
}

fn live_broker(broker: &BrokerEndpoints) -> UpdateMetadataBroker {
    let endpoints = broker.endpoints.iter().map(|endpoint| {
        UpdateMetadataEndpoint::default()
            .with_port(i32::from(endpoint.port))
            .with_host(text(&endpoint.host))
            .with_listener(text(endpoint.listener.as_str()))
            .with_security_protocol(endpoint.protocol.id())
    });
    UpdateMetadataBroker::default()
        .with_id(wire_broker_id(Some(broker.id)))
        .with_endpoints(endpoints.collect())
        .with_rack(broker.rack.as_deref().map(text))
}

#[cfg(test)]
mod tests {
    use gregor_controller_machine::LeaderIsrAndControllerEpoch;
    use gregor_model::{
        BrokerEpoch, LeaderAndIsr, LeaderEpoch, LeaderRecoveryState, PartitionEpoch, ReplicaAssignment,
        TopicName,
    };
    use kafka_protocol::protocol::Decodable;

    use super::*;

    fn content(deleting: bool) -> Arc<UpdateMetadataContent> {
        let leadership = LeaderIsrAndControllerEpoch {
            leader_and_isr: LeaderAndIsr {
                leader: Some(BrokerId(1)),
                leader_epoch: LeaderEpoch(3),
                isr: vec![BrokerId(1)],
                recovery: LeaderRecoveryState::Recovered,
                partition_epoch: PartitionEpoch(5),
            },
            controller_epoch: ControllerEpoch(2),
        };
        let partition = UpdateMetadataPartition {
            partition: 0,
            leadership: Arc::new(leadership),
            deleting,
            assignment: Arc::new(ReplicaAssignment::new(vec![BrokerId(1), BrokerId(2)])),
            offline_replicas: vec![BrokerId(2)],
        };
        let id = TopicId::from_random([7; 16]);
        let topic = UpdateMetadataTopic { name: TopicName::new("t"), id, partitions: vec![partition] };
        Arc::new(UpdateMetadataContent { topics: vec![topic], live_brokers: Vec::new() })
    }

    #[test]
    fn only_the_broker_epoch_differs_between_receivers() {
        let encoded = EncodedMetadata::default();
        let content = content(false);
        for version in 5..=8 {
            let encoded = EncodedMetadata { recent: Mutex::new(encoded.recent.lock().drain(..).collect()) };
            for epoch in [17, i64::MAX] {
                let request = UpdateMetadataRequest {
                    controller_epoch: ControllerEpoch(4),
                    broker_epoch: BrokerEpoch(epoch),
                    content: content.clone(),
                };
                let mut body = encoded.body(&request, BrokerId(9), version).unwrap().freeze();
                let decoded = messages::UpdateMetadataRequest::decode(&mut body, version).unwrap();
                assert_eq!((decoded.broker_epoch, decoded.controller_epoch), (epoch, 4));
                assert_eq!(decoded.controller_id.0, 9);
                let topic = decoded.topic_states.first().unwrap();
                assert_eq!(topic.topic_id.is_nil(), version < 7);
                let state = topic.partition_states.first().unwrap();
                assert_eq!((state.leader.0, state.leader_epoch, state.zk_version), (1, 3, 5));
            }
            assert_eq!(encoded.recent.lock().len(), 1, "encoded once");
        }
    }

    #[test]
    fn a_topic_that_is_being_deleted_has_leader_minus_two() {
        let encoded = EncodedMetadata::default();
        let request = UpdateMetadataRequest {
            controller_epoch: ControllerEpoch(4),
            broker_epoch: BrokerEpoch(1),
            content: content(true),
        };
        let mut body = encoded.body(&request, BrokerId(9), 8).unwrap().freeze();
        let decoded = messages::UpdateMetadataRequest::decode(&mut body, 8).unwrap();
        let state = decoded.topic_states.first().and_then(|topic| topic.partition_states.first()).unwrap();
        assert_eq!((state.leader.0, state.leader_epoch, state.zk_version), (-2, 0, 0));
        assert_eq!(state.isr, [messages::BrokerId(1)]);
    }
}
