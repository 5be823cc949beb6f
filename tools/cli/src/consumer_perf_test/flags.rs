//! Flags of kafka-consumer-perf-test (`ConsumerPerfOptions`).

use std::time::Duration;

use gregor_config::Properties;

use super::date_format::DateFormat;
use crate::command_line::{BOOTSTRAP_SERVER, COMMON, Flag, Given, Refusal, help_or_version, parse, required};
use crate::key_values::from_file;

/// What is asked for.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) topic: String,
    pub(super) messages: u64,
    pub(super) consumer: Properties,
    pub(super) timeout: Duration,
    pub(super) interval_ms: i64,
    pub(super) detailed: bool,
    pub(super) hide_header: bool,
    pub(super) date_format: DateFormat,
    /// Said before anything else.
    pub(super) notices: Vec<String>,
}

pub(super) fn flags() -> Vec<Flag> {
    let own = [
        BOOTSTRAP_SERVER,
        Flag::valued("broker-list", "broker-list", "DEPRECATED: the same as --bootstrap-server."),
        Flag::valued("topic", "topic", "REQUIRED: The topic to read."),
        Flag::valued("messages", "count", "REQUIRED: The number of messages to read."),
        Flag::valued("group", "gid", "The group to read as (default: perf-consumer- and a number)."),
        Flag::valued("fetch-size", "size", "Bytes to fetch from a partition at a time (default: 1048576)."),
        Flag::switch("from-latest", "Begin at the newest message where the group has committed nothing."),
        Flag::valued("socket-buffer-size", "size", "Accepted; the kernel chooses the size."),
        Flag::valued("threads", "count", "DEPRECATED AND IGNORED."),
        Flag::valued("num-fetch-threads", "count", "DEPRECATED AND IGNORED."),
        Flag::valued("consumer.config", "config file", "Properties of the consumer."),
        Flag::switch("print-metrics", "Refused: this consumer keeps none of Java's metrics."),
        Flag::switch("show-detailed-stats", "Print a line for each --reporting-interval."),
        Flag::optional(
            "timeout",
            "milliseconds",
            "End when no message has come for so long (default: 10000).",
        ),
        Flag::valued("reporting-interval", "interval_ms", "How often a line is printed (default: 5000)."),
        Flag::valued(
            "date-format",
            "date format",
            "How times are printed, as by Java's SimpleDateFormat (default: yyyy-MM-dd HH:mm:ss:SSS).",
        ),
        Flag::switch("hide-header", "Print no heading."),
    ];
    [&own[..], &COMMON].concat()
}

/// `random` makes the number in the name of the group if none is asked for.
pub(super) fn read(arguments: &[String], random: impl FnOnce() -> u32) -> Result<Asked, Refusal> {
    let given = parse(&flags(), arguments).map_err(|error| Refusal::Usage(error.to_string()))?;
    let mut notices = Vec::new();
    if given.has("threads") || given.has("num-fetch-threads") {
        let notice = "WARNING: option [threads] and [num-fetch-threads] have been deprecated and will be ignored by the test";
        notices.push(notice.to_owned());
    }
    help_or_version(arguments, &given, "This tool is used to verify the consumer performance.")?;
    if !given.has("bootstrap-server") && !given.has("broker-list") {
        return Err(Refusal::Usage("Missing required option(s) [bootstrap-server]".to_owned()));
    }
    required(&given, &["topic", "messages"])?;
    if given.has("print-metrics") {
        return Err(Refusal::Plain("--print-metrics: this consumer keeps none of Java's metrics".to_owned()));
    }
    let interval_ms: i64 = given.number("reporting-interval")?.unwrap_or(5000);
    if interval_ms <= 0 {
        return Err(Refusal::Plain("Reporting interval must be greater than 0.".to_owned()));
    }
    let pattern = given.value("date-format")?.unwrap_or("yyyy-MM-dd HH:mm:ss:SSS");
    Ok(Asked {
        topic: given.value("topic")?.unwrap_or_default().to_owned(),
        messages: given.number("messages")?.unwrap_or(0),
        consumer: consumer(&given, random)?,
        timeout: Duration::from_millis(given.number("timeout")?.unwrap_or(10_000)),
        interval_ms,
        detailed: given.has("show-detailed-stats"),
        hide_header: given.has("hide-header"),
        date_format: DateFormat::new(pattern).map_err(Refusal::Plain)?,
        notices,
    })
}

fn consumer(given: &Given, random: impl FnOnce() -> u32) -> Result<Properties, Refusal> {
    let mut properties = from_file(given, "consumer.config")?;
    let bootstrap = match given.value("bootstrap-server")? {
        Some(bootstrap) => Some(bootstrap),
        None => given.value("broker-list")?,
    };
    properties.set("bootstrap.servers", bootstrap.unwrap_or_default());
    let group = given.value("group")?.map_or_else(|| format!("perf-consumer-{}", random()), str::to_owned);
    properties.set("group.id", group);
    let fetch_size: i32 = given.number("fetch-size")?.unwrap_or(1 << 20);
    properties.set("max.partition.fetch.bytes", fetch_size.to_string());
    properties.set("auto.offset.reset", if given.has("from-latest") { "latest" } else { "earliest" });
    properties.set("check.crcs", "false");
    if !properties.contains("client.id") {
        properties.set("client.id", "perf-consumer-client");
    }
    Ok(properties)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::words;

    fn asked(line: &str) -> Result<Asked, String> {
        let words = words(line);
        read(&words, || 7).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_become_properties() {
        let asked = asked("--bootstrap-server a:1 --topic t --messages 10 --timeout 20 --threads 3").unwrap();
        assert_eq!((asked.messages, asked.timeout), (10, Duration::from_millis(20)));
        assert_eq!(asked.consumer.get("group.id"), Some("perf-consumer-7"));
        assert_eq!(asked.consumer.get("auto.offset.reset"), Some("earliest"));
        assert_eq!(asked.notices.len(), 1);
    }

    #[test]
    fn what_cannot_be_is_told() {
        for (line, expected) in [
            ("--topic t --messages 1", "Missing required option(s) [bootstrap-server]"),
            ("--bootstrap-server a:1 --topic t", "Missing required argument \"[messages]\""),
            (
                "--bootstrap-server a:1 --topic t --messages 1 --reporting-interval 0",
                "Reporting interval must be greater than 0.",
            ),
            ("--bootstrap-server a:1 --topic t --messages x", "Cannot parse argument 'x' of option messages"),
        ] {
            assert_eq!(asked(line).err().as_deref(), Some(expected), "{line}");
        }
    }
}
