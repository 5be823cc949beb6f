//! `gregor-broker`: one broker, configured by Kafka's `server.properties`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, ValueEnum};
use gregor_broker::lifecycle;
use gregor_broker::log_levels::LogLevels;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt, reload};

/// Requests are decoded on one worker and freed on another, where their coordinator runs.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Runs one broker of a Kafka cluster that is coordinated by ZooKeeper.
#[derive(Debug, Parser)]
#[command(name = "gregor-broker", version)]
struct Flags {
    /// Sets a property, over what the file and the environment say; may be repeated
    #[arg(long = "override", value_name = "KEY=VALUE", action = clap::ArgAction::Append)]
    overrides: Vec<String>,

    /// How log lines look
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,

    /// Kafka's configuration file
    #[arg(value_name = "server.properties")]
    properties: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    /// A line of text per event
    Text,
    /// A line of JSON per event
    Json,
}

/// What is logged when `RUST_LOG` does not say; the ZooKeeper client tells at `info` what `gregor_zookeeper` tells too.
const DEFAULT_FILTER: &str = "info,kafka.request.logger=warn,zookeeper_client=warn";

/// Threads that run tasks, but for one: the hot paths are short, so more of them buy memory and wake-ups only.
const WORKER_THREADS_MAX: usize = 4;
/// One is kept out of appends, lest a stalled disk hold them all. It is beyond the others, who have the processors.
const SPARE_WORKER_THREADS: usize = 1;

fn main() -> ExitCode {
    let flags = match Flags::try_parse() {
        Ok(flags) => flags,
        Err(help) => {
            // Help and version are asked for; everything else is a mistake, and exits with 1 as Kafka does.
            let _ = help.print();
            return if help.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    let log_levels = start_logging(flags.log_format);
    let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, WORKER_THREADS_MAX)
        + SPARE_WORKER_THREADS;
    let runtime =
        match tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return fail(&format!("cannot start the runtime: {error}")),
        };
    let ended = runtime.block_on(lifecycle::run(&flags.properties, &flags.overrides, log_levels));
    // What still runs is a recovery that was given up: it must not keep the process.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&chain(&error)),
    }
}

/// The error and its causes, but for those that it has told already.
fn chain(error: &anyhow::Error) -> String {
    error.chain().skip(1).fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    })
}

fn fail(message: &str) -> ExitCode {
    // One line, whatever the message holds.
    eprintln!("gregor-broker: {}", message.replace('\n', " "));
    ExitCode::FAILURE
}

/// Starts logging, with levels that administrators may change later.
fn start_logging(format: LogFormat) -> Arc<LogLevels> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let level = filter.max_level_hint().unwrap_or(LevelFilter::INFO);
    let (filter, handle) = reload::Layer::new(filter);
    let text = matches!(format, LogFormat::Text).then(|| fmt::layer().with_ansi(false));
    let json = matches!(format, LogFormat::Json).then(|| fmt::layer().json());
    tracing_subscriber::registry().with(filter).with(text).with(json).init();
    let apply = Box::new(move |directives: &str| report(handle.reload(new_filter(directives))));
    Arc::new(LogLevels::new(level, apply))
}

/// The ZooKeeper client stays quiet whatever the level.
fn new_filter(directives: &str) -> EnvFilter {
    EnvFilter::new(format!("zookeeper_client=warn,{directives}"))
}

fn report(reloaded: Result<(), reload::Error>) {
    if let Err(error) = reloaded {
        tracing::error!(%error, "log levels were not changed");
    }
}
