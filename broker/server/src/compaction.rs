//! Runs the log cleaner (`LogCleaner`'s threads) as the dynamic configuration wants it.
//!
//! One task owns the workers, as many as `log.cleaner.threads`. A worker cleans on a blocking thread, and holds no thread
//! while it waits for `log.cleaner.backoff.ms`. All are owned by the given tracker and stopped by its token, so none
//! works on a log that is being closed.

use std::sync::Arc;
use std::time::Duration;

use gregor_log::{CleanOutcome, CleanerConfig, LogCleaner, LogManager};
use gregor_model::Timestamp;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config_admin::BrokerLayers;

/// Starts the cleaner, unless `log.cleaner.enable` is false; that key takes a restart.
pub fn start(
    tasks: &TaskTracker,
    stop: &CancellationToken,
    logs: &Arc<LogManager>,
    layers: &Arc<BrokerLayers>,
) -> Option<Arc<LogCleaner>> {
    let config = CleanerConfig::from_values(&layers.current().values);
    if !config.enable {
        tracing::warn!(
            "log.cleaner.enable is false: compacted topics, __consumer_offsets too, grow without bound"
        );
        return None;
    }
    let cleaner = Arc::new(LogCleaner::new(Arc::clone(logs), config));
    tasks.spawn(supervise(Arc::clone(&cleaner), Arc::clone(layers), tasks.clone(), stop.clone()));
    Some(cleaner)
}

/// Keeps as many workers as configured, and gives the cleaner its configuration when that changes.
async fn supervise(
    cleaner: Arc<LogCleaner>,
    layers: Arc<BrokerLayers>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let mut changes = layers.changes();
    let mut workers: Vec<CancellationToken> = Vec::new();
    loop {
        changes.mark_unchanged();
        let config = CleanerConfig::from_values(&layers.current().values);
        let threads = config.threads;
        if *cleaner.config() != config {
            tracing::info!(?config, "the log cleaner is reconfigured");
            cleaner.set_config(config);
        }
        for surplus in workers.drain(threads.min(workers.len())..) {
            surplus.cancel();
        }
        while workers.len() < threads {
            let worker = stop.child_token();
            tasks.spawn(work(Arc::clone(&cleaner), worker.clone()));
            workers.push(worker);
        }
        match stop.run_until_cancelled(changes.changed()).await {
            Some(Ok(())) => {}
            Some(Err(_)) | None => return,
        }
    }
}

/// Cleans one log after the other; waits when there is none.
async fn work(cleaner: Arc<LogCleaner>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let (this, stopped) = (Arc::clone(&cleaner), stop.clone());
        let cleaned = tokio::task::spawn_blocking(move || {
            this.clean_once(Timestamp::now(), &|| stopped.is_cancelled())
        });
        match cleaned.await {
            Ok(CleanOutcome::Cleaned { .. }) => continue,
            Ok(CleanOutcome::GivenUp(_) | CleanOutcome::Nothing) => {}
            Err(panic) => tracing::error!(%panic, "a cleaning failed"),
        }
        let backoff = Duration::from_millis(u64::try_from(cleaner.config().backoff_ms).unwrap_or(0));
        stop.run_until_cancelled(tokio::time::sleep(backoff.max(SHORTEST_BACKOFF))).await;
    }
}

/// Looking at every compacted log is work too: a backoff of nothing must not keep a processor busy.
const SHORTEST_BACKOFF: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use gregor_config::dynamic::Level;
    use gregor_config::topic;
    use gregor_config::{BrokerConfig, Properties};
    use gregor_log::{AppendOrigin, LogConfig, LogManagerConfig, PartitionLog};
    use gregor_model::{LeaderEpoch, Offset, TopicPartition};
    use gregor_records::{BatchBuilder, BatchOptions};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn layers() -> Arc<BrokerLayers> {
        let properties: Properties = [
            ("zookeeper.connect", "localhost:2181"),
            ("log.cleanup.policy", "compact"),
            ("log.cleaner.backoff.ms", "1"),
            ("log.cleaner.dedupe.buffer.size", "4194304"),
        ]
        .into_iter()
        .collect();
        Arc::new(BrokerLayers::new(Arc::new(BrokerConfig::from_properties(properties).unwrap())))
    }

    fn open(dir: &std::path::Path, layers: &BrokerLayers) -> Arc<LogManager> {
        let defaults = LogConfig {
            segment_bytes: 1000,
            ..LogConfig::from_values(&topic::defaults(&layers.current().values))
        };
        let config = LogManagerConfig { log_dirs: vec![dir.into()], defaults, ..LogManagerConfig::default() };
        Arc::new(LogManager::open(config, Default::default(), Timestamp::now()).unwrap())
    }

    /// Writes the same few keys again and again, and makes it final.
    fn fill(log: &PartitionLog) {
        for n in 0..100 {
            let mut builder = BatchBuilder::new(BatchOptions::default()).unwrap();
            let key = [n % 3];
            builder.append(Offset(0), Some(Timestamp::now()), Some(&key), Some(b"value"), &[]).unwrap();
            let batch = builder.finish().unwrap().into();
            log.append_as_leader(batch, LeaderEpoch(0), AppendOrigin::Client, None, Timestamp::now())
                .unwrap();
        }
        log.set_high_watermark(log.log_end_offset());
    }

    async fn shrinks(log: &PartitionLog, full: u64) {
        let shrunk = async {
            while log.size() > full / 2 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, shrunk).await.expect("the log is compacted");
    }

    #[tokio::test]
    async fn logs_are_compacted_with_as_many_workers_as_configured() {
        let dir = tempfile::tempdir().unwrap();
        let layers = layers();
        let logs = open(dir.path(), &layers);
        let create =
            |n| logs.get_or_create(&TopicPartition::new("topic", n), None, true, Timestamp::now()).unwrap();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        start(&tasks, &stop, &logs, &layers);
        let first = create(0);
        fill(&first);
        let full = first.size();
        // More workers may come while the broker runs: beside the one there is the supervisor.
        layers.set(Level::Cluster, &[("log.cleaner.threads", "2")].into_iter().collect());
        let grown = async {
            while tasks.len() < 3 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, grown).await.expect("a second worker");
        shrinks(&first, full).await;
        // A worker too many ends, and the other goes on.
        layers.set(Level::Cluster, &Properties::new());
        let second = create(1);
        fill(&second);
        shrinks(&second, full).await;
        stop.cancel();
        tasks.close();
        tokio::time::timeout(PATIENCE, tasks.wait()).await.expect("all workers end");
    }
}
