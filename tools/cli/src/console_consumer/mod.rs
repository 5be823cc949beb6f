//! `gregor console-consumer`: kafka-console-consumer.sh (`org.apache.kafka.tools.consumer.ConsoleConsumer`).

mod flags;
mod formatter;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use gregor_client::Error;
use gregor_client::config::ConsumerConfig;
use gregor_client::consumer::{Chunk, Consumer, Polled, Start};
use gregor_model::{Offset, TopicName, TopicPartition};
use regex::Regex;

use crate::interrupt::Interrupt;
use crate::report;
use flags::{Asked, Source};
use formatter::FormatError;

/// Records are printed as they come; without any, this is how often signals and time are looked at.
const POLL: Duration = Duration::from_millis(500);

/// This tool's flags.
pub fn command() -> clap::Command {
    crate::command_line::command(&flags::flags())
}

/// Why reading ends before it was asked to.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error(transparent)]
    Client(#[from] Error),
    #[error("{0}")]
    Unprintable(String),
    #[error("Unable to write to standard out, closing consumer.")]
    Output,
    /// As many records as were asked for.
    #[error("enough")]
    Enough,
}

impl From<FormatError> for Stop {
    fn from(error: FormatError) -> Stop {
        match error {
            FormatError::Unreadable(reason) => Stop::Unprintable(reason),
            FormatError::Output(_) => Stop::Output,
        }
    }
}

/// Runs the tool.
pub async fn run(arguments: &[String]) -> ExitCode {
    let asked = match flags::read(arguments, || rand::random_range(0..100_000)) {
        Ok(asked) => asked,
        Err(refusal) => return refusal.report(&flags::flags()),
    };
    if let Some(notice) = &asked.notice {
        eprintln!("{notice}");
    }
    let consumer = match consumer_of(&asked) {
        Ok(consumer) => consumer,
        Err(error) => return report::failure(error),
    };
    let mut session = Session { asked: &asked, consumer, out: BufWriter::new(io::stdout()), count: 0 };
    let outcome = session.read_until_the_end().await;
    // If nobody reads it, that is told below.
    let _ = session.out.flush();
    let count = session.count;
    session.consumer.close().await;
    eprintln!("Processed a total of {count} messages");
    if asked.systest_events {
        println!("shutdown_complete");
    }
    match outcome {
        Ok(()) | Err(Stop::Enough) => ExitCode::SUCCESS,
        Err(Stop::Output) => {
            eprintln!("{}", Stop::Output);
            ExitCode::SUCCESS
        }
        Err(stop) => {
            report::failure(format!("Error processing message, terminating consumer process: {stop}"))
        }
    }
}

fn consumer_of(asked: &Asked) -> Result<Consumer, Error> {
    let mut consumer = Consumer::new(ConsumerConfig::from_properties(&asked.consumer)?);
    match &asked.source {
        Source::Topic(topic) => consumer.subscribe([TopicName::new(topic)])?,
        Source::Topics(pattern) => {
            let whole = Regex::new(&format!("^(?:{pattern})$"));
            consumer.subscribe_matching(whole.map_err(|error| Error::Config(error.to_string()))?)?;
        }
        Source::Partition(topic, partition, start) => {
            consumer.assign([(TopicPartition::new(topic.as_str(), *partition), *start)]);
        }
    }
    Ok(consumer)
}

struct Session<'a> {
    asked: &'a Asked,
    consumer: Consumer,
    out: BufWriter<io::Stdout>,
    count: u64,
}

impl Session<'_> {
    async fn read_until_the_end(&mut self) -> Result<(), Stop> {
        let mut interrupt = Interrupt::listen();
        let mut last_record = Instant::now();
        while self.asked.max_messages.is_none_or(|max| self.count < max) {
            let timeout = self.asked.timeout_ms.map(Duration::from_millis);
            let left = timeout.map(|timeout| timeout.saturating_sub(last_record.elapsed()));
            let polled = tokio::select! {
                polled = self.consumer.poll(left.map_or(POLL, |left| left.min(POLL))) => polled?,
                () = interrupt.received() => return Ok(()),
            };
            if let Polled::Records(chunks) = polled {
                self.print(&chunks)?;
                last_record = Instant::now();
            } else if let Some(timeout) = timeout
                && last_record.elapsed() > timeout
            {
                let waited = timeout.as_millis();
                eprintln!(
                    "Error processing message, terminating consumer process: no message for {waited} ms"
                );
                return Ok(());
            }
        }
        Ok(())
    }

    /// Prints records. Where it ends early, the consumer is put back to the first record not printed.
    fn print(&mut self, chunks: &[Chunk]) -> Result<(), Stop> {
        for (at, chunk) in chunks.iter().enumerate() {
            let mut next = chunk.from();
            let printed = self.print_chunk(chunk, &mut next);
            if let Err(stop) = printed {
                self.consumer.seek(chunk.partition(), Start::Offset(next));
                for later in chunks.iter().skip(at + 1) {
                    let position = self.consumer.position(later.partition());
                    if position.is_some_and(|position| position > later.from()) {
                        self.consumer.seek(later.partition(), Start::Offset(later.from()));
                    }
                }
                return Err(stop);
            }
        }
        self.out.flush().map_err(|_| Stop::Output)
    }

    fn print_chunk(&mut self, chunk: &Chunk, next: &mut Offset) -> Result<(), Stop> {
        let (asked, out, count) = (self.asked, &mut self.out, &mut self.count);
        chunk.each(|record, kind| {
            if asked.max_messages.is_some_and(|max| *count >= max) {
                return Err(Stop::Enough);
            }
            *count += 1;
            *next = record.offset + 1;
            match asked.formatter.write(chunk.partition().partition, record, kind, out) {
                Err(FormatError::Unreadable(reason)) if asked.skip_on_error => {
                    eprintln!("Error processing message, skipping this message: {reason}");
                    Ok(())
                }
                written => Ok(written?),
            }
        })
    }
}
