//! An administrator's program that creates a topic and deletes it, again and again (librdkafka).

use crate::wait;
use anyhow::{Context as _, Result, bail};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication, TopicResult};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode as Code;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// How every topic of a churn begins.
pub const PREFIX: &str = "fleeting-";

/// One request.
const ANSWER: Duration = Duration::from_secs(10);
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
    /// What could not be done.
    failure: Arc<OnceLock<String>>,
    task: JoinHandle<()>,
}

impl TopicChurn {
    /// Starts it; each topic has two partitions with two replicas.
    pub fn start(bootstrap: &str) -> Result<TopicChurn> {
        let bootstrap = bootstrap.to_owned();
        let (stop, rounds) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let failure = Arc::<OnceLock<String>>::default();
        let (stopped, done, failed) = (stop.clone(), rounds.clone(), failure.clone());
        let task = tokio::spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                let name = format!("{PREFIX}{}", done.load(Ordering::Relaxed));
                if let Err(error) = come_and_go(&bootstrap, &name).await {
                    let _ = failed.set(format!("{error:#}"));
                    return;
                }
                done.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(PAUSE).await;
            }
        });
        Ok(TopicChurn { stop, rounds, failure, task })
    }

    /// Topics created and deleted so far; fails if one could not be.
    pub fn rounds(&self) -> Result<usize> {
        counted(&self.rounds, &self.failure)
    }

    /// Waits until another topic has come and gone.
    pub async fn wait_for_progress(&self, deadline: Duration) -> Result<()> {
        let before = self.rounds()?;
        wait::until_true("a topic to come and go", deadline, || async { Ok(self.rounds()? > before) }).await
    }

    /// Ends after the topic at hand, and says how many there were, or what could not be done.
    pub async fn stop(self) -> Result<usize> {
        self.stop.store(true, Ordering::Relaxed);
        let TopicChurn { rounds, failure, task, .. } = self;
        task.await?;
        counted(&rounds, &failure)
    }
}

fn counted(rounds: &AtomicUsize, failure: &OnceLock<String>) -> Result<usize> {
    match failure.get() {
        Some(failure) => bail!("{failure}"),
        None => Ok(rounds.load(Ordering::Relaxed)),
    }
}

async fn come_and_go(bootstrap: &str, name: &str) -> Result<()> {
    repeated(bootstrap, Step::Create, name).await.with_context(|| format!("creating {name}"))?;
    repeated(bootstrap, Step::Delete, name).await.with_context(|| format!("deleting {name}"))
}

#[derive(Clone, Copy)]
enum Step {
    Create,
    Delete,
}

impl Step {
    async fn take(self, admin: &AdminClient<DefaultClientContext>, name: &str) -> Result<(), Code> {
        let topic = NewTopic::new(name, 2, TopicReplication::Fixed(2));
        single(match self {
            Step::Create => admin.create_topics([&topic], &options()).await,
            Step::Delete => admin.delete_topics(&[name], &options()).await,
        })
    }

    /// What a try is told when an earlier one succeeded though its answer was lost.
    fn done_before(self) -> Code {
        match self {
            Step::Create => Code::TopicAlreadyExists,
            Step::Delete => Code::UnknownTopicOrPartition,
        }
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(ANSWER)).operation_timeout(Some(ANSWER))
}

fn single(answer: Result<Vec<TopicResult>, KafkaError>) -> Result<(), Code> {
    match answer {
        Ok(results) => results.into_iter().try_for_each(|result| result.map(drop).map_err(|(_, code)| code)),
        Err(KafkaError::AdminOp(code)) => Err(code),
        Err(error) => Err(error.rdkafka_error_code().unwrap_or(Code::Unknown)),
    }
}

/// Repeats a step until it succeeds. Every try has a client of its own: librdkafka goes on asking the controller that it knew,
/// as it learns of another one only with a topic's metadata.
async fn repeated(bootstrap: &str, step: Step, name: &str) -> Result<()> {
    let start = Instant::now();
    let mut tries = 0;
    loop {
        let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("socket.timeout.ms", "10000")
            .set("reconnect.backoff.max.ms", "500")
            .create()?;
        match step.take(&admin, name).await {
            Ok(()) => return Ok(()),
            Err(code) if tries > 0 && code == step.done_before() => return Ok(()),
            Err(code) if ASK_AGAIN.contains(&code) && start.elapsed() < PATIENCE => tries += 1,
            Err(code) => bail!("{code:?} after {:?}", start.elapsed()),
        }
        tokio::time::sleep(PAUSE).await;
    }
}
