//! Reads the batches of a `.log` one after the other, and past what is damaged where the next batch can be told.
//!
//! Memory is bounded by the largest batch that fits into the file.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use gregor_records::batch::HEADER_LENGTH_TO_MAGIC;
use gregor_records::{BatchRef, LOG_OVERHEAD, Magic};

use crate::finding::Kind;

const READ_AHEAD_BYTES: usize = 1 << 20;
/// A message of magic 0 without key and value.
const SIZE_MIN: i32 = 14;

/// What comes next in a file.
#[derive(Debug)]
pub(crate) enum Scanned<'a> {
    /// A sound batch.
    Batch(BatchRef<'a>),
    /// Bytes that are none.
    Damaged(Damaged),
}

/// Bytes that are no sound batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damaged {
    pub(crate) kind: Kind,
    pub(crate) what: String,
    /// How many they are.
    pub(crate) bytes: u64,
    /// Whether they are all that is left of the file.
    pub(crate) to_the_end: bool,
}

/// A walk through a file.
pub(crate) struct Scan {
    reader: BufReader<File>,
    position: u64,
    size: u64,
    batch: Vec<u8>,
}

impl Scan {
    pub(crate) fn open(path: &Path) -> io::Result<Scan> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        let reader = BufReader::with_capacity(READ_AHEAD_BYTES, file);
        Ok(Scan { reader, position: 0, size, batch: Vec::new() })
    }

    /// Where the next batch begins.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// What comes next; none at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Scanned<'_>>> {
        let left = self.size.saturating_sub(self.position);
        if left == 0 {
            return Ok(None);
        }
        if left < HEADER_LENGTH_TO_MAGIC as u64 {
            return self.rest(Kind::TornBatch, "a batch that was not written to its end").map(Some);
        }
        let mut header = [0; HEADER_LENGTH_TO_MAGIC];
        self.reader.read_exact(&mut header)?;
        let Some(whole) = whole_size(&header) else {
            return self.rest(Kind::NotABatch, "no batch begins here").map(Some);
        };
        if whole > left {
            let what = format!("a batch of {whole} bytes of which {left} are there");
            return self.rest(Kind::TornBatch, &what).map(Some);
        }
        self.batch.clear();
        self.batch.extend_from_slice(&header);
        self.batch.resize(usize::try_from(whole).map_err(io::Error::other)?, 0);
        let body = self.batch.get_mut(HEADER_LENGTH_TO_MAGIC..).unwrap_or_default();
        self.reader.read_exact(body)?;
        let start = self.position;
        self.position += whole;
        let problem = match BatchRef::first(&self.batch) {
            Err(error) => Some((Kind::NotABatch, error.to_string())),
            Ok(batch) => batch.check_crc().err().map(|error| (Kind::WrongChecksum, error.to_string())),
        };
        let Some((kind, what)) = problem else {
            // Viewed again: a borrow of what was checked cannot leave the match.
            let batch = BatchRef::first(&self.batch).map_err(io::Error::other)?;
            return Ok(Some(Scanned::Batch(batch)));
        };
        if self.batch_may_begin_here()? {
            return Ok(Some(Scanned::Damaged(Damaged {
                kind,
                what,
                bytes: whole,
                to_the_end: self.position == self.size,
            })));
        }
        // Its size is damaged, too: nobody knows where the next batch begins.
        self.position = start;
        self.rest(kind, &what).map(Some)
    }

    /// Everything that is left is damaged; zeros were never written.
    fn rest(&mut self, kind: Kind, what: &str) -> io::Result<Scanned<'_>> {
        let bytes = self.size - self.position;
        self.reader.seek(SeekFrom::Start(self.position))?;
        let zeros = only_zeros(&mut self.reader)?;
        self.position = self.size;
        let (kind, what) = if zeros {
            (Kind::UnwrittenTail, "zeros: the file was made longer, and never written".to_owned())
        } else {
            (kind, what.to_owned())
        };
        Ok(Scanned::Damaged(Damaged { kind, what, bytes, to_the_end: true }))
    }

    /// Whether what follows looks like the head of a batch, or is the end.
    fn batch_may_begin_here(&mut self) -> io::Result<bool> {
        let left = self.size - self.position;
        if left == 0 {
            return Ok(true);
        }
        if left < HEADER_LENGTH_TO_MAGIC as u64 {
            return Ok(false);
        }
        let mut header = [0; HEADER_LENGTH_TO_MAGIC];
        self.reader.read_exact(&mut header)?;
        self.reader.seek(SeekFrom::Start(self.position))?;
        let [.., magic] = header;
        Ok(whole_size(&header).is_some_and(|whole| whole <= left) && Magic::from_byte(magic).is_some())
    }
}

fn only_zeros(reader: &mut impl Read) -> io::Result<bool> {
    let mut block = [0; 1 << 16];
    loop {
        match reader.read(&mut block)? {
            0 => return Ok(true),
            read if block.iter().take(read).any(|byte| *byte != 0) => return Ok(false),
            _ => {}
        }
    }
}

/// The size of the batch that a header begins, if it can be one.
fn whole_size(header: &[u8; HEADER_LENGTH_TO_MAGIC]) -> Option<u64> {
    let size = header.get(8..LOG_OVERHEAD).and_then(|field| field.try_into().ok()).map(i32::from_be_bytes)?;
    (size >= SIZE_MIN).then(|| LOG_OVERHEAD as u64 + u64::from(size.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gregor_model::{Offset, Timestamp};
    use gregor_records::{BatchBuilder, BatchOptions};

    fn batch(base: i64) -> Vec<u8> {
        let mut builder =
            BatchBuilder::new(BatchOptions { base_offset: Offset(base), ..BatchOptions::default() }).unwrap();
        builder.append(Offset(base), Some(Timestamp(1)), None, Some(b"0123456789"), &[]).unwrap();
        builder.finish().unwrap()
    }

    /// `B7` is a batch with offset 7, anything else damage with its bytes.
    #[track_caller]
    fn check(bytes: &[u8], expected: &[&str]) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::write(&path, bytes).unwrap();
        let mut scan = Scan::open(&path).unwrap();
        let mut seen = Vec::new();
        while let Some(scanned) = scan.next().unwrap() {
            seen.push(match scanned {
                Scanned::Batch(batch) => format!("B{}", batch.base_offset()),
                Scanned::Damaged(damaged) => format!("{} {}", damaged.kind, damaged.bytes),
            });
        }
        assert_eq!(seen, expected);
    }

    #[test]
    fn damage_is_told_and_passed_where_it_can_be() {
        let good = [batch(0), batch(1), batch(2)];
        let size = good[0].len();
        check(&good.concat(), &["B0", "B1", "B2"]);
        check(&[], &[]);

        let with = |at: usize, change: &dyn Fn(&mut Vec<u8>)| {
            let mut parts = good.clone();
            change(&mut parts[at]);
            parts.concat()
        };
        let checksum = format!("wrong-checksum {size}");
        check(&with(1, &|b| b[size - 3] ^= 1), &["B0", &checksum, "B2"]);
        check(&with(2, &|b| b[size - 3] ^= 1), &["B0", "B1", &checksum]);
        check(&with(1, &|b| b[16] = 7), &["B0", &format!("not-a-batch {size}"), "B2"]);
        // A wrong size leads nowhere.
        check(&with(1, &|b| b[11] -= 5), &["B0", &format!("wrong-checksum {}", 2 * size)]);
        check(&with(1, &|b| b[8] = 0x7f), &["B0", &format!("torn-batch {}", 2 * size)]);
        check(&with(1, &|b| b[8] = 0xff), &["B0", &format!("not-a-batch {}", 2 * size)]);
        check(&with(2, &|b| b.truncate(30)), &["B0", "B1", "torn-batch 30"]);
        check(&with(2, &|b| b.truncate(9)), &["B0", "B1", "torn-batch 9"]);
        check(&with(2, &|b| *b = vec![0; 500]), &["B0", "B1", "unwritten-tail 500"]);
    }
}
