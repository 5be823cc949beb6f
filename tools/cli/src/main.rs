//! `gregor`: the command-line tools, one per first word, with the flags and output of Kafka's own.

mod acls;
mod admin;
mod broker_api_versions;
mod cluster;
mod command_line;
mod completion;
mod configs;
mod console;
mod console_consumer;
mod console_producer;
mod consumer_groups;
mod consumer_perf_test;
mod delegation_tokens;
mod delete_records;
mod dev;
mod doctor;
mod dump_log;
mod get_offsets;
mod internal_topic;
mod interrupt;
mod java_map;
mod json;
mod key_values;
mod leader_election;
mod log_dirs;
mod perf;
mod producer_perf_test;
mod reassign_partitions;
mod report;
mod table;
mod tool;
mod topics;
mod transactions;
mod verifiable;

use std::process::ExitCode;

use tool::{Tool, overview, tools};
use verifiable::{consumer as verifiable_consumer, producer as verifiable_producer};

/// First words, and what they do.
const TOOLS: &[Tool] = tools! {
    "topics" => topics, "create, list, describe, alter and delete topics (kafka-topics)";
    "configs" => configs, "show and change configs, quotas and SCRAM credentials (kafka-configs)";
    "acls" => acls, "show and change access control lists (kafka-acls)";
    "consumer-groups" => consumer_groups, "list, describe, reset and delete consumer groups (kafka-consumer-groups)";
    "reassign-partitions" => reassign_partitions, "move partitions between brokers (kafka-reassign-partitions)";
    "leader-election" => leader_election, "elect leaders of partitions (kafka-leader-election)";
    "get-offsets" => get_offsets, "show offsets of partitions (kafka-get-offsets)";
    "delete-records" => delete_records, "delete records before an offset (kafka-delete-records)";
    "log-dirs" => log_dirs, "show log directories of brokers (kafka-log-dirs)";
    "transactions" => transactions, "list, describe and abort transactions (kafka-transactions)";
    "delegation-tokens" => delegation_tokens, "create, renew, expire and describe delegation tokens (kafka-delegation-tokens)";
    "broker-api-versions" => broker_api_versions, "show which API versions each broker speaks (kafka-broker-api-versions)";
    "console" => console, "serve a web page that shows a cluster";
    "cluster" => cluster, "show the cluster's id (kafka-cluster)";
    "dump-log" => dump_log, "show what is in the files of a partition (kafka-dump-log)";
    "console-producer" => console_producer, "send each line of stdin as a record (kafka-console-producer)";
    "console-consumer" => console_consumer, "print records (kafka-console-consumer)";
    "producer-perf-test" => producer_perf_test, "measure producing (kafka-producer-perf-test)";
    "consumer-perf-test" => consumer_perf_test, "measure consuming (kafka-consumer-perf-test)";
    "verifiable-producer" => verifiable_producer, "send numbers, and tell as JSON what became of them (kafka-verifiable-producer)";
    "verifiable-consumer" => verifiable_consumer, "read as a member of a group, and tell as JSON what happens (kafka-verifiable-consumer)";
    "doctor" => doctor, "examine data directories that no broker has open, and repair them";
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
    match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
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
