//! Brokers of any kind around one ZooKeeper ensemble, and the questions tests ask of such a cluster.

use crate::broker::{Broker, BrokerKind, BrokerOptions};
use crate::context::TestContext;
use crate::ensemble::{Ensemble, EnsembleOptions};
use crate::kcat::Kcat;
use crate::namespace::Network;
use crate::rpc::Rpc;
use crate::znodes::{PartitionState, Znodes};
use crate::{ports, wait};
use anyhow::{Context as _, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{CreateTopicsRequest, ProduceRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    Compression, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, Record,
    RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// The brokers' ZooKeeper session timeout.
pub const SESSION_TIMEOUT: Duration = Duration::from_secs(3);
/// Anything a healthy cluster does by itself is done within this.
pub const SETTLE: Duration = Duration::from_secs(30);
/// Every cluster lives below a chroot, as many do in the field.
const CHROOT: &str = "/gregor/test";

const TOPIC_ALREADY_EXISTS: i16 = 36;
const NOT_CONTROLLER: i16 = 41;

/// What to start.
#[derive(Clone, Debug)]
pub struct ClusterBuilder {
    zookeepers: usize,
    brokers: Vec<BrokerKind>,
    isolated: bool,
    log_dirs: usize,
    kafkas_heap: Option<u32>,
    properties: BTreeMap<String, String>,
}

/// An ensemble and brokers 0, 1, 2, ... around it.
#[derive(Debug)]
pub struct Cluster {
    /// The brokers; index is `broker.id`.
    pub brokers: Vec<Broker>,
    /// Their ZooKeeper.
    pub ensemble: Ensemble,
    /// What ZooKeeper holds.
    pub znodes: Znodes,
    network: Option<Network>,
    context: TestContext,
}

impl ClusterBuilder {
    /// One ZooKeeper server and `count` brokers of the kinds the environment chose.
    pub fn new(count: usize) -> Result<ClusterBuilder> {
        Ok(ClusterBuilder::of(&BrokerKind::chosen(count)?))
    }

    /// One ZooKeeper server and these brokers.
    pub fn of(kinds: &[BrokerKind]) -> ClusterBuilder {
        ClusterBuilder {
            zookeepers: 1,
            brokers: kinds.to_vec(),
            isolated: false,
            log_dirs: 1,
            kafkas_heap: None,
            properties: BTreeMap::new(),
        }
    }

    /// The number of ZooKeeper servers.
    #[must_use]
    pub fn zookeepers(mut self, servers: usize) -> Self {
        self.zookeepers = servers;
        self
    }

    /// Puts every broker in a network namespace of its own, so that it can be cut off.
    #[must_use]
    pub fn isolated(mut self) -> Self {
        self.isolated = true;
        self
    }

    /// The number of log directories of every broker.
    #[must_use]
    pub fn log_dirs(mut self, dirs: usize) -> Self {
        self.log_dirs = dirs;
        self
    }

    /// Kafka's brokers run for speed with so many MiB of heap, as in the field.
    #[must_use]
    pub fn kafkas_heap(mut self, mebibytes: u32) -> Self {
        self.kafkas_heap = Some(mebibytes);
        self
    }

    /// Sets a property on every broker.
    #[must_use]
    pub fn property(mut self, key: &str, value: &str) -> Self {
        self.properties.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Starts the ensemble only; brokers are prepared.
    pub async fn prepare(&self, context: &TestContext) -> Result<Cluster> {
        let count = u8::try_from(self.brokers.len())?;
        let network = if self.isolated { Some(Network::new(count)?) } else { None };
        let host = network.as_ref().map_or_else(|| "127.0.0.1".to_owned(), Network::zookeeper_address);
        let options = EnsembleOptions { servers: self.zookeepers, host, ..EnsembleOptions::default() };
        let ensemble = Ensemble::start(context, &options).await?;
        let zookeeper_connect = format!("{}{CHROOT}", ensemble.connect_string());
        let mut brokers = Vec::new();
        for (index, kind) in (0..count).zip(&self.brokers) {
            let options = BrokerOptions {
                id: i32::from(index),
                kind: *kind,
                host: network
                    .as_ref()
                    .map_or_else(|| "127.0.0.1".to_owned(), |network| network.address(index)),
                port: ports::free_port()?,
                namespace: network.as_ref().map(|network| network.namespace(index)),
                zookeeper_connect: zookeeper_connect.clone(),
                log_dirs: self.log_dirs,
                kafkas_heap: self.kafkas_heap,
                properties: self.properties.clone(),
            };
            brokers.push(Broker::prepare(context, options)?);
        }
        let znodes = Znodes::connect(&zookeeper_connect).await?;
        Ok(Cluster { brokers, ensemble, znodes, network, context: context.clone() })
    }

    /// Starts everything; broker 0 first, so that it is the controller.
    pub async fn start(&self, context: &TestContext) -> Result<Cluster> {
        let mut cluster = self.prepare(context).await?;
        cluster.start_brokers().await?;
        Ok(cluster)
    }
}

impl Cluster {
    /// Starts every broker that does not run: broker 0 first, so that it is the controller, then the others together.
    pub async fn start_brokers(&mut self) -> Result<()> {
        for broker in &mut self.brokers {
            broker.spawn()?;
            if broker.id() == 0 {
                broker.wait_until_ready().await?;
            }
        }
        for broker in &mut self.brokers {
            broker.wait_until_ready().await?;
        }
        Ok(())
    }

    /// Every broker's address, for clients.
    pub fn bootstrap(&self) -> String {
        self.brokers.iter().map(Broker::address).collect::<Vec<_>>().join(",")
    }

    /// The broker with this id.
    pub fn broker(&mut self, id: i32) -> Result<&mut Broker> {
        self.brokers.iter_mut().find(|broker| broker.id() == id).with_context(|| format!("no broker {id}"))
    }

    /// kcat on this cluster.
    pub fn kcat(&self) -> Kcat {
        Kcat::new(self.bootstrap())
    }

    /// The log directories of these brokers.
    pub fn data_dirs(&self) -> Vec<PathBuf> {
        self.brokers.iter().flat_map(Broker::data_dirs).collect()
    }

    /// Where tests put files of their own.
    pub fn context(&self) -> &TestContext {
        &self.context
    }

    /// Cuts a broker off from everything: ZooKeeper, brokers, clients.
    pub fn cut_off(&self, id: i32) -> Result<()> {
        self.network.as_ref().context("the cluster is not isolated")?.cut(u8::try_from(id)?)
    }

    /// Connects it again.
    pub fn reconnect(&self, id: i32) -> Result<()> {
        self.network.as_ref().context("the cluster is not isolated")?.join(u8::try_from(id)?)
    }

    /// Packets of a broker to ZooKeeper vanish, or arrive again.
    pub fn silence_to_zookeeper(&self, id: i32, silent: bool) -> Result<()> {
        let network = self.network.as_ref().context("the cluster is not isolated")?;
        self.silence(id, &network.zookeeper_address(), silent)
    }

    /// Packets of a broker to another one vanish, or arrive again; those the other way still arrive.
    pub fn silence_to_broker(&self, id: i32, other: i32, silent: bool) -> Result<()> {
        let network = self.network.as_ref().context("the cluster is not isolated")?;
        self.silence(id, &network.address(u8::try_from(other)?), silent)
    }

    fn silence(&self, id: i32, address: &str, silent: bool) -> Result<()> {
        let network = self.network.as_ref().context("the cluster is not isolated")?;
        let index = u8::try_from(id)?;
        if silent { network.silence(index, address) } else { network.unsilence(index, address) }
    }

    /// Waits until a broker is controller, and says which.
    pub async fn wait_for_controller(&self) -> Result<i32> {
        wait::until("a controller", SETTLE, || async { self.znodes.controller().await }).await
    }

    /// Waits until exactly these brokers are registered.
    pub async fn wait_for_registrations(&self, ids: &[i32]) -> Result<()> {
        let what = format!("exactly brokers {ids:?} to be registered");
        wait::until_true(&what, SETTLE, || async {
            let mut registered = self.znodes.broker_ids().await?;
            registered.sort_unstable();
            ensure!(registered == ids, "registered: {registered:?}");
            Ok(true)
        })
        .await
    }

    /// Creates a topic with `partitions` x `replication_factor` where the brokers like, and waits for leaders.
    pub async fn create_topic(&self, name: &str, partitions: i32, replication_factor: i16) -> Result<()> {
        self.create_topic_with(name, partitions, replication_factor, &[]).await
    }

    /// `create_topic` with topic configs.
    pub async fn create_topic_with(
        &self,
        name: &str,
        partitions: i32,
        replication_factor: i16,
        configs: &[(&str, &str)],
    ) -> Result<()> {
        self.request_topic(name, partitions, replication_factor, configs).await?;
        self.wait_for_topic(name, partitions, replication_factor).await
    }

    /// Waits until every partition has a leader and all its replicas in the ISR.
    pub async fn wait_for_topic(&self, name: &str, partitions: i32, replication_factor: i16) -> Result<()> {
        for partition in 0..partitions {
            self.wait_for_state(name, partition, "a leader and a full ISR", |state| {
                state.leader >= 0 && state.isr.len() == replication_factor as usize
            })
            .await?;
        }
        Ok(())
    }

    /// Creates a topic, and waits only for the controller's word that it did.
    pub async fn request_topic(
        &self,
        name: &str,
        partitions: i32,
        replication_factor: i16,
        configs: &[(&str, &str)],
    ) -> Result<()> {
        let configs = configs.iter().map(|(key, value)| {
            CreatableTopicConfig::default()
                .with_name(StrBytes::from_string((*key).to_owned()))
                .with_value(Some(StrBytes::from_string((*value).to_owned())))
        });
        let topic = CreatableTopic::default()
            .with_name(topic_name(name))
            .with_num_partitions(partitions)
            .with_replication_factor(replication_factor)
            .with_configs(configs.collect());
        let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(20_000);
        wait::until_true(&format!("topic {name} to be created"), SETTLE, || self.try_create(&request)).await
    }

    async fn try_create(&self, request: &CreateTopicsRequest) -> Result<bool> {
        let controller = self.znodes.controller().await?.context("no controller")?;
        let broker =
            self.brokers.iter().find(|broker| broker.id() == controller).context("an unknown controller")?;
        let answer = Rpc::connect(&broker.address()).await?.call(5, request).await?;
        match answer.topics.iter().map(|topic| topic.error_code).find(|code| *code != 0) {
            // An earlier try may have succeeded though its answer was lost, or timed out waiting for leaders.
            None | Some(TOPIC_ALREADY_EXISTS) => Ok(true),
            Some(NOT_CONTROLLER) => Ok(false),
            Some(_) => bail!("creating a topic: {:?}", answer.topics),
        }
    }

    /// Waits until a partition's state in ZooKeeper is as wanted.
    pub async fn wait_for_state(
        &self,
        topic: &str,
        partition: i32,
        what: &str,
        wanted: impl Fn(&PartitionState) -> bool,
    ) -> Result<PartitionState> {
        wait::until(&format!("{topic}-{partition} to have {what}"), SETTLE, || async {
            let state = self.znodes.partition_state(topic, partition).await?;
            match state {
                Some(state) if wanted(&state) => Ok(Some(state)),
                other => bail!("its state is {other:?}"),
            }
        })
        .await
    }

    /// Sends one record to whoever leads the partition, again until that broker knows that it does: ZooKeeper knows first.
    pub async fn produce_when_led(&self, topic: &str, partition: i32, payload: &str) -> Result<()> {
        let led = self.wait_for_state(topic, partition, "a leader", |state| state.leader >= 0).await?;
        wait::until_true("the record to be taken", SETTLE, || async move {
            self.produce_to(led.leader, topic, partition, payload).await.map(|_| true)
        })
        .await
    }

    /// Produces one record with acks=all straight to broker `leader`, without a client's patience. Ok(offset) or the reason.
    pub async fn produce_to(&self, leader: i32, topic: &str, partition: i32, payload: &str) -> Result<i64> {
        let broker = self.brokers.iter().find(|broker| broker.id() == leader).context("no such broker")?;
        let data =
            PartitionProduceData::default().with_index(partition).with_records(Some(one_record(payload)?));
        let topic = TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(vec![data]);
        let request =
            ProduceRequest::default().with_acks(-1).with_timeout_ms(5_000).with_topic_data(vec![topic]);
        let answer = Rpc::connect(&broker.address()).await?.call(8, &request).await?;
        let partition = answer.responses.first().and_then(|topic| topic.partition_responses.first());
        let partition = partition.context("an empty answer to Produce")?;
        ensure!(partition.error_code == 0, "Produce answered error {}", partition.error_code);
        Ok(partition.base_offset)
    }
}

/// A topic's name in protocol types.
pub fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

/// A batch of one record in the current format.
pub fn one_record(payload: &str) -> Result<Bytes> {
    let record = Record {
        transactional: false,
        control: false,
        partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
        producer_id: NO_PRODUCER_ID,
        producer_epoch: NO_PRODUCER_EPOCH,
        timestamp_type: TimestampType::Creation,
        offset: 0,
        sequence: NO_SEQUENCE,
        timestamp: std::time::UNIX_EPOCH.elapsed()?.as_millis() as i64,
        key: None,
        value: Some(Bytes::copy_from_slice(payload.as_bytes())),
        headers: Default::default(),
    };
    let mut batch = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut batch, [&record], &options)?;
    Ok(batch.freeze())
}
