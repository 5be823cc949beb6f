//! `gregor dump-log`: kafka-dump-log.sh (`kafka.tools.DumpLogSegments`): what is in the files of a partition.
//!
//! Where Kafka ends with a stack trace, this ends with one line; where it prints the identity of a Java array
//! (`DefaultDecoder`), this prints the bytes. Files of KRaft and of tiered storage are not read.

mod decoder;
mod index_file;
mod log_file;
mod report;
mod state_file;
mod stored_batch;

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::command_line::{COMMON, Flag, Given, Refusal, help_or_version, parse, required};
use decoder::{Decoder, Plain};
use report::Report;

/// Why the tool ends early.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// A file cannot be shown; the words are Kafka's where it has some.
    #[error("{0}")]
    Message(String),
    /// Nobody reads what is printed.
    #[error(transparent)]
    Output(#[from] io::Error),
}

impl DumpError {
    fn message(reason: impl std::fmt::Display) -> DumpError {
        DumpError::Message(reason.to_string())
    }
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    files: Vec<PathBuf>,
    print_data: bool,
    deep_iteration: bool,
    verify_index_only: bool,
    index_sanity_check: bool,
    skip_record_metadata: bool,
    max_message_size: u32,
    max_bytes: u32,
    decoder: Decoder,
    /// What is said of decoders that have moved.
    notices: Vec<String>,
}

/// The flags of kafka-dump-log.sh.
fn flags() -> Vec<Flag> {
    let own = [
        Flag::valued("files", "file1, file2, ...", "REQUIRED: The files, separated by commas."),
        Flag::switch("print-data-log", "Print keys and values of records, too."),
        Flag::switch("deep-iteration", "Print records, not only batches."),
        Flag::switch("verify-index-only", "Check indexes against the log without printing them."),
        Flag::switch("index-sanity-check", "Check indexes as a broker does when it starts."),
        Flag::switch("skip-record-metadata", "Leave out what is not key or value of a record."),
        Flag::valued(
            "max-message-size",
            "size",
            "The largest batch to look for, in bytes (default: 5242880).",
        ),
        Flag::valued("max-bytes", "size", "Read so much of each .log, in bytes (default: all)."),
        Flag::switch("offsets-decoder", "The files are of __consumer_offsets."),
        Flag::switch("transaction-log-decoder", "The files are of __transaction_state."),
        Flag::switch("cluster-metadata-decoder", "The files are of KRaft: refused."),
        Flag::switch("remote-log-metadata-decoder", "The files are of tiered storage: refused."),
        Flag::optional(
            "key-decoder-class",
            "class",
            "How keys are shown: Kafka's String-, Long-, Integer- or DefaultDecoder.",
        ),
        Flag::optional("value-decoder-class", "class", "How values are shown, likewise."),
    ];
    [&own[..], &COMMON].concat()
}

/// This tool's flags.
pub fn command() -> clap::Command {
    crate::command_line::command(&flags())
}

/// Runs the tool.
pub async fn run(arguments: &[String]) -> ExitCode {
    let options = match read(arguments) {
        Ok(options) => options,
        Err(refusal) => return refusal.report(&flags()),
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let mut report = Report::default();
    let outcome = dump_all(&options, &mut out, &mut report).and_then(|()| Ok(out.flush()?));
    match outcome {
        Ok(()) => {
            eprint!("{report}");
            ExitCode::SUCCESS
        }
        Err(DumpError::Output(_)) => ExitCode::FAILURE,
        Err(error) => {
            // What was shown comes before what is wrong.
            let _ = out.flush();
            crate::report::failure(error)
        }
    }
}

fn read(arguments: &[String]) -> Result<Options, Refusal> {
    const ABOUT: &str = "This tool helps to parse a log file and dump its contents to the console, useful for debugging a \
                         seemingly corrupt log segment.";
    let given = parse(&flags(), arguments)?;
    help_or_version(arguments, &given, ABOUT)?;
    required(&given, &["files"])?;
    for refused in ["cluster-metadata-decoder", "remote-log-metadata-decoder"] {
        if given.has(refused) {
            return Err(Refusal::Plain(format!("--{refused}: clusters with ZooKeeper have no such files")));
        }
    }
    let mut notices = Vec::new();
    let decoder = if given.has("offsets-decoder") {
        Decoder::Offsets
    } else if given.has("transaction-log-decoder") {
        Decoder::Transactions
    } else {
        let value = plain(&given, "value-decoder-class", &mut notices)?;
        Decoder::Plain { key: plain(&given, "key-decoder-class", &mut notices)?, value }
    };
    let printing = [
        "print-data-log",
        "offsets-decoder",
        "transaction-log-decoder",
        "value-decoder-class",
        "key-decoder-class",
    ];
    let print_data = printing.iter().any(|name| given.has(name));
    let size = |name: &'static str, default: u32| {
        Ok::<_, Refusal>(given.number::<i32>(name)?.map_or(default, |size| u32::try_from(size).unwrap_or(0)))
    };
    Ok(Options {
        files: given.value("files")?.unwrap_or_default().split(',').map(PathBuf::from).collect(),
        print_data,
        deep_iteration: print_data || given.has("deep-iteration"),
        verify_index_only: given.has("verify-index-only"),
        index_sanity_check: given.has("index-sanity-check"),
        skip_record_metadata: given.has("skip-record-metadata"),
        max_message_size: size("max-message-size", 5 << 20)?,
        max_bytes: size("max-bytes", i32::MAX.unsigned_abs())?,
        decoder,
        notices,
    })
}

fn plain(given: &Given, name: &'static str, notices: &mut Vec<String>) -> Result<Plain, Refusal> {
    let Some(class) = given.value(name)? else { return Ok(Plain::Text) };
    let (plain, notice) = Plain::of_class(class)
        .ok_or_else(|| Refusal::Plain(format!("{name}: no decoder is called {class}")))?;
    notices.extend(notice);
    Ok(plain)
}

fn dump_all(options: &Options, out: &mut impl Write, report: &mut Report) -> Result<(), DumpError> {
    for path in &options.files {
        writeln!(out, "Dumping {}", path.display())?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match name.rsplit_once('.').map(|(_, ending)| ending) {
            Some("log") => {
                for notice in &options.notices {
                    writeln!(out, "{notice}")?;
                }
                log_file::dump(path, options, out, report)?;
            }
            Some("index") => index_file::dump_offsets(path, options, out, report)?,
            Some("timeindex") => index_file::dump_times(path, options, out, report)?,
            Some("snapshot") => state_file::dump_snapshot(path, out)?,
            Some("txnindex") => state_file::dump_transactions(path, out)?,
            _ => {
                out.flush()?;
                eprintln!("Ignoring unknown file {}", path.display());
            }
        }
    }
    Ok(())
}

/// A path from the root, as Kafka names files in what it finds.
fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}
