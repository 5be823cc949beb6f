//! Fetching: read every partition, and wait where there is too little (`ReplicaManager.fetchMessages`, `DelayedFetch`).

use std::sync::Arc;
use std::time::Duration;

use gregor_log::FetchIsolation;
use gregor_model::{Timestamp, TopicPartition};

use super::{FetchParams, FetchPartition, FetchRequester, FetchedPartition, ReplicaManager};
use crate::error::FetchError;
use crate::hosted_partition::{HostedPartition, ReadResult, ReadSpec};
use crate::purgatory::{FetchInterest, FetchWait};

/// One partition of a fetch as it was read.
type Read = Result<(Arc<HostedPartition>, ReadResult), FetchError>;

/// Entries of one fetch in the purgatories of its partitions; withdrawn when it is dropped.
struct ParkedFetch {
    wait: Arc<FetchWait>,
    entries: Vec<(Arc<HostedPartition>, u64)>,
}

impl Drop for ParkedFetch {
    fn drop(&mut self) {
        for (hosted, id) in &self.entries {
            hosted.fetch_waits.cancel(*id);
        }
    }
}

impl ReplicaManager {
    /// Reads, and waits for `min_bytes` where there is less. Answers in the order of `partitions`.
    pub async fn fetch(
        &self,
        params: FetchParams,
        partitions: Vec<(TopicPartition, FetchPartition)>,
    ) -> Vec<(TopicPartition, Result<FetchedPartition, FetchError>)> {
        let params = self.limited(params);
        let mut reads = self.read_on_arrival(&params, &partitions);
        if must_wait(&params, &reads) {
            let parked = park(&params, &partitions, &reads);
            let max_wait = Duration::from_millis(u64::try_from(params.max_wait_ms).unwrap_or(0));
            let _waiting = self.shared.metrics.waiting_fetches.hold();
            // Woken or not, what can be read by now is the answer.
            let _ = tokio::time::timeout(max_wait, parked.wait.woken()).await;
            drop(parked);
            reads = self.read_all(&params, &partitions, false, self.shared.now());
        }
        self.record_throttled(&params, &partitions, &reads);
        count_traffic(&params, &reads);
        let results = partitions.into_iter().zip(reads);
        results.map(|((partition, _), read)| (partition, read.map(|(_, read)| read.fetched))).collect()
    }

    /// The request's limits within the broker's.
    fn limited(&self, mut params: FetchParams) -> FetchParams {
        if let FetchRequester::Follower { .. } = params.requester {
            params.isolation = FetchIsolation::LogEnd;
        }
        params.max_bytes = params.max_bytes.min(self.shared.config.fetch_max_bytes).max(0);
        params.min_bytes = params.min_bytes.min(params.max_bytes);
        params
    }

    /// The first read. While it lasts, the follower's clock stands still: it is us who keep it waiting.
    fn read_on_arrival(
        &self,
        params: &FetchParams,
        partitions: &[(TopicPartition, FetchPartition)],
    ) -> Vec<Read> {
        let now = self.shared.now();
        let FetchRequester::Follower { id, .. } = params.requester else {
            return self.read_all(params, partitions, true, now);
        };
        let since = self.shared.clocks.begin_service(id, now);
        let reads = self.read_all(params, partitions, true, now);
        self.shared.clocks.end_service(id, since, self.shared.now());
        reads
    }

    fn read_all(
        &self,
        params: &FetchParams,
        partitions: &[(TopicPartition, FetchPartition)],
        is_arrival: bool,
        now: Timestamp,
    ) -> Vec<Read> {
        let mut remaining = usize::try_from(params.max_bytes).unwrap_or(0);
        let mut min_one_message = !params.hard_max_bytes;
        let read = |(partition, wanted): &(TopicPartition, FetchPartition)| {
            let hosted = self.hosted(partition)?;
            let spec = ReadSpec {
                requester: &params.requester,
                partition: wanted,
                isolation: params.isolation,
                max_bytes: remaining.min(usize::try_from(wanted.max_bytes).unwrap_or(0)),
                min_one_message,
                hard_max_bytes: params.hard_max_bytes,
                is_arrival,
            };
            hosted.traffic.fetched();
            let read = hosted.read(&self.shared, &spec, now);
            let read = read.inspect_err(|error| hosted.traffic.fetch_failed(error))?;
            remaining = remaining.saturating_sub(read.fetched.len());
            min_one_message &= read.fetched.is_empty();
            Ok((hosted, read))
        };
        partitions.iter().map(read).collect()
    }

    /// Counts what throttled partitions send to followers, in sync or not.
    fn record_throttled(
        &self,
        params: &FetchParams,
        partitions: &[(TopicPartition, FetchPartition)],
        reads: &[Read],
    ) {
        let is_follower = matches!(params.requester, FetchRequester::Follower { .. });
        if !is_follower || !self.shared.leader_throttle.is_limited() {
            return;
        }
        let throttled = partitions.iter().zip(reads).filter_map(|((partition, _), read)| {
            let bytes = read.as_ref().ok()?.1.fetched.len();
            (bytes > 0 && self.shared.is_leader_throttled(partition)).then_some(bytes as u64)
        });
        self.shared.leader_throttle.record(throttled.sum(), self.shared.now());
    }
}

/// Counts what is about to be sent.
fn count_traffic(params: &FetchParams, reads: &[Read]) {
    for (hosted, read) in reads.iter().flatten() {
        match params.requester {
            FetchRequester::Follower { .. } if read.fetched.is_empty() => {}
            FetchRequester::Follower { id, .. } => {
                hosted.traffic.replicated_out(read.fetched.len(), hosted.is_adding(id));
            }
            FetchRequester::Consumer { .. } => hosted.traffic.consumed(read.fetched.len()),
        }
    }
}

/// Whether there is too little to answer with, and nothing that must be said at once.
fn must_wait(params: &FetchParams, reads: &[Read]) -> bool {
    if params.max_wait_ms <= 0 || reads.is_empty() {
        return false;
    }
    let mut bytes: i64 = 0;
    for read in reads {
        match read {
            // Without a start there is news that is not bytes: divergence, or another replica to read from.
            Ok((_, read)) if read.start.is_some() => {
                bytes = bytes.saturating_add(i64::try_from(read.fetched.len()).unwrap_or(i64::MAX));
            }
            _ => return false,
        }
    }
    bytes < i64::from(params.min_bytes)
}

fn park(
    params: &FetchParams,
    partitions: &[(TopicPartition, FetchPartition)],
    reads: &[Read],
) -> ParkedFetch {
    let wait = FetchWait::new(i64::from(params.min_bytes));
    let mut entries = Vec::with_capacity(reads.len());
    for ((_, wanted), read) in partitions.iter().zip(reads) {
        if let Ok((hosted, ReadResult { start: Some(start), throttled, .. })) = read
            && let Ok(log) = hosted.log()
        {
            let interest = FetchInterest {
                start: *start,
                max_bytes: i64::from(wanted.max_bytes.max(0)),
                isolation: params.isolation,
                throttled: *throttled,
            };
            let id = hosted.fetch_waits.register(&wait, interest, || log.offsets());
            entries.push((Arc::clone(hosted), id));
        }
    }
    ParkedFetch { wait, entries }
}
