//! DeleteRecords: everything before an offset goes.

use gregor_model::TopicPartition;
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::{ApiKey, DeleteRecordsRequest};

use super::leaders::{PerPartition, by_topic};
use super::{Admin, AdminError, Target, topic_name};

impl Admin {
    /// Deletes what is before each partition's offset (-1: the high watermark), and gives each one's new start.
    pub async fn delete_records(
        &mut self,
        offsets: Vec<(TopicPartition, i64)>,
    ) -> Result<PerPartition<i64>, AdminError> {
        self.ask_leaders(offsets, async |admin: &mut Admin, leader, offsets: Vec<(TopicPartition, i64)>| {
            admin.delete_records_at(leader, offsets).await
        })
        .await
    }

    async fn delete_records_at(
        &mut self,
        leader: i32,
        offsets: Vec<(TopicPartition, i64)>,
    ) -> Result<PerPartition<i64>, AdminError> {
        let topics = by_topic(offsets).into_iter().map(|(topic, offsets)| {
            let ask = |(partition, offset)| {
                DeleteRecordsPartition::default().with_partition_index(partition).with_offset(offset)
            };
            DeleteRecordsTopic::default()
                .with_name(topic_name(topic.as_str()))
                .with_partitions(offsets.into_iter().map(ask).collect())
        });
        let request = DeleteRecordsRequest::default()
            .with_topics(topics.collect())
            .with_timeout_ms(self.request_timeout_ms());
        let build = |_| request.clone();
        let target = Target::Broker(leader);
        let answer = self.call("deleteRecords", ApiKey::DeleteRecords, target, build, |_| 0).await?;
        let mut found = PerPartition::new();
        for topic in &answer.topics {
            for partition in &topic.partitions {
                let key = TopicPartition::new(topic.name.as_str(), partition.partition_index);
                found.insert(
                    key,
                    AdminError::check(partition.error_code, None).map(|()| partition.low_watermark),
                );
            }
        }
        Ok(found)
    }
}
