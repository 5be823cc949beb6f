//! CreateTopics, CreatePartitions, DeleteTopics, ElectLeaders, DescribeCluster and UpdateFeatures.

use super::pair::Pair;
use anyhow::Result;
use gregor_harness::cluster::topic_name;
use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::update_features_request::FeatureUpdateKey;
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeClusterRequest,
    ElectLeadersRequest, UpdateFeaturesRequest,
};
use kafka_protocol::protocol::StrBytes;

const TIMEOUT_MS: i32 = 20_000;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn topic(name: &str, partitions: i32, replicas: i16) -> CreatableTopic {
    CreatableTopic::default()
        .with_name(topic_name(name))
        .with_num_partitions(partitions)
        .with_replication_factor(replicas)
}

fn assigned(name: &str, assignments: &[(i32, &[i32])]) -> CreatableTopic {
    let assignments = assignments.iter().map(|(partition, brokers)| {
        CreatableReplicaAssignment::default()
            .with_partition_index(*partition)
            .with_broker_ids(brokers.iter().map(|id| (*id).into()).collect())
    });
    topic(name, -1, -1).with_assignments(assignments.collect())
}

fn configured(name: &str, configs: &[(&str, Option<&str>)]) -> CreatableTopic {
    let configs = configs
        .iter()
        .map(|(key, value)| CreatableTopicConfig::default().with_name(text(key)).with_value(value.map(text)));
    topic(name, 1, 1).with_configs(configs.collect())
}

fn create(topics: Vec<CreatableTopic>) -> CreateTopicsRequest {
    CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(TIMEOUT_MS)
}

fn grow(name: &str, count: i32, assignments: Option<&[&[i32]]>) -> CreatePartitionsRequest {
    let assignments = assignments.map(|lists| {
        let lists = lists.iter().map(|list| {
            CreatePartitionsAssignment::default()
                .with_broker_ids(list.iter().map(|id| (*id).into()).collect())
        });
        lists.collect()
    });
    let topic = CreatePartitionsTopic::default()
        .with_name(topic_name(name))
        .with_count(count)
        .with_assignments(assignments);
    CreatePartitionsRequest::default().with_topics(vec![topic]).with_timeout_ms(TIMEOUT_MS)
}

/// Creates, grows and elects; leaves topic `orders`.
pub async fn compare(pair: &mut Pair) -> Result<()> {
    for version in 0..=1 {
        let request =
            DescribeClusterRequest::default().with_include_cluster_authorized_operations(version == 1);
        pair.look("DescribeCluster", version, &request, "brokers[1]").await;
    }
    pair.ask("DescribeCluster of controllers", 1, &DescribeClusterRequest::default().with_endpoint_type(2))
        .await;
    pair.ask("DescribeCluster of nothing", 1, &DescribeClusterRequest::default().with_endpoint_type(7)).await;
    creating(pair).await?;
    growing(pair).await?;
    electing(pair).await;
    features(pair).await?;
    Ok(())
}

async fn creating(pair: &mut Pair) -> Result<()> {
    let good = [
        assigned("orders", &[(0, &[0, 1]), (1, &[1, 0])]),
        assigned("Single_1.x-y", &[(0, &[1])]),
        assigned("unknown-broker", &[(0, &[0, 7])]),
    ];
    for topic in good {
        let name = topic.name.to_string();
        let request = create(vec![topic]);
        pair.ask(&format!("CreateTopics {name}, only checked"), 7, &request.clone().with_validate_only(true))
            .await;
        pair.ask(&format!("CreateTopics {name}"), 7, &request).await;
        pair.ask(&format!("CreateTopics {name} again"), 7, &request).await;
    }
    for version in 0..=7 {
        let with_configs = configured(
            &format!("old-{version}"),
            &[("retention.ms", Some("5")), ("cleanup.policy", Some("compact"))],
        );
        pair.ask("CreateTopics with configs", version, &create(vec![with_configs])).await;
        let refused = vec![topic("too/bad", 1, 1), topic("many", 1, 9), topic("none", 0, 1)];
        pair.ask("CreateTopics refused", version, &create(refused)).await;
    }
    pair.ask("CreateTopics by default", 7, &create(vec![topic("by-default", -1, -1)])).await;
    pair.ask("CreateTopics with no time", 7, &create(vec![topic("hurried", 1, 1)]).with_timeout_ms(0)).await;
    pair.ask("CreateTopics of nothing", 7, &create(vec![])).await;
    for (number, topic) in [
        topic("", 1, 1),
        topic(".", 1, 1),
        topic("..", 1, 1),
        topic(&"x".repeat(250), 1, 1),
        topic("sp ace", 1, 1),
        topic("Single.1_x-y", 1, 1),
        topic("__cluster_metadata", 1, 1),
        topic("negative", -2, 1),
        topic("negative", 1, -2),
        topic("negative", 1, 0),
        assigned("gaps", &[(0, &[0]), (2, &[0])]),
        assigned("late", &[(1, &[0])]),
        assigned("double", &[(0, &[0, 0])]),
        assigned("uneven", &[(0, &[0, 1]), (1, &[0])]),
        assigned("empty", &[(0, &[])]),
        assigned("below", &[(-1, &[0])]),
        assigned("both", &[(0, &[0])]).with_num_partitions(1),
        assigned("both", &[(0, &[0])]).with_replication_factor(1),
        configured("null", &[("retention.ms", None), ("flush.ms", None)]),
        configured("nonsense", &[("no.such", Some("1"))]),
        configured("bad", &[("retention.ms", Some("x"))]),
        configured("bad", &[("cleanup.policy", Some("shred"))]),
        configured("bad", &[("min.compaction.lag.ms", Some("9")), ("max.compaction.lag.ms", Some("8"))]),
        configured("twice", &[("retention.ms", Some("1")), ("retention.ms", Some("2"))]),
        configured("tiered", &[("remote.storage.enable", Some("true"))]),
    ]
    .into_iter()
    .enumerate()
    {
        pair.ask(&format!("CreateTopics refused {number}"), 7, &create(vec![topic]).with_validate_only(true))
            .await;
    }
    let doubled = create(vec![topic("doubled", 1, 1), topic("doubled", 2, 1), topic("fine", 1, 1)]);
    pair.ask("CreateTopics of the same name twice", 7, &doubled).await;
    pair.ask_broker("CreateTopics elsewhere", 1, 7, &create(vec![topic("elsewhere", 1, 1)])).await;
    pair.compare_znodes("znodes after CreateTopics", &["/config/topics", "/config/changes"]).await
}

async fn growing(pair: &mut Pair) -> Result<()> {
    for (count, assignments) in [
        (1, None),
        (2, None),
        (0, None),
        (-1, None),
        (3, Some(&[][..])),
        (3, Some(&[&[0, 1][..], &[1, 0]][..])),
        (3, Some(&[&[0][..]])),
        (3, Some(&[&[0, 0][..]])),
        (3, Some(&[&[0, 9][..]])),
        (3, Some(&[&[][..]])),
        (4, Some(&[&[0, 1][..], &[1]])),
        (3, Some(&[&[1, 0][..]])),
    ] {
        for version in 0..=3 {
            let request = grow("orders", count, assignments).with_validate_only(true);
            pair.ask(&format!("CreatePartitions {count} {assignments:?}, only checked"), version, &request)
                .await;
        }
    }
    pair.ask("CreatePartitions", 3, &grow("orders", 3, Some(&[&[1, 0]]))).await;
    pair.ask("CreatePartitions with no time", 2, &grow("Single_1.x-y", 2, Some(&[&[1]])).with_timeout_ms(0))
        .await;
    pair.ask("CreatePartitions of nowhere", 3, &grow("nowhere", 3, None)).await;
    pair.ask("CreatePartitions of a bad name", 3, &grow("bad/name", 3, None)).await;
    let mut twice = grow("orders", 4, None);
    twice.topics.extend(grow("orders", 5, None).topics);
    twice.topics.extend(grow("nowhere", 5, None).topics);
    pair.ask("CreatePartitions of a topic twice", 3, &twice).await;
    pair.ask_broker("CreatePartitions elsewhere", 1, 3, &grow("orders", 9, None)).await;
    pair.compare_znodes("znodes after CreatePartitions", &["/config/changes", "/admin"]).await
}

async fn electing(pair: &mut Pair) {
    let elect = |election, partitions: Option<&[(&str, &[i32])]>| {
        let partitions = partitions.map(|partitions| {
            let topic = |(name, partitions): &(&str, &[i32])| {
                TopicPartitions::default().with_topic(topic_name(name)).with_partitions(partitions.to_vec())
            };
            partitions.iter().map(topic).collect()
        });
        ElectLeadersRequest::default()
            .with_election_type(election)
            .with_topic_partitions(partitions)
            .with_timeout_ms(TIMEOUT_MS)
    };
    for version in 0..=2 {
        let some: &[(&str, &[i32])] = &[("orders", &[0, 1, 9]), ("nowhere", &[0])];
        pair.ask("ElectLeaders preferred", version, &elect(0, Some(some))).await;
        if version > 0 {
            pair.ask("ElectLeaders unclean", version, &elect(1, Some(some))).await;
        }
    }
    pair.ask("ElectLeaders of none", 2, &elect(0, Some(&[]))).await;
    pair.ask("ElectLeaders of all", 2, &elect(0, None)).await;
    pair.ask("ElectLeaders of an unknown kind", 2, &elect(2, Some(&[("orders", &[0])]))).await;
    pair.ask_broker("ElectLeaders elsewhere", 1, 2, &elect(0, Some(&[("orders", &[0, 1])]))).await;
    pair.ask_broker("ElectLeaders of all elsewhere", 1, 2, &elect(0, None)).await;
}

async fn features(pair: &mut Pair) -> Result<()> {
    let update = |name: &str, level: i16, downgrade: bool, upgrade_type: i8| {
        let update = FeatureUpdateKey::default()
            .with_feature(text(name))
            .with_max_version_level(level)
            .with_allow_downgrade(downgrade)
            .with_upgrade_type(upgrade_type);
        UpdateFeaturesRequest::default().with_feature_updates(vec![update]).with_timeout_ms(TIMEOUT_MS)
    };
    for (name, level) in [
        ("metadata.version", 5),
        ("", 1),
        ("made.up", 1),
        ("made.up", 0),
        ("made.up", -1),
        ("kraft.version", 1),
    ] {
        for downgrade in [false, true] {
            pair.ask(
                &format!("UpdateFeatures {name:?} {level} {downgrade}"),
                0,
                &update(name, level, downgrade, 1),
            )
            .await;
        }
        for upgrade_type in 0..=4 {
            let request = update(name, level, false, upgrade_type);
            pair.ask(&format!("UpdateFeatures {name:?} {level} {upgrade_type}"), 1, &request).await;
            pair.ask(
                &format!("UpdateFeatures {name:?} {level} {upgrade_type}, only checked"),
                1,
                &request.with_validate_only(true),
            )
            .await;
        }
    }
    pair.ask("UpdateFeatures of none", 1, &UpdateFeaturesRequest::default().with_timeout_ms(TIMEOUT_MS))
        .await;
    let mut twice = update("made.up", 1, false, 1);
    twice.feature_updates.extend(update("made.up", 2, false, 1).feature_updates);
    pair.ask("UpdateFeatures twice", 1, &twice).await;
    pair.ask_broker("UpdateFeatures elsewhere", 1, 1, &update("made.up", 1, false, 1)).await;
    pair.compare_znodes("znodes after UpdateFeatures", &["/feature"]).await
}

/// Deletes what was created.
pub async fn compare_deletion(pair: &mut Pair) -> Result<()> {
    let delete = |names: &[&str]| {
        DeleteTopicsRequest::default()
            .with_topic_names(names.iter().map(|name| topic_name(name)).collect())
            .with_timeout_ms(TIMEOUT_MS)
    };
    for version in 0..=5 {
        let old = format!("old-{version}");
        pair.ask("DeleteTopics by name", version, &delete(&[&old, "nowhere", "bad/name", &old])).await;
    }
    let state = |name: Option<&str>| DeleteTopicState::default().with_name(name.map(topic_name));
    let request = |topics| DeleteTopicsRequest::default().with_topics(topics).with_timeout_ms(TIMEOUT_MS);
    pair.ask("DeleteTopics by either", 6, &request(vec![state(Some("old-6")), state(Some("nowhere"))])).await;
    pair.ask("DeleteTopics of nothing", 6, &request(vec![])).await;
    pair.ask("DeleteTopics of no one", 6, &request(vec![state(None)])).await;
    let unknown = uuid::Uuid::from_u128(0x1234_5678_9abc_def0_1234_5678_9abc_def0);
    pair.ask("DeleteTopics of an unknown id", 6, &request(vec![state(None).with_topic_id(unknown)])).await;
    pair.ask(
        "DeleteTopics of a name and an id",
        6,
        &request(vec![state(Some("old-7")).with_topic_id(unknown)]),
    )
    .await;
    pair.ask("DeleteTopics twice", 6, &request(vec![state(Some("old-7")), state(Some("old-7"))])).await;
    pair.ask("DeleteTopics with no time", 6, &request(vec![state(Some("fine"))]).with_timeout_ms(0)).await;
    pair.ask_broker("DeleteTopics elsewhere", 1, 6, &request(vec![state(Some("orders"))])).await;
    pair.compare_znodes("znodes after DeleteTopics", &["/config/topics", "/admin"]).await
}
