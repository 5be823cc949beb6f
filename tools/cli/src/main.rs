//! `gregor`: the command-line tools, one per first word, with the flags and output of Kafka's own.

mod admin;
mod broker_api_versions;
mod cluster;
mod command_line;
mod completion;
mod configs;
mod console;
mod consumer_groups;
mod delete_records;
mod dev;
mod get_offsets;
mod java_map;
mod json;
mod leader_election;
mod log_dirs;
mod reassign_partitions;
mod report;
mod table;
mod tool;
mod topics;
mod transactions;

use std::process::ExitCode;

use tool::{Tool, overview, tools};

/// First words, and what they do.
const TOOLS: &[Tool] = tools! {
    "topics" => topics, "create, list, describe, alter and delete topics (kafka-topics)";
    "configs" => configs, "show and change configs, quotas and SCRAM credentials (kafka-configs)";
    "consumer-groups" => consumer_groups, "list, describe, reset and delete consumer groups (kafka-consumer-groups)";
    "reassign-partitions" => reassign_partitions, "move partitions between brokers (kafka-reassign-partitions)";
    "leader-election" => leader_election, "elect leaders of partitions (kafka-leader-election)";
    "get-offsets" => get_offsets, "show offsets of partitions (kafka-get-offsets)";
    "delete-records" => delete_records, "delete records before an offset (kafka-delete-records)";
    "log-dirs" => log_dirs, "show log directories of brokers (kafka-log-dirs)";
    "transactions" => transactions, "list, describe and abort transactions (kafka-transactions)";
    "broker-api-versions" => broker_api_versions, "show which API versions each broker speaks (kafka-broker-api-versions)";
    "console" => console, "serve a web page that shows a cluster";
    "cluster" => cluster, "show the cluster's id (kafka-cluster)";
    "dev" => dev, "run a whole cluster on this machine, for development";
    "completion" => completion, "print a completion script for bash, zsh or fish";
};

fn main() -> ExitCode {
    end_quietly_when_nobody_reads();
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        eprint!("{}", overview(TOOLS));
        return ExitCode::FAILURE;
    };
    match name.as_str() {
        "--version" => println!("{}", env!("CARGO_PKG_VERSION")),
        "--help" | "help" => print!("{}", overview(TOOLS)),
        name => match TOOLS.iter().find(|tool| tool.name == name) {
            Some(tool) => return run(tool, arguments.collect()),
            None => {
                eprint!("gregor: no tool is called {name}\n{}", overview(TOOLS));
                return ExitCode::FAILURE;
            }
        },
    }
    ExitCode::SUCCESS
}

fn run(tool: &Tool, arguments: Vec<String>) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on((tool.run)(arguments)),
        Err(error) => {
            eprintln!("gregor: cannot start the runtime: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `gregor ... | head` closes stdout before everything is printed; then there is nobody left to tell.
fn end_quietly_when_nobody_reads() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let message = panic.payload_as_str().unwrap_or_default();
        if message.starts_with("failed printing to stdout") {
            std::process::exit(0);
        }
        tell(panic);
    }));
}
