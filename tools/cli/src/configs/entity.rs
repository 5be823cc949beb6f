//! Whose configs are meant (`ConfigCommandOptions.entityTypes`, `entityNames`). Pure.

use crate::admin::configs::{
    DYNAMIC_BROKER_CONFIG, DYNAMIC_CLIENT_METRICS_CONFIG, DYNAMIC_DEFAULT_BROKER_CONFIG,
    DYNAMIC_TOPIC_CONFIG, ResourceType,
};
use crate::command_line::Given;

/// What has configs, by its name in flags (`ConfigType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntityType {
    /// Topics.
    Topics,
    /// Clients, by their id.
    Clients,
    /// Users, by their principal.
    Users,
    /// Brokers.
    Brokers,
    /// Addresses.
    Ips,
    /// Log levels of brokers.
    BrokerLoggers,
    /// What clients tell of themselves.
    ClientMetrics,
}

impl EntityType {
    /// As Kafka's tool lists them.
    pub const ALL: [EntityType; 7] = [
        EntityType::Topics,
        EntityType::Clients,
        EntityType::Users,
        EntityType::Brokers,
        EntityType::Ips,
        EntityType::BrokerLoggers,
        EntityType::ClientMetrics,
    ];

    /// In flags and output.
    pub fn name(self) -> &'static str {
        match self {
            EntityType::Topics => "topics",
            EntityType::Clients => "clients",
            EntityType::Users => "users",
            EntityType::Brokers => "brokers",
            EntityType::Ips => "ips",
            EntityType::BrokerLoggers => "broker-loggers",
            EntityType::ClientMetrics => "client-metrics",
        }
    }

    /// For one of them: without the last letter, whatever it is.
    pub fn singular(self) -> &'static str {
        let name = self.name();
        &name[..name.len() - 1]
    }

    /// The type of quota entity.
    pub fn quota_type(self) -> &'static str {
        match self {
            EntityType::Users => "user",
            EntityType::Clients => "client-id",
            _ => "ip",
        }
    }

    /// The kind of config resource, and the source of its own configs where a `name` has them.
    pub fn resource(self, name: &str) -> Option<(ResourceType, Option<i8>)> {
        match self {
            EntityType::Topics => Some((ResourceType::Topic, Some(DYNAMIC_TOPIC_CONFIG))),
            EntityType::Brokers if name.is_empty() => {
                Some((ResourceType::Broker, Some(DYNAMIC_DEFAULT_BROKER_CONFIG)))
            }
            EntityType::Brokers => Some((ResourceType::Broker, Some(DYNAMIC_BROKER_CONFIG))),
            EntityType::BrokerLoggers => Some((ResourceType::BrokerLogger, None)),
            EntityType::ClientMetrics => {
                Some((ResourceType::ClientMetrics, Some(DYNAMIC_CLIENT_METRICS_CONFIG)))
            }
            EntityType::Users | EntityType::Clients | EntityType::Ips => None,
        }
    }
}

/// Flags that name an entity of a type.
pub const NAMING: [(&str, EntityType); 6] = [
    ("topic", EntityType::Topics),
    ("client", EntityType::Clients),
    ("user", EntityType::Users),
    ("broker", EntityType::Brokers),
    ("broker-logger", EntityType::BrokerLoggers),
    ("ip", EntityType::Ips),
];

/// Flags that mean the defaults of a type.
pub const DEFAULTS: [(&str, EntityType); 4] = [
    ("client-defaults", EntityType::Clients),
    ("user-defaults", EntityType::Users),
    ("broker-defaults", EntityType::Brokers),
    ("ip-defaults", EntityType::Ips),
];

/// The types named, as they were written, in the order in which Kafka's tool has them.
pub fn types(given: &Given) -> Vec<String> {
    let mut types: Vec<String> = given.values("entity-type").into_iter().map(str::to_owned).collect();
    let flags = NAMING.iter().chain(&DEFAULTS).filter(|(flag, _)| given.has(flag));
    types.extend(flags.map(|(_, entity)| entity.name().to_owned()));
    types
}

/// The names, in the same order; empty for defaults.
pub fn names(given: &Given) -> Vec<String> {
    let mut names: Vec<String> = given
        .iter()
        .filter_map(|(flag, value)| match flag {
            "entity-name" => value.map(str::to_owned),
            "entity-default" => Some(String::new()),
            _ => None,
        })
        .collect();
    let naming = NAMING.iter().filter_map(|(flag, _)| given.values(flag).first().map(ToString::to_string));
    names.extend(naming);
    names.extend(DEFAULTS.iter().filter(|(flag, _)| given.has(flag)).map(|_| String::new()));
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::parse;
    use crate::command_line::words;
    use crate::configs::flags::flags;

    #[test]
    fn entities_are_named_in_three_ways() {
        for (line, expected_types, expected_names) in [
            ("--topic t", vec!["topics"], vec!["t"]),
            ("--entity-type topics --entity-name t", vec!["topics"], vec!["t"]),
            ("--entity-type users --entity-default", vec!["users"], vec![""]),
            ("--user u --client-defaults", vec!["users", "clients"], vec!["u", ""]),
            (
                "--entity-type users --entity-default --entity-type clients --entity-name c",
                vec!["users", "clients"],
                vec!["", "c"],
            ),
            ("--entity-type brokers", vec!["brokers"], vec![]),
        ] {
            let words = words(line);
            let given = parse(&flags(), &words).unwrap();
            assert_eq!(
                (types(&given), names(&given)),
                (
                    expected_types.into_iter().map(str::to_owned).collect(),
                    expected_names.into_iter().map(str::to_owned).collect()
                ),
                "{line}"
            );
        }
    }

    #[test]
    fn singulars_lose_their_last_letter() {
        assert_eq!(EntityType::Brokers.singular(), "broker");
        assert_eq!(EntityType::ClientMetrics.singular(), "client-metric");
    }
}
