//! `gregor consumer-perf-test`: kafka-consumer-perf-test.sh (`org.apache.kafka.tools.ConsumerPerformance`).

mod date_format;
mod figures;
mod flags;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use gregor_client::Error;
use gregor_client::config::ConsumerConfig;
use gregor_client::consumer::{Consumer, Polled};
use gregor_model::{Timestamp, TopicName};

use crate::report;
use figures::{Figures, header};
use flags::Asked;

const POLL: Duration = Duration::from_millis(100);

/// This tool's flags.
pub fn command() -> clap::Command {
    crate::command_line::command(&flags::flags())
}

/// Runs the tool.
pub async fn run(arguments: &[String]) -> ExitCode {
    let asked = match flags::read(arguments, || rand::random_range(0..100_000)) {
        Ok(asked) => asked,
        Err(refusal) => return refusal.report(&flags::flags()),
    };
    for notice in &asked.notices {
        println!("{notice}");
    }
    match perform(&asked).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report::failure(error),
    }
}

async fn perform(asked: &Asked) -> Result<(), Error> {
    if !asked.hide_header {
        println!("{}", header(asked.detailed));
    }
    let mut consumer = Consumer::new(ConsumerConfig::from_properties(&asked.consumer)?);
    consumer.subscribe([TopicName::new(&asked.topic)])?;
    let mut figures = Figures::new(Timestamp::now().0, asked.interval_ms);
    let mut joining = Some(Instant::now());
    let mut last_consumed = Instant::now();
    while figures.messages() < asked.messages && last_consumed.elapsed() <= asked.timeout {
        match consumer.poll(POLL).await? {
            Polled::Records(chunks) => {
                last_consumed = Instant::now();
                let now = Timestamp::now().0;
                for chunk in &chunks {
                    chunk.each(|record, _| {
                        let length = |bytes: Option<&[u8]>| bytes.map_or(0, |bytes| bytes.len() as u64);
                        let window = figures.add(length(record.key) + length(record.value), now);
                        if let Some(line) = window.filter(|_| asked.detailed) {
                            println!("{}", line.text(&asked.date_format));
                        }
                        Ok::<_, Error>(())
                    })?;
                }
            }
            Polled::Revoked(_) => joining = Some(Instant::now()),
            Polled::Assigned(_) => {
                if let Some(start) = joining.take() {
                    figures.joined(u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX));
                }
            }
            Polled::Nothing => {}
        }
    }
    if figures.messages() < asked.messages {
        println!(
            "WARNING: Exiting before consuming the expected number of messages: timeout ({} ms) exceeded. You can use the \
             --timeout option to increase the timeout.",
            asked.timeout.as_millis()
        );
    }
    let end = Timestamp::now().0;
    consumer.close().await;
    if !asked.detailed {
        println!("{}", figures.summary(end, &asked.date_format));
    }
    Ok(())
}
