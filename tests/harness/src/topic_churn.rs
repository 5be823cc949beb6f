//! An administrator's program that creates a topic and deletes it, again and again (librdkafka).

use anyhow::{Context as _, Result, bail};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication, TopicResult};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode as Code;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// How every topic of a churn begins.
pub const PREFIX: &str = "fleeting-";

/// One request.
const STEP: Duration = Duration::from_secs(10);
/// After so long without success something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(250);

/// What says that the same may be asked again: no answer, no controller, or one that cannot do it now.
const ASK_AGAIN: [Code; 8] = [
    Code::OperationTimedOut,
    Code::RequestTimedOut,
    Code::NotController,
    Code::BrokerTransportFailure,
    Code::AllBrokersDown,
    Code::LeaderNotAvailable,
    Code::NetworkException,
    // Too few live brokers for the replication factor, as long as one is away.
    Code::InvalidReplicationFactor,
];

/// A running churn.
#[derive(Debug)]
pub struct TopicChurn {
    stop: Arc<AtomicBool>,
    rounds: Arc<AtomicUsize>,
    task: JoinHandle<Result<()>>,
}

impl TopicChurn {
    /// Starts it; each topic has two partitions with two replicas.
    pub fn start(bootstrap: &str) -> Result<TopicChurn> {
        let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("socket.timeout.ms", "10000")
            .set("reconnect.backoff.max.ms", "500")
            .create()?;
        let (stop, rounds) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (stopped, done) = (stop.clone(), rounds.clone());
        let task = tokio::spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                let name = format!("{PREFIX}{}", done.load(Ordering::Relaxed));
                create(&admin, &name).await.with_context(|| format!("creating {name}"))?;
                delete(&admin, &name).await.with_context(|| format!("deleting {name}"))?;
                done.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(PAUSE).await;
            }
            Ok(())
        });
        Ok(TopicChurn { stop, rounds, task })
    }

    /// Topics created and deleted so far.
    pub fn rounds(&self) -> usize {
        self.rounds.load(Ordering::Relaxed)
    }

    /// Ends after the topic at hand, and says how many there were, or what could not be done.
    pub async fn stop(self) -> Result<usize> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await??;
        Ok(self.rounds.load(Ordering::Relaxed))
    }
}

async fn create(admin: &AdminClient<DefaultClientContext>, name: &str) -> Result<()> {
    let topic = NewTopic::new(name, 2, TopicReplication::Fixed(2));
    // An earlier try may have succeeded though its answer was lost.
    repeated(Code::TopicAlreadyExists, || async { single(admin.create_topics([&topic], &options()).await) })
        .await
}

async fn delete(admin: &AdminClient<DefaultClientContext>, name: &str) -> Result<()> {
    repeated(Code::UnknownTopicOrPartition, || async {
        single(admin.delete_topics(&[name], &options()).await)
    })
    .await
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(STEP)).operation_timeout(Some(STEP))
}

fn single(answer: Result<Vec<TopicResult>, KafkaError>) -> Result<(), Code> {
    match answer {
        Ok(results) => results.into_iter().try_for_each(|result| result.map(drop).map_err(|(_, code)| code)),
        Err(error) => Err(error.rdkafka_error_code().unwrap_or(Code::Fail)),
    }
}

/// Repeats a step until it succeeds, or fails with the code that says that an earlier try did.
async fn repeated<F: Future<Output = Result<(), Code>>>(earlier: Code, step: impl Fn() -> F) -> Result<()> {
    let start = Instant::now();
    let mut tries = 0;
    loop {
        match step().await {
            Ok(()) => return Ok(()),
            Err(code) if tries > 0 && code == earlier => return Ok(()),
            Err(code) if ASK_AGAIN.contains(&code) && start.elapsed() < PATIENCE => tries += 1,
            Err(code) => bail!("{code:?} after {:?}", start.elapsed()),
        }
        tokio::time::sleep(PAUSE).await;
    }
}
