//! Sequential reading as Fetch does it: a read of the log hands out a region of a file, and sendfile moves it to the socket.
//! The kernel's count of the bytes that this process read into its own memory shows that no record was among them.

use crate::stored::{self, thread_cpu_seconds};
use anyhow::{Context as _, Result, anyhow, ensure};
use gregor_log::{FetchIsolation, LogConfig, PartitionLog};
use gregor_records::Compression;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Instant;

const BYTES: usize = 256 << 20;
const FETCH_BYTES: usize = 1 << 20;

/// Runs the case in `dir` and prints its table.
pub fn run(dir: &Path) -> Result<()> {
    println!("log: sequential fetch of 256 MiB in fetches of 1 MiB, to a socket on loopback");
    let manager = stored::open(dir, LogConfig { segment_bytes: 64 << 20, ..LogConfig::default() })?;
    let log = stored::log_of(&manager, "fetched", 0)?;
    let batch = stored::batch(16 << 10, 1000, Compression::default(), || 7, |_| {})?;
    for _ in 0..BYTES / batch.len() {
        stored::append(&log, batch.clone(), stored::now()?)?;
    }
    log.set_high_watermark(log.log_end_offset());
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let reader = TcpStream::connect(listener.local_addr()?)?;
    let (socket, _) = listener.accept()?;
    let consumer = std::thread::spawn(move || drain(reader));
    let (start, cpu) = (Instant::now(), thread_cpu_seconds()?);
    let batches = (BYTES / batch.len()) as i64;
    let sent = send_all(&log, batch.len() as u64, log.log_end_offset().0 / batches, &socket)?;
    let (elapsed, cpu) = (start.elapsed().as_secs_f64(), thread_cpu_seconds()? - cpu);
    drop(socket);
    let received = consumer.join().map_err(|_| anyhow!("the consumer panicked"))??;
    ensure!(received == sent.by_sendfile, "{received} bytes came of {sent:?}");
    println!(
        "{:.2} GB/s, {:.2} GB per CPU-second; {} bytes of records by {} calls of sendfile, {} bytes read into memory by {} reads",
        received as f64 / elapsed / 1e9,
        received as f64 / cpu / 1e9,
        sent.by_sendfile,
        sent.sendfile_calls,
        sent.read_into_memory,
        sent.reads
    );
    ensure!(sent.read_into_memory < sent.by_sendfile / 100, "records were read into memory: {sent:?}");
    Ok(())
}

/// What reading came to.
#[derive(Debug)]
struct Sent {
    by_sendfile: u64,
    sendfile_calls: u64,
    /// What this thread's other system calls read: entries of indexes and headers of batches, to find positions.
    read_into_memory: u64,
    reads: u64,
}

/// Sends the log, which consists of batches of `batch_bytes` with `records` each.
fn send_all(log: &PartitionLog, batch_bytes: u64, records: i64, socket: &TcpStream) -> Result<Sent> {
    let before = thread_reads()?;
    let (mut by_sendfile, mut sendfile_calls) = (0, 0);
    let mut offset = log.log_start_offset();
    while offset < log.log_end_offset() {
        let data = log.read(offset, FETCH_BYTES, FetchIsolation::HighWatermark, true)?;
        let slice = data.records.context("the log ended early")?;
        let batches = slice.len as u64 / batch_bytes;
        let (mut position, end) = (slice.position, slice.position + batches * batch_bytes);
        while position < end {
            let left = usize::try_from(end - position)?;
            by_sendfile += rustix::fs::sendfile(socket, &slice.file, Some(&mut position), left)? as u64;
            sendfile_calls += 1;
        }
        offset += i64::try_from(batches)? * records;
    }
    let after = thread_reads()?;
    // The kernel counts what sendfile moves as read, too.
    Ok(Sent {
        by_sendfile,
        sendfile_calls,
        read_into_memory: (after.bytes - before.bytes).saturating_sub(by_sendfile),
        reads: (after.calls - before.calls).saturating_sub(sendfile_calls),
    })
}

struct Reads {
    bytes: u64,
    calls: u64,
}

/// What this thread has read by system calls.
fn thread_reads() -> Result<Reads> {
    let text = std::fs::read_to_string("/proc/thread-self/io")?;
    let field = |name: &str| -> Result<u64> {
        let value = text.lines().find_map(|line| line.strip_prefix(name)).context("a counter is missing")?;
        Ok(value.trim().parse()?)
    };
    Ok(Reads { bytes: field("rchar:")?, calls: field("syscr:")? })
}

/// Takes everything that comes, as a consumer.
fn drain(mut socket: TcpStream) -> Result<u64> {
    let mut buffer = vec![0; 1 << 20];
    let mut received = 0;
    loop {
        match socket.read(&mut buffer)? {
            0 => return Ok(received),
            count => received += count as u64,
        }
    }
}
