//! AlterClientQuotas (49), versions 0 and 1 (`handleAlterClientQuotasRequest`). Version 1: flexible.

use gregor_wire::convert::text;
use indexmap::IndexMap;
use kafka_protocol::messages::alter_client_quotas_request::EntryData;
use kafka_protocol::messages::alter_client_quotas_response::{EntityData, EntryData as EntryAnswer};
use kafka_protocol::messages::{AlterClientQuotasRequest, AlterClientQuotasResponse};

use crate::broker::Broker;
use crate::error_code::KafkaError;
use crate::quota_admin::{QuotaChange, QuotaEntity, QuotaError};

/// The parts of an entity, each type once.
type Parts<'a> = IndexMap<&'a str, Option<&'a str>>;

/// Changes the quotas of each entity.
pub async fn handle(broker: &Broker, request: &AlterClientQuotasRequest) -> AlterClientQuotasResponse {
    // Of an entity that is named twice the last outcome is told, in the place of the first.
    let mut answers: IndexMap<Vec<(&str, Option<&str>)>, EntryAnswer> = IndexMap::new();
    for entry in &request.entries {
        let parts: Parts<'_> = entry
            .entity
            .iter()
            .map(|part| (part.entity_type.as_str(), part.entity_name.as_deref()))
            .collect();
        let answer = match alter(broker, &parts, entry, request.validate_only).await {
            Ok(()) => EntryAnswer::default().with_error_message(None),
            Err(error) => EntryAnswer::default()
                .with_error_code(error.kafka_error().code())
                .with_error_message(Some(text(&error.to_string()))),
        };
        let entity = parts.iter().map(|(entity_type, name)| {
            EntityData::default().with_entity_type(text(entity_type)).with_entity_name(name.map(text))
        });
        let answer = answer.with_entity(entity.collect());
        let mut named: Vec<_> = parts.into_iter().collect();
        named.sort_unstable();
        answers.insert(named, answer);
    }
    AlterClientQuotasResponse::default().with_entries(answers.into_values().collect())
}

async fn alter(
    broker: &Broker,
    parts: &Parts<'_>,
    entry: &EntryData,
    validate_only: bool,
) -> Result<(), QuotaError> {
    let entity = QuotaEntity::parse(parts.iter().map(|(entity_type, name)| (*entity_type, *name)))?;
    let changes = entry
        .ops
        .iter()
        .map(|op| QuotaChange { key: op.key.to_string(), value: (!op.remove).then_some(op.value) });
    broker.quota_admin.alter(&entity, &changes.collect::<Vec<_>>(), validate_only).await
}
