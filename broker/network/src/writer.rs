//! Answers onto a socket: runs of bytes by one vectored write, files by sendfile, what is to be made piece by piece.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Buf, Bytes};
use gregor_wire::{FileRegion, MadeRegion, Rope, Segment};
use rustix::net::{SendAncillaryBuffer, SendFlags};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Below this size reading and copying costs less than a system call more (measured: even at 16 KiB, 1.4 times
/// dearer at 64 KiB).
const SENDFILE_BYTES_MIN: usize = 32 * 1024;

/// How many runs one system call is given.
const SLICES_MAX: usize = 64;

/// What is to be written, in order.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    segments: VecDeque<Segment>,
    bytes: usize,
}

impl Outgoing {
    /// Puts an answer behind the others; small regions of files are read here.
    pub(crate) fn push(&mut self, rope: Rope) -> io::Result<()> {
        for segment in rope.into_segments() {
            let segment = match segment {
                Segment::File(region) if region.len < SENDFILE_BYTES_MIN => Segment::Bytes(region.read()?),
                segment => segment,
            };
            self.bytes += segment.len();
            self.segments.push_back(segment);
        }
        Ok(())
    }

    /// How many bytes wait.
    pub(crate) fn len(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Writes until all is with the kernel or the socket is full once; how much was written. Waits until the socket
    /// takes something.
    pub(crate) async fn write_some(&mut self, stream: &TcpStream) -> io::Result<usize> {
        let written = match self.segments.front_mut() {
            None => 0,
            Some(Segment::File(region)) => send_file(stream, region).await?,
            Some(Segment::Bytes(_)) => self.send_bytes(stream).await?,
            Some(Segment::Made(region)) => {
                let piece = make(region).await?;
                if region.is_empty() {
                    self.segments.pop_front();
                }
                self.segments.push_front(Segment::Bytes(piece));
                self.send_bytes(stream).await?
            }
        };
        self.bytes -= written;
        while self.segments.front().is_some_and(Segment::is_empty) {
            self.segments.pop_front();
        }
        Ok(written)
    }

    async fn send_bytes(&mut self, stream: &TcpStream) -> io::Result<usize> {
        let runs = self.segments.iter().map_while(|segment| match segment {
            Segment::Bytes(bytes) => Some(IoSlice::new(bytes)),
            Segment::File(_) | Segment::Made(_) => None,
        });
        let slices: Vec<IoSlice<'_>> = runs.take(SLICES_MAX).collect();
        // More follows: let the kernel fill the packet with the file's first bytes.
        let more = if slices.len() < self.segments.len() { SendFlags::MORE } else { SendFlags::empty() };
        let written = stream
            .async_io(Interest::WRITABLE, || {
                let mut control = SendAncillaryBuffer::default();
                let flags = SendFlags::NOSIGNAL | more;
                rustix::net::sendmsg(stream, &slices, &mut control, flags).map_err(io::Error::from)
            })
            .await?;
        drop(slices);
        self.consume(written);
        Ok(written)
    }

    fn consume(&mut self, mut count: usize) {
        for segment in &mut self.segments {
            let Segment::Bytes(bytes) = segment else { break };
            let taken = bytes.len().min(count);
            bytes.advance(taken);
            count -= taken;
            if count == 0 {
                break;
            }
        }
    }
}

/// Makes the next piece of a region, which may wait for the disk. Whoever stops waiting for it must give the answer up.
async fn make(region: &mut MadeRegion) -> io::Result<Bytes> {
    let mut making = region.clone();
    let (piece, rest) = tokio::task::spawn_blocking(move || making.next_piece().map(|piece| (piece, making)))
        .await
        .map_err(io::Error::other)??;
    *region = rest;
    Ok(piece)
}

/// Sends the next bytes of a region and moves its start. A file that has become shorter than the answer says is an
/// error: the answer's length is already on its way, so only closing the connection tells.
async fn send_file(stream: &TcpStream, region: &mut FileRegion) -> io::Result<usize> {
    let mut position = region.position;
    let (file, len) = (&region.file, region.len);
    let sent = stream
        .async_io(Interest::WRITABLE, || {
            rustix::fs::sendfile(stream, file, Some(&mut position), len).map_err(io::Error::from)
        })
        .await?;
    if sent == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a file became shorter while it was sent"));
    }
    region.position += sent as u64;
    region.len -= sent;
    Ok(sent)
}
