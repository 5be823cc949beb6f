//! Configuration: every key of Kafka 3.9's brokers and topics, what it may hold, and what Gregor does with it.
//!
//! `BrokerConfig::load` reads `server.properties` with its layers and refuses, in one line, what cannot work.
//! Components build their own structs from [`Values`] once; nothing below the server sees a property map. A topic's
//! values are [`topic::resolve`]d from the broker's and the topic's overrides. No IO but reading the file.

mod broker;
mod cross_check;
mod definition;
pub mod dynamic;
mod error;
pub mod inter_broker_protocol;
mod keys;
mod layers;
mod listeners;
mod properties;
pub mod topic;
mod validator;
mod value;
mod values;
mod zookeeper;

pub use broker::{BrokerConfig, IdentityConfig};
pub use cross_check::{log_flush_interval_ms, log_retention_ms, log_roll_jitter_ms, log_roll_ms};
pub use definition::{ConfigKey, Importance, Scope, Table, Treatment, ValueType};
pub use error::{ConfigError, InvalidValue};
pub use inter_broker_protocol::InterBrokerProtocol;
pub use keys::{authorizer_table, broker_table, gregor_table, topic_table};
pub use listeners::{ListenersConfig, parse_connection_overrides};
pub use properties::Properties;
pub use validator::Validator;
pub use value::{Password, Value};
pub use values::{Source, Values};
pub use zookeeper::{ConnectString, ZooKeeperConfig};
