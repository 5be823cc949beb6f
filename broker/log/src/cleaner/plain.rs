//! The records of a compressed batch, decompressed once to be read twice: to be judged, and to be written again.

use gregor_records::compression::Decompressor;
use gregor_records::{BatchHeader, BatchRef, Codec, Limits, Magic, Records, RecordsError};

/// Larger batches are decompressed as a stream, each time anew.
const BYTES_MAX: usize = 4 << 20;
const STEP: usize = 64 << 10;

/// A buffer for one batch after the other.
#[derive(Debug, Default)]
pub(super) struct PlainRecords {
    buffer: Vec<u8>,
    /// How much of the buffer is the batch's records; `None` if they are read from the batch itself.
    len: Option<usize>,
}

impl PlainRecords {
    /// Prepares to read the records of `batch`.
    pub(super) fn load(&mut self, batch: &BatchRef<'_>) -> Result<(), RecordsError> {
        self.len = None;
        let Some(codec) = batch.codec().filter(|codec| *codec != Codec::None && batch.magic == Magic::V2)
        else {
            return Ok(());
        };
        let bytes_max = Limits::for_batch(batch.header()).total_bytes_max;
        let mut stream = Decompressor::new(codec, batch.payload(), Magic::V2, bytes_max)?;
        let mut len = 0;
        loop {
            if len > BYTES_MAX {
                return Ok(());
            }
            if self.buffer.len() - len < STEP {
                self.buffer.resize(len + STEP, 0);
            }
            match stream.read(self.buffer.get_mut(len..).unwrap_or_default())? {
                0 => break,
                count => len += count,
            }
        }
        self.len = Some(len);
        Ok(())
    }

    /// The records of the batch that was loaded last.
    pub(super) fn records<'a>(&'a self, batch: &BatchRef<'a>) -> Result<Records<'a>, RecordsError> {
        let limits = Limits::for_batch(batch.header());
        let Some(len) = self.len else { return batch.records(limits) };
        let attributes = batch.attributes.with_codec(Codec::None);
        let header = BatchHeader { attributes, ..*batch.header() };
        Records::of_parts(&header, self.buffer.get(..len).unwrap_or_default(), limits)
    }
}
