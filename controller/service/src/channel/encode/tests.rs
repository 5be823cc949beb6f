use std::sync::Arc;

use bytes::BytesMut;
use gregor_controller_machine::{LeaderAndIsrTopic, LeaderIsrAndControllerEpoch, StopReplicaTopic};
use gregor_model::{
    BrokerEndpoints, BrokerEpoch, ControllerEpoch, EndPoint, LeaderAndIsr, LeaderRecoveryState,
    PartitionEpoch, ReplicaAssignment, SecurityProtocol, TopicId, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable};

use super::*;

fn request() -> LeaderAndIsrRequest {
    let leadership = LeaderIsrAndControllerEpoch {
        leader_and_isr: LeaderAndIsr {
            leader: None,
            leader_epoch: LeaderEpoch(3),
            isr: vec![BrokerId(1)],
            recovery: LeaderRecoveryState::Recovering,
            partition_epoch: PartitionEpoch(5),
        },
        controller_epoch: ControllerEpoch(2),
    };
    let partition = LeaderAndIsrPartition {
        partition: 4,
        leadership: Arc::new(leadership),
        assignment: Arc::new(ReplicaAssignment {
            replicas: vec![BrokerId(1), BrokerId(2)],
            adding: vec![BrokerId(2)],
            removing: Vec::new(),
        }),
        is_new: true,
    };
    let endpoint = |name: &str, port| EndPoint {
        listener: ListenerName::new(name),
        protocol: SecurityProtocol::Plaintext,
        host: "h".to_owned(),
        port,
    };
    let leader = BrokerEndpoints {
        id: BrokerId(1),
        epoch: BrokerEpoch(8),
        endpoints: vec![endpoint("CLIENTS", 1), endpoint("INTERNAL", 2)],
        rack: None,
    };
    LeaderAndIsrRequest {
        controller_epoch: ControllerEpoch(6),
        broker_epoch: BrokerEpoch(7),
        topics: vec![LeaderAndIsrTopic {
            name: TopicName::new("t"),
            id: TopicId::from_random([7; 16]),
            partitions: vec![partition],
        }],
        live_leaders: vec![Arc::new(leader)],
    }
}

#[test]
fn every_version_carries_what_it_can() {
    for version in 2..=7 {
        let body = leader_and_isr(&request(), BrokerId(9), &ListenerName::new("INTERNAL"), version).unwrap();
        let mut reading = body.clone();
        let decoded = messages::LeaderAndIsrRequest::decode(&mut reading, version).unwrap();
        assert!(reading.is_empty());
        let mut again = BytesMut::new();
        decoded.encode(&mut again, version).unwrap();
        assert_eq!(again, body, "version {version}");
        assert_eq!((decoded.controller_id.0, decoded.controller_epoch, decoded.broker_epoch), (9, 6, 7));
        assert_eq!((decoded.is_k_raft_controller, decoded._type), (false, 0));
        let leader = decoded.live_leaders.first().unwrap();
        assert_eq!((leader.broker_id.0, leader.host_name.as_str(), leader.port), (1, "h", 2));
        let topic = decoded.topic_states.first().unwrap();
        assert_eq!(topic.topic_id.is_nil(), version < 5);
        let state = topic.partition_states.first().unwrap();
        assert_eq!((state.leader.0, state.leader_epoch, state.partition_epoch), (-1, 3, 5));
        assert_eq!((state.partition_index, state.controller_epoch, state.is_new), (4, 2, true));
        assert_eq!((state.isr.len(), state.replicas.len(), state.removing_replicas.len()), (1, 2, 0));
        assert_eq!(state.adding_replicas.is_empty(), version < 3);
        assert_eq!(state.leader_recovery_state, i8::from(version >= 6));
    }
}

#[test]
fn stop_replica_splits_by_deletion_in_old_versions() {
    let partition = |index, delete| StopReplicaPartition {
        partition: index,
        deleting: delete,
        leader_epoch: Some(LeaderEpoch(3)),
        delete,
    };
    let request = StopReplicaRequest {
        controller_epoch: ControllerEpoch(6),
        broker_epoch: BrokerEpoch(7),
        topics: vec![StopReplicaTopic {
            name: TopicName::new("t"),
            partitions: vec![partition(0, true), partition(1, false)],
        }],
    };
    for version in 1..=4 {
        let encoded = stop_replica(&request, BrokerId(9), version);
        assert_eq!(encoded.len(), if version < 3 { 2 } else { 1 });
        for body in &encoded {
            body.encode(&mut BytesMut::new(), version).unwrap();
        }
        if let [body] = encoded.as_slice() {
            let states = &body.topic_states.first().unwrap().partition_states;
            let epochs: Vec<_> = states.iter().map(|s| (s.leader_epoch, s.delete_partition)).collect();
            assert_eq!(epochs, [(-2, true), (3, false)]);
        }
    }
}
