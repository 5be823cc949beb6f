//! A data directory that one implementation filled and left by kill -9 is opened by the other, and then by the first again:
//! every codec, both timestamp types, transactions committed, aborted and open, compaction in the middle, many segments,
//! several leader epochs. What both read is equal, offset by offset, and kafka-dump-log finds nothing wrong with the files.

use anyhow::{Context as _, Result, ensure};
use gregor_harness::cluster::SETTLE;
use gregor_harness::java::kafka_tool;
use gregor_harness::{BrokerKind, Cluster, ClusterBuilder, TestContext, Transactor, run, wait};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
const TRANSACTIONAL: &str = "transactional";
const LOG_APPEND_TIME: &str = "log-append-time";
const COMPACTED: &str = "compacted";

#[test]
fn gregor_reads_what_kafka_left() {
    hand_over(BrokerKind::Kafka, BrokerKind::Gregor);
}

#[test]
fn kafka_reads_what_gregor_left() {
    hand_over(BrokerKind::Gregor, BrokerKind::Kafka);
}

/// What kcat prints of messages, by topic, isolation level and offset.
type Contents = BTreeMap<(String, &'static str), BTreeMap<i64, String>>;
/// Offset, timestamp, length (-1 is null) and text of key and value, headers.
const FORMAT: &str = "%o %T %K %k %S %s %h\n";
const COMMITTED: &str = "read_committed";
const UNCOMMITTED: &str = "read_uncommitted";

fn hand_over(writer: BrokerKind, reader: BrokerKind) {
    run(async |context| {
        let mut cluster = ClusterBuilder::of(&[writer])
            .property("log.segment.bytes", "20000")
            .property("log.index.interval.bytes", "500")
            .property("log.cleaner.backoff.ms", "50")
            .property("transaction.state.log.replication.factor", "1")
            .property("transaction.state.log.min.isr", "1")
            .property("transaction.state.log.num.partitions", "1")
            .start(context)
            .await?;
        create_topics(&cluster).await?;
        // Clients time out more slowly than brokers start: each phase has its own.
        drop(fill(&cluster, 0).await?);
        wait_for_cleaning(&cluster).await?;
        cluster.broker(0)?.stop().await?;
        if writer == BrokerKind::Gregor {
            check_files(context, &cluster, &topics()).await?;
        }
        start_as(&mut cluster, writer).await?;
        let open = fill(&cluster, 1).await?;
        let written = read(&cluster).await?;
        cluster.broker(0)?.kill();
        drop(open);
        start_as(&mut cluster, reader).await?;
        compare(&read(&cluster).await?, &written)
            .with_context(|| format!("{reader:?} reads what {writer:?} wrote"))?;
        drop(fill(&cluster, 2).await?);
        let added = read(&cluster).await?;
        cluster.broker(0)?.stop().await?;
        if reader == BrokerKind::Gregor {
            // In what Kafka's cleaner writes, index entries do not stand for their batches alone, as its own tool complains.
            let topics: Vec<String> = topics().into_iter().filter(|topic| topic != COMPACTED).collect();
            check_files(context, &cluster, &topics).await?;
        }
        start_as(&mut cluster, writer).await?;
        compare(&read(&cluster).await?, &added)
            .with_context(|| format!("{writer:?} reads what {reader:?} added"))
    });
}

/// Starts the broker as `kind`. From here on nothing is compacted, so that contents stay comparable.
async fn start_as(cluster: &mut Cluster, kind: BrokerKind) -> Result<()> {
    cluster.wait_for_registrations(&[]).await?;
    let broker = cluster.broker(0)?;
    broker.set_kind(kind);
    broker.set_property("log.cleaner.enable", "false");
    broker.start().await?;
    // Not by what ZooKeeper says, which is from before.
    wait::until_true("the broker to lead every topic again", SETTLE, || async {
        let known = cluster.kcat().metadata().await?;
        let is_led = |topic: &String| {
            let (_, rest) = known.split_once(&format!("topic \"{topic}\" with"))?;
            rest.lines().nth(1)?.contains("leader 0,").then_some(())
        };
        Ok(topics().iter().all(|topic| is_led(topic).is_some()))
    })
    .await
}

fn topics() -> Vec<String> {
    let plain = CODECS.iter().map(|codec| format!("codec-{codec}"));
    plain.chain([TRANSACTIONAL, LOG_APPEND_TIME, COMPACTED].map(str::to_owned)).collect()
}

async fn create_topics(cluster: &Cluster) -> Result<()> {
    for topic in topics() {
        let configs: &[(&str, &str)] = match topic.as_str() {
            LOG_APPEND_TIME => &[("message.timestamp.type", "LogAppendTime"), ("compression.type", "zstd")],
            COMPACTED => &[("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0")],
            _ => &[],
        };
        cluster.create_topic_with(&topic, 1, 1, configs).await?;
    }
    Ok(())
}

/// Adds messages to every topic. In the transactional one a transaction is open at the end.
async fn fill(cluster: &Cluster, phase: usize) -> Result<Transactor> {
    let common = ["-p", "0", "-K", ":", "-H", "h=1", "-H", "h", "-X", "acks=all", "-X", "batch.size=4000"];
    let (kcat, header) = (cluster.kcat(), format!("phase={phase}"));
    for codec in CODECS {
        let lines: String =
            (0..600).map(|n| format!("key{n}:{phase} {n} {}\n", "x".repeat(n % 100))).collect();
        let own = ["-z", codec, "-H", &header, "-X", "enable.idempotence=true"];
        kcat.produce(&format!("codec-{codec}"), &[common.as_slice(), &own].concat(), &lines).await?;
    }
    let lines: String = (0..300).map(|n| format!("key{n}:{phase}\n")).collect();
    kcat.produce(LOG_APPEND_TIME, &[common.as_slice(), &["-z", "gzip"]].concat(), &lines).await?;
    for round in 0..7 {
        let codec = CODECS[(phase + round) % CODECS.len()];
        // Every seventh is a tombstone.
        let value = |n: usize| {
            if n % 7 == round { String::new() } else { format!("{phase} {round} {}", "y".repeat(40)) }
        };
        let lines: String = (0..400).map(|n| format!("key{n}:{}\n", value(n))).collect();
        kcat.produce(COMPACTED, &[common.as_slice(), &["-Z", "-z", codec]].concat(), &lines).await?;
    }
    produce_transactions(cluster, phase).await
}

async fn produce_transactions(cluster: &Cluster, phase: usize) -> Result<Transactor> {
    let transactor = Transactor::start(&cluster.bootstrap(), "hand-over").await?;
    for number in 0..8 {
        let payloads: Vec<String> =
            (0..60).map(|n| format!("{phase} {number} {n} {}", "z".repeat(30))).collect();
        transactor.begin_with(TRANSACTIONAL, 0, &payloads).await?;
        match number {
            7 => {}
            _ if number % 3 == 1 => transactor.abort().await?,
            _ => transactor.commit().await?,
        }
    }
    Ok(transactor)
}

/// Until the compacted topic is clean up to its active segment.
async fn wait_for_cleaning(cluster: &Cluster) -> Result<()> {
    let data = cluster.brokers.first().context("no broker")?.data_dir();
    wait::until_true("the topic to be compacted", SETTLE, || async {
        let text = fs::read_to_string(data.join("cleaner-offset-checkpoint"))?;
        let clean: Option<i64> = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{COMPACTED} 0 ")))
            .and_then(|offset| offset.parse().ok());
        let active = files(cluster, COMPACTED, "log")?.pop().context("no segment")?;
        let base: i64 = active.file_stem().and_then(|stem| stem.to_str()).context("no name")?.parse()?;
        Ok(base > 0 && clean == Some(base))
    })
    .await
}

async fn read(cluster: &Cluster) -> Result<Contents> {
    let mut contents = Contents::new();
    for topic in topics() {
        let all = read_topic(cluster, &topic, UNCOMMITTED).await?;
        ensure!(all.len() >= 300, "{topic} is all but empty: {} messages", all.len());
        if topic == TRANSACTIONAL {
            let committed = read_topic(cluster, &topic, COMMITTED).await?;
            ensure!(committed.len() < all.len(), "nothing was aborted");
            contents.insert((topic.clone(), COMMITTED), committed);
        }
        contents.insert((topic, UNCOMMITTED), all);
    }
    Ok(contents)
}

async fn read_topic(cluster: &Cluster, topic: &str, isolation: &str) -> Result<BTreeMap<i64, String>> {
    let isolation = format!("isolation.level={isolation}");
    let arguments = ["-p", "0", "-f", FORMAT, "-X", &isolation, "-X", "check.crcs=true"];
    let printed = cluster.kcat().consume(topic, &arguments).await?;
    let offset = |line: &str| line.split_once(' ')?.0.parse().ok();
    printed
        .lines()
        .map(|line| Ok((offset(line).with_context(|| format!("kcat printed {line:?}"))?, line.to_owned())))
        .collect()
}

fn compare(found: &Contents, expected: &Contents) -> Result<()> {
    for (name, expected) in expected {
        let found = found.get(name).with_context(|| format!("{name:?} is missing"))?;
        for (offset, message) in expected {
            ensure!(
                found.get(offset) == Some(message),
                "{name:?} at {offset}: {:?} for {message:?}",
                found.get(offset)
            );
        }
        ensure!(found.len() == expected.len(), "{name:?} has more messages than were written");
    }
    Ok(())
}

/// Kafka's kafka-dump-log on every file of these topics.
async fn check_files(context: &TestContext, cluster: &Cluster, topics: &[String]) -> Result<()> {
    let all = |extensions: &[&str]| -> Result<Vec<PathBuf>> {
        let mut all = Vec::new();
        for topic in topics {
            for extension in extensions {
                all.extend(files(cluster, topic, extension)?);
            }
        }
        Ok(all)
    };
    let every = all(&["log", "index", "timeindex", "txnindex", "snapshot"])?;
    ensure!(
        every.iter().any(|path| path.extension().is_some_and(|is| is == "txnindex")),
        "no transaction index"
    );
    let text = dump(context, &every, &["--deep-iteration", "--verify-index-only"]).await?;
    ensure!(text.contains("isvalid: true") && !text.contains("isvalid: false"), "kafka-dump-log: {text}");
    let indexes = all(&["index", "timeindex"])?;
    let text = dump(context, &indexes, &["--index-sanity-check"]).await?;
    let told = |what: &str| text.matches(what).count();
    ensure!(
        told("passed sanity check") + told("is empty") >= indexes.len() && told("passed sanity check") > 0,
        "kafka-dump-log: {text}"
    );
    Ok(())
}

/// What the tool says; what it complains of is an error, but for the offsets that compaction has removed.
async fn dump(context: &TestContext, files: &[PathBuf], flags: &[&str]) -> Result<String> {
    let files: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    let files = files.join(",");
    let arguments = [&["--files", &files], flags].concat();
    let output = kafka_tool(context.dir(), "kafka.tools.DumpLogSegments", &arguments, b"").await?;
    let compacted = format!("/{COMPACTED}-0/");
    let mut in_compacted = false;
    for line in String::from_utf8_lossy(&output.stderr).lines() {
        match line.strip_prefix("Non-consecutive offsets in ") {
            Some(file) => in_compacted = file.contains(&compacted),
            None => {
                ensure!(in_compacted && line.contains(" is followed by "), "kafka-dump-log complains: {line}")
            }
        }
        ensure!(in_compacted, "kafka-dump-log complains: {line}");
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "kafka-dump-log {flags:?}: {text}");
    Ok(text)
}

/// The files with this extension in the directory of partition 0 of a topic, in the order of their offsets.
fn files(cluster: &Cluster, topic: &str, extension: &str) -> Result<Vec<PathBuf>> {
    let data = cluster.brokers.first().context("no broker")?.data_dir();
    let mut found = Vec::new();
    for entry in fs::read_dir(data.join(format!("{topic}-0")))? {
        let path = entry?.path();
        if path.extension().is_some_and(|is| is == extension) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
