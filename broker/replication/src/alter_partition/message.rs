//! AlterPartition on the wire: proposals to request, response to answers. Pure.

use std::collections::HashMap;

use gregor_model::{
    BrokerEpoch, BrokerId, LeaderAndIsr, LeaderEpoch, LeaderRecoveryState, PartitionEpoch, TopicId,
    TopicName, TopicPartition,
};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::alter_partition_request::{BrokerState, PartitionData, TopicData};
use kafka_protocol::messages::{
    self, AlterPartitionRequest, AlterPartitionResponse, alter_partition_response,
};
use kafka_protocol::protocol::StrBytes;

use super::machine::{IsrChange, Outcome};
use crate::partition::isr::{IsrAnswer, IsrRefusal};

/// The request for `changes`, which are in partition order; with it whether topics must go by name (version 1 or lower).
pub fn request(
    broker: BrokerId,
    broker_epoch: Option<BrokerEpoch>,
    changes: &[IsrChange],
) -> (AlterPartitionRequest, bool) {
    let by_name = changes.iter().any(|change| change.topic_id.is_none());
    let mut topics: Vec<TopicData> = Vec::new();
    for change in changes {
        let name = change.partition.topic.as_str();
        if topics.last().is_none_or(|topic| topic.topic_name.as_str() != name) {
            let topic = TopicData::default()
                .with_topic_name(messages::TopicName(StrBytes::from_string(name.to_owned())))
                .with_topic_id(TopicId::to_wire(change.topic_id));
            topics.push(topic);
        }
        if let Some(topic) = topics.last_mut() {
            topic.partitions.push(partition(change));
        }
    }
    let request = AlterPartitionRequest::default()
        .with_broker_id(messages::BrokerId(broker.0))
        .with_broker_epoch(BrokerEpoch::to_wire(broker_epoch))
        .with_topics(topics);
    (request, by_name)
}

fn partition(change: &IsrChange) -> PartitionData {
    let isr = &change.proposal.isr;
    let with_epoch =
        |id: &BrokerId| BrokerState::default().with_broker_id(messages::BrokerId(id.0)).with_broker_epoch(-1);
    PartitionData::default()
        .with_partition_index(change.partition.partition)
        .with_leader_epoch(change.proposal.leader_epoch.0)
        .with_new_isr(isr.iter().map(|id| messages::BrokerId(id.0)).collect())
        .with_new_isr_with_epochs(isr.iter().map(with_epoch).collect())
        .with_leader_recovery_state(LeaderRecoveryState::Recovered as i8)
        .with_partition_epoch(change.proposal.partition_epoch.0)
}

/// What the response, of that version, says to the changes that were sent.
pub fn outcome(response: &AlterPartitionResponse, version: i16, sent: &[IsrChange]) -> Outcome {
    if response.error_code != 0 {
        return Outcome::Failed;
    }
    let names: HashMap<TopicId, &TopicName> =
        sent.iter().filter_map(|change| Some((change.topic_id?, &change.partition.topic))).collect();
    let mut answers = HashMap::new();
    for topic in &response.topics {
        let name = if version > 1 {
            TopicId::from_wire(topic.topic_id).and_then(|id| names.get(&id).map(|name| (*name).clone()))
        } else {
            Some(TopicName::new(&topic.topic_name))
        };
        let Some(name) = name else { continue };
        for partition in &topic.partitions {
            let key = TopicPartition { topic: name.clone(), partition: partition.partition_index };
            if let Some(answer) = answer(partition) {
                answers.insert(key, answer);
            }
        }
    }
    Outcome::Answered(answers)
}

/// `None` for a partition state that cannot be: a negative epoch or an unknown recovery state, as if unanswered.
fn answer(partition: &alter_partition_response::PartitionData) -> Option<IsrAnswer> {
    if partition.error_code != 0 {
        return Some(Err(refusal(partition.error_code)));
    }
    Some(Ok(LeaderAndIsr {
        leader: BrokerId::from_wire(partition.leader_id.0),
        leader_epoch: LeaderEpoch::from_wire(partition.leader_epoch)?,
        isr: partition.isr.iter().map(|id| BrokerId(id.0)).collect(),
        recovery: LeaderRecoveryState::from_wire(partition.leader_recovery_state)?,
        partition_epoch: PartitionEpoch::from_wire(partition.partition_epoch)?,
    }))
}

/// INELIGIBLE_REPLICA, which the protocol crate does not name.
const INELIGIBLE_REPLICA: i16 = 107;
/// NEW_LEADER_ELECTED, likewise.
const NEW_LEADER_ELECTED: i16 = 108;

fn refusal(code: i16) -> IsrRefusal {
    match ResponseError::try_from_code(code) {
        Some(ResponseError::OperationNotAttempted) => IsrRefusal::NotAttempted,
        Some(ResponseError::UnknownTopicOrPartition) => IsrRefusal::UnknownTopicOrPartition,
        Some(ResponseError::UnknownTopicId) => IsrRefusal::UnknownTopicId,
        Some(ResponseError::FencedLeaderEpoch) => IsrRefusal::FencedLeaderEpoch,
        Some(ResponseError::InvalidUpdateVersion) => IsrRefusal::InvalidUpdateVersion,
        Some(ResponseError::InvalidRequest) => IsrRefusal::InvalidRequest,
        Some(ResponseError::Unknown(INELIGIBLE_REPLICA)) => IsrRefusal::IneligibleReplica,
        Some(ResponseError::Unknown(NEW_LEADER_ELECTED)) => IsrRefusal::NewLeaderElected,
        _ => IsrRefusal::Other(code),
    }
}

#[cfg(test)]
mod tests {
    use gregor_model::{LeaderEpoch, PartitionEpoch};

    use super::*;
    use crate::partition::isr::IsrProposal;

    fn change(topic: &str, partition: i32, id: Option<u8>) -> IsrChange {
        IsrChange {
            partition: TopicPartition::new(topic, partition),
            topic_id: id.and_then(|id| TopicId::from_random([id; 16])),
            proposal: IsrProposal {
                isr: vec![BrokerId(1), BrokerId(3)],
                leader_epoch: LeaderEpoch(3),
                partition_epoch: PartitionEpoch(7),
            },
        }
    }

    #[test]
    fn topics_are_grouped_and_names_decide_the_version() {
        let changes = [change("a", 0, Some(1)), change("a", 2, Some(1)), change("b", 0, Some(2))];
        let (request, by_name) = request(BrokerId(1), Some(BrokerEpoch(77)), &changes);
        assert!(!by_name);
        assert_eq!((request.broker_id.0, request.broker_epoch), (1, 77));
        assert_eq!(request.topics.iter().map(|topic| topic.partitions.len()).collect::<Vec<_>>(), [2, 1]);
        let isr = &request.topics[0].partitions[0];
        assert_eq!(
            isr.new_isr_with_epochs.iter().map(|b| (b.broker_id.0, b.broker_epoch)).collect::<Vec<_>>(),
            [(1, -1), (3, -1)]
        );
        let (_, by_name) =
            super::request(BrokerId(1), None, &[change("a", 0, Some(1)), change("b", 0, None)]);
        assert!(by_name);
    }

    fn response(id: Option<u8>, name: &str, error: i16) -> AlterPartitionResponse {
        let partition = alter_partition_response::PartitionData::default()
            .with_partition_index(0)
            .with_error_code(error)
            .with_leader_id(messages::BrokerId(1))
            .with_leader_epoch(3)
            .with_isr(vec![messages::BrokerId(1)])
            .with_partition_epoch(8);
        let topic = alter_partition_response::TopicData::default()
            .with_topic_name(messages::TopicName(StrBytes::from_string(name.to_owned())))
            .with_topic_id(TopicId::to_wire(id.and_then(|id| TopicId::from_random([id; 16]))))
            .with_partitions(vec![partition]);
        AlterPartitionResponse::default().with_topics(vec![topic])
    }

    #[test]
    fn answers_are_found_by_id_or_by_name() {
        let sent = [change("a", 0, Some(1))];
        let answers = |response: &AlterPartitionResponse, version| match outcome(response, version, &sent) {
            Outcome::Answered(answers) => answers,
            Outcome::Failed => panic!("failed"),
        };
        let partition = TopicPartition::new("a", 0);
        let state = answers(&response(Some(1), "", 0), 3)[&partition].clone().unwrap();
        assert_eq!((state.isr, state.partition_epoch), (vec![BrokerId(1)], PartitionEpoch(8)));
        assert!(answers(&response(None, "a", 0), 1).contains_key(&partition));
        assert!(answers(&response(Some(9), "a", 0), 3).is_empty(), "an id we did not ask about");
        assert_eq!(answers(&response(Some(1), "", 95), 3)[&partition], Err(IsrRefusal::InvalidUpdateVersion));
        assert_eq!(answers(&response(Some(1), "", 107), 3)[&partition], Err(IsrRefusal::IneligibleReplica));
        assert_eq!(answers(&response(Some(1), "", -1), 3)[&partition], Err(IsrRefusal::Other(-1)));
        let failed = AlterPartitionResponse::default().with_error_code(77);
        assert_eq!(outcome(&failed, 3, &sent), Outcome::Failed);
    }
}
