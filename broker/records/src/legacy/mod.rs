//! Message sets of magic 0 and 1 (`LegacyRecord`, `AbstractLegacyRecordBatch`): what Kafka stored before 0.11.
//!
//! New data is never stored in them, but old clients send and ask for them, and old segments hold them. A "batch" is one
//! message, or one wrapper message whose value is a compressed message set.

mod builder;
mod down_conversion;
mod message;
mod reader;

pub use builder::LegacyBuilder;
pub use down_conversion::{DownConversion, DownConversionError, down_convert};
pub use reader::{LegacyRecord, LegacyRecords};

#[cfg(test)]
mod tests;
