//! Batches of a `.log`, read as Kafka reads them from files (`FileLogInputStream`): nothing is checked but that a batch ends
//! within the file, so that damaged ones can be shown.
//!
//! Memory is bounded by the largest batch that the file really holds.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use gregor_model::Offset;
use gregor_records::batch::HEADER_LENGTH_TO_MAGIC;
use gregor_records::{BatchHeader, BatchRef, HEADER_LENGTH, LOG_OVERHEAD, Magic};

use super::DumpError;

/// A message of magic 0 without key and value.
const SIZE_MIN: i32 = 14;
const READ_AHEAD_BYTES: usize = 256 << 10;
const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;

/// A batch as it lies in the file.
pub(super) struct StoredBatch {
    /// Where it begins, in bytes.
    pub(super) position: u64,
    /// What its magic byte says.
    pub(super) magic: i8,
    /// Its header; a magic beyond 2 is read as 2.
    pub(super) header: BatchHeader,
    bytes: Vec<u8>,
}

impl StoredBatch {
    /// The batch for those who read records.
    pub(super) fn view(&self) -> Result<BatchRef<'_>, DumpError> {
        BatchRef::first(&self.bytes).map_err(DumpError::message)
    }

    /// Its size and checksum are right.
    pub(super) fn is_valid(&self) -> bool {
        self.header.size_in_bytes == self.bytes.len()
            && self.view().is_ok_and(|view| view.computed_crc() == self.header.crc)
    }

    /// Its size in the file.
    pub(super) fn size(&self) -> usize {
        self.bytes.len()
    }

    fn decode(position: u64, bytes: Vec<u8>) -> Result<StoredBatch, DumpError> {
        let magic = bytes.get(MAGIC_AT).map_or(0, |byte| *byte as i8);
        if let Ok(header) = BatchHeader::decode(&bytes) {
            return Ok(StoredBatch { position, magic, header, bytes });
        }
        // Kafka takes every magic above 1 for 2, and reads a header even where the batch is shorter than one.
        let mut lenient = bytes;
        let size = lenient.len();
        lenient.resize(size.max(HEADER_LENGTH), 0);
        let shown = Magic::from_byte(magic.clamp(0, 2) as u8).unwrap_or(Magic::V2);
        put(&mut lenient, MAGIC_AT, &[shown.as_byte()]);
        let shown_size = (lenient.len() - LOG_OVERHEAD) as u32;
        put(&mut lenient, 8, &shown_size.to_be_bytes());
        let mut header = BatchHeader::decode(&lenient).map_err(DumpError::message)?;
        header.crc =
            lenient.get(CRC_AT..CRC_AT + 4).and_then(|f| f.try_into().ok()).map_or(0, u32::from_be_bytes);
        lenient.truncate(size);
        header.size_in_bytes = if size < HEADER_LENGTH { 0 } else { size };
        Ok(StoredBatch { position, magic, header, bytes: lenient })
    }
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(field) = bytes.get_mut(at..at + value.len()) {
        field.copy_from_slice(value);
    }
}

/// The batches of a part of a file.
pub(super) struct StoredBatches {
    reader: BufReader<File>,
    shown_path: String,
    position: u64,
    end: u64,
}

impl StoredBatches {
    /// The batches from `position` on, in at most `length` bytes.
    pub(super) fn open(path: &Path, position: u64, length: u64) -> Result<StoredBatches, DumpError> {
        let shown_path = path.display().to_string();
        let file = File::open(path).map_err(|error| DumpError::Message(format!("{shown_path}: {error}")))?;
        let size =
            file.metadata().map_err(|error| DumpError::Message(format!("{shown_path}: {error}")))?.len();
        if size > u64::from(i32::MAX.unsigned_abs()) {
            return Err(DumpError::Message(format!(
                "The size of segment {shown_path} ({size}) is larger than the maximum allowed segment size of {}",
                i32::MAX
            )));
        }
        if position > size {
            return Err(DumpError::Message(format!(
                "Slice from position {position} exceeds end position of FileRecords(size={size}, file={shown_path}, \
                 start=0, end={})",
                i32::MAX
            )));
        }
        let mut reader = BufReader::with_capacity(READ_AHEAD_BYTES, file);
        reader.seek(SeekFrom::Start(position)).map_err(DumpError::message)?;
        let end = size.min(position.saturating_add(length));
        Ok(StoredBatches { reader, shown_path, position, end })
    }

    /// Where the part ends.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The next batch; none at the end, or where the rest holds no whole batch.
    pub(super) fn next_batch(&mut self) -> Result<Option<StoredBatch>, DumpError> {
        let left = self.end.saturating_sub(self.position);
        if left <= HEADER_LENGTH_TO_MAGIC as u64 {
            return Ok(None);
        }
        let mut bytes = vec![0; HEADER_LENGTH_TO_MAGIC];
        self.reader.read_exact(&mut bytes).map_err(DumpError::message)?;
        let size = bytes.get(8..LOG_OVERHEAD).and_then(|f| f.try_into().ok()).map_or(0, i32::from_be_bytes);
        if size < SIZE_MIN {
            return Err(DumpError::Message(format!(
                "Found record size {size} smaller than minimum record overhead ({SIZE_MIN}) in file {}.",
                self.shown_path
            )));
        }
        let whole = LOG_OVERHEAD + size.unsigned_abs() as usize;
        if whole as u64 > left {
            return Ok(None);
        }
        bytes.resize(whole.max(HEADER_LENGTH_TO_MAGIC), 0);
        let body = bytes.get_mut(HEADER_LENGTH_TO_MAGIC..).unwrap_or_default();
        self.reader.read_exact(body).map_err(DumpError::message)?;
        let batch = StoredBatch::decode(self.position, bytes)?;
        self.position += whole as u64;
        Ok(Some(batch))
    }
}

/// The offset that a file of a segment is named after.
pub(super) fn base_offset_of(path: &Path) -> Result<Offset, DumpError> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let number = name.split('.').next().unwrap_or_default();
    let offset = number.parse().map_err(|_| DumpError::Message(format!("For input string: \"{number}\"")))?;
    Ok(Offset(offset))
}
