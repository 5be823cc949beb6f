//! IncrementalAlterConfigs (44), versions 0 and 1 (`handleIncrementalAlterConfigsRequest`): changes single keys.

use std::collections::HashMap;

use kafka_protocol::messages::incremental_alter_configs_request::AlterConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};
use kafka_protocol::protocol::StrBytes;

use crate::broker::Broker;
use crate::config_admin::{AlterConfigsError, AlterOperation, ConfigChange, ConfigResource};
use crate::error_code::KafkaError;

/// Changes each resource's configuration.
pub async fn handle(
    broker: &Broker,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let mut counts: HashMap<(i8, &str), usize> = HashMap::new();
    for resource in &request.resources {
        *counts.entry((resource.resource_type, resource.resource_name.as_str())).or_default() += 1;
    }
    let mut responses = Vec::with_capacity(request.resources.len());
    for resource in &request.resources {
        let twice = counts[&(resource.resource_type, resource.resource_name.as_str())] > 1;
        let changed = match twice {
            true => Err(AlterConfigsError::Invalid("Each resource must appear at most once.".to_owned())),
            false => change(broker, resource, request.validate_only).await,
        };
        let response = match changed {
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
    IncrementalAlterConfigsResponse::default().with_responses(responses)
}

async fn change(
    broker: &Broker,
    resource: &AlterConfigsResource,
    validate_only: bool,
) -> Result<(), AlterConfigsError> {
    let parsed = ConfigResource::parse(resource.resource_type, resource.resource_name.as_str())
        .map_err(AlterConfigsError::Invalid)?;
    let mut changes = Vec::with_capacity(resource.configs.len());
    for config in &resource.configs {
        let Some(operation) = AlterOperation::from_wire(config.config_operation) else {
            return Err(AlterConfigsError::Invalid(format!(
                "Unknown operation type {} for config {}",
                config.config_operation,
                config.name.as_str()
            )));
        };
        let value = config.value.as_ref().map(|value| value.as_str().to_owned());
        changes.push(ConfigChange { name: config.name.as_str().to_owned(), operation, value });
    }
    broker.config_admin.change(&broker.metadata.snapshot(), &parsed, &changes, validate_only).await
}
