//! What AlterConfigs and IncrementalAlterConfigs have in common: each resource on its own, none twice.

use std::collections::HashMap;

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;

use crate::broker::Broker;
use crate::config_admin::{AlterConfigsError, Alteration};
use crate::error_code::KafkaError;

/// A resource of such a request.
pub struct AlteredResource<'a> {
    /// Its type's id.
    pub resource_type: i8,
    /// Its name.
    pub name: &'a str,
    /// What is wanted of it.
    pub alteration: Alteration,
}

/// What became of it.
pub struct Outcome {
    /// 0, or an error.
    pub error_code: i16,
    /// The error's message.
    pub error_message: Option<StrBytes>,
}

/// Alters the resources in order.
pub async fn alter(broker: &Broker, resources: &[AlteredResource<'_>], validate_only: bool) -> Vec<Outcome> {
    let named = |resource: &AlteredResource<'_>| (resource.resource_type, resource.name.to_owned());
    let mut counts: HashMap<(i8, String), usize> = HashMap::new();
    for resource in resources {
        *counts.entry(named(resource)).or_default() += 1;
    }
    let snapshot = broker.metadata.snapshot();
    let mut outcomes = Vec::with_capacity(resources.len());
    for resource in resources {
        let altered = if counts.get(&named(resource)).is_some_and(|count| *count > 1) {
            Err(AlterConfigsError::Invalid("Each resource must appear at most once.".to_owned()))
        } else {
            let name = (resource.resource_type, resource.name);
            broker.config_admin.alter(&snapshot, name, &resource.alteration, validate_only).await
        };
        outcomes.push(match altered {
            Ok(()) => Outcome { error_code: 0, error_message: None },
            Err(error) => Outcome { error_code: error.kafka_error().code(), error_message: message(&error) },
        });
    }
    outcomes
}

/// An unknown server error is answered without its reason (`ApiError.fromThrowable`); the log has it.
fn message(error: &AlterConfigsError) -> Option<StrBytes> {
    if error.kafka_error() == ResponseError::UnknownServerError {
        tracing::error!(%error, "a configuration was not altered");
        return None;
    }
    Some(StrBytes::from_string(error.to_string()))
}
