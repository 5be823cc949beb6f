//! Records for consumers that do not know today's format (versions 0 to 3 of Fetch).
//!
//! Converted in memory, on a blocking thread: at most what the request's limits allow to be read, so bounded by
//! `fetch.max.bytes` and one batch.

use bytes::Bytes;
use gregor_log::{FileSlice, LogConfig};
use gregor_model::Offset;
use gregor_records::Magic;
use gregor_records::legacy::{DownConversion, DownConversionError};
use kafka_protocol::ResponseError;

/// The records of the slice in the format of that version, from `fetch_offset` on.
pub async fn convert(
    config: &LogConfig,
    version: i16,
    fetch_offset: Offset,
    slice: &FileSlice,
) -> Result<Bytes, ResponseError> {
    if !config.message_downconversion_enable {
        return Err(ResponseError::UnsupportedVersion);
    }
    let to = if version <= 1 { Magic::V0 } else { Magic::V1 };
    let conversion = DownConversion::new(to, fetch_offset, slice.len);
    let slice = slice.clone();
    let converted = tokio::task::spawn_blocking(move || run(conversion, &slice)).await;
    converted.unwrap_or(Err(ResponseError::UnknownServerError))
}

fn run(mut conversion: DownConversion, slice: &FileSlice) -> Result<Bytes, ResponseError> {
    let stored = slice.read_to_bytes().map_err(|_| ResponseError::KafkaStorageError)?;
    conversion.feed(&stored).map_err(|error| match error {
        DownConversionError::Zstd => ResponseError::UnsupportedCompressionType,
        DownConversionError::Batch(_) | DownConversionError::Records(_) | DownConversionError::Build(_) => {
            ResponseError::UnknownServerError
        }
    })?;
    conversion.end_source();
    let mut converted = Vec::new();
    while !conversion.is_complete() {
        converted.extend_from_slice(&conversion.take());
    }
    Ok(converted.into())
}
