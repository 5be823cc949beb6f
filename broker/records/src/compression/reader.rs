//! A stream of decompressed bytes over a compressed slice, bounded in total.

use std::io::Read;

use super::{Codec, CompressionError, lz4, snappy};
use crate::batch::Magic;

/// Decompresses a slice piece by piece (`Compression.wrapForInput`).
pub struct Decompressor<'a> {
    codec: Codec,
    stream: Stream<'a>,
    produced: u64,
    bytes_max: u64,
}

enum Stream<'a> {
    Plain(&'a [u8]),
    Gzip(Box<flate2::bufread::MultiGzDecoder<&'a [u8]>>),
    Snappy(snappy::Reader<'a>),
    Lz4(lz4::Reader<'a>),
    Zstd(Box<zstd::stream::read::Decoder<'static, &'a [u8]>>),
}

impl<'a> Decompressor<'a> {
    /// A stream over `compressed`, whose output may come to `bytes_max` bytes in total. `magic` is the format of the
    /// batch around it: magic 0 has wrong checksums in its lz4 frame headers.
    ///
    /// # Errors
    /// A header that the codec does not know.
    pub fn new(
        codec: Codec,
        compressed: &'a [u8],
        magic: Magic,
        bytes_max: u64,
    ) -> Result<Decompressor<'a>, CompressionError> {
        let stream = match codec {
            Codec::None => Stream::Plain(compressed),
            Codec::Gzip => Stream::Gzip(Box::new(flate2::bufread::MultiGzDecoder::new(compressed))),
            Codec::Snappy => Stream::Snappy(snappy::Reader::new(compressed)?),
            Codec::Lz4 => Stream::Lz4(lz4::Reader::new(compressed, magic)?),
            Codec::Zstd => Stream::Zstd(Box::new(
                zstd::stream::read::Decoder::with_buffer(compressed)
                    .map_err(|error| corrupt(codec, &error))?,
            )),
        };
        Ok(Decompressor { codec, stream, produced: 0, bytes_max })
    }

    /// Fills a part of `into`, and says how much; 0 at the end of the stream, or when `into` is empty.
    ///
    /// # Errors
    /// Damaged input, or more output than allowed.
    pub fn read(&mut self, into: &mut [u8]) -> Result<usize, CompressionError> {
        if into.is_empty() {
            return Ok(0);
        }
        let codec = self.codec;
        let count = match &mut self.stream {
            Stream::Plain(rest) => rest.read(into).map_err(|error| corrupt(codec, &error))?,
            Stream::Gzip(reader) => reader.read(into).map_err(|error| corrupt(codec, &error))?,
            Stream::Snappy(reader) => match reader.read(into, self.bytes_max - self.produced) {
                Err(CompressionError::TooLarge { .. }) => {
                    return Err(CompressionError::TooLarge { bytes_max: self.bytes_max });
                }
                result => result?,
            },
            Stream::Lz4(reader) => reader.read(into)?,
            Stream::Zstd(reader) => reader.read(into).map_err(|error| corrupt(codec, &error))?,
        };
        self.produced += count as u64;
        if self.produced > self.bytes_max {
            self.produced = self.bytes_max;
            return Err(CompressionError::TooLarge { bytes_max: self.bytes_max });
        }
        Ok(count)
    }

    /// Everything that is left, as one buffer.
    ///
    /// # Errors
    /// As [`Decompressor::read`].
    pub fn read_to_end(&mut self) -> Result<Vec<u8>, CompressionError> {
        const STEP: usize = 64 * 1024;
        let mut all = Vec::new();
        loop {
            let filled = all.len();
            all.resize(filled + STEP, 0);
            let count = self.read(all.get_mut(filled..).unwrap_or_default())?;
            all.truncate(filled + count);
            if count == 0 {
                return Ok(all);
            }
        }
    }
}

fn corrupt(codec: Codec, error: &std::io::Error) -> CompressionError {
    CompressionError::Corrupt { codec, reason: error.to_string() }
}
