//! `flush.messages=1`: 64 producers at a time, whose appends share fsyncs, against one producer alone and against a bare file
//! with one fsync per append.

use crate::stored;
use anyhow::{Result, anyhow};
use gregor_log::{LogConfig, LogManager};
use gregor_records::Compression;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

const PRODUCERS: usize = 64;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(500);
const BATCH_BYTES: usize = 1024;

/// Runs the case in `dir` and prints its table.
pub fn run(dir: &Path) -> Result<()> {
    println!("log: flush.messages=1, durable appends of 1 KiB per second (medians of {ROUNDS} rounds)");
    let manager = stored::open(&dir.join("logs"), LogConfig { flush_messages: 1, ..LogConfig::default() })?;
    let (mut bare, mut one, mut many, mut spread) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare.push(append_to_bare_file(&dir.join("bare"))?);
        one.push(append_to_logs(&manager, 1, 1)?);
        many.push(append_to_logs(&manager, PRODUCERS, 1)?);
        spread.push(append_to_logs(&manager, PRODUCERS, 8)?);
    }
    let bare = stored::median(bare)?;
    for (name, figures, target) in [
        ("one fsync per append, bare file", vec![bare], ""),
        ("one producer", one, ""),
        ("64 producers, one partition", many, ">= 10x"),
        ("64 producers, 8 partitions", spread, ""),
    ] {
        let rate = stored::median(figures)?;
        println!("{name:34} {rate:>9.0}/s {:>7.1}x   {target}", rate / bare);
    }
    Ok(())
}

/// Appends per second of `producers` threads, spread over `partitions` logs.
fn append_to_logs(manager: &LogManager, producers: usize, partitions: usize) -> Result<f64> {
    let batch = stored::batch(BATCH_BYTES, BATCH_BYTES, Compression::default(), || 7, |_| {})?;
    let start = Instant::now();
    let total: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..producers)
            .map(|producer| {
                let batch = &batch;
                scope.spawn(move || -> Result<usize> {
                    let log = stored::log_of(manager, "flushed", i32::try_from(producer % partitions)?)?;
                    let mut count = 0;
                    while start.elapsed() < ROUND {
                        stored::append(&log, batch.clone(), stored::now()?)?;
                        count += 1;
                    }
                    Ok(count)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow!("a producer panicked"))?)
            .sum::<Result<_>>()
    })?;
    Ok(total as f64 / start.elapsed().as_secs_f64())
}

fn append_to_bare_file(path: &Path) -> Result<f64> {
    let file = File::create(path)?;
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < ROUND {
        file.write_all_at(&[7; BATCH_BYTES], count * BATCH_BYTES as u64)?;
        file.sync_data()?;
        count += 1;
    }
    Ok(count as f64 / start.elapsed().as_secs_f64())
}
