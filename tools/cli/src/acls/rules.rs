//! The resources and entries that flags mean (`AclCommand.getResourceFilterToAcls`). Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::flags::pattern_type;
use crate::admin::acls::{AclEntry, Operation, PatternType, Permission, ResourceKind, ResourcePattern};
use crate::admin::principal::{NoPrincipal, Principal};
use crate::command_line::{FlagError, Given};

/// Entries by resource.
pub type Rules = BTreeMap<ResourcePattern, BTreeSet<AclEntry>>;

/// Flags that mean nothing that can be done; the text is what Kafka's tool prints.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// A malformed flag.
    #[error(transparent)]
    Flag(#[from] FlagError),
    /// Not `type:name`.
    #[error(transparent)]
    Principal(#[from] NoPrincipal),
    /// No resource is named.
    #[error(
        "You must provide at least one resource: --topic <topic> or --cluster or --group <group> or --delegation-token \
         <Delegation Token ID>"
    )]
    NoResource,
    /// What a kind of resource cannot have done to it.
    #[error("ResourceType {kind} only supports operations {valid}")]
    Operation {
        /// The kind.
        kind: ResourceKind,
        /// What it can.
        valid: String,
    },
    /// A filter where a name must stand.
    #[error("A '--resource-pattern-type' value of '{0}' is not valid when adding acls.")]
    Pattern(PatternType),
    /// Nobody is named.
    #[error("You must specify one of: --allow-principal, --deny-principal when trying to add ACLs.")]
    NoPrincipal,
}

/// What can be done to each kind of resource, besides everything.
const SUPPORTED: [(ResourceKind, &[&str]); 6] = [
    (
        ResourceKind::TOPIC,
        &["READ", "WRITE", "CREATE", "DESCRIBE", "DELETE", "ALTER", "DESCRIBE_CONFIGS", "ALTER_CONFIGS"],
    ),
    (ResourceKind::GROUP, &["READ", "DESCRIBE", "DELETE"]),
    (
        ResourceKind::CLUSTER,
        &[
            "CREATE",
            "CLUSTER_ACTION",
            "DESCRIBE_CONFIGS",
            "ALTER_CONFIGS",
            "IDEMPOTENT_WRITE",
            "ALTER",
            "DESCRIBE",
        ],
    ),
    (ResourceKind::TRANSACTIONAL_ID, &["DESCRIBE", "WRITE"]),
    (ResourceKind::DELEGATION_TOKEN, &["DESCRIBE"]),
    (ResourceKind::USER, &["CREATE_TOKENS", "DESCRIBE_TOKENS"]),
];

/// Flags that name resources.
const NAMING: [(&str, ResourceKind); 5] = [
    ("topic", ResourceKind::TOPIC),
    ("group", ResourceKind::GROUP),
    ("transactional-id", ResourceKind::TRANSACTIONAL_ID),
    ("delegation-token", ResourceKind::DELEGATION_TOKEN),
    ("user-principal", ResourceKind::USER),
];

/// The cluster's name as a resource.
const CLUSTER_NAME: &str = "kafka-cluster";

fn cluster() -> ResourcePattern {
    ResourcePattern {
        kind: ResourceKind::CLUSTER,
        name: Some(CLUSTER_NAME.to_owned()),
        pattern: PatternType::LITERAL,
    }
}

/// The resources named.
pub fn resources(given: &Given) -> Result<BTreeSet<ResourcePattern>, RuleError> {
    let pattern = pattern_type(given)?;
    let mut found = BTreeSet::new();
    for (flag, kind) in NAMING {
        let names = given.values(flag).into_iter().map(|name| name.trim().to_owned());
        found.extend(names.map(|name| ResourcePattern { kind, name: Some(name), pattern }));
    }
    if pattern == PatternType::LITERAL && (given.has("cluster") || given.has("idempotent")) {
        found.insert(cluster());
    }
    Ok(found)
}

/// The principals of a flag.
pub fn principals(given: &Given, flag: &str) -> Result<Vec<String>, RuleError> {
    Ok(Principal::given(given, flag)?.iter().map(ToString::to_string).collect())
}

/// What to add.
pub fn to_add(given: &Given) -> Result<Rules, RuleError> {
    let pattern = pattern_type(given)?;
    if ![PatternType::LITERAL, PatternType::PREFIXED].contains(&pattern) {
        return Err(RuleError::Pattern(pattern));
    }
    let rules = to_remove(given)?;
    if rules.values().any(BTreeSet::is_empty) {
        return Err(RuleError::NoPrincipal);
    }
    Ok(rules)
}

/// What to remove; no entries are all of them.
pub fn to_remove(given: &Given) -> Result<Rules, RuleError> {
    let resources = resources(given)?;
    if resources.is_empty() {
        return Err(RuleError::NoResource);
    }
    let mut rules = Rules::new();
    if !given.has("producer") && !given.has("consumer") {
        let operations = operations(given);
        let entries = entries(given, &operations)?;
        rules.extend(resources.iter().map(|resource| (resource.clone(), entries.clone())));
    }
    let mut grant = |kinds: &[(ResourceKind, &[&str])]| -> Result<(), RuleError> {
        for (kind, names) in kinds {
            let operations: Vec<Operation> = names.iter().filter_map(|name| Operation::named(name)).collect();
            let entries = entries(given, &operations)?;
            for resource in resources.iter().filter(|resource| resource.kind == *kind) {
                rules.entry(resource.clone()).or_default().extend(entries.iter().cloned());
            }
        }
        Ok(())
    };
    if given.has("producer") {
        grant(&[
            (ResourceKind::TOPIC, &["WRITE", "DESCRIBE", "CREATE"]),
            (ResourceKind::TRANSACTIONAL_ID, &["WRITE", "DESCRIBE"]),
        ])?;
    }
    if given.has("consumer") {
        grant(&[(ResourceKind::TOPIC, &["READ", "DESCRIBE"]), (ResourceKind::GROUP, &["READ"])])?;
    }
    if given.has("producer") && given.has("idempotent") {
        let idempotent: Vec<Operation> = Operation::named("IDEMPOTENT_WRITE").into_iter().collect();
        rules.insert(cluster(), entries(given, &idempotent)?);
    }
    check_operations(&rules)?;
    Ok(rules)
}

/// `--operation`, `DescribeConfigs` or `DESCRIBECONFIGS`; unknown ones stay, to be refused by what they are done to.
fn operations(given: &Given) -> Vec<Operation> {
    let named = given.values("operation");
    if named.is_empty() {
        return vec![Operation::ALL];
    }
    let all = SUPPORTED.iter().flat_map(|(_, names)| names.iter().copied()).chain(["ALL", "ANY"]);
    let all: Vec<&str> = all.collect();
    let find = |text: &str| {
        let wanted = |name: &&&str| {
            pascal_case(name) == text.trim() || pascal_case(name).to_uppercase() == text.trim()
        };
        all.iter().find(wanted).and_then(|name| Operation::named(name))
    };
    // One that nothing supports stands for those that are not known.
    named
        .into_iter()
        .map(|text| find(text).or_else(|| Operation::named("ANY")).unwrap_or(Operation::ALL))
        .collect()
}

fn pascal_case(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| format!("{first}{}", letters.as_str().to_lowercase())).unwrap_or_default()
    };
    name.split('_').map(word).collect()
}

fn entries(given: &Given, operations: &[Operation]) -> Result<BTreeSet<AclEntry>, RuleError> {
    let mut found = BTreeSet::new();
    for (principals_flag, hosts_flag, permission) in [
        ("allow-principal", "allow-host", Permission::ALLOW),
        ("deny-principal", "deny-host", Permission::DENY),
    ] {
        let hosts = match given.values(hosts_flag) {
            hosts if hosts.is_empty() => vec!["*"],
            hosts => hosts,
        };
        for principal in principals(given, principals_flag)? {
            for host in &hosts {
                found.extend(operations.iter().map(|operation| AclEntry {
                    principal: principal.clone(),
                    host: host.trim().to_owned(),
                    operation: *operation,
                    permission,
                }));
            }
        }
    }
    Ok(found)
}

fn check_operations(rules: &Rules) -> Result<(), RuleError> {
    for (resource, entries) in rules {
        let supported = SUPPORTED.iter().find(|(kind, _)| *kind == resource.kind);
        let mut names: Vec<&str> = supported.map(|(_, names)| names.to_vec()).unwrap_or_default();
        names.push("ALL");
        let is_valid =
            |entry: &AclEntry| names.iter().any(|name| Operation::named(name) == Some(entry.operation));
        if !entries.iter().all(is_valid) {
            let valid: Vec<String> = names.iter().map(|name| pascal_case(name)).collect();
            return Err(RuleError::Operation { kind: resource.kind, valid: valid.join(", ") });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::parse;
    use crate::command_line::words;

    fn given(line: &str) -> Given {
        let words = words(line);
        parse(&crate::acls::flags::flags(), &words).unwrap()
    }

    #[track_caller]
    fn check(line: &str, expected: &[(&str, &[&str])]) {
        let rules = to_add(&given(line)).unwrap();
        let shown: Vec<(String, Vec<String>)> = rules
            .iter()
            .map(|(resource, entries)| {
                let name = resource.name.as_deref().unwrap_or_default();
                let entries = entries.iter().map(|entry| {
                    format!("{} {} {} {}", entry.permission, entry.principal, entry.host, entry.operation)
                });
                (format!("{} {name} {}", resource.kind, resource.pattern), entries.collect())
            })
            .collect();
        let expected: Vec<(String, Vec<String>)> = expected
            .iter()
            .map(|(resource, entries)| {
                ((*resource).to_owned(), entries.iter().map(ToString::to_string).collect())
            })
            .collect();
        assert_eq!(shown, expected, "{line}");
    }

    #[test]
    fn what_flags_mean() {
        check(
            "--topic t --allow-principal User:a --operation Read --operation DESCRIBECONFIGS",
            &[("TOPIC t LITERAL", &["ALLOW User:a * READ", "ALLOW User:a * DESCRIBE_CONFIGS"])],
        );
        check(
            "--group g --resource-pattern-type prefixed --deny-principal User:a --deny-host h",
            &[("GROUP g PREFIXED", &["DENY User:a h ALL"])],
        );
        check(
            "--producer --topic t --transactional-id x --idempotent --allow-principal User:a",
            &[
                (
                    "TOPIC t LITERAL",
                    &["ALLOW User:a * WRITE", "ALLOW User:a * CREATE", "ALLOW User:a * DESCRIBE"],
                ),
                ("CLUSTER kafka-cluster LITERAL", &["ALLOW User:a * IDEMPOTENT_WRITE"]),
                ("TRANSACTIONAL_ID x LITERAL", &["ALLOW User:a * WRITE", "ALLOW User:a * DESCRIBE"]),
            ],
        );
        check(
            "--consumer --topic t --group g --allow-principal User:a",
            &[
                ("TOPIC t LITERAL", &["ALLOW User:a * READ", "ALLOW User:a * DESCRIBE"]),
                ("GROUP g LITERAL", &["ALLOW User:a * READ"]),
            ],
        );
    }

    #[test]
    fn what_cannot_be_meant() {
        let refused = |line: &str| to_add(&given(line)).unwrap_err().to_string();
        assert!(refused("--allow-principal User:a").starts_with("You must provide at least one resource"));
        assert!(refused("--topic t").starts_with("You must specify one of: --allow-principal"));
        assert_eq!(
            refused("--topic t --allow-principal a"),
            "expected a string in format principalType:principalName but got a"
        );
        assert_eq!(
            refused("--topic t --allow-principal User:a --resource-pattern-type match"),
            "A '--resource-pattern-type' value of 'MATCH' is not valid when adding acls."
        );
        for operation in ["Write", "Nonsense"] {
            let line = format!("--group g --allow-principal User:a --operation {operation}");
            assert_eq!(
                refused(&line),
                "ResourceType GROUP only supports operations Read, Describe, Delete, All"
            );
        }
    }
}
