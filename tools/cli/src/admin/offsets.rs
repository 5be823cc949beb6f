//! ListOffsets: where partitions start and end, and the offsets of points in time.

use gregor_model::TopicPartition;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{ApiKey, BrokerId, ListOffsetsRequest};

use super::leaders::{PerPartition, by_topic};
use super::{Admin, AdminError, Target, topic_name};

/// Which offset is asked for (`OffsetSpec`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The first.
    Earliest,
    /// That after the last.
    Latest,
    /// That of the record with the newest timestamp.
    MaxTimestamp,
    /// The first on the leader's own disk.
    EarliestLocal,
    /// The last in remote storage.
    LatestTiered,
    /// The first at or after this time, in milliseconds since 1970.
    At(i64),
}

impl OffsetSpec {
    /// The timestamp that stands for it on the wire (`ListOffsetsRequest`).
    pub fn timestamp(self) -> i64 {
        match self {
            OffsetSpec::Latest => -1,
            OffsetSpec::Earliest => -2,
            OffsetSpec::MaxTimestamp => -3,
            OffsetSpec::EarliestLocal => -4,
            OffsetSpec::LatestTiered => -5,
            OffsetSpec::At(timestamp) => timestamp,
        }
    }
}

/// No offset: the partition has no such record.
pub const UNKNOWN_OFFSET: i64 = -1;

impl Admin {
    /// The offset of each partition that `spec` means; [`UNKNOWN_OFFSET`] if there is none.
    pub async fn list_offsets(
        &mut self,
        partitions: &[TopicPartition],
        spec: OffsetSpec,
    ) -> Result<PerPartition<i64>, AdminError> {
        let questions = partitions.iter().map(|partition| (partition.clone(), ())).collect();
        self.ask_leaders(
            questions,
            async |admin: &mut Admin, leader, questions: Vec<(TopicPartition, ())>| {
                let partitions = questions.into_iter().map(|(partition, ())| partition).collect();
                admin.list_offsets_at(leader, partitions, spec).await
            },
        )
        .await
    }

    async fn list_offsets_at(
        &mut self,
        leader: i32,
        partitions: Vec<TopicPartition>,
        spec: OffsetSpec,
    ) -> Result<PerPartition<i64>, AdminError> {
        let topics = by_topic(partitions.into_iter().map(|partition| (partition, ())));
        let topics = topics.into_iter().map(|(topic, partitions)| {
            let ask = |(partition, ())| {
                let question = ListOffsetsPartition::default().with_partition_index(partition);
                question.with_timestamp(spec.timestamp())
            };
            ListOffsetsTopic::default()
                .with_name(topic_name(topic.as_str()))
                .with_partitions(partitions.into_iter().map(ask).collect())
        });
        let request =
            ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(topics.collect());
        let build = |_| request.clone();
        let target = Target::Broker(leader);
        let answer = self.call("listOffsets", ApiKey::ListOffsets, target, build, |_| 0).await?;
        let mut found = PerPartition::new();
        for topic in &answer.topics {
            for partition in &topic.partitions {
                let key = TopicPartition::new(topic.name.as_str(), partition.partition_index);
                let offset = AdminError::check(partition.error_code, None).map(|()| partition.offset);
                found.insert(key, offset);
            }
        }
        Ok(found)
    }
}
