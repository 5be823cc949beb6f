//! Frames out of a stream of bytes: `i32 length, payload`.
//!
//! Pure: whoever owns the socket reads into [`FrameBuffer::spare`] and asks for frames. Memory follows the bytes that have
//! arrived, not the length that was claimed.

use bytes::{Buf, Bytes, BytesMut};

/// A length no frame may have: negative, or above the limit (`InvalidReceiveException`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid frame length {length}, at most {limit} bytes are allowed")]
pub struct FrameError {
    /// What was claimed.
    pub length: i32,
    /// What is allowed.
    pub limit: usize,
}

/// How much is read at a time at first, and at most; frames larger than that get room of their own.
const READ_BYTES_MIN: usize = 16 * 1024;
const READ_BYTES_MAX: usize = 256 * 1024;

/// The bytes read and not yet taken.
#[derive(Debug)]
pub struct FrameBuffer {
    bytes: BytesMut,
    frame_bytes_max: usize,
    read_bytes: usize,
    /// The size of the last whole frame: a claim as large is believed, since such a one was honest.
    last_frame_bytes: usize,
}

impl FrameBuffer {
    /// An empty buffer that takes frames up to `frame_bytes_max` bytes, the length not counted.
    pub fn new(frame_bytes_max: usize) -> FrameBuffer {
        FrameBuffer {
            bytes: BytesMut::new(),
            frame_bytes_max,
            read_bytes: READ_BYTES_MIN,
            last_frame_bytes: 0,
        }
    }

    /// Changes the limit for frames whose length was not yet seen (after authentication).
    pub fn set_frame_bytes_max(&mut self, frame_bytes_max: usize) {
        self.frame_bytes_max = frame_bytes_max;
    }

    /// The next whole frame without its length, sharing the memory it was read into; `None` until enough has arrived.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, FrameError> {
        let Some(length) = self.claimed_length()? else { return Ok(None) };
        if self.bytes.len() < 4 + length {
            return Ok(None);
        }
        self.bytes.advance(4);
        self.last_frame_bytes = length;
        Ok(Some(self.bytes.split_to(length).freeze()))
    }

    /// Whether the next frame is whole and begins so.
    pub fn next_begins_with(&self, prefix: &[u8]) -> bool {
        let Ok(Some(length)) = self.claimed_length() else { return false };
        self.bytes.get(4..4 + length).is_some_and(|frame| frame.starts_with(prefix))
    }

    /// Makes room for the next read and gives the buffer to read into. Room grows with what has arrived: a frame that
    /// claims 100 MiB gets them only as its bytes come.
    pub fn spare(&mut self) -> &mut BytesMut {
        if self.bytes.is_empty() {
            return self.spare_for_another();
        }
        let claimed = self.claimed_length().ok().flatten().map_or(0, |length| 4 + length);
        let missing = claimed.saturating_sub(self.bytes.len());
        let trusted = self.bytes.len().max(self.read_bytes).max(self.last_frame_bytes);
        let needed = missing.min(trusted).max(READ_BYTES_MIN);
        if self.bytes.capacity() - self.bytes.len() < needed {
            self.bytes.reserve(needed.max(self.read_bytes));
        }
        &mut self.bytes
    }

    /// Room for a frame like the last, so that its beginning need not be moved when its length is seen.
    fn spare_for_another(&mut self) -> &mut BytesMut {
        let wanted = (4 + self.last_frame_bytes).max(self.read_bytes);
        if self.bytes.capacity() > 4 * wanted {
            self.bytes = BytesMut::new();
        }
        self.bytes.reserve(wanted);
        &mut self.bytes
    }

    /// Gives the memory back if it holds nothing: who waits for the next frame may wait for long.
    pub fn release(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = BytesMut::new();
        }
    }

    /// Tells how much a read brought: full reads make the next ones larger.
    pub fn read(&mut self, count: usize) {
        if count >= self.read_bytes {
            self.read_bytes = (self.read_bytes * 2).min(READ_BYTES_MAX);
        }
    }

    /// Whether no byte of a next frame has arrived.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How much memory the buffer holds, in bytes.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    fn claimed_length(&self) -> Result<Option<usize>, FrameError> {
        let Some(length) = self.bytes.first_chunk::<4>() else { return Ok(None) };
        let length = i32::from_be_bytes(*length);
        match usize::try_from(length) {
            Ok(valid) if valid <= self.frame_bytes_max => Ok(Some(valid)),
            _ => Err(FrameError { length, limit: self.frame_bytes_max }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(buffer: &mut FrameBuffer, bytes: &[u8]) {
        buffer.spare().extend_from_slice(bytes);
        buffer.read(bytes.len());
    }

    #[test]
    fn frames_come_whole_and_in_order() {
        let mut buffer = FrameBuffer::new(100);
        feed(&mut buffer, &[0, 0, 0]);
        assert_eq!(buffer.next_frame(), Ok(None));
        feed(&mut buffer, &[2, 7]);
        assert_eq!(buffer.next_frame(), Ok(None));
        assert!(!buffer.next_begins_with(&[7]));
        feed(&mut buffer, &[8, 0, 0, 0, 0, 0, 0, 0, 1, 9, 0]);
        assert!(buffer.next_begins_with(&[7]) && buffer.next_begins_with(&[7, 8]));
        assert!(!buffer.next_begins_with(&[8]) && !buffer.next_begins_with(&[7, 8, 0]));
        assert_eq!(buffer.next_frame(), Ok(Some(Bytes::from_static(&[7, 8]))));
        assert_eq!(buffer.next_frame(), Ok(Some(Bytes::new())));
        assert_eq!(buffer.next_frame(), Ok(Some(Bytes::from_static(&[9]))));
        assert_eq!(buffer.next_frame(), Ok(None));
        assert!(!buffer.is_empty());
    }

    #[test]
    fn lengths_out_of_bounds_are_refused_at_once() {
        for length in [-1, i32::MIN, 101, i32::MAX] {
            let mut buffer = FrameBuffer::new(100);
            feed(&mut buffer, &length.to_be_bytes());
            assert_eq!(buffer.next_frame(), Err(FrameError { length, limit: 100 }));
        }
    }

    #[test]
    fn a_claim_reserves_nothing() {
        let mut buffer = FrameBuffer::new(usize::MAX);
        feed(&mut buffer, &i32::MAX.to_be_bytes());
        buffer.spare();
        assert!(buffer.capacity() <= 4 * READ_BYTES_MIN, "{}", buffer.capacity());
        feed(&mut buffer, &[0; 100_000]);
        buffer.spare();
        assert!(buffer.capacity() <= 400_000, "{}", buffer.capacity());
    }

    #[test]
    fn room_is_made_for_a_frame_like_the_last_and_given_back() {
        let mut buffer = FrameBuffer::new(usize::MAX);
        let frame = [&4_000_000i32.to_be_bytes()[..], &[7; 4_000_000]].concat();
        feed(&mut buffer, &frame);
        assert!(buffer.next_frame().is_ok_and(|frame| frame.is_some()));
        assert!(buffer.spare().capacity() >= frame.len());
        buffer.release();
        assert_eq!(buffer.capacity(), 0);
        feed(&mut buffer, &frame[..5]);
        buffer.release();
        assert!(!buffer.is_empty());
        feed(&mut buffer, &frame[5..]);
        assert!(buffer.next_frame().is_ok_and(|frame| frame.is_some()));
        for _ in 0..2 {
            feed(&mut buffer, &[0, 0, 0, 0]);
            assert_eq!(buffer.next_frame(), Ok(Some(Bytes::new())));
        }
        assert!(buffer.spare().capacity() <= 4 * READ_BYTES_MAX, "{}", buffer.capacity());
    }

    proptest::proptest! {
        #[test]
        fn any_cut_of_the_stream_gives_the_same_frames(
            frames in proptest::collection::vec(proptest::collection::vec(0u8.., 0..40_000), 0..6),
            cuts in proptest::collection::vec(1usize..30_000, 1..20),
        ) {
            let mut stream = Vec::new();
            for frame in &frames {
                stream.extend_from_slice(&(frame.len() as i32).to_be_bytes());
                stream.extend_from_slice(frame);
            }
            let (mut buffer, mut found, mut rest) = (FrameBuffer::new(40_000), Vec::new(), &stream[..]);
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                feed(&mut buffer, piece);
                rest = after;
                while let Some(frame) = buffer.next_frame().expect("valid lengths") {
                    found.push(frame.to_vec());
                }
            }
            proptest::prop_assert_eq!(found, frames);
            proptest::prop_assert!(buffer.is_empty());
        }
    }
}
