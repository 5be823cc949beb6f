//! The two topics that coordinators own, and how they are created.

use gregor_config::Values;
use gregor_model::TopicName;
use gregor_zookeeper::ZooKeeperError;
use gregor_zookeeper::store::Store;

/// A coordinator's topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InternalTopic {
    /// `__consumer_offsets`.
    ConsumerOffsets,
    /// `__transaction_state`.
    TransactionState,
}

/// How an internal topic is created (`DefaultAutoTopicCreationManager.creatableTopic`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InternalTopicSettings {
    /// How many partitions.
    pub partitions: i32,
    /// How many replicas of each.
    pub replication_factor: i16,
    /// Its overrides.
    pub configs: Vec<(String, String)>,
}

impl InternalTopic {
    /// The topic's name.
    pub fn name(self) -> &'static str {
        match self {
            InternalTopic::ConsumerOffsets => "__consumer_offsets",
            InternalTopic::TransactionState => "__transaction_state",
        }
    }

    /// The internal topic of that name.
    pub fn of(name: &TopicName) -> Option<InternalTopic> {
        [InternalTopic::ConsumerOffsets, InternalTopic::TransactionState]
            .into_iter()
            .find(|topic| topic.name() == name.as_str())
    }

    /// How many partitions it has in ZooKeeper, if it exists.
    ///
    /// # Errors
    /// ZooKeeper cannot be asked.
    pub(super) async fn stored_partitions(self, store: &Store) -> Result<Option<i32>, ZooKeeperError> {
        let stored = store.topic(&self.name().into()).await?;
        Ok(stored.map(|stored| i32::try_from(stored.assignment.partitions.len()).unwrap_or(i32::MAX)))
    }

    /// How it is created by a broker of this configuration.
    pub fn settings(self, values: &Values) -> InternalTopicSettings {
        let prefix = match self {
            InternalTopic::ConsumerOffsets => "offsets.topic",
            InternalTopic::TransactionState => "transaction.state.log",
        };
        let key = |name: &str| format!("{prefix}.{name}");
        let config = |name: &str, value: String| (name.to_owned(), value);
        let mut configs = vec![
            config("cleanup.policy", "compact".to_owned()),
            config("segment.bytes", values.i32(&key("segment.bytes")).to_string()),
        ];
        match self {
            InternalTopic::ConsumerOffsets => configs.push(config("compression.type", "producer".to_owned())),
            InternalTopic::TransactionState => configs.extend([
                config("compression.type", "uncompressed".to_owned()),
                config("min.insync.replicas", values.i32("transaction.state.log.min.isr").to_string()),
                config("unclean.leader.election.enable", "false".to_owned()),
            ]),
        }
        InternalTopicSettings {
            partitions: values.i32(&key("num.partitions")),
            replication_factor: values.i16(&key("replication.factor")),
            configs,
        }
    }
}

#[cfg(test)]
mod tests {
    use gregor_config::{Values, broker_table};

    use super::*;

    #[test]
    fn created_as_kafka_creates_them() {
        let values = Values::defaults(broker_table());
        let offsets = InternalTopic::ConsumerOffsets.settings(&values);
        assert_eq!((offsets.partitions, offsets.replication_factor), (50, 3));
        let configs: Vec<String> =
            offsets.configs.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(
            configs,
            ["cleanup.policy=compact", "segment.bytes=104857600", "compression.type=producer"]
        );
        let transactions = InternalTopic::TransactionState.settings(&values);
        let configs: Vec<String> =
            transactions.configs.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(
            configs,
            [
                "cleanup.policy=compact",
                "segment.bytes=104857600",
                "compression.type=uncompressed",
                "min.insync.replicas=2",
                "unclean.leader.election.enable=false",
            ]
        );
    }
}
