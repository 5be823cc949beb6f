//! Topics and partitions that appear or vanish in `/brokers/topics` (`processTopicChange`, `processPartitionModifications`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gregor_model::{TopicId, TopicName};

use crate::context::{PartitionKey, PartitionState, ReplicaState, TopicKey};
use crate::controller::Controller;
use crate::election::Strategy;
use crate::operation::{Operation, Outcome};
use crate::step::Step;
use crate::znode::TopicNode;

/// What topic events wait for.
#[derive(Debug)]
pub(crate) enum TopicAwait {
    /// The list of topics.
    Listed,
    /// The nodes of new topics.
    Read,
    /// Ids for the topics that lack one: those that have one, and those that get one.
    Identified(Vec<TopicNode>, Vec<TopicNode>),
    /// The node of a topic whose data changed.
    Modified(TopicKey),
    /// The indexes of the partitions that were created before the topic's deletion was asked for.
    Created(TopicKey, TopicNode),
}

impl Controller {
    /// Goes on with a topic event after ZooKeeper answered.
    pub(crate) fn resume_topics(&mut self, awaited: TopicAwait, outcome: Outcome) {
        match (awaited, outcome) {
            (TopicAwait::Listed, Outcome::TopicNames(names)) => self.topics_listed(names),
            (TopicAwait::Read, Outcome::Topics(nodes)) => {
                let (named, nameless): (Vec<_>, Vec<_>) =
                    nodes.into_iter().partition(|node| node.id.is_some());
                if nameless.is_empty() {
                    self.add_topics(named);
                } else {
                    let operation = Operation::AssignTopicIds(nameless.clone());
                    self.store(operation, TopicAwait::Identified(named, nameless));
                }
            }
            (TopicAwait::Identified(mut nodes, nameless), Outcome::TopicIds(ids)) => {
                nodes.extend(identified(nameless, ids));
                self.add_topics(nodes);
            }
            (TopicAwait::Modified(key), Outcome::Topics(nodes)) => {
                if let Some(node) = nodes.into_iter().next() {
                    self.topic_modified(key, node);
                }
            }
            (TopicAwait::Created(key, node), Outcome::PartitionIndexes(indexes)) => {
                self.restore_topic(key, node, &indexes);
            }
            (_, outcome) => self.abandon_on(outcome),
        }
    }

    fn topics_listed(&mut self, names: Vec<TopicName>) {
        let listed: BTreeSet<TopicName> = names.into_iter().collect();
        let vanished: Vec<TopicKey> = self
            .context
            .topics()
            .filter(|(_, topic)| !listed.contains(&topic.name))
            .map(|(key, _)| key)
            .collect();
        for key in vanished {
            self.context.remove_topic(key);
        }
        let new: Vec<TopicName> =
            listed.into_iter().filter(|name| self.context.topic_key(name).is_none()).collect();
        if !new.is_empty() {
            self.store(Operation::ReadTopics(new), TopicAwait::Read);
        }
    }

    fn add_topics(&mut self, nodes: Vec<TopicNode>) {
        let mut keys = Vec::new();
        for node in nodes {
            let topic = self.context.add_topic(node);
            keys.extend(self.context.partitions_of(topic));
        }
        self.create_partitions(keys);
    }

    /// `onNewPartitionCreation`.
    fn create_partitions(&mut self, keys: Vec<PartitionKey>) {
        if keys.is_empty() {
            return;
        }
        self.move_partitions(&keys, PartitionState::New);
        let replicas = self.context.replicas_of(&keys);
        self.then([
            Step::MoveReplicas(replicas.clone(), ReplicaState::New),
            Step::Elect(keys, Strategy::Offline { allow_unclean: false }),
            Step::MoveReplicas(replicas, ReplicaState::Online),
        ]);
    }

    fn topic_modified(&mut self, key: TopicKey, node: TopicNode) {
        let Some(topic) = self.context.topic(key) else { return };
        let added: BTreeMap<i32, _> = node
            .partitions
            .iter()
            .filter(|(index, _)| !topic.partitions.contains_key(index))
            .map(|(index, assignment)| (*index, Arc::clone(assignment)))
            .collect();
        if added.is_empty() {
            return;
        }
        if topic.queued_for_deletion {
            // A topic on its way out does not grow: what was not created yet is taken out of its node again.
            let operation = Operation::ListCreatedPartitions(node.name.clone());
            return self.store(operation, TopicAwait::Created(key, node));
        }
        let keys = added
            .into_iter()
            .filter_map(|(index, assignment)| self.context.add_partition(key, index, assignment))
            .collect();
        self.create_partitions(keys);
    }

    fn restore_topic(&mut self, key: TopicKey, node: TopicNode, created: &[i32]) {
        let Some(cached) = self.context.topic_node(key) else { return };
        let partitions = node
            .partitions
            .keys()
            .filter(|index| created.contains(index))
            .filter_map(|index| Some((*index, Arc::clone(cached.partitions.get(index)?))))
            .collect();
        self.then([Step::Store(Operation::WriteTopics(vec![TopicNode { partitions, ..cached }]))]);
    }
}

/// Topics with the ids they got; those whose node vanished meanwhile are left out.
pub(crate) fn identified(
    nodes: Vec<TopicNode>,
    ids: Vec<Option<TopicId>>,
) -> impl Iterator<Item = TopicNode> {
    nodes.into_iter().zip(ids).filter_map(|(node, id)| Some(TopicNode { id: Some(id?), ..node }))
}
