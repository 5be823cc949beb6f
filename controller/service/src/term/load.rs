//! Reading everything at the beginning of a term, watches first (`KafkaController.onControllerFailover`).

use std::sync::Arc;

use gregor_controller_machine::{FeatureNode, LeaderIsrAndControllerEpoch, Snapshot, TopicNode};
use gregor_model::TopicPartition;
use gregor_zookeeper::ZooKeeperError;
use gregor_zookeeper::schema::feature::{FeatureStatus, Features};
use gregor_zookeeper::schema::partition::PartitionState;
use gregor_zookeeper::schema::topic::TopicAssignment;
use gregor_zookeeper::store::StoredTopic;

use super::Term;

/// The version of `/feature` that a broker of 3.3 and later writes.
const FEATURES_CURRENT_VERSION: i32 = 2;

impl Term {
    pub(super) async fn load(self: &Arc<Self>) -> Result<Snapshot, ZooKeeperError> {
        let features = self.store.features().await?.map(|(features, _)| feature_node(features));
        // One watch does not depend on another, and what is read afterwards misses nothing.
        let (log_dir_events, isr_changes, (), (), (), (), mut topics_watch) = futures::try_join!(
            self.watch_log_dir_events(),
            self.watch_isr_changes(),
            self.watch_reassignments(),
            self.watch_preferred_election(),
            self.watch_deletions(),
            self.watch_brokers(),
            self.watch_topics(),
        )?;
        let (brokers, names) = futures::try_join!(self.read_brokers(), self.store.topic_names())?;
        let stored = self.store.topics(&names).await?;
        topics_watch.know(stored.iter().map(|topic| (topic.name.clone(), topic.mzxid)));
        self.follow_topics(topics_watch);
        let topics: Vec<TopicNode> = stored.into_iter().map(topic_node).collect();
        let partitions: Vec<TopicPartition> = topics
            .iter()
            .flat_map(|topic| {
                topic.partitions.keys().map(|index| TopicPartition::new(topic.name.clone(), *index))
            })
            .collect();
        let (states, deletions, reassignments, preferred_elections) = futures::try_join!(
            self.store.partition_states(&partitions),
            self.store.deletion_markers(),
            self.store.reassignments(),
            self.store.preferred_election(),
        )?;
        let states = partitions.into_iter().zip(states);
        Ok(Snapshot {
            features,
            isr_changes,
            log_dir_events,
            brokers,
            topics,
            states: states.filter_map(|(partition, state)| Some((partition, leadership(state?)))).collect(),
            deletions,
            reassignments,
            preferred_elections: preferred_elections.unwrap_or_default(),
        })
    }
}

fn feature_node(features: Features) -> FeatureNode {
    FeatureNode {
        enabled: features.status == FeatureStatus::Enabled,
        current_form: features.version == FEATURES_CURRENT_VERSION,
        features: features.levels,
    }
}

pub(super) fn features(node: FeatureNode) -> Features {
    let status = if node.enabled { FeatureStatus::Enabled } else { FeatureStatus::Disabled };
    Features { version: FEATURES_CURRENT_VERSION, status, levels: node.features }
}

pub(super) fn topic_node(topic: StoredTopic) -> TopicNode {
    let TopicAssignment { topic_id, partitions } = topic.assignment;
    let partitions = partitions.into_iter().map(|(index, assignment)| (index, Arc::new(assignment)));
    TopicNode { name: topic.name, id: topic_id, partitions: partitions.collect() }
}

pub(super) fn assignment(node: &TopicNode) -> TopicAssignment {
    let partitions = node.partitions.iter().map(|(index, assignment)| (*index, assignment.as_ref().clone()));
    TopicAssignment { topic_id: node.id, partitions: partitions.collect() }
}

pub(super) fn leadership(state: PartitionState) -> LeaderIsrAndControllerEpoch {
    LeaderIsrAndControllerEpoch { leader_and_isr: state.leadership, controller_epoch: state.controller_epoch }
}

pub(super) fn partition_state(leadership: &LeaderIsrAndControllerEpoch) -> PartitionState {
    PartitionState {
        leadership: leadership.leader_and_isr.clone(),
        controller_epoch: leadership.controller_epoch,
    }
}
