//! ISRs changed by leaders themselves, in ZooKeeper, as long as `inter.broker.protocol.version` is below 2.7-IV2
//! (`ZkAlterPartitionManager`): what AlterPartition would ask of the controller is written into the partition's state if
//! that has the version the leader knows, and the controller is told some seconds later.
//!
//! Owner: the replica manager, which asks, and the broker's tasks, which announce. Invariant: a state is replaced only by
//! the leader in it, in its own leader epoch, and keeps the epoch of the controller that elected this leader.

mod notices;
mod verdict;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use gregor_model::{
    BrokerId, LeaderAndIsr, LeaderEpoch, PartitionEpoch, Timestamp, TopicName, TopicPartition,
};
use gregor_replication::{AuthorityError, IsrAuthority};
use gregor_zookeeper::ZooKeeperError;
use gregor_zookeeper::schema::partition::PartitionState;
use gregor_zookeeper::store::Store;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::alter_partition_response::{PartitionData, TopicData};
use kafka_protocol::messages::{self, AlterPartitionRequest, AlterPartitionResponse};
use kafka_protocol::protocol::StrBytes;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use self::notices::IsrNotices;
use self::verdict::{Verdict, Wanted, judge};

/// How often is looked whether there is something to announce.
const CHECK_INTERVAL: Duration = Duration::from_millis(2_500);
/// In one notification: what fits into a znode whatever the topics are called.
const PARTITIONS_PER_NOTICE: usize = 3_000;
/// The version whose answers name topics.
const BY_NAME: i16 = 1;

/// The state of each partition after the change, or why there was none.
type Answers = BTreeMap<TopicPartition, Result<LeaderAndIsr, ResponseError>>;

/// See the module.
pub struct IsrInZookeeper {
    leader: BrokerId,
    store: Store,
    notices: Mutex<IsrNotices>,
}

impl IsrInZookeeper {
    /// For the partitions that this broker leads.
    pub fn new(leader: BrokerId, store: Store) -> IsrInZookeeper {
        IsrInZookeeper { leader, store, notices: Mutex::new(IsrNotices::new(Timestamp::now())) }
    }

    /// Tells the controller of changes, until the broker stops.
    pub async fn announce(&self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(CHECK_INTERVAL)).await.is_some() {
            let due = self.notices.lock().take_due(Timestamp::now());
            for partitions in due.chunks(PARTITIONS_PER_NOTICE) {
                if let Err(error) = self.store.notify_isr_changes(partitions).await {
                    tracing::warn!(%error, partitions = partitions.len(), "cannot tell the controller of changed ISRs, will retry");
                    let mut notices = self.notices.lock();
                    partitions
                        .iter()
                        .for_each(|partition| notices.changed(partition.clone(), Timestamp::now()));
                }
            }
        }
    }

    async fn change(&self, wanted: &[Wanted]) -> Result<Answers, ZooKeeperError> {
        let partitions: Vec<TopicPartition> = wanted.iter().map(|wanted| wanted.partition.clone()).collect();
        let found = self.store.partition_states(&partitions).await?;
        let mut answers = Answers::new();
        let mut writes = Vec::new();
        for (wanted, found) in wanted.iter().zip(found) {
            match judge(self.leader, wanted, found) {
                Verdict::Write { state, expected } => {
                    writes.push((wanted.partition.clone(), state, expected))
                }
                Verdict::Written(state) => {
                    answers.insert(wanted.partition.clone(), Ok(state));
                }
                Verdict::Refused(error) => {
                    answers.insert(wanted.partition.clone(), Err(error));
                }
            }
        }
        let written = self.store.set_partition_states_as_leader(&writes).await?;
        for ((partition, PartitionState { leadership, .. }, _), written) in writes.into_iter().zip(written) {
            let answer = match written {
                Ok(version) => Ok(LeaderAndIsr { partition_epoch: PartitionEpoch(version.0), ..leadership }),
                Err(ZooKeeperError::BadVersion) => Err(ResponseError::InvalidUpdateVersion),
                Err(ZooKeeperError::NoNode) => Err(ResponseError::UnknownTopicOrPartition),
                // All of them are asked for again a little later, and what was written is found.
                Err(error) => return Err(error),
            };
            answers.insert(partition, answer);
        }
        Ok(answers)
    }
}

#[async_trait]
impl IsrAuthority for IsrInZookeeper {
    async fn alter_partition(
        &self,
        request: AlterPartitionRequest,
        _by_name: bool,
    ) -> Result<(AlterPartitionResponse, i16), AuthorityError> {
        let answers =
            self.change(&wanted(&request)).await.map_err(|error| AuthorityError(error.to_string()))?;
        {
            let mut notices = self.notices.lock();
            for (partition, _) in answers.iter().filter(|(_, answer)| answer.is_ok()) {
                notices.changed(partition.clone(), Timestamp::now());
            }
        }
        Ok((response(answers), BY_NAME))
    }
}

fn wanted(request: &AlterPartitionRequest) -> Vec<Wanted> {
    let mut all = Vec::new();
    for topic in &request.topics {
        let name = TopicName::new(&topic.topic_name);
        for partition in &topic.partitions {
            all.push(Wanted {
                partition: TopicPartition { topic: name.clone(), partition: partition.partition_index },
                isr: partition.new_isr.iter().map(|id| BrokerId(id.0)).collect(),
                leader_epoch: LeaderEpoch(partition.leader_epoch),
                partition_epoch: PartitionEpoch(partition.partition_epoch),
            });
        }
    }
    all
}

fn response(answers: Answers) -> AlterPartitionResponse {
    let mut topics: Vec<TopicData> = Vec::new();
    for (partition, answer) in answers {
        let name = partition.topic.as_str();
        if topics.last().is_none_or(|topic| topic.topic_name.as_str() != name) {
            let name = messages::TopicName(StrBytes::from_string(name.to_owned()));
            topics.push(TopicData::default().with_topic_name(name));
        }
        let data = PartitionData::default().with_partition_index(partition.partition);
        let data = match answer {
            Ok(state) => data
                .with_leader_id(messages::BrokerId(BrokerId::to_wire(state.leader)))
                .with_leader_epoch(state.leader_epoch.0)
                .with_isr(state.isr.iter().map(|id| messages::BrokerId(id.0)).collect())
                .with_leader_recovery_state(state.recovery as i8)
                .with_partition_epoch(state.partition_epoch.0),
            Err(error) => data.with_error_code(error.code()),
        };
        if let Some(topic) = topics.last_mut() {
            topic.partitions.push(data);
        }
    }
    AlterPartitionResponse::default().with_topics(topics)
}

#[cfg(test)]
mod tests {
    use gregor_model::LeaderRecoveryState;

    use super::*;

    #[test]
    fn answers_are_grouped_by_topic() {
        let state = LeaderAndIsr {
            leader: Some(BrokerId(1)),
            leader_epoch: LeaderEpoch(3),
            isr: vec![BrokerId(1)],
            recovery: LeaderRecoveryState::Recovered,
            partition_epoch: PartitionEpoch(8),
        };
        let answers = Answers::from([
            (TopicPartition::new("a", 0), Ok(state)),
            (TopicPartition::new("a", 1), Err(ResponseError::InvalidUpdateVersion)),
            (TopicPartition::new("b", 0), Err(ResponseError::UnknownTopicOrPartition)),
        ]);
        let response = response(answers);
        let found: Vec<_> = response
            .topics
            .iter()
            .flat_map(|topic| {
                topic
                    .partitions
                    .iter()
                    .map(|p| (topic.topic_name.as_str(), p.partition_index, p.error_code, p.partition_epoch))
            })
            .collect();
        assert_eq!(found, [("a", 0, 0, 8), ("a", 1, 95, 0), ("b", 0, 3, 0)]);
    }
}
