//! Many reads and many independent writes, in few requests.

use std::collections::{HashSet, VecDeque};

use futures::stream::{self, StreamExt, TryStreamExt};

use super::{Fence, READ_BATCH, Result, Store, WRITE_BATCH};
use crate::client::{CreateMode, Node, Write, Written};
use crate::error::{MultiError, ZooKeeperError};
use crate::schema::controller;

/// Requests prepared at once; how many of them are in flight the session decides.
const CONCURRENT_BATCHES: usize = 64;
/// A server takes no more than about a megabyte in a request.
const BATCH_BYTES_MAX: usize = 512 * 1024;
/// After so many failed operations in one batch, the rest of it is written one by one.
const FAILURES_PER_BATCH_MAX: usize = 8;

/// A write that succeeds or fails by itself, though it travels with others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteUnit {
    /// Persistent containers that the write needs, outermost first; created unless they exist.
    pub containers: Vec<String>,
    /// The write.
    pub write: Write,
}

impl WriteUnit {
    /// A write that needs no containers.
    pub fn new(write: Write) -> WriteUnit {
        WriteUnit { containers: Vec::new(), write }
    }

    fn size(&self) -> usize {
        self.containers.iter().map(|path| path.len() + 64).sum::<usize>() + self.write.size()
    }
}

/// Why a fenced write was not performed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FencedError {
    /// Another broker was elected since: resign (`ControllerMovedException`).
    #[error("another controller was elected")]
    ControllerMoved,
    /// ZooKeeper failed.
    #[error(transparent)]
    ZooKeeper(#[from] ZooKeeperError),
}

impl FencedError {
    /// The error of a fenced multi, whose operation 0 is the check.
    fn of_multi(error: MultiError) -> FencedError {
        match error {
            MultiError::Operation {
                index: 0,
                error: ZooKeeperError::BadVersion | ZooKeeperError::NoNode,
            } => FencedError::ControllerMoved,
            other => FencedError::ZooKeeper(other.into()),
        }
    }
}

impl Store {
    /// Reads many znodes; `None` for each that does not exist. Not a snapshot: batches are read one after another.
    pub async fn read_all(&self, paths: Vec<String>) -> Result<Vec<Option<Node>>> {
        // Owned batches: a future that borrows from the stream's items could not be spawned.
        let batches: Vec<Vec<String>> = paths.chunks(READ_BATCH).map(<[String]>::to_vec).collect();
        let nodes: Vec<Vec<Option<Node>>> = stream::iter(batches)
            .map(|batch| self.read_batch(batch))
            .buffered(CONCURRENT_BATCHES)
            .try_collect()
            .await?;
        Ok(nodes.into_iter().flatten().collect())
    }

    async fn read_batch(&self, paths: Vec<String>) -> Result<Vec<Option<Node>>> {
        match self.session.read_many(&paths).await {
            // A server older than 3.6.
            Err(ZooKeeperError::Unsupported) => {
                let reads = stream::iter(paths).map(|path| async move { self.session.find(&path).await });
                reads.buffered(CONCURRENT_BATCHES).try_collect().await
            }
            result => result,
        }
    }

    /// Performs these writes together, fenced: all or none.
    pub(crate) async fn write_fenced(
        &self,
        fence: Fence,
        writes: Vec<Write>,
    ) -> Result<Vec<Written>, FencedError> {
        let mut multi = vec![fence_check(fence)];
        multi.extend(writes);
        let mut written = self.session.write_many(&multi).await.map_err(FencedError::of_multi)?;
        written.drain(..written.len().min(1));
        Ok(written)
    }

    /// Performs independent writes, each succeeding or failing by itself, in fenced multis of hundreds. Results are in
    /// the order of the units. [`FencedError::ControllerMoved`] means that the writes not yet performed never will be.
    pub async fn write_each(
        &self,
        fence: Option<Fence>,
        units: Vec<WriteUnit>,
    ) -> Result<Vec<Result<Written>>, FencedError> {
        let batches = stream::iter(split(units)).map(|batch| self.write_batch(fence, batch));
        let results: Vec<Vec<Result<Written>>> = batches.buffered(CONCURRENT_BATCHES).try_collect().await?;
        Ok(results.into_iter().flatten().collect())
    }

    async fn write_batch(
        &self,
        fence: Option<Fence>,
        units: Vec<WriteUnit>,
    ) -> Result<Vec<Result<Written>>, FencedError> {
        let mut batch = Batch::new(fence, units);
        while !batch.waiting.is_empty() {
            let multi = batch.multi();
            match self.session.write_many(&multi.writes).await {
                Ok(written) => batch.succeeded(&multi, &written),
                Err(MultiError::Request(
                    error @ (ZooKeeperError::SessionExpired | ZooKeeperError::Closed),
                )) => {
                    return Err(error.into());
                }
                Err(MultiError::Request(error)) => batch.failed_all(&multi, &error),
                Err(MultiError::Operation { index, error }) => batch.failed(&multi, index, error)?,
            }
        }
        Ok(batch.results.into_iter().map(|result| result.unwrap_or(Err(ZooKeeperError::NoNode))).collect())
    }
}

fn fence_check(fence: Fence) -> Write {
    Write::Check { path: controller::EPOCH_PATH.to_owned(), version: fence.0 }
}

fn split(units: Vec<WriteUnit>) -> Vec<Vec<WriteUnit>> {
    let mut batches = Vec::new();
    let mut batch = Vec::new();
    let mut bytes = 0;
    for unit in units {
        let size = unit.size();
        if !batch.is_empty() && (batch.len() >= WRITE_BATCH || bytes + size > BATCH_BYTES_MAX) {
            batches.push(std::mem::take(&mut batch));
            bytes = 0;
        }
        bytes += size;
        batch.push(unit);
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    batches
}

/// The units of one batch: those that wait, and what became of the others.
struct Batch {
    fence: Option<Fence>,
    units: Vec<WriteUnit>,
    waiting: VecDeque<usize>,
    // Containers known to exist.
    existing: HashSet<String>,
    failures: usize,
    results: Vec<Option<Result<Written>>>,
}

/// Where an operation of a multi comes from.
#[derive(Clone, Debug)]
enum Origin {
    Fence,
    Container(String),
    Unit(usize),
}

struct Multi {
    writes: Vec<Write>,
    origins: Vec<Origin>,
}

impl Batch {
    fn new(fence: Option<Fence>, units: Vec<WriteUnit>) -> Batch {
        let results = units.iter().map(|_| None).collect();
        let waiting = (0..units.len()).collect();
        Batch { fence, units, waiting, existing: HashSet::new(), failures: 0, results }
    }

    /// The next request: all that waits, or a single unit when too many have failed together.
    fn multi(&self) -> Multi {
        let room = self.waiting.len() + 1;
        let mut multi = Multi { writes: Vec::with_capacity(room), origins: Vec::with_capacity(room) };
        if let Some(fence) = self.fence {
            multi.push(fence_check(fence), Origin::Fence);
        }
        let count = if self.failures > FAILURES_PER_BATCH_MAX { 1 } else { self.waiting.len() };
        let mut created: HashSet<&str> = HashSet::new();
        for index in self.waiting.iter().take(count).copied() {
            let Some(unit) = self.units.get(index) else { continue };
            for path in &unit.containers {
                if !self.existing.contains(path) && created.insert(path) {
                    let data = Vec::new();
                    let create = Write::Create { path: path.clone(), data, mode: CreateMode::Persistent };
                    multi.push(create, Origin::Container(path.clone()));
                }
            }
            multi.push(unit.write.clone(), Origin::Unit(index));
        }
        multi
    }

    /// All of a request was done: what it held is what waited longest.
    fn succeeded(&mut self, multi: &Multi, written: &[Written]) {
        for (origin, written) in multi.origins.iter().zip(written) {
            match origin {
                Origin::Fence => {}
                Origin::Container(path) => {
                    self.existing.insert(path.clone());
                }
                Origin::Unit(index) => {
                    self.waiting.pop_front();
                    self.note(*index, Ok(*written));
                }
            }
        }
    }

    fn failed(&mut self, multi: &Multi, index: usize, error: ZooKeeperError) -> Result<(), FencedError> {
        match multi.origins.get(index) {
            Some(Origin::Fence) => Err(FencedError::of_multi(MultiError::Operation { index: 0, error })),
            Some(Origin::Container(path)) if error == ZooKeeperError::NodeExists => {
                self.existing.insert(path.clone());
                Ok(())
            }
            Some(Origin::Container(path)) => {
                // The container cannot be made: so fails each unit that needs it.
                for index in self.waiting.clone() {
                    let needs = self.units.get(index).is_some_and(|unit| unit.containers.contains(path));
                    if needs {
                        self.settle(index, Err(error.clone()));
                    }
                }
                Ok(())
            }
            Some(Origin::Unit(unit)) => {
                self.failures += 1;
                self.settle(*unit, Err(error));
                Ok(())
            }
            None => Err(ZooKeeperError::Other(format!("answer for operation {index}: {error}")).into()),
        }
    }

    fn failed_all(&mut self, multi: &Multi, error: &ZooKeeperError) {
        for origin in &multi.origins {
            if let Origin::Unit(index) = origin {
                self.settle(*index, Err(error.clone()));
            }
        }
    }

    fn settle(&mut self, index: usize, result: Result<Written>) {
        self.waiting.retain(|waiting| *waiting != index);
        self.note(index, result);
    }

    fn note(&mut self, index: usize, result: Result<Written>) {
        if let Some(slot) = self.results.get_mut(index) {
            *slot = Some(result);
        }
    }
}

impl Multi {
    fn push(&mut self, write: Write, origin: Origin) {
        self.writes.push(write);
        self.origins.push(origin);
    }
}
