//! A real ZooKeeper server of the test's own: free port, temporary directory, killed when dropped.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use gregor_zookeeper::client::published::PublishedConnector;
use gregor_zookeeper::client::{Client, Connector};
use gregor_zookeeper::{Session, SessionConfig, ZooKeeperError};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const JAR: &str = "/usr/share/java/zookeeper.jar";
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Server {
    directory: tempfile::TempDir,
    port: u16,
    process: Option<Child>,
}

impl Server {
    pub async fn start() -> Server {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let config = format!(
            "tickTime=500\ndataDir={0}\nclientPort={port}\nclientPortAddress=127.0.0.1\n\
             admin.enableServer=false\nmaxClientCnxns=0\n4lw.commands.whitelist=*\n\
             minSessionTimeout=1000\nmaxSessionTimeout=60000\n",
            directory.path().display()
        );
        std::fs::write(directory.path().join("zoo.cfg"), config).unwrap();
        let mut server = Server { directory, port, process: None };
        server.restart().await;
        server
    }

    /// Kills the server if it runs, starts it on the same data and waits until it serves.
    pub async fn restart(&mut self) {
        self.kill();
        let config: PathBuf = self.directory.path().join("zoo.cfg");
        let process = Command::new("java")
            .args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dzookeeper.forceSync=no"])
            .args(["-cp", JAR, "org.apache.zookeeper.server.quorum.QuorumPeerMain"])
            .arg(config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("java and Debian's package zookeeper are installed");
        self.process = Some(process);
        eventually("the server serves", async || self.serves().await).await;
    }

    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    async fn serves(&self) -> bool {
        let ask = async {
            let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await?;
            stream.write_all(b"srvr").await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            std::io::Result::Ok(answer.contains("Mode:"))
        };
        tokio::time::timeout(Duration::from_secs(2), ask).await.is_ok_and(|answer| answer.unwrap_or(false))
    }

    pub fn config(&self, chroot: &str, session_timeout_ms: u64) -> SessionConfig {
        let connect = format!("127.0.0.1:{}{chroot}", self.port).parse().unwrap();
        let session_timeout = Duration::from_millis(session_timeout_ms);
        SessionConfig { session_timeout, ..SessionConfig::new(connect) }
    }

    pub async fn session(&self) -> Session {
        Session::connect(&self.config("", 10_000)).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A free port below the range from which the kernel takes the ports of connecting sockets: within it, a client that
/// retries while the server is down may connect to itself.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 16_000;
    const COUNT: u16 = 16_000;
    let start = u16::try_from(std::process::id() % u32::from(COUNT)).unwrap();
    loop {
        let port = FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Waits for a condition, and fails the test when it does not come.
pub async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < PATIENCE, "timed out: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Fails the test when the future takes too long.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("timed out: {what}"),
    }
}

/// The real connector, which also remembers its clients and how often it was asked to take a session over.
pub struct RecordingConnector {
    inner: PublishedConnector,
    pub clients: Mutex<Vec<Arc<dyn Client>>>,
    pub reattachments: Mutex<usize>,
}

impl RecordingConnector {
    pub fn new(config: &SessionConfig) -> Arc<RecordingConnector> {
        Arc::new(RecordingConnector {
            inner: PublishedConnector::new(config.connect.clone(), config.session_timeout, false),
            clients: Mutex::default(),
            reattachments: Mutex::default(),
        })
    }

    /// Makes ZooKeeper end the session of the latest client, as if it had expired.
    pub async fn expire(&self) {
        let client = self.clients.lock().last().cloned().unwrap();
        // The two clients fight for the session until one of the closes comes through.
        eventually("the session is closed", async || match self.inner.reattach(client.as_ref()).await {
            Ok(other) => {
                other.close().await;
                false
            }
            Err(error) => error == ZooKeeperError::SessionExpired,
        })
        .await;
    }
}

#[async_trait]
impl Connector for RecordingConnector {
    async fn connect(&self) -> Result<Arc<dyn Client>, ZooKeeperError> {
        let client = self.inner.connect().await?;
        self.clients.lock().push(client.clone());
        Ok(client)
    }

    async fn reattach(&self, previous: &dyn Client) -> Result<Arc<dyn Client>, ZooKeeperError> {
        *self.reattachments.lock() += 1;
        let client = self.inner.reattach(previous).await?;
        self.clients.lock().push(client.clone());
        Ok(client)
    }

    async fn create_chroot(&self) -> Result<(), ZooKeeperError> {
        self.inner.create_chroot().await
    }
}
