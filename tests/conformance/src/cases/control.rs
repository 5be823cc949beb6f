//! What brokers and the controller say to each other, as a stranger or somebody late would say it.

use crate::case::{Case, case, ids, plain, topic};
use crate::side::Side;
use kafka_protocol::messages::alter_partition_request::{BrokerState, PartitionData, TopicData};
use kafka_protocol::messages::leader_and_isr_request::{LeaderAndIsrPartitionState, LeaderAndIsrTopicState};
use kafka_protocol::messages::stop_replica_request::{
    StopReplicaPartitionState, StopReplicaPartitionV0, StopReplicaTopicState, StopReplicaTopicV1,
};
use kafka_protocol::messages::{
    AllocateProducerIdsRequest, AlterPartitionRequest, ApiKey, BrokerId, ControlledShutdownRequest,
    LeaderAndIsrRequest, StopReplicaRequest, UpdateMetadataRequest,
};

pub fn cases() -> Vec<Case> {
    [leader_and_isr(), stop_replica(), update_metadata(), to_controller()].into_iter().flatten().collect()
}

fn leader_and_isr() -> Vec<Case> {
    let of = |name: &'static str, controller_epoch: i32, broker_epoch: i64, named: bool| {
        case(ApiKey::LeaderAndIsr, name, move |version, side: &Side| {
            let partition = LeaderAndIsrPartitionState::default()
                .with_controller_epoch(1)
                .with_leader(BrokerId(0))
                .with_leader_epoch(0)
                .with_isr(ids(&[0, 1]))
                .with_replicas(ids(&[0, 1]));
            let request = LeaderAndIsrRequest::default()
                .with_controller_id(BrokerId(0))
                .with_controller_epoch(controller_epoch);
            let request = if version >= 2 { request.with_broker_epoch(broker_epoch) } else { request };
            if !named {
                return Some(request.into());
            }
            Some(if version >= 2 {
                let of = LeaderAndIsrTopicState::default().with_topic_name(topic("plain"));
                let of = if version >= 5 { of.with_topic_id(side.topic_id("plain")) } else { of };
                request.with_topic_states(vec![of.with_partition_states(vec![partition])]).into()
            } else {
                let partition = partition.with_topic_name(topic("plain"));
                request.with_ungrouped_partition_states(vec![partition]).into()
            })
        })
    };
    vec![
        of("a deposed controller", 0, -1, true),
        of("an old broker epoch", 1, 1, true),
        of("an old leader epoch", 1, -1, true),
        of("nothing", 1, -1, false),
    ]
}

fn stop_replica() -> Vec<Case> {
    let of =
        |name: &'static str, controller_epoch: i32, broker_epoch: i64, partition: i32, leader_epoch: i32| {
            case(ApiKey::StopReplica, name, move |version, _| {
                let request = StopReplicaRequest::default()
                    .with_controller_id(BrokerId(0))
                    .with_controller_epoch(controller_epoch);
                let request = if version >= 1 { request.with_broker_epoch(broker_epoch) } else { request };
                Some(match version {
                    0 => {
                        let one = StopReplicaPartitionV0::default()
                            .with_topic_name(topic("plain"))
                            .with_partition_index(partition);
                        request.with_ungrouped_partitions(vec![one]).into()
                    }
                    1..=2 => {
                        let of = StopReplicaTopicV1::default()
                            .with_name(topic("plain"))
                            .with_partition_indexes(vec![partition]);
                        request.with_topics(vec![of]).into()
                    }
                    _ => {
                        let one = StopReplicaPartitionState::default()
                            .with_partition_index(partition)
                            .with_leader_epoch(leader_epoch);
                        let of = StopReplicaTopicState::default()
                            .with_topic_name(topic("plain"))
                            .with_partition_states(vec![one]);
                        request.with_topic_states(vec![of]).into()
                    }
                })
            })
        };
    vec![
        of("a deposed controller", 0, -1, 0, 0),
        of("an old broker epoch", 1, 1, 0, 0),
        of("a partition not here", 1, -1, 9, 0),
    ]
}

fn update_metadata() -> Vec<Case> {
    let of = |name: &'static str, controller_epoch: i32, broker_epoch: i64| {
        case(ApiKey::UpdateMetadata, name, move |version, _| {
            let request = UpdateMetadataRequest::default()
                .with_controller_id(BrokerId(0))
                .with_controller_epoch(controller_epoch);
            Some(if version >= 5 { request.with_broker_epoch(broker_epoch) } else { request }.into())
        })
    };
    // One that is taken would leave the broker without a view of the cluster.
    vec![of("a deposed controller", 0, -1), {
        case(ApiKey::UpdateMetadata, "an old broker epoch", |version, _| {
            let request =
                UpdateMetadataRequest::default().with_controller_id(BrokerId(0)).with_controller_epoch(1);
            (version >= 5).then(|| request.with_broker_epoch(1).into())
        })
    }]
}

fn to_controller() -> Vec<Case> {
    let alter = |name: &'static str, broker: i32, broker_epoch: i64, leader_epoch: i32| {
        case(ApiKey::AlterPartition, name, move |version, side: &Side| {
            let partition = PartitionData::default().with_partition_index(0).with_leader_epoch(leader_epoch);
            let partition = if version >= 3 {
                let member = |id| BrokerState::default().with_broker_id(BrokerId(id));
                partition.with_new_isr_with_epochs(vec![member(0), member(1)])
            } else {
                partition.with_new_isr(ids(&[0, 1]))
            };
            let of = TopicData::default().with_partitions(vec![partition]);
            let of = if version >= 2 {
                of.with_topic_id(side.topic_id("plain"))
            } else {
                of.with_topic_name(topic("plain"))
            };
            let request = AlterPartitionRequest::default()
                .with_broker_id(BrokerId(broker))
                .with_broker_epoch(broker_epoch)
                .with_topics(vec![of]);
            Some(request.into())
        })
    };
    vec![
        alter("an old broker epoch", 0, 1, 0),
        alter("an unknown broker", 9, 1, 0),
        alter("not the controller", 0, 1, 0).of_broker_1(),
        plain(
            ApiKey::AllocateProducerIds,
            "an old broker epoch",
            AllocateProducerIdsRequest::default().with_broker_id(BrokerId(0)).with_broker_epoch(1),
        ),
        plain(
            ApiKey::AllocateProducerIds,
            "an unknown broker",
            AllocateProducerIdsRequest::default().with_broker_id(BrokerId(9)).with_broker_epoch(1),
        ),
        plain(
            ApiKey::AllocateProducerIds,
            "not the controller",
            AllocateProducerIdsRequest::default().with_broker_id(BrokerId(0)).with_broker_epoch(1),
        )
        .of_broker_1(),
        case(ApiKey::ControlledShutdown, "an unknown broker", |version, _| {
            let request = ControlledShutdownRequest::default().with_broker_id(BrokerId(9));
            Some(if version >= 2 { request.with_broker_epoch(-1) } else { request }.into())
        }),
        case(ApiKey::ControlledShutdown, "an old broker epoch", |version, _| {
            let request =
                ControlledShutdownRequest::default().with_broker_id(BrokerId(1)).with_broker_epoch(1);
            (version >= 2).then(|| request.into())
        }),
    ]
}
