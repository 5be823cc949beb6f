//! `gregor configs`: kafka-configs.sh (`kafka.admin.ConfigCommand`).

mod changes;
mod entity;
mod flags;
mod show;
mod users;

use std::path::Path;
use std::process::ExitCode;

use gregor_config::Properties;
use gregor_model::TopicName;

use crate::admin::configs::{ConfigChange, ConfigEntry, ConfigResource};
use crate::admin::{Admin, AdminError, connect};
use crate::command_line::{FlagError, Given};
use crate::report;
use entity::EntityType;
use flags::Asked;

/// What is to be changed.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Configs to set.
    pub added: Properties,
    /// Keys to delete.
    pub deleted: Vec<String>,
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Asked for what cannot be; the text is what Kafka's tool prints.
    #[error("{0}")]
    Invalid(String),
    /// A malformed flag.
    #[error(transparent)]
    Flag(#[from] FlagError),
    /// A change that cannot be read.
    #[error(transparent)]
    Change(#[from] changes::ChangeError),
    /// No client can be made.
    #[error("{0}")]
    Connect(AdminError),
    /// A call failed.
    #[error("{}", .0.java())]
    Admin(#[from] AdminError),
}

/// This tool's flags.
pub fn command() -> clap::Command {
    crate::command_line::command(&flags::flags())
}

/// Runs the tool.
pub async fn run(arguments: &[String]) -> ExitCode {
    let (given, asked) = match flags::read(arguments) {
        Ok(read) => read,
        Err(refusal) => return refusal.report(&flags::flags()),
    };
    match act(&given, &asked).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure @ (Failure::Admin(_) | Failure::Connect(_))) => {
            let arguments = arguments.join(" ");
            report::failure(format!(
                "Error while executing config command with args '{arguments}': {failure}"
            ))
        }
        Err(failure) => report::failure(failure),
    }
}

async fn act(given: &Given, asked: &Asked) -> Result<(), Failure> {
    if given.has("alter") {
        let changes = read_changes(given)?;
        let mut admin = connect(given).map_err(Failure::Connect)?;
        return alter(&mut admin, asked, &changes).await;
    }
    let mut admin = connect(given).map_err(Failure::Connect)?;
    let as_json = given.has("json");
    match asked.types.first() {
        Some(EntityType::Users | EntityType::Clients | EntityType::Ips) => {
            users::describe(&mut admin, asked, as_json).await
        }
        Some(kind) => describe(&mut admin, *kind, asked.names.first(), given.has("all"), as_json).await,
        None => Ok(()),
    }
}

fn read_changes(given: &Given) -> Result<Changes, Failure> {
    let added = match (given.value("add-config-file")?, given.value("add-config")?) {
        (Some(path), _) => {
            let loaded = Properties::load(Path::new(path));
            loaded.map_err(|error| Failure::Invalid(format!("--add-config-file: {error}")))?
        }
        (None, Some(text)) => changes::added(text)?,
        (None, None) => Properties::new(),
    };
    if let Some(version) = added.get("message.format.version") {
        println!(
            "WARNING: The configuration message.format.version={version} is specified. This configuration will be ignored if \
             the version is newer than the inter.broker.protocol.version specified in the broker or if the \
             inter.broker.protocol.version is 3.0 or newer. This configuration is deprecated and it will be removed in \
             Apache Kafka 4.0."
        );
    }
    changes::check_keys(&added)?;
    Ok(Changes { added, deleted: changes::deleted(&given.values("delete-config")) })
}

async fn alter(admin: &mut Admin, asked: &Asked, changes: &Changes) -> Result<(), Failure> {
    let (Some(kind), Some(name)) = (asked.types.first(), asked.names.first()) else { return Ok(()) };
    match kind {
        EntityType::Users | EntityType::Clients | EntityType::Ips => {
            users::alter(admin, asked, changes).await?;
        }
        EntityType::Brokers => alter_broker(admin, name, changes).await?,
        EntityType::Topics | EntityType::BrokerLoggers | EntityType::ClientMetrics => {
            alter_resource(admin, *kind, name, changes).await?;
        }
    }
    match name.as_str() {
        "" => println!("Completed updating default config for {} in the cluster.", kind.name()),
        name => println!("Completed updating config for {} {name}.", kind.singular()),
    }
    Ok(())
}

async fn alter_resource(
    admin: &mut Admin,
    kind: EntityType,
    name: &str,
    changes: &Changes,
) -> Result<(), Failure> {
    let existing = own_configs(admin, kind, name, false).await?;
    let is_there = |key: &str| existing.iter().any(|entry| entry.name == key);
    if kind == EntityType::BrokerLoggers {
        let added = changes.added.iter().map(|(key, _)| key);
        let keys = changes.deleted.iter().map(String::as_str).chain(added);
        let unknown: Vec<&str> = keys.filter(|key| !is_there(key)).collect();
        if !unknown.is_empty() {
            return Err(Failure::Invalid(format!("Invalid broker logger(s): {}", unknown.join(","))));
        }
    }
    check_deleted(changes, is_there)?;
    let set = changes.added.iter().map(|(key, value)| (key.to_owned(), Some(value.to_owned())));
    let deleted = changes.deleted.iter().map(|key| (key.clone(), None));
    let list: Vec<ConfigChange> = set.chain(deleted).collect();
    Ok(admin.change_configs(&resource(kind, name)?, &list).await?)
}

/// Kafka's tool replaces a broker's whole set, so it must know every value, and secrets it does not.
async fn alter_broker(admin: &mut Admin, name: &str, changes: &Changes) -> Result<(), Failure> {
    let existing = own_configs(admin, EntityType::Brokers, name, false).await?;
    check_deleted(changes, |key| existing.iter().any(|entry| entry.name == key))?;
    let is_kept =
        |key: &str| changes.added.get(key).is_none() && !changes.deleted.iter().any(|deleted| deleted == key);
    let kept: Vec<&ConfigEntry> = existing.iter().filter(|entry| is_kept(&entry.name)).collect();
    let secret: Vec<&str> =
        kept.iter().filter(|entry| entry.value.is_none()).map(|entry| entry.name.as_str()).collect();
    if !secret.is_empty() {
        return Err(Failure::Invalid(format!(
            "All sensitive broker config entries must be specified for --alter, missing entries: Set({})",
            secret.join(", ")
        )));
    }
    let added = changes.added.iter().filter(|(key, _)| !changes.deleted.iter().any(|deleted| deleted == key));
    let added = added.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let kept = kept.into_iter().filter_map(|entry| Some((entry.name.clone(), entry.value.clone()?)));
    let configs: Vec<(String, String)> = kept.chain(added).collect();
    Ok(admin.replace_configs(&resource(EntityType::Brokers, name)?, &configs).await?)
}

fn check_deleted(changes: &Changes, is_there: impl Fn(&str) -> bool) -> Result<(), Failure> {
    let absent: Vec<&str> = changes.deleted.iter().map(String::as_str).filter(|key| !is_there(key)).collect();
    if absent.is_empty() {
        return Ok(());
    }
    Err(Failure::Invalid(format!("Invalid config(s): {}", absent.join(","))))
}

fn resource(kind: EntityType, name: &str) -> Result<ConfigResource, Failure> {
    let (resource_type, _) = kind
        .resource(name)
        .ok_or_else(|| Failure::Invalid(format!("Invalid entity type: {}", kind.name())))?;
    if kind == EntityType::Topics && !name.is_empty() {
        TopicName::new(name).validate().map_err(|error| AdminError::refused(17, Some(&error.to_string())))?;
    }
    Ok(ConfigResource { kind: resource_type, name: name.to_owned() })
}

/// The configs of an entity, its own or all that count, by name.
async fn own_configs(
    admin: &mut Admin,
    kind: EntityType,
    name: &str,
    all: bool,
) -> Result<Vec<ConfigEntry>, Failure> {
    let found = admin.describe_configs(&[resource(kind, name)?], true).await?;
    let entries = found.into_iter().flat_map(|(_, entries)| entries).collect();
    let source = kind.resource(name).and_then(|(_, source)| source).filter(|_| !all);
    Ok(show::chosen(entries, source))
}

async fn describe(
    admin: &mut Admin,
    kind: EntityType,
    name: Option<&String>,
    all: bool,
    as_json: bool,
) -> Result<(), Failure> {
    let names = match name {
        Some(name) => vec![name.clone()],
        None => every_name(admin, kind).await?,
    };
    let mut documents = Vec::new();
    for name in names {
        if !as_json {
            print!("{}", show::heading(kind, &name, all));
        }
        let entries = own_configs(admin, kind, &name, all).await?;
        if as_json {
            documents.push(show::json_configs(kind, &name, &entries));
        } else {
            print!("{}", show::lines(&entries));
        }
    }
    if as_json {
        println!("{}", serde_json::json!({ "entities": documents }));
    }
    Ok(())
}

async fn every_name(admin: &mut Admin, kind: EntityType) -> Result<Vec<String>, Failure> {
    match kind {
        EntityType::Topics => {
            let mut names: Vec<String> =
                admin.list_topics().await?.into_iter().map(|(name, _, _)| name).collect();
            show::sort_topics(&mut names);
            Ok(names)
        }
        EntityType::ClientMetrics => Err(Failure::Invalid(
            "client-metrics must be named: clusters on ZooKeeper have none to list".to_owned(),
        )),
        _ => {
            let brokers = admin.live_brokers().await?;
            Ok(brokers.iter().map(ToString::to_string).chain([String::new()]).collect())
        }
    }
}
