//! Brokers that the test plays: each answers the controller's requests with success and remembers them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use gregor_config::InterBrokerProtocol;
use gregor_controller_machine::ControllerConfig;
use gregor_controller_service::{
    ControlVersions, ControllerEnvironment, ControllerHandle, ControllerService, ControllerSettings,
};
use gregor_model::{
    BrokerEpoch, BrokerId, EndPoint, ListenerName, SecurityProtocol, Timestamp, TopicId, ZnodeVersion,
};
use gregor_wire::client::{ClientError, ClientOptions, Connect, Connection};
use gregor_zookeeper::registration::{RegisterError, create_persistent_paths, register_broker};
use gregor_zookeeper::schema::broker::BrokerRegistration;
use gregor_zookeeper::schema::config::Configs;
use gregor_zookeeper::schema::topic::TopicAssignment;
use gregor_zookeeper::store::Store;
use gregor_zookeeper::{Session, SessionId};
use kafka_protocol::messages::leader_and_isr_response::{LeaderAndIsrPartitionError, LeaderAndIsrTopicError};
use kafka_protocol::messages::stop_replica_response::StopReplicaPartitionError;
use kafka_protocol::messages::{
    ApiKey, LeaderAndIsrRequest, LeaderAndIsrResponse, RequestHeader, RequestKind, StopReplicaRequest,
    StopReplicaResponse, UpdateMetadataRequest, UpdateMetadataResponse,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::watch;

use crate::fixture::Server;

/// Requests by broker, oldest first. A broker is found by the port of its address, which is its id.
#[derive(Default)]
pub struct Brokers {
    received: Mutex<HashMap<i32, Vec<RequestKind>>>,
    connections: Mutex<HashMap<i32, usize>>,
    /// Whose ports refuse connections.
    gone: watch::Sender<HashSet<i32>>,
}

impl Brokers {
    pub fn received(&self, broker: i32) -> Vec<RequestKind> {
        self.received.lock().get(&broker).cloned().unwrap_or_default()
    }

    /// Whether the newest list of live brokers that a broker was told of has so many.
    pub fn hears_of(&self, broker: i32, count: usize) -> bool {
        let told = self.received(broker).into_iter().rev().find_map(|request| match request {
            RequestKind::UpdateMetadata(update) => Some(update.live_brokers.len()),
            _ => None,
        });
        told == Some(count)
    }

    /// How many connections to a broker are open.
    pub fn connections(&self, broker: i32) -> usize {
        self.connections.lock().get(&broker).copied().unwrap_or(0)
    }

    /// The process of a broker ends: its connections are closed, and new ones are refused.
    pub fn end(&self, broker: i32) {
        self.gone.send_modify(|gone| {
            gone.insert(broker);
        });
    }

    /// The newest leader that the broker was told of for a partition by UpdateMetadata.
    pub fn leader_told(&self, broker: i32, topic: &str, partition: i32) -> Option<i32> {
        let told = |request: &RequestKind| match request {
            RequestKind::UpdateMetadata(update) => update
                .topic_states
                .iter()
                .filter(|state| state.topic_name.0.as_str() == topic)
                .flat_map(|state| &state.partition_states)
                .find(|state| state.partition_index == partition)
                .map(|state| state.leader.0),
            _ => None,
        };
        self.received(broker).iter().rev().find_map(told)
    }
}

pub struct TestConnect(pub Arc<Brokers>);

#[async_trait]
impl Connect for TestConnect {
    async fn connect(&self, endpoint: &EndPoint, client_id: &str) -> Result<Connection, ClientError> {
        let broker = i32::from(endpoint.port);
        if self.0.gone.borrow().contains(&broker) {
            let (address, source) = (broker.to_string(), std::io::ErrorKind::ConnectionRefused.into());
            return Err(ClientError::Connect { address, source });
        }
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let (reader, writer) = tokio::io::split(ours);
        let (brokers, mut gone) = (self.0.clone(), self.0.gone.subscribe());
        tokio::spawn(async move {
            *brokers.connections.lock().entry(broker).or_default() += 1;
            tokio::select! {
                () = serve(theirs, broker, brokers.clone()) => {}
                _ = gone.wait_for(|gone| gone.contains(&broker)) => {}
            }
            *brokers.connections.lock().entry(broker).or_default() -= 1;
        });
        let options = ClientOptions { client_id: client_id.to_owned(), ..ClientOptions::default() };
        Ok(Connection::start(reader, writer, options))
    }
}

async fn serve(mut stream: DuplexStream, broker: i32, brokers: Arc<Brokers>) {
    while let Ok(length) = stream.read_i32().await {
        let mut frame = vec![0; usize::try_from(length).unwrap()];
        stream.read_exact(&mut frame).await.unwrap();
        let (request, answer) = answer(Bytes::from(frame));
        brokers.received.lock().entry(broker).or_default().push(request);
        stream.write_all(&answer).await.unwrap();
    }
}

fn answer(mut frame: Bytes) -> (RequestKind, Bytes) {
    let key = ApiKey::try_from((&frame[..]).get_i16()).unwrap();
    let version = (&frame[2..]).get_i16();
    let header = RequestHeader::decode(&mut frame, key.request_header_version(version)).unwrap();
    let mut body = BytesMut::new();
    body.put_i32(0);
    body.put_i32(header.correlation_id);
    if LeaderAndIsrResponse::header_version(version) > 0 || key != ApiKey::LeaderAndIsr {
        body.put_u8(0);
    }
    let request = match key {
        ApiKey::LeaderAndIsr => {
            let request = LeaderAndIsrRequest::decode(&mut frame, version).unwrap();
            let topics = request.topic_states.iter().map(|topic| {
                let errors = topic.partition_states.iter().map(|state| {
                    LeaderAndIsrPartitionError::default().with_partition_index(state.partition_index)
                });
                LeaderAndIsrTopicError::default()
                    .with_topic_id(topic.topic_id)
                    .with_partition_errors(errors.collect())
            });
            let response = LeaderAndIsrResponse::default().with_topics(topics.collect());
            response.encode(&mut body, version).unwrap();
            RequestKind::LeaderAndIsr(request)
        }
        ApiKey::UpdateMetadata => {
            UpdateMetadataResponse::default().encode(&mut body, version).unwrap();
            RequestKind::UpdateMetadata(UpdateMetadataRequest::decode(&mut frame, version).unwrap())
        }
        ApiKey::StopReplica => {
            let request = StopReplicaRequest::decode(&mut frame, version).unwrap();
            let errors = request.topic_states.iter().flat_map(|topic| {
                topic.partition_states.iter().map(|state| {
                    StopReplicaPartitionError::default()
                        .with_topic_name(topic.topic_name.clone())
                        .with_partition_index(state.partition_index)
                })
            });
            let response = StopReplicaResponse::default().with_partition_errors(errors.collect());
            response.encode(&mut body, version).unwrap();
            RequestKind::StopReplica(request)
        }
        other => panic!("unexpected request {other:?}"),
    };
    assert!(frame.is_empty(), "the request is wholly consumed");
    let length = i32::try_from(body.len() - 4).unwrap();
    body[..4].copy_from_slice(&length.to_be_bytes());
    (request, body.freeze())
}

/// A broker process without its broker: session, registration, controller.
pub struct Candidate {
    pub id: BrokerId,
    pub session: Session,
    pub controller: ControllerHandle,
    service: ControllerService,
    environment: Arc<TestEnvironment>,
}

pub struct TestEnvironment {
    id: BrokerId,
    session: Mutex<Option<SessionId>>,
    pub epoch: Mutex<Option<BrokerEpoch>>,
}

fn addresses(id: BrokerId) -> BrokerRegistration {
    let endpoint = EndPoint {
        listener: ListenerName::new("PLAINTEXT"),
        protocol: SecurityProtocol::Plaintext,
        host: "test".to_owned(),
        port: u16::try_from(id.0).unwrap(),
    };
    BrokerRegistration { endpoints: vec![endpoint], rack: None, jmx_port: -1, features: Default::default() }
}

#[async_trait]
impl ControllerEnvironment for TestEnvironment {
    async fn register(&self, session: &Session) -> Result<(), RegisterError> {
        let previous = *self.session.lock();
        let registered =
            register_broker(session, self.id, &addresses(self.id), previous, Timestamp::now()).await?;
        *self.session.lock() = Some(registered.session);
        *self.epoch.lock() = Some(registered.epoch);
        Ok(())
    }

    fn unclean_leader_election_enable(&self, overrides: &Configs) -> bool {
        overrides.get("unclean.leader.election.enable").is_some_and(|value| value == "true")
    }

    fn features_version(&self) -> Option<ZnodeVersion> {
        Some(ZnodeVersion(i32::MAX))
    }
}

impl Candidate {
    pub async fn start(server: &Server, id: i32, brokers: &Arc<Brokers>) -> Candidate {
        let session = Session::connect(&server.config("/kafka", 6_000)).await.unwrap();
        Candidate::start_on(session, id, brokers).await
    }

    pub async fn start_on(session: Session, id: i32, brokers: &Arc<Brokers>) -> Candidate {
        let id = BrokerId(id);
        create_persistent_paths(&session).await.unwrap();
        let environment =
            Arc::new(TestEnvironment { id, session: Mutex::default(), epoch: Mutex::default() });
        environment.register(&session).await.unwrap();
        let settings = ControllerSettings {
            machine: ControllerConfig::new(id),
            listener: ListenerName::new("PLAINTEXT"),
            features_timeout: std::time::Duration::from_secs(6),
            versions: ControlVersions::of(InterBrokerProtocol::latest()),
            refusal_timeout: Some(std::time::Duration::from_millis(200)),
        };
        let connect = Arc::new(TestConnect(brokers.clone()));
        let (service, controller) =
            ControllerService::start(settings, &session, connect, environment.clone());
        Candidate { id, session, controller, service, environment }
    }

    pub fn store(&self) -> Store {
        Store::new(self.session.clone())
    }

    pub fn epoch(&self) -> BrokerEpoch {
        self.environment.epoch.lock().unwrap()
    }

    pub async fn stop(self) {
        self.service.stop().await;
        self.session.close().await;
    }
}

pub fn topic(lists: &[&[i32]]) -> TopicAssignment {
    let replicas =
        |list: &&[i32]| gregor_model::ReplicaAssignment::new(list.iter().copied().map(BrokerId).collect());
    let partitions = (0..).zip(lists.iter().map(replicas)).collect();
    TopicAssignment { topic_id: TopicId::from_random([7; 16]), partitions }
}
