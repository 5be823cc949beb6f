//! `gregor acls`: kafka-acls.sh (`kafka.admin.AclCommand`).

mod flags;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use serde_json::json;

use crate::admin::acls::{AclEntry, ResourcePattern};
use crate::admin::{Admin, AdminError, connect};
use crate::command_line::{Given, Refusal};
use crate::report;
use rules::{RuleError, Rules};

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Rule(#[from] RuleError),
    #[error("{0}")]
    Connect(AdminError),
    #[error("{}", .0.java())]
    Admin(#[from] AdminError),
}

/// This tool's flags.
pub fn command() -> clap::Command {
    crate::command_line::command(&flags::flags())
}

/// Runs the tool.
pub async fn run(arguments: &[String]) -> ExitCode {
    let given = match flags::read(arguments) {
        Ok(given) => given,
        Err(refusal) => return refusal.report(&flags::flags()),
    };
    match act(&given).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Rule(error @ (RuleError::Principal(_) | RuleError::Flag(_)))) => {
            report::failure_on_stdout(format!("Error while executing ACL command: {error}"))
        }
        Err(Failure::Rule(error)) => Refusal::Usage(error.to_string()).report(&flags::flags()),
        Err(failure) => report::failure_on_stdout(format!("Error while executing ACL command: {failure}")),
    }
}

async fn act(given: &Given) -> Result<(), Failure> {
    if given.has("add") {
        let rules = rules::to_add(given)?;
        return add(&mut connect(given).map_err(Failure::Connect)?, &rules).await;
    }
    if given.has("remove") {
        let rules = rules::to_remove(given)?;
        return remove(&mut connect(given).map_err(Failure::Connect)?, &rules, given.has("force")).await;
    }
    list(given).await
}

fn lines(entries: &BTreeSet<AclEntry>) -> String {
    entries.iter().map(|entry| format!("\t{entry}")).collect::<Vec<_>>().join("\n")
}

async fn add(admin: &mut Admin, rules: &Rules) -> Result<(), Failure> {
    for (resource, entries) in rules {
        println!("Adding ACLs for resource `{resource}`: \n {} \n", lines(entries));
        admin.create_acls(resource, &entries.iter().cloned().collect::<Vec<_>>()).await?;
    }
    Ok(())
}

async fn remove(admin: &mut Admin, rules: &Rules, force: bool) -> Result<(), Failure> {
    for (filter, entries) in rules {
        let question = match entries.len() {
            0 => format!("Are you sure you want to delete all ACLs for resource filter `{filter}`? (y/n)"),
            _ => format!(
                "Are you sure you want to remove ACLs: \n {} \n from resource filter `{filter}`? (y/n)",
                lines(entries)
            ),
        };
        if force || is_confirmed(&question) {
            admin.delete_acls(filter, &entries.iter().cloned().collect::<Vec<_>>()).await?;
        }
    }
    Ok(())
}

fn is_confirmed(question: &str) -> bool {
    println!("{question}");
    let mut answer = String::new();
    // No answer is a no.
    let read = std::io::stdin().read_line(&mut answer);
    read.is_ok() && answer.trim_end_matches(['\r', '\n']).eq_ignore_ascii_case("y")
}

async fn list(given: &Given) -> Result<(), Failure> {
    let mut filters = rules::resources(given)?;
    if filters.is_empty() {
        filters.insert(ResourcePattern::ANY);
    }
    let principals = rules::principals(given, "principal")?;
    let mut admin = connect(given).map_err(Failure::Connect)?;
    let mut found = Rules::new();
    for filter in &filters {
        for (resource, entries) in admin.describe_acls(filter).await? {
            found.entry(resource).or_default().extend(entries);
        }
    }
    if given.has("json") {
        println!("{}", document(&found, &principals));
    } else if principals.is_empty() {
        print!("{}", current(&found));
    } else {
        for principal in principals {
            println!("ACLs for principal `{principal}`");
            print!("{}", current(&of_principal(&found, &principal)));
        }
    }
    Ok(())
}

fn of_principal(rules: &Rules, principal: &str) -> Rules {
    let mut own: Rules = rules.clone();
    for entries in own.values_mut() {
        entries.retain(|entry| entry.principal == principal);
    }
    own.retain(|_, entries| !entries.is_empty());
    own
}

fn current(rules: &Rules) -> String {
    let show = |(resource, entries): (&ResourcePattern, &BTreeSet<AclEntry>)| {
        format!("Current ACLs for resource `{resource}`: \n {} \n\n", lines(entries))
    };
    rules.iter().map(show).collect()
}

fn document(rules: &Rules, principals: &[String]) -> serde_json::Value {
    let mut shown: BTreeMap<&ResourcePattern, Vec<&AclEntry>> = BTreeMap::new();
    for (resource, entries) in rules {
        let wanted = |entry: &&AclEntry| principals.is_empty() || principals.contains(&entry.principal);
        shown.insert(resource, entries.iter().filter(wanted).collect());
    }
    shown.retain(|_, entries| !entries.is_empty());
    let resource = |(resource, entries): (&ResourcePattern, Vec<&AclEntry>)| {
        let entries = entries.iter().map(|entry| {
            json!({
                "principal": entry.principal,
                "host": entry.host,
                "operation": entry.operation.to_string(),
                "permissionType": entry.permission.to_string(),
            })
        });
        json!({
            "resourceType": resource.kind.to_string(),
            "name": resource.name,
            "patternType": resource.pattern.to_string(),
            "acls": entries.collect::<Vec<_>>(),
        })
    };
    json!({ "resources": shown.into_iter().map(resource).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::acls::{Operation, PatternType, Permission, ResourceKind};

    #[test]
    fn lists() {
        let entry = |principal: &str| AclEntry {
            principal: principal.to_owned(),
            host: "*".to_owned(),
            operation: Operation::ALL,
            permission: Permission::ALLOW,
        };
        let resource = ResourcePattern {
            kind: ResourceKind::TOPIC,
            name: Some("t".to_owned()),
            pattern: PatternType::LITERAL,
        };
        let rules = Rules::from([(resource, BTreeSet::from([entry("User:a"), entry("User:b")]))]);
        assert_eq!(
            current(&rules),
            "Current ACLs for resource `ResourcePattern(resourceType=TOPIC, name=t, patternType=LITERAL)`: \n \
             \t(principal=User:a, host=*, operation=ALL, permissionType=ALLOW)\n\
             \t(principal=User:b, host=*, operation=ALL, permissionType=ALLOW) \n\n"
        );
        assert_eq!(of_principal(&rules, "User:b").values().next().map(BTreeSet::len), Some(1));
        assert!(of_principal(&rules, "User:c").is_empty());
        assert_eq!(document(&rules, &[])["resources"][0]["acls"][1]["principal"], "User:b");
    }
}
