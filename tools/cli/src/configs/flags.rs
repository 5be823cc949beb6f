//! The flags of `gregor configs` and which of them go together (`ConfigCommandOptions.checkArgs`). Pure, but for looking up
//! the name of a host that is to have quotas.

use std::net::{IpAddr, ToSocketAddrs as _};

use super::entity::{DEFAULTS, EntityType, NAMING, names, types};
use crate::command_line::{
    BOOTSTRAP_SERVER, COMMAND_CONFIG, COMMON, Flag, Given, Refusal, conflicting, help_or_version, parse,
};

const ABOUT: &str = "This tool helps to manipulate and describe entity config for a topic, client, user, broker, ip or \
                     client-metrics";

const FLAGS: [Flag; 26] = [
    BOOTSTRAP_SERVER,
    Flag::valued(
        "bootstrap-controller",
        "controller to connect to",
        "Taken only to say that clusters on ZooKeeper have none.",
    ),
    Flag::valued("zookeeper", "urls", "Taken only to say that --bootstrap-server does this now."),
    Flag::valued("zk-tls-config-file", "properties file", "Belongs to --zookeeper."),
    COMMAND_CONFIG,
    Flag::switch("alter", "Change configs."),
    Flag::switch("describe", "Show configs."),
    Flag::switch("all", "With --describe: those that nobody set, too."),
    Flag::valued(
        "entity-type",
        "type",
        "topics, clients, users, brokers, broker-loggers, ips or client-metrics; users and clients may be given together.",
    ),
    Flag::valued(
        "entity-name",
        "name",
        "The entity: a topic, client id, user principal, broker id or address.",
    ),
    Flag::switch(
        "entity-default",
        "The defaults of clients, users, brokers or ips, whichever type stands before it.",
    ),
    Flag::valued("add-config", "k1=v1,k2=[v1,v2],...", "Configs to set; brackets hold values with commas."),
    Flag::valued("add-config-file", "properties file", "A file with configs to set."),
    Flag::valued("delete-config", "k1,k2", "Configs to delete, by commas."),
    Flag::switch("force", "Taken; nothing is asked."),
    Flag::valued("topic", "name", "The topic."),
    Flag::valued("client", "id", "The client."),
    Flag::switch("client-defaults", "The defaults of clients."),
    Flag::valued("user", "principal", "The user."),
    Flag::switch("user-defaults", "The defaults of users."),
    Flag::valued("broker", "id", "The broker."),
    Flag::switch("broker-defaults", "The defaults of brokers."),
    Flag::valued("broker-logger", "id", "The broker, for its log levels."),
    Flag::valued("ip", "address", "The address."),
    Flag::switch("ip-defaults", "The defaults of addresses."),
    Flag::switch("json", "With --describe: print a JSON document instead, for scripts."),
];

/// Every flag.
pub fn flags() -> Vec<Flag> {
    [&FLAGS[..], &COMMON].concat()
}

/// Whose configs, and what to do with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The types, one, or users and clients.
    pub types: Vec<EntityType>,
    /// The names; empty for defaults; none for all.
    pub names: Vec<String>,
}

/// Reads and checks a command line in the order in which Kafka's tool does.
pub fn read(arguments: &[String]) -> Result<(Given, Asked), Refusal> {
    let given = parse(&flags(), arguments)?;
    help_or_version(arguments, &given, ABOUT)?;
    if given.has("alter") == given.has("describe") {
        let message = "Command must include exactly one action: --describe, --alter";
        return Err(Refusal::Usage(message.to_owned()));
    }
    conflicting(&given, "describe", &["add-config", "delete-config"])?;
    let asked = Asked { types: check_types(&given)?, names: names(&given) };
    check_connection(&given)?;
    check_names(&given, &asked)?;
    if given.has("alter") {
        check_alter(&given, &asked)?;
    }
    Ok((given, asked))
}

fn plain<T>(message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Plain(message.into()))
}

fn check_types(given: &Given) -> Result<Vec<EntityType>, Refusal> {
    let words = types(given);
    let repeated: Vec<&str> = words
        .iter()
        .enumerate()
        .filter(|(index, word)| words[..*index].contains(word))
        .map(|(_, word)| word.as_str())
        .collect();
    if !repeated.is_empty() {
        return plain(format!("Duplicate entity type(s) specified: {}", repeated.join(",")));
    }
    let find = |word: &String| {
        EntityType::ALL.into_iter().find(|entity| entity.name() == word).ok_or_else(|| {
            let known: Vec<&str> = EntityType::ALL.iter().map(|entity| entity.name()).collect();
            Refusal::Plain(format!(
                "Invalid entity type {word}, the entity type must be one of {} with a --bootstrap-server or \
                 --bootstrap-controller argument",
                known.join(", ")
            ))
        })
    };
    let found = words.iter().map(find).collect::<Result<Vec<EntityType>, _>>()?;
    let both = [EntityType::Users, EntityType::Clients];
    match found[..] {
        [] => return plain("At least one entity type must be specified"),
        [_] => {}
        _ if found.len() == 2 && both.iter().all(|entity| found.contains(entity)) => {}
        _ => return plain("Only 'users' and 'clients' entity types may be specified together"),
    }
    let general = ["entity-name", "entity-type", "entity-default"].iter().any(|flag| given.has(flag));
    let specific = NAMING.iter().chain(&DEFAULTS).any(|(flag, _)| given.has(flag));
    if general && specific {
        return plain(
            "--entity-{type,name,default} should not be used in conjunction with specific entity flags",
        );
    }
    Ok(found)
}

fn check_connection(given: &Given) -> Result<(), Refusal> {
    let ways = ["bootstrap-server", "bootstrap-controller", "zookeeper"];
    match ways.iter().filter(|way| given.has(way)).count() {
        0 => plain(
            "One of the required --bootstrap-server, --boostrap-controller, or --zookeeper arguments must be specified",
        ),
        1 if given.has("zookeeper") => {
            plain("--zookeeper is deprecated and not taken: configs are changed with --bootstrap-server")
        }
        1 if given.has("bootstrap-controller") => {
            plain("--bootstrap-controller is not taken: clusters on ZooKeeper have no such controllers")
        }
        1 if given.has("zk-tls-config-file") => {
            plain("Only the --zookeeper option can be used with the --zk-tls-config-file option.")
        }
        1 => Ok(()),
        _ => plain("Only one of --bootstrap-server, --boostrap-controller, and --zookeeper can be specified"),
    }
}

fn check_names(given: &Given, asked: &Asked) -> Result<(), Refusal> {
    let Some(first) = asked.types.first() else { return Ok(()) };
    let named: Vec<&String> = asked.names.iter().filter(|name| !name.is_empty()).collect();
    let by_id = [EntityType::Brokers, EntityType::BrokerLoggers];
    if by_id.contains(first)
        && let Some(name) = named.iter().find(|name| name.parse::<i32>().is_err())
    {
        let kind = first.name();
        return plain(format!(
            "The entity name for {kind} must be a valid integer broker id, but it is: {name}"
        ));
    }
    if *first == EntityType::Ips
        && let Some(name) = named.iter().find(|name| !is_host(name))
    {
        return plain(format!(
            "The entity name for ips must be a valid IP or resolvable host, but it is: {name}"
        ));
    }
    if given.has("describe") && *first == EntityType::BrokerLoggers && named.is_empty() {
        return plain("an entity name must be specified with --describe of broker-loggers");
    }
    Ok(())
}

fn is_host(name: &str) -> bool {
    name.parse::<IpAddr>().is_ok()
        || (name, 0).to_socket_addrs().is_ok_and(|mut found| found.next().is_some())
}

fn check_alter(given: &Given, asked: &Asked) -> Result<(), Refusal> {
    let with_defaults = [EntityType::Users, EntityType::Clients, EntityType::Brokers, EntityType::Ips];
    let has_name = asked.names.iter().any(|name| !name.is_empty());
    let has_default = asked.names.iter().any(String::is_empty);
    if asked.types.iter().any(|entity| with_defaults.contains(entity)) {
        if !has_name && !has_default {
            return plain(
                "an entity-name or default entity must be specified with --alter of users, clients, brokers or ips",
            );
        }
    } else if !has_name {
        let kinds: Vec<&str> = asked.types.iter().map(|entity| entity.name()).collect();
        return plain(format!("an entity name must be specified with --alter of {}", kinds.join(",")));
    }
    if given.has("add-config") && given.has("add-config-file") {
        return plain("Only one of --add-config or --add-config-file must be specified");
    }
    if !["add-config", "add-config-file", "delete-config"].iter().any(|flag| given.has(flag)) {
        return plain(
            "At least one of --add-config, --add-config-file, or --delete-config must be specified with --alter",
        );
    }
    if asked.types.len() != asked.names.len() {
        return plain("An entity name must be specified for every entity type");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::words;

    #[track_caller]
    fn check(line: &str, expected: Result<(), &str>) {
        let line = format!("--bootstrap-server a:1 {line}");
        let words = words(&line);
        let answer = read(&words).map(drop).map_err(|refusal| refusal.to_string());
        assert_eq!(answer, expected.map_err(str::to_owned), "{line}");
    }

    #[test]
    fn combinations() {
        check("--describe --topic t", Ok(()));
        check("--describe --entity-type brokers --all", Ok(()));
        check("--topic t", Err("Command must include exactly one action: --describe, --alter"));
        check("--describe", Err("At least one entity type must be specified"));
        check(
            "--describe --topic t --add-config a=b",
            Err("Option \"[describe]\" can't be used with option \"[add-config]\""),
        );
        check(
            "--describe --topic t --user u",
            Err("Only 'users' and 'clients' entity types may be specified together"),
        );
        check("--describe --user u --client c", Ok(()));
        check(
            "--describe --entity-type topics --entity-type topics",
            Err("Duplicate entity type(s) specified: topics"),
        );
        check(
            "--describe --entity-type things",
            Err(
                "Invalid entity type things, the entity type must be one of topics, clients, users, brokers, ips, \
                 broker-loggers, client-metrics with a --bootstrap-server or --bootstrap-controller argument",
            ),
        );
        check(
            "--describe --broker x",
            Err("The entity name for brokers must be a valid integer broker id, but it is: x"),
        );
        check("--describe --ip 127.0.0.1", Ok(()));
        check(
            "--describe --entity-type broker-loggers",
            Err("an entity name must be specified with --describe of broker-loggers"),
        );
    }

    #[test]
    fn alterations() {
        check("--alter --topic t --add-config a=b", Ok(()));
        check(
            "--alter --topic t",
            Err(
                "At least one of --add-config, --add-config-file, or --delete-config must be specified with --alter",
            ),
        );
        check(
            "--alter --entity-type topics --add-config a=b",
            Err("an entity name must be specified with --alter of topics"),
        );
        check(
            "--alter --entity-type brokers --add-config a=b",
            Err(
                "an entity-name or default entity must be specified with --alter of users, clients, brokers or ips",
            ),
        );
        check("--alter --broker-defaults --delete-config a", Ok(()));
    }
}
