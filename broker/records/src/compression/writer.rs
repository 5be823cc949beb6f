//! Compresses what is written to it, appending to a buffer that may hold something already (a header's place).

use std::io::Write;

use super::{Codec, Compression, CompressionError, lz4, snappy};
use crate::batch::Magic;

/// A compressing writer over a growing buffer (`Compression.wrapForOutput`).
pub struct Compressor {
    codec: Codec,
    sink: Sink,
}

enum Sink {
    Plain(Vec<u8>),
    Gzip(Box<flate2::write::GzEncoder<Vec<u8>>>),
    Snappy(snappy::Writer),
    Lz4(lz4::Writer),
    Zstd(Box<zstd::stream::write::Encoder<'static, Vec<u8>>>),
}

impl Compressor {
    /// A writer that appends to `buffer`, for a batch of format `magic`.
    ///
    /// # Errors
    /// [`CompressionError::Compress`] when the codec cannot be set up.
    pub fn new(
        compression: Compression,
        buffer: Vec<u8>,
        magic: Magic,
    ) -> Result<Compressor, CompressionError> {
        let codec = compression.codec;
        let sink = match codec {
            Codec::None => Sink::Plain(buffer),
            Codec::Gzip => {
                let level = flate2::Compression::new(compression.level.unsigned_abs());
                Sink::Gzip(Box::new(flate2::write::GzEncoder::new(buffer, level)))
            }
            Codec::Snappy => Sink::Snappy(snappy::Writer::new(buffer)),
            Codec::Lz4 => Sink::Lz4(lz4::Writer::new(buffer, magic, compression.level)),
            Codec::Zstd => Sink::Zstd(Box::new(
                zstd::stream::write::Encoder::new(buffer, compression.level)
                    .map_err(|error| failed(codec, &error))?,
            )),
        };
        Ok(Compressor { codec, sink })
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// [`CompressionError::Compress`] when the codec fails.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), CompressionError> {
        let codec = self.codec;
        match &mut self.sink {
            Sink::Plain(buffer) => buffer.extend_from_slice(bytes),
            Sink::Gzip(encoder) => encoder.write_all(bytes).map_err(|error| failed(codec, &error))?,
            Sink::Snappy(writer) => writer.write(bytes)?,
            Sink::Lz4(writer) => writer.write(bytes)?,
            Sink::Zstd(encoder) => encoder.write_all(bytes).map_err(|error| failed(codec, &error))?,
        }
        Ok(())
    }

    /// Length of the buffer by now; what the codec still holds back is not counted.
    pub fn buffer_len(&self) -> usize {
        match &self.sink {
            Sink::Plain(buffer) => buffer.len(),
            Sink::Gzip(encoder) => encoder.get_ref().len(),
            Sink::Snappy(writer) => writer.buffer_len(),
            Sink::Lz4(writer) => writer.buffer_len(),
            Sink::Zstd(encoder) => encoder.get_ref().len(),
        }
    }

    /// Ends the stream and returns the buffer.
    ///
    /// # Errors
    /// [`CompressionError::Compress`] when the codec fails.
    pub fn finish(self) -> Result<Vec<u8>, CompressionError> {
        let codec = self.codec;
        match self.sink {
            Sink::Plain(buffer) => Ok(buffer),
            Sink::Gzip(encoder) => encoder.finish().map_err(|error| failed(codec, &error)),
            Sink::Snappy(writer) => writer.finish(),
            Sink::Lz4(writer) => writer.finish(),
            Sink::Zstd(encoder) => encoder.finish().map_err(|error| failed(codec, &error)),
        }
    }
}

fn failed(codec: Codec, error: &std::io::Error) -> CompressionError {
    CompressionError::Compress { codec, reason: error.to_string() }
}
