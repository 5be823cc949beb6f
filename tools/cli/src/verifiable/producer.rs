//! `gregor verifiable-producer`: kafka-verifiable-producer.sh (`org.apache.kafka.tools.VerifiableProducer`): numbers as
//! values, a line of JSON for each.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::{CommandFactory as _, Parser};
use gregor_client::config::ProducerConfig;
use gregor_client::producer::{Content, Delivery, Producer};
use gregor_config::Properties;
use gregor_model::{Offset, Timestamp, TopicName};

use super::event::{What, print};
use crate::command_line::clap_arguments;
use crate::interrupt::Interrupt;
use crate::key_values::merge;
use crate::perf::pace::Pace;
use crate::report;

/// Produces increasing integers to a topic, and tells as JSON which were acknowledged.
#[derive(Clone, Debug, Parser)]
#[command(name = "gregor verifiable-producer")]
struct Flags {
    /// Produce messages to this topic
    #[arg(long)]
    topic: String,
    /// A broker of the cluster, as host:port; several by commas
    #[arg(long, value_name = "HOST:PORT", required_unless_present = "broker_list")]
    bootstrap_server: Option<String>,
    /// DEPRECATED: the same as --bootstrap-server
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "bootstrap_server")]
    broker_list: Option<String>,
    /// Number of messages; -1 for no end
    #[arg(long, default_value_t = -1, allow_negative_numbers = true)]
    max_messages: i64,
    /// Messages per second, approximately; -1 for no bound
    #[arg(long, default_value_t = -1, allow_negative_numbers = true)]
    throughput: i64,
    /// 0, 1, or -1 for all replicas in sync
    #[arg(long, default_value = "-1", allow_negative_numbers = true, value_parser = ["0", "1", "-1"])]
    acks: String,
    /// File of properties of the producer
    #[arg(long = "producer.config", value_name = "CONFIG_FILE")]
    producer_config: Option<PathBuf>,
    /// Timestamp of the first message, in ms since 1970
    #[arg(long, default_value_t = -1, allow_negative_numbers = true)]
    message_create_time: i64,
    /// Put this number and a dot in front of each value
    #[arg(long)]
    value_prefix: Option<i32>,
    /// Keys run from 0 up to this number, and again
    #[arg(long)]
    repeating_keys: Option<u32>,
}

/// This tool's flags.
pub fn command() -> clap::Command {
    Flags::command()
}

/// What is remembered of a record: its key and value.
type Sent = (Option<String>, String);

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
    let config = ProducerConfig::from_properties(&properties(flags)?)?;
    let acked = Arc::new(AtomicU64::new(0));
    let (counter, topic) = (acked.clone(), flags.topic.clone());
    let producer = Producer::start(config, move |delivery| tell(&delivery_of(delivery, &topic, &counter)));
    let start = Instant::now();
    let mut session = Session { producer, topic: TopicName::new(&flags.topic), sent: 0, start };
    print(What::Startup {});
    session.send_all(flags).await;
    let sent = session.sent;
    session.producer.close().await;
    print(What::Shutdown {});
    let acked = acked.load(Ordering::Relaxed);
    print(What::ToolData {
        sent,
        acked,
        target_throughput: flags.throughput,
        avg_throughput: 1000.0 * (acked as f64 / start.elapsed().as_millis().max(1) as f64),
    });
    Ok(())
}

fn tell(events: &[What]) {
    events.iter().cloned().for_each(print);
}

/// What is told of records that were sent together.
fn delivery_of(delivery: Delivery<Sent>, topic: &str, acked: &AtomicU64) -> Vec<What> {
    let partition = delivery.partition.partition;
    let mut next = match &delivery.result {
        Ok(written) => written.base_offset,
        Err(_) => None,
    };
    let event = |(key, value): Sent| match &delivery.result {
        Ok(_) => {
            acked.fetch_add(1, Ordering::Relaxed);
            let offset = Offset::to_wire(next);
            next = next.map(|offset| offset + 1);
            What::Sent { key, value, topic: topic.to_owned(), partition, offset }
        }
        Err(error) => What::not_sent(key, value, topic, error),
    };
    delivery.tokens.into_iter().map(event).collect()
}

struct Session {
    producer: Producer<Sent>,
    topic: TopicName,
    sent: u64,
    start: Instant,
}

impl Session {
    async fn send_all(&mut self, flags: &Flags) {
        let mut interrupt = Interrupt::listen();
        let pace = Pace::new(flags.throughput as f64, self.start);
        let max = u64::try_from(flags.max_messages).unwrap_or(u64::MAX);
        let mut create_time = (flags.message_create_time != -1).then_some(flags.message_create_time);
        for number in 0..max {
            tokio::select! {
                biased;
                () = interrupt.received() => return,
                () = self.send(flags, number, create_time) => {}
            }
            // Kafka's tool adds the whole time since its start each time.
            let elapsed = i64::try_from(self.start.elapsed().as_millis()).unwrap_or(0);
            create_time = create_time.map(|time| time + elapsed);
            if let Some(wait) = pace.wait(number + 1, Instant::now()) {
                tokio::select! {
                    () = interrupt.received() => return,
                    () = tokio::time::sleep(wait) => {}
                }
            }
        }
    }

    async fn send(&mut self, flags: &Flags, number: u64, create_time: Option<i64>) {
        let key = flags.repeating_keys.map(|keys| (number % u64::from(keys.max(1))).to_string());
        let value = match flags.value_prefix {
            Some(prefix) => format!("{prefix}.{number}"),
            None => number.to_string(),
        };
        let timestamp = create_time.map_or_else(Timestamp::now, Timestamp);
        let content = Content {
            timestamp,
            key: key.as_deref().map(str::as_bytes),
            value: Some(value.as_bytes()),
            headers: &[],
        };
        self.sent += 1;
        let token = (key.clone(), value.clone());
        if let Err(error) = self.producer.send(&self.topic, None, &content, token).await {
            print(What::not_sent(key, value, self.topic.as_str(), &error));
        }
    }
}

fn properties(flags: &Flags) -> anyhow::Result<Properties> {
    let mut properties = Properties::new();
    let bootstrap = flags.bootstrap_server.as_ref().or(flags.broker_list.as_ref());
    properties.set("bootstrap.servers", bootstrap.cloned().unwrap_or_default());
    properties.set("acks", flags.acks.clone());
    properties.set("retries", "0");
    if let Some(path) = &flags.producer_config {
        merge(&mut properties, &Properties::load(path)?);
    }
    Ok(properties)
}
