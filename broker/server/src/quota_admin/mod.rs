//! Client quotas as they are stored in ZooKeeper (`ZkAdminManager.describeClientQuotas`, `alterClientQuotas`). Nothing here
//! enforces them: brokers read them from the same nodes when a change is announced.

mod entity;
mod filter;

use gregor_config::Value;
use gregor_controller_service::admin::{ConfigWriteError, change_configs};
use gregor_zookeeper::ZooKeeperError;
use gregor_zookeeper::schema::config::{Configs, EntityType};
use gregor_zookeeper::store::Store;

pub use entity::QuotaEntity;
pub use filter::{QuotaFilter, Wanted};

/// Why quotas were not told or changed; the texts are Kafka's.
#[derive(Debug, thiserror::Error)]
pub enum QuotaError {
    /// INVALID_REQUEST.
    #[error("{0}")]
    Invalid(String),
    /// UNKNOWN_SERVER_ERROR: what becomes of it in Kafka, which has no code for it.
    #[error("Unexpected match type: {0}")]
    UnknownMatch(i8),
    /// UNSUPPORTED_VERSION.
    #[error("Custom entity type '{0}' not supported")]
    UnsupportedType(String),
    /// UNKNOWN_SERVER_ERROR.
    #[error("Unexpected client quota configuration value: {key} -> {value}")]
    Stored {
        /// The quota.
        key: String,
        /// What ZooKeeper holds.
        value: String,
    },
    /// UNKNOWN_SERVER_ERROR.
    #[error(transparent)]
    ZooKeeper(#[from] ZooKeeperError),
    /// STALE_CONTROLLER_EPOCH, or UNKNOWN_SERVER_ERROR.
    #[error(transparent)]
    Write(#[from] ConfigWriteError),
}

/// One quota's change.
#[derive(Clone, Debug, PartialEq)]
pub struct QuotaChange {
    /// The quota: `producer_byte_rate` and so on.
    pub key: String,
    /// Its limit; `None` removes it.
    pub value: Option<f64>,
}

/// An entity's quotas by name.
pub type Quotas = Vec<(String, f64)>;

/// How a quota is stored (`QuotaConfigs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum QuotaType {
    Long,
    Double,
    Int,
}

const CLIENT_QUOTAS: &[(&str, QuotaType)] = &[
    ("producer_byte_rate", QuotaType::Long),
    ("consumer_byte_rate", QuotaType::Long),
    ("request_percentage", QuotaType::Double),
    ("controller_mutation_rate", QuotaType::Double),
];
const IP_QUOTAS: &[(&str, QuotaType)] = &[("connection_creation_rate", QuotaType::Int)];

/// How far a value may be from an integer to be one.
const EPSILON: f64 = 1e-6;

/// Reads and changes client quotas.
pub struct QuotaAdmin {
    store: Store,
}

impl QuotaAdmin {
    /// On what ZooKeeper holds.
    pub fn new(store: Store) -> QuotaAdmin {
        QuotaAdmin { store }
    }

    /// The quotas of every entity that the filter matches and that has some, in the order of the entities.
    pub async fn describe(&self, filter: &QuotaFilter) -> Result<Vec<(QuotaEntity, Quotas)>, QuotaError> {
        let mut nodes = self.store.entities(EntityType::Users).await?;
        let pairs = self.store.client_ids_of_users(&nodes).await?;
        nodes.extend(pairs);
        nodes.extend(self.store.entities(EntityType::Clients).await?);
        nodes.extend(self.store.entities(EntityType::Ips).await?);
        let wanted = |node: &_| QuotaEntity::of_node(node).is_some_and(|entity| filter.matches(&entity));
        nodes.retain(wanted);
        let stored = self.store.configs_of(&nodes).await?;
        let mut described = Vec::new();
        for (entity, configs) in nodes.iter().filter_map(QuotaEntity::of_node).zip(stored) {
            let quotas = quotas(&entity, &configs)?;
            if !quotas.is_empty() {
                described.push((entity, quotas));
            }
        }
        described.sort_by(|(first, _), (second, _)| first.cmp(second));
        Ok(described)
    }

    /// Changes the quotas of one entity.
    pub async fn alter(
        &self,
        entity: &QuotaEntity,
        changes: &[QuotaChange],
        validate_only: bool,
    ) -> Result<(), QuotaError> {
        if let Some(Some(address)) = &entity.ip
            && !is_address(address).await
        {
            let address = gregor_zookeeper::schema::config::sanitize(address);
            return Err(QuotaError::Invalid(format!("{address} is not a valid IP or resolvable host.")));
        }
        let node = entity.node();
        let mut configs = self.store.configs(&node).await?;
        for QuotaChange { key, value } in changes {
            match value {
                None => drop(configs.remove(key)),
                Some(value) => drop(configs.insert(key.clone(), stored_text(known(entity), key, *value)?)),
            }
        }
        if !validate_only {
            change_configs(&self.store, &node, &configs).await?;
            tracing::info!(entity = node.entity_path(), "client quotas changed by an administrator");
        }
        Ok(())
    }
}

/// The quotas that such entities have.
fn known(entity: &QuotaEntity) -> &'static [(&'static str, QuotaType)] {
    if entity.ip.is_some() { IP_QUOTAS } else { CLIENT_QUOTAS }
}

/// The quotas among what a node holds; users' nodes hold credentials, too.
fn quotas(entity: &QuotaEntity, configs: &Configs) -> Result<Quotas, QuotaError> {
    let known = known(entity);
    let stored = configs.iter().filter(|(key, _)| known.iter().any(|(name, _)| name == key));
    stored
        .map(|(key, value)| match value.trim().parse() {
            Ok(number) => Ok((key.clone(), number)),
            Err(_) => Err(QuotaError::Stored { key: key.clone(), value: value.clone() }),
        })
        .collect()
}

/// A limit as ZooKeeper holds it.
fn stored_text(known: &[(&str, QuotaType)], key: &str, value: f64) -> Result<String, QuotaError> {
    let Some((_, quota_type)) = known.iter().find(|(name, _)| *name == key) else {
        return Err(QuotaError::Invalid(format!("Invalid configuration key {key}")));
    };
    let integer = |number: f64, text: String, name: &str| {
        if (number - value).abs() > EPSILON {
            return Err(QuotaError::Invalid(format!("Configuration {key} must be a {name} value")));
        }
        Ok(text)
    };
    // These casts saturate, as Scala's do.
    let rounded = value + EPSILON;
    match quota_type {
        QuotaType::Double => Ok(Value::Double(value).to_string()),
        QuotaType::Long => integer(rounded as i64 as f64, (rounded as i64).to_string(), "LONG"),
        QuotaType::Int if rounded < 0.0 => Err(QuotaError::Invalid(format!(
            "Invalid value {value} for configuration {key}: Value must be at least 0"
        ))),
        QuotaType::Int => integer(f64::from(rounded as i32), (rounded as i32).to_string(), "INT"),
    }
}

/// Whether a text is an address, or a name that has one.
async fn is_address(text: &str) -> bool {
    tokio::net::lookup_host((text, 0)).await.is_ok_and(|mut addresses| addresses.next().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_stored_as_kafka_stores_them() {
        #[track_caller]
        fn check(known: &[(&str, QuotaType)], key: &str, value: f64, expected: Result<&str, &str>) {
            let stored = stored_text(known, key, value).map_err(|error| error.to_string());
            assert_eq!(stored, expected.map(str::to_owned).map_err(str::to_owned));
        }
        check(CLIENT_QUOTAS, "producer_byte_rate", 1000.0, Ok("1000"));
        check(CLIENT_QUOTAS, "producer_byte_rate", 999.9999999, Ok("1000"));
        check(CLIENT_QUOTAS, "request_percentage", 200.0, Ok("200.0"));
        check(CLIENT_QUOTAS, "controller_mutation_rate", 1e8, Ok("1.0E8"));
        check(
            CLIENT_QUOTAS,
            "consumer_byte_rate",
            0.5,
            Err("Configuration consumer_byte_rate must be a LONG value"),
        );
        check(
            CLIENT_QUOTAS,
            "connection_creation_rate",
            5.0,
            Err("Invalid configuration key connection_creation_rate"),
        );
        check(IP_QUOTAS, "connection_creation_rate", 5.0, Ok("5"));
        check(
            IP_QUOTAS,
            "connection_creation_rate",
            5.5,
            Err("Configuration connection_creation_rate must be a INT value"),
        );
        assert!(stored_text(IP_QUOTAS, "connection_creation_rate", -1.0).is_err());
    }

    #[test]
    fn credentials_are_no_quotas() {
        let entity = QuotaEntity { user: Some(None), ..QuotaEntity::default() };
        let configs = |value: &str| {
            Configs::from([
                ("SCRAM-SHA-256".to_owned(), "salt=...".to_owned()),
                ("producer_byte_rate".to_owned(), value.to_owned()),
            ])
        };
        let found = quotas(&entity, &configs("7")).ok();
        assert_eq!(found, Some(vec![("producer_byte_rate".to_owned(), 7.0)]));
        assert!(quotas(&entity, &configs("x")).is_err());
    }
}
