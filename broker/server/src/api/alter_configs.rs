//! AlterConfigs (33), versions 0 to 2 (`handleAlterConfigsRequest`): replaces a resource's whole configuration.

use std::collections::HashMap;

use gregor_zookeeper::schema::config::Configs;
use kafka_protocol::messages::alter_configs_request::AlterConfigsResource;
use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{AlterConfigsRequest, AlterConfigsResponse};
use kafka_protocol::protocol::StrBytes;

use crate::broker::Broker;
use crate::config_admin::{AlterConfigsError, ConfigResource};
use crate::error_code::KafkaError;

/// Replaces each resource's configuration.
pub async fn handle(broker: &Broker, request: AlterConfigsRequest) -> AlterConfigsResponse {
    let mut counts: HashMap<(i8, &str), usize> = HashMap::new();
    for resource in &request.resources {
        *counts.entry((resource.resource_type, resource.resource_name.as_str())).or_default() += 1;
    }
    let mut responses = Vec::with_capacity(request.resources.len());
    for resource in &request.resources {
        let twice = counts[&(resource.resource_type, resource.resource_name.as_str())] > 1;
        let replaced = match twice {
            true => Err(AlterConfigsError::Invalid("Each resource must appear at most once.".to_owned())),
            false => replace(broker, resource, request.validate_only).await,
        };
        let response = match replaced {
            Ok(()) => AlterConfigsResourceResponse::default(),
            Err(error) => AlterConfigsResourceResponse::default()
                .with_error_code(error.kafka_error().code())
                .with_error_message(Some(StrBytes::from_string(error.to_string()))),
        };
        let response = response
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone());
        responses.push(response);
    }
    AlterConfigsResponse::default().with_responses(responses)
}

async fn replace(
    broker: &Broker,
    resource: &AlterConfigsResource,
    validate_only: bool,
) -> Result<(), AlterConfigsError> {
    let parsed = ConfigResource::parse(resource.resource_type, resource.resource_name.as_str())
        .map_err(AlterConfigsError::Invalid)?;
    let mut configs = Configs::new();
    for config in &resource.configs {
        let name = config.name.as_str();
        let Some(value) = &config.value else {
            return Err(AlterConfigsError::Invalid(format!("Null value not supported for : {name}")));
        };
        if configs.insert(name.to_owned(), value.as_str().to_owned()).is_some() {
            return Err(AlterConfigsError::Invalid(format!("Error due to duplicate config keys : {name}")));
        }
    }
    broker.config_admin.replace(&broker.metadata.snapshot(), &parsed, configs, validate_only).await
}
