//! Quotas of users, clients and addresses, and SCRAM credentials of users: which changes go together
//! (`ConfigCommand.alterConfig`), and carrying them out.

use regex::Regex;

use super::entity::EntityType;
use super::flags::Asked;
use super::{Changes, Failure, show};
use crate::admin::Admin;
use crate::admin::quotas::{EntityQuotas, QuotaMatch};
use crate::admin::scram::{ITERATIONS_MIN, NewCredential, ScramMechanism};

/// What users and clients may have.
const USER_QUOTAS: [&str; 4] =
    ["producer_byte_rate", "consumer_byte_rate", "request_percentage", "controller_mutation_rate"];
/// What addresses may have.
const IP_QUOTAS: [&str; 1] = ["connection_creation_rate"];

/// Changes of a user, client or address.
#[derive(Clone, Debug, PartialEq)]
enum Alteration {
    Quotas(Vec<(String, Option<f64>)>),
    Credentials { new: Vec<NewCredential>, deleted: Vec<ScramMechanism> },
}

/// Changes configs of users, clients or addresses.
pub async fn alter(admin: &mut Admin, asked: &Asked, changes: &Changes) -> Result<(), Failure> {
    match alteration(asked, changes)? {
        Alteration::Credentials { new, deleted } => {
            let user = asked.names.first().map_or("", String::as_str);
            Ok(admin.alter_scram_credentials(user, &new, &deleted).await?)
        }
        Alteration::Quotas(quotas) => {
            let existing = entities(admin, asked).await?;
            let has = |key: &String| {
                existing.first().is_some_and(|(_, quotas)| quotas.iter().any(|(name, _)| name == key))
            };
            let absent: Vec<String> = changes.deleted.iter().filter(|key| !has(key)).cloned().collect();
            if !absent.is_empty() {
                return Err(Failure::Invalid(format!("Invalid config(s): {}", absent.join(","))));
            }
            let names = asked.names.iter().map(|name| Some(name.as_str()).filter(|name| !name.is_empty()));
            let entity: Vec<(&str, Option<&str>)> =
                asked.types.iter().map(|kind| kind.quota_type()).zip(names).collect();
            Ok(admin.alter_quotas(&entity, &quotas).await?)
        }
    }
}

/// What the changes amount to.
fn alteration(asked: &Asked, changes: &Changes) -> Result<Alteration, Failure> {
    let invalid = |message: String| Err(Failure::Invalid(message));
    let added: Vec<&str> = changes.added.iter().map(|(key, _)| key).collect();
    let deleted: Vec<&str> = changes.deleted.iter().map(String::as_str).collect();
    let is_scram = |key: &&str| ScramMechanism::of(key).is_some();
    if asked.types.first() == Some(&EntityType::Ips) {
        let unknown: Vec<&str> =
            added.iter().chain(&deleted).copied().filter(|key| !IP_QUOTAS.contains(key)).collect();
        if !unknown.is_empty() {
            let unknown = unknown.join(",");
            return invalid(format!(
                "Only connection quota configs can be added for 'ips' using --bootstrap-server. Unexpected config names: \
                 {unknown}"
            ));
        }
        return quotas(changes);
    }
    let only_users = asked.types == [EntityType::Users];
    let (what, kind) =
        if only_users { ("quota and SCRAM credential", "users") } else { ("quota", "clients") };
    let is_known = |key: &&str| USER_QUOTAS.contains(key) || only_users && is_scram(key);
    for (keys, done, list) in [(&added, "added", "Set"), (&deleted, "deleted", "ArrayBuffer")] {
        let unknown: Vec<&str> = keys.iter().copied().filter(|key| !is_known(key)).collect();
        if !unknown.is_empty() {
            let unknown = unknown.join(", ");
            return invalid(format!(
                "Only {what} configs can be {done} for '{kind}' using --bootstrap-server. Unexpected config names: \
                 {list}({unknown})"
            ));
        }
    }
    let has_scram = added.iter().chain(&deleted).any(is_scram);
    if !has_scram {
        return quotas(changes);
    }
    if asked.names.iter().any(String::is_empty) {
        return invalid(
            "The use of --entity-default or --user-defaults is not allowed with User SCRAM Credentials using \
             --bootstrap-server."
                .to_owned(),
        );
    }
    if added.iter().chain(&deleted).any(|key| !is_scram(key)) {
        return invalid(
            "Cannot alter both quota and SCRAM credential configs simultaneously for 'users' using --bootstrap-server."
                .to_owned(),
        );
    }
    let new = changes.added.iter().map(|(key, value)| credential(key, value)).collect::<Result<_, _>>()?;
    Ok(Alteration::Credentials {
        new,
        deleted: deleted.iter().filter_map(|key| ScramMechanism::of(key)).collect(),
    })
}

fn quotas(changes: &Changes) -> Result<Alteration, Failure> {
    let set = changes.added.iter().map(|(key, value)| match value.parse::<f64>() {
        Ok(number) => Ok((key.to_owned(), Some(number))),
        Err(_) => Err(Failure::Invalid(format!("Cannot parse quota configuration value for {key}: {value}"))),
    });
    let deleted = changes.deleted.iter().map(|key| Ok((key.clone(), None)));
    Ok(Alteration::Quotas(set.chain(deleted).collect::<Result<_, _>>()?))
}

/// A credential from `iterations=8192,password=pw`, the iterations of which may be left out or -1.
fn credential(key: &str, value: &str) -> Result<NewCredential, Failure> {
    let invalid = |message: String| Failure::Invalid(message);
    let refused = || invalid(format!("Invalid credential property {key}={value}"));
    let mechanism = ScramMechanism::of(key).ok_or_else(refused)?;
    let pattern = Regex::new("^(?:iterations=(-?[0-9]*),)?password=(.*)$").map_err(|_| refused())?;
    let parts = pattern.captures(value).ok_or_else(refused)?;
    let iterations = match parts.get(1).map(|digits| digits.as_str()) {
        None | Some("-1") => ITERATIONS_MIN,
        Some(digits) => digits.parse().map_err(|_| invalid(format!("For input string: \"{digits}\"")))?,
    };
    if iterations < ITERATIONS_MIN {
        return Err(invalid(format!(
            "Iterations {iterations} is less than the minimum {ITERATIONS_MIN} required for {key}"
        )));
    }
    Ok(NewCredential { mechanism, iterations, password: parts[2].to_owned() })
}

/// The entities that the flags mean, with their quotas.
async fn entities(admin: &mut Admin, asked: &Asked) -> Result<Vec<EntityQuotas>, Failure> {
    if asked.names.len() > asked.types.len() {
        return Err(Failure::Invalid("More entity names specified than entity types".to_owned()));
    }
    let component = |(index, kind): (usize, &EntityType)| {
        let wanted = match asked.names.get(index).map(String::as_str) {
            None => QuotaMatch::Any,
            Some("") => QuotaMatch::Default,
            Some(name) => QuotaMatch::Name(name.to_owned()),
        };
        (kind.quota_type(), wanted)
    };
    let components: Vec<(&str, QuotaMatch)> = asked.types.iter().enumerate().map(component).collect();
    Ok(admin.describe_quotas(&components).await?)
}

/// Shows quotas, and the credentials of users.
pub async fn describe(admin: &mut Admin, asked: &Asked, as_json: bool) -> Result<(), Failure> {
    let quotas = entities(admin, asked).await?;
    let with_scram = asked.types == [EntityType::Users] && !asked.names.iter().any(String::is_empty);
    if !as_json {
        print!("{}", show::quotas(quotas.clone()));
    }
    let users: Vec<&str> = asked.names.iter().map(String::as_str).collect();
    let credentials = if with_scram { admin.describe_scram_credentials(&users).await? } else { Vec::new() };
    let mut documents = Vec::new();
    for (user, credentials) in credentials {
        match credentials {
            Ok(credentials) if as_json => {
                let credentials = credentials.iter().map(|(mechanism, iterations)| {
                    serde_json::json!({ "mechanism": mechanism.name(), "iterations": iterations })
                });
                documents.push(
                    serde_json::json!({ "user": user, "credentials": credentials.collect::<Vec<_>>() }),
                );
            }
            Ok(credentials) => {
                let list: Vec<String> = credentials
                    .iter()
                    .map(|(mechanism, iterations)| format!("{}=iterations={iterations}", mechanism.name()))
                    .collect();
                println!("SCRAM credential configs for user-principal '{user}' are {}", list.join(", "));
            }
            Err(error) => {
                let java = error.java();
                let simple = java.rsplit_once('.').map_or(java.as_str(), |(_, simple)| simple);
                let message = format!(
                    "Error retrieving SCRAM credential configs for user-principal '{user}': {simple}"
                );
                crate::report::remark_on_stdout(message);
            }
        }
    }
    if as_json {
        let quotas = show::json_quotas(&quotas);
        println!("{}", serde_json::json!({ "quotas": quotas, "scramCredentials": documents }));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configs::changes::{added, deleted};

    #[track_caller]
    fn check(
        types: &[EntityType],
        names: &[&str],
        add: &str,
        delete: &str,
        expected: Result<Alteration, &str>,
    ) {
        let asked = Asked { types: types.to_vec(), names: names.iter().map(ToString::to_string).collect() };
        let none = |text: &str| text.is_empty();
        let changes = Changes {
            added: if none(add) { gregor_config::Properties::new() } else { added(add).unwrap() },
            deleted: if none(delete) { Vec::new() } else { deleted(&[delete]) },
        };
        let answer = alteration(&asked, &changes).map_err(|failure| failure.to_string());
        assert_eq!(answer, expected.map_err(str::to_owned), "{add} {delete}");
    }

    #[test]
    fn what_goes_together() {
        use EntityType::{Clients, Ips, Users};
        let quota = |key: &str, value| Ok(Alteration::Quotas(vec![(key.to_owned(), value)]));
        check(&[Users], &["u"], "producer_byte_rate=5", "", quota("producer_byte_rate", Some(5.0)));
        check(&[Clients], &["c"], "", "producer_byte_rate", quota("producer_byte_rate", None));
        check(&[Ips], &[""], "connection_creation_rate=1", "", quota("connection_creation_rate", Some(1.0)));
        check(
            &[Users],
            &["u"],
            "producer_byte_rate=much",
            "",
            Err("Cannot parse quota configuration value for producer_byte_rate: much"),
        );
        check(
            &[Clients],
            &["c"],
            "SCRAM-SHA-256=[password=p]",
            "",
            Err(
                "Only quota configs can be added for 'clients' using --bootstrap-server. Unexpected config names: \
                 Set(SCRAM-SHA-256)",
            ),
        );
        check(
            &[Users],
            &["u"],
            "",
            "nonsense",
            Err(
                "Only quota and SCRAM credential configs can be deleted for 'users' using --bootstrap-server. Unexpected \
                 config names: ArrayBuffer(nonsense)",
            ),
        );
        check(
            &[Users],
            &["u"],
            "SCRAM-SHA-256=[password=p],producer_byte_rate=1",
            "",
            Err("Cannot alter both quota and SCRAM credential configs simultaneously for 'users' using \
                 --bootstrap-server."),
        );
    }

    #[test]
    fn credentials() {
        let make = |value: &str| credential("SCRAM-SHA-512", value).map_err(|failure| failure.to_string());
        let expected = |iterations| {
            let mechanism = ScramMechanism::Sha512;
            Ok(NewCredential { mechanism, iterations, password: "p,q".to_owned() })
        };
        assert_eq!(make("password=p,q"), expected(4096));
        assert_eq!(make("iterations=-1,password=p,q"), expected(4096));
        assert_eq!(make("iterations=8192,password=p,q"), expected(8192));
        let low = "Iterations 5 is less than the minimum 4096 required for SCRAM-SHA-512";
        assert_eq!(make("iterations=5,password=p"), Err(low.to_owned()));
        assert_eq!(make("p"), Err("Invalid credential property SCRAM-SHA-512=p".to_owned()));
    }
}
