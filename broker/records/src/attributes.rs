//! The attributes of a batch: codec, timestamp type and flags, in the low byte of an int16 (one byte before magic 2).

use crate::compression::Codec;

/// What a record's timestamp means (`TimestampType`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TimestampType {
    /// The time the producer gave.
    #[default]
    CreateTime,
    /// The time of the leader's append, one for the whole batch.
    LogAppendTime,
}

impl TimestampType {
    /// The name in configs and tools.
    pub fn as_str(self) -> &'static str {
        match self {
            TimestampType::CreateTime => "CreateTime",
            TimestampType::LogAppendTime => "LogAppendTime",
        }
    }
}

/// The attribute bits of a batch; bits this version does not know are dropped, as Kafka drops them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Attributes(u8);

impl Attributes {
    const CODEC_MASK: u8 = 0x07;
    const LOG_APPEND_TIME: u8 = 0x08;
    const TRANSACTIONAL: u8 = 0x10;
    const CONTROL: u8 = 0x20;
    const DELETE_HORIZON: u8 = 0x40;

    const KNOWN: u8 = 0x7f;

    /// From the low byte of the stored field.
    pub fn from_low_byte(byte: u8) -> Attributes {
        Attributes(byte & Self::KNOWN)
    }

    /// The low byte of the stored field; the high one is 0.
    pub fn low_byte(self) -> u8 {
        self.0
    }

    /// The codec, or `None` for the ids 5 to 7 that stand for none.
    pub fn codec(self) -> Option<Codec> {
        Codec::from_id(self.0 & Self::CODEC_MASK)
    }

    /// Whether the records are compressed, if only by a codec that does not exist.
    pub fn is_compressed(self) -> bool {
        self.0 & Self::CODEC_MASK != 0
    }

    /// Whose clock the timestamps are of.
    pub fn timestamp_type(self) -> TimestampType {
        if self.has(Self::LOG_APPEND_TIME) { TimestampType::LogAppendTime } else { TimestampType::CreateTime }
    }

    /// Whether the records belong to a transaction.
    pub fn is_transactional(self) -> bool {
        self.has(Self::TRANSACTIONAL)
    }

    /// Whether the batch holds a control record (a transaction marker).
    pub fn is_control(self) -> bool {
        self.has(Self::CONTROL)
    }

    /// Whether the base timestamp is a delete horizon (KIP-534).
    pub fn has_delete_horizon(self) -> bool {
        self.has(Self::DELETE_HORIZON)
    }

    /// The same with this codec.
    #[must_use]
    pub fn with_codec(self, codec: Codec) -> Attributes {
        Attributes(self.0 & !Self::CODEC_MASK | codec.id())
    }

    /// The same with this timestamp type.
    #[must_use]
    pub fn with_timestamp_type(self, timestamp_type: TimestampType) -> Attributes {
        self.with(Self::LOG_APPEND_TIME, timestamp_type == TimestampType::LogAppendTime)
    }

    /// The same with the transactional bit set or not.
    #[must_use]
    pub fn with_transactional(self, transactional: bool) -> Attributes {
        self.with(Self::TRANSACTIONAL, transactional)
    }

    /// The same with the control bit set or not.
    #[must_use]
    pub fn with_control(self, control: bool) -> Attributes {
        self.with(Self::CONTROL, control)
    }

    /// The same with the delete horizon bit set or not.
    #[must_use]
    pub fn with_delete_horizon(self, horizon: bool) -> Attributes {
        self.with(Self::DELETE_HORIZON, horizon)
    }

    fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    fn with(self, bit: u8, on: bool) -> Attributes {
        Attributes(if on { self.0 | bit } else { self.0 & !bit })
    }
}
