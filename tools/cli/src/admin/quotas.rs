//! Quotas of users, clients and addresses.

use kafka_protocol::messages::alter_client_quotas_request::{
    EntityData as AlteredEntity, EntryData as Alteration, OpData,
};
use kafka_protocol::messages::describe_client_quotas_request::ComponentData;
use kafka_protocol::messages::{AlterClientQuotasRequest, ApiKey, DescribeClientQuotasRequest};

use super::{Admin, AdminError, Target, text};

/// Whose quotas a component of a filter means (`ClientQuotaFilterComponent`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuotaMatch {
    /// One name.
    Name(String),
    /// Those that have no quotas of their own.
    Default,
    /// All.
    Any,
}

/// Parts of an entity with quotas: the type (`user`, `client-id`, `ip`), and the name or None for the default.
pub type QuotaEntity = Vec<(String, Option<String>)>;

/// An entity and its quotas.
pub type EntityQuotas = (QuotaEntity, Vec<(String, f64)>);

impl Admin {
    /// The quotas of entities that have exactly these components.
    pub async fn describe_quotas(
        &mut self,
        components: &[(&str, QuotaMatch)],
    ) -> Result<Vec<EntityQuotas>, AdminError> {
        let components = components.iter().map(|(entity_type, wanted)| {
            let component = ComponentData::default().with_entity_type(text(entity_type));
            match wanted {
                QuotaMatch::Name(name) => component.with_match_type(0).with_match(Some(text(name))),
                QuotaMatch::Default => component.with_match_type(1).with_match(None),
                QuotaMatch::Any => component.with_match_type(2).with_match(None),
            }
        });
        let request =
            DescribeClientQuotasRequest::default().with_components(components.collect()).with_strict(true);
        let build = |_| request.clone();
        let answer = self
            .call("describeClientQuotas", ApiKey::DescribeClientQuotas, Target::Any, build, |answer| {
                answer.error_code
            })
            .await?;
        AdminError::check(answer.error_code, answer.error_message.as_deref())?;
        let entries = answer.entries.iter().flatten().map(|entry| {
            let entity = entry.entity.iter().map(|part| {
                (part.entity_type.to_string(), part.entity_name.as_ref().map(ToString::to_string))
            });
            let quotas = entry.values.iter().map(|value| (value.key.to_string(), value.value));
            (entity.collect(), quotas.collect())
        });
        Ok(entries.collect())
    }

    /// Sets quotas of an entity, or deletes them where there is no value.
    pub async fn alter_quotas(
        &mut self,
        entity: &[(&str, Option<&str>)],
        changes: &[(String, Option<f64>)],
    ) -> Result<(), AdminError> {
        let entity = entity.iter().map(|(entity_type, name)| {
            AlteredEntity::default().with_entity_type(text(entity_type)).with_entity_name(name.map(text))
        });
        let changes = changes.iter().map(|(key, value)| {
            let change = OpData::default().with_key(text(key)).with_remove(value.is_none());
            change.with_value(value.unwrap_or_default())
        });
        let alteration = Alteration::default().with_entity(entity.collect()).with_ops(changes.collect());
        let request = AlterClientQuotasRequest::default().with_entries(vec![alteration]);
        let build = |_| request.clone();
        let answer = self
            .call("alterClientQuotas", ApiKey::AlterClientQuotas, Target::Any, build, |answer| {
                answer.entries.first().map_or(0, |entry| entry.error_code)
            })
            .await?;
        answer
            .entries
            .iter()
            .try_for_each(|entry| AdminError::check(entry.error_code, entry.error_message.as_deref()))
    }
}
