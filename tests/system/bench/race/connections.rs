//! Many small connections: each sends one record at a time and waits for its acknowledgement, as a fleet of sensors does.

use super::REPETITIONS;
use super::report::{Figure, Report};
use super::side::Side;
use crate::groups::driver::{Client, frame, i16_at};
use crate::stored;
use anyhow::{Context as _, Result, ensure};
use gregor_harness::cluster::topic_name;
use gregor_records::Compression;
use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use std::time::Instant;
use tokio::task::JoinSet;

const CONNECTIONS: usize = 500;
/// One after another, of each connection.
const REQUESTS: usize = 100;
const PARTITIONS: i32 = 12;
const VALUE_BYTES: usize = 100;
const VERSION: i16 = 8;

/// Runs the case.
pub async fn run(sides: &mut [Side; 2], report: &mut Report) -> Result<()> {
    let name = format!("{CONNECTIONS} connections, a record of {VALUE_BYTES} B at a time, acks=1");
    let work = format!("{name}: brokers' work");
    for repetition in 0..=REPETITIONS {
        for side in &mut *sides {
            let topic = side.new_topic(PARTITIONS, 1).await?;
            let mut clients = connect(side, &topic).await?;
            let before = side.processor_time()?;
            let start = Instant::now();
            let mut running = JoinSet::new();
            for (client, frame) in clients.drain(..) {
                running.spawn(send(client, frame, topic.len()));
            }
            // Each gives its connection back, so that closing it is not measured.
            let mut done = Vec::new();
            while let Some(ended) = running.join_next().await {
                done.push(ended??);
            }
            let (elapsed, used) = (start.elapsed(), side.processor_time()? - before);
            let requests = (CONNECTIONS * REQUESTS) as f64;
            if repetition > 0 {
                report.note(&name, "requests/s", side.kind(), requests / elapsed.as_secs_f64());
                report.note(&work, "CPU µs a request", side.kind(), used.as_secs_f64() * 1e6 / requests);
            }
            drop(done);
            side.remove_topic(&topic).await?;
        }
    }
    report.bound(&name, Figure::More(1.0));
    report.bound(&work, Figure::Less(1.0));
    Ok(())
}

/// The connections, each to the leader of its partition, with what it sends.
async fn connect(side: &Side, topic: &str) -> Result<Vec<(Client, Vec<u8>)>> {
    let mut leaders = Vec::new();
    for partition in 0..PARTITIONS {
        let state =
            side.cluster.wait_for_state(topic, partition, "a leader", |state| state.leader >= 0).await?;
        let leader = side.cluster.brokers.iter().find(|broker| broker.id() == state.leader);
        leaders.push((partition, leader.context("an unknown leader")?.address()));
    }
    let mut clients = Vec::new();
    for (partition, address) in leaders.iter().cycle().take(CONNECTIONS) {
        clients.push((Client::connect(address).await?, produce(topic, *partition, VALUE_BYTES)?));
    }
    Ok(clients)
}

/// A Produce request for one batch of one record.
fn produce(topic: &str, partition: i32, value_bytes: usize) -> Result<Vec<u8>> {
    let batch = stored::batch(1, value_bytes, Compression::default(), || 7, |_| {})?;
    produce_frame(topic, partition, batch)
}

/// A Produce request with acks=1.
pub fn produce_frame(topic: &str, partition: i32, batch: bytes::Bytes) -> Result<Vec<u8>> {
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch));
    let data = TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(vec![data]);
    let request = ProduceRequest::default().with_acks(1).with_timeout_ms(30_000).with_topic_data(vec![data]);
    frame(&request, VERSION)
}

/// The code of the only partition: correlation id, an array, a name, an array, an index.
pub fn code(answer: &[u8], topic_length: usize) -> Result<i16> {
    i16_at(answer, 4 + 4 + 2 + topic_length + 4 + 4)
}

async fn send(mut client: Client, frame: Vec<u8>, topic_length: usize) -> Result<Client> {
    for _ in 0..REQUESTS {
        let code = code(client.ask(&frame).await?, topic_length)?;
        ensure!(code == 0, "a record was refused with {code}");
    }
    Ok(client)
}
