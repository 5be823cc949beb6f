//! Configurations: describe, alter, alter incrementally; and quotas and SCRAM credentials, which lie beside them.

use crate::case::{Case, case, plain, text};
use crate::side::Side;
use bytes::Bytes;
use kafka_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use kafka_protocol::messages::alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use kafka_protocol::messages::describe_client_quotas_request::ComponentData;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_user_scram_credentials_request::UserName;
use kafka_protocol::messages::incremental_alter_configs_request as incremental;
use kafka_protocol::messages::{
    AlterClientQuotasRequest, AlterConfigsRequest, AlterUserScramCredentialsRequest, ApiKey,
    DescribeClientQuotasRequest, DescribeConfigsRequest, DescribeUserScramCredentialsRequest,
    IncrementalAlterConfigsRequest,
};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;

pub fn cases() -> Vec<Case> {
    [alter(), alter_incrementally(), describe(), quotas(), scram()].into_iter().flatten().collect()
}

fn describe() -> Vec<Case> {
    let of = |name: &'static str, kind: i8, resource: &'static str, keys: Option<&'static [&'static str]>| {
        case(ApiKey::DescribeConfigs, name, move |version, _: &Side| {
            let resource = DescribeConfigsResource::default()
                .with_resource_type(kind)
                .with_resource_name(text(resource))
                .with_configuration_keys(keys.map(|keys| keys.iter().map(|key| text(key)).collect()));
            let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
            let request = if version >= 1 { request.with_include_synonyms(true) } else { request };
            Some(if version >= 3 { request.with_include_documentation(true) } else { request }.into())
        })
    };
    vec![
        of("a topic", TOPIC, "plain", None),
        of("a topic that was altered", TOPIC, "altered", None),
        of("some keys of a topic", TOPIC, "plain", Some(&["retention.ms", "no.such.key"])),
        of("no keys of a topic", TOPIC, "plain", Some(&[])),
        of("an unknown topic", TOPIC, "nowhere", None),
        of("an illegal topic", TOPIC, "a b", None),
        of("this broker", BROKER, "0", None),
        of("the cluster's default", BROKER, "", None),
        of("another broker", BROKER, "1", None),
        of("a broker that is no number", BROKER, "zero", None),
        of("another broker's loggers", LOGGER, "1", None),
        of("the loggers of nobody", LOGGER, "", None),
        of("client metrics", CLIENT_METRICS, "metrics", None),
        of("an unknown kind", 77, "x", None),
        of("a group", 32, "g", None),
    ]
}

fn alter() -> Vec<Case> {
    let of = |name: &'static str,
              kind: i8,
              resource: &str,
              entries: &[(&str, Option<&str>)],
              validate_only: bool| {
        let entry = |(key, value): &(&str, Option<&str>)| {
            AlterableConfig::default().with_name(text(key)).with_value(value.map(text))
        };
        let resource = AlterConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(resource))
            .with_configs(entries.iter().map(entry).collect());
        let request = AlterConfigsRequest::default().with_resources(vec![resource]);
        plain(ApiKey::AlterConfigs, name, request.with_validate_only(validate_only))
    };
    let retention = [("retention.ms", Some("3600000"))];
    vec![
        of("a topic", TOPIC, "altered", &retention, false),
        of("only validates", TOPIC, "altered", &[("retention.ms", Some("1"))], true),
        of("a value out of range", TOPIC, "altered", &[("retention.ms", Some("-2"))], false),
        of("a value of another type", TOPIC, "altered", &[("segment.bytes", Some("many"))], false),
        of("an unknown key", TOPIC, "altered", &[("no.such.key", Some("1"))], false),
        of("a null value", TOPIC, "altered", &[("retention.ms", None)], false),
        of("an unknown topic", TOPIC, "nowhere", &retention, false),
        of("an illegal topic", TOPIC, "a b", &retention, false),
        of("a broker", BROKER, "0", &[("log.cleaner.threads", Some("2"))], false),
        of("a broker, read only", BROKER, "0", &[("broker.id", Some("9"))], false),
        of("another broker", BROKER, "1", &[("log.cleaner.threads", Some("2"))], false),
        of("a broker that is no number", BROKER, "zero", &[("log.cleaner.threads", Some("2"))], false),
        of("the cluster's default", BROKER, "", &[("log.cleaner.threads", Some("1"))], false),
        of(
            "the cluster's default, only for one",
            BROKER,
            "",
            &[("advertised.listeners", Some("PLAINTEXT://x:1"))],
            false,
        ),
        of("loggers", LOGGER, "0", &[("kafka", Some("INFO"))], false),
        of("an unknown kind", 77, "x", &retention, false),
    ]
}

fn alter_incrementally() -> Vec<Case> {
    let of = |name: &'static str, kind: i8, resource: &str, entries: &[(&str, i8, Option<&str>)]| {
        let entry = |(key, operation, value): &(&str, i8, Option<&str>)| {
            incremental::AlterableConfig::default()
                .with_name(text(key))
                .with_config_operation(*operation)
                .with_value(value.map(text))
        };
        let resource = incremental::AlterConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(resource))
            .with_configs(entries.iter().map(entry).collect());
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        plain(ApiKey::IncrementalAlterConfigs, name, request)
    };
    vec![
        of("sets", TOPIC, "altered", &[("max.message.bytes", 0, Some("2000000"))]),
        of("appends", TOPIC, "altered", &[("cleanup.policy", 2, Some("compact"))]),
        of("appends again", TOPIC, "altered", &[("cleanup.policy", 2, Some("compact"))]),
        of("subtracts", TOPIC, "altered", &[("cleanup.policy", 3, Some("delete"))]),
        of("deletes", TOPIC, "altered", &[("cleanup.policy", 1, None)]),
        of("deletes what is not set", TOPIC, "altered", &[("segment.ms", 1, None)]),
        of("appends to what is no list", TOPIC, "altered", &[("retention.ms", 2, Some("5"))]),
        of("no such operation", TOPIC, "altered", &[("retention.ms", 9, Some("5"))]),
        of(
            "the same key twice",
            TOPIC,
            "altered",
            &[("retention.ms", 0, Some("5")), ("retention.ms", 0, Some("6"))],
        ),
        of("a null value", TOPIC, "altered", &[("retention.ms", 0, None)]),
        of("a value that is none", TOPIC, "altered", &[("cleanup.policy", 0, Some("shred"))]),
        of("an unknown key", TOPIC, "altered", &[("no.such.key", 0, Some("5"))]),
        of("an unknown topic", TOPIC, "nowhere", &[("retention.ms", 0, Some("5"))]),
        of("a broker", BROKER, "0", &[("log.cleaner.threads", 0, Some("2"))]),
        of("a broker, out of range", BROKER, "0", &[("num.io.threads", 0, Some("0"))]),
        of("a broker, too great a step", BROKER, "0", &[("num.io.threads", 0, Some("64"))]),
        of("a broker, read only", BROKER, "0", &[("zookeeper.connect", 0, Some("x"))]),
        of("a broker, unknown key", BROKER, "0", &[("no.such.key", 0, Some("x"))]),
        of("a broker, taken back", BROKER, "0", &[("log.cleaner.threads", 1, None)]),
        of("the cluster's default", BROKER, "", &[("message.max.bytes", 0, Some("1500000"))]),
        of("the cluster's default, taken back", BROKER, "", &[("message.max.bytes", 1, None)]),
        of("another broker", BROKER, "1", &[("log.cleaner.threads", 0, Some("2"))]),
        of("a logger nobody knows", LOGGER, "0", &[("no.such.logger.x", 0, Some("DEBUG"))]),
        of("a logger, no such level", LOGGER, "0", &[("kafka", 0, Some("LOUD"))]),
        of("client metrics", CLIENT_METRICS, "m", &[("interval.ms", 0, Some("1000"))]),
        of("an unknown kind", 77, "x", &[("a", 0, Some("b"))]),
        of("nothing", TOPIC, "altered", &[]),
    ]
}

fn entity(kind: &str, name: Option<&str>) -> EntityData {
    EntityData::default().with_entity_type(text(kind)).with_entity_name(name.map(text))
}

fn quotas() -> Vec<Case> {
    let alter = |name: &'static str, entity: Vec<EntityData>, key: &str, value: Option<f64>| {
        let op = OpData::default()
            .with_key(text(key))
            .with_value(value.unwrap_or_default())
            .with_remove(value.is_none());
        let entry = EntryData::default().with_entity(entity).with_ops(vec![op]);
        plain(ApiKey::AlterClientQuotas, name, AlterClientQuotasRequest::default().with_entries(vec![entry]))
    };
    let describe = |name: &'static str, components: &[(&str, i8, Option<&str>)], strict: bool| {
        let component = |(kind, how, what): &(&str, i8, Option<&str>)| {
            ComponentData::default()
                .with_entity_type(text(kind))
                .with_match_type(*how)
                .with_match(what.map(text))
        };
        let request = DescribeClientQuotasRequest::default()
            .with_components(components.iter().map(component).collect())
            .with_strict(strict);
        plain(ApiKey::DescribeClientQuotas, name, request)
    };
    let user = |name| vec![entity("user", name)];
    vec![
        alter("a user", user(Some("alice")), "producer_byte_rate", Some(1000.5)),
        alter(
            "a user's client",
            vec![entity("user", Some("alice")), entity("client-id", Some("c 1"))],
            "consumer_byte_rate",
            Some(7.0),
        ),
        alter("users' default", user(None), "request_percentage", Some(50.0)),
        alter("an address", vec![entity("ip", Some("127.0.0.1"))], "connection_creation_rate", Some(10.0)),
        alter(
            "an address that is none",
            vec![entity("ip", Some("no address!"))],
            "connection_creation_rate",
            Some(10.0),
        ),
        alter(
            "an address and a user",
            vec![entity("ip", Some("127.0.0.1")), entity("user", Some("a"))],
            "connection_creation_rate",
            Some(1.0),
        ),
        alter("an unknown key", user(Some("alice")), "no_such_rate", Some(1.0)),
        alter("a negative rate", user(Some("alice")), "producer_byte_rate", Some(-1.0)),
        alter("an unknown entity", vec![entity("planet", Some("x"))], "producer_byte_rate", Some(1.0)),
        alter("an empty user", user(Some("")), "producer_byte_rate", Some(1.0)),
        alter("nobody", vec![], "producer_byte_rate", Some(1.0)),
        alter("taken back", vec![entity("ip", Some("127.0.0.1"))], "connection_creation_rate", None),
        describe("all", &[], false),
        describe("users by name", &[("user", 0, Some("alice"))], false),
        describe("users by name, strictly", &[("user", 0, Some("alice"))], true),
        describe("users' default", &[("user", 1, None)], false),
        describe("any user", &[("user", 2, None)], false),
        describe("addresses", &[("ip", 2, None)], false),
        describe("an unknown entity", &[("planet", 2, None)], false),
        describe("a kind twice", &[("user", 2, None), ("user", 2, None)], false),
        describe("no such match", &[("user", 9, None)], false),
        describe("addresses and users", &[("ip", 2, None), ("user", 2, None)], false),
    ]
}

fn scram() -> Vec<Case> {
    let upsert = |name: &'static str, user: &str, mechanism: i8, iterations: i32| {
        let upsertion = ScramCredentialUpsertion::default()
            .with_name(text(user))
            .with_mechanism(mechanism)
            .with_iterations(iterations)
            .with_salt(Bytes::from_static(b"salt"))
            .with_salted_password(Bytes::from_static(&[7; 32]));
        let request = AlterUserScramCredentialsRequest::default().with_upsertions(vec![upsertion]);
        plain(ApiKey::AlterUserScramCredentials, name, request)
    };
    let delete = |name: &'static str, user: &str, mechanism: i8| {
        let deletion = ScramCredentialDeletion::default().with_name(text(user)).with_mechanism(mechanism);
        let request = AlterUserScramCredentialsRequest::default().with_deletions(vec![deletion]);
        plain(ApiKey::AlterUserScramCredentials, name, request)
    };
    let describe = |name: &'static str, users: Option<&[&str]>| {
        let user = |name: &&str| UserName::default().with_name(text(name));
        let users = users.map(|users| users.iter().map(user).collect());
        plain(
            ApiKey::DescribeUserScramCredentials,
            name,
            DescribeUserScramCredentialsRequest::default().with_users(users),
        )
    };
    vec![
        upsert("a credential", "bob", 1, 4096),
        upsert("another mechanism", "bob", 2, 8192),
        upsert("too few iterations", "bob", 1, 10),
        upsert("too many iterations", "bob", 1, 100_000),
        upsert("no such mechanism", "bob", 7, 4096),
        upsert("an empty user", "", 1, 4096),
        describe("all", None),
        describe("one", Some(&["bob"])),
        describe("an unknown user", Some(&["nobody"])),
        describe("the same twice", Some(&["bob", "bob"])),
        delete("deletes", "bob", 2),
        delete("deletes what is not there", "bob", 2),
        delete("an unknown user", "nobody", 1),
    ]
}
