//! `gregor verifiable-consumer`: kafka-verifiable-consumer.sh (`org.apache.kafka.tools.VerifiableConsumer`): reads as a
//! member of a group, and tells assignments, records and commits as lines of JSON.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory as _, Parser};
use gregor_client::Error;
use gregor_client::config::ConsumerConfig;
use gregor_client::consumer::{Chunk, Consumer, Polled};
use gregor_config::Properties;
use gregor_model::{Offset, TopicName, TopicPartition};

use super::event::{Summary, What, partitions, print};
use crate::command_line::clap_arguments;
use crate::interrupt::Interrupt;
use crate::report;

const POLL: Duration = Duration::from_secs(3600);

/// Consumes messages from a topic, and tells as JSON what happens.
#[derive(Clone, Debug, Parser)]
#[command(name = "gregor verifiable-consumer")]
struct Flags {
    /// A broker of the cluster, as host:port; several by commas
    #[arg(long, value_name = "HOST:PORT", required_unless_present = "broker_list")]
    bootstrap_server: Option<String>,
    /// DEPRECATED: the same as --bootstrap-server
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "bootstrap_server")]
    broker_list: Option<String>,
    /// Consumes messages from this topic
    #[arg(long)]
    topic: String,
    /// The protocol of the group: brokers with ZooKeeper have classic only
    #[arg(long, default_value = "classic")]
    group_protocol: String,
    /// Accepted, and used by group protocols that brokers with ZooKeeper do not have
    #[arg(long)]
    group_remote_assignor: Option<String>,
    /// The group
    #[arg(long)]
    group_id: String,
    /// A name that makes the member a static one
    #[arg(long)]
    group_instance_id: Option<String>,
    /// Number of messages; -1 for no end
    #[arg(long, default_value_t = -1, allow_negative_numbers = true)]
    max_messages: i64,
    /// The member's session timeout, in ms
    #[arg(long, default_value_t = 30_000, value_name = "TIMEOUT_MS")]
    session_timeout: u32,
    /// Tell every record
    #[arg(long)]
    verbose: bool,
    /// Commit on its own, not after each poll
    #[arg(long)]
    enable_autocommit: bool,
    /// Where to begin without a committed offset: earliest, latest or none
    #[arg(long, default_value = "earliest")]
    reset_policy: String,
    /// How partitions are divided: Kafka's RangeAssignor or RoundRobinAssignor
    #[arg(long, default_value = "org.apache.kafka.clients.consumer.RangeAssignor")]
    assignment_strategy: String,
    /// File of properties of the consumer
    #[arg(long = "consumer.config", value_name = "CONFIG_FILE")]
    consumer_config: Option<PathBuf>,
}

/// This tool's flags.
pub fn command() -> clap::Command {
    Flags::command()
}

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
    let mut consumer = Consumer::new(ConsumerConfig::from_properties(&properties(flags)?)?);
    consumer.subscribe([TopicName::new(&flags.topic)])?;
    print(What::Startup {});
    let mut session = Session { flags, consumer, consumed: 0 };
    let outcome = session.read().await;
    let had = session.consumer.close().await;
    if !had.is_empty() {
        print(What::Revoked { partitions: partitions(&had) });
    }
    print(What::Shutdown {});
    Ok(outcome?)
}

struct Session<'a> {
    flags: &'a Flags,
    consumer: Consumer,
    consumed: u64,
}

impl Session<'_> {
    async fn read(&mut self) -> Result<(), Error> {
        let mut interrupt = Interrupt::listen();
        while self.left().is_none_or(|left| left > 0) {
            let polled = tokio::select! {
                polled = self.consumer.poll(POLL) => polled?,
                () = interrupt.received() => return Ok(()),
            };
            match polled {
                Polled::Revoked(revoked) => print(What::Revoked { partitions: partitions(&revoked) }),
                Polled::Assigned(assigned) => print(What::Assigned { partitions: partitions(&assigned) }),
                Polled::Nothing => {}
                Polled::Records(chunks) => {
                    let offsets = self.tell(&chunks)?;
                    if !self.flags.enable_autocommit {
                        let outcome = self.consumer.commit(&offsets).await;
                        print(What::committed(&offsets, &outcome));
                    }
                }
            }
        }
        Ok(())
    }

    /// How many records are still to be read, if there is an end.
    fn left(&self) -> Option<u64> {
        u64::try_from(self.flags.max_messages).ok().map(|max| max.saturating_sub(self.consumed))
    }

    /// Tells records, up to the last one asked for. Gives what is to be committed.
    fn tell(&mut self, chunks: &[Chunk]) -> Result<Vec<(TopicPartition, Offset)>, Error> {
        let mut count = 0;
        let mut summaries: Vec<(TopicPartition, Summary)> = Vec::new();
        for chunk in chunks {
            let mut records = Vec::new();
            chunk.each(|record, _| {
                let text = |bytes: Option<&[u8]>| bytes.map(|b| String::from_utf8_lossy(b).into_owned());
                records.push((record.offset, text(record.key), text(record.value)));
                Ok::<_, Error>(())
            })?;
            count += records.len() as u64;
            for (offset, key, value) in records {
                if self.left() == Some(0) {
                    break;
                }
                self.consumed += 1;
                let partition = chunk.partition();
                note(&mut summaries, partition, offset);
                if self.flags.verbose {
                    print(What::Record {
                        key,
                        value,
                        topic: partition.topic.to_string(),
                        partition: partition.partition,
                        offset: offset.0,
                    });
                }
            }
        }
        let offsets =
            summaries.iter().map(|(partition, summary)| (partition.clone(), Offset(summary.max_offset + 1)));
        let offsets = offsets.collect();
        print(What::Consumed {
            count,
            partitions: summaries.into_iter().map(|(_, summary)| summary).collect(),
        });
        Ok(offsets)
    }
}

fn note(summaries: &mut Vec<(TopicPartition, Summary)>, partition: &TopicPartition, offset: Offset) {
    match summaries.iter_mut().find(|(known, _)| known == partition) {
        Some((_, summary)) => {
            summary.count += 1;
            summary.max_offset = offset.0;
        }
        None => {
            let summary = Summary {
                topic: partition.topic.to_string(),
                partition: partition.partition,
                count: 1,
                min_offset: offset.0,
                max_offset: offset.0,
            };
            summaries.push((partition.clone(), summary));
        }
    }
}

fn properties(flags: &Flags) -> anyhow::Result<Properties> {
    let mut properties = match &flags.consumer_config {
        Some(path) => Properties::load(path)?,
        None => Properties::new(),
    };
    let bootstrap = flags.bootstrap_server.as_ref().or(flags.broker_list.as_ref());
    properties.set("bootstrap.servers", bootstrap.cloned().unwrap_or_default());
    properties.set("group.protocol", flags.group_protocol.clone());
    properties.set("partition.assignment.strategy", flags.assignment_strategy.clone());
    properties.set("group.id", flags.group_id.clone());
    if let Some(instance) = &flags.group_instance_id {
        properties.set("group.instance.id", instance.clone());
    }
    properties.set("enable.auto.commit", flags.enable_autocommit.to_string());
    properties.set("auto.offset.reset", flags.reset_policy.clone());
    properties.set("session.timeout.ms", flags.session_timeout.to_string());
    Ok(properties)
}
