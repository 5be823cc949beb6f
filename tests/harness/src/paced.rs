//! An open-loop load for latencies from end to end: records are due at fixed times, and what counts is the time from when a
//! record was due until a consumer had it, so that a stall is seen by every record that was due meanwhile.

use anyhow::{Context as _, Result, ensure};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::time::{Duration, Instant};

/// After the last record was due.
const PATIENCE: Duration = Duration::from_secs(30);

/// What to send.
#[derive(Clone, Debug)]
pub struct Pace {
    /// The cluster.
    pub bootstrap: String,
    /// An empty topic.
    pub topic: String,
    /// Its partitions, served in turn.
    pub partitions: i32,
    /// Records a second.
    pub rate: u32,
    /// Bytes of each.
    pub record_bytes: usize,
    /// For how long.
    pub duration: Duration,
    /// Records due in this time from the start are sent, and not counted.
    pub warm_up: Duration,
}

/// Sends at that pace with acks=all, and gives the latencies in ascending order.
pub async fn latencies(pace: Pace) -> Result<Vec<Duration>> {
    let start = Instant::now() + Duration::from_secs(1);
    let reading = pace.clone();
    let reader = tokio::task::spawn_blocking(move || read(&reading, start));
    tokio::task::spawn_blocking(move || send(&pace, start)).await??;
    let mut latencies = reader.await??;
    latencies.sort_unstable();
    Ok(latencies)
}

fn count(pace: &Pace) -> u32 {
    (pace.duration.as_secs_f64() * f64::from(pace.rate)) as u32
}

fn due(pace: &Pace, number: u32) -> Duration {
    Duration::from_secs_f64(f64::from(number) / f64::from(pace.rate))
}

fn send(pace: &Pace, start: Instant) -> Result<()> {
    let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
        .set("bootstrap.servers", &pace.bootstrap)
        .set("acks", "all")
        .set("linger.ms", "0")
        .create()?;
    let mut payload = vec![b'x'; pace.record_bytes.max(4)];
    for number in 0..count(pace) {
        std::thread::sleep((start + due(pace, number)).saturating_duration_since(Instant::now()));
        payload[..4].copy_from_slice(&number.to_be_bytes());
        let partition = i32::try_from(number)? % pace.partitions;
        producer
            .send(BaseRecord::<(), [u8]>::to(&pace.topic).partition(partition).payload(&payload))
            .map_err(|(error, _)| error)?;
    }
    producer.flush(PATIENCE).context("waiting for acknowledgements")
}

fn read(pace: &Pace, start: Instant) -> Result<Vec<Duration>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &pace.bootstrap)
        .set("group.id", "paced")
        .set("enable.auto.commit", "false")
        .create()?;
    let mut assignment = TopicPartitionList::new();
    for partition in 0..pace.partitions {
        assignment.add_partition_offset(&pace.topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    let (mut latencies, mut seen) = (Vec::new(), 0);
    while seen < count(pace) {
        ensure!(start.elapsed() < pace.duration + PATIENCE, "{seen} of {} records arrived", count(pace));
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let Ok(message) = message else { continue };
        let now = start.elapsed();
        let payload = message.payload().unwrap_or_default();
        let number =
            payload.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)).context("a short record")?;
        seen += 1;
        let due = due(pace, number);
        if due >= pace.warm_up {
            latencies.push(now.saturating_sub(due));
        }
    }
    Ok(latencies)
}
