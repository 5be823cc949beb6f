//! What a configuration belongs to, as requests name it.

use gregor_model::{BrokerId, TopicName};

/// A resource of DescribeConfigs (`ConfigResource`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ConfigResource {
    /// Type 2.
    Topic(TopicName),
    /// Type 4 with an id: one broker.
    Broker(BrokerId),
    /// Type 4 without a name: the default of all brokers.
    AllBrokers,
    /// Type 8: the log levels of one broker.
    BrokerLogger(BrokerId),
}

/// The types' ids on the wire.
pub(super) const TOPIC: i8 = 2;
pub(super) const BROKER: i8 = 4;
pub(super) const BROKER_LOGGER: i8 = 8;
pub(super) const CLIENT_METRICS: i8 = 16;

impl ConfigResource {
    /// Whether Kafka has resources of that type.
    pub fn is_known_type(resource_type: i8) -> bool {
        matches!(resource_type, TOPIC | BROKER | BROKER_LOGGER | CLIENT_METRICS)
    }

    /// The resource that a request names; an error is Kafka's text for a resource that cannot be (INVALID_REQUEST).
    pub fn parse(resource_type: i8, name: &str) -> Result<ConfigResource, String> {
        match resource_type {
            TOPIC => Ok(ConfigResource::Topic(TopicName::new(name))),
            BROKER if name.is_empty() => Ok(ConfigResource::AllBrokers),
            BROKER => broker_id(name).map(ConfigResource::Broker),
            BROKER_LOGGER if name.is_empty() => Err("Broker id must not be empty".to_owned()),
            BROKER_LOGGER => broker_id(name).map(ConfigResource::BrokerLogger),
            CLIENT_METRICS if name.is_empty() => {
                Err("Client metrics subscription name must not be empty".to_owned())
            }
            CLIENT_METRICS => {
                Err("Config type client-metrics is only supported on KRaft clusters".to_owned())
            }
            other => Err(format!("Unsupported resource type: {other}")),
        }
    }
}

fn broker_id(name: &str) -> Result<BrokerId, String> {
    match name.parse() {
        Ok(id) => Ok(BrokerId(id)),
        Err(_) => Err(format!("Broker id must be an integer, but it is: {name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources() {
        assert_eq!(ConfigResource::parse(2, "t"), Ok(ConfigResource::Topic("t".into())));
        assert_eq!(ConfigResource::parse(4, "1"), Ok(ConfigResource::Broker(BrokerId(1))));
        assert_eq!(ConfigResource::parse(4, ""), Ok(ConfigResource::AllBrokers));
        assert_eq!(ConfigResource::parse(8, "3"), Ok(ConfigResource::BrokerLogger(BrokerId(3))));
        assert!(ConfigResource::parse(4, "x").is_err());
        assert!(ConfigResource::parse(16, "x").is_err());
    }
}
