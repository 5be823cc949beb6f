//! An answer ready to send: runs of bytes, regions of files, and bytes that are made as they are sent, in order.
//!
//! Records never pass through a buffer of ours on their way out: in memory they stay shared slices, on disk they stay
//! where they are until sendfile. Those that old consumers need in an old format are converted piece by piece.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, LazyLock};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;

/// Bytes of a file. The file may be unlinked meanwhile, not overwritten.
#[derive(Clone, Debug)]
pub struct FileRegion {
    /// The file, open for reading.
    pub file: Arc<File>,
    /// Where the region starts, in bytes.
    pub position: u64,
    /// How long it is, in bytes.
    pub len: usize,
}

impl FileRegion {
    /// Reads the region; an error if the file has become shorter.
    pub fn read(&self) -> io::Result<Bytes> {
        let mut bytes = BytesMut::zeroed(self.len);
        self.file.read_exact_at(&mut bytes, self.position)?;
        Ok(bytes.freeze())
    }
}

/// What makes bytes while they are sent.
pub trait Pieces: Send {
    /// The next bytes, of a bounded number and at least one; it may block on the disk. An error ends the connection, as the
    /// answer's length is on its way already.
    fn next_piece(&mut self) -> io::Result<Bytes>;
}

/// Bytes that are made while they are sent. They are made once: of clones only one may be used.
#[derive(Clone)]
pub struct MadeRegion {
    len: usize,
    pieces: Arc<Mutex<dyn Pieces>>,
}

impl MadeRegion {
    /// `len` bytes, which `pieces` gives one after the other.
    pub fn new(len: usize, pieces: impl Pieces + 'static) -> MadeRegion {
        MadeRegion { len, pieces: Arc::new(Mutex::new(pieces)) }
    }

    /// How many bytes are still to be made.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether all has been made.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Makes the next piece and leaves the rest. Blocks.
    pub fn next_piece(&mut self) -> io::Result<Bytes> {
        let mut piece = self.pieces.lock().next_piece()?;
        piece.truncate(self.len);
        if piece.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "fewer bytes were made than the answer has",
            ));
        }
        self.len -= piece.len();
        Ok(piece)
    }

    fn read(mut self) -> io::Result<Bytes> {
        let mut all = BytesMut::new();
        while self.len > 0 {
            all.extend_from_slice(&self.next_piece()?);
        }
        Ok(all.freeze())
    }
}

impl std::fmt::Debug for MadeRegion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MadeRegion").field("len", &self.len).finish_non_exhaustive()
    }
}

/// A run of an answer.
#[derive(Clone, Debug)]
pub enum Segment {
    /// Bytes in memory.
    Bytes(Bytes),
    /// Bytes in a file.
    File(FileRegion),
    /// Bytes that are made when their turn comes.
    Made(MadeRegion),
}

impl Segment {
    /// How many bytes the run has.
    pub fn len(&self) -> usize {
        match self {
            Segment::Bytes(bytes) => bytes.len(),
            Segment::File(region) => region.len,
            Segment::Made(region) => region.len,
        }
    }

    /// Whether the run is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A whole frame, its length included.
#[derive(Clone, Debug, Default)]
pub struct Rope {
    pub(crate) segments: Vec<Segment>,
}

impl Rope {
    /// The runs in order, none empty.
    pub fn into_segments(self) -> Vec<Segment> {
        self.segments
    }

    /// The size of the frame with its length, in bytes.
    pub fn len(&self) -> usize {
        self.segments.iter().map(Segment::len).sum()
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// All bytes in one piece, files read: for tests, and where there is no socket.
    pub fn to_bytes(&self) -> io::Result<Bytes> {
        let mut all = BytesMut::with_capacity(self.len());
        for segment in &self.segments {
            match segment {
                Segment::Bytes(bytes) => all.extend_from_slice(bytes),
                Segment::File(region) => all.extend_from_slice(&region.read()?),
                Segment::Made(region) => all.extend_from_slice(&region.clone().read()?),
            }
        }
        Ok(all.freeze())
    }
}

/// The longest region one handle can stand for, in bytes: far above `fetch.max.bytes`.
const HANDLE_BYTES: usize = 256 * 1024 * 1024;

/// Address space for the handles. It is never written or read, so it takes no memory.
static HANDLES: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(vec![0; HANDLE_BYTES]));

/// The file regions of one answer, and those that are made.
///
/// The protocol's structs hold records as `Bytes`. A region enters them as a handle: `Bytes` of the region's length
/// whose address says which region it is. Only [`encode_response`](crate::encode_response) with these same regions
/// may see it; its contents are zeros.
#[derive(Clone, Debug, Default)]
pub struct FileRegions(Vec<Segment>);

impl FileRegions {
    /// No regions.
    pub fn new() -> FileRegions {
        FileRegions::default()
    }

    /// Keeps a region and gives the handle to put where its bytes belong. A region too long for a handle is read.
    pub fn add(&mut self, region: FileRegion) -> io::Result<Bytes> {
        match self.handle(region.len) {
            Some(handle) => {
                self.0.push(Segment::File(region));
                Ok(handle)
            }
            None => region.read(),
        }
    }

    /// The same for bytes that are made. Too many for a handle are made at once.
    pub fn add_made(&mut self, region: MadeRegion) -> io::Result<Bytes> {
        match self.handle(region.len) {
            Some(handle) => {
                self.0.push(Segment::Made(region));
                Ok(handle)
            }
            None => region.read(),
        }
    }

    /// The handle of the region to be added next, if one can stand for it.
    fn handle(&self, len: usize) -> Option<Bytes> {
        let index = self.0.len();
        let end = index.checked_add(len).filter(|&end| len > 0 && end <= HANDLE_BYTES)?;
        Some(HANDLES.slice(index..end))
    }

    /// The region a handle stands for; `None` for bytes that are just bytes.
    pub(crate) fn find(&self, bytes: &Bytes) -> Option<&Segment> {
        if self.0.is_empty() {
            return None;
        }
        let index = bytes.as_ptr().addr().checked_sub(HANDLES.as_ptr().addr())?;
        self.0.get(index).filter(|region| region.len() == bytes.len())
    }

    /// How many regions there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Puts a rope together: small pieces are copied into runs, large ones shared.
#[derive(Debug)]
pub(crate) struct RopeBuilder {
    /// The first run, which begins with the frame's length; not frozen until that is known.
    first: Option<BytesMut>,
    done: Vec<Segment>,
    pub(crate) run: BytesMut,
}

/// Room for most answers.
const RUN_BYTES: usize = 256;

/// Below this many bytes a copy costs less than a segment of its own.
const SHARE_BYTES_MIN: usize = 4096;

impl RopeBuilder {
    /// A frame's beginning: room for its length.
    pub(crate) fn frame() -> RopeBuilder {
        let mut run = BytesMut::with_capacity(RUN_BYTES);
        run.extend_from_slice(&[0; 4]);
        RopeBuilder { first: None, done: Vec::new(), run }
    }

    pub(crate) fn push_shared(&mut self, bytes: &Bytes) {
        if bytes.len() < SHARE_BYTES_MIN {
            self.run.extend_from_slice(bytes);
        } else {
            self.push(Segment::Bytes(bytes.clone()));
        }
    }

    pub(crate) fn push(&mut self, segment: Segment) {
        self.end_run();
        if !segment.is_empty() {
            self.done.push(segment);
        }
    }

    fn end_run(&mut self) {
        let run = self.run.split();
        match self.first {
            None => self.first = Some(run),
            Some(_) if run.is_empty() => {}
            Some(_) => self.done.push(Segment::Bytes(run.freeze())),
        }
    }

    /// Ends the frame and writes its length; `None` if it is longer than a frame can be.
    pub(crate) fn finish(mut self) -> Option<Rope> {
        self.end_run();
        let mut first = self.first?;
        let length = first.len() - 4 + self.done.iter().map(Segment::len).sum::<usize>();
        first.get_mut(..4)?.copy_from_slice(&i32::try_from(length).ok()?.to_be_bytes());
        let mut segments = self.done;
        segments.insert(0, Segment::Bytes(first.freeze()));
        Some(Rope { segments })
    }
}
