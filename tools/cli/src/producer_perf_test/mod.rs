//! `gregor producer-perf-test`: kafka-producer-perf-test.sh (`org.apache.kafka.tools.ProducerPerformance`).

mod stats;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{ArgGroup, CommandFactory as _, Parser};
use gregor_client::config::ProducerConfig;
use gregor_client::producer::{Content, Delivery, Producer};
use gregor_config::Properties;
use gregor_model::{Timestamp, TopicName};
use parking_lot::Mutex;

use crate::command_line::clap_arguments;
use crate::key_values::merge;
use crate::perf::pace::Pace;
use crate::perf::payload::{Payload, Payloads};
use crate::report;
use stats::Stats;

/// How often figures are printed.
const INTERVAL_MS: u64 = 5000;

/// Verifies the producer performance.
#[derive(Clone, Debug, Parser)]
#[command(name = "gregor producer-perf-test")]
#[command(group(ArgGroup::new("payload").required(true).args(["record_size", "payload_file", "payload_monotonic"])))]
struct Flags {
    /// Produce messages to this topic
    #[arg(long)]
    topic: String,
    /// Number of messages to produce
    #[arg(long)]
    num_records: u64,
    /// Message size in bytes
    #[arg(long)]
    record_size: Option<usize>,
    /// File of message payloads, one of which is taken by chance for each message
    #[arg(long)]
    payload_file: Option<PathBuf>,
    /// The payload is the message's number
    #[arg(long)]
    payload_monotonic: bool,
    /// What divides payloads in the file
    #[arg(long, default_value = "\\n")]
    payload_delimiter: String,
    /// Messages per second, approximately; -1 for no bound
    #[arg(long, allow_negative_numbers = true)]
    throughput: f64,
    /// Properties of the producer, such as bootstrap.servers; they win over --producer.config
    #[arg(long, num_args = 1.., value_name = "PROP-NAME=PROP-VALUE")]
    producer_props: Vec<String>,
    /// File of properties of the producer
    #[arg(long = "producer.config", value_name = "CONFIG-FILE")]
    producer_config: Option<PathBuf>,
    /// Transactional id, if transactions are used
    #[arg(long, default_value = "performance-producer-default-transactional-id")]
    transactional_id: String,
    /// Commit after so many milliseconds; transactions are used if this is more than 0
    #[arg(long, default_value_t = 0)]
    transaction_duration_ms: u64,
}

/// This tool's flags.
pub fn command() -> clap::Command {
    Flags::command()
}

/// What is remembered of a record: when it was handed over, in ms, and its length.
type Sent = (u64, u32);

/// Runs the tool.
pub async fn run(arguments: &[String]) -> ExitCode {
    let flags: Flags = match clap_arguments(arguments) {
        Ok(flags) => flags,
        Err(code) => return code,
    };
    match perform(&flags).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report::failure(format!("{error:#}")),
    }
}

async fn perform(flags: &Flags) -> anyhow::Result<()> {
    let payload = payload(flags)?;
    let config = ProducerConfig::from_properties(&properties(flags)?)?;
    let clock = Instant::now();
    let stats = Arc::new(Mutex::new(Stats::new(flags.num_records, INTERVAL_MS, 0)));
    let noted = stats.clone();
    let producer = Producer::start(config, move |delivery: Delivery<Sent>| match delivery.result {
        Ok(_) => {
            let now = milliseconds(clock);
            let mut stats = noted.lock();
            for (start, bytes) in delivery.tokens {
                if let Some(line) = stats.record(now.saturating_sub(start), u64::from(bytes), now) {
                    println!("{line}");
                }
            }
        }
        Err(error) => eprintln!("{}: {error}", error.exception()),
    });
    let mut load =
        Load { producer, topic: TopicName::new(&flags.topic), payloads: Payloads::new(payload), clock };
    load.send_all(flags).await?;
    load.producer.close().await;
    println!("{}", stats.lock().summary(milliseconds(clock)));
    Ok(())
}

fn milliseconds(clock: Instant) -> u64 {
    u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX)
}

struct Load {
    producer: Producer<Sent>,
    topic: TopicName,
    payloads: Payloads,
    clock: Instant,
}

impl Load {
    async fn send_all(&mut self, flags: &Flags) -> anyhow::Result<()> {
        let transaction = Duration::from_millis(flags.transaction_duration_ms);
        let transactional = !transaction.is_zero();
        if transactional {
            self.producer.init_transactions().await?;
        }
        let pace = Pace::new(flags.throughput, Instant::now());
        let mut begun: Option<Instant> = None;
        for number in 0..flags.num_records {
            if transactional && begun.is_none() {
                self.producer.begin_transaction()?;
                begun = Some(Instant::now());
            }
            self.send(number).await;
            if let Some(start) = begun
                && start.elapsed() >= transaction
            {
                self.producer.commit_transaction().await?;
                begun = None;
            }
            if flags.throughput >= 0.0
                && let Some(wait) = pace.wait(number + 1, Instant::now())
            {
                tokio::time::sleep(wait).await;
            }
        }
        if begun.is_some() {
            self.producer.commit_transaction().await?;
        }
        Ok(())
    }

    async fn send(&mut self, number: u64) {
        let payload = self.payloads.next(number);
        let content = Content { timestamp: Timestamp::now(), key: None, value: Some(payload), headers: &[] };
        let sent = (milliseconds(self.clock), u32::try_from(payload.len()).unwrap_or(u32::MAX));
        if let Err(error) = self.producer.send(&self.topic, None, &content, sent).await {
            eprintln!("{}: {error}", error.exception());
        }
    }
}

fn payload(flags: &Flags) -> anyhow::Result<Payload> {
    if let Some(path) = &flags.payload_file {
        println!("Reading payloads from: {}", std::path::absolute(path)?.display());
        let text = std::fs::read(path).unwrap_or_default();
        anyhow::ensure!(!text.is_empty(), "File does not exist or empty file provided.");
        let delimiter = if flags.payload_delimiter == "\\n" { "\n" } else { &flags.payload_delimiter };
        let payload = Payload::lines(&text, delimiter);
        if let Payload::Lines(lines) = &payload {
            println!("Number of messages read: {}", lines.len());
        }
        return Ok(payload);
    }
    Ok(flags.record_size.map_or(Payload::Counting, Payload::Random))
}

fn properties(flags: &Flags) -> anyhow::Result<Properties> {
    anyhow::ensure!(
        flags.producer_config.is_some() || !flags.producer_props.is_empty(),
        "Either --producer-props or --producer.config must be specified."
    );
    let mut properties = match &flags.producer_config {
        Some(path) => Properties::load(path)?,
        None => Properties::new(),
    };
    let mut own = Properties::new();
    for property in &flags.producer_props {
        let pieces: Vec<&str> = property.split('=').collect();
        let [key, value] = pieces[..] else { anyhow::bail!("Invalid property: {property}") };
        own.set(key, value);
    }
    merge(&mut properties, &own);
    if flags.transaction_duration_ms > 0 {
        properties.set("transactional.id", flags.transactional_id.clone());
    }
    if !properties.contains("client.id") {
        properties.set("client.id", "perf-producer-client");
    }
    Ok(properties)
}
