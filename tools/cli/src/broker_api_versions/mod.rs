//! `gregor broker-api-versions`: kafka-broker-api-versions.sh (`kafka.admin.BrokerApiVersionsCommand`): what each broker
//! speaks, and which version the tools of Kafka 3.9 would use.

mod names;
mod show;

use std::process::ExitCode;

use crate::admin::{Admin, AdminError, Target, connect};
use crate::command_line::{
    BOOTSTRAP_SERVER, COMMAND_CONFIG, COMMON, Flag, Given, Refusal, help_or_version, parse, required,
};
use crate::report;
use show::{BrokerVersions, json, text};

/// The flags of kafka-broker-api-versions.sh, and `--json`.
fn flags() -> Vec<Flag> {
    let own = [
        BOOTSTRAP_SERVER,
        COMMAND_CONFIG,
        Flag::switch("json", "Print a JSON document instead, for scripts."),
    ];
    [&own[..], &COMMON].concat()
}

/// This tool's flags.
pub fn command() -> clap::Command {
    crate::command_line::command(&flags())
}

fn read(arguments: &[String]) -> Result<Given, Refusal> {
    let given = parse(&flags(), arguments)?;
    help_or_version(arguments, &given, "This tool helps to retrieve broker version information.")?;
    required(&given, &["bootstrap-server"])?;
    Ok(given)
}

/// Runs the tool.
pub async fn run(arguments: &[String]) -> ExitCode {
    let given = match read(arguments) {
        Ok(given) => given,
        Err(refusal) => return refusal.report(&flags()),
    };
    let outcome = match connect(&given) {
        Ok(mut admin) => ask_all(&mut admin).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(brokers) if given.has("json") => println!("{}", json(&brokers)),
        Ok(brokers) => print!("{}", text(&brokers)),
        Err(error) => return report::failure(error),
    }
    ExitCode::SUCCESS
}

async fn ask_all(admin: &mut Admin) -> Result<Vec<BrokerVersions>, AdminError> {
    let nodes = admin.describe_cluster().await?.nodes;
    let mut brokers = Vec::new();
    for node in nodes.into_values() {
        let peer = admin.peer(Target::Broker(node.id)).await;
        let versions = peer.map(|peer| peer.versions.response).map_err(|error| error.to_string());
        brokers.push(BrokerVersions { node, versions });
    }
    Ok(brokers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::words;

    #[test]
    fn flags_are_checked() {
        for (line, expected) in [
            ("--bootstrap-server a:1", Ok(())),
            ("--json", Err("Missing required argument \"[bootstrap-server]\"")),
            ("", Err("This tool helps to retrieve broker version information.")),
            ("--bootstrap-server", Err("Option bootstrap-server requires an argument")),
        ] {
            let words = words(line);
            let answer = read(&words).map(drop).map_err(|refusal| refusal.to_string());
            assert_eq!(answer, expected.map_err(str::to_owned), "{line}");
        }
    }
}
