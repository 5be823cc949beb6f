//! Snappy as snappy-java frames it: an 8-byte magic, two versions, then length-prefixed raw blocks, all big-endian.
//!
//! Input that does not begin with the magic is one raw block, which some producers send.

use super::{Codec, CompressionError};

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const HEADER_LENGTH: usize = 16;
const VERSION: u32 = 1;
/// The block size snappy-java writes by default.
const BLOCK_BYTES: usize = 32 * 1024;
/// A raw block never grows more than this (a 3-byte copy of 64 bytes), so a larger claim is a lie.
const RATIO_MAX: usize = 22;

/// Reads either form.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    framed: bool,
    block: Vec<u8>,
    position: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(input: &'a [u8]) -> Result<Reader<'a>, CompressionError> {
        let mut reader = Reader { rest: input, framed: false, block: Vec::new(), position: 0 };
        if input.starts_with(&MAGIC) {
            reader.framed = true;
            reader.read_header()?;
        }
        Ok(reader)
    }

    fn read_header(&mut self) -> Result<(), CompressionError> {
        let header = self.take(HEADER_LENGTH)?;
        let compatible = header.get(12..).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
        match compatible {
            Some(version) if version >= VERSION => Ok(()),
            _ => Err(corrupt("the stream's compatible version is too low")),
        }
    }

    /// Fills a part of `into`; no block of more than `bytes_max` is decompressed.
    pub(super) fn read(&mut self, into: &mut [u8], bytes_max: u64) -> Result<usize, CompressionError> {
        while self.position >= self.block.len() {
            if self.rest.is_empty() {
                return Ok(0);
            }
            self.read_block(bytes_max)?;
        }
        let from = self.block.get(self.position..).unwrap_or_default();
        let count = from.len().min(into.len());
        into[..count].copy_from_slice(&from[..count]);
        self.position += count;
        Ok(count)
    }

    fn read_block(&mut self, bytes_max: u64) -> Result<(), CompressionError> {
        self.position = 0;
        self.block.clear();
        let compressed = if self.framed {
            // Streams may be joined: a header is then met where a length is expected.
            if self.rest.starts_with(&MAGIC) {
                return self.read_header();
            }
            let length = self.take(4)?.try_into().map(i32::from_be_bytes).unwrap_or(-1);
            let length = usize::try_from(length).map_err(|_| corrupt("a block has a negative length"))?;
            self.take(length)?
        } else {
            std::mem::take(&mut self.rest)
        };
        let length = snap::raw::decompress_len(compressed).map_err(|error| corrupt(&error.to_string()))?;
        if length > compressed.len().saturating_mul(RATIO_MAX) {
            return Err(corrupt("a block claims more bytes than it can hold"));
        }
        if length as u64 > bytes_max {
            return Err(CompressionError::TooLarge { bytes_max });
        }
        self.block.resize(length, 0);
        if length == 0 {
            return Ok(());
        }
        snap::raw::Decoder::new()
            .decompress(compressed, &mut self.block)
            .map(|_| ())
            .map_err(|error| corrupt(&error.to_string()))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], CompressionError> {
        let (taken, rest) =
            self.rest.split_at_checked(count).ok_or_else(|| corrupt("the stream is cut off"))?;
        self.rest = rest;
        Ok(taken)
    }
}

/// Writes the framed form.
pub(super) struct Writer {
    out: Vec<u8>,
    block: Vec<u8>,
    scratch: Vec<u8>,
}

impl Writer {
    pub(super) fn new(mut out: Vec<u8>) -> Writer {
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_be_bytes());
        out.extend_from_slice(&VERSION.to_be_bytes());
        Writer { out, block: Vec::new(), scratch: Vec::new() }
    }

    pub(super) fn write(&mut self, mut bytes: &[u8]) -> Result<(), CompressionError> {
        while !bytes.is_empty() {
            let room = BLOCK_BYTES - self.block.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.block.extend_from_slice(now);
            bytes = later;
            if self.block.len() == BLOCK_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    pub(super) fn buffer_len(&self) -> usize {
        self.out.len()
    }

    pub(super) fn finish(mut self) -> Result<Vec<u8>, CompressionError> {
        self.flush()?;
        Ok(self.out)
    }

    fn flush(&mut self) -> Result<(), CompressionError> {
        if self.block.is_empty() {
            return Ok(());
        }
        self.scratch.resize(snap::raw::max_compress_len(self.block.len()), 0);
        let length = snap::raw::Encoder::new().compress(&self.block, &mut self.scratch).map_err(|error| {
            CompressionError::Compress { codec: Codec::Snappy, reason: error.to_string() }
        })?;
        self.block.clear();
        self.out.extend_from_slice(&(length as u32).to_be_bytes());
        self.out.extend_from_slice(self.scratch.get(..length).unwrap_or_default());
        Ok(())
    }
}

fn corrupt(reason: &str) -> CompressionError {
    CompressionError::Corrupt { codec: Codec::Snappy, reason: reason.to_owned() }
}
