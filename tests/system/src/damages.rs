//! Kinds of damage that a data directory can have, each done to a copy of a good one, with what `gregor doctor` has to say of
//! it: the kinds it finds, and what a repair loses.

use crate::data_dir::{DataDir, RECORDS_PER_BATCH};
use anyhow::{Context as _, Result};
use std::fs;
use std::path::PathBuf;

/// One kind of damage.
pub struct Damage {
    /// What was done.
    pub name: &'static str,
    /// Does it.
    pub inflict: fn(&DataDir) -> Result<()>,
    /// The kinds that are found, in any order; notes, too.
    pub kinds: &'static [&'static str],
    /// What the repair of the first kind loses, in words; `None` if nobody but a person can repair it.
    pub loses: Option<fn(&DataDir) -> Result<String>>,
}

const NOTHING: Option<fn(&DataDir) -> Result<String>> = Some(|_| Ok("nothing".to_owned()));
const NOBODY: Option<fn(&DataDir) -> Result<String>> = None;
const ORDERS: &str = "orders-0";

/// All of them.
pub const DAMAGES: &[Damage] = &[
    Damage {
        name: "a flipped bit in the last segment",
        inflict: |dir| flip(&last(dir, ".log")?, |log| second_batch(log) + 70),
        kinds: &["wrong-checksum", "checkpoint-beyond-end", "checkpoint-beyond-end"],
        loses: Some(|dir| lost_from(dir, &last(dir, ".log")?, 1, 1)),
    },
    Damage {
        name: "a flipped bit in a segment in the middle",
        inflict: |dir| flip(&logs(dir)?[1], |log| second_batch(log) + 70),
        kinds: &["wrong-checksum", "checkpoint-beyond-end", "checkpoint-beyond-end"],
        loses: Some(|dir| lost_from(dir, &logs(dir)?[1], 1, 1)),
    },
    Damage {
        name: "a batch that was not written to its end",
        inflict: |dir| change(&last(dir, ".log")?, |log| log.truncate(log.len() - 7)),
        kinds: &["torn-batch", "checkpoint-beyond-end", "checkpoint-beyond-end"],
        loses: Some(|dir| {
            let (from, size) = last_batch(dir)?;
            Ok(format!("offsets from {from} on ({} bytes: {} damaged)", size - 7, size - 7))
        }),
    },
    Damage {
        name: "zeros behind the last batch",
        inflict: |dir| change(&last(dir, ".log")?, |log| log.extend([0; 5000])),
        kinds: &["unwritten-tail"],
        loses: NOTHING,
    },
    Damage {
        name: "bytes behind the last batch that are none",
        inflict: |dir| change(&last(dir, ".log")?, |log| log.extend([0xab; 300])),
        kinds: &["not-a-batch"],
        loses: Some(|dir| {
            let (from, _) = end(dir)?;
            Ok(format!("offsets from {from} on (300 bytes: 300 damaged)"))
        }),
    },
    Damage {
        name: "a batch twice",
        inflict: |dir| {
            change(&last(dir, ".log")?, |log| {
                let first = log[..second_batch(log)].to_vec();
                log.extend(first);
            })
        },
        kinds: &["offsets-out-of-order"],
        loses: Some(|dir| {
            let log = fs::read(last(dir, ".log")?)?;
            let (from, _) = end(dir)?;
            let size = second_batch(&log);
            Ok(format!("offsets from {from} on ({size} bytes: {RECORDS_PER_BATCH} readable records)"))
        }),
    },
    Damage {
        name: "a segment that goes on into the next one",
        inflict: |dir| {
            let logs = logs(dir)?;
            let next = fs::read(&logs[1])?;
            change(&logs[0], |log| log.extend(&next[..second_batch(&next)]))
        },
        kinds: &["overlapping-segments"],
        loses: Some(|dir| {
            let next = fs::read(&logs(dir)?[1])?;
            let (from, size) = (base_offset(&next), second_batch(&next));
            let to = from + RECORDS_PER_BATCH - 1;
            Ok(format!("offsets {from} to {to} ({size} bytes: {RECORDS_PER_BATCH} readable records)"))
        }),
    },
    Damage {
        name: "a segment that is gone",
        inflict: |dir| Ok(fs::remove_file(&logs(dir)?[1])?),
        kinds: &["missing-offsets", "orphan-index", "orphan-index"],
        loses: NOTHING,
    },
    Damage {
        name: "an index that is gone",
        inflict: |dir| Ok(fs::remove_file(&dir.files(ORDERS, ".index")?[0])?),
        kinds: &["missing-index"],
        loses: NOTHING,
    },
    Damage {
        name: "a time index that is gone",
        inflict: |dir| Ok(fs::remove_file(&dir.files(ORDERS, ".timeindex")?[0])?),
        kinds: &["missing-index"],
        loses: NOTHING,
    },
    Damage {
        name: "an index with half an entry",
        inflict: |dir| change(&dir.files(ORDERS, ".index")?[0], |index| index.truncate(index.len() - 3)),
        kinds: &["broken-index"],
        loses: NOTHING,
    },
    Damage {
        name: "an index that points between batches",
        inflict: |dir| flip(&dir.files(ORDERS, ".index")?[0], |_| 7),
        kinds: &["broken-index"],
        loses: NOTHING,
    },
    Damage {
        name: "an index of zeros",
        inflict: |dir| change(&dir.files(ORDERS, ".index")?[0], |index| index.extend([0; 800])),
        kinds: &["broken-index"],
        loses: NOTHING,
    },
    Damage {
        name: "a time index with another time",
        inflict: |dir| flip(&dir.files(ORDERS, ".timeindex")?[0], |_| 7),
        kinds: &["broken-index"],
        loses: NOTHING,
    },
    Damage {
        name: "a transaction index that is gone",
        inflict: |dir| Ok(fs::remove_file(last(dir, ".txnindex")?)?),
        kinds: &["broken-transaction-index"],
        loses: NOTHING,
    },
    Damage {
        name: "a transaction index with half an entry",
        inflict: |dir| change(&last(dir, ".txnindex")?, |index| index.truncate(index.len() - 1)),
        kinds: &["broken-transaction-index"],
        loses: NOTHING,
    },
    Damage {
        name: "a snapshot with a flipped bit",
        inflict: |dir| flip(&last(dir, ".snapshot")?, |_| 20),
        kinds: &["broken-snapshot"],
        loses: NOTHING,
    },
    Damage {
        name: "no snapshot at all",
        inflict: |dir| Ok(dir.files(ORDERS, ".snapshot")?.iter().try_for_each(fs::remove_file)?),
        kinds: &["broken-snapshot"],
        loses: NOTHING,
    },
    Damage {
        name: "a snapshot of the future",
        inflict: |dir| {
            let path = dir.partition(ORDERS).join("00000000000000099999.snapshot");
            Ok(fs::copy(last(dir, ".snapshot")?, path).map(drop)?)
        },
        kinds: &["stale-snapshot"],
        loses: NOTHING,
    },
    Damage {
        name: "leader epochs that are no file of epochs",
        inflict: |dir| Ok(fs::write(dir.partition(ORDERS).join("leader-epoch-checkpoint"), "0\n7\n2 0\n")?),
        kinds: &["broken-epochs"],
        loses: NOTHING,
    },
    Damage {
        name: "leader epochs without one that records have",
        inflict: |dir| Ok(fs::write(dir.partition(ORDERS).join("leader-epoch-checkpoint"), "0\n1\n2 0\n")?),
        kinds: &["broken-epochs"],
        loses: NOTHING,
    },
    Damage {
        name: "partition.metadata that says nothing",
        inflict: |dir| Ok(fs::write(dir.partition(ORDERS).join("partition.metadata"), "version: 0\n")?),
        kinds: &["broken-partition-metadata"],
        loses: Some(|_| {
            Ok("the topic's id, by which a log of an older topic of this name is told".to_owned())
        }),
    },
    Damage {
        name: "a recovery checkpoint that is none",
        inflict: |dir| Ok(fs::write(dir.path().join("recovery-point-offset-checkpoint"), "0\n9\nx\n")?),
        kinds: &["broken-checkpoint"],
        loses: Some(|_| {
            Ok("nothing: every segment is read through at the next start after a crash".to_owned())
        }),
    },
    Damage {
        name: "a high watermark behind the end",
        inflict: |dir| {
            Ok(fs::write(dir.path().join("replication-offset-checkpoint"), "0\n1\norders 0 99999\n")?)
        },
        kinds: &["checkpoint-beyond-end"],
        loses: NOTHING,
    },
    Damage {
        name: "a checkpoint of a partition that is gone",
        inflict: |dir| Ok(fs::write(dir.path().join("cleaner-offset-checkpoint"), "0\n1\nlong-gone 0 5\n")?),
        kinds: &["checkpoint-of-nothing"],
        loses: NOBODY,
    },
    Damage {
        name: "leftovers of a crash",
        inflict: |dir| {
            let partition = dir.partition(ORDERS);
            for name in
                ["00000000000000000000.log.deleted", "00000000000000000000.index.cleaned", "x.tmp", "core"]
            {
                fs::write(partition.join(name), "left over")?;
            }
            Ok(())
        },
        kinds: &["leftover", "leftover", "leftover", "unknown-file"],
        loses: NOBODY,
    },
    Damage {
        name: "a directory that is no partition's",
        inflict: |dir| Ok(fs::create_dir(dir.path().join("lost+found"))?),
        kinds: &["foreign-directory"],
        loses: NOBODY,
    },
    Damage {
        name: "partitions that wait or were put aside",
        inflict: |dir| {
            for ending in ["delete", "stray"] {
                fs::create_dir(dir.path().join(format!("gone-0.{}-{ending}", "0123456789abcdef".repeat(2))))?;
            }
            Ok(())
        },
        kinds: &["waiting-deletion", "stray-partition"],
        loses: NOBODY,
    },
    Damage {
        name: "meta.properties of another kind of cluster",
        inflict: |dir| Ok(fs::write(dir.path().join("meta.properties"), "version=1\nnode.id=1\n")?),
        kinds: &["broken-meta-properties"],
        loses: NOBODY,
    },
    Damage {
        name: "no meta.properties",
        inflict: |dir| Ok(fs::remove_file(dir.path().join("meta.properties"))?),
        kinds: &["missing-meta-properties"],
        loses: NOBODY,
    },
    Damage {
        name: "no mark of an orderly end",
        inflict: |dir| Ok(fs::remove_file(dir.path().join(".kafka_cleanshutdown"))?),
        kinds: &["unclean-shutdown"],
        loses: NOBODY,
    },
    Damage {
        name: "a partition without segments",
        inflict: |dir| {
            for ending in [".log", ".index", ".timeindex", ".txnindex", ".snapshot"] {
                dir.files("old-0", ending)?.iter().try_for_each(fs::remove_file)?;
            }
            Ok(())
        },
        kinds: &["no-segments", "checkpoint-beyond-end", "checkpoint-beyond-end"],
        loses: NOBODY,
    },
    Damage {
        name: "a record of a group that nobody can read",
        inflict: |dir| {
            // The last byte of the version of the first value: 3 becomes 103. The checksum is made to fit.
            let path = dir.files("__consumer_offsets-0", ".log")?.remove(0);
            change(&path, |log| {
                let at = log.windows(4).position(|window| window == [0, 0, 0, 17]).unwrap_or(0) - 5;
                log[at] = 103;
                seal(log);
            })
        },
        kinds: &["unreadable-internal-record"],
        loses: NOBODY,
    },
];

fn logs(dir: &DataDir) -> Result<Vec<PathBuf>> {
    dir.files(ORDERS, ".log")
}

fn last(dir: &DataDir, ending: &str) -> Result<PathBuf> {
    dir.files(ORDERS, ending)?.pop().with_context(|| format!("no {ending}"))
}

fn change(path: &PathBuf, change: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
    let mut bytes = fs::read(path)?;
    change(&mut bytes);
    Ok(fs::write(path, bytes)?)
}

fn flip(path: &PathBuf, at: impl FnOnce(&[u8]) -> usize) -> Result<()> {
    change(path, |bytes| {
        let at = at(bytes);
        bytes[at] ^= 4;
    })
}

fn number<const N: usize>(log: &[u8], at: usize) -> [u8; N] {
    log[at..at + N].try_into().unwrap_or([0; N])
}

fn base_offset(batch: &[u8]) -> i64 {
    i64::from_be_bytes(number(batch, 0))
}

fn batch_size(batch: &[u8]) -> usize {
    12 + i32::from_be_bytes(number(batch, 8)).unsigned_abs() as usize
}

fn record_count(batch: &[u8]) -> i64 {
    i64::from(i32::from_be_bytes(number(batch, 57)))
}

/// Where the second batch begins.
fn second_batch(log: &[u8]) -> usize {
    batch_size(log)
}

/// Makes the checksum of the first batch fit.
fn seal(log: &mut [u8]) {
    let size = batch_size(log);
    let crc = gregor_records::crc32c(&log[21..size]);
    log[17..21].copy_from_slice(&crc.to_be_bytes());
}

/// The batches of a log: where each begins.
fn batches(log: &[u8]) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut at = 0;
    while at + 61 <= log.len() && at + batch_size(&log[at..]) <= log.len() {
        starts.push(at);
        at += batch_size(&log[at..]);
    }
    starts
}

/// The first offset and the size of the last batch.
fn last_batch(dir: &DataDir) -> Result<(i64, usize)> {
    let log = fs::read(last(dir, ".log")?)?;
    let at = *batches(&log).last().context("batches")?;
    Ok((base_offset(&log[at..]), batch_size(&log[at..])))
}

/// The offset behind the last record, and how many records the last batch holds.
fn end(dir: &DataDir) -> Result<(i64, i64)> {
    let log = fs::read(last(dir, ".log")?)?;
    let at = *batches(&log).last().context("batches")?;
    let count = record_count(&log[at..]);
    Ok((base_offset(&log[at..]) + count, count))
}

/// First and last offset and size of a batch of `orders-0`.
pub fn batch_of(dir: &DataDir, segment: usize, batch: usize) -> Result<(i64, i64, usize)> {
    let log = fs::read(logs(dir)?.get(segment).context("no such segment")?)?;
    let bytes = &log[*batches(&log).get(batch).context("no such batch")?..];
    Ok((base_offset(bytes), base_offset(bytes) + record_count(bytes) - 1, batch_size(bytes)))
}

/// What is lost when the log is cut before batch `from` of a segment, of which `damaged` batches cannot be read.
fn lost_from(dir: &DataDir, segment: &PathBuf, from: usize, damaged: usize) -> Result<String> {
    let (mut bytes, mut readable, mut damaged_bytes, mut first, mut to) = (0, 0, 0, None, 0);
    for path in logs(dir)?.iter().filter(|path| *path >= segment) {
        let log = fs::read(path)?;
        for (at, start) in batches(&log).into_iter().enumerate() {
            if path == segment && at < from {
                continue;
            }
            let batch = &log[start..];
            first.get_or_insert(base_offset(batch));
            bytes += batch_size(batch);
            if path == segment && at < from + damaged {
                damaged_bytes += batch_size(batch);
            } else {
                readable += record_count(batch);
                to = base_offset(batch) + record_count(batch);
            }
        }
    }
    let first = first.context("nothing to lose")?;
    Ok(format!(
        "offsets {first} to {} ({bytes} bytes: {readable} readable records, and {damaged_bytes} damaged)",
        to - 1
    ))
}
