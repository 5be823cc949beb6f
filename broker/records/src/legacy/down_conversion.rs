//! Down-conversion for old consumers (`RecordsUtil.downConvert`, `LazyDownConversionRecords`): stored batches into message
//! sets of magic 0 or 1.
//!
//! An answer's size is fixed before its first byte goes out, so [`DownConversion`] converts the first batch to learn the
//! size, then chunk by chunk, and fills what is missing at the end with the head of a message that does not end, which
//! clients take for a cut-off batch.

use gregor_model::Offset;

use super::LegacyBuilder;
use crate::batch::{BatchError, BatchRef, Magic, batches};
use crate::builder::BuildError;
use crate::compression::{Codec, Compression};
use crate::record::{Limits, RecordsError};

/// Why stored batches cannot be given in an old format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DownConversionError {
    /// Old formats have no zstd (UNSUPPORTED_COMPRESSION_TYPE).
    #[error("Down-conversion of zstandard-compressed batches is not supported")]
    Zstd,
    /// The stored bytes are damaged.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The stored records are damaged or too large to decompress.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// The converted set cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// Converts whole batches, appending to `out`: control batches and headers vanish, and of uncompressed batches of magic 2
/// also records below `first_offset`, for old batches hold one record each. Batches already that old are copied.
///
/// # Errors
/// A zstd batch, or a damaged one; `out` then holds what was converted before it.
pub fn down_convert(
    stored: &[u8],
    to: Magic,
    first_offset: Offset,
    out: &mut Vec<u8>,
) -> Result<(), DownConversionError> {
    for batch in batches(stored) {
        match batch {
            Ok(batch) => down_convert_batch(&batch, to, first_offset, out)?,
            Err(BatchError::Torn { .. }) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn down_convert_batch(
    batch: &BatchRef<'_>,
    to: Magic,
    first_offset: Offset,
    out: &mut Vec<u8>,
) -> Result<(), DownConversionError> {
    if batch.is_control() {
        return Ok(());
    }
    let codec = match batch.codec() {
        None => return Err(RecordsError::UnknownCodec(batch.attributes.low_byte() & 0x07).into()),
        Some(Codec::Zstd) => return Err(DownConversionError::Zstd),
        Some(codec) => codec,
    };
    if batch.magic <= to {
        out.extend_from_slice(batch.bytes());
        return Ok(());
    }
    let mut builder = LegacyBuilder::new(
        to,
        Compression::of(codec),
        batch.timestamp_type(),
        batch.max_timestamp,
        Vec::new(),
    )?;
    let mut records = batch.records(Limits::for_batch(batch.header()))?;
    while let Some(record) = records.next_record()? {
        if codec != Codec::None || record.offset >= first_offset {
            builder.append(record.offset, record.timestamp, record.key, record.value)?;
        }
    }
    out.extend_from_slice(&builder.finish()?);
    Ok(())
}

/// One partition's down-converted answer, in the making: feed it stored batches, send what it gives.
///
/// Memory: the conversion of what was fed last. Feed chunks of about [`DownConversion::CHUNK_BYTES`].
#[derive(Debug)]
pub struct DownConversion {
    to: Magic,
    first_offset: Offset,
    source_bytes: usize,
    /// The answer's size, once known.
    size: Option<usize>,
    /// Bytes of the answer that [`DownConversion::take`] has given.
    taken: usize,
    ready: Vec<u8>,
    any_fed: bool,
    ended: bool,
}

impl DownConversion {
    /// How much to feed at once, as long as a single batch is not larger.
    pub const CHUNK_BYTES: usize = 128 * 1024;
    /// Enough for a consumer to see that there is a batch which does not fit.
    const OVERFLOW_BYTES_MIN: usize = 12;
    const EMPTY_BATCH_BYTES: usize = 61;

    /// The conversion of `source_bytes` stored bytes, from the batch that holds `first_offset` on.
    pub fn new(to: Magic, first_offset: Offset, source_bytes: usize) -> DownConversion {
        DownConversion {
            to,
            first_offset,
            source_bytes,
            size: None,
            taken: 0,
            ready: Vec::new(),
            any_fed: false,
            ended: false,
        }
    }

    /// Bytes of the whole answer, once something has been converted or the source has ended: as many as stored, or as
    /// many as the first converted batch takes, if that is more.
    pub fn size(&self) -> Option<usize> {
        self.size
    }

    /// Converts some whole stored batches.
    ///
    /// # Errors
    /// Only while [`DownConversion::size`] is unknown; after that a batch that cannot be converted ends the answer, and
    /// the consumer meets the error when it asks from there.
    pub fn feed(&mut self, stored: &[u8]) -> Result<(), DownConversionError> {
        for batch in batches(stored) {
            if self.ended {
                return Ok(());
            }
            let converted = match batch {
                Ok(batch) => {
                    self.any_fed = true;
                    down_convert_batch(&batch, self.to, self.first_offset, &mut self.ready)
                }
                Err(BatchError::Torn { .. }) => return Ok(()),
                Err(error) => Err(error.into()),
            };
            match (converted, self.size) {
                (Ok(()), None) if !self.ready.is_empty() => {
                    self.size = Some(self.source_bytes.max(self.ready.len()));
                }
                (Ok(()), _) => {}
                (Err(error), None) => return Err(error),
                (Err(_), Some(_)) => self.ended = true,
            }
        }
        Ok(())
    }

    /// Says that no stored batch follows.
    pub fn end_source(&mut self) {
        self.ended = true;
        self.size.get_or_insert(if self.any_fed { Self::OVERFLOW_BYTES_MIN } else { 0 });
    }

    /// Whether the whole answer has been given.
    pub fn is_complete(&self) -> bool {
        self.size == Some(self.taken)
    }

    /// The next bytes to send; empty when more must be fed first, or when the answer is complete.
    pub fn take(&mut self) -> Vec<u8> {
        let Some(size) = self.size else {
            return Vec::new();
        };
        let remaining = size - self.taken;
        let mut piece = std::mem::take(&mut self.ready);
        if piece.is_empty() && self.ended {
            piece = Self::filler(remaining);
        }
        piece.truncate(remaining);
        self.taken += piece.len();
        piece
    }

    /// A batch's head that announces more than the answer has room for, and zeros.
    fn filler(remaining: usize) -> Vec<u8> {
        let length = remaining.saturating_add(1).max(Self::EMPTY_BATCH_BYTES);
        let mut filler = vec![0; remaining.clamp(Self::OVERFLOW_BYTES_MIN, Self::CHUNK_BYTES)];
        let head = (-1i64).to_be_bytes().into_iter().chain((length as u32 & 0x7fff_ffff).to_be_bytes());
        for (place, byte) in filler.iter_mut().zip(head) {
            *place = byte;
        }
        filler
    }
}
