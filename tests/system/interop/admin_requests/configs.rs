//! DescribeConfigs, AlterConfigs and IncrementalAlterConfigs: of topics, brokers, all brokers and loggers.

use super::pair::Pair;
use super::refusals;
use anyhow::Result;
use kafka_protocol::messages::DescribeConfigsRequest;
use kafka_protocol::messages::alter_configs_request::{self, AlterConfigsRequest};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::{self, IncrementalAlterConfigsRequest};
use kafka_protocol::protocol::StrBytes;

pub const TOPIC: i8 = 2;
pub const BROKER: i8 = 4;
pub const BROKER_LOGGER: i8 = 8;

pub const SET: i8 = 0;
pub const DELETE: i8 = 1;
pub const APPEND: i8 = 2;
pub const SUBTRACT: i8 = 3;

/// Keys with an operation and a value each.
pub type Changes<'a> = &'a [(&'a str, i8, Option<&'a str>)];

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn describe(resources: &[(i8, &str)], keys: Option<&[&str]>) -> DescribeConfigsRequest {
    let resource = |(kind, name): &(i8, &str)| {
        DescribeConfigsResource::default()
            .with_resource_type(*kind)
            .with_resource_name(text(name))
            .with_configuration_keys(keys.map(|keys| keys.iter().map(|key| text(key)).collect()))
    };
    DescribeConfigsRequest::default().with_resources(resources.iter().map(resource).collect())
}

fn everything(resources: &[(i8, &str)]) -> DescribeConfigsRequest {
    describe(resources, None).with_include_synonyms(true).with_include_documentation(true)
}

pub fn replace(kind: i8, name: &str, configs: &[(&str, Option<&str>)]) -> AlterConfigsRequest {
    let configs = configs.iter().map(|(key, value)| {
        alter_configs_request::AlterableConfig::default().with_name(text(key)).with_value(value.map(text))
    });
    let resource = alter_configs_request::AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(configs.collect());
    AlterConfigsRequest::default().with_resources(vec![resource])
}

pub fn change(kind: i8, name: &str, changes: Changes<'_>) -> IncrementalAlterConfigsRequest {
    let configs = changes.iter().map(|(key, operation, value)| {
        incremental_alter_configs_request::AlterableConfig::default()
            .with_name(text(key))
            .with_config_operation(*operation)
            .with_value(value.map(text))
    });
    let resource = incremental_alter_configs_request::AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(configs.collect());
    IncrementalAlterConfigsRequest::default().with_resources(vec![resource])
}

/// Everything about configurations; topic `orders` exists.
pub async fn compare(pair: &mut Pair) -> Result<()> {
    describing(pair).await;
    topics(pair).await?;
    brokers(pair).await?;
    refusals::compare(pair).await;
    loggers(pair).await;
    Ok(())
}

async fn describing(pair: &mut Pair) {
    for version in 0..=4 {
        let mut request = describe(&[(TOPIC, "orders"), (BROKER, "0"), (BROKER, "")], None);
        request.include_synonyms = version >= 1;
        request.include_documentation = version >= 3;
        pair.ask("DescribeConfigs of all", version, &request).await;
    }
    let named =
        describe(&[(TOPIC, "orders"), (BROKER, "0")], Some(&["retention.ms", "log.retention.ms", "no.such"]));
    pair.ask("DescribeConfigs of two keys", 4, &named).await;
    pair.ask("DescribeConfigs of no keys", 4, &describe(&[(TOPIC, "orders")], Some(&[]))).await;
    for (kind, name) in [
        (TOPIC, "nowhere"),
        (TOPIC, ""),
        (TOPIC, "bad/name"),
        (BROKER, "1"),
        (BROKER, "x"),
        (BROKER_LOGGER, ""),
        (BROKER_LOGGER, "1"),
        (BROKER_LOGGER, "y"),
        (0, "unknown"),
        (3, "3"),
        (16, "subscription"),
        (16, ""),
        (32, "group"),
    ] {
        let request = everything(&[(kind, name)]);
        pair.ask(&format!("DescribeConfigs of {kind} {name:?}"), 4, &request).await;
        let request = describe(&[(kind, name), (TOPIC, "orders")], Some(&["cleanup.policy"]));
        pair.ask(&format!("DescribeConfigs of {kind} {name:?} and a topic"), 1, &request).await;
    }
}

async fn topics(pair: &mut Pair) -> Result<()> {
    let everything = everything(&[(TOPIC, "orders")]);
    let set = [
        ("retention.ms", Some("100000")),
        ("cleanup.policy", Some("compact")),
        ("min.insync.replicas", Some(" 2 ")),
    ];
    for version in 0..=2 {
        pair.ask(
            "AlterConfigs of a topic, only checked",
            version,
            &replace(TOPIC, "orders", &set).with_validate_only(true),
        )
        .await;
        pair.ask("AlterConfigs of a topic", version, &replace(TOPIC, "orders", &set)).await;
    }
    pair.look("DescribeConfigs of a changed topic", 4, &everything, "100000").await;
    pair.compare_znodes("znodes after AlterConfigs", &["/config/topics"]).await?;
    for version in 0..=1 {
        let changes: Changes<'_> = &[
            ("cleanup.policy", APPEND, Some("delete")),
            ("retention.ms", DELETE, None),
            ("segment.bytes", SET, Some("1048577")),
            ("compression.type", SET, Some("lz4")),
            ("message.timestamp.difference.max.ms", SET, Some("77")),
            ("flush.ms", SET, Some("88")),
        ];
        let request = change(TOPIC, "orders", changes);
        pair.ask("IncrementalAlterConfigs, only checked", version, &request.clone().with_validate_only(true))
            .await;
        pair.ask("IncrementalAlterConfigs", version, &request).await;
    }
    pair.look("DescribeConfigs of an incrementally changed topic", 4, &everything, "1048577").await;
    let request = change(
        TOPIC,
        "orders",
        &[
            ("cleanup.policy", SUBTRACT, Some("compact")),
            ("leader.replication.throttled.replicas", APPEND, Some("0:0,1:0")),
            ("leader.replication.throttled.replicas.no", DELETE, None),
            ("retention.ms", DELETE, Some("ignored")),
        ],
    );
    pair.ask("IncrementalAlterConfigs taking from a list", 1, &request).await;
    let request =
        change(TOPIC, "orders", &[("leader.replication.throttled.replicas", SUBTRACT, Some("1:0"))]);
    pair.ask("IncrementalAlterConfigs taking again", 1, &request).await;
    pair.look("DescribeConfigs after subtractions", 4, &everything, "0:0").await;
    let request =
        change(TOPIC, "orders", &[("leader.replication.throttled.replicas", SUBTRACT, Some("0:0"))]);
    pair.ask("IncrementalAlterConfigs emptying a list", 1, &request).await;
    pair.ask(
        "IncrementalAlterConfigs emptying policies",
        1,
        &change(TOPIC, "orders", &[("cleanup.policy", SUBTRACT, Some("delete"))]),
    )
    .await;
    pair.compare_znodes("znodes after IncrementalAlterConfigs", &["/config/topics", "/config/changes"]).await
}

async fn brokers(pair: &mut Pair) -> Result<()> {
    let both = everything(&[(BROKER, "0"), (BROKER, ""), (TOPIC, "orders")]);
    let cluster: Changes<'_> = &[
        ("log.retention.ms", SET, Some("123456")),
        ("message.max.bytes", SET, Some("2000000")),
        ("log.cleaner.threads", SET, Some("2")),
        ("background.threads", SET, Some("12")),
        ("max.connections.per.ip", SET, Some("555")),
        ("unclean.leader.election.enable", SET, Some("true")),
        ("compression.type", SET, Some("zstd")),
        ("leader.replication.throttled.rate", SET, Some("1000000")),
        ("plugin.dynamic", SET, Some("for a plugin")),
        ("listener.name.plaintext.max.connections", SET, Some("666")),
        ("metric.reporters", SET, Some("")),
    ];
    pair.ask(
        "IncrementalAlterConfigs of all brokers, only checked",
        1,
        &change(BROKER, "", cluster).with_validate_only(true),
    )
    .await;
    pair.ask("IncrementalAlterConfigs of all brokers", 1, &change(BROKER, "", cluster)).await;
    pair.look("DescribeConfigs with cluster defaults", 4, &both, "123456").await;
    let one: Changes<'_> = &[
        ("log.retention.ms", SET, Some("654321")),
        ("num.io.threads", SET, Some("6")),
        ("num.network.threads", SET, Some("3")),
        ("num.replica.fetchers", SET, Some("2")),
        ("follower.replication.throttled.rate", SET, Some("2000000")),
        ("log.roll.ms", SET, Some("999999")),
        ("log.flush.interval.ms", SET, Some("5555")),
        ("listener.name.plaintext.max.connections", SET, Some("667")),
        ("min.insync.replicas", SET, Some("2")),
        ("log.message.timestamp.after.max.ms", SET, Some("44444444")),
        ("transaction.partition.verification.enable", SET, Some("FALSE")),
        ("producer.id.expiration.ms", SET, Some("7777777")),
        ("listener.name.plaintext.ssl.keystore.password", SET, Some("hush")),
    ];
    pair.ask(
        "IncrementalAlterConfigs of a broker, only checked",
        1,
        &change(BROKER, "0", one).with_validate_only(true),
    )
    .await;
    pair.ask("IncrementalAlterConfigs of a broker", 1, &change(BROKER, "0", one)).await;
    pair.look("DescribeConfigs with a broker's own", 4, &both, "654321").await;
    pair.ask("DescribeConfigs of the dynamic, old", 0, &describe(&[(BROKER, "0"), (BROKER, "")], None)).await;
    pair.compare_znodes("znodes of brokers", &["/config/brokers"]).await?;
    let fewer: &[(&str, Option<&str>)] =
        &[("log.retention.ms", Some("222222")), ("num.io.threads", Some("6"))];
    pair.ask(
        "AlterConfigs of a broker, only checked",
        2,
        &replace(BROKER, "0", fewer).with_validate_only(true),
    )
    .await;
    pair.ask("AlterConfigs of a broker", 2, &replace(BROKER, "0", fewer)).await;
    pair.ask(
        "AlterConfigs of all brokers",
        2,
        &replace(BROKER, "", &[("message.max.bytes", Some("3000000"))]),
    )
    .await;
    pair.look("DescribeConfigs of replaced ones", 4, &both, "222222").await;
    pair.compare_znodes("znodes of brokers, replaced", &["/config/brokers", "/config/changes"]).await?;
    pair.ask("AlterConfigs emptying a broker", 1, &replace(BROKER, "0", &[])).await;
    pair.ask("AlterConfigs emptying all brokers", 1, &replace(BROKER, "", &[])).await;
    pair.compare_znodes("znodes of brokers, emptied", &["/config/brokers", "/config/changes"]).await
}

async fn loggers(pair: &mut Pair) {
    pair.look(
        "DescribeConfigs of root's level",
        4,
        &describe(&[(BROKER_LOGGER, "0")], Some(&["root"])),
        "root",
    )
    .await;
    for changes in [
        &[("root", SET, Some("DEBUG"))][..],
        &[("root", SET, Some("INFO"))],
        &[("root", SET, Some("LOUD"))],
        &[("root", SET, Some("info"))],
        &[("root", DELETE, None)],
        &[("root", APPEND, Some("INFO"))],
        &[("root", SUBTRACT, Some("INFO"))],
        &[("root", 7, Some("INFO"))],
        &[("no.such.logger", SET, Some("INFO"))],
        &[("no.such.logger", DELETE, None)],
        &[("no.such.logger", SET, Some("LOUD"))],
        &[("root", SET, None)],
        &[("root", SET, Some("INFO")), ("root", SET, Some("WARN"))],
    ] {
        let request = change(BROKER_LOGGER, "0", changes).with_validate_only(true);
        pair.ask(&format!("IncrementalAlterConfigs of loggers, only checked {changes:?}"), 1, &request).await;
        pair.ask(
            &format!("IncrementalAlterConfigs of loggers {changes:?}"),
            1,
            &change(BROKER_LOGGER, "0", changes),
        )
        .await;
    }
    for name in ["", "1", "x"] {
        let request = change(BROKER_LOGGER, name, &[("root", SET, Some("INFO"))]);
        pair.ask(&format!("IncrementalAlterConfigs of logger {name:?}"), 1, &request).await;
    }
    pair.ask("AlterConfigs of loggers", 2, &replace(BROKER_LOGGER, "0", &[("root", Some("INFO"))])).await;
    pair.look(
        "DescribeConfigs of root's level again",
        4,
        &describe(&[(BROKER_LOGGER, "0")], Some(&["root"])),
        "INFO",
    )
    .await;
}
