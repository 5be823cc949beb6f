//! What brokers last told of the cluster (`MetadataSnapshot`). Pure.

use std::collections::HashMap;

use gregor_model::{BrokerId, LeaderEpoch, TopicId, TopicName};
use kafka_protocol::messages::MetadataResponse;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;

use crate::error_code::ErrorCode;

/// Where a broker listens.
pub type Address = (String, u16);

/// The cluster, as far as it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Brokers that live.
    pub brokers: HashMap<BrokerId, Address>,
    /// Topics, those included that could not be described.
    pub topics: HashMap<TopicName, TopicView>,
}

/// One topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicView {
    /// Its id; brokers older than 2.8 tell none.
    pub id: Option<TopicId>,
    /// Why nothing is known of it.
    pub error: Option<ErrorCode>,
    /// Whether it is one of Kafka's own.
    pub is_internal: bool,
    /// Leaders by partition.
    pub partitions: Vec<PartitionView>,
}

/// One partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionView {
    /// Its leader, if it has one.
    pub leader: Option<BrokerId>,
    /// The leader's epoch, if brokers tell it.
    pub leader_epoch: Option<LeaderEpoch>,
}

impl View {
    /// The leader of a partition.
    pub fn leader(&self, topic: &TopicName, partition: i32) -> Option<BrokerId> {
        self.partition(topic, partition)?.leader
    }

    /// One partition.
    pub fn partition(&self, topic: &TopicName, partition: i32) -> Option<&PartitionView> {
        self.topics.get(topic)?.partitions.get(usize::try_from(partition).ok()?)
    }

    /// The topic with an id.
    pub fn topic_of_id(&self, id: TopicId) -> Option<&TopicName> {
        self.topics.iter().find(|(_, topic)| topic.id == Some(id)).map(|(name, _)| name)
    }

    /// Takes in an answer: all of what it says of brokers, and its topics beside those known. `whole` answers are about
    /// every topic, and what they do not name is forgotten.
    pub fn update(&self, answer: &MetadataResponse, whole: bool) -> View {
        let brokers = answer.brokers.iter().filter_map(|broker| {
            let port = u16::try_from(broker.port).ok()?;
            Some((BrokerId(broker.node_id.0), (broker.host.to_string(), port)))
        });
        let mut topics = if whole { HashMap::new() } else { self.topics.clone() };
        for topic in &answer.topics {
            if let Some(name) = &topic.name {
                topics.insert(TopicName::new(name), topic_view(topic));
            }
        }
        View { brokers: brokers.collect(), topics }
    }
}

fn topic_view(topic: &MetadataResponseTopic) -> TopicView {
    let mut rows: Vec<_> = topic.partitions.iter().collect();
    rows.sort_by_key(|row| row.partition_index);
    // Partitions are numbered without holes; an answer with one describes a topic that is being deleted.
    let rows =
        rows.into_iter().enumerate().take_while(|(at, row)| i32::try_from(*at) == Ok(row.partition_index));
    TopicView {
        id: TopicId::from_wire(topic.topic_id),
        error: ErrorCode::from_wire(topic.error_code),
        is_internal: topic.is_internal,
        partitions: rows
            .map(|(_, row)| PartitionView {
                leader: BrokerId::from_wire(row.leader_id.0),
                leader_epoch: LeaderEpoch::from_wire(row.leader_epoch),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::metadata_response::{MetadataResponseBroker, MetadataResponsePartition};
    use kafka_protocol::protocol::StrBytes;

    fn topic(name: &str, leaders: &[(i32, i32)]) -> MetadataResponseTopic {
        let row = |&(partition, leader): &(i32, i32)| {
            MetadataResponsePartition::default()
                .with_partition_index(partition)
                .with_leader_id(leader.into())
                .with_leader_epoch(4)
        };
        MetadataResponseTopic::default()
            .with_name(Some(StrBytes::from_string(name.to_owned()).into()))
            .with_partitions(leaders.iter().map(row).collect())
    }

    #[test]
    fn answers_add_up() {
        let broker = MetadataResponseBroker::default()
            .with_node_id(1.into())
            .with_host(StrBytes::from_static_str("h"))
            .with_port(9);
        let first = MetadataResponse::default()
            .with_brokers(vec![broker])
            .with_topics(vec![topic("a", &[(1, -1), (0, 1), (3, 1)])]);
        let view = View::default().update(&first, false);
        assert_eq!(view.brokers[&BrokerId(1)], ("h".to_owned(), 9));
        let a = TopicName::new("a");
        assert_eq!(view.topics[&a].partitions.len(), 2, "the partition behind a hole is left out");
        assert_eq!(
            (view.leader(&a, 0), view.leader(&a, 1), view.leader(&a, -1)),
            (Some(BrokerId(1)), None, None)
        );

        let second = MetadataResponse::default().with_topics(vec![topic("b", &[(0, 2)])]);
        let both = view.update(&second, false);
        assert_eq!(both.topics.len(), 2);
        assert!(both.brokers.is_empty());
        assert_eq!(view.update(&second, true).topics.len(), 1);
    }
}
