//! A world of brokers: who is alive, who can reach whom, and a controller that approves ISR changes.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use gregor_log::{AppendInfo, AppendOrigin, FetchIsolation, LogConfig, LogManager, LogManagerConfig};
use gregor_model::{
    BrokerEpoch, BrokerId, EndPoint, ListenerName, Offset, SecurityProtocol, Timestamp, TopicId, TopicName,
    TopicPartition,
};
use gregor_records::{BatchBuilder, BatchOptions};
use gregor_replication::{
    AuthorityError, FetchError, FetchParams, FetchPartition, FetchRequester, FetchedPartition, IsrAuthority,
    LeaderEndpoint, LeaderEndpoints, LeaderUnreachable, MoveRefusal, PartitionRecords, ProduceError,
    ProduceParams, ReplicaEnvironment, ReplicaManager, ReplicationConfig, RequiredAcks, RoleChanges,
    ThrottledReplicas,
};
use kafka_protocol::messages::leader_and_isr_request::{LeaderAndIsrPartitionState, LeaderAndIsrTopicState};
use kafka_protocol::messages::{
    self, AlterPartitionRequest, AlterPartitionResponse, LeaderAndIsrRequest, LeaderAndIsrResponse,
    alter_partition_response,
};
use kafka_protocol::protocol::StrBytes;
use parking_lot::Mutex;

use crate::harness::leader::LeaderInProcess;

#[path = "leader.rs"]
mod leader;

/// What a condition is waited for at most.
const PATIENCE: Duration = Duration::from_secs(20);

/// What all brokers share.
#[derive(Default)]
pub struct World {
    managers: Mutex<HashMap<i32, Weak<ReplicaManager>>>,
    pub dead: Mutex<HashSet<i32>>,
    /// Followers cut off from their leaders: (follower, leader).
    pub cut: Mutex<HashSet<(i32, i32)>>,
    pub racks: Mutex<HashMap<i32, String>>,
    pub leader_throttled: Mutex<ThrottledReplicas>,
    pub follower_throttled: Mutex<ThrottledReplicas>,
    /// The state of each partition as the controller has it.
    controller: Mutex<HashMap<TopicPartition, State>>,
    /// The controller does not answer.
    pub controller_silent: Mutex<bool>,
    /// The controller calls these ineligible for any ISR.
    pub refuse_joining: Mutex<HashSet<i32>>,
    /// Added to the wall clock of each broker, in milliseconds.
    pub clock_ahead_ms: Mutex<HashMap<i32, i64>>,
    /// How many AlterPartition requests came, and how many partitions were in them.
    pub isr_requests: Mutex<Vec<usize>>,
    /// While it is locked, answers to ListOffsets of followers are held back.
    pub list_offsets_gate: tokio::sync::Mutex<()>,
    /// How many of them came.
    pub list_offsets_asked: AtomicUsize,
    topic_ids: Mutex<HashMap<TopicName, TopicId>>,
}

/// One broker.
pub struct Broker {
    pub manager: Arc<ReplicaManager>,
    pub logs: Arc<LogManager>,
    config: ReplicationConfig,
    log: LogConfig,
    world: Arc<World>,
    /// Its log directories are below it.
    dir: tempfile::TempDir,
}

/// Names of log directories, the first of which every broker has.
pub const LOG_DIRS: [&str; 3] = ["logs", "second", "third"];

struct Environment {
    id: i32,
    world: Arc<World>,
}

pub fn partition(index: i32) -> TopicPartition {
    TopicPartition::new("t", index)
}

pub fn topic_id(byte: u8) -> TopicId {
    TopicId::from_random([byte; 16]).unwrap()
}

impl World {
    pub fn new() -> Arc<World> {
        Arc::new(World::default())
    }

    /// A broker with short times; `change` adjusts its configuration, `log` that of its topics.
    pub fn broker_with(
        self: &Arc<World>,
        id: i32,
        log: LogConfig,
        change: impl FnOnce(&mut ReplicationConfig),
    ) -> Broker {
        let mut config = ReplicationConfig::new(BrokerId(id));
        config.replica_fetch_wait_max_ms = 50;
        config.replica_fetch_backoff_ms = 20;
        change(&mut config);
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(LOG_DIRS[0])).unwrap();
        self.start(config, log, dir)
    }

    /// The same with several log directories.
    pub fn broker_with_dirs(
        self: &Arc<World>,
        id: i32,
        log: LogConfig,
        change: impl FnOnce(&mut ReplicationConfig),
    ) -> Broker {
        let Broker { manager, logs, config, log, world, dir } = self.broker_with(id, log, change);
        drop((manager, logs));
        for name in &LOG_DIRS[1..] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        world.start(config, log, dir)
    }

    fn start(self: &Arc<World>, config: ReplicationConfig, log: LogConfig, dir: tempfile::TempDir) -> Broker {
        let id = config.broker_id.0;
        let log_dirs = LOG_DIRS.map(|name| dir.path().join(name));
        let log_config = LogManagerConfig {
            log_dirs: log_dirs.into_iter().filter(|dir| dir.exists()).collect(),
            defaults: log.clone(),
            ..LogManagerConfig::default()
        };
        let logs = Arc::new(LogManager::open(log_config, HashMap::new(), Timestamp::now()).unwrap());
        let environment = Arc::new(Environment { id, world: Arc::clone(self) });
        let manager = ReplicaManager::new(
            config.clone(),
            Arc::clone(&logs),
            Arc::clone(&environment) as _,
            Arc::clone(&environment) as _,
            environment,
        );
        manager.start();
        self.managers.lock().insert(id, Arc::downgrade(&manager));
        Broker { manager, logs, config, log, world: Arc::clone(self), dir }
    }

    pub fn broker(self: &Arc<World>, id: i32) -> Broker {
        self.broker_with(id, LogConfig::default(), |_| {})
    }

    pub fn set_topic_id(&self, topic: &str, id: TopicId) {
        self.topic_ids.lock().insert(TopicName::new(topic), id);
    }

    /// What the controller has.
    pub fn state(&self, partition: &TopicPartition) -> State {
        self.controller.lock()[partition].clone()
    }

    /// Changes what the controller has, at once for whoever asks.
    pub fn change(&self, partition: &TopicPartition, change: impl FnOnce(&mut State)) -> State {
        let mut controller = self.controller.lock();
        let state = controller.get_mut(partition).unwrap();
        change(state);
        state.clone()
    }

    pub fn isr(&self, partition: &TopicPartition) -> Vec<i32> {
        self.controller.lock()[partition].isr.clone()
    }
}

/// One partition of a LeaderAndIsr, and what the controller makes of it.
#[derive(Clone)]
pub struct State {
    pub partition: TopicPartition,
    pub leader: i32,
    pub leader_epoch: i32,
    pub partition_epoch: i32,
    pub isr: Vec<i32>,
    pub replicas: Vec<i32>,
}

pub fn state(index: i32, leader: i32, epoch: i32, isr: &[i32], replicas: &[i32]) -> State {
    State {
        partition: partition(index),
        leader,
        leader_epoch: epoch,
        partition_epoch: epoch * 100,
        isr: isr.to_vec(),
        replicas: replicas.to_vec(),
    }
}

pub fn leader_and_isr(states: &[State], id: Option<TopicId>, controller_epoch: i32) -> LeaderAndIsrRequest {
    let brokers = |ids: &[i32]| ids.iter().map(|id| messages::BrokerId(*id)).collect::<Vec<_>>();
    let mut topics: Vec<LeaderAndIsrTopicState> = Vec::new();
    for state in states {
        let name = messages::TopicName(StrBytes::from_string(state.partition.topic.as_str().to_owned()));
        if topics.last().is_none_or(|topic| topic.topic_name != name) {
            let topic =
                LeaderAndIsrTopicState::default().with_topic_name(name).with_topic_id(TopicId::to_wire(id));
            topics.push(topic);
        }
        let partition = LeaderAndIsrPartitionState::default()
            .with_partition_index(state.partition.partition)
            .with_controller_epoch(controller_epoch)
            .with_leader(messages::BrokerId(state.leader))
            .with_leader_epoch(state.leader_epoch)
            .with_isr(brokers(&state.isr))
            .with_partition_epoch(state.partition_epoch)
            .with_replicas(brokers(&state.replicas))
            .with_is_new(true);
        topics.last_mut().unwrap().partition_states.push(partition);
    }
    LeaderAndIsrRequest::default()
        .with_controller_id(messages::BrokerId(9))
        .with_controller_epoch(controller_epoch)
        .with_broker_epoch(-1)
        .with_topic_states(topics)
}

/// The error codes of an answer, in order.
pub fn codes(response: &LeaderAndIsrResponse) -> Vec<i16> {
    let errors = response.topics.iter().flat_map(|topic| &topic.partition_errors);
    errors.chain(&response.partition_errors).map(|error| error.error_code).collect()
}

/// Batches of one record each.
pub fn records(values: &[&str]) -> Bytes {
    let mut builder = BatchBuilder::new(BatchOptions::default()).unwrap();
    for (offset, value) in values.iter().enumerate() {
        let offset = Offset(i64::try_from(offset).unwrap());
        builder.append(offset, Some(Timestamp::now()), None, Some(value.as_bytes()), &[]).unwrap();
    }
    builder.finish().unwrap().into()
}

/// Waits for a condition.
#[track_caller]
pub fn eventually(what: &str, condition: impl Fn() -> bool) -> impl Future<Output = ()> {
    let what = what.to_owned();
    let caller = std::panic::Location::caller();
    async move {
        let until = Instant::now() + PATIENCE;
        while !condition() {
            assert!(Instant::now() < until, "{caller}: {what}: not so after {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Broker {
    /// Sends a LeaderAndIsr of version 7 of controller 1; every partition must be accepted.
    pub async fn apply(&self, states: &[State]) -> RoleChanges {
        let announced = states.iter().map(|state| (state.partition.clone(), state.clone()));
        self.world.controller.lock().extend(announced);
        let id = self.world.topic_ids.lock().get("t").copied();
        let request = leader_and_isr(states, id, 1);
        let (response, changes) = self.manager.become_leader_or_follower(request, 7).await;
        assert!(codes(&response).iter().all(|code| *code == 0), "{response:?}");
        changes
    }

    /// Sends what the controller decided, whether or not this broker knows better by now.
    pub async fn announce(&self, state: &State) {
        let id = self.world.topic_ids.lock().get("t").copied();
        let request = leader_and_isr(std::slice::from_ref(state), id, 1);
        let (response, _) = self.manager.become_leader_or_follower(request, 7).await;
        assert!(codes(&response).iter().all(|code| [0, 11].contains(code)), "{response:?}");
    }

    pub async fn produce(
        &self,
        index: i32,
        values: &[&str],
        acks: RequiredAcks,
        timeout_ms: i32,
    ) -> Result<AppendInfo, ProduceError> {
        let params =
            ProduceParams { acks, timeout_ms, origin: AppendOrigin::Client, internal_topics_allowed: false };
        let records =
            PartitionRecords { partition: partition(index), records: records(values), verification: None };
        self.manager.produce(params, vec![records]).await.remove(0).1
    }

    pub async fn consume(&self, index: i32, from: i64) -> Result<FetchedPartition, FetchError> {
        self.consume_with(index, from, consumer(0, 1)).await
    }

    pub async fn consume_with(
        &self,
        index: i32,
        from: i64,
        params: FetchParams,
    ) -> Result<FetchedPartition, FetchError> {
        self.manager.fetch(params, vec![(partition(index), wanted(from))]).await.remove(0).1
    }

    /// Stops the broker cleanly and starts it on the same directory.
    pub async fn restart(self) -> Broker {
        self.manager.shutdown().await;
        self.logs.shutdown(Timestamp::now()).unwrap();
        let Broker { manager, logs, config, log, world, dir } = self;
        drop((manager, logs));
        world.start(config, log, dir)
    }

    pub fn log_dir(&self) -> std::path::PathBuf {
        self.dir.path().join(LOG_DIRS[0])
    }

    /// Has a partition's log moved to one of [`LOG_DIRS`].
    pub async fn move_to(&self, index: i32, dir: &str) -> Result<(), MoveRefusal> {
        let moves = vec![(partition(index), self.dir.path().join(dir))];
        self.manager.alter_replica_log_dirs(moves).await.remove(0).1
    }

    /// Which of [`LOG_DIRS`] a partition's log lies in, and which its copy.
    pub fn lies_in(&self, index: i32) -> (String, Option<String>) {
        let name = |log: Arc<gregor_log::PartitionLog>| {
            log.parent_dir().file_name().unwrap().to_str().unwrap().to_owned()
        };
        let current = self.logs.log(&partition(index)).map(name).unwrap_or_default();
        (current, self.logs.future_log(&partition(index)).map(name))
    }

    pub fn log_end(&self, index: i32) -> i64 {
        self.logs.log(&partition(index)).map_or(-1, |log| log.log_end_offset().0)
    }

    pub fn high_watermark(&self, index: i32) -> i64 {
        self.logs.log(&partition(index)).map_or(-1, |log| log.high_watermark().0)
    }

    /// All bytes of the log.
    pub fn bytes(&self, index: i32) -> Bytes {
        let log = self.logs.log(&partition(index)).unwrap();
        let mut bytes = Vec::new();
        let mut from = log.log_start_offset();
        while from < log.log_end_offset() {
            let data = log.read(from, 1 << 30, FetchIsolation::LogEnd, true).unwrap();
            let read = data.records.unwrap().read_to_bytes().unwrap();
            let last = gregor_records::batches(&read).last().unwrap().unwrap();
            from = last.header().next_offset();
            bytes.extend_from_slice(&read);
        }
        bytes.into()
    }

    pub fn isr(&self, index: i32) -> Vec<i32> {
        self.manager
            .status(&partition(index))
            .map_or(Vec::new(), |status| status.isr.iter().map(|id| id.0).collect())
    }
}

/// A consumer of v11+ without a rack.
pub fn consumer(max_wait_ms: i32, min_bytes: i32) -> FetchParams {
    FetchParams {
        requester: FetchRequester::Consumer { rack: Some(String::new()) },
        max_wait_ms,
        min_bytes,
        max_bytes: 50 << 20,
        isolation: FetchIsolation::HighWatermark,
        hard_max_bytes: false,
    }
}

pub fn wanted(from: i64) -> FetchPartition {
    FetchPartition {
        topic_id: None,
        fetch_offset: Offset(from),
        log_start_offset: None,
        max_bytes: 1 << 20,
        current_leader_epoch: None,
        last_fetched_epoch: None,
    }
}

impl ReplicaEnvironment for Environment {
    fn now(&self) -> Timestamp {
        Timestamp::now() + self.world.clock_ahead_ms.lock().get(&self.id).copied().unwrap_or(0)
    }

    fn broker_epoch(&self) -> Option<BrokerEpoch> {
        Some(BrokerEpoch(1_000 + i64::from(self.id)))
    }

    fn is_alive(&self, broker: BrokerId) -> bool {
        self.world.managers.lock().contains_key(&broker.0) && !self.world.dead.lock().contains(&broker.0)
    }

    fn endpoint(&self, broker: BrokerId) -> Option<EndPoint> {
        self.is_alive(broker).then(|| EndPoint {
            listener: ListenerName::new("PLAINTEXT"),
            protocol: SecurityProtocol::Plaintext,
            host: format!("broker-{broker}"),
            port: 9092,
        })
    }

    fn rack(&self, broker: BrokerId) -> Option<String> {
        self.world.racks.lock().get(&broker.0).cloned()
    }

    fn knows_partition(&self, partition: &TopicPartition) -> bool {
        self.world.controller.lock().contains_key(partition)
    }

    fn throttled_replicas(&self, _topic: &TopicName) -> (ThrottledReplicas, ThrottledReplicas) {
        (self.world.leader_throttled.lock().clone(), self.world.follower_throttled.lock().clone())
    }
}

#[async_trait]
impl IsrAuthority for Environment {
    async fn alter_partition(
        &self,
        request: AlterPartitionRequest,
        by_name: bool,
    ) -> Result<(AlterPartitionResponse, i16), AuthorityError> {
        if *self.world.controller_silent.lock() {
            return Err(AuthorityError("silent".to_owned()));
        }
        let mut controller = self.world.controller.lock();
        let mut response = AlterPartitionResponse::default();
        self.world.isr_requests.lock().push(request.topics.iter().map(|topic| topic.partitions.len()).sum());
        for topic in request.topics {
            let mut answer = alter_partition_response::TopicData::default()
                .with_topic_name(topic.topic_name.clone())
                .with_topic_id(topic.topic_id);
            for asked in topic.partitions {
                let key = TopicPartition::new(topic.topic_name.as_str(), asked.partition_index);
                let mut data = alter_partition_response::PartitionData::default()
                    .with_partition_index(asked.partition_index)
                    .with_leader_id(messages::BrokerId(self.id));
                let ineligible = |id: &messages::BrokerId| self.world.refuse_joining.lock().contains(&id.0);
                match controller.get_mut(&key) {
                    Some(_) if asked.new_isr.iter().any(ineligible) => data.error_code = 107,
                    Some(state) if state.leader_epoch > asked.leader_epoch => data.error_code = 74,
                    Some(state) if state.partition_epoch > asked.partition_epoch => data.error_code = 95,
                    Some(state) => {
                        state.partition_epoch += 1;
                        state.isr = asked.new_isr.iter().map(|id| id.0).collect();
                        data = data
                            .with_leader_epoch(state.leader_epoch)
                            .with_partition_epoch(state.partition_epoch)
                            .with_isr(asked.new_isr);
                    }
                    None => data.error_code = 3,
                }
                answer.partitions.push(data);
            }
            response.topics.push(answer);
        }
        let version = if by_name { 1 } else { 3 };
        Ok((response, version))
    }
}

#[async_trait]
impl LeaderEndpoints for Environment {
    async fn connect(
        &self,
        leader: BrokerId,
        endpoint: &EndPoint,
        _client_id: &str,
    ) -> Result<Box<dyn LeaderEndpoint>, LeaderUnreachable> {
        assert_eq!(endpoint.host, format!("broker-{leader}"));
        let link = (self.id, leader.0);
        Ok(Box::new(LeaderInProcess { world: Arc::clone(&self.world), link }))
    }
}

impl World {
    /// The leader's manager, when the link to it is up.
    fn reach(&self, (from, to): (i32, i32)) -> Result<Arc<ReplicaManager>, LeaderUnreachable> {
        let down = self.cut.lock().contains(&(from, to)) || self.dead.lock().contains(&to);
        let manager = self.managers.lock().get(&to).and_then(Weak::upgrade);
        manager.filter(|_| !down).ok_or_else(|| LeaderUnreachable("cut off".to_owned()))
    }

    fn name_of(&self, id: TopicId) -> Option<TopicName> {
        self.topic_ids.lock().iter().find(|(_, known)| **known == id).map(|(name, _)| name.clone())
    }
}
