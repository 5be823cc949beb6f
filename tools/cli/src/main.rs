//! `gregor`: the command-line tools, one per first word, with the flags and output of Kafka's own.

mod admin;
mod command_line;
mod dev;
mod java_map;
mod topics;

use std::process::ExitCode;

/// First words, and what they do.
const TOOLS: [(&str, &str); 2] = [
    ("topics", "create, list, describe, alter and delete topics (kafka-topics)"),
    ("dev", "run a whole cluster on this machine, for development"),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((tool, rest)) = arguments.split_first() else {
        eprint!("{}", overview());
        return ExitCode::FAILURE;
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("gregor: cannot start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match tool.as_str() {
        "topics" => runtime.block_on(topics::run(rest)),
        "dev" => runtime.block_on(dev::run(rest)),
        "--version" => {
            println!("{}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        "--help" | "help" => {
            print!("{}", overview());
            ExitCode::SUCCESS
        }
        other => {
            eprint!("gregor: no tool is called {other}\n{}", overview());
            ExitCode::FAILURE
        }
    }
}

fn overview() -> String {
    let lines = TOOLS.iter().map(|(name, what)| format!("  {name:8}  {what}\n"));
    format!(
        "Usage: gregor TOOL [FLAGS]\n{}Each tool explains its flags with --help.\n",
        lines.collect::<String>()
    )
}
