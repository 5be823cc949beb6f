//! The offsets a consumer group has committed: fetched, set, deleted.

use std::collections::BTreeMap;

use gregor_model::TopicPartition;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::{
    ApiKey, GroupId, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, OffsetFetchResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::coordinator::CoordinatorKind;
use super::leaders::{PerPartition, by_topic};
use super::{Admin, AdminError, text, topic_name};

/// The first version of OffsetFetch that asks for several groups.
const GROUPS_VERSION: i16 = 8;

impl Admin {
    /// What a group has committed. Partitions without an offset are left out.
    pub async fn committed_offsets(
        &mut self,
        group: &str,
    ) -> Result<BTreeMap<TopicPartition, i64>, AdminError> {
        let build = |version| {
            let request = OffsetFetchRequest::default();
            if version < GROUPS_VERSION {
                return request.with_group_id(GroupId(text(group))).with_topics(None);
            }
            let wanted =
                OffsetFetchRequestGroup::default().with_group_id(GroupId(text(group))).with_topics(None);
            request.with_groups(vec![wanted])
        };
        let code_of = |answer: &OffsetFetchResponse| {
            answer.groups.first().map_or(answer.error_code, |group| group.error_code)
        };
        let coordinated = (CoordinatorKind::Group, group);
        let call = "listConsumerGroupOffsets";
        let (_, answer) =
            self.call_coordinator(call, ApiKey::OffsetFetch, coordinated, build, code_of).await?;
        AdminError::check(code_of(&answer), None)?;
        let mut found = BTreeMap::new();
        let mut note = |topic: &str, partition: i32, offset: i64, code: i16| {
            AdminError::check(code, None)?;
            if offset >= 0 {
                found.insert(TopicPartition::new(topic, partition), offset);
            }
            Ok::<(), AdminError>(())
        };
        for topic in answer.groups.iter().flat_map(|group| &group.topics) {
            for one in &topic.partitions {
                note(topic.name.as_str(), one.partition_index, one.committed_offset, one.error_code)?;
            }
        }
        for topic in &answer.topics {
            for one in &topic.partitions {
                note(topic.name.as_str(), one.partition_index, one.committed_offset, one.error_code)?;
            }
        }
        Ok(found)
    }

    /// Sets offsets of a group that has no members. Fails with the first partition's error.
    pub async fn set_committed_offsets(
        &mut self,
        group: &str,
        offsets: &BTreeMap<TopicPartition, i64>,
    ) -> Result<(), AdminError> {
        let offsets = offsets.iter().map(|(partition, offset)| (partition.clone(), *offset));
        let topics = by_topic(offsets).into_iter().map(|(topic, offsets)| {
            let commit = |(partition, offset)| {
                OffsetCommitRequestPartition::default()
                    .with_partition_index(partition)
                    .with_committed_offset(offset)
                    .with_committed_metadata(Some(StrBytes::default()))
            };
            OffsetCommitRequestTopic::default()
                .with_name(topic_name(topic.as_str()))
                .with_partitions(offsets.into_iter().map(commit).collect())
        });
        // A member of no generation: what an administrator is.
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_generation_id_or_member_epoch(-1)
            .with_topics(topics.collect());
        let build = |_| request.clone();
        let (_, answer) = self
            .call_coordinator(
                "alterConsumerGroupOffsets",
                ApiKey::OffsetCommit,
                (CoordinatorKind::Group, group),
                build,
                |answer| {
                    let mut partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
                    partitions.next().map_or(0, |partition| partition.error_code)
                },
            )
            .await?;
        let mut partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
        partitions.try_for_each(|partition| AdminError::check(partition.error_code, None))
    }

    /// Deletes what a group has committed for these partitions.
    pub async fn delete_committed_offsets(
        &mut self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<PerPartition<()>, AdminError> {
        let topics = by_topic(partitions.iter().map(|partition| (partition.clone(), ())));
        let topics = topics.into_iter().map(|(topic, partitions)| {
            let delete =
                |(partition, ())| OffsetDeleteRequestPartition::default().with_partition_index(partition);
            OffsetDeleteRequestTopic::default()
                .with_name(topic_name(topic.as_str()))
                .with_partitions(partitions.into_iter().map(delete).collect())
        });
        let request =
            OffsetDeleteRequest::default().with_group_id(GroupId(text(group))).with_topics(topics.collect());
        let build = |_| request.clone();
        let (_, answer) = self
            .call_coordinator(
                "deleteConsumerGroupOffsets",
                ApiKey::OffsetDelete,
                (CoordinatorKind::Group, group),
                build,
                |answer| answer.error_code,
            )
            .await?;
        AdminError::check(answer.error_code, None)?;
        let mut outcomes = PerPartition::new();
        for topic in &answer.topics {
            for partition in &topic.partitions {
                let key = TopicPartition::new(topic.name.as_str(), partition.partition_index);
                outcomes.insert(key, AdminError::check(partition.error_code, None));
            }
        }
        Ok(outcomes)
    }
}
