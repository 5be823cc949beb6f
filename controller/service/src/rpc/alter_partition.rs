//! AlterPartition (56): names of topics up to version 1, ids from 2 on; broker epochs in the ISR from 3 on, which a
//! ZooKeeper controller ignores.

use gregor_controller_machine::{
    AlterPartitionError, AlterPartitionItem, AlterPartitionRequest, AlterPartitionTopError, TopicRef,
};
use gregor_model::{
    BrokerEpoch, BrokerId, LeaderAndIsr, LeaderEpoch, LeaderRecoveryState, PartitionEpoch, TopicId,
};
use gregor_wire::convert::{topic_name, wire_broker_id, wire_topic_name};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::alter_partition_request::PartitionData as Proposal;
use kafka_protocol::messages::alter_partition_response::{PartitionData, TopicData};
use kafka_protocol::messages::{self, AlterPartitionResponse};

/// A code that the protocol crate lacks.
const INELIGIBLE_REPLICA: i16 = 107;

/// The request, or the answer to one that cannot be meant.
pub(crate) fn decode(
    request: messages::AlterPartitionRequest,
    version: i16,
) -> Result<AlterPartitionRequest, AlterPartitionResponse> {
    let mut partitions = Vec::new();
    for topic in request.topics {
        let reference = match version {
            ..2 => TopicRef::Name(topic_name(&topic.topic_name)),
            _ => TopicRef::Id(TopicId::from_wire(topic.topic_id)),
        };
        for proposal in topic.partitions {
            match item(reference.clone(), &proposal, version) {
                Some(item) => partitions.push(item),
                None => return Err(refused(ResponseError::UnknownServerError)),
            }
        }
    }
    Ok(AlterPartitionRequest {
        broker: BrokerId(request.broker_id.0),
        broker_epoch: BrokerEpoch(request.broker_epoch),
        partitions,
    })
}

/// `None` for a recovery state that does not exist.
fn item(topic: TopicRef, proposal: &Proposal, version: i16) -> Option<AlterPartitionItem> {
    let isr = match version {
        ..3 => proposal.new_isr.iter().map(|broker| BrokerId(broker.0)).collect(),
        _ => proposal.new_isr_with_epochs.iter().map(|state| BrokerId(state.broker_id.0)).collect(),
    };
    Some(AlterPartitionItem {
        topic,
        partition: proposal.partition_index,
        leader_epoch: LeaderEpoch(proposal.leader_epoch),
        isr,
        recovery: LeaderRecoveryState::from_wire(proposal.leader_recovery_state)?,
        partition_epoch: PartitionEpoch(proposal.partition_epoch),
    })
}

fn refused(error: ResponseError) -> AlterPartitionResponse {
    AlterPartitionResponse::default().with_error_code(error.code())
}

/// What the answer must list, and how.
pub(crate) struct Shape {
    items: Vec<(TopicRef, i32)>,
    version: i16,
}

impl Shape {
    pub(crate) fn of(request: &AlterPartitionRequest, version: i16) -> Shape {
        let items = request.partitions.iter().map(|item| (item.topic.clone(), item.partition)).collect();
        Shape { items, version }
    }

    pub(crate) fn answer(
        &self,
        answer: Result<Vec<Result<LeaderAndIsr, AlterPartitionError>>, AlterPartitionTopError>,
    ) -> AlterPartitionResponse {
        let results = match answer {
            Ok(results) => results,
            Err(AlterPartitionTopError::NotController) => return self.not_controller(),
            Err(AlterPartitionTopError::StaleBrokerEpoch) => return refused(ResponseError::StaleBrokerEpoch),
            Err(AlterPartitionTopError::Failed) => return refused(ResponseError::UnknownServerError),
        };
        let mut topics: Vec<(&TopicRef, TopicData)> = Vec::new();
        for ((topic, index), result) in self.items.iter().zip(results) {
            let partition = self.partition(*index, result);
            match topics.last_mut() {
                Some((last, data)) if *last == topic => data.partitions.push(partition),
                _ => topics.push((topic, topic_data(topic).with_partitions(vec![partition]))),
            }
        }
        AlterPartitionResponse::default().with_topics(topics.into_iter().map(|(_, data)| data).collect())
    }

    pub(crate) fn not_controller(&self) -> AlterPartitionResponse {
        refused(ResponseError::NotController)
    }

    fn partition(&self, index: i32, result: Result<LeaderAndIsr, AlterPartitionError>) -> PartitionData {
        let partition = PartitionData::default().with_partition_index(index);
        match result {
            Err(error) => partition.with_error_code(self.code(error)),
            Ok(state) => partition
                .with_leader_id(wire_broker_id(state.leader))
                .with_leader_epoch(state.leader_epoch.0)
                .with_isr(state.isr.iter().map(|broker| wire_broker_id(Some(*broker))).collect())
                // Versions before 1 cannot say it.
                .with_leader_recovery_state(if self.version >= 1 { state.recovery as i8 } else { 0 })
                .with_partition_epoch(state.partition_epoch.0),
        }
    }

    fn code(&self, error: AlterPartitionError) -> i16 {
        let code = match error {
            AlterPartitionError::UnknownTopicId => ResponseError::UnknownTopicId,
            AlterPartitionError::UnknownTopicOrPartition => ResponseError::UnknownTopicOrPartition,
            AlterPartitionError::NotController => ResponseError::NotController,
            AlterPartitionError::FencedLeaderEpoch => ResponseError::FencedLeaderEpoch,
            AlterPartitionError::InvalidUpdateVersion => ResponseError::InvalidUpdateVersion,
            AlterPartitionError::InvalidRequest => ResponseError::InvalidRequest,
            AlterPartitionError::IneligibleReplica if self.version >= 2 => return INELIGIBLE_REPLICA,
            AlterPartitionError::IneligibleReplica => ResponseError::OperationNotAttempted,
            AlterPartitionError::Failed => ResponseError::UnknownServerError,
        };
        code.code()
    }
}

fn topic_data(topic: &TopicRef) -> TopicData {
    match topic {
        TopicRef::Name(name) => TopicData::default().with_topic_name(wire_topic_name(name)),
        TopicRef::Id(id) => TopicData::default().with_topic_id(TopicId::to_wire(*id)),
    }
}

#[cfg(test)]
mod tests {
    use gregor_model::TopicName;
    use kafka_protocol::messages::alter_partition_request::{BrokerState, TopicData as AskedTopic};

    use super::*;

    fn request(recovery: i8) -> messages::AlterPartitionRequest {
        let proposal = |index| {
            Proposal::default()
                .with_partition_index(index)
                .with_leader_epoch(4)
                .with_new_isr(vec![messages::BrokerId(2)])
                .with_new_isr_with_epochs(vec![BrokerState::default().with_broker_id(messages::BrokerId(3))])
                .with_leader_recovery_state(recovery)
                .with_partition_epoch(9)
        };
        let topic = AskedTopic::default()
            .with_topic_name(wire_topic_name(&TopicName::new("t")))
            .with_partitions(vec![proposal(0), proposal(1)]);
        messages::AlterPartitionRequest::default()
            .with_broker_id(messages::BrokerId(2))
            .with_topics(vec![topic])
    }

    fn state() -> LeaderAndIsr {
        LeaderAndIsr {
            leader: Some(BrokerId(2)),
            leader_epoch: LeaderEpoch(4),
            isr: vec![BrokerId(2)],
            recovery: LeaderRecoveryState::Recovered,
            partition_epoch: PartitionEpoch(10),
        }
    }

    #[test]
    fn versions_differ_in_names_and_isr() {
        let v1 = decode(request(0), 1).unwrap();
        let first = v1.partitions.first().unwrap();
        assert_eq!((&first.topic, &first.isr), (&TopicRef::Name(TopicName::new("t")), &vec![BrokerId(2)]));
        let v3 = decode(request(0), 3).unwrap();
        let first = v3.partitions.first().unwrap();
        assert_eq!((&first.topic, &first.isr), (&TopicRef::Id(None), &vec![BrokerId(3)]));
    }

    #[test]
    fn an_unknown_recovery_state_is_an_error_of_the_whole() {
        let refused = decode(request(7), 3).unwrap_err();
        assert_eq!(refused.error_code, ResponseError::UnknownServerError.code());
    }

    #[test]
    fn answers_keep_topics_together() {
        for (version, code) in [(1, 55), (2, 107), (3, 107)] {
            let asked = decode(request(0), version).unwrap();
            let answer = Shape::of(&asked, version)
                .answer(Ok(vec![Ok(state()), Err(AlterPartitionError::IneligibleReplica)]));
            assert_eq!(answer.topics.len(), 1);
            let partitions = &answer.topics.first().unwrap().partitions;
            let codes: Vec<i16> = partitions.iter().map(|partition| partition.error_code).collect();
            assert_eq!(codes, [0, code]);
            assert_eq!(partitions.first().unwrap().partition_epoch, 10);
        }
    }
}
