//! Calls about topics.

use std::collections::HashMap;

use gregor_model::TopicId;
use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use kafka_protocol::messages::{
    ApiKey, BrokerId, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, MetadataRequest,
};

use super::configs::{ConfigEntry, ConfigResource};
use super::{Admin, AdminError, Target, text, topic_name};

/// A topic to create (`NewTopic`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; None lets the broker decide.
    pub partitions: Option<i32>,
    /// How many replicas of each; None lets the broker decide.
    pub replication_factor: Option<i16>,
    /// Replicas by partition, instead of the two above; empty if not given.
    pub assignment: Vec<Vec<i32>>,
    /// Config overrides.
    pub configs: Vec<(String, String)>,
}

/// More partitions for a topic (`NewPartitions`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPartitions {
    /// The topic.
    pub topic: String,
    /// How many partitions it is to have.
    pub count: i32,
    /// Replicas of the new ones; None lets the broker decide.
    pub assignment: Option<Vec<Vec<i32>>>,
}

/// What Metadata says of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    /// Its name.
    pub name: String,
    /// Its id, if it has one.
    pub id: Option<TopicId>,
    /// Its partitions, in order.
    pub partitions: Vec<PartitionDescription>,
}

/// What Metadata says of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionDescription {
    /// Its number.
    pub partition: i32,
    /// Its leader, if there is one and it lives.
    pub leader: Option<i32>,
    /// Its replicas, the preferred leader first.
    pub replicas: Vec<i32>,
    /// Those in sync.
    pub isr: Vec<i32>,
}

impl Admin {
    /// The names of all topics, and whether each is internal.
    pub async fn list_topics(&mut self) -> Result<Vec<(String, bool, Option<TopicId>)>, AdminError> {
        let answer = self.metadata("listTopics", None).await?;
        Ok(answer
            .topics
            .iter()
            .filter_map(|topic| Some((topic.name.as_ref()?.to_string(), topic.is_internal, topic_id(topic))))
            .collect())
    }

    /// The ids of the brokers that live.
    pub async fn live_brokers(&mut self) -> Result<Vec<i32>, AdminError> {
        Ok(self.describe_cluster().await?.nodes.into_keys().collect())
    }

    /// Describes topics by name; fails if one cannot be described.
    pub async fn describe_topics(&mut self, names: &[String]) -> Result<Vec<TopicDescription>, AdminError> {
        let found = self.look_up_topics(names).await?;
        found.into_iter().map(|(_, topic)| topic).collect()
    }

    /// Describes each topic, or says why it cannot be described.
    pub async fn look_up_topics(
        &mut self,
        names: &[String],
    ) -> Result<Vec<(String, Result<TopicDescription, AdminError>)>, AdminError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = names
            .iter()
            .map(|name| MetadataRequestTopic::default().with_name(Some(topic_name(name))))
            .collect();
        let answer = self.metadata("describeTopics", Some(wanted)).await?;
        let live: Vec<i32> = answer.brokers.iter().map(|broker| broker.node_id.0).collect();
        let look_up = |name: &String| {
            let mut topics = answer.topics.iter();
            let topic = topics.find(|topic| topic.name.as_ref().is_some_and(|found| ***found == **name));
            let topic = topic.ok_or(AdminError::Incomplete("METADATA"))?;
            AdminError::check(topic.error_code, None)?;
            Ok(describe(name, topic, &live))
        };
        Ok(names.iter().map(|name| (name.clone(), look_up(name))).collect())
    }

    /// Asks any broker about these topics, or all.
    pub(super) async fn metadata(
        &mut self,
        call: &'static str,
        topics: Option<Vec<MetadataRequestTopic>>,
    ) -> Result<kafka_protocol::messages::MetadataResponse, AdminError> {
        let build = |version| {
            let request = MetadataRequest::default().with_topics(topics.clone());
            // Older versions cannot say it, and create what is asked for by name.
            request.with_allow_auto_topic_creation(version < 4)
        };
        self.call(call, ApiKey::Metadata, Target::Any, build, |_| 0).await
    }

    /// Creates one topic.
    pub async fn create_topic(&mut self, topic: &NewTopic) -> Result<(), AdminError> {
        let assignments = (0..).zip(&topic.assignment).map(|(partition, replicas)| {
            CreatableReplicaAssignment::default()
                .with_partition_index(partition)
                .with_broker_ids(broker_ids(replicas))
        });
        let configs = topic.configs.iter().map(|(key, value)| {
            CreatableTopicConfig::default().with_name(text(key)).with_value(Some(text(value)))
        });
        let creatable = CreatableTopic::default()
            .with_name(topic_name(&topic.name))
            .with_num_partitions(topic.partitions.unwrap_or(-1))
            .with_replication_factor(topic.replication_factor.unwrap_or(-1))
            .with_assignments(assignments.collect())
            .with_configs(configs.collect());
        let request = CreateTopicsRequest::default()
            .with_topics(vec![creatable])
            .with_timeout_ms(self.request_timeout_ms());
        let build = |_| request.clone();
        let answer = self
            .call("createTopics", ApiKey::CreateTopics, Target::Controller, build, |answer| {
                answer.topics.first().map_or(0, |topic| topic.error_code)
            })
            .await?;
        let result = answer.topics.first().ok_or(AdminError::Incomplete("CREATE_TOPICS"))?;
        AdminError::check(result.error_code, result.error_message.as_deref())
    }

    /// Grows topics.
    pub async fn create_partitions(&mut self, topics: &[NewPartitions]) -> Result<(), AdminError> {
        let topics = topics.iter().map(|NewPartitions { topic, count, assignment }| {
            let assign = |replicas: &Vec<i32>| {
                CreatePartitionsAssignment::default().with_broker_ids(broker_ids(replicas))
            };
            let assignments = assignment.as_ref().map(|replicas| replicas.iter().map(assign).collect());
            CreatePartitionsTopic::default()
                .with_name(topic_name(topic))
                .with_count(*count)
                .with_assignments(assignments)
        });
        let request = CreatePartitionsRequest::default()
            .with_topics(topics.collect())
            .with_timeout_ms(self.request_timeout_ms());
        let build = |_| request.clone();
        let answer = self
            .call("createPartitions", ApiKey::CreatePartitions, Target::Controller, build, |answer| {
                answer.results.first().map_or(0, |topic| topic.error_code)
            })
            .await?;
        answer
            .results
            .iter()
            .try_for_each(|topic| AdminError::check(topic.error_code, topic.error_message.as_deref()))
    }

    /// Deletes topics by name.
    pub async fn delete_topics(&mut self, names: &[String]) -> Result<(), AdminError> {
        let timeout_ms = self.request_timeout_ms();
        let build = |version| {
            let request = DeleteTopicsRequest::default().with_timeout_ms(timeout_ms);
            if version >= 6 {
                let topic = |name: &String| DeleteTopicState::default().with_name(Some(topic_name(name)));
                request.with_topics(names.iter().map(topic).collect())
            } else {
                request.with_topic_names(names.iter().map(|name| topic_name(name)).collect())
            }
        };
        let answer = self
            .call("deleteTopics", ApiKey::DeleteTopics, Target::Controller, build, |answer| {
                answer.responses.first().map_or(0, |topic| topic.error_code)
            })
            .await?;
        answer
            .responses
            .iter()
            .try_for_each(|topic| AdminError::check(topic.error_code, topic.error_message.as_deref()))
    }

    /// The configs of topics, by name, each in the broker's order.
    pub async fn describe_topic_configs(
        &mut self,
        names: &[String],
    ) -> Result<HashMap<String, Vec<ConfigEntry>>, AdminError> {
        let resources: Vec<ConfigResource> =
            names.iter().map(|name| ConfigResource::topic(name.as_str())).collect();
        let found = self.describe_configs(&resources, false).await?;
        Ok(found.into_iter().map(|(resource, entries)| (resource.name, entries)).collect())
    }
}

fn describe(name: &str, topic: &MetadataResponseTopic, live: &[i32]) -> TopicDescription {
    let describe_partition = |partition: &MetadataResponsePartition| PartitionDescription {
        partition: partition.partition_index,
        leader: Some(partition.leader_id.0).filter(|leader| live.contains(leader)),
        replicas: numbers(&partition.replica_nodes),
        isr: numbers(&partition.isr_nodes),
    };
    let mut partitions: Vec<_> = topic.partitions.iter().map(describe_partition).collect();
    partitions.sort_by_key(|partition| partition.partition);
    TopicDescription { name: name.to_owned(), id: topic_id(topic), partitions }
}

fn topic_id(topic: &MetadataResponseTopic) -> Option<TopicId> {
    TopicId::from_wire(topic.topic_id)
}

pub(super) fn broker_ids(ids: &[i32]) -> Vec<BrokerId> {
    ids.iter().copied().map(BrokerId).collect()
}

pub(super) fn numbers(ids: &[BrokerId]) -> Vec<i32> {
    ids.iter().map(|id| id.0).collect()
}
