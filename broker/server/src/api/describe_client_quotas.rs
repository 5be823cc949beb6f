//! DescribeClientQuotas (48), versions 0 and 1 (`handleDescribeClientQuotasRequest`). Version 1: flexible.

use gregor_wire::convert::text;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_client_quotas_response::{EntityData, EntryData, ValueData};
use kafka_protocol::messages::{DescribeClientQuotasRequest, DescribeClientQuotasResponse};

use crate::broker::Broker;
use crate::error_code::KafkaError;
use crate::quota_admin::{QuotaEntity, QuotaError, QuotaFilter, Wanted};

/// Tells the quotas of the entities asked for.
pub async fn handle(broker: &Broker, request: &DescribeClientQuotasRequest) -> DescribeClientQuotasResponse {
    match describe(broker, request).await {
        // Kafka leaves the message empty, which is not the same as none.
        Ok(entries) => DescribeClientQuotasResponse::default()
            .with_error_message(Some(text("")))
            .with_entries(Some(entries)),
        Err(error) => {
            tracing::info!(%error, "client quotas cannot be told");
            // An unknown server error is answered without its reason (`ApiError.fromThrowable`).
            let is_known = error.kafka_error() != ResponseError::UnknownServerError;
            DescribeClientQuotasResponse::default()
                .with_error_code(error.kafka_error().code())
                .with_error_message(is_known.then(|| text(&error.to_string())))
                .with_entries(None)
        }
    }
}

async fn describe(
    broker: &Broker,
    request: &DescribeClientQuotasRequest,
) -> Result<Vec<EntryData>, QuotaError> {
    let mut parts = Vec::with_capacity(request.components.len());
    for component in &request.components {
        let wanted = Wanted::parse(component.match_type, component._match.as_deref())?;
        parts.push((component.entity_type.as_str(), wanted));
    }
    let filter = QuotaFilter::parse(parts, request.strict)?;
    let described = broker.quota_admin.describe(&filter).await?;
    let entries = described.into_iter().map(|(entity, quotas)| {
        let values = quotas
            .into_iter()
            .map(|(key, value)| ValueData::default().with_key(text(&key)).with_value(value));
        EntryData::default().with_entity(wire_entity(&entity)).with_values(values.collect())
    });
    Ok(entries.collect())
}

fn wire_entity(entity: &QuotaEntity) -> Vec<EntityData> {
    let part = |(entity_type, name): (&str, Option<&str>)| {
        EntityData::default().with_entity_type(text(entity_type)).with_entity_name(name.map(text))
    };
    entity.parts().map(part).collect()
}
