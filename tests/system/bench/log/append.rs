//! Appends per second of processor time, against the floor: what comes from a socket is copied into a receive buffer, its
//! CRC-32C is computed, and it is written into the page cache. Both in the same run, in turns, to the same file system, in
//! segments of the same size that are removed after each round.

use crate::stored::{self, median, thread_cpu_seconds};
use anyhow::Result;
use bytes::{Bytes, BytesMut};
use gregor_log::{LogConfig, LogManager};
use gregor_model::TopicPartition;
use gregor_records::{Compression, HEADER_LENGTH, crc32c};
use rand::Rng as _;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

const ROUNDS: usize = 7;
const BYTES_PER_ROUND: usize = 512 << 20;
const SEGMENT_BYTES: u32 = 128 << 20;
const BATCH_BYTES: [usize; 2] = [16 << 10, 1 << 20];
const VALUE_BYTES: usize = 1000;
/// Where the checksummed part of a batch begins.
const CRC_FROM: usize = 21;

/// Runs the case in `dir` and prints its table.
pub fn run(dir: &Path) -> Result<()> {
    println!(
        "log: append, bytes per CPU-second of the appending thread (medians of {ROUNDS} rounds of 512 MiB, records of 1 kB)"
    );
    println!("{:>10} {:>14} {:>14} {:>8}   target", "batch", "Gregor", "floor", "ratio");
    let config =
        LogConfig { segment_bytes: SEGMENT_BYTES, max_message_bytes: 2 << 20, ..LogConfig::default() };
    let manager = stored::open(&dir.join("logs"), config)?;
    let floor_dir = dir.join("floor");
    for size in BATCH_BYTES {
        let batch = stored::batch(
            size,
            VALUE_BYTES,
            Compression::default(),
            || 7,
            |value| rand::rng().fill_bytes(value),
        )?;
        let (mut gregor, mut floor) = (Vec::new(), Vec::new());
        // The first round warms both up.
        for round in 0..=ROUNDS {
            let (ours, least) = (append_to_log(&manager, &batch)?, append_to_floor(&floor_dir, &batch)?);
            if round > 0 {
                gregor.push(ours);
                floor.push(least);
            }
        }
        let (gregor, floor) = (median(gregor)?, median(floor)?);
        println!(
            "{:>6} KiB {:>9.2} GB/s {:>9.2} GB/s {:>7.0}%   >= 60%",
            size >> 10,
            gregor / 1e9,
            floor / 1e9,
            100.0 * gregor / floor
        );
    }
    Ok(())
}

/// Bytes per CPU-second of one round of appends.
fn append_to_log(manager: &LogManager, batch: &Bytes) -> Result<f64> {
    let log = stored::log_of(manager, "bench", 0)?;
    let mut buffer = BytesMut::with_capacity(2 * batch.len());
    let now = stored::now()?;
    let count = BYTES_PER_ROUND / batch.len();
    let start = thread_cpu_seconds()?;
    for _ in 0..count {
        stored::append(&log, receive(&mut buffer, batch), now)?;
    }
    let spent = thread_cpu_seconds()? - start;
    drop(log);
    manager.delete(&TopicPartition::new("bench", 0), now)?;
    manager.run_due_work(now + 1);
    Ok((count * batch.len()) as f64 / spent)
}

/// The same bytes with nothing but the copy, the checksum and the write.
fn append_to_floor(dir: &Path, batch: &Bytes) -> Result<f64> {
    fs::create_dir_all(dir)?;
    let mut buffer = BytesMut::with_capacity(2 * batch.len());
    let count = BYTES_PER_ROUND / batch.len();
    let per_segment = SEGMENT_BYTES as usize / batch.len();
    let mut checksums = 0;
    let start = thread_cpu_seconds()?;
    for segment in 0..count.div_ceil(per_segment) {
        let file = File::create(dir.join(segment.to_string()))?;
        for number in 0..per_segment.min(count - segment * per_segment) {
            let received = receive(&mut buffer, batch);
            checksums ^= crc32c(&received[CRC_FROM.min(HEADER_LENGTH)..]);
            file.write_all_at(&received, (number * batch.len()) as u64)?;
        }
    }
    let spent = thread_cpu_seconds()? - start;
    std::hint::black_box(checksums);
    fs::remove_dir_all(dir)?;
    Ok((count * batch.len()) as f64 / spent)
}

/// What a read from a socket does: the bytes get into a buffer of the connection's, which is reclaimed.
fn receive(buffer: &mut BytesMut, batch: &Bytes) -> Bytes {
    buffer.reserve(batch.len());
    buffer.extend_from_slice(batch);
    buffer.split().freeze()
}
