//! What this broker tells operators: series for Prometheus named as the JMX exporter's rules name Kafka's MBeans, and
//! whether the broker is ready.
//!
//! Counting is done where things happen, by handles; a scrape walks over what there is. Each file here holds the series of
//! one part. The page is there from the first moment of the start; parts join it when they exist.

mod cluster;
mod error_counts;
mod http;
mod logs;
mod process;
mod readiness;
mod replicas;
mod requests;

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use gregor_log::{LoadProgress, LogCleaner};
use gregor_metrics::Exposition;
use gregor_model::Timestamp;
use gregor_network::Listeners;
use gregor_zookeeper::Session;
use parking_lot::Mutex;

use crate::broker::Broker;
use process::WorkClock;
use readiness::{Readiness, ReplicaState};

pub use http::{HttpError, serve};
pub use requests::{RequestRecorder, Tag};

/// How far a broker is with its life (`BrokerState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum BrokerState {
    /// Begun.
    Starting = 1,
    /// Loading its logs.
    Recovery = 2,
    /// Serving.
    Running = 3,
    /// Handing its leaderships over.
    PendingControlledShutdown = 6,
    /// Closing everything.
    ShuttingDown = 7,
}

/// The parts of a broker that has started.
pub struct Observed {
    /// What handlers share.
    pub broker: Arc<Broker>,
    /// The ZooKeeper session.
    pub session: Session,
    /// What clients connect to.
    pub listeners: Listeners,
    /// The log cleaner, unless it is switched off.
    pub cleaner: Option<Arc<LogCleaner>>,
}

/// Everything there is to tell.
pub struct BrokerMetrics {
    requests: Arc<RequestRecorder>,
    progress: Arc<LoadProgress>,
    state: AtomicU8,
    began: Instant,
    began_at: Timestamp,
    work: Mutex<WorkClock>,
    observed: OnceLock<Observed>,
}

impl BrokerMetrics {
    /// Of a broker that begins to start. Must be made within the runtime that serves requests.
    pub fn new() -> BrokerMetrics {
        BrokerMetrics {
            requests: Arc::default(),
            progress: Arc::default(),
            state: AtomicU8::new(BrokerState::Starting as u8),
            began: Instant::now(),
            began_at: Timestamp::now(),
            work: Mutex::new(WorkClock::new()),
            observed: OnceLock::new(),
        }
    }

    /// Counts requests.
    pub fn requests(&self) -> &Arc<RequestRecorder> {
        &self.requests
    }

    /// How far the loading of logs has come.
    pub fn progress(&self) -> &Arc<LoadProgress> {
        &self.progress
    }

    /// The broker is in another state of its life.
    pub fn set_state(&self, state: BrokerState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    /// The broker has started; only the first word counts.
    pub fn observe(&self, observed: Observed) {
        // There is one start per process.
        let _ = self.observed.set(observed);
    }

    /// The page for Prometheus.
    pub async fn page(&self) -> String {
        let mut page = Exposition::new();
        let now = Timestamp::now();
        page.gauge(
            "kafka_server_kafkaserver_brokerstate",
            "0 not running, 1 starting, 2 recovery, 3 running, 6 pending controlled shutdown, 7 shutting down.",
            &[],
            f64::from(self.state.load(Ordering::Relaxed)),
        );
        process::tell(&mut page, self.began_at, self.began, &mut self.work.lock());
        logs::tell_progress(&mut page, &self.progress);
        self.requests.tell(&mut page, now);
        if let Some(observed) = self.observed.get() {
            replicas::tell(&mut page, &observed.broker);
            logs::tell(&mut page, observed, now);
            cluster::tell_connections(&mut page, &observed.listeners.stats(), self.began);
            cluster::tell_zookeeper(&mut page, &observed.session, now);
            cluster::tell_controller(&mut page, &observed.broker, now).await;
            cluster::tell_groups(&mut page, &observed.broker).await;
            cluster::tell_transactions(&mut page, &observed.broker).await;
        }
        page.render()
    }

    /// Whether the broker may be relied on, and why (JSON).
    pub fn readiness(&self) -> (bool, String) {
        let running = self.state.load(Ordering::Relaxed) == BrokerState::Running as u8;
        let replicas = self.observed.get().map(|observed| replica_states(&observed.broker));
        let readiness = Readiness::of(replicas.unwrap_or_default());
        let ready = running && readiness.may_go_on();
        let text = format!(
            "{{\"ready\":{ready},\"running\":{running},\"underMinIsr\":{},\"atMinIsrWithoutThisBroker\":{},\"underReplicated\":{},\"logsToLoad\":{}}}\n",
            readiness.under_min_isr,
            readiness.at_min_isr_without_us,
            readiness.under_replicated,
            self.progress.remaining(),
        );
        (ready, text)
    }
}

impl Default for BrokerMetrics {
    fn default() -> BrokerMetrics {
        BrokerMetrics::new()
    }
}

/// The partitions with a replica here, as the controller last told.
fn replica_states(broker: &Broker) -> Vec<ReplicaState> {
    let snapshot = broker.metadata.snapshot();
    let mut states = Vec::new();
    for name in snapshot.topic_names() {
        let Some(topic) = snapshot.topic(name.as_str()) else { continue };
        let min_isr = usize::try_from(broker.logs.topic_config(name).min_insync_replicas).unwrap_or(1);
        let ours = topic.partitions.values().filter(|partition| partition.replicas.contains(&broker.id));
        states.extend(ours.map(|partition| ReplicaState {
            in_sync: partition.isr.len(),
            replicas: partition.replicas.len(),
            min_in_sync: min_isr.min(partition.replicas.len()),
            is_in_sync: partition.isr.contains(&broker.id),
        }));
    }
    states
}
