//! What the cluster is: versions, metadata, features, telemetry.

use crate::case::{Case, case, plain, text, topic};
use kafka_protocol::messages::describe_topic_partitions_request::TopicRequest;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::update_features_request::FeatureUpdateKey;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, DescribeClusterRequest, DescribeQuorumRequest,
    DescribeTopicPartitionsRequest, GetTelemetrySubscriptionsRequest, ListClientMetricsResourcesRequest,
    MetadataRequest, PushTelemetryRequest, UnregisterBrokerRequest, UpdateFeaturesRequest,
};
use uuid::Uuid;

pub fn cases() -> Vec<Case> {
    [versions(), metadata(), features()].into_iter().flatten().collect()
}

fn versions() -> Vec<Case> {
    let of = |name: &str, version: &str| {
        ApiVersionsRequest::default()
            .with_client_software_name(text(name))
            .with_client_software_version(text(version))
    };
    vec![
        case(ApiKey::ApiVersions, "a client", move |version, _| {
            Some(if version >= 3 { of("conformance", "1.0") } else { ApiVersionsRequest::default() }.into())
        }),
        plain(ApiKey::ApiVersions, "an empty software name", of("", "1.0")),
        plain(ApiKey::ApiVersions, "a software name with a space", of("a client", "1.0")),
        plain(ApiKey::DescribeCluster, "as it is", DescribeClusterRequest::default()),
        plain(
            ApiKey::DescribeCluster,
            "with authorized operations",
            DescribeClusterRequest::default().with_include_cluster_authorized_operations(true),
        ),
        plain(
            ApiKey::DescribeCluster,
            "endpoints of controllers",
            DescribeClusterRequest::default().with_endpoint_type(2),
        ),
        plain(
            ApiKey::DescribeCluster,
            "endpoints of what does not exist",
            DescribeClusterRequest::default().with_endpoint_type(3),
        ),
    ]
}

fn metadata() -> Vec<Case> {
    let named = |names: &[&str]| {
        let topics = names.iter().map(|name| MetadataRequestTopic::default().with_name(Some(topic(name))));
        MetadataRequest::default().with_topics(Some(topics.collect())).with_allow_auto_topic_creation(false)
    };
    // Version 0 asks for all with an empty list; before version 4 unknown topics are created.
    let later = move |names: &'static [&'static str]| {
        move |version: i16, _: &crate::side::Side| (version >= 4).then(|| named(names).into())
    };
    vec![
        case(ApiKey::Metadata, "all topics", |version, _| {
            let topics = (version == 0).then(Vec::new);
            Some(MetadataRequest::default().with_topics(topics).into())
        }),
        case(ApiKey::Metadata, "one topic", |_, _| {
            let topic = MetadataRequestTopic::default().with_name(Some(topic("plain")));
            Some(MetadataRequest::default().with_topics(Some(vec![topic])).into())
        }),
        case(ApiKey::Metadata, "no topics", later(&[])),
        case(ApiKey::Metadata, "an unknown topic among known", later(&["plain", "nowhere", "compacted"])),
        case(ApiKey::Metadata, "illegal names", later(&["a b", "", ".."])),
        case(ApiKey::Metadata, "the same twice", later(&["plain", "plain"])),
        case(ApiKey::Metadata, "with authorized operations", |version, _| {
            let request = MetadataRequest::default()
                .with_topics(Some(vec![MetadataRequestTopic::default().with_name(Some(topic("plain")))]));
            let request = request.with_include_topic_authorized_operations(true);
            Some(request.with_include_cluster_authorized_operations(version <= 10).into())
        }),
        case(ApiKey::Metadata, "by id", |version, side| {
            let topic = MetadataRequestTopic::default().with_name(None).with_topic_id(side.topic_id("plain"));
            (version >= 10).then(|| MetadataRequest::default().with_topics(Some(vec![topic])).into())
        }),
        case(ApiKey::Metadata, "by an unknown id", |version, _| {
            let topic = MetadataRequestTopic::default().with_name(None).with_topic_id(Uuid::from_u128(7));
            (version >= 10).then(|| MetadataRequest::default().with_topics(Some(vec![topic])).into())
        }),
        plain(
            ApiKey::DescribeTopicPartitions,
            "one topic",
            DescribeTopicPartitionsRequest::default()
                .with_topics(vec![TopicRequest::default().with_name(topic("plain"))])
                .with_response_partition_limit(10),
        ),
        plain(ApiKey::DescribeQuorum, "as it is", DescribeQuorumRequest::default()),
    ]
}

fn features() -> Vec<Case> {
    let update = |feature: &str, level, upgrade| {
        let key = FeatureUpdateKey::default().with_feature(text(feature)).with_max_version_level(level);
        let request = UpdateFeaturesRequest::default().with_timeout_ms(5_000);
        // Version 0 says "allow downgrade", later ones what kind of change it is.
        move |version: i16, _: &crate::side::Side| {
            let key = if version == 0 {
                key.clone().with_allow_downgrade(upgrade != 1)
            } else {
                key.clone().with_upgrade_type(upgrade)
            };
            Some(request.clone().with_feature_updates(vec![key]).into())
        }
    };
    vec![
        case(ApiKey::UpdateFeatures, "an unknown feature", update("nonsense", 1, 1)),
        case(ApiKey::UpdateFeatures, "level 0 without downgrade", update("nonsense", 0, 1)),
        case(ApiKey::UpdateFeatures, "deletes what is not finalized", update("nonsense", 0, 2)),
        case(ApiKey::UpdateFeatures, "an empty name", update("", 1, 1)),
        plain(ApiKey::UpdateFeatures, "nothing", UpdateFeaturesRequest::default().with_timeout_ms(5_000)),
        plain(ApiKey::ListClientMetricsResources, "as it is", ListClientMetricsResourcesRequest::default()),
        plain(ApiKey::GetTelemetrySubscriptions, "a new client", GetTelemetrySubscriptionsRequest::default()),
        plain(
            ApiKey::PushTelemetry,
            "nobody asked for it",
            PushTelemetryRequest::default().with_client_instance_id(Uuid::from_u128(5)),
        ),
        plain(ApiKey::UnregisterBroker, "an unknown broker", UnregisterBrokerRequest::default()),
    ]
}
