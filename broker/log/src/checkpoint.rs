//! The small files beside the segments, one module per format. Each has a pure parser and writer; reading and
//! writing them is done by those who own them.

pub(crate) mod clean_shutdown;
pub(crate) mod leader_epochs;
pub(crate) mod offsets;
pub(crate) mod partition_metadata;
mod text;

/// No checkpoint is larger than this; a larger file is damaged.
pub(crate) const BYTES_MAX: u64 = 256 << 20;
