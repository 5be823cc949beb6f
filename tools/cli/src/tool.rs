//! What a tool is to the program: its first word, its flags (for completion) and its entry. A tool's module gives `command`
//! and `run`; the table in `main.rs` has a line for each.

use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;

/// What a tool's entry gives back.
pub type Running = Pin<Box<dyn Future<Output = ExitCode>>>;

/// One tool.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    /// The first word that chooses it.
    pub name: &'static str,
    /// What it is for, in the overview.
    pub about: &'static str,
    /// Its flags, as shells complete them.
    pub command: fn() -> clap::Command,
    /// Runs it with the words after its name.
    pub run: fn(Vec<String>) -> Running,
}

/// Makes the table of tools: `"name" => module, "what it is for";`.
macro_rules! tools {
    ($($name:literal => $module:ident, $about:literal;)*) => {
        &[$(Tool {
            name: $name,
            about: $about,
            command: $module::command,
            run: |arguments| Box::pin(async move { $module::run(&arguments).await }),
        }),*]
    };
}
pub(crate) use tools;

/// The whole program as clap sees it: for completion only, as Kafka's tools read their flags their own way.
pub fn program(tools: &[Tool]) -> clap::Command {
    let program =
        clap::Command::new("gregor").about("The tools of a Kafka cluster").version(env!("CARGO_PKG_VERSION"));
    let subcommand = |tool: &Tool| (tool.command)().name(tool.name).about(tool.about);
    program.subcommands(tools.iter().map(subcommand))
}

/// What `gregor` says of itself.
pub fn overview(tools: &[Tool]) -> String {
    let width = tools.iter().map(|tool| tool.name.len()).max().unwrap_or(0);
    let lines = tools.iter().map(|Tool { name, about, .. }| format!("  {name:width$}  {about}\n"));
    format!(
        "Usage: gregor TOOL [FLAGS]\n{}Each tool explains its flags with --help.\n",
        lines.collect::<String>()
    )
}
