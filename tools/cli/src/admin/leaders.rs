//! Calls that only a partition's leader answers: partitions are grouped by leader, and those whose leader has moved are
//! asked for again (`PartitionLeaderStrategy`).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use gregor_model::{TopicName, TopicPartition};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;

use super::{Admin, AdminError, UNKNOWN_DEADLINE, topic_name};

const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;

/// What became of each partition.
pub type PerPartition<T> = BTreeMap<TopicPartition, Result<T, AdminError>>;

/// What belongs to partitions, by topic.
pub fn by_topic<T>(
    items: impl IntoIterator<Item = (TopicPartition, T)>,
) -> BTreeMap<TopicName, Vec<(i32, T)>> {
    let mut topics: BTreeMap<TopicName, Vec<(i32, T)>> = BTreeMap::new();
    for (TopicPartition { topic, partition }, item) in items {
        topics.entry(topic).or_default().push((partition, item));
    }
    topics
}

/// A call to one leader: the broker, and its partitions with what is asked of each.
pub trait AskLeader<Q, A>:
    AsyncFn(&mut Admin, i32, Vec<(TopicPartition, Q)>) -> Result<PerPartition<A>, AdminError>
{
}
impl<Q, A, F: AsyncFn(&mut Admin, i32, Vec<(TopicPartition, Q)>) -> Result<PerPartition<A>, AdminError>>
    AskLeader<Q, A> for F
{
}

impl Admin {
    /// Asks the leader of each partition what `ask` asks. Fails only if a broker cannot be asked at all.
    pub async fn ask_leaders<Q: Clone, A>(
        &mut self,
        questions: Vec<(TopicPartition, Q)>,
        ask: impl AskLeader<Q, A>,
    ) -> Result<PerPartition<A>, AdminError> {
        let start = Instant::now();
        let mut answers = PerPartition::new();
        let mut open: BTreeMap<TopicPartition, Q> = questions.into_iter().collect();
        while !open.is_empty() {
            let mut by_leader: BTreeMap<i32, Vec<(TopicPartition, Q)>> = BTreeMap::new();
            for (partition, leader) in self.leaders(open.keys()).await? {
                match leader {
                    Ok(leader) => by_leader
                        .entry(leader)
                        .or_default()
                        .push((partition.clone(), open[&partition].clone())),
                    Err(error) => {
                        answers.insert(partition, Err(error));
                    }
                }
            }
            for (leader, questions) in by_leader {
                answers.extend(ask(self, leader, questions).await?);
            }
            let elapsed = start.elapsed();
            open.retain(|partition, _| {
                let code = answers
                    .get(partition)
                    .and_then(|answer| answer.as_ref().err())
                    .and_then(AdminError::code);
                code.is_some_and(|code| is_worth_another_try(code, elapsed, self.api_timeout))
            });
            if !open.is_empty() {
                tokio::time::sleep(super::RETRY_BACKOFF).await;
            }
        }
        Ok(answers)
    }

    /// The leader of each partition, as one broker knows them.
    async fn leaders(
        &mut self,
        partitions: impl Iterator<Item = &TopicPartition>,
    ) -> Result<Vec<(TopicPartition, Result<i32, AdminError>)>, AdminError> {
        let partitions: Vec<&TopicPartition> = partitions.collect();
        let mut names: Vec<&str> = partitions.iter().map(|partition| partition.topic.as_str()).collect();
        names.dedup();
        let wanted =
            names.iter().map(|name| MetadataRequestTopic::default().with_name(Some(topic_name(name))));
        let answer = self.metadata("metadata", Some(wanted.collect())).await?;
        let leader = |wanted: &TopicPartition| {
            let mut topics = answer.topics.iter();
            let topic =
                topics.find(|topic| topic.name.as_ref().is_some_and(|name| **name == *wanted.topic.as_str()));
            let topic = topic.ok_or_else(|| AdminError::refused(UNKNOWN_TOPIC_OR_PARTITION, None))?;
            AdminError::check(topic.error_code, None)?;
            let mut partitions = topic.partitions.iter();
            let partition = partitions.find(|partition| partition.partition_index == wanted.partition);
            let partition = partition.ok_or_else(|| AdminError::refused(UNKNOWN_TOPIC_OR_PARTITION, None))?;
            AdminError::check(partition.error_code, None)?;
            Ok(partition.leader_id.0)
        };
        Ok(partitions.into_iter().map(|partition| (partition.clone(), leader(partition))).collect())
    }
}

/// Whether a partition's error passes by itself, and there is time left for it to do so.
fn is_worth_another_try(code: i16, elapsed: Duration, timeout: Duration) -> bool {
    const LEADER_NOT_AVAILABLE: i16 = 5;
    const NOT_LEADER_OR_FOLLOWER: i16 = 6;
    const REPLICA_NOT_AVAILABLE: i16 = 9;
    const FENCED_LEADER_EPOCH: i16 = 74;
    const OFFSET_NOT_AVAILABLE: i16 = 78;
    match code {
        UNKNOWN_TOPIC_OR_PARTITION => elapsed < UNKNOWN_DEADLINE.min(timeout),
        LEADER_NOT_AVAILABLE
        | NOT_LEADER_OR_FOLLOWER
        | REPLICA_NOT_AVAILABLE
        | FENCED_LEADER_EPOCH
        | OFFSET_NOT_AVAILABLE => elapsed < timeout,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_tried_again_while_there_is_time() {
        let second = Duration::from_secs(1);
        for (code, elapsed, expected) in [
            (6, second, true),
            (6, second * 60, false),
            (3, second, true),
            (3, second * 5, false),
            (29, second, false),
        ] {
            assert_eq!(
                is_worth_another_try(code, elapsed, second * 60),
                expected,
                "{code} after {elapsed:?}"
            );
        }
    }
}
