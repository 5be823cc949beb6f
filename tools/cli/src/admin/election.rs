//! ElectLeaders: the preferred replica, or any that lives, becomes leader.

use gregor_model::TopicPartition;
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::{ApiKey, ElectLeadersRequest};

use super::leaders::{PerPartition, by_topic};
use super::{Admin, AdminError, Target, topic_name};

/// How a leader is chosen (`ElectionType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElectionType {
    /// The first replica, if it is in sync.
    Preferred = 0,
    /// Any living replica, where there is no leader; may lose records.
    Unclean = 1,
}

impl Admin {
    /// Elects leaders of these partitions, or of all that need it. What was asked for by name is answered by name.
    pub async fn elect_leaders(
        &mut self,
        election: ElectionType,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<PerPartition<()>, AdminError> {
        let topics = partitions.map(|partitions| {
            let topics = by_topic(partitions.iter().map(|partition| (partition.clone(), ())));
            let topic = |(topic, partitions): (gregor_model::TopicName, Vec<(i32, ())>)| {
                TopicPartitions::default()
                    .with_topic(topic_name(topic.as_str()))
                    .with_partitions(partitions.into_iter().map(|(partition, ())| partition).collect())
            };
            topics.into_iter().map(topic).collect::<Vec<_>>()
        });
        let timeout_ms = self.request_timeout_ms();
        let build = |version| {
            let request = ElectLeadersRequest::default()
                .with_topic_partitions(topics.clone())
                .with_timeout_ms(timeout_ms);
            // Version 0 knows preferred elections only.
            if version == 0 { request } else { request.with_election_type(election as i8) }
        };
        let answer = self
            .call("electLeaders", ApiKey::ElectLeaders, Target::Controller, build, |answer| answer.error_code)
            .await?;
        AdminError::check(answer.error_code, None)?;
        let mut outcomes = PerPartition::new();
        for topic in &answer.replica_election_results {
            for partition in &topic.partition_result {
                let key = TopicPartition::new(topic.topic.as_str(), partition.partition_id);
                let outcome = AdminError::check(partition.error_code, partition.error_message.as_deref());
                outcomes.insert(key, outcome);
            }
        }
        Ok(outcomes)
    }
}
