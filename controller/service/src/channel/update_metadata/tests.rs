use bytes::BytesMut;
use gregor_controller_machine::{LeaderIsrAndControllerEpoch, UpdateMetadataTopic};
use gregor_model::{
    BrokerEpoch, ControllerEpoch, EndPoint, LeaderAndIsr, LeaderEpoch, LeaderRecoveryState, ListenerName,
    PartitionEpoch, ReplicaAssignment, SecurityProtocol, TopicId, TopicName,
};
use kafka_protocol::messages;
use kafka_protocol::protocol::{Decodable, Encodable};

use super::*;

fn content(deleting: bool, rack: Option<&str>) -> Arc<UpdateMetadataContent> {
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
    let partition = |index| UpdateMetadataPartition {
        partition: index,
        leadership: Arc::new(leadership.clone()),
        deleting,
        assignment: Arc::new(ReplicaAssignment::new(vec![BrokerId(1), BrokerId(2)])),
        offline_replicas: vec![BrokerId(2)],
    };
    let id = TopicId::from_random([7; 16]);
    // More than a length of one byte can say.
    let many =
        UpdateMetadataTopic { name: TopicName::new("t"), id, partitions: (0..200).map(partition).collect() };
    let nameless = UpdateMetadataTopic { name: TopicName::new("u"), id: None, partitions: Vec::new() };
    let endpoint = |name: &str, port| EndPoint {
        listener: ListenerName::new(name),
        protocol: SecurityProtocol::SaslSsl,
        host: "host.example".to_owned(),
        port,
    };
    let broker = BrokerEndpoints {
        id: BrokerId(1),
        epoch: BrokerEpoch(8),
        endpoints: vec![endpoint("CLIENTS", 9092), endpoint("INTERNAL", 65_535)],
        rack: rack.map(str::to_owned),
    };
    Arc::new(UpdateMetadataContent { topics: vec![many, nameless], live_brokers: vec![Arc::new(broker)] })
}

fn request(broker_epoch: i64, content: Arc<UpdateMetadataContent>) -> UpdateMetadataRequest {
    let (controller_epoch, broker_epoch) = (ControllerEpoch(4), BrokerEpoch(broker_epoch));
    UpdateMetadataRequest { controller_epoch, broker_epoch, content }
}

/// The body as another implementation of the protocol reads it, which must also write it so.
fn decoded(
    encoded: &EncodedMetadata,
    request: &UpdateMetadataRequest,
    version: i16,
) -> messages::UpdateMetadataRequest {
    let (head, shared) = encoded.body(request, BrokerId(9), version).unwrap();
    let body = [head, shared].concat();
    let mut reading = bytes::Bytes::from(body.clone());
    let decoded = messages::UpdateMetadataRequest::decode(&mut reading, version).unwrap();
    assert!(reading.is_empty());
    let mut again = BytesMut::new();
    decoded.encode(&mut again, version).unwrap();
    assert_eq!(again, body, "version {version}");
    decoded
}

#[test]
fn only_the_broker_epoch_differs_between_receivers() {
    for rack in [None, Some("a")] {
        let content = content(false, rack);
        for version in 5..=8 {
            let encoded = EncodedMetadata::default();
            for epoch in [17, i64::MAX] {
                let decoded = decoded(&encoded, &request(epoch, content.clone()), version);
                assert_eq!((decoded.broker_epoch, decoded.controller_epoch), (epoch, 4));
                assert_eq!((decoded.controller_id.0, decoded.is_k_raft_controller), (9, false));
                let topic = decoded.topic_states.first().unwrap();
                assert_eq!(topic.topic_id.is_nil(), version < 7);
                assert_eq!(topic.partition_states.len(), 200);
                let state = topic.partition_states.last().unwrap();
                assert_eq!((state.leader.0, state.leader_epoch, state.zk_version), (1, 3, 5));
                assert_eq!((state.partition_index, state.controller_epoch), (199, 2));
                assert_eq!(state.offline_replicas, [messages::BrokerId(2)]);
                let broker = decoded.live_brokers.first().unwrap();
                assert_eq!(broker.rack.as_deref(), rack);
                let last = broker.endpoints.last().unwrap();
                assert_eq!(
                    (last.port, last.listener.as_str(), last.security_protocol),
                    (65_535, "INTERNAL", 3)
                );
            }
            assert_eq!(encoded.recent.lock().len(), 1, "encoded once");
        }
    }
}

#[test]
fn a_topic_that_is_being_deleted_has_leader_minus_two() {
    let decoded = decoded(&EncodedMetadata::default(), &request(1, content(true, None)), 8);
    let state = decoded.topic_states.first().and_then(|topic| topic.partition_states.first()).unwrap();
    assert_eq!((state.leader.0, state.leader_epoch, state.zk_version), (-2, 0, 0));
    assert_eq!(state.isr, [messages::BrokerId(1)]);
}

#[test]
fn what_cannot_be_written_is_refused() {
    let content = content(false, Some(&"x".repeat(40_000)));
    assert!(EncodedMetadata::default().body(&request(1, content.clone()), BrokerId(9), 5).is_err());
    // Compact lengths know no such bound.
    assert!(EncodedMetadata::default().body(&request(1, content), BrokerId(9), 8).is_ok());
}
