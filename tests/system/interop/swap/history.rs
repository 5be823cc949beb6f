//! What the cluster holds before its brokers change hands: every codec, a compacted topic, dynamic configs.

use anyhow::{Context as _, Result, ensure};
use gregor_harness::cluster::SETTLE;
use gregor_harness::rpc::Rpc;
use gregor_harness::{Cluster, wait};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::{DescribeConfigsRequest, IncrementalAlterConfigsRequest};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;

const CODECS: &str = "codecs";
const TABLE: &str = "table";
/// Lines by each codec.
const LINES: usize = 500;
const KEYS: usize = 40;
const ROUNDS: usize = 60;

/// What it is in.
pub const TOPICS: [super::Extent; 2] = [(CODECS, 1, 3), (TABLE, 1, 3)];

const TOPIC_RESOURCE: i8 = 2;
const BROKER_RESOURCE: i8 = 4;
const SET: i8 = 0;
const DELETE: i8 = 1;

/// Resource type, resource name, key and value.
const CONFIGS: [(i8, &str, &str, &str); 3] = [
    (TOPIC_RESOURCE, CODECS, "retention.ms", "604800001"),
    (BROKER_RESOURCE, "", "message.max.bytes", "1500000"),
    (BROKER_RESOURCE, "1", "background.threads", "7"),
];

/// What was written.
pub struct History {
    codecs: String,
    table: BTreeMap<String, String>,
}

impl History {
    /// Writes it.
    pub async fn write(cluster: &Cluster) -> Result<History> {
        cluster.create_topic(CODECS, 1, 3).await?;
        let compacted = [
            ("cleanup.policy", "compact"),
            ("min.cleanable.dirty.ratio", "0.01"),
            ("segment.bytes", "16384"),
        ];
        cluster.create_topic_with(TABLE, 1, 3, &compacted).await?;
        let kcat = cluster.kcat();
        let mut codecs = String::new();
        for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
            let lines: String = (0..LINES).map(|line| format!("{codec} line {line}\n")).collect();
            kcat.produce(CODECS, &["-p", "0", "-z", codec, "-X", "acks=all"], &lines).await?;
            codecs.push_str(&lines);
        }
        let mut table = BTreeMap::new();
        let mut updates = String::new();
        for (round, key) in (0..ROUNDS).flat_map(|round| (0..KEYS).map(move |key| (round, key))) {
            let (key, value) = (format!("key {key}"), format!("value {round} of {key}"));
            updates.push_str(&format!("{key}={value}\n"));
            table.insert(key, value);
        }
        kcat.produce(
            TABLE,
            &["-p", "0", "-K", "=", "-X", "acks=all", "-X", "batch.num.messages=100"],
            &updates,
        )
        .await?;
        for (kind, name, key, value) in CONFIGS {
            set_config(cluster, kind, name, key, Some(value)).await?;
        }
        Ok(History { codecs, table })
    }

    /// Fails unless all of it is still there.
    pub async fn check(&self, cluster: &Cluster) -> Result<()> {
        let kcat = cluster.kcat();
        let read = kcat.consume(CODECS, &["-p", "0"]).await?;
        ensure!(read == self.codecs, "{CODECS}: {} bytes, {} were written", read.len(), self.codecs.len());
        let read = kcat.consume(TABLE, &["-p", "0", "-f", "%k=%s\n"]).await?;
        let mut table = BTreeMap::new();
        for (key, value) in read.lines().filter_map(|line| line.split_once('=')) {
            table.insert(key.to_owned(), value.to_owned());
        }
        ensure!(table == self.table, "{TABLE} holds {table:?}");
        for (kind, name, key, value) in CONFIGS {
            let found = config(cluster, kind, name, key).await?;
            ensure!(found.as_deref() == Some(value), "{key} of {kind} {name:?} is {found:?}, not {value}");
        }
        Ok(())
    }
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// The broker to ask about a resource: a broker about itself, and any about the rest.
fn address(cluster: &Cluster, kind: i8, name: &str) -> Result<String> {
    let named =
        cluster.brokers.iter().find(|broker| kind == BROKER_RESOURCE && broker.id().to_string() == name);
    Ok(named.or(cluster.brokers.first()).context("no broker")?.address())
}

/// Sets a config, or (without a value) removes it.
pub async fn set_config(
    cluster: &Cluster,
    kind: i8,
    name: &str,
    key: &str,
    value: Option<&str>,
) -> Result<()> {
    let config = AlterableConfig::default()
        .with_name(text(key))
        .with_config_operation(if value.is_some() { SET } else { DELETE })
        .with_value(value.map(text));
    let resource = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    let address = address(cluster, kind, name)?;
    wait::until_true(&format!("{key} of {name:?} to be set"), SETTLE, || async {
        let answer = Rpc::connect(&address).await?.call(1, &request).await?;
        let refused = answer.responses.iter().find(|response| response.error_code != 0);
        ensure!(refused.is_none(), "{refused:?}");
        Ok(true)
    })
    .await
}

/// Sets a config of a topic, or removes it.
pub async fn set_topic_config(cluster: &Cluster, topic: &str, key: &str, value: Option<&str>) -> Result<()> {
    set_config(cluster, TOPIC_RESOURCE, topic, key, value).await
}

/// Sets a dynamic config of every broker, or removes it.
pub async fn set_default_config(cluster: &Cluster, key: &str, value: Option<&str>) -> Result<()> {
    set_config(cluster, BROKER_RESOURCE, "", key, value).await
}

/// What a config is.
async fn config(cluster: &Cluster, kind: i8, name: &str, key: &str) -> Result<Option<String>> {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configuration_keys(Some(vec![text(key)]));
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
    let answer = Rpc::connect(&address(cluster, kind, name)?).await?.call(4, &request).await?;
    let result = answer.results.into_iter().next().context("an empty answer to DescribeConfigs")?;
    ensure!(result.error_code == 0, "{result:?}");
    Ok(result.configs.into_iter().next().and_then(|config| config.value).map(|value| value.to_string()))
}
