//! LZ4 frames as `Lz4BlockInputStream` reads and `Lz4BlockOutputStream` writes them: version 1, independent blocks.
//!
//! In magic 0 the header checksum was computed over four bytes too many; writers repeat that, readers do not check it.

use twox_hash::XxHash32;

use super::{Codec, CompressionError};
use crate::batch::Magic;

const FRAME_MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
const VERSION_MASK: u8 = 0xc0;
const VERSION: u8 = 0x40;
const BLOCK_INDEPENDENCE: u8 = 0x20;
const BLOCK_CHECKSUM: u8 = 0x10;
const CONTENT_SIZE: u8 = 0x08;
const CONTENT_CHECKSUM: u8 = 0x04;
const FLG_RESERVED: u8 = 0x03;
const BD_RESERVED: u8 = 0x8f;
/// Block size id 4: 64 KiB.
const BD_64_KIB: u8 = 0x40;
const BLOCK_BYTES: usize = 64 * 1024;
/// Set in a block's length when the block is stored as it is.
const STORED: u32 = 0x8000_0000;

/// Reads one frame; what follows its end mark is not looked at.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    block_bytes_max: usize,
    block_checksums: bool,
    content_checksum: bool,
    block: Vec<u8>,
    /// What of the current block has not been read: in `rest`'s input if stored, in `block` if not.
    stored: Option<&'a [u8]>,
    position: usize,
    finished: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(input: &'a [u8], magic: Magic) -> Result<Reader<'a>, CompressionError> {
        let mut reader = Reader {
            rest: input,
            block_bytes_max: 0,
            block_checksums: false,
            content_checksum: false,
            block: Vec::new(),
            stored: None,
            position: 0,
            finished: false,
        };
        reader.read_header(magic)?;
        Ok(reader)
    }

    fn read_header(&mut self, magic: Magic) -> Result<(), CompressionError> {
        if self.take(4)? != FRAME_MAGIC {
            return Err(corrupt("this is not an LZ4 frame"));
        }
        let descriptor = self.rest;
        let &[flags, sizes] = self.take_array::<2>()?;
        if flags & VERSION_MASK != VERSION || flags & FLG_RESERVED != 0 || sizes & BD_RESERVED != 0 {
            return Err(corrupt("the frame descriptor has unknown bits"));
        }
        if flags & BLOCK_INDEPENDENCE == 0 {
            return Err(corrupt("dependent blocks are not supported"));
        }
        self.block_bytes_max = match sizes >> 4 {
            4 => 64 * 1024,
            5 => 256 * 1024,
            6 => 1024 * 1024,
            7 => 4 * 1024 * 1024,
            _ => return Err(corrupt("the frame has an unknown block size")),
        };
        self.block_checksums = flags & BLOCK_CHECKSUM != 0;
        self.content_checksum = flags & CONTENT_CHECKSUM != 0;
        if flags & CONTENT_SIZE != 0 {
            self.take(8)?;
        }
        let descriptor = descriptor.get(..descriptor.len() - self.rest.len()).unwrap_or_default();
        let &[checksum] = self.take_array::<1>()?;
        if magic != Magic::V0 && checksum != header_checksum(descriptor) {
            return Err(corrupt("the frame descriptor's checksum is wrong"));
        }
        Ok(())
    }

    pub(super) fn read(&mut self, into: &mut [u8]) -> Result<usize, CompressionError> {
        loop {
            let from = self.stored.unwrap_or(&self.block).get(self.position..).unwrap_or_default();
            if !from.is_empty() {
                let count = from.len().min(into.len());
                into[..count].copy_from_slice(&from[..count]);
                self.position += count;
                return Ok(count);
            }
            if self.finished {
                return Ok(0);
            }
            self.read_block()?;
        }
    }

    fn read_block(&mut self) -> Result<(), CompressionError> {
        let field = u32::from_le_bytes(*self.take_array::<4>()?);
        let length = (field & !STORED) as usize;
        self.position = 0;
        self.stored = Some(&[]);
        if length == 0 {
            self.finished = true;
            if self.content_checksum {
                self.take(4)?;
            }
            return Ok(());
        }
        if length > self.block_bytes_max {
            return Err(corrupt("a block is longer than the frame allows"));
        }
        let data = self.take(length)?;
        if field & STORED != 0 {
            self.stored = Some(data);
        } else {
            self.block.resize(self.block_bytes_max, 0);
            let length = lz4_flex::block::decompress_into(data, &mut self.block)
                .map_err(|error| corrupt(&error.to_string()))?;
            self.block.truncate(length);
            self.stored = None;
        }
        if self.block_checksums && u32::from_le_bytes(*self.take_array::<4>()?) != XxHash32::oneshot(0, data)
        {
            return Err(corrupt("a block's checksum is wrong"));
        }
        Ok(())
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], CompressionError> {
        let (taken, rest) =
            self.rest.split_at_checked(count).ok_or_else(|| corrupt("the frame is cut off"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn take_array<const N: usize>(&mut self) -> Result<&'a [u8; N], CompressionError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(|| corrupt("the frame is cut off"))?;
        self.rest = rest;
        Ok(taken)
    }
}

/// Writes one frame of 64 KiB blocks.
pub(super) struct Writer {
    out: Vec<u8>,
    block: Vec<u8>,
    scratch: Vec<u8>,
    effort: Effort,
}

/// How hard blocks are compressed (KIP-390).
enum Effort {
    Fast(lz4_flex::block::CompressTable),
    /// At one of liblz4's high-compression levels.
    High(i32),
}

impl Effort {
    /// Compresses `block` into `scratch`; returns how many bytes it takes.
    fn compress(&mut self, block: &[u8], scratch: &mut [u8]) -> Result<usize, String> {
        match self {
            Effort::Fast(table) => lz4_flex::block::compress_into_with_table(block, scratch, table)
                .map_err(|error| error.to_string()),
            Effort::High(level) => {
                let mode = lz4::block::CompressionMode::HIGHCOMPRESSION(*level);
                lz4::block::compress_to_buffer(block, Some(mode), false, scratch)
                    .map_err(|error| error.to_string())
            }
        }
    }
}

impl Writer {
    /// `level`: 0 for the fast compressor, or a high-compression level.
    pub(super) fn new(mut out: Vec<u8>, magic: Magic, level: i32) -> Writer {
        let mut header = FRAME_MAGIC.to_vec();
        header.extend_from_slice(&[VERSION | BLOCK_INDEPENDENCE, BD_64_KIB]);
        let covered = if magic == Magic::V0 { header.as_slice() } else { &header[FRAME_MAGIC.len()..] };
        let checksum = header_checksum(covered);
        out.extend_from_slice(&header);
        out.push(checksum);
        Writer {
            out,
            block: Vec::new(),
            scratch: Vec::new(),
            effort: match level {
                0 => Effort::Fast(lz4_flex::block::CompressTable::default()),
                level => Effort::High(level),
            },
        }
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
        self.out.extend_from_slice(&0u32.to_le_bytes());
        Ok(self.out)
    }

    fn flush(&mut self) -> Result<(), CompressionError> {
        if self.block.is_empty() {
            return Ok(());
        }
        self.scratch.resize(lz4_flex::block::get_maximum_output_size(self.block.len()), 0);
        let length = self
            .effort
            .compress(&self.block, &mut self.scratch)
            .map_err(|reason| CompressionError::Compress { codec: Codec::Lz4, reason })?;
        let compressed = self.scratch.get(..length).unwrap_or_default();
        if length < self.block.len() {
            self.out.extend_from_slice(&(length as u32).to_le_bytes());
            self.out.extend_from_slice(compressed);
        } else {
            self.out.extend_from_slice(&(self.block.len() as u32 | STORED).to_le_bytes());
            self.out.extend_from_slice(&self.block);
        }
        self.block.clear();
        Ok(())
    }
}

fn header_checksum(descriptor: &[u8]) -> u8 {
    (XxHash32::oneshot(0, descriptor) >> 8) as u8
}

fn corrupt(reason: &str) -> CompressionError {
    CompressionError::Corrupt { codec: Codec::Lz4, reason: reason.to_owned() }
}
