//! Flags of kafka-console-producer, and the configurations that follow from them (`ConsoleProducer.ProducerConfig`).

use gregor_config::Properties;

use crate::command_line::{BOOTSTRAP_SERVER, COMMON, Flag, Given, Refusal, help_or_version, parse, required};
use crate::key_values::{from_file, key_values, merge, set_from_flag};

/// Flags that set a key of the producer: flag, key, default.
const OF_PRODUCER: [(&str, &str, &str); 10] = [
    ("timeout", "linger.ms", "1000"),
    ("request-required-acks", "acks", "-1"),
    ("request-timeout-ms", "request.timeout.ms", "1500"),
    ("message-send-max-retries", "retries", "3"),
    ("retry-backoff-ms", "retry.backoff.ms", "100"),
    ("max-memory-bytes", "buffer.memory", "33554432"),
    ("batch-size", "batch.size", "16384"),
    ("max-partition-memory-bytes", "batch.size", "16384"),
    ("metadata-expiry-ms", "metadata.max.age.ms", "300000"),
    ("max-block-ms", "max.block.ms", "60000"),
];

/// What is asked for.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) topic: String,
    pub(super) sync: bool,
    pub(super) producer: Properties,
    pub(super) reader: Properties,
}

pub(super) fn flags() -> Vec<Flag> {
    let own = [
        Flag::valued("topic", "topic", "REQUIRED: The topic to send to."),
        BOOTSTRAP_SERVER,
        Flag::valued("broker-list", "broker-list", "DEPRECATED: the same as --bootstrap-server."),
        Flag::switch("sync", "Wait for each record before the next is sent."),
        Flag::optional(
            "compression-codec",
            "compression-codec",
            "none, gzip, snappy, lz4 or zstd; gzip without a value.",
        ),
        Flag::valued("batch-size", "size", "Bytes of a batch (batch.size, default: 16384)."),
        Flag::valued(
            "message-send-max-retries",
            "count",
            "How often a batch is sent again (retries, default: 3).",
        ),
        Flag::valued("retry-backoff-ms", "ms", "Time before it is (retry.backoff.ms, default: 100)."),
        Flag::valued("timeout", "timeout_ms", "Time to wait for more records (linger.ms, default: 1000)."),
        Flag::valued(
            "request-required-acks",
            "acks",
            "0, 1, or -1 for all replicas in sync (acks, default: -1).",
        ),
        Flag::valued(
            "request-timeout-ms",
            "ms",
            "Time to wait for an answer (request.timeout.ms, default: 1500).",
        ),
        Flag::valued("metadata-expiry-ms", "ms", "Age of metadata (metadata.max.age.ms, default: 300000)."),
        Flag::valued(
            "max-block-ms",
            "ms",
            "Time to wait for metadata and memory (max.block.ms, default: 60000).",
        ),
        Flag::valued("max-memory-bytes", "bytes", "Memory for records (buffer.memory, default: 33554432)."),
        Flag::valued("max-partition-memory-bytes", "bytes", "Bytes of a batch (batch.size, default: 16384)."),
        Flag::valued("socket-buffer-size", "size", "Accepted; the kernel chooses the size."),
        Flag::valued("line-reader", "reader_class", "Accepted: Kafka's LineMessageReader only."),
        Flag::valued(
            "property",
            "prop",
            "A property of the reader, key=value: parse.key, key.separator, parse.headers, headers.delimiter, headers.separator, headers.key.separator, ignore.error, null.marker.",
        ),
        Flag::valued("reader-config", "config file", "Properties of the reader; --property wins."),
        Flag::valued("producer-property", "producer_prop", "A property of the producer, key=value."),
        Flag::valued(
            "producer.config",
            "config file",
            "Properties of the producer; --producer-property wins.",
        ),
    ];
    [&own[..], &COMMON].concat()
}

pub(super) fn read(arguments: &[String]) -> Result<Asked, Refusal> {
    // Kafka's tool shows its flags with every mistake.
    let given = parse(&flags(), arguments).map_err(|error| Refusal::Usage(error.to_string()))?;
    help_or_version(
        arguments,
        &given,
        "This tool helps to read data from standard input and publish it to Kafka.",
    )?;
    if !given.has("bootstrap-server") && !given.has("broker-list") {
        return Err(Refusal::Usage("Missing required option(s) [bootstrap-server]".to_owned()));
    }
    required(&given, &["topic"])?;
    if let Some(class) = given.value("line-reader")?
        && !class.ends_with("LineMessageReader")
    {
        return Err(Refusal::Plain(format!("--line-reader: cannot read lines as {class} does")));
    }
    let topic = given.value("topic")?.unwrap_or_default().to_owned();
    let mut reader = from_file(&given, "reader-config")?;
    merge(&mut reader, &key_values(&given, "property"));
    Ok(Asked { topic, sync: given.has("sync"), producer: producer(&given)?, reader })
}

fn producer(given: &Given) -> Result<Properties, Refusal> {
    let mut properties = from_file(given, "producer.config")?;
    merge(&mut properties, &key_values(given, "producer-property"));
    let bootstrap = match given.value("bootstrap-server")? {
        Some(bootstrap) => Some(bootstrap),
        None => given.value("broker-list")?,
    };
    properties.set("bootstrap.servers", bootstrap.unwrap_or_default());
    let codec = match (given.has("compression-codec"), given.value("compression-codec")?) {
        (false, _) => "none",
        (true, None | Some("")) => "gzip",
        (true, Some(codec)) => codec,
    };
    properties.set("compression.type", codec);
    if !properties.contains("client.id") {
        properties.set("client.id", "console-producer");
    }
    for (flag, key, default) in OF_PRODUCER {
        set_from_flag(&mut properties, key, given, flag, default)?;
    }
    Ok(properties)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::words;

    fn asked(line: &str) -> Result<Asked, String> {
        let words = words(line);
        read(&words).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_become_properties() {
        #[track_caller]
        fn check(line: &str, key: &str, expected: &str) {
            let asked = asked(&format!("--topic t --bootstrap-server a:1 {line}")).unwrap();
            assert_eq!(asked.producer.get(key), Some(expected), "{line}");
        }
        check("", "acks", "-1");
        check("", "linger.ms", "1000");
        check("", "compression.type", "none");
        check("--compression-codec", "compression.type", "gzip");
        check("--compression-codec zstd", "compression.type", "zstd");
        check("--producer-property acks=1", "acks", "1");
        check("--producer-property acks=1 --request-required-acks 0", "acks", "0");
        check("--batch-size 5 --max-partition-memory-bytes 7", "batch.size", "7");
        check("--producer-property client.id=me", "client.id", "me");
        check("", "client.id", "console-producer");
    }

    #[test]
    fn what_is_missing_is_told() {
        let missing = |line: &str| asked(line).err();
        assert_eq!(
            missing("--bootstrap-server a:1").as_deref(),
            Some("Missing required argument \"[topic]\"")
        );
        assert_eq!(missing("--topic t").as_deref(), Some("Missing required option(s) [bootstrap-server]"));
        assert_eq!(missing("--topic t --nonsense").as_deref(), Some("nonsense is not a recognized option"));
        assert!(asked("--topic t --broker-list a:1").is_ok());
    }
}
