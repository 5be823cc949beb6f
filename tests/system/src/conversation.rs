//! A conversation with command-line tools: what was typed, what it printed, how it ended. Kept as a text file:
//!
//! ```text
//! # what follows is about
//! @ plan.json {"version":1}
//! $ topics --create --topic orders
//! < what the tool reads on its stdin
//! Created topic orders.
//! = 0
//! ```
//!
//! `@` writes a file. `?` instead of `$` marks a command that only looks: it is typed until it is answered as recorded, or a
//! while has passed, because what was changed before takes a moment to be known to every broker. Lines of stderr (only the
//! first counts, and the exception below it: Java adds stack traces) start with `! `; one that stdout has, too, is left out: `gregor` says every failure
//! on stderr, Kafka's tools leave that to their log. What differs from run to run is written by `Places`.

use crate::places::Places;
use anyhow::{Context as _, Result, bail, ensure};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

/// How long a change may take to be seen everywhere.
const LOOKING_DEADLINE: Duration = Duration::from_secs(10);
/// The same while a conversation is recorded anew: then nothing may be as it was recorded.
const RECORDING_DEADLINE: Duration = Duration::from_secs(1);

/// Something that runs tools: `gregor`, or Kafka's.
pub trait Tools {
    /// Runs `tool` (as `gregor` names it) on the cluster in question.
    fn run(&self, tool: &str, arguments: &[String], input: &str) -> impl Future<Output = Result<Output>>;
}

/// Where two of the four pairs of tools and brokers differ on purpose: a line of an answer, and what stands in its place.
#[derive(Clone, Copy, Debug)]
pub struct Difference {
    /// The tool, as `gregor` names it.
    pub tool: &'static str,
    /// Whose difference it is.
    pub of: Side,
    /// The line (or its beginning, if it ends with `...`), or the lines that Apache Kafka's prints.
    pub kafka: &'static str,
    /// What Gregor's prints; nothing if there is no such line.
    pub gregor: Option<&'static str>,
    /// Why it is not the same.
    #[allow(dead_code, reason = "it is told to the reader")]
    pub why: &'static str,
}

/// The two that can be Kafka's or Gregor's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The tools.
    Tool,
    /// The brokers.
    Broker,
}

/// Headings of tables whose rows Kafka's tool prints without line breaks, and ours with: compared is what they say.
const RUN_TOGETHER: [&str; 2] = [
    "GROUP                          TOPIC                          PARTITION  NEW-OFFSET",
    "TOPIC                          PARTITION       STATUS",
];

/// How an ACL begins.
const ACL: &str = "\t(principal=";

/// Commands with their answers, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    exchanges: Vec<Exchange>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Exchange {
    /// Comments and files, as they stand before the command.
    before: String,
    files: Vec<(String, String)>,
    looks: bool,
    command: String,
    input: String,
    answer: String,
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../golden").join(name)
}

impl Conversation {
    /// The conversation kept in tests/golden.
    pub fn recorded(name: &str) -> Result<Conversation> {
        let text = fs::read_to_string(path(name)).with_context(|| format!("reading tests/golden/{name}"))?;
        let mut exchanges = Vec::new();
        let mut open = Exchange::default();
        for line in text.lines() {
            let (mark, rest) = line.split_at_checked(2).unwrap_or((line, ""));
            let asked = !open.command.is_empty();
            if asked && matches!(mark, "# " | "@ " | "$ " | "? ") {
                exchanges.push(std::mem::take(&mut open));
            }
            match mark {
                "# " | "@ " => {
                    writeln!(open.before, "{line}")?;
                    if mark == "@ " {
                        let (name, text) = rest.split_once(' ').context("a file without text")?;
                        open.files.push((name.to_owned(), text.to_owned()));
                    }
                }
                "$ " | "? " => (open.looks, open.command) = (mark == "? ", rest.to_owned()),
                "< " => writeln!(open.input, "{rest}")?,
                _ if asked => writeln!(open.answer, "{line}")?,
                _ => bail!("tests/golden/{name}: {line:?} answers nothing"),
            }
        }
        if !open.command.is_empty() {
            exchanges.push(open);
        }
        Ok(Conversation { exchanges })
    }

    /// Types the same commands again; files are written to `dir`, where the tools run.
    pub async fn repeat(&self, dir: &Path, tools: &impl Tools, places: &Places) -> Result<Conversation> {
        let mut exchanges = Vec::new();
        for expected in &self.exchanges {
            for (name, text) in &expected.files {
                fs::write(dir.join(name), places.fill(text))?;
            }
            let mut words = expected.command.split_whitespace().map(|word| places.fill(word));
            let tool = words.next().context("a command without a tool")?;
            let arguments: Vec<String> = words.collect();
            let start = Instant::now();
            let answer = loop {
                let output = tools.run(&tool, &arguments, &expected.input).await;
                let answer = answer(&output.with_context(|| format!("typing {}", expected.command))?, places);
                if answer == expected.answer || !expected.looks || start.elapsed() > looking_deadline() {
                    break answer;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            };
            exchanges.push(Exchange { answer, ..expected.clone() });
        }
        Ok(Conversation { exchanges })
    }

    /// The same conversation where these are Gregor's and not Kafka's.
    #[must_use]
    pub fn with(&self, gregors: &[Side], differences: &[Difference]) -> Conversation {
        let mut conversation = self.clone();
        for exchange in &mut conversation.exchanges {
            let tool = exchange.command.split_whitespace().next().unwrap_or_default();
            for difference in differences {
                if difference.tool == tool && gregors.contains(&difference.of) {
                    exchange.answer = difference.apply(&exchange.answer);
                }
            }
        }
        conversation
    }

    /// Fails with every command that was answered differently.
    pub fn check(&self, actual: &Conversation) -> Result<()> {
        let mut differences = String::new();
        for (expected, actual) in self.exchanges.iter().zip(&actual.exchanges) {
            if expected != actual {
                let Exchange { command, answer, .. } = expected;
                write!(differences, "\n$ {command}\nexpected:\n{answer}got:\n{}", actual.answer)?;
            }
        }
        ensure!(differences.is_empty(), "answered differently:{differences}");
        Ok(())
    }

    /// Keeps this conversation as tests/golden/NAME.
    #[allow(dead_code, reason = "recording is the interop suite's")]
    pub fn record(&self, name: &str) -> Result<()> {
        let mut text = String::new();
        for Exchange { before, looks, command, input, answer, .. } in &self.exchanges {
            let mark = if *looks { '?' } else { '$' };
            writeln!(text, "{before}{mark} {command}")?;
            input.lines().try_for_each(|line| writeln!(text, "< {line}"))?;
            text.push_str(answer);
        }
        Ok(fs::write(path(name), text)?)
    }
}

impl Difference {
    fn apply(&self, answer: &str) -> String {
        if self.kafka.contains('\n') {
            return answer.replace(self.kafka, self.gregor.unwrap_or_default());
        }
        let is_it = |line: &str| match self.kafka.strip_suffix("...") {
            Some(beginning) => line.starts_with(beginning),
            None => line == self.kafka,
        };
        let lines = answer.lines().filter_map(|line| if is_it(line) { self.gregor } else { Some(line) });
        lines.map(|line| format!("{line}\n")).collect()
    }
}

/// Whether conversations are written anew.
pub fn recording() -> bool {
    std::env::var_os("GREGOR_RECORD").is_some()
}

fn looking_deadline() -> Duration {
    if recording() { RECORDING_DEADLINE } else { LOOKING_DEADLINE }
}

/// What a tool says, without Java's stack trace behind it.
fn without_trace(text: &str) -> String {
    if !text.contains("\n\tat ") {
        return text.to_owned();
    }
    text.lines().take_while(|line| !is_exception(line)).map(|line| format!("{line}\n")).collect()
}

fn is_exception(line: &str) -> bool {
    ["java.", "joptsimple.", "org.apache.kafka.", "kafka."].iter().any(|package| line.starts_with(package))
}

/// The first line of stderr, with the exception whose trace stands below it.
fn complaint(stderr: &str) -> Option<String> {
    // Java wraps what a future failed with.
    let unwrapped = |line: &'_ str| {
        line.replacen("java.util.concurrent.ExecutionException: org", "org", 1).trim_end().to_owned()
    };
    let mut lines = stderr.lines().map(unwrapped).filter(|line| !line.is_empty());
    let first = lines.next()?;
    // Often the first line is the exception's message.
    let is_news = |line: &String| line.split_once(": ").is_none_or(|(_, message)| !first.contains(message));
    match lines.next().filter(|line| is_exception(line)).filter(is_news) {
        Some(exception) => Some(format!("{first}: {exception}")),
        None => Some(first),
    }
}

/// Lists of ACLs, and the ACLs of each, in order: Kafka's tool has them in no order.
fn with_acls_sorted(text: &str) -> String {
    let mut lists: Vec<String> = text.split_inclusive("\n\n").map(with_acls_of_one_sorted).collect();
    if lists.iter().all(|list| list.contains(ACL)) {
        lists.sort();
    }
    lists.concat()
}

/// The first ACL of a list follows a blank, the last is followed by one.
fn with_acls_of_one_sorted(list: &str) -> String {
    let is_acl = |line: &&str| line.contains(ACL);
    let mut acls: Vec<&str> = list.lines().filter(is_acl).map(str::trim).collect();
    if acls.len() < 2 {
        return list.to_owned();
    }
    acls.sort_unstable();
    let before: String =
        list.lines().take_while(|line| !is_acl(line)).map(|line| format!("{line}\n")).collect();
    format!("{before} \t{} \n\n", acls.join("\n\t"))
}

fn answer(output: &Output, places: &Places) -> String {
    let mut text = without_trace(&places.hide(&String::from_utf8_lossy(&output.stdout)));
    if let Some(at) = RUN_TOGETHER.iter().find_map(|heading| text.find(heading)) {
        let table: Vec<String> = text.split_off(at).split_whitespace().map(str::to_owned).collect();
        text.push_str(&table.join(" "));
    }
    if text.contains(ACL) {
        text = with_acls_sorted(&text);
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    let stderr = places.hide(&String::from_utf8_lossy(&output.stderr));
    // What stdout tells is what the exception says.
    let is_told =
        |line: &String| (is_exception(line) || line.starts_with("Error: ")) && text.contains("Error: ");
    let line = complaint(&stderr).filter(|line| !is_told(line));
    if let Some(line) = line.filter(|line| !text.lines().any(|said| said == line)) {
        text.push_str(&format!("! {line}\n"));
    }
    text.push_str(&format!("= {}\n", output.status.code().unwrap_or(-1)));
    text
}
