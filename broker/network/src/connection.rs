//! One connection: read a request, have it handled, write the answer, take the next.
//!
//! Answers keep the order of the requests because there is one request in hand (Kafka mutes the channel). What the
//! socket already holds is read ahead into one buffer, and answers to requests that were handled without waiting
//! are written together; before anything waits, what is ready is written.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use gregor_wire::{
    FrameBuffer, Request, WireError, decode_request, encode_response, unsupported_api_versions,
};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::context::ConnectionContext;
use crate::dispatch::{Answer, Dispatch};
use crate::idle::IdleTimer;
use crate::quotas::Slot;
use crate::writer::Outgoing;

/// Answers are held back for more answers up to this many bytes.
const COALESCE_BYTES_MAX: usize = 64 * 1024;

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
        let (key, version, correlation_id) =
            (request.header.api_key, request.header.api_version, request.header.correlation_id);
        match self.handle(request).await? {
            Answer::Reply(reply) => {
                let rope = encode_response(key, version, correlation_id, &reply.response, &reply.regions)?;
                self.outgoing.push(rope)?;
                self.mute(reply.mute_for).await
            }
            Answer::NoReply { mute_for } => self.mute(mute_for).await,
            Answer::Close => Err(End::Refused),
        }
    }

    /// Has a request handled, to its end whatever becomes of the client. If that takes waiting, answers held back are
    /// written meanwhile.
    async fn handle(&mut self, request: Request) -> Result<Answer, End> {
        let dispatch = self.dispatch.clone();
        let mut handling = pin!(dispatch.dispatch(&self.context, request));
        let at_once = std::future::poll_fn(|task| Poll::Ready(handling.as_mut().poll(task))).await;
        match at_once {
            Poll::Ready(answer) => Ok(answer),
            Poll::Pending => {
                let flush = flush(&mut self.outgoing, &self.stream, &mut self.idle, &self.slot);
                let (flushed, answer) = tokio::join!(flush, handling);
                flushed?;
                Ok(answer)
            }
        }
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
        let readable = async {
            loop {
                match self.stream.try_read_buf(self.frames.spare()) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.stream.readable().await?,
                    read => return read,
                }
            }
        };
        let count = tokio::select! {
            biased;
            read = readable => read?,
            () = self.stop.cancelled() => return Err(End::Stop),
            () = self.slot.evicted.cancelled() => return Err(End::Evicted),
            () = self.idle.expired() => return Err(End::Idle),
        };
        if count == 0 {
            return Err(End::Client);
        }
        self.frames.read(count);
        self.touch();
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), End> {
        flush(&mut self.outgoing, &self.stream, &mut self.idle, &self.slot).await
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
