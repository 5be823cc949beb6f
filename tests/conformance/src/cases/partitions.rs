//! Replicas and leaders: elections, reassignments, log directories.

use crate::case::{Case, case, ids, plain, text, topic};
use kafka_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use kafka_protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterReplicaLogDirsRequest, ApiKey, DescribeLogDirsRequest,
    ElectLeadersRequest, ListPartitionReassignmentsRequest,
};

pub fn cases() -> Vec<Case> {
    [elections(), reassignments(), log_dirs()].into_iter().flatten().collect()
}

fn elections() -> Vec<Case> {
    let of = |name: &'static str, kind: i8, partitions: Option<&'static [(&'static str, &'static [i32])]>| {
        case(ApiKey::ElectLeaders, name, move |version, _| {
            let of = |(name, partitions): &(&str, &[i32])| {
                TopicPartitions::default().with_topic(topic(name)).with_partitions(partitions.to_vec())
            };
            let partitions = partitions.map(|all| all.iter().map(of).collect());
            let request =
                ElectLeadersRequest::default().with_topic_partitions(partitions).with_timeout_ms(5_000);
            // Version 0 knows preferred elections only.
            if version == 0 {
                (kind == 0).then(|| request.into())
            } else {
                Some(request.with_election_type(kind).into())
            }
        })
    };
    vec![
        of("preferred, and led by it", 0, Some(&[("plain", &[0])])),
        of("preferred, everything", 0, None),
        of("unclean, and led", 1, Some(&[("plain", &[0])])),
        of("an unknown topic", 0, Some(&[("nowhere", &[0])])),
        of("an unknown partition", 0, Some(&[("plain", &[9])])),
        of("no such election", 7, Some(&[("plain", &[0])])),
        of("no partitions", 0, Some(&[])),
        of("not the controller", 0, Some(&[("plain", &[0])])).of_broker_1(),
    ]
}

fn reassignments() -> Vec<Case> {
    let alter = |name: &'static str, topic_name: &str, index: i32, replicas: Option<&[i32]>| {
        let partition =
            ReassignablePartition::default().with_partition_index(index).with_replicas(replicas.map(ids));
        let topic =
            ReassignableTopic::default().with_name(topic(topic_name)).with_partitions(vec![partition]);
        let request = AlterPartitionReassignmentsRequest::default().with_topics(vec![topic]);
        plain(ApiKey::AlterPartitionReassignments, name, request.with_timeout_ms(5_000))
    };
    let list = |name: &'static str, topics: Option<&[(&str, &[i32])]>| {
        let of = |(name, partitions): &(&str, &[i32])| {
            ListPartitionReassignmentsTopics::default()
                .with_name(topic(name))
                .with_partition_indexes(partitions.to_vec())
        };
        let request = ListPartitionReassignmentsRequest::default()
            .with_topics(topics.map(|topics| topics.iter().map(of).collect()))
            .with_timeout_ms(5_000);
        plain(ApiKey::ListPartitionReassignments, name, request)
    };
    vec![
        alter("cancels what is not there", "plain", 0, None),
        alter("where it is", "plain", 0, Some(&[0, 1])),
        alter("no replicas", "plain", 0, Some(&[])),
        alter("a replica twice", "plain", 0, Some(&[0, 0])),
        alter("an unknown broker", "plain", 0, Some(&[0, 9])),
        alter("a negative broker", "plain", 0, Some(&[-1])),
        alter("an unknown topic", "nowhere", 0, Some(&[0])),
        alter("an unknown partition", "plain", 9, Some(&[0])),
        alter("not the controller", "plain", 0, Some(&[0, 1])).of_broker_1(),
        list("all", None),
        list("one", Some(&[("plain", &[0])])),
        list("an unknown topic", Some(&[("nowhere", &[0])])),
        list("not the controller", None).of_broker_1(),
    ]
}

fn log_dirs() -> Vec<Case> {
    let describe = |name: &'static str, topics: Option<&[(&str, &[i32])]>| {
        let of = |(name, partitions): &(&str, &[i32])| {
            DescribableLogDirTopic::default().with_topic(topic(name)).with_partitions(partitions.to_vec())
        };
        let request = DescribeLogDirsRequest::default()
            .with_topics(topics.map(|topics| topics.iter().map(of).collect()));
        plain(ApiKey::DescribeLogDirs, name, request)
    };
    let alter = |name: &'static str, path: &str, topic_name: &str, partition: i32| {
        let topic =
            AlterReplicaLogDirTopic::default().with_name(topic(topic_name)).with_partitions(vec![partition]);
        let dir = AlterReplicaLogDir::default().with_path(text(path)).with_topics(vec![topic]);
        plain(ApiKey::AlterReplicaLogDirs, name, AlterReplicaLogDirsRequest::default().with_dirs(vec![dir]))
    };
    vec![
        describe("one topic", Some(&[("plain", &[0, 1])])),
        describe("an unknown topic", Some(&[("nowhere", &[0])])),
        describe("nothing", Some(&[])),
        alter("a directory that is none", "/no/such/dir", "plain", 0),
        alter("a relative directory", "here", "plain", 0),
        alter("an unknown topic", "/no/such/dir", "nowhere", 0),
        case(ApiKey::AlterReplicaLogDirs, "where it is", |_, side| {
            let topic = AlterReplicaLogDirTopic::default().with_name(topic("plain")).with_partitions(vec![0]);
            let path = text(&side.cluster.brokers[0].data_dir().display().to_string());
            let dir = AlterReplicaLogDir::default().with_path(path).with_topics(vec![topic]);
            Some(AlterReplicaLogDirsRequest::default().with_dirs(vec![dir]).into())
        }),
    ]
}
