//! A whole broker against what the machine can do at all, in bytes per second of processor time: a bare loop that receives,
//! checksums and writes, and a bare loop of sendfile. Large batches, loopback, the same client for broker and loop.

use super::connections::{code, produce_frame};
use super::report::{Figure, Report, Who};
use super::side::Side;
use super::{BrokerKind, REPETITIONS};
use crate::groups::driver::{Client, find, frame, i16_at};
use crate::stored::{self, thread_cpu_seconds};
use anyhow::{Result, anyhow, ensure};
use bytes::Bytes;
use gregor_harness::TestContext;
use gregor_harness::cluster::topic_name;
use gregor_records::{Compression, crc32c};
use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use rand::Rng as _;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

/// Just below what a broker takes by default.
const BATCH_BYTES: usize = 1_000_000;
const BATCHES: usize = 500;
const VALUE_BYTES: usize = 1_000;
const FETCH_BYTES: i32 = 1 << 20;
const FETCH_VERSION: i16 = 11;
const RECEIVED: &str = "large batches, acks=1, against receive + CRC + write";
const SENT: &str = "cached fetches, against sendfile";
const UNIT: &str = "GB/CPU s";

/// Runs both cases.
pub async fn run(context: &TestContext, report: &mut Report) -> Result<()> {
    let batch = stored::batch(
        BATCH_BYTES,
        VALUE_BYTES,
        Compression::default(),
        || 7,
        |value| rand::rng().fill_bytes(value),
    )?;
    let file = context.dir().join("floor");
    let mut sides = [
        Side::start(context, BrokerKind::Gregor, 1).await?,
        Side::start(context, BrokerKind::Kafka, 1).await?,
    ];
    for repetition in 0..=REPETITIONS {
        let gigabytes = (BATCHES * batch.len()) as f64 / 1e9;
        let received = receive_bare(&file, &batch)?;
        let sent = send_bare(&file)?;
        std::fs::remove_file(&file)?;
        if repetition > 0 {
            report.note(RECEIVED, UNIT, Who::Floor, gigabytes / received);
            report.note(SENT, UNIT, Who::Floor, gigabytes / sent);
        }
        for side in &mut sides {
            let topic = side.new_topic(1, 1).await?;
            let before = side.processor_time()?;
            produce(side, &topic, &batch).await?;
            let between = side.processor_time()?;
            fetch(side, &topic, &batch).await?;
            let after = side.processor_time()?;
            side.remove_topic(&topic).await?;
            if repetition > 0 {
                report.note(RECEIVED, UNIT, side.kind(), gigabytes / (between - before).as_secs_f64());
                report.note(SENT, UNIT, side.kind(), gigabytes / (after - between).as_secs_f64());
            }
        }
    }
    report.bound(RECEIVED, Figure::More(0.5));
    report.bound(SENT, Figure::More(0.5));
    Ok(())
}

async fn produce(side: &Side, topic: &str, batch: &Bytes) -> Result<()> {
    let frame = produce_frame(topic, 0, batch.clone())?;
    let mut client = Client::connect(&side.cluster.brokers[0].address()).await?;
    // Two at a time: the broker need not wait for the client.
    client.send(&frame).await?;
    for number in 0..BATCHES {
        if number + 1 < BATCHES {
            client.send(&frame).await?;
        }
        let code = code(client.receive().await?, topic.len())?;
        ensure!(code == 0, "a batch was refused with {code}");
    }
    Ok(())
}

async fn fetch(side: &Side, topic: &str, batch: &Bytes) -> Result<()> {
    const MARK: i64 = 0x0123_4567_89ab_cdef;
    let partition = FetchPartition::default().with_fetch_offset(MARK).with_partition_max_bytes(FETCH_BYTES);
    let wanted = FetchTopic::default().with_topic(topic_name(topic)).with_partitions(vec![partition]);
    let request = FetchRequest::default()
        .with_max_wait_ms(1_000)
        .with_min_bytes(1)
        .with_max_bytes(50 << 20)
        .with_session_epoch(-1)
        .with_topics(vec![wanted]);
    let mut frame = frame(&request, FETCH_VERSION)?;
    let at = find(&frame, &MARK.to_be_bytes())?;
    let records = i64::from(i32::from_be_bytes(batch[57..61].try_into()?));
    let mut client = Client::connect(&side.cluster.brokers[0].address()).await?;
    let mut batches = 0;
    while batches < BATCHES {
        frame[at..at + 8].copy_from_slice(&(i64::try_from(batches)? * records).to_be_bytes());
        let answer = client.ask(&frame).await?;
        // Correlation id, throttle time, the code of the whole.
        let code = i16_at(answer, 8)?;
        ensure!(code == 0, "a fetch was refused with {code}");
        let whole = answer.len() / batch.len();
        ensure!(whole > 0, "an answer of {} bytes", answer.len());
        batches += whole;
    }
    Ok(())
}

/// Processor time, in seconds, for receiving that many batches, checksumming and writing them.
fn receive_bare(path: &Path, batch: &Bytes) -> Result<f64> {
    let (client, socket) = connected()?;
    let sending = batch.clone();
    let sender = std::thread::spawn(move || send_all(client, &sending));
    let measured = std::thread::spawn({
        let (path, length) = (path.to_owned(), batch.len());
        move || receive_all(socket, &path, length)
    });
    sender.join().map_err(|_| anyhow!("the sender panicked"))??;
    measured.join().map_err(|_| anyhow!("the receiver panicked"))?
}

fn send_all(mut client: TcpStream, batch: &Bytes) -> Result<()> {
    for _ in 0..BATCHES {
        client.write_all(batch)?;
    }
    Ok(())
}

fn receive_all(mut socket: TcpStream, path: &Path, length: usize) -> Result<f64> {
    let mut file = File::create(path)?;
    let mut buffer = vec![0; length];
    let start = thread_cpu_seconds()?;
    let mut checksums = 0;
    for _ in 0..BATCHES {
        socket.read_exact(&mut buffer)?;
        checksums ^= crc32c(&buffer);
        file.write_all(&buffer)?;
    }
    std::hint::black_box(checksums);
    Ok(thread_cpu_seconds()? - start)
}

/// Processor time, in seconds, for sending that file.
fn send_bare(path: &Path) -> Result<f64> {
    let (client, socket) = connected()?;
    let reader = std::thread::spawn(move || drain(client));
    let path = path.to_owned();
    let measured = std::thread::spawn(move || -> Result<f64> {
        let file = File::open(path)?;
        let (end, mut position) = (file.metadata()?.len(), 0);
        let start = thread_cpu_seconds()?;
        while position < end {
            rustix::fs::sendfile(&socket, &file, Some(&mut position), FETCH_BYTES as usize)?;
        }
        Ok(thread_cpu_seconds()? - start)
    });
    let spent = measured.join().map_err(|_| anyhow!("the sender panicked"))??;
    reader.join().map_err(|_| anyhow!("the reader panicked"))??;
    Ok(spent)
}

fn drain(mut socket: TcpStream) -> Result<()> {
    let mut buffer = vec![0; 1 << 20];
    while socket.read(&mut buffer)? > 0 {}
    Ok(())
}

fn connected() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    Ok((client, listener.accept()?.0))
}
