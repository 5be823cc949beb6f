//! Flags of kafka-console-consumer, and the configurations that follow from them (`ConsoleConsumerOptions`).

use gregor_client::consumer::Start;
use gregor_config::Properties;
use gregor_model::Offset;

use super::formatter::Formatter;
use crate::command_line::{BOOTSTRAP_SERVER, COMMON, Flag, Given, Refusal, help_or_version, parse, required};
use crate::key_values::{from_file, key_values, merge, set_from_flag};

/// Which records are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Topic(String),
    Partition(String, i32, Start),
    /// Topics that match.
    Topics(String),
}

/// What is asked for.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) source: Source,
    pub(super) consumer: Properties,
    pub(super) formatter: Formatter,
    pub(super) max_messages: Option<u64>,
    /// In ms.
    pub(super) timeout_ms: Option<u64>,
    pub(super) skip_on_error: bool,
    pub(super) systest_events: bool,
    /// Said on stderr before anything else.
    pub(super) notice: Option<String>,
}

pub(super) fn flags() -> Vec<Flag> {
    let own = [
        Flag::valued("topic", "topic", "The topic to read."),
        Flag::valued("include", "Java regex (String)", "Topics to read, as a regular expression."),
        Flag::valued("whitelist", "Java regex (String)", "DEPRECATED: the same as --include."),
        Flag::valued("partition", "partition", "The partition to read; from its end, without --offset."),
        Flag::valued(
            "offset",
            "consume offset",
            "Where to begin in it: a number, earliest, or latest (default).",
        ),
        Flag::valued("consumer-property", "consumer_prop", "A property of the consumer, key=value."),
        Flag::valued(
            "consumer.config",
            "config file",
            "Properties of the consumer; --consumer-property wins.",
        ),
        Flag::valued(
            "formatter",
            "class",
            "How records are printed: the name of one of Kafka's classes (default: DefaultMessageFormatter).",
        ),
        Flag::valued(
            "property",
            "prop",
            "A property of the formatter, key=value: print.timestamp, print.key, print.offset, print.partition, print.headers, print.value, key.separator, line.separator, headers.separator, null.literal, key.deserializer, value.deserializer, headers.deserializer.",
        ),
        Flag::valued("formatter-config", "config file", "Properties of the formatter; --property wins."),
        Flag::switch("from-beginning", "Begin at the oldest record where the group has committed nothing."),
        Flag::valued("max-messages", "num_messages", "End after so many records."),
        Flag::valued("timeout-ms", "timeout_ms", "End when no record has come for so long."),
        Flag::switch("skip-message-on-error", "Pass over records that cannot be printed."),
        BOOTSTRAP_SERVER,
        Flag::valued(
            "key-deserializer",
            "deserializer for key",
            "How keys are read, by one of Kafka's classes.",
        ),
        Flag::valued("value-deserializer", "deserializer for values", "How values are read, likewise."),
        Flag::switch("enable-systest-events", "Say when the consumer has closed."),
        Flag::valued(
            "isolation-level",
            "level",
            "read_uncommitted (default), or read_committed: leave out what was aborted.",
        ),
        Flag::valued("group", "consumer group id", "The group to read as."),
    ];
    [&own[..], &COMMON].concat()
}

/// `random` makes the number in the name of the group if none is asked for.
pub(super) fn read(arguments: &[String], random: impl FnOnce() -> u32) -> Result<Asked, Refusal> {
    let given = parse(&flags(), arguments).map_err(|error| Refusal::Usage(error.to_string()))?;
    help_or_version(
        arguments,
        &given,
        "This tool helps to read data from Kafka topics and outputs it to standard output.",
    )?;
    let source = source(&given)?;
    required(&given, &["bootstrap-server"])?;
    let consumer = consumer(&given, random)?;
    let formatter_properties = formatter_properties(&given)?;
    let class =
        given.value("formatter")?.unwrap_or("org.apache.kafka.tools.consumer.DefaultMessageFormatter");
    // What Java says of a class that is not there is its name.
    let (formatter, notice) = Formatter::of_class(class, &formatter_properties).map_err(Refusal::Usage)?;
    let not_negative = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
    Ok(Asked {
        source,
        consumer,
        formatter,
        max_messages: not_negative(given.number("max-messages")?),
        timeout_ms: not_negative(given.number("timeout-ms")?),
        skip_on_error: given.has("skip-message-on-error"),
        systest_events: given.has("enable-systest-events"),
        notice,
    })
}

fn source(given: &Given) -> Result<Source, Refusal> {
    let usage = |message: &str| Refusal::Usage(message.to_owned());
    let topic = given.value("topic")?;
    let included = match given.value("include")? {
        Some(pattern) => Some(pattern),
        None => given.value("whitelist")?,
    };
    let deprecated = if given.has("whitelist") {
        "--whitelist is DEPRECATED use --include instead; ignored if --include specified."
    } else {
        ""
    };
    let partition: Option<i32> = given.number("partition")?;
    let one = match (topic, included) {
        (Some(topic), None) => Source::Topic(topic.to_owned()),
        (None, Some(pattern)) => Source::Topics(pattern.to_owned()),
        _ => {
            return Err(Refusal::Usage(format!(
                "Exactly one of --include/--topic is required. {deprecated}"
            )));
        }
    };
    let Some(partition) = partition else {
        return if given.has("offset") {
            Err(usage("The partition is required when offset is specified."))
        } else {
            Ok(one)
        };
    };
    let Source::Topic(topic) = one else {
        return Err(usage("The topic is required when partition is specified."));
    };
    if given.has("from-beginning") && given.has("offset") {
        return Err(usage("Options from-beginning and offset cannot be specified together."));
    }
    Ok(Source::Partition(topic, partition, start(given)?))
}

fn start(given: &Given) -> Result<Start, Refusal> {
    let Some(text) = given.value("offset")? else {
        return Ok(if given.has("from-beginning") { Start::Earliest } else { Start::Latest });
    };
    match text.to_ascii_lowercase().as_str() {
        "earliest" => Ok(Start::Earliest),
        "latest" => Ok(Start::Latest),
        _ => text.parse().ok().and_then(Offset::from_wire).map(Start::Offset).ok_or_else(|| {
            Refusal::Usage(format!(
                "The provided offset value '{text}' is incorrect. Valid values are 'earliest', 'latest', or a \
                 non-negative long."
            ))
        }),
    }
}

fn consumer(given: &Given, random: impl FnOnce() -> u32) -> Result<Properties, Refusal> {
    let mut properties = from_file(given, "consumer.config")?;
    let extra = key_values(given, "consumer-property");
    let mut groups: Vec<&str> = given.values("group");
    groups.extend(properties.get("group.id"));
    groups.extend(extra.get("group.id"));
    groups.sort_unstable();
    groups.dedup();
    if groups.len() > 1 {
        let named: Vec<String> = groups.iter().map(|group| format!("'{group}'")).collect();
        return Err(Refusal::Usage(format!(
            "The group ids provided in different places (directly using '--group', via '--consumer-property', or via \
             '--consumer.config') do not match. Detected group ids: {}",
            named.join(", ")
        )));
    }
    if !groups.is_empty() && given.has("partition") {
        return Err(Refusal::Usage("Options group and partition cannot be specified together.".to_owned()));
    }
    let group = groups.first().map(|group| (*group).to_owned());
    merge(&mut properties, &extra);
    let from_beginning = given.has("from-beginning");
    match properties.get("auto.offset.reset").map(str::to_owned) {
        Some(reset) if from_beginning && reset != "earliest" => {
            return Err(Refusal::Plain(format!(
                "Can't simultaneously specify --from-beginning and 'auto.offset.reset={reset}', please remove one option"
            )));
        }
        Some(_) => {}
        None => properties.set("auto.offset.reset", if from_beginning { "earliest" } else { "latest" }),
    }
    properties.set("bootstrap.servers", given.value("bootstrap-server")?.unwrap_or_default());
    if !properties.contains("client.id") {
        properties.set("client.id", "console-consumer");
    }
    set_from_flag(&mut properties, "isolation.level", given, "isolation-level", "read_uncommitted")?;
    match group {
        Some(group) => properties.set("group.id", group),
        None => {
            properties.set("group.id", format!("console-consumer-{}", random()));
            // Nobody will come back to this group: it needs no offsets.
            if !properties.contains("enable.auto.commit") {
                properties.set("enable.auto.commit", "false");
            }
        }
    }
    Ok(properties)
}

fn formatter_properties(given: &Given) -> Result<Properties, Refusal> {
    let mut properties = from_file(given, "formatter-config")?;
    for (flag, key) in
        [("key-deserializer", "key.deserializer"), ("value-deserializer", "value.deserializer")]
    {
        if let Some(class) = given.value(flag)?.filter(|class| !class.is_empty()) {
            properties.set(key, class);
        }
    }
    merge(&mut properties, &key_values(given, "property"));
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
    fn what_is_read() {
        let source = |line: &str| asked(&format!("--bootstrap-server a:1 {line}")).map(|asked| asked.source);
        let of = |start| Ok(Source::Partition("t".to_owned(), 1, start));
        assert_eq!(source("--topic t"), Ok(Source::Topic("t".to_owned())));
        assert_eq!(source("--include a.*"), Ok(Source::Topics("a.*".to_owned())));
        assert_eq!(source("--topic t --partition 1"), of(Start::Latest));
        assert_eq!(source("--topic t --partition 1 --from-beginning"), of(Start::Earliest));
        assert_eq!(source("--topic t --partition 1 --offset Earliest"), of(Start::Earliest));
        assert_eq!(source("--topic t --partition 1 --offset 12"), of(Start::Offset(Offset(12))));
    }

    #[test]
    fn what_cannot_be_is_told_as_by_kafka() {
        for (line, expected) in [
            ("--bootstrap-server a:1", "Exactly one of --include/--topic is required. "),
            ("--topic t", "Missing required argument \"[bootstrap-server]\""),
            ("--topic t --offset 3", "The partition is required when offset is specified."),
            ("--include t --partition 3", "The topic is required when partition is specified."),
            (
                "--topic t --partition 1 --offset -3",
                "The provided offset value '-3' is incorrect. Valid values are 'earliest', 'latest', or a non-negative \
                 long.",
            ),
            (
                "--bootstrap-server a:1 --topic t --group a --consumer-property group.id=b",
                "The group ids provided in different places (directly using '--group', via '--consumer-property', or via \
                 '--consumer.config') do not match. Detected group ids: 'a', 'b'",
            ),
            (
                "--bootstrap-server a:1 --topic t --from-beginning --consumer-property auto.offset.reset=latest",
                "Can't simultaneously specify --from-beginning and 'auto.offset.reset=latest', please remove one option",
            ),
            ("--bootstrap-server a:1 --topic t --formatter com.example.F", "com.example.F"),
        ] {
            assert_eq!(asked(line).err().as_deref(), Some(expected), "{line}");
        }
    }

    #[test]
    fn groups_without_a_name_commit_nothing() {
        let get = |line: &str, key: &str| {
            let asked = asked(&format!("--bootstrap-server a:1 --topic t {line}")).unwrap();
            asked.consumer.get(key).map(str::to_owned)
        };
        assert_eq!(get("", "group.id").as_deref(), Some("console-consumer-7"));
        assert_eq!(get("", "enable.auto.commit").as_deref(), Some("false"));
        assert_eq!(get("--group g", "enable.auto.commit"), None);
        assert_eq!(get("--from-beginning", "auto.offset.reset").as_deref(), Some("earliest"));
        assert_eq!(
            get("--isolation-level read_committed", "isolation.level").as_deref(),
            Some("read_committed")
        );
    }
}
