//! Topics that come to be because a client asked about them (`DefaultAutoTopicCreationManager`): created by the broker
//! that was asked, whoever is the controller.

use std::collections::HashSet;

use gregor_model::TopicName;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use parking_lot::Mutex;

use crate::broker::Broker;
use crate::coordinators::InternalTopic;
use crate::error_code::KafkaError;
use crate::metadata_cache::topic_error;
use crate::topic_admin::{CreateTopicError, Layout, NewTopic};

/// Creates missing topics, each once at a time.
#[derive(Debug, Default)]
pub struct AutoTopicCreation {
    in_flight: Mutex<HashSet<TopicName>>,
}

/// A name that is being created; gives it free when dropped.
struct InFlight<'a> {
    owner: &'a AutoTopicCreation,
    name: TopicName,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.owner.in_flight.lock().remove(&self.name);
    }
}

impl AutoTopicCreation {
    /// Creates the topics and answers what Metadata says of each; one just created has no leader yet.
    pub async fn create(&self, broker: &Broker, names: Vec<TopicName>) -> Vec<MetadataResponseTopic> {
        let mut answers = Vec::with_capacity(names.len());
        for name in names {
            let error = self.create_one(broker, &name).await;
            answers.push(topic_error(Some(&name), None, error));
        }
        answers
    }

    async fn create_one(&self, broker: &Broker, name: &TopicName) -> ResponseError {
        if name.validate().is_err() {
            return ResponseError::InvalidTopicException;
        }
        if broker.metadata.snapshot().brokers().next().is_none() {
            // The controller has told us nothing yet: the topic may well be there. INVALID_REPLICATION_FACTOR, which Kafka's
            // broker answers in that moment, has librdkafka give up the topic's messages.
            return ResponseError::LeaderNotAvailable;
        }
        let Some(_in_flight) = self.claim(name) else { return ResponseError::UnknownTopicOrPartition };
        let new = new_topic(broker, name);
        match broker.topic_admin.create(&broker.metadata.snapshot(), &new, false).await {
            Ok(_) => ResponseError::LeaderNotAvailable,
            Err(CreateTopicError::Exists(_) | CreateTopicError::MarkedForDeletion(_)) => {
                ResponseError::LeaderNotAvailable
            }
            Err(error) => {
                tracing::info!(topic = %name, %error, "topic was not created automatically");
                error.kafka_error()
            }
        }
    }

    fn claim(&self, name: &TopicName) -> Option<InFlight<'_>> {
        self.in_flight.lock().insert(name.clone()).then(|| InFlight { owner: self, name: name.clone() })
    }
}

/// A topic with the broker's defaults; the coordinators' topics have settings of their own.
fn new_topic(broker: &Broker, name: &TopicName) -> NewTopic {
    let Some(internal) = InternalTopic::of(name) else {
        return NewTopic { name: name.clone(), layout: Layout::default(), configs: Vec::new() };
    };
    let settings = broker.coordinators.topic_settings(internal);
    let layout = Layout {
        partitions: Some(settings.partitions),
        replication_factor: Some(settings.replication_factor),
        assignments: Vec::new(),
    };
    let configs = settings.configs.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect();
    NewTopic { name: name.clone(), layout, configs }
}
