//! Producing and consuming with librdkafka, which is in C, so that the brokers are more of the limit than with Java's tools.

use super::produce::gibibytes;
use super::report::{Figure, Report};
use super::side::Side;
use super::{REPETITIONS, consume};
use anyhow::{Context as _, Result, ensure};
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaErrorCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What is written to and read from.
pub const PARTITIONS: i32 = 12;
/// Of each record.
pub const RECORD_BYTES: u64 = 1024;
const RECORDS: u64 = 192 * 1024;
/// For all of them.
const DEADLINE: Duration = Duration::from_secs(120);

/// Runs the cases.
pub async fn run(sides: &mut [Side; 2], report: &mut Report) -> Result<()> {
    for (acks, replicas, most_work) in [("all", 3, 0.5), ("1", 1, 1.0)] {
        let name = format!(
            "librdkafka: produce {RECORD_BYTES} B, acks={acks}, replicas {replicas}, partitions {PARTITIONS}"
        );
        let work = format!("{name}: brokers' work");
        for repetition in 0..=REPETITIONS {
            for side in &mut *sides {
                let topic = side.new_topic(PARTITIONS, replicas).await?;
                let before = side.processor_time()?;
                let rate = send(&side.cluster.bootstrap(), &topic, acks, RECORDS).await?;
                note(side, report, repetition, [(&name, rate), (&work, before.as_secs_f64())])?;
                side.remove_topic(&topic).await?;
            }
        }
        // It sends faster than either broker takes.
        report.bound(&name, Figure::More(1.5));
        report.bound(&work, Figure::Less(most_work));
    }
    receiving(sides, report).await
}

async fn receiving(sides: &mut [Side; 2], report: &mut Report) -> Result<()> {
    let name = "librdkafka: consume from the cache";
    let work = format!("{name}: brokers' work");
    let mut topics = Vec::new();
    for side in &mut *sides {
        let topic = side.new_topic(PARTITIONS, 1).await?;
        send(&side.cluster.bootstrap(), &topic, "1", RECORDS).await?;
        topics.push(topic);
    }
    for repetition in 0..=REPETITIONS {
        for (side, topic) in sides.iter_mut().zip(&topics) {
            let before = side.processor_time()?;
            let rate = receive(&side.cluster.bootstrap(), topic).await?;
            note(side, report, repetition, [(name, rate), (&work, before.as_secs_f64())])?;
        }
    }
    report.bound(name, Figure::More(1.0));
    report.bound(&work, Figure::Less(consume::WORK_FROM_THE_CACHE_MAX));
    for (side, topic) in sides.iter().zip(&topics) {
        side.remove_topic(topic).await?;
    }
    Ok(())
}

/// Notes a rate, and the work since the brokers had used the second's seconds. The first round is for the JVM to warm up.
fn note(side: &mut Side, report: &mut Report, repetition: usize, figures: [(&str, f64); 2]) -> Result<()> {
    let [(name, rate), (work, before)] = figures;
    let used = side.processor_time()?.as_secs_f64() - before;
    if repetition > 0 {
        report.note(name, "MiB/s", side.kind(), rate);
        report.note(work, "CPU s/GiB", side.kind(), used / gibibytes(RECORDS * RECORD_BYTES));
    }
    Ok(())
}

/// Counts what was acknowledged.
struct Counting(Arc<AtomicU64>);

impl ClientContext for Counting {}

impl ProducerContext for Counting {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_ok() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Sends so many records to all partitions in turn and waits for their acknowledgements; gives MiB per second.
pub async fn send(bootstrap: &str, topic: &str, acks: &'static str, records: u64) -> Result<f64> {
    let (bootstrap, topic) = (bootstrap.to_owned(), topic.to_owned());
    tokio::task::spawn_blocking(move || send_blocking(&bootstrap, &topic, acks, records)).await?
}

fn send_blocking(bootstrap: &str, topic: &str, acks: &str, records: u64) -> Result<f64> {
    let acknowledged = Arc::new(AtomicU64::new(0));
    let producer: BaseProducer<Counting> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("acks", acks)
        .set("linger.ms", "5")
        .set("batch.size", "65536")
        .create_with_context(Counting(Arc::clone(&acknowledged)))?;
    let value = vec![b'x'; usize::try_from(RECORD_BYTES)?];
    let start = Instant::now();
    for number in 0..records {
        let partition = i32::try_from(number % u64::from(PARTITIONS.unsigned_abs()))?;
        loop {
            let record = BaseRecord::<(), [u8]>::to(topic).partition(partition).payload(&value);
            match producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    producer.poll(Duration::from_millis(5));
                }
                Err((error, _)) => return Err(error).context("sending"),
            }
        }
        if number % 256 == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    producer.flush(DEADLINE)?;
    let sent = acknowledged.load(Ordering::Relaxed);
    ensure!(sent == records, "{sent} of {records} acknowledged");
    Ok(mebibytes_per_second(records, start))
}

/// Reads all records; gives MiB per second.
async fn receive(bootstrap: &str, topic: &str) -> Result<f64> {
    let (bootstrap, topic) = (bootstrap.to_owned(), topic.to_owned());
    tokio::task::spawn_blocking(move || receive_blocking(&bootstrap, &topic)).await?
}

fn receive_blocking(bootstrap: &str, topic: &str) -> Result<f64> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        // librdkafka wants a name, though no group is joined and nothing is committed.
        .set("group.id", "gregor-bench")
        .set("enable.auto.commit", "false")
        // It would sleep for a second whenever so many wait to be polled, which a fast broker brings about.
        .set("queued.min.messages", RECORDS.to_string())
        .create()?;
    let mut assignment = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        assignment.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    let start = Instant::now();
    consumer.assign(&assignment)?;
    let mut bytes = 0;
    while bytes < RECORDS * RECORD_BYTES {
        ensure!(start.elapsed() < DEADLINE, "{bytes} bytes within {DEADLINE:?}");
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            bytes += message?.payload_len() as u64;
        }
    }
    Ok(mebibytes_per_second(RECORDS, start))
}

fn mebibytes_per_second(records: u64, start: Instant) -> f64 {
    (records * RECORD_BYTES) as f64 / 1048576.0 / start.elapsed().as_secs_f64()
}
