//! The codecs of the record formats, framed as Kafka's Java clients and brokers frame them (`Compression`).
//!
//! Reading is streaming: a [`Decompressor`] never holds more than one block (at most 4 MiB for lz4, one raw block for
//! snappy, the window a zstd frame asks for, at most 128 MiB), and stops at a bound on its total output.

mod lz4;
mod reader;
mod snappy;
mod writer;

pub use reader::Decompressor;
pub use writer::Compressor;

/// A compression codec; the discriminant is its id in the attributes (`CompressionType`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Not compressed.
    #[default]
    None = 0,
    /// RFC 1952.
    Gzip = 1,
    /// Blocks of snappy in the framing of the xerial library.
    Snappy = 2,
    /// LZ4 frames with independent blocks.
    Lz4 = 3,
    /// Zstandard frames.
    Zstd = 4,
}

impl Codec {
    /// Every codec.
    pub const ALL: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

    /// The codec with that id.
    pub fn from_id(id: u8) -> Option<Codec> {
        Self::ALL.into_iter().find(|codec| codec.id() == id)
    }

    /// The id in the attributes.
    pub fn id(self) -> u8 {
        self as u8
    }

    /// The name in configs and tools.
    pub fn as_str(self) -> &'static str {
        match self {
            Codec::None => "none",
            Codec::Gzip => "gzip",
            Codec::Snappy => "snappy",
            Codec::Lz4 => "lz4",
            Codec::Zstd => "zstd",
        }
    }
}

/// A codec with the effort it is to make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Compression {
    codec: Codec,
    level: i32,
}

impl Compression {
    /// No compression.
    pub const NONE: Compression = Compression { codec: Codec::None, level: 0 };

    /// A codec at its default level: 6 for gzip, 3 for zstd.
    pub fn of(codec: Codec) -> Compression {
        let level = match codec {
            Codec::Gzip => Self::GZIP_LEVEL_DEFAULT,
            Codec::Zstd => 3,
            Codec::None | Codec::Snappy | Codec::Lz4 => 0,
        };
        Compression { codec, level }
    }

    /// A codec at a level: gzip -1 (default) or 1 to 9, lz4 1 to 17, zstd -131072 to 22. Out of range is brought into range,
    /// but for lz4 it is the default. Snappy has no levels.
    pub fn with_level(codec: Codec, level: i32) -> Compression {
        let level = match codec {
            Codec::Gzip if level < 1 => Self::GZIP_LEVEL_DEFAULT,
            Codec::Gzip => level.min(9),
            Codec::Zstd => level.clamp(-131_072, 22),
            // As in Kafka, its default is the fast compressor, and any other level the thorough one.
            Codec::Lz4 if (1..=17).contains(&level) && level != Self::LZ4_LEVEL_DEFAULT => level,
            Codec::None | Codec::Snappy | Codec::Lz4 => 0,
        };
        Compression { codec, level }
    }

    const LZ4_LEVEL_DEFAULT: i32 = 9;

    const GZIP_LEVEL_DEFAULT: i32 = 6;

    /// The codec.
    pub fn codec(self) -> Codec {
        self.codec
    }
}

/// Why compressed bytes could not be read, or bytes not be compressed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompressionError {
    /// The compressed bytes are damaged, cut off or of a kind that Kafka does not read.
    #[error("Failed to decompress {}: {reason}", codec.as_str())]
    Corrupt {
        /// How they claim to be compressed.
        codec: Codec,
        /// What is wrong.
        reason: String,
    },
    /// The output passed its bound.
    #[error("Decompressed records exceed {bytes_max} bytes")]
    TooLarge {
        /// The bound.
        bytes_max: u64,
    },
    /// The compressor itself failed.
    #[error("Failed to compress with {}: {reason}", codec.as_str())]
    Compress {
        /// The codec.
        codec: Codec,
        /// What it said.
        reason: String,
    },
}

#[cfg(test)]
mod tests;
