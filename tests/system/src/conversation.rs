//! A conversation with a command-line tool: what was typed, what it printed, how it ended. Kept as a text file:
//!
//! ```text
//! $ --create --topic orders
//! Created topic orders.
//! = 0
//! ```
//!
//! Lines of stderr (only the first counts: Java adds stack traces) start with `! `; one that stdout has, too, is left out:
//! `gregor` says every failure on stderr, Kafka's tools leave that to their log. Topic ids are written as `ID`.

use anyhow::{Context as _, Result, ensure};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, Instant};

/// How long a change may take to be seen everywhere.
const LOOKING_DEADLINE: Duration = Duration::from_secs(5);

/// Commands with their answers, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    exchanges: Vec<Exchange>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Exchange {
    command: String,
    answer: String,
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../golden").join(name)
}

impl Conversation {
    /// The conversation kept in tests/golden.
    pub fn recorded(name: &str) -> Result<Conversation> {
        let text = fs::read_to_string(path(name)).with_context(|| format!("reading tests/golden/{name}"))?;
        let mut exchanges: Vec<Exchange> = Vec::new();
        for line in text.lines() {
            match (line.strip_prefix("$ "), exchanges.last_mut()) {
                (Some(command), _) => {
                    exchanges.push(Exchange { command: command.to_owned(), answer: String::new() });
                }
                (None, Some(exchange)) => {
                    exchange.answer.push_str(line);
                    exchange.answer.push('\n');
                }
                (None, None) => {}
            }
        }
        Ok(Conversation { exchanges })
    }

    /// Types the same commands again, through `run`. A command that only looks is typed until it is answered as recorded,
    /// or a while has passed (if an answer is recorded): what was changed before takes a moment to be known to every broker.
    pub async fn repeat(&self, run: impl AsyncFn(&[String]) -> Result<Output>) -> Result<Conversation> {
        let mut exchanges = Vec::new();
        for Exchange { command, answer: expected } in &self.exchanges {
            let arguments: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
            let looks =
                !expected.is_empty() && ["--list", "--describe"].iter().any(|word| command.starts_with(word));
            let start = Instant::now();
            let answered = loop {
                let output = run(&arguments).await.with_context(|| format!("typing {command}"))?;
                let answered = answer(&output);
                if answered == *expected || !looks || start.elapsed() > LOOKING_DEADLINE {
                    break answered;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            };
            exchanges.push(Exchange { command: command.clone(), answer: answered });
        }
        Ok(Conversation { exchanges })
    }

    /// Fails with every command that was answered differently.
    pub fn check(&self, actual: &Conversation) -> Result<()> {
        let mut differences = String::new();
        for (expected, actual) in self.exchanges.iter().zip(&actual.exchanges) {
            if expected != actual {
                let Exchange { command, answer } = expected;
                write!(differences, "\n$ {command}\nexpected:\n{answer}got:\n{}", actual.answer)?;
            }
        }
        ensure!(differences.is_empty(), "answered differently:{differences}");
        Ok(())
    }

    /// Keeps this conversation as tests/golden/NAME.
    #[allow(dead_code, reason = "recording is the interop suite's")]
    pub fn record(&self, name: &str) -> Result<()> {
        let texts =
            self.exchanges.iter().map(|Exchange { command, answer }| format!("$ {command}\n{answer}"));
        Ok(fs::write(path(name), texts.collect::<String>())?)
    }
}

fn answer(output: &Output) -> String {
    let mut text = without_topic_ids(&String::from_utf8_lossy(&output.stdout));
    let stderr = String::from_utf8_lossy(&output.stderr);
    if let Some(line) = stderr.lines().next().filter(|line| !text.lines().any(|said| said == *line)) {
        text.push_str(&format!("! {line}\n"));
    }
    text.push_str(&format!("= {}\n", output.status.code().unwrap_or(-1)));
    text
}

/// Replaces what follows `TopicId: ` by `ID`.
fn without_topic_ids(text: &str) -> String {
    let mut parts = text.split("TopicId: ");
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.find('\t').map_or("", |tab| &part[tab..]);
        result.push_str("TopicId: ID");
        result.push_str(rest);
    }
    result
}
