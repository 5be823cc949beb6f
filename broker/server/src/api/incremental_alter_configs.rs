//! IncrementalAlterConfigs (44), versions 0 and 1 (`handleIncrementalAlterConfigsRequest`): changes single keys.

use kafka_protocol::messages::incremental_alter_configs_request::AlterConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use super::altered_resources::{self, AlteredResource};
use crate::broker::Broker;
use crate::config_admin::{AlterOperation, Alteration, ConfigChange};

/// Changes each resource's configuration.
pub async fn handle(
    broker: &Broker,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let resources: Vec<AlteredResource<'_>> = request.resources.iter().map(changes).collect();
    let outcomes = altered_resources::alter(broker, &resources, request.validate_only).await;
    let responses = request.resources.iter().zip(outcomes).map(|(resource, outcome)| {
        AlterConfigsResourceResponse::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone())
            .with_error_code(outcome.error_code)
            .with_error_message(outcome.error_message)
    });
    IncrementalAlterConfigsResponse::default().with_responses(responses.collect())
}

fn changes(resource: &AlterConfigsResource) -> AlteredResource<'_> {
    let changes = resource.configs.iter().map(|config| ConfigChange {
        name: config.name.as_str().to_owned(),
        operation: AlterOperation::from_wire(config.config_operation),
        value: config.value.as_ref().map(|value| value.as_str().to_owned()),
    });
    AlteredResource {
        resource_type: resource.resource_type,
        name: resource.resource_name.as_str(),
        alteration: Alteration::Change(changes.collect()),
    }
}
