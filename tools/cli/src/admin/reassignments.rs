//! Reassignments: which are under way, started and cancelled.

use std::collections::BTreeMap;

use gregor_model::TopicPartition;
use kafka_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use kafka_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, ApiKey, ListPartitionReassignmentsRequest,
};

use super::leaders::{PerPartition, by_topic};
use super::topics::{broker_ids, numbers};
use super::{Admin, AdminError, Target, topic_name};

/// A reassignment under way (`PartitionReassignment`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reassignment {
    /// All replicas, old and new.
    pub replicas: Vec<i32>,
    /// Those being added.
    pub adding: Vec<i32>,
    /// Those being removed.
    pub removing: Vec<i32>,
}

/// Reassignments under way.
pub type Reassignments = BTreeMap<TopicPartition, Reassignment>;

impl Admin {
    /// The reassignments under way among these partitions, or all.
    pub async fn list_reassignments(
        &mut self,
        partitions: Option<Vec<TopicPartition>>,
    ) -> Result<Reassignments, AdminError> {
        let wanted = partitions.map(|partitions| {
            let topics = by_topic(partitions.into_iter().map(|partition| (partition, ())));
            let topic = |(topic, partitions): (gregor_model::TopicName, Vec<(i32, ())>)| {
                ListPartitionReassignmentsTopics::default()
                    .with_name(topic_name(topic.as_str()))
                    .with_partition_indexes(partitions.into_iter().map(|(partition, ())| partition).collect())
            };
            topics.into_iter().map(topic).collect::<Vec<_>>()
        });
        let request = ListPartitionReassignmentsRequest::default()
            .with_topics(wanted)
            .with_timeout_ms(self.request_timeout_ms());
        let build = |_| request.clone();
        let answer = self
            .call(
                "listPartitionReassignments",
                ApiKey::ListPartitionReassignments,
                Target::Controller,
                build,
                |answer| answer.error_code,
            )
            .await?;
        AdminError::check(answer.error_code, answer.error_message.as_deref())?;
        let mut found = Reassignments::new();
        for topic in &answer.topics {
            for partition in &topic.partitions {
                let reassignment = Reassignment {
                    replicas: numbers(&partition.replicas),
                    adding: numbers(&partition.adding_replicas),
                    removing: numbers(&partition.removing_replicas),
                };
                found.insert(
                    TopicPartition::new(topic.name.as_str(), partition.partition_index),
                    reassignment,
                );
            }
        }
        Ok(found)
    }

    /// Gives partitions these replicas, or cancels what is under way where there are none.
    pub async fn alter_reassignments(
        &mut self,
        targets: Vec<(TopicPartition, Option<Vec<i32>>)>,
    ) -> Result<PerPartition<()>, AdminError> {
        let topics = by_topic(targets).into_iter().map(|(topic, partitions)| {
            let partition = |(index, replicas): (i32, Option<Vec<i32>>)| {
                ReassignablePartition::default()
                    .with_partition_index(index)
                    .with_replicas(replicas.as_deref().map(broker_ids))
            };
            ReassignableTopic::default()
                .with_name(topic_name(topic.as_str()))
                .with_partitions(partitions.into_iter().map(partition).collect())
        });
        let request = AlterPartitionReassignmentsRequest::default()
            .with_topics(topics.collect())
            .with_timeout_ms(self.request_timeout_ms());
        let build = |_| request.clone();
        let answer = self
            .call(
                "alterPartitionReassignments",
                ApiKey::AlterPartitionReassignments,
                Target::Controller,
                build,
                |answer| answer.error_code,
            )
            .await?;
        AdminError::check(answer.error_code, answer.error_message.as_deref())?;
        let mut outcomes = PerPartition::new();
        for topic in &answer.responses {
            for partition in &topic.partitions {
                let key = TopicPartition::new(topic.name.as_str(), partition.partition_index);
                let outcome = AdminError::check(partition.error_code, partition.error_message.as_deref());
                outcomes.insert(key, outcome);
            }
        }
        Ok(outcomes)
    }
}
