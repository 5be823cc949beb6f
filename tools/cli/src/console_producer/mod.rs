//! `gregor console-producer`: kafka-console-producer.sh (`kafka.tools.ConsoleProducer`): each line of stdin is a record.

mod flags;
mod line_reader;

use std::io::{self, BufRead, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use gregor_client::Error;
use gregor_client::config::ProducerConfig;
use gregor_client::producer::{Content, Delivery, Producer};
use gregor_model::{Timestamp, TopicName};
use parking_lot::Mutex;

use crate::report;
use line_reader::LineReader;

/// This tool's flags.
pub fn command() -> clap::Command {
    crate::command_line::command(&flags::flags())
}

/// What is remembered of a record for the message about its failure: the lengths of key and value.
type Lengths = (Option<usize>, Option<usize>);

/// Runs the tool.
pub async fn run(arguments: &[String]) -> ExitCode {
    let asked = match flags::read(arguments) {
        Ok(asked) => asked,
        Err(refusal) => return refusal.report(&flags::flags()),
    };
    let config = match ProducerConfig::from_properties(&asked.producer) {
        Ok(config) => config,
        Err(error) => return report::failure(error),
    };
    let reader = match LineReader::new(&asked.reader) {
        Ok(reader) => reader,
        Err(error) => return report::failure(error),
    };
    // With --sync each record's outcome is waited for; without it failures are told, and that is all.
    let last_failure: Arc<Mutex<Option<Error>>> = Arc::default();
    let (sync, noted) = (asked.sync, last_failure.clone());
    let topic = asked.topic.clone();
    let producer = Producer::start(config, move |delivery: Delivery<Lengths>| {
        if let Err(error) = delivery.result {
            if sync {
                *noted.lock() = Some(error);
            } else {
                delivery.tokens.iter().for_each(|lengths| tell_failure(&topic, *lengths, &error));
            }
        }
    });
    let mut session = Session { producer, reader, topic: TopicName::new(&asked.topic), sync, last_failure };
    let outcome = session.send_lines().await;
    session.producer.close().await;
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report::failure(error),
    }
}

fn tell_failure(topic: &str, (key, value): Lengths, error: &Error) {
    let length = |length: Option<usize>| length.map_or("null".to_owned(), |length| format!("{length} bytes"));
    eprintln!(
        "Error when sending message to topic {topic} with key: {}, value: {} with error: {error}",
        length(key),
        length(value)
    );
}

struct Session {
    producer: Producer<Lengths>,
    reader: LineReader,
    topic: TopicName,
    sync: bool,
    last_failure: Arc<Mutex<Option<Error>>>,
}

impl Session {
    /// Sends every line of stdin. Waiting for the next one blocks this thread only: sending goes on in others.
    async fn send_lines(&mut self) -> Result<(), anyhow::Error> {
        let mut input = io::stdin().lock();
        let prompting = io::stdin().is_terminal() && io::stdout().is_terminal();
        let mut line = Vec::new();
        let mut number = 0;
        loop {
            number += 1;
            if prompting {
                print!(">");
                io::stdout().flush()?;
            }
            line.clear();
            if !read_line(&mut input, &mut line)? {
                return Ok(());
            }
            self.send_line(&line, number).await?;
        }
    }

    async fn send_line(&mut self, line: &[u8], number: u64) -> Result<(), anyhow::Error> {
        let parsed = self.reader.read(line, number)?;
        let lengths = (parsed.key.map(<[u8]>::len), parsed.value.map(<[u8]>::len));
        let content = Content {
            timestamp: Timestamp::now(),
            key: parsed.key,
            value: parsed.value,
            headers: &parsed.headers,
        };
        match self.producer.send(&self.topic, None, &content, lengths).await {
            Ok(()) => {}
            // Java's producer tells these through the record's future, too.
            Err(error @ (Error::Timeout(_) | Error::Refused { .. } | Error::RecordTooLarge(_)))
                if !self.sync =>
            {
                tell_failure(self.topic.as_str(), lengths, &error);
            }
            Err(error) => return Err(error.into()),
        }
        if self.sync {
            self.producer.flush().await;
            if let Some(error) = self.last_failure.lock().take() {
                return Err(error.into());
            }
        }
        Ok(())
    }
}

/// Reads up to the end of a line (`\n`, `\r\n`, or `\r`, as Java's `BufferedReader`); false at the end of the input.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    let mut any = false;
    loop {
        let available = match input.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if available.is_empty() {
            return Ok(any);
        }
        any = true;
        let end = available.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let Some(at) = end else {
            line.extend_from_slice(available);
            let length = available.len();
            input.consume(length);
            continue;
        };
        line.extend_from_slice(available.get(..at).unwrap_or_default());
        let carriage_return = available.get(at) == Some(&b'\r');
        input.consume(at + 1);
        if carriage_return && input.fill_buf()?.first() == Some(&b'\n') {
            input.consume(1);
        }
        return Ok(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_as_in_java() {
        let mut input = io::BufReader::with_capacity(2, &b"ab\ncd\r\n\re\r\nlast"[..]);
        let mut lines = Vec::new();
        let mut line = Vec::new();
        while read_line(&mut input, &mut line).unwrap() {
            lines.push(String::from_utf8(std::mem::take(&mut line)).unwrap());
        }
        assert_eq!(lines, ["ab", "cd", "", "e", "last"]);
    }
}
