//! Who a client quota is for (`ClientQuotaEntity`), on the wire and in ZooKeeper. Pure.

use gregor_zookeeper::schema::config::{DEFAULT_ENTITY, Entity, EntityType, desanitize, sanitize};

use super::QuotaError;

/// The types' names on the wire.
pub const USER: &str = "user";
/// A client id.
pub const CLIENT_ID: &str = "client-id";
/// An IP address or host name.
pub const IP: &str = "ip";

/// A name; `None` is the default, for all that have no quota of their own.
pub type EntityName = Option<String>;

/// Who a quota is for: a user, a client id, both, or an address.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct QuotaEntity {
    /// The user.
    pub user: Option<EntityName>,
    /// The client id.
    pub client_id: Option<EntityName>,
    /// The address.
    pub ip: Option<EntityName>,
}

impl QuotaEntity {
    /// The entity that a request names, part by part; of a type named twice the last counts.
    pub fn parse<'a>(
        parts: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
    ) -> Result<QuotaEntity, QuotaError> {
        let mut entity = QuotaEntity::default();
        for (entity_type, name) in parts {
            let part = match entity_type {
                USER => &mut entity.user,
                CLIENT_ID => &mut entity.client_id,
                IP => &mut entity.ip,
                other => {
                    return Err(QuotaError::Invalid(format!("Unhandled client quota entity type: {other}")));
                }
            };
            *part = Some(name.map(str::to_owned));
            if name == Some("") {
                return Err(QuotaError::Invalid(format!("Empty {entity_type} not supported")));
            }
        }
        if entity == QuotaEntity::default() {
            return Err(QuotaError::Invalid("Invalid empty client quota entity".to_owned()));
        }
        if entity.ip.is_some() && (entity.user.is_some() || entity.client_id.is_some()) {
            return Err(QuotaError::Invalid(
                "Invalid quota entity combination, IP entity should not be used with user/client ID entity."
                    .to_owned(),
            ));
        }
        Ok(entity)
    }

    /// The parts with their types' names.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, Option<&str>)> {
        let parts = [(USER, &self.user), (CLIENT_ID, &self.client_id), (IP, &self.ip)];
        parts.into_iter().filter_map(|(entity_type, part)| Some((entity_type, part.as_ref()?.as_deref())))
    }

    /// The entity whose node holds the quotas.
    pub fn node(&self) -> Entity {
        let (entity_type, name) = match (&self.user, &self.client_id, &self.ip) {
            (Some(user), Some(client_id), _) => {
                (EntityType::Users, format!("{}/clients/{}", node_name(user), node_name(client_id)))
            }
            (Some(user), None, _) => (EntityType::Users, node_name(user)),
            (None, Some(client_id), _) => (EntityType::Clients, node_name(client_id)),
            (None, None, Some(ip)) => (EntityType::Ips, node_name(ip)),
            // `parse` lets no empty entity be.
            (None, None, None) => (EntityType::Clients, DEFAULT_ENTITY.to_owned()),
        };
        Entity { entity_type, name }
    }

    /// The entity of a node; `None` when it holds no quotas.
    pub fn of_node(node: &Entity) -> Option<QuotaEntity> {
        let mut entity = QuotaEntity::default();
        match (node.entity_type, node.name.split_once("/clients/")) {
            (EntityType::Users, Some((user, client_id))) => {
                entity.user = Some(entity_name(user)?);
                entity.client_id = Some(entity_name(client_id)?);
            }
            (EntityType::Users, None) => entity.user = Some(entity_name(&node.name)?),
            (EntityType::Clients, _) => entity.client_id = Some(entity_name(&node.name)?),
            (EntityType::Ips, _) => entity.ip = Some(entity_name(&node.name)?),
            (EntityType::Topics | EntityType::Brokers, _) => return None,
        }
        Some(entity)
    }
}

fn node_name(name: &EntityName) -> String {
    name.as_deref().map_or_else(|| DEFAULT_ENTITY.to_owned(), sanitize)
}

fn entity_name(node_name: &str) -> Option<EntityName> {
    if node_name == DEFAULT_ENTITY { Some(None) } else { desanitize(node_name).map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_and_their_nodes() {
        for (parts, path) in [
            (&[(USER, Some("a b"))][..], "users/a%20b"),
            (&[(USER, None)], "users/<default>"),
            (&[(CLIENT_ID, Some("c")), (USER, Some("u"))], "users/u/clients/c"),
            (&[(CLIENT_ID, None), (USER, None)], "users/<default>/clients/<default>"),
            (&[(CLIENT_ID, Some("*"))], "clients/%2A"),
            (&[(IP, Some("::1"))], "ips/%3A%3A1"),
        ] {
            let entity = QuotaEntity::parse(parts.iter().copied()).expect("an entity");
            assert_eq!(entity.node().entity_path(), path);
            assert_eq!(QuotaEntity::of_node(&entity.node()), Some(entity));
        }
    }

    #[test]
    fn what_is_no_entity() {
        for (parts, message) in [
            (&[][..], "Invalid empty client quota entity"),
            (&[("group", Some("g"))], "Unhandled client quota entity type: group"),
            (&[(USER, Some(""))], "Empty user not supported"),
            (
                &[(USER, Some("u")), (IP, None)],
                "Invalid quota entity combination, IP entity should not be used with user/client ID entity.",
            ),
        ] {
            let error = QuotaEntity::parse(parts.iter().copied()).expect_err("no entity");
            assert_eq!(error.to_string(), message);
        }
    }
}
