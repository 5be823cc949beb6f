//! One connection: read a request, have it handled, write the answer, take the next.
//!
//! Answers keep the order of the requests because there is one request in hand (Kafka mutes the channel), or a row of those
//! that may overlap. What the socket already holds is read ahead into one buffer, and answers to requests that were handled
//! without waiting, or that waited together, are written together; before anything waits, what is ready is written.

use std::future::Future as _;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gregor_wire::kafka_protocol::messages::ApiKey;
use gregor_wire::{
    FrameBuffer, Request, WireError, decode_request, encode_response, unsupported_api_versions,
};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::context::ConnectionContext;
use crate::dispatch::{Answer, Dispatch};
use crate::handling::{Answered, Handling};
use crate::idle::IdleTimer;
use crate::quotas::Slot;
use crate::timing::{Handled, UnsentAnswers};
use crate::writer::Outgoing;

/// Answers are held back for more answers up to this many bytes.
const COALESCE_BYTES_MAX: usize = 64 * 1024;

/// How many requests that may overlap are in hand at most.
const OVERLAPPING_MAX: usize = 32;

pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) context: ConnectionContext,
    pub(crate) slot: Slot,
    pub(crate) dispatch: Arc<dyn Dispatch>,
    pub(crate) frames: FrameBuffer,
    pub(crate) idle: IdleTimer,
    /// Cancelled when no further request is to be taken.
    pub(crate) stop: CancellationToken,
    pub(crate) outgoing: Outgoing,
    /// The requests whose answers `outgoing` holds.
    pub(crate) unsent: UnsentAnswers,
    /// When the socket last gave something.
    pub(crate) read_at: Instant,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum End {
    #[error("closed by the client")]
    Client,
    #[error("silent for too long")]
    Idle,
    #[error("the broker stops")]
    Stop,
    #[error("made room for another connection")]
    Evicted,
    #[error("the request could not be answered otherwise")]
    Refused,
    #[error(transparent)]
    Frame(#[from] gregor_wire::FrameError),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error(transparent)]
    Encode(#[from] gregor_wire::EncodeError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Connection {
    /// Serves until the connection ends, and says why.
    pub(crate) async fn serve(mut self) -> (ConnectionContext, End) {
        let end = loop {
            // Requests that never wait must not keep other connections waiting.
            tokio::task::consume_budget().await;
            if let Err(end) = self.serve_one().await {
                break end;
            }
        };
        // What was answered is still sent, where anyone may be reading.
        if !matches!(end, End::Client | End::Idle | End::Io(_)) {
            let _ = self.flush().await;
        }
        (self.context, end)
    }

    async fn serve_one(&mut self) -> Result<(), End> {
        let frame = self.next_frame().await?;
        self.touch();
        let request = match decode_request(frame) {
            Err(WireError::UnsupportedApiVersions { correlation_id, .. }) => {
                self.outgoing.push(unsupported_api_versions(correlation_id)?)?;
                return Ok(());
            }
            decoded => decoded?,
        };
        self.handle(request).await
    }

    /// Puts an answer behind the others.
    async fn answer(&mut self, answered: Answered) -> Result<(), End> {
        let Answered { answer, correlation_id, mut unsent } = answered;
        let Handled { key, version, .. } = unsent.handled;
        match answer {
            Answer::Reply(reply) => {
                let rope = encode_response(key, version, correlation_id, &reply.response, &reply.regions)?;
                self.outgoing.push(rope)?;
                (unsent.handled.tag, unsent.handled.throttle) = (reply.tag, reply.mute_for);
                self.unsent.push(unsent);
                self.mute(reply.mute_for).await
            }
            Answer::NoReply { mute_for } => {
                unsent.handled.throttle = mute_for;
                self.report(unsent.sent(unsent.answered, unsent.answered));
                self.mute(mute_for).await
            }
            Answer::Close => {
                self.report(unsent.sent(unsent.answered, unsent.answered));
                Err(End::Refused)
            }
        }
    }

    fn report(&self, handled: Handled) {
        self.dispatch.handled(&self.context, &handled);
    }

    /// Everything that waited was written between these times.
    fn report_sent(&mut self, begun: Instant, ended: Instant) {
        for unsent in self.unsent.drain() {
            self.dispatch.handled(&self.context, &unsent.sent(begun, ended));
        }
    }

    /// Has a request handled, to its end whatever becomes of the client, and answers it. If that takes waiting, answers
    /// held back are written meanwhile, and those that follow and may overlap with it are begun.
    async fn handle(&mut self, request: Request) -> Result<(), End> {
        let dispatch = self.dispatch.clone();
        let (key, version) = (request.header.api_key, request.header.api_version);
        let mut first = Handling::new(&*dispatch, &self.context, request, self.read_at);
        if first.try_finish().await {
            return match first.into_answer() {
                Some(answered) => self.answer(answered).await,
                None => Ok(()),
            };
        }
        let (mut others, mut damaged) = (Vec::new(), None);
        if dispatch.overlaps(key, version) {
            while others.len() + 1 < OVERLAPPING_MAX {
                match next_alike(&mut self.frames, key, version) {
                    Ok(Some(request)) => {
                        let mut next = Handling::new(&*dispatch, &self.context, request, self.read_at);
                        next.try_finish().await;
                        others.push(next);
                    }
                    Ok(None) => break,
                    Err(end) => {
                        damaged = Some(end);
                        break;
                    }
                }
            }
        }
        let flush = async {
            let begun = Instant::now();
            flush(&mut self.outgoing, &self.stream, &mut self.idle, &self.slot).await?;
            Ok::<_, End>((begun, Instant::now()))
        };
        let finish = async {
            first.finish().await;
            for other in &mut others {
                other.finish().await;
            }
        };
        let (written, ()) = tokio::join!(flush, finish);
        let first = first.into_answer();
        let others: Vec<Answered> = others.into_iter().filter_map(Handling::into_answer).collect();
        let (begun, ended) = written?;
        self.report_sent(begun, ended);
        for answered in first.into_iter().chain(others) {
            self.answer(answered).await?;
        }
        damaged.map_or(Ok(()), Err)
    }

    /// The next whole frame. Writes what is held back before it waits for the client.
    async fn next_frame(&mut self) -> Result<Bytes, End> {
        if self.outgoing.len() >= COALESCE_BYTES_MAX {
            self.flush().await?;
        }
        loop {
            if self.stop.is_cancelled() {
                return Err(End::Stop);
            }
            if let Some(frame) = self.frames.next_frame()? {
                return Ok(frame);
            }
            self.flush().await?;
            self.read_some().await?;
        }
    }

    async fn read_some(&mut self) -> Result<(), End> {
        let (stream, frames) = (&mut self.stream, &mut self.frames);
        let read = std::future::poll_fn(|task| {
            // A connection that waits holds no memory for what may come.
            let Poll::Ready(ready) = stream.poll_read_ready(task) else {
                frames.release();
                return Poll::Pending;
            };
            ready?;
            // Unlike `try_read`, this knows after a short read that nothing more is there, and does not ask in vain.
            pin!(stream.read_buf(frames.spare())).poll(task)
        });
        let count = tokio::select! {
            biased;
            read = read => read?,
            () = self.stop.cancelled() => return Err(End::Stop),
            () = self.slot.evicted.cancelled() => return Err(End::Evicted),
            () = self.idle.expired() => return Err(End::Idle),
        };
        if count == 0 {
            return Err(End::Client);
        }
        self.frames.read(count);
        self.read_at = Instant::now();
        self.touch();
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), End> {
        if self.unsent.is_empty() {
            return flush(&mut self.outgoing, &self.stream, &mut self.idle, &self.slot).await;
        }
        let begun = Instant::now();
        flush(&mut self.outgoing, &self.stream, &mut self.idle, &self.slot).await?;
        self.report_sent(begun, Instant::now());
        Ok(())
    }

    /// Takes no request for a while, for quotas; the answer goes out before.
    async fn mute(&mut self, pause: Duration) -> Result<(), End> {
        if pause.is_zero() {
            return Ok(());
        }
        self.flush().await?;
        tokio::select! {
            () = tokio::time::sleep(pause) => Ok(()),
            () = self.stop.cancelled() => Err(End::Stop),
            () = self.slot.evicted.cancelled() => Err(End::Evicted),
        }
    }

    fn touch(&mut self) {
        self.idle.touch();
        self.slot.touch();
    }
}

/// The next request, if it is there already and of the same API and version.
fn next_alike(frames: &mut FrameBuffer, key: ApiKey, version: i16) -> Result<Option<Request>, End> {
    let ([a, b], [c, d]) = ((key as i16).to_be_bytes(), version.to_be_bytes());
    if !frames.next_begins_with(&[a, b, c, d]) {
        return Ok(None);
    }
    match frames.next_frame()? {
        Some(frame) => Ok(Some(decode_request(frame)?)),
        None => Ok(None),
    }
}

/// Writes all that is held back. A client that takes nothing for as long as it may be idle is dropped.
async fn flush(
    outgoing: &mut Outgoing,
    stream: &TcpStream,
    idle: &mut IdleTimer,
    slot: &Slot,
) -> Result<(), End> {
    while !outgoing.is_empty() {
        tokio::select! {
            biased;
            written = outgoing.write_some(stream) => {
                written?;
            }
            () = idle.expired() => return Err(End::Idle),
            () = slot.evicted.cancelled() => return Err(End::Evicted),
        }
        idle.touch();
        slot.touch();
    }
    Ok(())
}
