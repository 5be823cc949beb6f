//! `gregor dump-log` prints what kafka-dump-log prints of the same files, sound and damaged; and kafka-dump-log finds nothing
//! wrong with what `gregor doctor` has repaired.
//!
//! Where the tools differ on purpose: a failure is one line instead of a stack trace; `DefaultDecoder` prints bytes instead
//! of the identity of a Java array; files of KRaft and of tiered storage are refused.

use crate::damages::DAMAGES;
use crate::data_dir::DataDir;
use anyhow::{Context as _, Result, ensure};
use gregor_harness::broker::gregor_binary;
use gregor_harness::java::{kafka_tool, run_with_input};
use gregor_harness::process::CommandLine;
use gregor_harness::{TestContext, run_within};
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

const KAFKA: &str = "kafka.tools.DumpLogSegments";
/// A JVM starts for every command.
const DEADLINE: Duration = Duration::from_secs(240);

fn joined(files: &[PathBuf]) -> String {
    files.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(",")
}

async fn gregor(tool: &str, arguments: &[&str]) -> Result<Output> {
    let line = CommandLine::new(gregor_binary("gregor")?.display().to_string())
        .arg(tool)
        .args(arguments.iter().copied());
    run_with_input(line.command(), b"").await
}

/// Runs both tools with the same flags; they must say the same, on stderr as well.
async fn compare(context: &TestContext, arguments: &[&str]) -> Result<()> {
    let kafka = kafka_tool(context.dir(), KAFKA, arguments, b"").await?;
    let ours = gregor("dump-log", arguments).await?;
    let (expected, actual) = (lines(&kafka.stdout), lines(&ours.stdout));
    if let Some(at) = (0..expected.len().max(actual.len())).find(|at| expected.get(*at) != actual.get(*at)) {
        anyhow::bail!(
            "{} line {}: Kafka's tool says {:?}, gregor {:?}",
            arguments[2..].join(" "),
            at + 1,
            expected.get(at),
            actual.get(at)
        );
    }
    ensure!(
        kafka.status.success() == ours.status.success(),
        "{arguments:?}: {} and {}",
        kafka.status,
        ours.status
    );
    if kafka.status.success() {
        let (expected, actual) = (lines(&kafka.stderr), lines(&ours.stderr));
        ensure!(expected == actual, "{arguments:?}: Kafka's tool says {expected:?}, gregor {actual:?}");
    } else {
        // The message stands in the first line of the stack trace.
        let (trace, line) = (String::from_utf8_lossy(&kafka.stderr), String::from_utf8_lossy(&ours.stderr));
        let message = trace.lines().next().unwrap_or_default();
        let ours = line.trim();
        ensure!(!ours.is_empty() && ours.lines().count() == 1, "{arguments:?}: {line}");
        ensure!(message.contains(ours), "{arguments:?}: Kafka's tool says {message:?}, gregor {ours:?}");
    }
    Ok(())
}

fn lines(output: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(output).lines().map(str::to_owned).collect()
}

#[test]
fn dump_log_prints_what_kafka_dump_log_prints() {
    run_within(DEADLINE, async |context| {
        let dir = DataDir::build()?;
        let all = joined(&dir.dumpable()?);
        let logs = joined(&[dir.files("orders-0", ".log")?, dir.files("old-0", ".log")?].concat());
        let of = |topic: &str| Ok::<_, anyhow::Error>(joined(&dir.files(topic, ".log")?));
        let (groups, transactions) = (of("__consumer_offsets-0")?, of("__transaction_state-0")?);
        let indexes =
            joined(&[dir.files("orders-0", ".index")?, dir.files("orders-0", ".timeindex")?].concat());
        let long = "org.apache.kafka.tools.api.LongDecoder";
        for arguments in [
            vec!["--files", &all],
            vec!["--files", &logs, "--print-data-log"],
            vec!["--files", &logs, "--deep-iteration", "--max-bytes", "3000"],
            vec!["--files", &logs, "--print-data-log", "--skip-record-metadata"],
            vec!["--files", &indexes, "--verify-index-only"],
            vec!["--files", &indexes, "--index-sanity-check"],
            vec!["--files", &groups, "--offsets-decoder"],
            vec!["--files", &transactions, "--transaction-log-decoder"],
            vec![
                "--files",
                &groups,
                "--value-decoder-class",
                "kafka.serializer.StringDecoder",
                "--key-decoder-class",
                long,
            ],
        ] {
            compare(context, &arguments).await?;
        }
        Ok(())
    });
}

#[test]
fn dump_log_says_what_kafka_dump_log_says_of_damage() {
    run_within(DEADLINE, async |context| {
        let good = DataDir::build()?;
        for name in [
            "a flipped bit in the last segment",
            "zeros behind the last batch",
            "an index that points between batches",
            "a time index with another time",
            "a snapshot with a flipped bit",
        ] {
            let damage = DAMAGES.iter().find(|damage| damage.name == name).context("no such damage")?;
            let dir = good.copy()?;
            (damage.inflict)(&dir)?;
            let mut files = Vec::new();
            for ending in [".snapshot", ".index", ".timeindex", ".log"] {
                files.extend(dir.files("orders-0", ending)?);
            }
            compare(context, &["--files", &joined(&files)]).await.context(name)?;
        }
        Ok(())
    });
}

#[test]
fn kafka_dump_log_accepts_what_doctor_repaired() {
    run_within(DEADLINE, async |context| {
        let good = DataDir::build()?;
        let mut dirs = Vec::new();
        let mut files = Vec::new();
        for damage in DAMAGES {
            let dir = good.copy()?;
            (damage.inflict)(&dir)?;
            let path = dir.path().display().to_string();
            // Whether it was sound, or could be repaired as a whole, is not the question here.
            gregor("doctor", &["--repair", "--yes", &path]).await?;
            files.extend(dir.dumpable()?);
            dirs.push(dir);
        }
        let files = joined(&files);
        let arguments = ["--files", &files, "--deep-iteration"];
        let output = kafka_tool(context.dir(), KAFKA, &arguments, b"").await?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "kafka-dump-log: {}", String::from_utf8_lossy(&output.stderr));
        ensure!(!said.contains("isvalid: false"), "a batch is not valid");
        ensure!(!said.contains("invalid bytes at the end"), "there are bytes behind the last batch");
        let complaints: Vec<String> = lines(&output.stderr);
        ensure!(complaints.is_empty(), "kafka-dump-log says {complaints:?}");
        let checked =
            kafka_tool(context.dir(), KAFKA, &["--files", &files, "--index-sanity-check"], b"").await?;
        ensure!(checked.status.success(), "kafka-dump-log: {}", String::from_utf8_lossy(&checked.stderr));
        Ok(())
    });
}
