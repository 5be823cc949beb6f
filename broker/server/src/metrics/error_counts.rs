//! The errors that a response tells (`AbstractResponse.errorCounts`): one per thing that can fail, success included.

use kafka_protocol::messages::ResponseKind;

/// Tells each error code of a response.
pub fn for_each(response: &ResponseKind, tell: impl FnMut(i16)) {
    use ResponseKind as R;
    match response {
        R::Produce(r) => all(r.responses.iter().flat_map(|t| &t.partition_responses), |p| p.error_code, tell),
        R::Fetch(r) if r.error_code != 0 => one(r.error_code, tell),
        R::Fetch(r) => all(r.responses.iter().flat_map(|t| &t.partitions), |p| p.error_code, tell),
        R::ListOffsets(r) => all(r.topics.iter().flat_map(|t| &t.partitions), |p| p.error_code, tell),
        R::Metadata(r) => all(&r.topics, |t| t.error_code, tell),
        R::OffsetCommit(r) => all(r.topics.iter().flat_map(|t| &t.partitions), |p| p.error_code, tell),
        R::OffsetFetch(r) if r.groups.is_empty() => one(r.error_code, tell),
        R::OffsetFetch(r) => all(&r.groups, |g| g.error_code, tell),
        R::FindCoordinator(r) if r.coordinators.is_empty() => one(r.error_code, tell),
        R::FindCoordinator(r) => all(&r.coordinators, |c| c.error_code, tell),
        R::DescribeGroups(r) => all(&r.groups, |g| g.error_code, tell),
        R::DeleteGroups(r) => all(&r.results, |g| g.error_code, tell),
        R::CreateTopics(r) => all(&r.topics, |t| t.error_code, tell),
        R::DeleteTopics(r) => all(&r.responses, |t| t.error_code, tell),
        R::CreatePartitions(r) => all(&r.results, |t| t.error_code, tell),
        R::DeleteRecords(r) => all(r.topics.iter().flat_map(|t| &t.partitions), |p| p.error_code, tell),
        R::OffsetForLeaderEpoch(r) => {
            all(r.topics.iter().flat_map(|t| &t.partitions), |p| p.error_code, tell);
        }
        R::AddPartitionsToTxn(r) if r.results_by_transaction.is_empty() => {
            let partitions = r.results_by_topic_v3_and_below.iter().flat_map(|t| &t.results_by_partition);
            all(partitions, |p| p.partition_error_code, tell);
        }
        R::AddPartitionsToTxn(r) => {
            let topics = r.results_by_transaction.iter().flat_map(|t| &t.topic_results);
            all(topics.flat_map(|t| &t.results_by_partition), |p| p.partition_error_code, tell);
        }
        R::TxnOffsetCommit(r) => all(r.topics.iter().flat_map(|t| &t.partitions), |p| p.error_code, tell),
        R::DescribeConfigs(r) => all(&r.results, |c| c.error_code, tell),
        R::AlterConfigs(r) => all(&r.responses, |c| c.error_code, tell),
        R::IncrementalAlterConfigs(r) => all(&r.responses, |c| c.error_code, tell),
        R::AlterClientQuotas(r) => all(&r.entries, |e| e.error_code, tell),
        R::AlterUserScramCredentials(r) => all(&r.results, |u| u.error_code, tell),
        R::DescribeTransactions(r) => all(&r.transaction_states, |t| t.error_code, tell),
        R::DescribeProducers(r) => all(r.topics.iter().flat_map(|t| &t.partitions), |p| p.error_code, tell),
        other => one(top_level(other), tell),
    }
}

/// Answers that succeed or fail as a whole; 0 for those without a code.
fn top_level(response: &ResponseKind) -> i16 {
    use ResponseKind as R;
    match response {
        R::LeaderAndIsr(r) => r.error_code,
        R::StopReplica(r) => r.error_code,
        R::UpdateMetadata(r) => r.error_code,
        R::ControlledShutdown(r) => r.error_code,
        R::AlterPartition(r) => r.error_code,
        R::AllocateProducerIds(r) => r.error_code,
        R::UpdateFeatures(r) => r.error_code,
        R::ElectLeaders(r) => r.error_code,
        R::AlterPartitionReassignments(r) => r.error_code,
        R::ListPartitionReassignments(r) => r.error_code,
        R::DescribeCluster(r) => r.error_code,
        R::ApiVersions(r) => r.error_code,
        R::SaslHandshake(r) => r.error_code,
        R::SaslAuthenticate(r) => r.error_code,
        R::JoinGroup(r) => r.error_code,
        R::SyncGroup(r) => r.error_code,
        R::Heartbeat(r) => r.error_code,
        R::LeaveGroup(r) => r.error_code,
        R::ListGroups(r) => r.error_code,
        R::OffsetDelete(r) => r.error_code,
        R::InitProducerId(r) => r.error_code,
        R::AddOffsetsToTxn(r) => r.error_code,
        R::EndTxn(r) => r.error_code,
        R::ListTransactions(r) => r.error_code,
        R::DescribeAcls(r) => r.error_code,
        R::DescribeClientQuotas(r) => r.error_code,
        R::DescribeUserScramCredentials(r) => r.error_code,
        R::DescribeDelegationToken(r) => r.error_code,
        _ => 0,
    }
}

fn one(code: i16, mut tell: impl FnMut(i16)) {
    tell(code);
}

fn all<'a, T: 'a>(items: impl IntoIterator<Item = &'a T>, code: impl Fn(&T) -> i16, tell: impl FnMut(i16)) {
    items.into_iter().map(code).for_each(tell);
}

/// Kafka's name of an error (`Errors`): the protocol crate's, in its upper case.
pub fn name(code: i16) -> String {
    match code {
        0 => "NONE".to_owned(),
        120 => "TRANSACTION_ABORTABLE".to_owned(),
        code => match kafka_protocol::ResponseError::try_from_code(code) {
            Some(kafka_protocol::ResponseError::Unknown(_)) | None => format!("ERROR_{code}"),
            Some(error) => upper_case(&format!("{error:?}")),
        },
    }
}

fn upper_case(name: &str) -> String {
    let mut upper = String::with_capacity(name.len() + 8);
    for (index, letter) in name.chars().enumerate() {
        if letter.is_ascii_uppercase() && index > 0 {
            upper.push('_');
        }
        upper.push(letter.to_ascii_uppercase());
    }
    upper
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
    use kafka_protocol::messages::{HeartbeatResponse, ProduceResponse};

    use super::*;

    fn told(response: &ResponseKind) -> Vec<i16> {
        let mut codes = Vec::new();
        for_each(response, |code| codes.push(code));
        codes
    }

    #[test]
    fn each_partition_and_each_whole_is_told() {
        let partitions = [0, 6].map(|code| PartitionProduceResponse::default().with_error_code(code));
        let topic = TopicProduceResponse::default().with_partition_responses(partitions.to_vec());
        let produce = ProduceResponse::default().with_responses(vec![topic]);
        assert_eq!(told(&ResponseKind::Produce(produce)), [0, 6]);
        let heartbeat = HeartbeatResponse::default().with_error_code(27);
        assert_eq!(told(&ResponseKind::Heartbeat(heartbeat)), [27]);
    }

    #[test]
    fn names_are_kafkas() {
        for (code, expected) in
            [(0, "NONE"), (-1, "UNKNOWN_SERVER_ERROR"), (3, "UNKNOWN_TOPIC_OR_PARTITION"), (999, "ERROR_999")]
        {
            assert_eq!(name(code), expected);
        }
    }
}
