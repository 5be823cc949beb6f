//! Benchmarks, run by tests/bench. Each case prints its tables: Gregor's figures, and Apache Kafka's from the same run.

mod compaction;
mod controller;
mod groups;
mod log;
mod race;
mod recovery;
mod start;
mod stored;

use anyhow::{Context as _, Result, bail};
use gregor_harness::TestContext;
use gregor_harness::java::kafka_libs;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::path::Path;

const CASES: [&str; 7] = ["start", "log", "recovery", "compaction", "controller", "race", "groups"];
/// Heap of an Apache Kafka that is measured: its start script's default.
const KAFKAS_HEAP_MEBIBYTES: u32 = 1_024;

fn main() -> Result<()> {
    raise_open_files()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *words {
        // What `recovery` runs in processes of their own.
        ["recovery-fill", dir, partitions] => recovery::fill(Path::new(dir), partitions.parse()?),
        ["recovery-open", dir] => recovery::open(Path::new(dir)),
        [] => run(&CASES),
        ref cases => run(cases),
    }
}

/// As many files as this process may open: what a broker does when it starts.
fn raise_open_files() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?)
}

fn run(cases: &[&str]) -> Result<()> {
    let is_known = |case: &str| match case.split_once('.') {
        Some(("groups", part)) => groups::PARTS.contains(&part),
        Some(("race", part)) => race::PARTS.contains(&part),
        _ => CASES.contains(&case),
    };
    if let Some(unknown) = cases.iter().find(|case| !is_known(case)) {
        bail!("no benchmark is called {unknown}; there are: {}", CASES.join(", "));
    }
    let with_kafka = kafka_libs().is_ok();
    if !with_kafka {
        println!("(without Apache Kafka beside it: `tests/run interop` fetches its jars)");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    for case in cases {
        let dir = tempfile::Builder::new().prefix("gregor-bench-").tempdir()?;
        let context = TestContext::in_directory(dir.path());
        match *case {
            "start" => runtime.block_on(start::run(&context, with_kafka)),
            "log" => log::run(&context),
            "recovery" => runtime.block_on(recovery::run(&context, with_kafka)),
            "compaction" => runtime.block_on(compaction::run(&context, with_kafka)),
            "race" => runtime.block_on(race::run(&context, with_kafka, &race::PARTS)),
            "controller" => runtime.block_on(controller::run(&context, with_kafka)),
            "groups" => runtime.block_on(groups::run(&context, with_kafka, &groups::PARTS)),
            part => match part.split_once('.') {
                Some(("race", part)) => runtime.block_on(race::run(&context, with_kafka, &[part])),
                _ => {
                    let part = part.trim_start_matches("groups.");
                    runtime.block_on(groups::run(&context, with_kafka, &[part]))
                }
            },
        }
        .with_context(|| format!("benchmark {case}"))?;
    }
    Ok(())
}
