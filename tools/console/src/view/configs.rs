//! Configuration entries of a topic or broker (DescribeConfigs).

use kafka_protocol::messages::DescribeConfigsRequest;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use kafka_protocol::protocol::{StrBytes, VersionRange};
use serde::Serialize;

use super::check;
use crate::ConsoleError;
use crate::cluster::{Broker, Cluster};

/// `ConfigResource.Type.TOPIC`.
pub(crate) const TOPIC: i8 = 2;
/// `ConfigResource.Type.BROKER`.
pub(crate) const BROKER: i8 = 4;

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConfigEntry {
    name: String,
    /// Never that of a sensitive entry.
    value: Option<String>,
    source: &'static str,
    is_default: bool,
    sensitive: bool,
}

/// The entries of one resource, by name.
pub(crate) async fn of_resource(
    cluster: &Cluster,
    broker: &Broker,
    resource_type: i8,
    name: &str,
) -> Result<Vec<ConfigEntry>, ConsoleError> {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(resource_type)
        .with_resource_name(StrBytes::from_string(name.to_owned()))
        .with_configuration_keys(None);
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
    let answer = cluster.ask(broker, request, VersionRange { min: 1, max: 4 }).await?;
    let mut entries = Vec::new();
    for result in &answer.results {
        check("DescribeConfigs", result.error_code)?;
        entries.extend(result.configs.iter().map(entry));
    }
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(entries)
}

fn entry(config: &DescribeConfigsResourceResult) -> ConfigEntry {
    let (source, is_default) = match config.config_source {
        1 => ("topic", false),
        2 => ("broker, dynamic", false),
        3 => ("cluster, dynamic", false),
        4 => ("server.properties", false),
        5 => ("default", true),
        6 => ("logger", false),
        7 => ("client metrics", false),
        8 => ("group", false),
        _ => ("unknown", false),
    };
    ConfigEntry {
        name: config.name.to_string(),
        value: config.value.as_ref().filter(|_| !config.is_sensitive).map(ToString::to_string),
        source,
        is_default,
        sensitive: config.is_sensitive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sensitive_value_is_not_shown() {
        let config = DescribeConfigsResourceResult::default()
            .with_name(StrBytes::from_static_str("ssl.key.password"))
            .with_value(Some(StrBytes::from_static_str("hunter2")))
            .with_config_source(4)
            .with_is_sensitive(true);
        assert_eq!(entry(&config).value, None);
        assert_eq!(entry(&config.clone().with_is_sensitive(false)).value.as_deref(), Some("hunter2"));
        assert!(entry(&config.with_config_source(5)).is_default);
    }
}
