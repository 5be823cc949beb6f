//! One broker process, Gregor's or Apache Kafka's: the same `server.properties`, directory and port for either, so that one
//! can take the other's place.

use crate::context::TestContext;
use crate::java;
use crate::process::{CommandLine, Process};
use crate::rpc::Rpc;
use anyhow::{Context as _, Result, bail, ensure};
use kafka_protocol::messages::MetadataRequest;
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// A JVM broker on a busy two-core machine may take its time.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// Short, because benchmarks measure with it.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// Whose broker it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokerKind {
    /// `gregor-broker`, from `GREGOR_BROKER_BIN` or the release build.
    Gregor,
    /// Apache Kafka 3.9, the oracle.
    Kafka,
}

impl BrokerKind {
    /// The brokers that `GREGOR_TEST_BROKERS` asks for, repeated to fill `count`: `gregor` (default), `kafka`, or a list such
    /// as `gregor,kafka`. This is how the same test runs on Gregor, on Kafka, and on a mixed cluster.
    pub fn chosen(count: usize) -> Result<Vec<BrokerKind>> {
        let wanted = std::env::var("GREGOR_TEST_BROKERS").unwrap_or_else(|_| "gregor".to_owned());
        let kinds = wanted.split(',').map(BrokerKind::parse).collect::<Result<Vec<_>>>()?;
        Ok(kinds.into_iter().cycle().take(count).collect())
    }

    fn parse(name: &str) -> Result<BrokerKind> {
        match name.trim() {
            "gregor" => Ok(BrokerKind::Gregor),
            "kafka" => Ok(BrokerKind::Kafka),
            other => bail!("GREGOR_TEST_BROKERS names {other:?}; it knows gregor and kafka"),
        }
    }
}

/// What a broker is started from.
#[derive(Clone, Debug)]
pub struct BrokerOptions {
    /// `broker.id`.
    pub id: i32,
    /// Whose broker.
    pub kind: BrokerKind,
    /// The address it listens on and advertises.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The network namespace it lives in.
    pub namespace: Option<String>,
    /// `zookeeper.connect`.
    pub zookeeper_connect: String,
    /// How many log directories it has.
    pub log_dirs: usize,
    /// Heap in MiB with which Kafka's broker runs for speed ([`java::for_speed`]); None: as small as tests need it.
    pub kafkas_heap: Option<u32>,
    /// Everything else of `server.properties`; wins over what the harness sets.
    pub properties: BTreeMap<String, String>,
}

/// A broker that may or may not run at the moment.
#[derive(Debug)]
pub struct Broker {
    options: BrokerOptions,
    dir: PathBuf,
    context: TestContext,
    process: Option<Process>,
}

impl Broker {
    /// Makes the broker's directory; nothing is started.
    pub fn prepare(context: &TestContext, options: BrokerOptions) -> Result<Broker> {
        let dir = context.create_dir(&format!("broker-{}", options.id))?;
        let broker = Broker { options, dir, context: context.clone(), process: None };
        broker.data_dirs().iter().try_for_each(fs::create_dir_all)?;
        Ok(broker)
    }

    /// `broker.id`.
    pub fn id(&self) -> i32 {
        self.options.id
    }

    /// Whose broker it is.
    pub fn kind(&self) -> BrokerKind {
        self.options.kind
    }

    /// Host and port.
    pub fn address(&self) -> String {
        format!("{}:{}", self.options.host, self.options.port)
    }

    /// `zookeeper.connect`.
    pub fn zookeeper_connect(&self) -> String {
        self.options.zookeeper_connect.clone()
    }

    /// The first of `log.dirs`; most brokers have no other.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// `log.dirs`.
    pub fn data_dirs(&self) -> Vec<PathBuf> {
        let further = (1..self.options.log_dirs).map(|number| self.dir.join(format!("data-{number}")));
        std::iter::once(self.data_dir()).chain(further).collect()
    }

    /// `server.properties`, as last written by a start.
    pub fn properties_file(&self) -> PathBuf {
        self.dir.join("server.properties")
    }

    /// Sets one property for the next start.
    pub fn set_property(&mut self, key: &str, value: &str) {
        self.options.properties.insert(key.to_owned(), value.to_owned());
    }

    /// From the next start on, the other implementation works in this directory.
    pub fn set_kind(&mut self, kind: BrokerKind) {
        self.options.kind = kind;
    }

    /// The running process.
    pub fn process(&mut self) -> Result<&mut Process> {
        self.process.as_mut().with_context(|| format!("broker {} does not run", self.options.id))
    }

    /// Starts the broker without waiting.
    pub fn spawn(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "broker {} runs already", self.options.id);
        let line = self.command_line()?;
        let name = format!("broker-{}", self.options.id);
        self.process = Some(Process::spawn(&self.context, &name, &line)?);
        Ok(())
    }

    /// The command that starts this broker, its `server.properties` written.
    pub fn command_line(&self) -> Result<CommandLine> {
        let properties = self.properties_file();
        fs::write(&properties, self.server_properties())?;
        let line = match self.options.kind {
            BrokerKind::Gregor => CommandLine::new(gregor_binary("gregor-broker")?.display().to_string()),
            BrokerKind::Kafka => {
                let line = java::kafka("kafka.Kafka", &java::write_log4j(&self.dir, "INFO")?)?;
                self.options.kafkas_heap.map_or(line.clone(), |heap| java::for_speed(line, heap))
            }
        };
        let mut line = line.arg(properties.display().to_string());
        line.namespace.clone_from(&self.options.namespace);
        Ok(line)
    }

    /// Starts the broker and waits until it serves. Apache Kafka's gives up while the registration of its killed predecessor
    /// lasts; it is started again, as a supervisor does.
    pub async fn start(&mut self) -> Result<()> {
        let begun = Instant::now();
        loop {
            self.spawn()?;
            let ready = self.wait_until_ready().await;
            let gave_up = self.options.kind == BrokerKind::Kafka && self.process()?.exited().is_some();
            if ready.is_ok() || !gave_up || begun.elapsed() > START_DEADLINE {
                return ready;
            }
            self.process = None;
        }
    }

    /// Waits until the broker answers Metadata and knows of itself.
    pub async fn wait_until_ready(&mut self) -> Result<()> {
        let what = format!("broker {} to be ready", self.options.id);
        let start = Instant::now();
        loop {
            if let Some(status) = self.process()?.exited() {
                bail!("broker {} ended with {status} while starting", self.options.id);
            }
            if self.knows_itself().await.unwrap_or(false) {
                return Ok(());
            }
            ensure!(start.elapsed() < START_DEADLINE, "waited {START_DEADLINE:?} for {what}");
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Whether the broker answers Metadata and knows of itself; for those who run the process themselves.
    pub async fn answers(&self) -> Result<bool> {
        Ok(self.knows_itself().await.unwrap_or(false))
    }

    async fn knows_itself(&self) -> Result<bool> {
        let request = MetadataRequest::default().with_topics(Some(Vec::new()));
        let metadata = Rpc::connect(&self.address()).await?.call(5, &request).await?;
        Ok(metadata.brokers.iter().any(|broker| broker.node_id.0 == self.options.id))
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// SIGTERM, and waits for the controlled shutdown to end.
    pub async fn stop(&mut self) -> Result<ExitStatus> {
        let process = self.process()?;
        process.signal(Signal::TERM);
        let status = process.wait_for_exit(Duration::from_secs(30)).await?;
        self.process = None;
        Ok(status)
    }

    /// SIGSTOP.
    pub fn pause(&self) {
        self.process.iter().for_each(Process::pause);
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.process.iter().for_each(Process::resume);
    }

    /// What the broker has logged so far.
    pub fn log(&self) -> Result<String> {
        let path = self.context.log_file(&format!("broker-{}", self.options.id))?;
        Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
    }

    fn server_properties(&self) -> String {
        let options = &self.options;
        let address = self.address();
        let dirs: Vec<String> = self.data_dirs().iter().map(|dir| dir.display().to_string()).collect();
        let mut properties: BTreeMap<&str, String> = BTreeMap::from([
            ("broker.id", options.id.to_string()),
            ("listeners", format!("PLAINTEXT://{address}")),
            ("log.dirs", dirs.join(",")),
            ("zookeeper.connect", options.zookeeper_connect.clone()),
            ("zookeeper.session.timeout.ms", "3000".to_owned()),
            ("zookeeper.connection.timeout.ms", "20000".to_owned()),
            // What a follower may lag, and how often ISRs are looked at: tests should not wait long for either.
            ("replica.lag.time.max.ms", "3000".to_owned()),
            ("replica.fetch.backoff.ms", "200".to_owned()),
            ("controlled.shutdown.retry.backoff.ms", "500".to_owned()),
            ("offsets.topic.replication.factor", "1".to_owned()),
            ("offsets.topic.num.partitions", "1".to_owned()),
            ("num.network.threads", "2".to_owned()),
            ("num.io.threads", "4".to_owned()),
            // Kafka takes 128 MiB of heap for this otherwise.
            ("log.cleaner.dedupe.buffer.size", "4194304".to_owned()),
        ]);
        properties.extend(options.properties.iter().map(|(key, value)| (key.as_str(), value.clone())));
        properties.iter().map(|(key, value)| format!("{key}={value}\n")).collect()
    }
}

/// A program of ours: `GREGOR_BIN_DIR`, `GREGOR_BROKER_BIN` for the broker alone, or cargo's release directory.
pub fn gregor_binary(name: &str) -> Result<PathBuf> {
    let named = std::env::var_os("GREGOR_BROKER_BIN").filter(|_| name == "gregor-broker").map(PathBuf::from);
    let dir = std::env::var_os("GREGOR_BIN_DIR").map(PathBuf::from);
    let path = named.unwrap_or_else(|| dir.unwrap_or_else(|| java::target_dir().join("release")).join(name));
    ensure!(
        Path::new(&path).exists(),
        "{} is missing: run `tests/run system`, which builds it",
        path.display()
    );
    Ok(path)
}
