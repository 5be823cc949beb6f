//! A bare client of Kafka's protocol: one request, one answer, any version; and raw bytes for what no client would send.

use anyhow::{Context as _, Result, bail, ensure};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use kafka_protocol::messages::{RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable as _, Encodable as _, HeaderVersion as _, Request, StrBytes};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A broker that says nothing for so long is not coming back.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);
/// No test asks for more.
const ANSWER_BYTES_MAX: usize = 128 << 20;

/// One connection to one broker.
#[derive(Debug)]
pub struct Rpc {
    stream: TcpStream,
    correlation_id: i32,
}

impl Rpc {
    /// Connects to `address` ("host:port").
    pub async fn connect(address: &str) -> Result<Rpc> {
        let connecting = TcpStream::connect(address);
        let stream = tokio::time::timeout(Duration::from_secs(5), connecting).await??;
        stream.set_nodelay(true)?;
        Ok(Rpc { stream, correlation_id: 0 })
    }

    /// Sends `request` in `version` and waits for its answer.
    pub async fn call<R: Request>(&mut self, version: i16, request: &R) -> Result<R::Response> {
        self.send(version, request).await?;
        let mut frame = self.receive_frame().await?;
        let header = ResponseHeader::decode(&mut frame, R::Response::header_version(version))?;
        ensure!(header.correlation_id == self.correlation_id, "an answer to another request: {header:?}");
        R::Response::decode(&mut frame, version)
            .with_context(|| format!("decoding the answer to API {} v{version}", R::KEY))
    }

    /// Sends `request` without waiting for an answer.
    pub async fn send<R: Request>(&mut self, version: i16, request: &R) -> Result<()> {
        self.correlation_id += 1;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation_id)
            .with_client_id(Some(StrBytes::from_static_str("gregor-harness")));
        let mut frame = BytesMut::new();
        header.encode(&mut frame, R::header_version(version))?;
        request.encode(&mut frame, version)?;
        self.send_frame(&frame).await
    }

    /// Sends a frame: its length, then `payload` as it is.
    pub async fn send_frame(&mut self, payload: &[u8]) -> Result<()> {
        let mut frame = BytesMut::with_capacity(payload.len() + 4);
        frame.put_i32(i32::try_from(payload.len())?);
        frame.put_slice(payload);
        self.send_raw(&frame).await
    }

    /// Sends bytes as they are, frame or not.
    pub async fn send_raw(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// Waits for one frame and returns what follows its length.
    pub async fn receive_frame(&mut self) -> Result<Bytes> {
        let read = async {
            let mut length = [0; 4];
            self.stream.read_exact(&mut length).await.context("reading an answer's length")?;
            let length = usize::try_from((&length[..]).get_i32())?;
            if length > ANSWER_BYTES_MAX {
                bail!("an answer of {length} bytes");
            }
            let mut frame = vec![0; length];
            self.stream.read_exact(&mut frame).await.context("reading an answer")?;
            Ok(Bytes::from(frame))
        };
        tokio::time::timeout(ANSWER_DEADLINE, read).await.context("no answer")?
    }

    /// Says that no more requests will come, and reads until the broker closes too (or, at most, two seconds).
    pub async fn finish(mut self) {
        let _ = self.stream.shutdown().await;
        self.closes_within(Duration::from_secs(2)).await;
    }

    /// Waits until the broker closes the connection, reading away what it still says. False if it stays open.
    pub async fn closes_within(&mut self, deadline: Duration) -> bool {
        let mut rest = [0; 4096];
        let drain = async { while matches!(self.stream.read(&mut rest).await, Ok(read) if read > 0) {} };
        tokio::time::timeout(deadline, drain).await.is_ok()
    }
}
