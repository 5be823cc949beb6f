//! Starting a broker (`KafkaServer.startup`), in Kafka's order: ZooKeeper, identity, logs, replicas, registration,
//! controller, configuration changes, listeners. Addresses are bound first, so that a port in use changes nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use gregor_config::BrokerConfig;
use gregor_controller_service::ControllerService;
use gregor_log::{LoadProgress, LogCleaner, LogManager, LogManagerConfig};
use gregor_model::{ListenerName, Timestamp};
use gregor_network::{BoundServer, NetworkConfig, Server};
use gregor_replication::{IsrAuthority, ReplicaManager, WireLeaders};
use gregor_wire::client::{ClientOptions, Connect, PlaintextConnect};
use gregor_zookeeper::store::Store;
use gregor_zookeeper::{Session, SessionConfig};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::control_runtime::ControlRuntime;
use super::identity::{self, Identity};
use super::open_files;
use crate::auto_topic_creation::AutoTopicCreation;
use crate::background;
use crate::broker::Broker;
use crate::compaction;
use crate::config_admin::{BrokerLayers, ConfigAdmin};
use crate::controller_environment::BrokerAsController;
use crate::coordinators::{ConsumerProtocol, CoordinatorParts, Coordinators, PartitionCounts};
use crate::dispatch::Dispatcher;
use crate::dynamic_config::{self, Reconfigured};
use crate::features::{self, FeatureCache};
use crate::isr_in_zookeeper::IsrInZookeeper;
use crate::listeners::FollowedListeners;
use crate::log_dir_failure::{self, LogDirFailures};
use crate::log_levels::LogLevels;
use crate::metadata_cache::MetadataCache;
use crate::metrics::{self, BrokerMetrics, BrokerState, Observed};
use crate::node_to_controller::NodeToController;
use crate::quota_admin::QuotaAdmin;
use crate::registration::Registration;
use crate::replica_environment::BrokerEnvironment;
use crate::scram_admin::ScramAdmin;
use crate::settings::{self, ControlledShutdownSettings, RequestSettings};
use crate::topic_admin::{TopicAdmin, TopicDefaults};
use crate::topic_configs::TopicConfigs;
use crate::zookeeper_offsets::ZookeeperOffsets;

/// A broker that is ready: registered, and every listener accepting.
pub struct RunningBroker {
    pub(super) broker: Arc<Broker>,
    pub(super) server: Server,
    pub(super) controller: ControllerService,
    pub(super) session: Session,
    /// Where the session and the controller run.
    pub(super) control: Arc<ControlRuntime>,
    pub(super) logs: Arc<LogManager>,
    pub(super) connect: Arc<dyn Connect>,
    pub(super) inter_broker: ListenerName,
    pub(super) controlled_shutdown: ControlledShutdownSettings,
    /// Every task of the server itself; stopped by `stop`.
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
    /// Cancelled when the broker cannot go on.
    pub(super) failed: CancellationToken,
    /// What operators are told, until the very end.
    pub(super) metrics: MetricsPort,
}

/// The metrics, and the port that serves them if one is configured.
pub struct MetricsPort {
    pub(super) metrics: Arc<BrokerMetrics>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl MetricsPort {
    async fn open(config: &BrokerConfig) -> Result<MetricsPort> {
        let port = MetricsPort {
            metrics: Arc::new(BrokerMetrics::new()),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        let listener = config.properties().get("gregor.metrics.listener").map(str::trim);
        if let Some(listener) = listener.filter(|listener| !listener.is_empty()) {
            metrics::serve(listener, port.metrics.clone(), &port.tasks, port.stop.clone()).await?;
        }
        Ok(port)
    }

    /// Answers nobody any more.
    pub(super) async fn close(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Starts a broker.
pub async fn start(config: BrokerConfig, log_levels: Arc<LogLevels>) -> Result<RunningBroker> {
    let config = Arc::new(config);
    let began = Instant::now();
    open_files::raise_limit();
    let metrics = MetricsPort::open(&config).await?;
    let bound = BoundServer::bind(NetworkConfig::from_config(&config)?)?;
    let control = Arc::new(ControlRuntime::start()?);
    let session_config = session_config(&config)?;
    let session = control.run(async move { Session::connect(&session_config).await }).await??;
    let store = Store::new(session.clone());
    features::check(&store).await?;
    let identity = identity::establish(&config, &session).await?;
    let parts = Parts::build(&config, &identity, &session, &bound, &metrics.metrics).await?;
    parts.registration.check_addresses(&store).await?;
    // ZooKeeper counts a session's time in ticks, and from the last word it heard.
    let patience = config.zookeeper.session_timeout + config.zookeeper.session_timeout / 2;
    parts.registration.register_when_free(&session, patience).await?;
    let counts = PartitionCounts::read(&store, &config.values).await?;
    let at_zookeeper = (session.clone(), Arc::clone(&control));
    let running = match parts.run(config, identity, at_zookeeper, bound, counts, (log_levels, metrics)) {
        Ok(running) => running,
        Err(error) => {
            // The registration goes at once, not when the session times out.
            session.close().await;
            return Err(error);
        }
    };
    tracing::info!(
        broker = %running.broker.id,
        cluster = %running.broker.cluster_id,
        epoch = ?running.broker.registration.epoch(),
        took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        "broker is ready"
    );
    Ok(running)
}

fn session_config(config: &BrokerConfig) -> Result<SessionConfig> {
    let zookeeper = &config.zookeeper;
    // Its presence was checked when the configuration was read.
    let connect = config.values.opt_string("zookeeper.connect").unwrap_or_default().parse()?;
    Ok(SessionConfig {
        session_timeout: zookeeper.session_timeout,
        connection_timeout: zookeeper.connection_timeout,
        max_in_flight_requests: zookeeper.max_in_flight_requests,
        set_acl: zookeeper.set_acl,
        ..SessionConfig::new(connect)
    })
}

/// What is made before the broker registers.
struct Parts {
    logs: Arc<LogManager>,
    failures: tokio::sync::mpsc::Receiver<std::path::PathBuf>,
    layers: Arc<BrokerLayers>,
    topic_configs: Arc<TopicConfigs>,
    metadata: Arc<MetadataCache>,
    registration: Arc<Registration>,
    replicas: Arc<ReplicaManager>,
    /// With an old inter-broker protocol only.
    isr_in_zookeeper: Option<Arc<IsrInZookeeper>>,
    connect: Arc<dyn Connect>,
    stop: CancellationToken,
}

impl Parts {
    async fn build(
        config: &Arc<BrokerConfig>,
        identity: &Identity,
        session: &Session,
        bound: &BoundServer,
        metrics: &BrokerMetrics,
    ) -> Result<Parts> {
        let store = Store::new(session.clone());
        let layers = Arc::new(BrokerLayers::new(Arc::clone(config)));
        dynamic_config::load_layers(&store, identity.broker_id, &layers)
            .await
            .context("cannot read the brokers' configuration")?;
        let topic_configs = Arc::new(TopicConfigs::new(identity.broker_id, Arc::clone(&layers)));
        let overrides = topic_configs.load(&store).await.context("cannot read the topics' configuration")?;
        // What was changed in earlier runs is in force from the start.
        let values = &layers.current().values;
        let offline_dirs = identity.offline_dirs.clone();
        let log_config = settings::log_manager_config(values, config.log_dirs.clone(), offline_dirs);
        metrics.set_state(BrokerState::Recovery);
        let logs = open_logs(log_config, overrides, metrics.progress().clone()).await?;
        metrics.set_state(BrokerState::Starting);
        let failures = log_dir_failure::listen(&logs);
        let metadata = Arc::new(MetadataCache::new());
        let endpoints = config.listeners.advertised_endpoints(&host_name(), &bound.ports());
        let rack = config.identity.rack.clone();
        let registration = Arc::new(Registration::new(identity.broker_id, endpoints, rack));
        let connect: Arc<dyn Connect> = Arc::new(PlaintextConnect::new(client_options(config)));
        let stop = CancellationToken::new();
        let environment = BrokerEnvironment {
            metadata: metadata.clone(),
            registration: registration.clone(),
            topics: topic_configs.clone(),
            listener: config.listeners.inter_broker.clone(),
        };
        let isr_in_zookeeper = (!config.inter_broker_protocol.has_alter_partition())
            .then(|| Arc::new(IsrInZookeeper::new(identity.broker_id, store)));
        let authority: Arc<dyn IsrAuthority> = match &isr_in_zookeeper {
            Some(in_zookeeper) => in_zookeeper.clone(),
            None => Arc::new(NodeToController::new(
                "alter-partition",
                identity.broker_id,
                settings::control_listener(config),
                metadata.clone(),
                connect.clone(),
                stop.clone(),
            )),
        };
        let replicas = ReplicaManager::new(
            settings::replication_config(config, identity.broker_id),
            logs.clone(),
            authority,
            Arc::new(WireLeaders::new(connect.clone())),
            Arc::new(environment),
        );
        Ok(Parts {
            logs,
            failures,
            layers,
            topic_configs,
            metadata,
            registration,
            replicas,
            isr_in_zookeeper,
            connect,
            stop,
        })
    }

    /// The coordinators, of no partition yet.
    fn coordinators(
        &self,
        config: &BrokerConfig,
        identity: &Identity,
        counts: PartitionCounts,
        store: &Store,
    ) -> Arc<Coordinators> {
        let controller = NodeToController::new(
            "producer-ids",
            identity.broker_id,
            settings::control_listener(config),
            self.metadata.clone(),
            self.connect.clone(),
            self.stop.clone(),
        );
        let parts = CoordinatorParts {
            id: identity.broker_id,
            listener: config.listeners.inter_broker.clone(),
            replicas: self.replicas.clone(),
            metadata: self.metadata.clone(),
            connect: self.connect.clone(),
            controller: Arc::new(controller),
            registration: self.registration.clone(),
            store: store.clone(),
        };
        Arc::new(Coordinators::new(&config.values, parts, counts))
    }

    /// Starts what replicates, and the watch over the threads that append: on another runtime than theirs.
    fn start_replication(&self, control: &ControlRuntime) {
        self.replicas.start();
        let workers = Handle::current();
        control.enter(|| tokio::spawn(self.replicas.clone().watch_appends(workers)));
    }

    /// Starts housekeeping, and what follows changes in ZooKeeper.
    fn start_duties(
        &self,
        tasks: &TaskTracker,
        broker: &Broker,
        session: &Session,
        config: &BrokerConfig,
    ) -> Option<Arc<LogCleaner>> {
        background::start(tasks, &self.stop, &self.logs, settings::log_schedule(&config.values));
        let cleaner = compaction::start(tasks, &self.stop, &self.logs, &self.layers);
        tasks.spawn(features::follow(session.clone(), broker.features.clone(), self.stop.clone()));
        if let Some(in_zookeeper) = self.isr_in_zookeeper.clone() {
            let stop = self.stop.clone();
            tasks.spawn(async move { in_zookeeper.announce(stop).await });
        }
        tasks.spawn(broker.consumer_protocol.clone().follow(session.clone(), self.stop.clone()));
        let reconfigured = Reconfigured {
            broker: broker.id,
            layers: self.layers.clone(),
            topics: self.topic_configs.clone(),
            logs: self.logs.clone(),
            replicas: self.replicas.clone(),
            controller: broker.controller.clone(),
        };
        tasks.spawn(dynamic_config::follow(session.clone(), reconfigured, self.stop.clone()));
        cleaner
    }

    /// Starts every task and opens the listeners; the broker is registered already.
    fn run(
        self,
        config: Arc<BrokerConfig>,
        identity: Identity,
        (session, control): (Session, Arc<ControlRuntime>),
        bound: BoundServer,
        counts: PartitionCounts,
        (log_levels, metrics): (Arc<LogLevels>, MetricsPort),
    ) -> Result<RunningBroker> {
        let tasks = TaskTracker::new();
        let failed = CancellationToken::new();
        let features = Arc::new(FeatureCache::default());
        let settings = settings::request_settings(&config.values);
        let defaults = topic_defaults(&settings);
        let store = Store::new(session.clone());
        let environment = BrokerAsController {
            registration: self.registration.clone(),
            layers: self.layers.clone(),
            features: features.clone(),
        };
        let controller_settings = settings::controller_settings(&config, identity.broker_id);
        let (controller, handle) = control.enter(|| {
            let connect = self.connect.clone();
            ControllerService::start(controller_settings, &session, connect, Arc::new(environment))
        });
        let coordinators = self.coordinators(&config, &identity, counts, &store);
        coordinators.start(&config.values, &tasks, &self.stop);
        let broker = Arc::new(Broker {
            id: identity.broker_id,
            cluster_id: identity.cluster_id,
            settings,
            metadata: self.metadata.clone(),
            metadata_updates: Mutex::new(()),
            logs: self.logs.clone(),
            topic_configs: self.topic_configs.clone(),
            store: store.clone(),
            replicas: self.replicas.clone(),
            registration: self.registration.clone(),
            auto_topic_creation: AutoTopicCreation::default(),
            topic_admin: TopicAdmin::new(store.clone(), self.layers.clone(), defaults),
            controller: handle,
            features,
            coordinators,
            consumer_protocol: Arc::new(ConsumerProtocol::default()),
            zookeeper_offsets: ZookeeperOffsets::new(
                store.clone(),
                usize::try_from(config.values.i32("offset.metadata.max.bytes")).unwrap_or(0),
            ),
            config_admin: ConfigAdmin::new(
                identity.broker_id,
                store.clone(),
                self.layers.clone(),
                log_levels,
            ),
            quota_admin: QuotaAdmin::new(store.clone()),
            scram_admin: ScramAdmin::new(store.clone()),
        });
        self.start_replication(&control);
        let cleaner = self.start_duties(&tasks, &broker, &session, &config);
        let failures =
            LogDirFailures { id: broker.id, logs: self.logs.clone(), replicas: self.replicas, store };
        tasks.spawn(watch_log_dirs(failures, self.failures, self.stop.clone(), failed.clone()));
        let dispatcher = Dispatcher::new(broker.clone(), metrics.metrics.requests().clone());
        let server = bound.start(Arc::new(dispatcher))?;
        let followed = FollowedListeners::new(self.layers, server.listeners(), self.registration, &session);
        tasks.spawn(followed.follow(self.stop.clone()));
        metrics.metrics.observe(Observed {
            broker: broker.clone(),
            session: session.clone(),
            listeners: server.listeners(),
            cleaner,
        });
        metrics.metrics.set_state(BrokerState::Running);
        Ok(RunningBroker {
            broker,
            server,
            controller,
            session,
            control,
            logs: self.logs,
            connect: self.connect,
            inter_broker: config.listeners.inter_broker.clone(),
            controlled_shutdown: settings::controlled_shutdown_settings(&config.values),
            tasks,
            stop: self.stop,
            failed,
            metrics,
        })
    }
}

async fn watch_log_dirs(
    failures: LogDirFailures,
    queue: tokio::sync::mpsc::Receiver<std::path::PathBuf>,
    stop: CancellationToken,
    failed: CancellationToken,
) {
    if failures.handle(queue, stop).await {
        failed.cancel();
    }
}

async fn open_logs(
    config: LogManagerConfig,
    overrides: std::collections::HashMap<gregor_model::TopicName, gregor_log::LogConfig>,
    progress: Arc<LoadProgress>,
) -> Result<Arc<LogManager>> {
    let opened = tokio::task::spawn_blocking(move || {
        LogManager::open_observed(config, overrides, Timestamp::now(), &progress)
    })
    .await?;
    Ok(Arc::new(opened?))
}

fn topic_defaults(settings: &RequestSettings) -> TopicDefaults {
    TopicDefaults {
        partitions: settings.num_partitions,
        replication_factor: settings.default_replication_factor,
    }
}

/// How this broker behaves as a client of others.
fn client_options(config: &BrokerConfig) -> ClientOptions {
    let millis = |millis: i64| Duration::from_millis(u64::try_from(millis).unwrap_or(0));
    ClientOptions {
        connect_timeout: millis(config.values.i64("socket.connection.setup.timeout.ms")),
        request_timeout: millis(config.values.i32("controller.socket.timeout.ms").into()),
        ..ClientOptions::default()
    }
}

/// This machine's name, for listeners without a host.
pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
