//! Clients that cost next to nothing, so that the broker is what is measured: frames are made once and patched, and of an
//! answer no more is read than its code.

use anyhow::{Context as _, Result, bail, ensure};
use bytes::{BufMut as _, BytesMut};
use gregor_harness::process::CommandLine;
use gregor_harness::{Broker, Process, TestContext, wait};
use kafka_protocol::messages::RequestHeader;
use kafka_protocol::protocol::{Encodable as _, Request, StrBytes};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const START_DEADLINE: Duration = Duration::from_secs(60);
/// An answer that takes longer is none.
const ANSWER_DEADLINE: Duration = Duration::from_secs(60);

/// A broker that runs as it does in the field.
pub struct Running {
    process: Process,
}

impl Running {
    /// Starts it and waits until it answers Metadata.
    pub async fn start(
        context: &TestContext,
        broker: &Broker,
        tune: impl FnOnce(CommandLine) -> CommandLine,
    ) -> Result<Running> {
        let line = tune(broker.command_line()?);
        let mut process = Process::spawn(context, &format!("broker-{}", broker.id()), &line)?;
        wait::until_true("the broker to answer", START_DEADLINE, || {
            let ended = process.exited();
            let answered = broker.answers();
            async move {
                ensure!(ended.is_none(), "it ended");
                answered.await
            }
        })
        .await?;
        Ok(Running { process })
    }

    /// SIGTERM, and waits for the end.
    pub async fn stop(mut self) -> Result<()> {
        self.process.terminate();
        self.process.wait_for_exit(START_DEADLINE).await.map(|_| ())
    }

    /// CPU time that the process has had.
    pub fn cpu(&self) -> Result<Duration> {
        cpu_of(&self.process.id().to_string())
    }
}

/// CPU time that a process has had; `self` is this one.
pub fn cpu_of(process: &str) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // What follows the name, which may hold anything, in parentheses.
    let (_, fields) = stat.rsplit_once(") ").context("an odd /proc/PID/stat")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let ticks = |index: usize| -> Result<u64> { Ok(fields.get(index).context("too short")?.parse()?) };
    Ok(Duration::from_millis((ticks(11)? + ticks(12)?) * 10))
}

/// One connection with one request at a time.
pub struct Client {
    stream: TcpStream,
    /// What has arrived beyond the last answer.
    input: BytesMut,
    answer: BytesMut,
}

impl Client {
    /// Connects.
    pub async fn connect(address: &str) -> Result<Client> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Client { stream, input: BytesMut::new(), answer: BytesMut::new() })
    }

    /// Sends a whole frame.
    pub async fn send(&mut self, frame: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(frame).await?)
    }

    /// The next answer, from its correlation id on.
    pub async fn receive(&mut self) -> Result<&[u8]> {
        // So that its memory can be used again.
        self.answer = BytesMut::new();
        let read = async {
            loop {
                if let Some(length) = self.input.first_chunk::<4>() {
                    let end = 4 + usize::try_from(i32::from_be_bytes(*length))?;
                    if self.input.len() >= end {
                        self.answer = self.input.split_to(end).split_off(4);
                        return anyhow::Ok(());
                    }
                    self.input.reserve(end - self.input.len());
                }
                ensure!(self.stream.read_buf(&mut self.input).await? > 0, "the broker closed the connection");
            }
        };
        tokio::time::timeout(ANSWER_DEADLINE, read).await.context("no answer")??;
        Ok(&self.answer)
    }

    /// The answer received last.
    pub fn last(&self) -> &[u8] {
        &self.answer
    }

    /// Its socket, on which nothing may be under way.
    pub fn into_idle(self) -> Result<std::net::TcpStream> {
        ensure!(self.input.is_empty(), "an answer that nobody asked for");
        Ok(self.stream.into_std()?)
    }

    /// Sends a frame and waits for its answer.
    pub async fn ask(&mut self, frame: &[u8]) -> Result<&[u8]> {
        self.send(frame).await?;
        self.receive().await
    }
}

/// A request as a frame that can be sent as often as wanted.
pub fn frame<R: Request>(request: &R, version: i16) -> Result<Vec<u8>> {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(7)
        .with_client_id(Some(StrBytes::from_static_str("bench")));
    let mut body = BytesMut::new();
    header.encode(&mut body, R::header_version(version))?;
    request.encode(&mut body, version)?;
    let mut frame = Vec::with_capacity(body.len() + 4);
    frame.put_i32(i32::try_from(body.len())?);
    frame.extend_from_slice(&body);
    Ok(frame)
}

/// Where `mark` is in a frame; it must be there once.
pub fn find(frame: &[u8], mark: &[u8]) -> Result<usize> {
    let mut found = frame.windows(mark.len()).enumerate().filter(|(_, window)| *window == mark);
    match (found.next(), found.next()) {
        (Some((at, _)), None) => Ok(at),
        _ => bail!("{mark:?} is not in the frame, or more than once"),
    }
}

/// The 16-bit integer at that place of an answer.
pub fn i16_at(answer: &[u8], at: usize) -> Result<i16> {
    Ok(i16::from_be_bytes(answer.get(at..at + 2).context("a short answer")?.try_into()?))
}

/// The 32-bit integer at that place of an answer.
pub fn i32_at(answer: &[u8], at: usize) -> Result<i32> {
    Ok(i32::from_be_bytes(answer.get(at..at + 4).context("a short answer")?.try_into()?))
}
