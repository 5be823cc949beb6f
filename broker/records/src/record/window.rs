//! A sliding window over a decompressed stream: as many bytes at once as the caller needs, and no more than its limit.

use super::{Limits, RecordsError};
use crate::batch::Magic;
use crate::compression::{Codec, Decompressor};

/// How much is asked of the decompressor at once.
const STEP: usize = 16 * 1024;

pub(crate) struct Window<'a> {
    stream: Decompressor<'a>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    record_bytes_max: usize,
}

impl<'a> Window<'a> {
    pub(crate) fn new(
        codec: Codec,
        compressed: &'a [u8],
        magic: Magic,
        limits: Limits,
    ) -> Result<Window<'a>, RecordsError> {
        let stream = Decompressor::new(codec, compressed, magic, limits.total_bytes_max)?;
        let record_bytes_max = limits.record_bytes_max;
        Ok(Window { stream, buffer: Vec::new(), start: 0, end: 0, record_bytes_max })
    }

    /// What lies ready, at least `count` bytes unless the stream ends before.
    pub(crate) fn peek(&mut self, count: usize) -> Result<&[u8], RecordsError> {
        if count > self.record_bytes_max {
            return Err(RecordsError::TooLarge { size: count, bytes_max: self.record_bytes_max });
        }
        while self.end - self.start < count && self.fill()? {}
        Ok(self.ready())
    }

    /// Lets go of the first `count` bytes, which were peeked at.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
    }

    /// Removes and returns the next `count` bytes; fewer only if the stream ends before.
    pub(crate) fn take(&mut self, count: usize) -> Result<&[u8], RecordsError> {
        self.peek(count)?;
        let from = self.start;
        self.consume(count);
        Ok(self.buffer.get(from..self.start).unwrap_or_default())
    }

    /// Passes over `count` bytes without holding them; `false` if the stream ends before.
    pub(crate) fn skip(&mut self, mut count: usize) -> Result<bool, RecordsError> {
        loop {
            let now = count.min(self.end - self.start);
            self.consume(now);
            count -= now;
            if count == 0 {
                return Ok(true);
            }
            if !self.fill()? {
                return Ok(false);
            }
        }
    }

    /// Whether everything has been consumed and the stream has ended well.
    pub(crate) fn is_at_end(&mut self) -> Result<bool, RecordsError> {
        Ok(self.peek(1)?.is_empty())
    }

    fn ready(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Reads one step more; `false` at the end. The buffer grows by what has really come, not by what was claimed.
    fn fill(&mut self) -> Result<bool, RecordsError> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.len() - self.end < STEP {
            let length = (self.buffer.len() * 2).max(self.end + STEP);
            self.buffer.resize(length, 0);
        }
        let count = self.stream.read(self.buffer.get_mut(self.end..).unwrap_or_default())?;
        self.end += count;
        Ok(count > 0)
    }
}
