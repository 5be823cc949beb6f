//! One connection, many requests in flight.
//!
//! Two tasks own the socket's halves; both end when the last handle is dropped, on any error, and on a timeout.
//! The writer notes each request before it sends it, the reader takes notes off in order, so answers find their
//! callers by position and correlation id. At most `in_flight_max` requests are unanswered: one more waits to be sent.
//! Small requests that wait together are sent in one write; large ones are sent from where they are.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, RequestHeader};
use kafka_protocol::protocol::{Encodable, HeaderVersion, Request, StrBytes};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{ApiVersions, ClientError};
use crate::decode::{DecodeError, decode};
use crate::frame::FrameBuffer;

/// What is at least so long is written by itself instead of being copied together with others.
const LARGE_BYTES: usize = 64 * 1024;

/// How a connection behaves.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// What we call ourselves.
    pub client_id: String,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long to wait for an answer; then the connection closes.
    pub request_timeout: Duration,
    /// The largest answer taken, in bytes.
    pub response_bytes_max: usize,
    /// How many requests may be unanswered.
    pub in_flight_max: usize,
}

impl Default for ClientOptions {
    fn default() -> ClientOptions {
        ClientOptions {
            client_id: String::new(),
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            response_bytes_max: 100 * 1024 * 1024,
            in_flight_max: 64,
        }
    }
}

/// A handle on a connection. Cloning gives another handle on the same.
#[derive(Clone, Debug)]
pub struct Connection {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    client_id: StrBytes,
    request_timeout: Duration,
    next_correlation_id: AtomicI32,
    in_flight: Semaphore,
    outgoing: mpsc::Sender<Outgoing>,
    state: Arc<State>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.state.close("closed by us");
    }
}

/// What the handles and both tasks share.
#[derive(Debug, Default)]
struct State {
    closed: CancellationToken,
    reason: Mutex<Option<String>>,
    /// Requests sent and unanswered, oldest first.
    pending: Mutex<VecDeque<Pending>>,
}

impl State {
    /// Closes once; the first reason stays.
    fn close(&self, reason: impl Into<String>) {
        self.reason.lock().get_or_insert_with(|| reason.into());
        self.closed.cancel();
    }

    fn disconnected(&self) -> ClientError {
        ClientError::Disconnected(
            self.reason.lock().clone().unwrap_or_else(|| "connection closed".to_owned()),
        )
    }
}

#[derive(Debug)]
struct Outgoing {
    frame: Bytes,
    /// The rest of the frame, which other receivers get, too.
    shared: Bytes,
    /// None when no answer will come.
    pending: Option<Pending>,
}

#[derive(Debug)]
struct Pending {
    correlation_id: i32,
    answer: oneshot::Sender<Bytes>,
}

impl Connection {
    /// Connects by TCP, trying each address of the name.
    pub async fn connect(host: &str, port: u16, options: ClientOptions) -> Result<Connection, ClientError> {
        let address =
            || if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let timeout = options.connect_timeout;
        let stream = tokio::time::timeout(timeout, TcpStream::connect((host, port)))
            .await
            .map_err(|_| ClientError::ConnectTimeout { address: address(), timeout })?
            .map_err(|source| ClientError::Connect { address: address(), source })?;
        // Without it small requests wait for acknowledgements; if it cannot be set they are only slower.
        let _ = stream.set_nodelay(true);
        let (reader, writer) = stream.into_split();
        Ok(Connection::start(reader, writer, options))
    }

    /// Runs a connection over two halves that are ready for requests (plain, or after TLS and SASL).
    pub fn start(
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
        options: ClientOptions,
    ) -> Connection {
        let state = Arc::new(State::default());
        let in_flight_max = options.in_flight_max.max(1);
        let (outgoing, incoming) = mpsc::channel(in_flight_max);
        tokio::spawn(write_requests(writer, incoming, in_flight_max, state.clone()));
        tokio::spawn(read_answers(reader, FrameBuffer::new(options.response_bytes_max), state.clone()));
        Connection {
            shared: Arc::new(Shared {
                client_id: StrBytes::from_string(options.client_id),
                request_timeout: options.request_timeout,
                next_correlation_id: AtomicI32::new(0),
                in_flight: Semaphore::new(in_flight_max),
                outgoing,
                state,
            }),
        }
    }

    /// Sends a request and waits for its answer. Requests go out in the order of the calls' first polls.
    pub async fn send<R: Request>(&self, request: R, version: i16) -> Result<R::Response, ClientError> {
        self.send_with_timeout(request, version, self.shared.request_timeout).await
    }

    /// As [`Connection::send`], with a time limit of its own.
    pub async fn send_with_timeout<R: Request>(
        &self,
        request: R,
        version: i16,
        timeout: Duration,
    ) -> Result<R::Response, ClientError> {
        self.exchange::<R, _>(version, timeout, Bytes::new(), |frame| request.encode(frame, version)).await
    }

    /// Hands over a request that the other side does not answer (produce with acks=0), once those before it are on their
    /// way. Whether it arrived is not known.
    pub async fn send_unanswered<R: Request>(&self, request: R, version: i16) -> Result<(), ClientError> {
        let correlation_id = self.shared.next_correlation_id.fetch_add(1, Ordering::Relaxed) & i32::MAX;
        let frame =
            self.encode::<R, _>(version, correlation_id, 0, |frame| request.encode(frame, version))?;
        let outgoing = Outgoing { frame, shared: Bytes::new(), pending: None };
        self.shared.outgoing.send(outgoing).await.map_err(|_| self.shared.state.disconnected())
    }

    /// As [`Connection::send`], with a body that was encoded before: `head`, and behind it what many receivers get, which
    /// is not copied.
    pub async fn send_encoded<R: Request>(
        &self,
        head: &[u8],
        shared: Bytes,
        version: i16,
    ) -> Result<R::Response, ClientError> {
        let put_head = |frame: &mut BytesMut| {
            frame.put_slice(head);
            Ok::<(), std::convert::Infallible>(())
        };
        self.exchange::<R, _>(version, self.shared.request_timeout, shared, put_head).await
    }

    async fn exchange<R: Request, E: std::fmt::Display>(
        &self,
        version: i16,
        timeout: Duration,
        shared: Bytes,
        put_body: impl FnOnce(&mut BytesMut) -> Result<(), E>,
    ) -> Result<R::Response, ClientError> {
        let correlation_id = self.shared.next_correlation_id.fetch_add(1, Ordering::Relaxed) & i32::MAX;
        let frame = self.encode::<R, _>(version, correlation_id, shared.len(), put_body)?;
        let state = &self.shared.state;
        let (answer, answered) = oneshot::channel();
        let outgoing = Outgoing { frame, shared, pending: Some(Pending { correlation_id, answer }) };
        let exchange = async {
            // The semaphore is never closed, and its permit is given back with the answer.
            let _permit = self.shared.in_flight.acquire().await;
            self.shared.outgoing.send(outgoing).await.map_err(|_| state.disconnected())?;
            answered.await.map_err(|_| state.disconnected())
        };
        let Ok(answer) = tokio::time::timeout(timeout, exchange).await else {
            state.close(format!("no answer within {timeout:?}"));
            return Err(ClientError::Timeout(timeout));
        };
        decode_answer::<R>(answer?, version).map_err(|error| {
            state.close(error.to_string());
            error.into()
        })
    }

    /// Asks what the other side speaks, falling back to version 0 when it does not know ours (KIP-511).
    pub async fn api_versions(&self) -> Result<ApiVersions, ClientError> {
        const UNSUPPORTED_VERSION: i16 = 35;
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("gregor"))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        let mut response = self.send(request, 3).await?;
        if response.error_code == UNSUPPORTED_VERSION {
            response = self.send(ApiVersionsRequest::default(), 0).await?;
        }
        match response.error_code {
            0 => Ok(ApiVersions::from_response(response)),
            code => Err(ClientError::Negotiation(code)),
        }
    }

    /// Closes the connection; requests without an answer fail.
    pub fn close(&self) {
        self.shared.state.close("closed by us");
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.shared.state.closed.is_cancelled()
    }

    /// Waits for the connection's end.
    pub async fn closed(&self) {
        self.shared.state.closed.cancelled().await;
    }

    fn encode<R: Request, E: std::fmt::Display>(
        &self,
        version: i16,
        correlation_id: i32,
        shared_length: usize,
        put_body: impl FnOnce(&mut BytesMut) -> Result<(), E>,
    ) -> Result<Bytes, ClientError> {
        let unencodable = |reason: String| ClientError::Unencodable(reason);
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(correlation_id)
            .with_client_id(Some(self.shared.client_id.clone()));
        let mut frame = BytesMut::with_capacity(256);
        frame.put_i32(0);
        header
            .encode(&mut frame, R::header_version(version))
            .map_err(|error| unencodable(error.to_string()))?;
        put_body(&mut frame).map_err(|error| unencodable(error.to_string()))?;
        let length =
            i32::try_from(frame.len() - 4 + shared_length).map_err(|error| unencodable(error.to_string()))?;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        Ok(frame.freeze())
    }
}

/// Header and body of an answer, wholly consumed. ApiVersions answers in the layout of version 0 when it does not know
/// the version asked for.
fn decode_answer<R: Request>(mut frame: Bytes, version: i16) -> Result<R::Response, DecodeError> {
    let no_header = || DecodeError::Malformed("an answer without header".to_owned());
    frame.try_get_i32().map_err(|_| no_header())?;
    if R::Response::header_version(version) >= 1 {
        skip_tagged_fields(&mut frame).ok_or_else(no_header)?;
    }
    let fallback = frame.clone();
    match decode(frame, version) {
        Err(_) if R::KEY == ApiKey::ApiVersions as i16 && version > 0 => decode(fallback, 0),
        decoded => decoded,
    }
}

fn skip_tagged_fields(frame: &mut Bytes) -> Option<()> {
    for _ in 0..get_varint(frame)? {
        get_varint(frame)?;
        let length = usize::try_from(get_varint(frame)?).ok()?;
        if length > frame.len() {
            return None;
        }
        frame.advance(length);
    }
    Some(())
}

fn get_varint(frame: &mut Bytes) -> Option<u32> {
    let mut value = 0u32;
    for shift in [0, 7, 14, 21, 28] {
        let byte = frame.try_get_u8().ok()?;
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

async fn write_requests(
    mut writer: impl AsyncWrite + Unpin,
    mut requests: mpsc::Receiver<Outgoing>,
    batch_max: usize,
    state: Arc<State>,
) {
    let mut batch = Vec::new();
    let mut parts = Vec::new();
    let mut run = BytesMut::new();
    loop {
        let count = tokio::select! {
            () = state.closed.cancelled() => break,
            count = requests.recv_many(&mut batch, batch_max) => count,
        };
        if count == 0 {
            break;
        }
        {
            let mut pending = state.pending.lock();
            for outgoing in batch.drain(..) {
                parts.extend([outgoing.frame, outgoing.shared]);
                pending.extend(outgoing.pending);
            }
        }
        let written = tokio::select! {
            () = state.closed.cancelled() => break,
            written = write_parts(&mut writer, parts.drain(..), &mut run) => written,
        };
        if let Err(error) = written {
            state.close(error.to_string());
            break;
        }
    }
    state.close("closed by us");
    requests.close();
    fail_all(&state);
    // The other side learns of the end when the socket closes with this half.
    let _ = writer.shutdown().await;
}

/// Writes these one after the other, small ones together; `run` is where they are put together, and left empty.
async fn write_parts(
    writer: &mut (impl AsyncWrite + Unpin),
    parts: impl Iterator<Item = Bytes>,
    run: &mut BytesMut,
) -> std::io::Result<()> {
    for part in parts {
        if part.len() < LARGE_BYTES {
            run.extend_from_slice(&part);
            continue;
        }
        writer.write_all(run).await?;
        run.clear();
        writer.write_all(&part).await?;
    }
    writer.write_all(run).await?;
    run.clear();
    Ok(())
}

async fn read_answers(mut reader: impl AsyncRead + Unpin, mut frames: FrameBuffer, state: Arc<State>) {
    let reason = loop {
        match frames.next_frame() {
            Err(error) => break error.to_string(),
            Ok(Some(frame)) => match deliver(frame, &state) {
                Ok(()) => continue,
                Err(reason) => break reason.to_owned(),
            },
            Ok(None) => {}
        }
        let read = tokio::select! {
            () = state.closed.cancelled() => break String::new(),
            read = reader.read_buf(frames.spare()) => read,
        };
        match read {
            Ok(0) => break "the other side closed the connection".to_owned(),
            Ok(count) => frames.read(count),
            Err(error) => break error.to_string(),
        }
    };
    state.close(reason);
    fail_all(&state);
}

fn deliver(frame: Bytes, state: &State) -> Result<(), &'static str> {
    let correlation_id = frame.clone().try_get_i32().map_err(|_| "an answer without header")?;
    let pending = state.pending.lock().pop_front().ok_or("an answer nobody asked for")?;
    if pending.correlation_id != correlation_id {
        return Err("an answer to another request than the oldest");
    }
    // The caller may have gone; its answer is dropped.
    let _ = pending.answer.send(frame);
    Ok(())
}

/// Dropping the senders tells the callers.
fn fail_all(state: &State) {
    let pending = std::mem::take(&mut *state.pending.lock());
    drop(pending);
}
