//! DescribeClientQuotas and AlterClientQuotas, DescribeUserScramCredentials and AlterUserScramCredentials.

use super::pair::Pair;
use anyhow::Result;
use bytes::Bytes;
use kafka_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use kafka_protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use kafka_protocol::messages::describe_client_quotas_request::ComponentData;
use kafka_protocol::messages::describe_user_scram_credentials_request::UserName;
use kafka_protocol::messages::{
    AlterClientQuotasRequest, AlterUserScramCredentialsRequest, DescribeClientQuotasRequest,
    DescribeUserScramCredentialsRequest,
};
use kafka_protocol::protocol::StrBytes;

/// Parts of an entity: type and name.
type Entity<'a> = &'a [(&'a str, Option<&'a str>)];

/// Quotas with their values; none to remove one.
type Limits<'a> = &'a [(&'a str, Option<f64>)];

const BOTH: &[&str] = &["/config/users", "/config/clients", "/config/ips", "/config/changes"];

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn entry(entity: Entity<'_>, ops: Limits<'_>) -> EntryData {
    let entity = entity.iter().map(|(kind, name)| {
        EntityData::default().with_entity_type(text(kind)).with_entity_name(name.map(text))
    });
    let ops = ops.iter().map(|(key, value)| {
        OpData::default()
            .with_key(text(key))
            .with_value(value.unwrap_or_default())
            .with_remove(value.is_none())
    });
    EntryData::default().with_entity(entity.collect()).with_ops(ops.collect())
}

fn alter(entries: Vec<EntryData>) -> AlterClientQuotasRequest {
    AlterClientQuotasRequest::default().with_entries(entries)
}

/// Everything about quotas and credentials.
pub async fn compare(pair: &mut Pair) -> Result<()> {
    altering(pair).await?;
    describing(pair).await;
    credentials(pair).await?;
    removing(pair).await
}

async fn altering(pair: &mut Pair) -> Result<()> {
    let limits: Limits<'_> = &[
        ("producer_byte_rate", Some(1000.0)),
        ("consumer_byte_rate", Some(2e9)),
        ("request_percentage", Some(12.5)),
        ("controller_mutation_rate", Some(3.0)),
    ];
    let good: &[Entity<'_>] = &[
        &[("user", Some("alice"))],
        &[("user", None)],
        &[("client-id", Some("app"))],
        &[("client-id", None)],
        &[("user", Some("alice")), ("client-id", Some("app"))],
        &[("client-id", None), ("user", Some("CN=Bob Smith,O=a*b+c"))],
        &[("user", None), ("client-id", None)],
        &[("user", None), ("client-id", Some("one/two"))],
    ];
    for (number, entity) in good.iter().enumerate() {
        let version = i16::try_from(number % 2)?;
        let request = alter(vec![entry(entity, limits)]);
        pair.ask(
            &format!("AlterClientQuotas {entity:?}, only checked"),
            version,
            &request.clone().with_validate_only(true),
        )
        .await;
        pair.ask(&format!("AlterClientQuotas {entity:?}"), version, &request).await;
    }
    let ips = [Some("127.0.0.1"), None, Some("localhost")];
    let ips = ips.map(|ip| entry(&[("ip", ip)], &[("connection_creation_rate", Some(7.0))]));
    pair.ask("AlterClientQuotas of addresses", 1, &alter(ips.to_vec())).await;
    pair.compare_znodes("znodes after AlterClientQuotas", BOTH).await?;
    let wrong: &[(Entity<'_>, Limits<'_>)] = &[
        (&[], limits),
        (&[("user", Some(""))], limits),
        (&[("ip", Some(""))], limits),
        (&[("group", Some("g"))], limits),
        (&[("", Some("g"))], limits),
        (&[("user", Some("u")), ("ip", Some("127.0.0.1"))], limits),
        (&[("client-id", None), ("ip", None)], limits),
        (&[("ip", Some("127.0.0.1"))], limits),
        (&[("ip", Some("no.such.host.invalid"))], &[("connection_creation_rate", Some(1.0))]),
        (&[("ip", Some("127.0.0.1"))], &[("connection_creation_rate", Some(1.5))]),
        (&[("ip", Some("127.0.0.1"))], &[("producer_byte_rate", Some(1.0))]),
        (&[("user", Some("u"))], &[("connection_creation_rate", Some(1.0))]),
        (&[("user", Some("u"))], &[("no.such", Some(1.0))]),
        (&[("user", Some("u"))], &[("no.such", None)]),
        (&[("user", Some("u"))], &[("producer_byte_rate", Some(1.5))]),
        (&[("user", Some("u"))], &[("producer_byte_rate", Some(-1.0))]),
        (&[("user", Some("u"))], &[("producer_byte_rate", Some(1e300))]),
        (&[("user", Some("u"))], &[("request_percentage", Some(f64::MAX))]),
        (&[("user", Some("u"))], &[("producer_byte_rate", Some(1.0)), ("producer_byte_rate", Some(2.0))]),
        (&[("user", Some("u")), ("user", Some("v"))], limits),
        (&[("user", Some("u"))], &[]),
    ];
    for (entity, ops) in wrong {
        let request = alter(vec![entry(entity, ops)]).with_validate_only(true);
        pair.ask(&format!("AlterClientQuotas refused {entity:?} {ops:?}"), 1, &request).await;
    }
    let twice = vec![
        entry(&[("user", Some("twice"))], &[("producer_byte_rate", Some(5.0))]),
        entry(&[("user", Some("twice"))], &[("consumer_byte_rate", Some(6.5))]),
    ];
    pair.ask("AlterClientQuotas of a user twice", 1, &alter(twice)).await;
    pair.ask("AlterClientQuotas of nothing", 1, &alter(vec![])).await;
    pair.compare_znodes("znodes after refusals", BOTH).await
}

async fn describing(pair: &mut Pair) {
    let filters: &[&[(&str, i8, Option<&str>)]] = &[
        &[],
        &[("user", 0, Some("alice"))],
        &[("user", 0, Some("CN=Bob Smith,O=a*b+c"))],
        &[("user", 0, Some("nobody"))],
        &[("user", 1, None)],
        &[("user", 2, None)],
        &[("client-id", 0, Some("app"))],
        &[("client-id", 1, None)],
        &[("client-id", 2, None)],
        &[("user", 2, None), ("client-id", 2, None)],
        &[("user", 0, Some("alice")), ("client-id", 2, None)],
        &[("user", 0, Some("alice")), ("client-id", 0, Some("app"))],
        &[("user", 1, None), ("client-id", 1, None)],
        &[("ip", 2, None)],
        &[("ip", 1, None)],
        &[("ip", 0, Some("127.0.0.1"))],
        &[("ip", 0, Some("10.0.0.1"))],
        &[("ip", 2, None), ("user", 2, None)],
        &[("user", 2, None), ("user", 1, None)],
        &[("client-id", 2, None), ("client-id", 1, None)],
        &[("", 2, None)],
        &[("group", 2, None)],
        &[("user", 3, None)],
        &[("user", 0, None)],
    ];
    for filter in filters {
        for strict in [false, true] {
            let components = filter.iter().map(|(kind, match_type, name)| {
                ComponentData::default()
                    .with_entity_type(text(kind))
                    .with_match_type(*match_type)
                    .with_match(name.map(text))
            });
            let request = DescribeClientQuotasRequest::default()
                .with_components(components.collect())
                .with_strict(strict);
            let question = format!("DescribeClientQuotas {filter:?} {strict}");
            pair.ask(&question, i16::from(strict), &request).await;
        }
    }
}

fn upsert(name: &str, mechanism: i8, iterations: i32) -> ScramCredentialUpsertion {
    ScramCredentialUpsertion::default()
        .with_name(text(name))
        .with_mechanism(mechanism)
        .with_iterations(iterations)
        .with_salt(Bytes::from_static(b"0123456789abcdef"))
        .with_salted_password(Bytes::from_static(b"a salted password, for tests"))
}

fn delete(name: &str, mechanism: i8) -> ScramCredentialDeletion {
    ScramCredentialDeletion::default().with_name(text(name)).with_mechanism(mechanism)
}

async fn credentials(pair: &mut Pair) -> Result<()> {
    let request = |upsertions, deletions| {
        AlterUserScramCredentialsRequest::default().with_upsertions(upsertions).with_deletions(deletions)
    };
    for (number, request) in [
        request(vec![upsert("alice", 1, 4096), upsert("alice", 2, 16384)], vec![]),
        request(vec![upsert("carol, with spaces", 2, 8192), upsert("dave", 1, 4096)], vec![]),
        request(vec![upsert("alice", 1, 5000)], vec![delete("dave", 1)]),
        request(vec![upsert("erin", 1, 4095)], vec![]),
        request(vec![upsert("erin", 1, 16385)], vec![]),
        request(vec![upsert("erin", 0, 4096)], vec![]),
        request(vec![upsert("erin", 3, 4096)], vec![]),
        request(vec![upsert("", 1, 4096)], vec![]),
        request(vec![], vec![delete("", 1)]),
        request(vec![], vec![delete("erin", 1)]),
        request(vec![], vec![delete("alice", 0)]),
        request(vec![upsert("erin", 1, 4096), upsert("erin", 1, 4096)], vec![]),
        request(vec![upsert("erin", 1, 4096)], vec![delete("erin", 1)]),
        request(vec![upsert("frank", 1, 4096), upsert("erin", 1, 1)], vec![delete("nobody", 2)]),
        request(vec![upsert("erin", 1, 1), upsert("erin", 2, 20000)], vec![delete("erin", 9)]),
        request(vec![], vec![]),
    ]
    .into_iter()
    .enumerate()
    {
        pair.ask(&format!("AlterUserScramCredentials {number}"), 0, &request).await;
    }
    let elsewhere = request(vec![upsert("erin", 1, 4096), upsert("erin", 2, 4096)], vec![delete("alice", 1)]);
    pair.ask_broker("AlterUserScramCredentials elsewhere", 1, 0, &elsewhere).await;
    let users: &[Option<&[&str]>] = &[
        None,
        Some(&[]),
        Some(&["alice"]),
        Some(&["carol, with spaces", "frank", "alice"]),
        Some(&["nobody"]),
        Some(&["dave"]),
        Some(&["alice", "alice"]),
        Some(&[""]),
        Some(&["", ""]),
    ];
    for users in users {
        let named =
            users.map(|users| users.iter().map(|user| UserName::default().with_name(text(user))).collect());
        let request = DescribeUserScramCredentialsRequest::default().with_users(named);
        pair.ask(&format!("DescribeUserScramCredentials {users:?}"), 0, &request).await;
        pair.ask_broker(&format!("DescribeUserScramCredentials {users:?} elsewhere"), 1, 0, &request).await;
    }
    pair.compare_znodes("znodes after AlterUserScramCredentials", BOTH).await
}

async fn removing(pair: &mut Pair) -> Result<()> {
    let none: Vec<(&str, Option<f64>)> =
        ["producer_byte_rate", "consumer_byte_rate", "request_percentage", "controller_mutation_rate"]
            .map(|key| (key, None))
            .to_vec();
    let entities: &[Entity<'_>] = &[
        &[("user", Some("alice")), ("client-id", Some("app"))],
        &[("client-id", None), ("user", Some("CN=Bob Smith,O=a*b+c"))],
        &[("client-id", Some("app"))],
        &[("user", None)],
        &[("user", None), ("client-id", None)],
        &[("user", None), ("client-id", Some("one/two"))],
        &[("user", Some("alice"))],
    ];
    for (number, entity) in entities.iter().enumerate() {
        pair.ask(&format!("AlterClientQuotas removing {entity:?}"), 1, &alter(vec![entry(entity, &none)]))
            .await;
        pair.compare_znodes(&format!("znodes after removal {number}"), BOTH).await?;
    }
    let alone = AlterUserScramCredentialsRequest::default().with_deletions(vec![delete("frank", 1)]);
    pair.ask("AlterUserScramCredentials removing", 0, &alone).await;
    let ip = entry(&[("ip", Some("127.0.0.1"))], &[("connection_creation_rate", None)]);
    pair.ask("AlterClientQuotas removing an address", 1, &alter(vec![ip])).await;
    pair.compare_znodes("znodes after all removals", BOTH).await
}
