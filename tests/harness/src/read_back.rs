//! Reading a topic back, and comparing it with what was acknowledged.

use crate::load::{Acknowledged, number_of};
use anyhow::{Context as _, Result, bail, ensure};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Payloads by partition and offset.
pub type Topic = BTreeMap<i32, BTreeMap<i64, String>>;

/// Reads `partitions` partitions of `topic` from the beginning to the end.
pub async fn read_topic(bootstrap: &str, topic: &str, partitions: i32) -> Result<Topic> {
    let (bootstrap, topic) = (bootstrap.to_owned(), topic.to_owned());
    tokio::task::spawn_blocking(move || read_blocking(&bootstrap, &topic, partitions)).await?
}

fn read_blocking(bootstrap: &str, topic: &str, partitions: i32) -> Result<Topic> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        // librdkafka wants a name, though no group is joined and nothing is committed.
        .set("group.id", "gregor-harness")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("check.crcs", "true")
        .set("reconnect.backoff.max.ms", "500")
        .create()?;
    let mut assignment = TopicPartitionList::new();
    for partition in 0..partitions {
        assignment.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    let mut found: Topic = (0..partitions).map(|partition| (partition, BTreeMap::new())).collect();
    let mut unfinished: BTreeSet<i32> = (0..partitions).collect();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !unfinished.is_empty() {
        ensure!(Instant::now() < deadline, "reading {topic} took too long; unfinished: {unfinished:?}");
        match consumer.poll(Duration::from_millis(200)) {
            None => {}
            Some(Ok(message)) => {
                let payload = String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned();
                found.entry(message.partition()).or_default().insert(message.offset(), payload);
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(unfinished.remove(&partition)),
            Some(Err(KafkaError::MessageConsumption(code))) => println!("reading {topic}: {code} (retried)"),
            Some(Err(error)) => return Err(error).context("reading back"),
        }
    }
    Ok(found)
}

/// Fails unless every acknowledged message is exactly where it was acknowledged (if that was told), offsets have no gaps, and the messages of each
/// load are there once and in their order.
pub fn check_acknowledged(acknowledged: &[Acknowledged], topic: &Topic) -> Result<()> {
    // A message whose own answer was lost is acknowledged by the answer to a later one: librdkafka then knows no offset.
    let (placed, unplaced): (Vec<_>, Vec<_>) = acknowledged.iter().partition(|message| message.offset >= 0);
    let mut missing: BTreeSet<(i32, &str)> =
        unplaced.iter().map(|m| (m.partition, m.payload.as_str())).collect();
    for (partition, messages) in topic {
        for payload in messages.values() {
            missing.remove(&(*partition, payload.as_str()));
        }
    }
    ensure!(missing.is_empty(), "acknowledged, and nowhere: {missing:?}");
    for Acknowledged { partition, offset, payload } in placed {
        match topic.get(partition).and_then(|messages| messages.get(offset)) {
            Some(found) if found == payload => {}
            found => bail!("acknowledged at {partition}/{offset}: {payload:?}; read there: {found:?}"),
        }
    }
    for (partition, messages) in topic {
        let count = messages.len() as i64;
        ensure!(
            messages.keys().copied().eq(0..count),
            "partition {partition} has {count} messages, the last at {:?}: a gap",
            messages.keys().next_back()
        );
    }
    check_numbers(topic)
}

/// What an idempotent producer promises.
fn check_numbers(topic: &Topic) -> Result<()> {
    let mut seen: BTreeMap<(u32, u64), (i32, i64)> = BTreeMap::new();
    for (partition, messages) in topic {
        let mut last: BTreeMap<u32, u64> = BTreeMap::new();
        for (offset, payload) in messages {
            let Some((load, number)) = number_of(payload) else { continue };
            if let Some(before) = last.insert(load, number) {
                ensure!(
                    before < number,
                    "{partition}/{offset}: message {number} stands behind message {before}"
                );
            }
            if let Some(other) = seen.insert((load, number), (*partition, *offset)) {
                bail!("message {number} is at {other:?} and at {:?}", (partition, offset));
            }
        }
    }
    Ok(())
}
