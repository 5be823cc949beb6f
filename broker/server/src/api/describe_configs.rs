//! DescribeConfigs (32), versions 0 to 4 (`handleDescribeConfigsRequest`). Version 1: synonyms. 3: types, documentation.
//! 4: flexible.

use std::collections::HashSet;

use gregor_wire::convert::text;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use kafka_protocol::protocol::StrBytes;

use crate::broker::Broker;
use crate::config_admin::{ConfigResource, DescribeError, DescribeOptions, DescribedConfig};
use crate::error_code::KafkaError;
use crate::request_context::RequestContext;

/// Describes each resource.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let options = DescribeOptions {
        synonyms: request.include_synonyms,
        documentation: request.include_documentation && context.version >= 3,
    };
    if request.resources.iter().any(|resource| !ConfigResource::is_known_type(resource.resource_type)) {
        return refuse_all(&request);
    }
    let mut results = Vec::with_capacity(request.resources.len());
    for resource in &request.resources {
        let result = match describe(broker, resource, options).await {
            Ok(configs) => DescribeConfigsResult::default()
                .with_configs(configs.into_iter().map(|config| entry(context.version, config)).collect()),
            Err(error) => DescribeConfigsResult::default()
                .with_error_code(error.kafka_error().code())
                .with_error_message(Some(StrBytes::from_string(error.to_string()))),
        };
        let result = result
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone());
        results.push(result);
    }
    DescribeConfigsResponse::default().with_results(results)
}

/// What Kafka says to a whole request that names a resource of a type it has not.
fn refuse_all(request: &DescribeConfigsRequest) -> DescribeConfigsResponse {
    const MESSAGE: &str = "This most likely occurs because of a request being malformed by the client library or the message was sent to an incompatible broker. See the broker logs for more details.";
    let refused = request.resources.iter().map(|resource| {
        DescribeConfigsResult::default()
            .with_error_code(ResponseError::InvalidRequest.code())
            .with_error_message(Some(text(MESSAGE)))
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone())
    });
    DescribeConfigsResponse::default().with_results(refused.collect())
}

async fn describe(
    broker: &Broker,
    resource: &DescribeConfigsResource,
    options: DescribeOptions,
) -> Result<Vec<DescribedConfig>, DescribeError> {
    let parsed = ConfigResource::parse(resource.resource_type, resource.resource_name.as_str())
        .map_err(DescribeError::Invalid)?;
    let keys: Option<HashSet<String>> = resource
        .configuration_keys
        .as_ref()
        // Kafka takes an empty list for all keys, as old clients send it.
        .filter(|keys| !keys.is_empty())
        .map(|keys| keys.iter().map(|key| key.as_str().to_owned()).collect());
    broker.config_admin.describe(&broker.metadata.snapshot(), &parsed, keys.as_ref(), options).await
}

fn entry(version: i16, config: DescribedConfig) -> DescribeConfigsResourceResult {
    let synonyms = config.synonyms.into_iter().map(|synonym| {
        DescribeConfigsSynonym::default()
            .with_name(text(&synonym.name))
            .with_value(synonym.value.map(StrBytes::from_string))
            .with_source(synonym.source.wire_id())
    });
    let entry = DescribeConfigsResourceResult::default()
        .with_name(text(&config.name))
        .with_value(config.value.map(StrBytes::from_string))
        .with_read_only(config.read_only)
        .with_is_sensitive(config.sensitive);
    if version == 0 {
        // `is_default` stays false: 3.9 never sets it.
        return entry;
    }
    let entry = entry.with_config_source(config.source.wire_id()).with_synonyms(synonyms.collect());
    if version < 3 {
        return entry;
    }
    entry.with_config_type(config.type_id).with_documentation(config.documentation.map(StrBytes::from_string))
}
