//! Records for consumers that do not know today's format (versions 0 to 3 of Fetch).
//!
//! The first batch is converted when the request is answered, as it tells the answer's size and whether it can be converted at
//! all; the rest while it is sent, a chunk at a time. So a request holds one chunk or one batch in memory, however much it
//! asks for.

use std::io;

use bytes::Bytes;
use gregor_log::{FileSlice, LogConfig};
use gregor_model::Offset;
use gregor_records::legacy::{DownConversion, DownConversionError};
use gregor_records::{BatchError, BatchHeader, Magic};
use gregor_wire::{MadeRegion, Pieces};
use kafka_protocol::ResponseError;

/// The records of the slice in the format of that version, from `fetch_offset` on.
pub async fn convert(
    config: &LogConfig,
    version: i16,
    fetch_offset: Offset,
    slice: &FileSlice,
) -> Result<MadeRegion, ResponseError> {
    if !config.message_downconversion_enable {
        return Err(ResponseError::UnsupportedVersion);
    }
    let to = if version <= 1 { Magic::V0 } else { Magic::V1 };
    let conversion = DownConversion::new(to, fetch_offset, slice.len);
    let converted = Converted { conversion, rest: slice.clone() };
    let begun = tokio::task::spawn_blocking(move || converted.begin()).await;
    begun.unwrap_or(Err(ResponseError::UnknownServerError))
}

/// A conversion under way, and what of the slice it has not seen.
struct Converted {
    conversion: DownConversion,
    rest: FileSlice,
}

impl Converted {
    /// Converts until the size is known.
    fn begin(mut self) -> Result<MadeRegion, ResponseError> {
        loop {
            if let Some(size) = self.conversion.size() {
                return Ok(MadeRegion::new(size, self));
            }
            let chunk = self.next_chunk().map_err(|_| ResponseError::KafkaStorageError)?;
            self.feed(&chunk).map_err(|error| match error {
                DownConversionError::Zstd => ResponseError::UnsupportedCompressionType,
                DownConversionError::Batch(_)
                | DownConversionError::Records(_)
                | DownConversionError::Build(_) => ResponseError::UnknownServerError,
            })?;
        }
    }

    fn feed(&mut self, chunk: &[u8]) -> Result<(), DownConversionError> {
        if chunk.is_empty() {
            self.conversion.end_source();
            return Ok(());
        }
        self.conversion.feed(chunk)
    }

    /// Whole batches, at least one; nothing at the end, or if only a part of one is left.
    fn next_chunk(&mut self) -> io::Result<Bytes> {
        let mut chunk = self.read(DownConversion::CHUNK_BYTES)?;
        let mut whole = whole_batches(&chunk);
        if whole == 0 {
            // The first batch is larger than a chunk, or only a part of one is left.
            chunk = self.read(BatchHeader::decode(&chunk).map_or(0, |header| header.size_in_bytes))?;
            whole = whole_batches(&chunk);
        }
        chunk.truncate(whole);
        self.rest.position += whole as u64;
        self.rest.len = if whole == 0 { 0 } else { self.rest.len - whole };
        Ok(chunk)
    }

    /// At most `len` bytes of what is left.
    fn read(&self, len: usize) -> io::Result<Bytes> {
        FileSlice { len: self.rest.len.min(len), ..self.rest.clone() }.read_to_bytes()
    }
}

/// How many bytes the whole batches at the start of `chunk` have.
fn whole_batches(chunk: &[u8]) -> usize {
    let mut whole = 0;
    loop {
        let rest = chunk.get(whole..).unwrap_or_default();
        match BatchHeader::decode(rest) {
            Ok(header) if header.size_in_bytes <= rest.len() => whole += header.size_in_bytes,
            Ok(_) | Err(BatchError::Torn { .. }) => return whole,
            // Whoever converts it is told what is wrong.
            Err(BatchError::Corrupt(_)) => return chunk.len(),
        }
    }
}

impl Pieces for Converted {
    fn next_piece(&mut self) -> io::Result<Bytes> {
        loop {
            let piece = self.conversion.take();
            if !piece.is_empty() || self.conversion.is_complete() {
                return Ok(piece.into());
            }
            let chunk = self.next_chunk()?;
            self.feed(&chunk).map_err(io::Error::other)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::sync::Arc;

    use gregor_model::Timestamp;
    use gregor_records::{BatchBuilder, BatchOptions, Codec, Compression};

    use super::*;

    /// Batches of ten records, the third of which is larger than a chunk.
    fn stored(codec: Codec, batches: i64) -> Vec<u8> {
        let mut all = Vec::new();
        for n in 0..batches {
            let base = Offset(n * 10);
            let compression = Compression::of(codec);
            let options = BatchOptions { base_offset: base, compression, ..BatchOptions::default() };
            let mut builder = BatchBuilder::new(options).unwrap();
            let value = vec![b'v'; if n == 2 { 20_000 } else { 100 * n as usize % 3_000 }];
            for at in 0..10 {
                let (offset, time) = (base + at, Some(Timestamp(1_700_000_000_000 + at)));
                builder.append(offset, time, Some(b"k"), Some(&value), &[(b"h", None)]).unwrap();
            }
            all.extend_from_slice(&builder.finish().unwrap());
        }
        all
    }

    fn slice_of(bytes: &[u8], dir: &tempfile::TempDir) -> FileSlice {
        let path = dir.path().join("00000000000000000000.log");
        std::fs::write(&path, bytes).unwrap();
        FileSlice { file: Arc::new(File::open(path).unwrap()), position: 0, len: bytes.len() }
    }

    fn at_once(bytes: &[u8], to: Magic, from: Offset) -> Vec<u8> {
        let mut conversion = DownConversion::new(to, from, bytes.len());
        conversion.feed(bytes).unwrap();
        conversion.end_source();
        let mut all = Vec::new();
        while !conversion.is_complete() {
            all.extend_from_slice(&conversion.take());
        }
        all
    }

    #[tokio::test]
    async fn pieces_are_what_a_conversion_at_once_gives() {
        let dir = tempfile::tempdir().unwrap();
        for (codec, version, from, cut) in
            [(Codec::None, 0, 0, 0), (Codec::None, 2, 13, 70), (Codec::Lz4, 3, 0, 1), (Codec::Gzip, 1, 5, 0)]
        {
            let bytes = stored(codec, 300);
            let bytes = &bytes[..bytes.len() - cut];
            let slice = slice_of(bytes, &dir);
            let mut made = convert(&LogConfig::default(), version, Offset(from), &slice).await.unwrap();
            let to = if version <= 1 { Magic::V0 } else { Magic::V1 };
            let expected = at_once(bytes, to, Offset(from));
            assert_eq!(made.len(), expected.len());
            let (mut all, mut largest) = (Vec::new(), 0);
            while !made.is_empty() {
                let piece = made.next_piece().unwrap();
                largest = largest.max(piece.len());
                all.extend_from_slice(&piece);
            }
            assert!(all == expected, "{codec:?} from {from}");
            assert!(largest <= 3 * DownConversion::CHUNK_BYTES, "a piece of {largest} bytes");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_converted_is_told_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let config = LogConfig::default();
        let zstd = slice_of(&stored(Codec::Zstd, 3), &dir);
        let refused = convert(&config, 3, Offset(0), &zstd).await.unwrap_err();
        assert_eq!(refused, ResponseError::UnsupportedCompressionType);
        let disabled = LogConfig { message_downconversion_enable: false, ..config };
        let refused = convert(&disabled, 3, Offset(0), &zstd).await.unwrap_err();
        assert_eq!(refused, ResponseError::UnsupportedVersion);
    }
}
