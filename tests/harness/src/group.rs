//! Members of one consumer group (librdkafka), each on a thread of its own: what they were assigned, what they read, and
//! which commits the cluster acknowledged.

use crate::load::Acknowledged;
use crate::wait;
use anyhow::{Context as _, Result, anyhow, ensure};
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a question to the cluster may take while brokers come and go.
const ASK_DEADLINE: Duration = Duration::from_secs(30);

/// A group that reads one topic.
#[derive(Clone, Debug)]
pub struct Group {
    bootstrap: String,
    id: String,
    topic: String,
    settings: Vec<(String, String)>,
    progress: Arc<Progress>,
}

/// What all members of a group did.
#[derive(Debug, Default)]
struct Progress {
    /// Partition and offset of every record read, once or more often.
    read: Mutex<BTreeSet<(i32, i64)>>,
    /// The highest acknowledged commit by partition.
    committed: Mutex<BTreeMap<i32, i64>>,
}

/// One member. Dropping it without `leave` lets its thread end by itself.
#[derive(Debug)]
pub struct Member {
    name: String,
    state: Arc<MemberState>,
    thread: Option<JoinHandle<Result<()>>>,
}

#[derive(Debug, Default)]
struct MemberState {
    stop: AtomicBool,
    assigned: Mutex<BTreeSet<i32>>,
    assignments: AtomicUsize,
}

struct MemberContext {
    state: Arc<MemberState>,
    progress: Arc<Progress>,
}

impl ClientContext for MemberContext {}

impl ConsumerContext for MemberContext {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(partitions) = rebalance {
            let mut assigned = lock(&self.state.assigned);
            for element in partitions.elements() {
                assigned.remove(&element.partition());
            }
        }
    }

    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(partitions) = rebalance {
            lock(&self.state.assigned).extend(partitions.elements().iter().map(|e| e.partition()));
            self.state.assignments.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        if result.is_err() {
            return;
        }
        let mut committed = lock(&self.progress.committed);
        for element in offsets.elements() {
            if let (Ok(()), Offset::Offset(offset)) = (element.error(), element.offset()) {
                let highest = committed.entry(element.partition()).or_default();
                *highest = offset.max(*highest);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Group {
    /// Group `id` over `topic`; nobody joins yet. `assignor` as librdkafka's `partition.assignment.strategy`.
    pub fn new(bootstrap: &str, id: &str, topic: &str, assignor: &str) -> Group {
        let settings = [
            ("bootstrap.servers", bootstrap),
            ("group.id", id),
            ("partition.assignment.strategy", assignor),
            ("auto.offset.reset", "earliest"),
            ("auto.commit.interval.ms", "200"),
            ("heartbeat.interval.ms", "500"),
            ("session.timeout.ms", "20000"),
            ("reconnect.backoff.max.ms", "500"),
        ];
        Group {
            bootstrap: bootstrap.to_owned(),
            id: id.to_owned(),
            topic: topic.to_owned(),
            settings: settings.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec(),
            progress: Arc::default(),
        }
    }

    /// A new member joins.
    pub fn join(&self) -> Result<Member> {
        self.join_with(&[])
    }

    /// A new member with further settings joins, e.g. with a `group.instance.id`.
    pub fn join_with(&self, settings: &[(&str, &str)]) -> Result<Member> {
        let state = Arc::<MemberState>::default();
        let mut config = ClientConfig::new();
        let own = self.settings.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        for (key, value) in own.chain(settings.iter().copied()) {
            config.set(key, value);
        }
        let context = MemberContext { state: state.clone(), progress: self.progress.clone() };
        let consumer: BaseConsumer<MemberContext> = config.create_with_context(context)?;
        consumer.subscribe(&[&self.topic])?;
        let (stop, progress) = (state.clone(), self.progress.clone());
        let thread = std::thread::spawn(move || read_until_stopped(&consumer, &stop, &progress));
        Ok(Member { name: self.id.clone(), state, thread: Some(thread) })
    }

    /// How many different records the group has read.
    pub fn records_read(&self) -> usize {
        lock(&self.progress.read).len()
    }

    /// Waits until `more` records beyond those of now were read.
    pub async fn wait_for_progress(&self, more: usize, deadline: Duration) -> Result<()> {
        let wanted = self.records_read() + more;
        wait::until_true(&format!("group {} to read {more} more records", self.id), deadline, || async {
            let read = self.records_read();
            ensure!(read >= wanted, "it has read {read} of {wanted}");
            Ok(true)
        })
        .await
    }

    /// Waits until every one of these messages was read.
    pub async fn wait_for_all(&self, messages: &[Acknowledged], deadline: Duration) -> Result<()> {
        wait::until_true(&format!("group {} to have read everything", self.id), deadline, || async {
            let read = lock(&self.progress.read);
            let missing: Vec<_> = messages
                .iter()
                .filter(|message| message.offset >= 0 && !read.contains(&(message.partition, message.offset)))
                .collect();
            ensure!(missing.is_empty(), "{} not read, the first: {:?}", missing.len(), missing[0]);
            Ok(true)
        })
        .await
    }

    /// What the coordinator says is committed, by partition; None where nothing is.
    pub async fn committed(&self, partitions: i32) -> Result<BTreeMap<i32, Option<i64>>> {
        let (bootstrap, id, topic) = (self.bootstrap.clone(), self.id.clone(), self.topic.clone());
        tokio::task::spawn_blocking(move || ask_committed(&bootstrap, &id, &topic, partitions)).await?
    }

    /// Fails if a commit that was acknowledged to a member is not what the coordinator holds, or was overtaken.
    pub async fn check_commits(&self, partitions: i32) -> Result<()> {
        let acknowledged = lock(&self.progress.committed).clone();
        ensure!(!acknowledged.is_empty(), "group {} never committed", self.id);
        let held = self.committed(partitions).await?;
        for (partition, offset) in &acknowledged {
            let found = held.get(partition).copied().flatten();
            ensure!(
                found >= Some(*offset),
                "group {}: {offset} was committed for partition {partition}, the coordinator holds {found:?}",
                self.id
            );
        }
        Ok(())
    }
}

fn ask_committed(
    bootstrap: &str,
    group: &str,
    topic: &str,
    partitions: i32,
) -> Result<BTreeMap<i32, Option<i64>>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", group)
        .set("reconnect.backoff.max.ms", "500")
        .create()?;
    let mut wanted = TopicPartitionList::new();
    wanted.add_partition_range(topic, 0, partitions - 1);
    let committed =
        consumer.committed_offsets(wanted, ASK_DEADLINE).context("asking for committed offsets")?;
    let mut found = BTreeMap::new();
    for element in committed.elements() {
        element.error().with_context(|| format!("the committed offset of {}", element.partition()))?;
        let offset = match element.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
        found.insert(element.partition(), offset);
    }
    Ok(found)
}

fn read_until_stopped(
    consumer: &BaseConsumer<MemberContext>,
    state: &MemberState,
    progress: &Progress,
) -> Result<()> {
    while !state.stop.load(Ordering::SeqCst) {
        match consumer.poll(Duration::from_millis(100)) {
            None => {}
            Some(Ok(message)) => {
                lock(&progress.read).insert((message.partition(), message.offset()));
            }
            // librdkafka goes on by itself after everything but a fatal error.
            Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                return Err(anyhow!("a member failed: {code}"));
            }
            Some(Err(error)) => println!("a member was told: {error} (retried)"),
        }
    }
    Ok(())
}

impl Member {
    /// The partitions it owns.
    pub fn assigned(&self) -> BTreeSet<i32> {
        lock(&self.state.assigned).clone()
    }

    /// How often it was given an assignment.
    pub fn assignments(&self) -> usize {
        self.state.assignments.load(Ordering::SeqCst)
    }

    /// Leaves the group (a static member only goes away) and waits until it has.
    pub async fn leave(mut self) -> Result<()> {
        self.state.stop.store(true, Ordering::SeqCst);
        let thread = self.thread.take().context("a member without a thread")?;
        let name = self.name.clone();
        tokio::task::spawn_blocking(move || thread.join())
            .await?
            .map_err(|_| anyhow!("a member of {name} panicked"))?
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::SeqCst);
    }
}

/// Waits until these members own all partitions between them, each partition by one member and each member some.
pub async fn wait_for_balance(members: &[&Member], partitions: i32, deadline: Duration) -> Result<()> {
    wait::until_true(
        &format!("{} members to share {partitions} partitions", members.len()),
        deadline,
        || async {
            let assigned: Vec<BTreeSet<i32>> = members.iter().map(|member| member.assigned()).collect();
            let owned: usize = assigned.iter().map(BTreeSet::len).sum();
            let distinct: BTreeSet<&i32> = assigned.iter().flatten().collect();
            let balanced = distinct.len() == partitions as usize && owned == distinct.len();
            ensure!(balanced && assigned.iter().all(|own| !own.is_empty()), "they own {assigned:?}");
            Ok(true)
        },
    )
    .await
}
