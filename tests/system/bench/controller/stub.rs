//! Stub brokers: they accept the controller's connections, acknowledge everything it sends, and note when the LeaderAndIsr
//! requests came and how many partitions they told. Requests are skimmed rather than decoded: the stubs share this machine with
//! the controller that is measured.

use anyhow::{Context as _, Result, bail, ensure};
use bytes::{Buf, BufMut as _, BytesMut};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const LEADER_AND_ISR: i16 = 4;
const STOP_REPLICA: i16 = 5;
const UPDATE_METADATA: i16 = 6;
const FRAME_MAX: usize = 256 << 20;

/// What has been received since the last `reset`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Received {
    /// Partitions in LeaderAndIsr requests.
    pub entries: u64,
    /// When the first such request was there.
    pub first: Option<Instant>,
    /// When the last was.
    pub last: Option<Instant>,
}

/// The stubs of all brokers.
pub struct Stubs {
    ports: BTreeMap<i32, u16>,
    received: Arc<Mutex<Received>>,
}

impl Stubs {
    /// Listens for every broker.
    pub async fn start() -> Result<Stubs> {
        let received = Arc::<Mutex<Received>>::default();
        let mut ports = BTreeMap::new();
        for id in super::seed::BROKERS {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            ports.insert(id, listener.local_addr()?.port());
            let received = received.clone();
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let received = received.clone();
                    tokio::spawn(async move {
                        // The controller resigned, or closed for good.
                        if let Err(error) = serve(stream, &received).await
                            && error.downcast_ref::<std::io::Error>().is_none()
                        {
                            eprintln!("stub {id}: {error:#}");
                        }
                    });
                }
            });
        }
        Ok(Stubs { ports, received })
    }

    /// Where the stub of that broker listens.
    pub fn port(&self, id: i32) -> u16 {
        self.ports.get(&id).copied().unwrap_or_default()
    }

    /// Forgets what came.
    pub fn reset(&mut self) {
        *self.received.lock().unwrap_or_else(PoisonError::into_inner) = Received::default();
    }

    /// What came.
    pub fn received(&self) -> Received {
        *self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(mut stream: TcpStream, received: &Mutex<Received>) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut frame = Vec::new();
    loop {
        let length = usize::try_from(stream.read_i32().await?)?;
        ensure!(length <= FRAME_MAX, "a request of {length} bytes");
        frame.resize(length, 0);
        stream.read_exact(&mut frame).await?;
        let arrived = Instant::now();
        let mut request = &frame[..];
        let (key, version) = (request.try_get_i16()?, request.try_get_i16()?);
        let correlation_id = request.try_get_i32()?;
        let client_id = request.try_get_i16()?;
        skip(&mut request, usize::try_from(client_id).unwrap_or(0))?;
        skip_tags(&mut request)?;
        let mut answer = BytesMut::new();
        answer.put_i32(0);
        answer.put_i32(correlation_id);
        answer.put_u8(0);
        match (key, version) {
            (LEADER_AND_ISR, 7) => {
                let entries = leader_and_isr(&mut request, &mut answer)?;
                let mut received = received.lock().unwrap_or_else(PoisonError::into_inner);
                received.entries += entries;
                received.first.get_or_insert(arrived);
                received.last = Some(arrived);
            }
            // No error, and for StopReplica no list of partitions.
            (UPDATE_METADATA, 8) => answer.put_slice(&[0, 0, 0]),
            (STOP_REPLICA, 4) => answer.put_slice(&[0, 0, 1, 0]),
            other => bail!("a request that no controller sends to a stub: {other:?}"),
        }
        let length = i32::try_from(answer.len() - 4)?;
        answer[..4].copy_from_slice(&length.to_be_bytes());
        stream.write_all(&answer).await?;
    }
}

/// Says to every partition of the request that all is well, and counts them.
fn leader_and_isr(request: &mut &[u8], answer: &mut BytesMut) -> Result<u64> {
    // Controller, whether of KRaft, its epoch, the broker's epoch, type.
    skip(request, 4 + 1 + 4 + 8 + 1)?;
    let topics = array_length(request)?;
    answer.put_i16(0);
    put_varint(answer, topics + 1);
    let mut entries = 0;
    for _ in 0..topics {
        let name = array_length(request)?;
        skip(request, name)?;
        ensure!(request.len() >= 16, "a topic without id");
        answer.put_slice(&request[..16]);
        skip(request, 16)?;
        let partitions = array_length(request)?;
        put_varint(answer, partitions + 1);
        for _ in 0..partitions {
            answer.put_i32(request.try_get_i32()?);
            answer.put_slice(&[0, 0, 0]);
            // Controller epoch, leader, leader epoch; ISR; partition epoch; replicas, those added, those removed; whether new,
            // recovery state.
            skip(request, 12)?;
            skip_ids(request)?;
            skip(request, 4)?;
            (0..3).try_for_each(|_| skip_ids(request))?;
            skip(request, 2)?;
            skip_tags(request)?;
        }
        entries += partitions as u64;
        skip_tags(request)?;
        answer.put_u8(0);
    }
    answer.put_u8(0);
    Ok(entries)
}

fn skip(request: &mut &[u8], bytes: usize) -> Result<()> {
    *request = request.get(bytes..).context("a request that ends early")?;
    Ok(())
}

fn skip_ids(request: &mut &[u8]) -> Result<()> {
    let ids = array_length(request)?;
    skip(request, ids * 4)
}

fn skip_tags(request: &mut &[u8]) -> Result<()> {
    ensure!(varint(request)? == 0, "tagged fields");
    Ok(())
}

fn array_length(request: &mut &[u8]) -> Result<usize> {
    Ok(varint(request)?.saturating_sub(1))
}

fn varint(request: &mut &[u8]) -> Result<usize> {
    let mut value = 0;
    for shift in (0..35).step_by(7) {
        let byte = request.try_get_u8()?;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    bail!("an endless number")
}

fn put_varint(answer: &mut BytesMut, mut value: usize) {
    while value >= 0x80 {
        answer.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    answer.put_u8(value as u8);
}
