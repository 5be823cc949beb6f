//! What the machine asks for, done in ZooKeeper: batches of hundreds, fenced where it says so.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};
use gregor_controller_machine::{
    CreateOutcome, FeatureNode, LossReason, Operation, Outcome, PartitionStateCreate, PartitionStateWrite,
    ProducerIdBlock, StoreFailure, TopicNode, WriteOutcome,
};
use gregor_model::{TopicId, TopicName, TopicPartition, ZnodeVersion};
use gregor_zookeeper::ZooKeeperError;
use gregor_zookeeper::schema::config::Entity;
use gregor_zookeeper::schema::{admin, notification, producer_id};
use gregor_zookeeper::store::FencedError;

use super::load::{assignment, features, leadership, partition_state, topic_node};
use super::{Halt, Term};

/// How many topics are deleted, or configs read, at a time.
const CONCURRENT: usize = 32;
/// How often to look whether this broker has seen new features.
const FEATURES_POLL: Duration = Duration::from_millis(10);

impl Term {
    /// Performs an operation; an error means that the term is over.
    pub(crate) async fn perform(self: Arc<Self>, operation: Operation) -> Result<Outcome, LossReason> {
        match self.stop.run_until_cancelled(self.try_perform(operation)).await {
            None => Err(LossReason::ControllerMoved),
            Some(Ok(outcome)) => Ok(outcome),
            Some(Err(Halt::Lost(reason))) => Err(reason),
            Some(Err(Halt::Failed(error))) => Ok(Outcome::Failed(failure(&error))),
        }
    }

    async fn try_perform(self: &Arc<Self>, operation: Operation) -> Result<Outcome, Halt> {
        let store = &self.store;
        Ok(match operation {
            Operation::LoadContext => Outcome::Context(Box::new(self.load().await?)),
            Operation::ReadBrokers => Outcome::Brokers(self.read_brokers().await?),
            Operation::ReadBroker(id) => Outcome::Brokers(self.read_broker(id).await?),
            Operation::ListTopics => Outcome::TopicNames(store.topic_names().await?),
            Operation::ReadTopics(names) => {
                Outcome::Topics(store.topics(&names).await?.into_iter().map(topic_node).collect())
            }
            Operation::ListCreatedPartitions(topic) => {
                Outcome::PartitionIndexes(store.created_partitions(&topic).await?)
            }
            Operation::ListDeletions => Outcome::TopicNames(store.deletion_markers().await?),
            Operation::ReadPartitionStates(partitions) => {
                let states = store.partition_states(&partitions).await?;
                Outcome::PartitionStates(states.into_iter().map(|state| state.map(leadership)).collect())
            }
            Operation::ReadUncleanElection(topics) => Outcome::Flags(self.unclean_election(&topics).await?),
            Operation::ReadReassignments => Outcome::Reassignments(store.reassignments().await?),
            Operation::ReadPreferredElection => Outcome::PreferredElection(store.preferred_election().await?),
            Operation::ReadIsrChanges => {
                let (names, partitions) = store.isr_changes().await?;
                Outcome::IsrChanges { names, partitions }
            }
            Operation::ReadLogDirEvents => {
                let (names, brokers) = store.log_dir_events().await?;
                Outcome::LogDirEvents { names, brokers }
            }
            Operation::ReadProducerIdBlock => {
                let found = store.producer_id_block().await?;
                Outcome::ProducerIdBlock(found.map(|(block, version)| (block.map(from_stored), version)))
            }
            writes => self.write(writes).await?,
        })
    }

    async fn write(&self, operation: Operation) -> Result<Outcome, Halt> {
        let (store, fence) = (&self.store, self.fence);
        match operation {
            Operation::CreatePartitionStates(creates) => {
                let _quiet = self.quiet.for_writes(creates.len()).await;
                return Ok(Outcome::Created(self.create_partition_states(creates).await?));
            }
            Operation::WritePartitionStates(writes) => {
                let _quiet = self.quiet.for_writes(writes.len()).await;
                return Ok(Outcome::Written(self.write_partition_states(writes).await?));
            }
            Operation::WriteTopics(nodes) => {
                let topics: Vec<_> = nodes.iter().map(|node| (node.name.clone(), assignment(node))).collect();
                return Ok(results(store.set_topics(fence, &topics).await?));
            }
            Operation::AssignTopicIds(nodes) => {
                return Ok(Outcome::TopicIds(self.assign_topic_ids(nodes).await?));
            }
            Operation::DeleteTopics(topics) => return Ok(results(self.delete_topics(topics).await?)),
            Operation::WriteProducerIdBlock { block, expected } => {
                let written = store.set_producer_id_block(&to_stored(&block), expected).await?;
                return Ok(Outcome::Conditional(written));
            }
            Operation::DeleteDeletionMarkers(topics) => {
                let markers = topics.iter().map(admin::delete_topic_path).collect();
                store.delete_all(fence, markers).await?;
            }
            Operation::WriteReassignments(partitions) => store.set_reassignments(fence, &partitions).await?,
            Operation::DeleteReassignments => {
                store.delete_all(fence, vec![admin::REASSIGN_PARTITIONS_PATH.to_owned()]).await?;
            }
            Operation::DeletePreferredElection => {
                store.delete_all(fence, vec![admin::PREFERRED_ELECTION_PATH.to_owned()]).await?;
            }
            Operation::DeleteIsrChanges(names) => {
                store.delete_notifications(fence, notification::ISR_CHANGE_PATH, &names).await?;
            }
            Operation::DeleteLogDirEvents(names) => {
                store.delete_notifications(fence, notification::LOG_DIR_EVENT_PATH, &names).await?;
            }
            Operation::WriteFeatures(node) => self.write_features(node).await?,
            read => {
                let unexpected = format!("not a write: {read:?}");
                return Err(Halt::Failed(ZooKeeperError::Other(unexpected)));
            }
        }
        Ok(Outcome::Done)
    }

    async fn create_partition_states(
        &self,
        creates: Vec<PartitionStateCreate>,
    ) -> Result<Vec<CreateOutcome>, Halt> {
        let states: Vec<_> = creates
            .iter()
            .map(|create| (create.partition.clone(), partition_state(&create.leadership)))
            .collect();
        let created = self.store.create_partition_states(self.fence, &states).await?;
        let there: Vec<TopicPartition> = creates
            .iter()
            .zip(&created)
            .filter(|(_, result)| **result == Err(ZooKeeperError::NodeExists))
            .map(|(create, _)| create.partition.clone())
            .collect();
        let mut found = self.store.partition_states(&there).await?.into_iter();
        let outcome = |result: Result<(), ZooKeeperError>| match result {
            Ok(()) => CreateOutcome::Created,
            Err(ZooKeeperError::NodeExists) => CreateOutcome::Exists(found.next().flatten().map(leadership)),
            Err(error) => CreateOutcome::Failed(error.to_string()),
        };
        Ok(created.into_iter().map(outcome).collect())
    }

    async fn write_partition_states(
        &self,
        writes: Vec<PartitionStateWrite>,
    ) -> Result<Vec<WriteOutcome>, Halt> {
        let states: Vec<_> = writes
            .iter()
            .map(|write| {
                let expected = ZnodeVersion(write.expected.0);
                (write.partition.clone(), partition_state(&write.leadership), expected)
            })
            .collect();
        let written = self.store.set_partition_states(self.fence, &states).await?;
        let conflicts: Vec<TopicPartition> = writes
            .iter()
            .zip(&written)
            .filter(|(_, result)| **result == Err(ZooKeeperError::BadVersion))
            .map(|(write, _)| write.partition.clone())
            .collect();
        let mut found = self.store.partition_states(&conflicts).await?.into_iter();
        let outcome = |result: Result<ZnodeVersion, ZooKeeperError>| match result {
            Ok(_) => WriteOutcome::Written,
            Err(ZooKeeperError::BadVersion) => WriteOutcome::Conflict(found.next().flatten().map(leadership)),
            Err(error) => WriteOutcome::Failed(error.to_string()),
        };
        Ok(written.into_iter().map(outcome).collect())
    }

    async fn assign_topic_ids(&self, nodes: Vec<TopicNode>) -> Result<Vec<Option<TopicId>>, Halt> {
        let topics: Vec<_> = nodes
            .into_iter()
            .map(|node| {
                let with_id = TopicNode { id: Some(random_topic_id()), ..node };
                (with_id.name.clone(), assignment(&with_id))
            })
            .collect();
        let written = self.store.set_topics(self.fence, &topics).await?;
        let mut ids = Vec::with_capacity(topics.len());
        for ((_, assignment), result) in topics.iter().zip(written) {
            ids.push(match result {
                Ok(()) => assignment.topic_id,
                Err(ZooKeeperError::NoNode) => None,
                Err(error) => return Err(error.into()),
            });
        }
        Ok(ids)
    }

    async fn delete_topics(
        &self,
        topics: Vec<TopicName>,
    ) -> Result<Vec<Result<(), ZooKeeperError>>, FencedError> {
        let delete = |topic: TopicName| async move {
            match self.store.delete_topic(self.fence, &topic).await {
                Ok(()) => Ok(Ok(())),
                Err(FencedError::ZooKeeper(
                    error @ (ZooKeeperError::SessionExpired | ZooKeeperError::Closed),
                )) => Err(FencedError::ZooKeeper(error)),
                Err(FencedError::ZooKeeper(error)) => Ok(Err(error)),
                Err(FencedError::ControllerMoved) => Err(FencedError::ControllerMoved),
            }
        };
        stream::iter(topics).map(delete).buffered(CONCURRENT).try_collect().await
    }

    async fn unclean_election(&self, topics: &[TopicName]) -> Result<Vec<bool>, ZooKeeperError> {
        let enabled = |topic: TopicName| async move {
            match self.store.configs(&Entity::topic(&topic)).await {
                Ok(overrides) => Ok(self.environment.unclean_leader_election_enable(&overrides)),
                // Rather no leader than lost records.
                Err(ZooKeeperError::Decode(_)) => Ok(false),
                Err(error) => Err(error),
            }
        };
        stream::iter(topics.to_vec()).map(enabled).buffered(CONCURRENT).try_collect().await
    }

    async fn write_features(&self, node: FeatureNode) -> Result<(), ZooKeeperError> {
        let version = self.store.set_features(&features(node)).await?;
        let seen = async {
            while self.environment.features_version().is_none_or(|seen| seen < version) {
                tokio::time::sleep(FEATURES_POLL).await;
            }
        };
        tokio::time::timeout(self.features_timeout, seen).await.map_err(|_| {
            ZooKeeperError::Other(format!("this broker did not see version {version} of /feature in time"))
        })
    }
}

fn results(results: Vec<Result<(), ZooKeeperError>>) -> Outcome {
    Outcome::Results(results.into_iter().map(|result| result.map_err(|error| failure(&error))).collect())
}

fn failure(error: &ZooKeeperError) -> StoreFailure {
    StoreFailure(error.to_string())
}

fn random_topic_id() -> TopicId {
    loop {
        if let Some(id) = TopicId::from_random(rand::random()) {
            return id;
        }
    }
}

fn from_stored(block: producer_id::ProducerIdBlock) -> ProducerIdBlock {
    ProducerIdBlock { broker: block.broker, first: block.first, last: block.last }
}

fn to_stored(block: &ProducerIdBlock) -> producer_id::ProducerIdBlock {
    producer_id::ProducerIdBlock { broker: block.broker, first: block.first, last: block.last }
}
