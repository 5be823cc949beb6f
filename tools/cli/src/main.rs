//! `gregor`: the command-line tools, one per first word, with the flags and output of Kafka's own.

mod admin;
mod broker_api_versions;
mod command_line;
mod completion;
mod console;
mod dev;
mod java_map;
mod report;
mod tool;
mod topics;

use std::process::ExitCode;

use tool::{Tool, overview, tools};

/// First words, and what they do.
const TOOLS: &[Tool] = tools! {
    "topics" => topics, "create, list, describe, alter and delete topics (kafka-topics)";
    "broker-api-versions" => broker_api_versions, "show which API versions each broker speaks (kafka-broker-api-versions)";
    "console" => console, "serve a web page that shows a cluster";
    "dev" => dev, "run a whole cluster on this machine, for development";
    "completion" => completion, "print a completion script for bash, zsh or fish";
};

fn main() -> ExitCode {
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
