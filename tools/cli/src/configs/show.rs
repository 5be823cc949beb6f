//! The lines of `gregor configs --describe`, and the same as JSON. Pure.

use serde_json::{Value, json};

use super::entity::EntityType;
use crate::admin::configs::{ConfigEntry, source_name};
use crate::admin::quotas::EntityQuotas;
use crate::java_map::{DEFAULT_CAPACITY, sort_as_hash_map, sort_quota_entities_as_hash_map};

/// The heading of an entity's configs.
pub fn heading(kind: EntityType, name: &str, all: bool) -> String {
    match name {
        "" => format!("Default configs for {} in the cluster are:\n", kind.name()),
        name => {
            format!("{} configs for {} {name} are:\n", if all { "All" } else { "Dynamic" }, kind.singular())
        }
    }
}

/// The configs of an entity that are shown: those from `source`, or all; by name.
pub fn chosen(mut entries: Vec<ConfigEntry>, source: Option<i8>) -> Vec<ConfigEntry> {
    entries.retain(|entry| source.is_none_or(|source| entry.source == source));
    entries.sort_by(|a, b| a.name.encode_utf16().cmp(b.name.encode_utf16()));
    entries
}

/// A line per config.
pub fn lines(entries: &[ConfigEntry]) -> String {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "null".to_owned());
    let line = |entry: &ConfigEntry| {
        let synonyms: Vec<String> = entry
            .synonyms
            .iter()
            .map(|one| format!("{}:{}={}", source_name(one.source), one.name, value(&one.value)))
            .collect();
        let ConfigEntry { name, is_sensitive, .. } = entry;
        let synonyms = synonyms.join(", ");
        format!("  {name}={} sensitive={is_sensitive} synonyms={{{synonyms}}}\n", value(&entry.value))
    };
    entries.iter().map(line).collect()
}

/// The configs of an entity as JSON.
pub fn json_configs(kind: EntityType, name: &str, entries: &[ConfigEntry]) -> Value {
    let entry = |entry: &ConfigEntry| {
        let synonyms = entry.synonyms.iter().map(|synonym| {
            json!({ "name": synonym.name, "value": synonym.value, "source": source_name(synonym.source) })
        });
        json!({
            "name": entry.name,
            "value": entry.value,
            "source": source_name(entry.source),
            "isSensitive": entry.is_sensitive,
            "synonyms": synonyms.collect::<Vec<_>>(),
        })
    };
    json!({
        "entityType": kind.name(),
        "entityName": (!name.is_empty()).then_some(name),
        "configs": entries.iter().map(entry).collect::<Vec<_>>(),
    })
}

/// A line per entity with quotas.
pub fn quotas(mut entities: Vec<EntityQuotas>) -> String {
    sort_quota_entities_as_hash_map(&mut entities);
    let line = |(entity, quotas): &EntityQuotas| {
        let part = |wanted: &str, called: &str| {
            let found = entity.iter().find(|(entity_type, _)| entity_type == wanted);
            found.map(|(_, name)| match name {
                Some(name) => format!("{called} '{name}'"),
                None => format!("the default {called}"),
            })
        };
        let parts = [part("user", "user-principal"), part("client-id", "client-id"), part("ip", "ip")];
        let entity: Vec<String> = parts.into_iter().flatten().collect();
        let mut quotas: Vec<&(String, f64)> = quotas.iter().collect();
        let capacity = quotas.len().max(1);
        sort_as_hash_map(&mut quotas, capacity, |(key, _)| key);
        let quotas: Vec<String> =
            quotas.iter().map(|(key, value)| format!("{key}={}", java_double(*value))).collect();
        format!("Quota configs for {} are {}\n", entity.join(", "), quotas.join(", "))
    };
    entities.iter().map(line).collect()
}

/// The quotas of entities as JSON.
pub fn json_quotas(entities: &[EntityQuotas]) -> Value {
    let entry = |(entity, quotas): &EntityQuotas| {
        let entity = entity.iter().map(|(kind, name)| (kind.clone(), json!(name)));
        let quotas = quotas.iter().map(|(key, value)| (key.clone(), json!(value)));
        json!({
            "entity": entity.collect::<serde_json::Map<_, _>>(),
            "quotas": quotas.collect::<serde_json::Map<_, _>>(),
        })
    };
    Value::Array(entities.iter().map(entry).collect())
}

/// A number as Java's `Double.toString` has it.
fn java_double(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || (1e-3..1e7).contains(&size) || !value.is_finite() {
        return match value {
            _ if value.is_nan() => "NaN".to_owned(),
            _ if value.is_infinite() => if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
            _ => format!("{value:?}"),
        };
    }
    let text = format!("{value:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

/// Which capacity Java's maps of topics have, for listing all of them.
pub fn sort_topics(names: &mut [String]) {
    sort_as_hash_map(names, DEFAULT_CAPACITY, |name| name);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::configs::ConfigSynonym;

    #[test]
    fn configs() {
        let entry = |name: &str, value: Option<&str>, source| ConfigEntry {
            name: name.to_owned(),
            value: value.map(str::to_owned),
            source,
            is_sensitive: value.is_none(),
            synonyms: vec![ConfigSynonym { name: name.to_owned(), value: value.map(str::to_owned), source }],
            ..ConfigEntry::default()
        };
        let all = vec![entry("z", Some("1"), 1), entry("a", None, 1), entry("b", Some("2"), 5)];
        let own = chosen(all.clone(), Some(1));
        assert_eq!(
            lines(&own),
            "  a=null sensitive=true synonyms={DYNAMIC_TOPIC_CONFIG:a=null}\n  \
             z=1 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:z=1}\n"
        );
        assert_eq!(chosen(all, None).len(), 3);
        assert_eq!(heading(EntityType::Topics, "t", false), "Dynamic configs for topic t are:\n");
        assert_eq!(
            heading(EntityType::Brokers, "", false),
            "Default configs for brokers in the cluster are:\n"
        );
        assert_eq!(heading(EntityType::Brokers, "1", true), "All configs for broker 1 are:\n");
        assert_eq!(json_configs(EntityType::Topics, "t", &own)["configs"][1]["value"], "1");
    }

    #[test]
    fn numbers_are_javas() {
        for (value, expected) in [
            (1024.0, "1024.0"),
            (0.5, "0.5"),
            (0.0, "0.0"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (12_345_678.0, "1.2345678E7"),
            (0.0001, "1.0E-4"),
            (-2e10, "-2.0E10"),
            (f64::INFINITY, "Infinity"),
        ] {
            assert_eq!(java_double(value), expected);
        }
    }

    #[test]
    fn quota_lines() {
        let entity = vec![("user".to_owned(), Some("alice".to_owned())), ("client-id".to_owned(), None)];
        let entities = vec![(entity, vec![("producer_byte_rate".to_owned(), 1024.0)])];
        assert_eq!(json_quotas(&entities)[0]["quotas"]["producer_byte_rate"], 1024.0);
        assert_eq!(
            quotas(entities),
            "Quota configs for user-principal 'alice', the default client-id are producer_byte_rate=1024.0\n"
        );
    }
}
