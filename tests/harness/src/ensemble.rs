//! A real ZooKeeper ensemble of one or three servers, each of which can be killed, paused, stopped and started again.

use crate::context::TestContext;
use crate::process::Process;
use crate::{java, ports, wait};
use anyhow::{Context as _, Result};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A JVM on a busy two-core machine may take its time.
const START_DEADLINE: Duration = Duration::from_secs(40);

/// Heap of a large server.
const LARGE_HEAP_MEBIBYTES: u32 = 2_048;

/// How an ensemble is laid out.
#[derive(Clone, Debug)]
pub struct EnsembleOptions {
    /// 1, or 3 (or more) for a quorum.
    pub servers: usize,
    /// The address servers listen on and clients are told.
    pub host: String,
    /// Forces every transaction to disk before answering. Off, as no test cuts the machine's power.
    pub force_sync: bool,
    /// For hundreds of thousands of znodes and for measuring: much heap, and the JVM's own defaults for speed.
    pub large: bool,
}

impl Default for EnsembleOptions {
    fn default() -> Self {
        EnsembleOptions { servers: 1, host: "127.0.0.1".to_owned(), force_sync: false, large: false }
    }
}

/// ZooKeeper servers 0..n.
#[derive(Debug)]
pub struct Ensemble {
    servers: Vec<ZooKeeperServer>,
}

/// One ZooKeeper server.
#[derive(Debug)]
pub struct ZooKeeperServer {
    name: String,
    address: String,
    config: PathBuf,
    force_sync: bool,
    large: bool,
    context: TestContext,
    process: Option<Process>,
}

impl Ensemble {
    /// Starts an ensemble and waits until every server serves.
    pub async fn start(context: &TestContext, options: &EnsembleOptions) -> Result<Ensemble> {
        let mut ensemble = Ensemble::prepare(context, options)?;
        ensemble.start_all().await?;
        Ok(ensemble)
    }

    fn prepare(context: &TestContext, options: &EnsembleOptions) -> Result<Ensemble> {
        let peers = (0..options.servers)
            .map(|_| Ok((ports::free_port()?, ports::free_port()?)))
            .collect::<Result<Vec<(u16, u16)>>>()?;
        let servers = (0..options.servers)
            .map(|index| ZooKeeperServer::prepare(context, options, index, &peers))
            .collect::<Result<_>>()?;
        Ok(Ensemble { servers })
    }

    /// Starts every server that does not run, and waits until all serve.
    pub async fn start_all(&mut self) -> Result<()> {
        for server in &mut self.servers {
            server.spawn()?;
        }
        for server in &self.servers {
            server.wait_until_serving().await?;
        }
        Ok(())
    }

    /// Kills every server at once.
    pub fn kill_all(&mut self) {
        self.servers.iter_mut().for_each(ZooKeeperServer::kill);
    }

    /// What clients and brokers are given: every server, no chroot.
    pub fn connect_string(&self) -> String {
        self.servers.iter().map(|server| server.address.as_str()).collect::<Vec<_>>().join(",")
    }

    /// Server `index` (0-based).
    pub fn server(&mut self, index: usize) -> &mut ZooKeeperServer {
        &mut self.servers[index]
    }

    /// How many servers there are.
    pub fn len(&self) -> usize {
        self.servers.len()
    }

    /// Whether there is no server.
    pub fn is_empty(&self) -> bool {
        self.servers.is_empty()
    }

    /// The server that leads the quorum.
    pub async fn leader(&self) -> Result<usize> {
        for (index, server) in self.servers.iter().enumerate() {
            if server.four_letters("srvr").await.is_ok_and(|text| text.contains("Mode: leader")) {
                return Ok(index);
            }
        }
        anyhow::bail!("no ZooKeeper server says that it leads")
    }

    /// The server that holds a client's session, told by the client's local port.
    pub async fn server_of_session(&self, session_id: i64) -> Result<usize> {
        let wanted = format!("sid=0x{session_id:x},");
        for (index, server) in self.servers.iter().enumerate() {
            if server.four_letters("cons").await.is_ok_and(|text| text.contains(&wanted)) {
                return Ok(index);
            }
        }
        anyhow::bail!("no ZooKeeper server has a connection with {wanted}")
    }
}

impl ZooKeeperServer {
    fn prepare(
        context: &TestContext,
        options: &EnsembleOptions,
        index: usize,
        peers: &[(u16, u16)],
    ) -> Result<ZooKeeperServer> {
        let id = index + 1;
        let name = format!("zookeeper-{id}");
        let dir = context.create_dir(&name)?;
        let data = context.create_dir(&format!("{name}/data"))?;
        let port = ports::free_port()?;
        // Sessions expire at the tick after their timeout: a short tick makes that exact.
        // A lone server, too, runs as a quorum (standaloneEnabled=false): in standalone mode a connection that comes in the
        // moment between listening and loading the database takes the server's listener down with it.
        let mut config = format!(
            "tickTime=200\ninitLimit=50\nsyncLimit=25\ndataDir={}\nclientPort={port}\nclientPortAddress={}\n\
             admin.enableServer=false\nmaxClientCnxns=0\n4lw.commands.whitelist=*\nminSessionTimeout=1000\n\
             maxSessionTimeout=60000\nextendedTypesEnabled=true\nstandaloneEnabled=false\n",
            data.display(),
            options.host
        );
        for (peer, (quorum, election)) in peers.iter().enumerate() {
            config.push_str(&format!("server.{}=127.0.0.1:{quorum}:{election}\n", peer + 1));
        }
        fs::write(data.join("myid"), format!("{id}\n"))?;
        let path = dir.join("zoo.cfg");
        fs::write(&path, config)?;
        Ok(ZooKeeperServer {
            name,
            address: format!("{}:{port}", options.host),
            config: path,
            force_sync: options.force_sync,
            large: options.large,
            context: context.clone(),
            process: None,
        })
    }

    /// Starts the server if it does not run, without waiting.
    pub fn spawn(&mut self) -> Result<()> {
        if self.process.is_some() {
            return Ok(());
        }
        let force_sync = if self.force_sync { "yes" } else { "no" };
        let properties = [
            ("zookeeper.forceSync", force_sync),
            ("org.slf4j.simpleLogger.defaultLogLevel", "warn"),
            // Every client that goes away without a word is a stack trace otherwise.
            ("org.slf4j.simpleLogger.log.org.apache.zookeeper.server.NIOServerCnxn", "error"),
            ("org.slf4j.simpleLogger.showDateTime", "true"),
            ("org.slf4j.simpleLogger.dateTimeFormat", "HH:mm:ss.SSS"),
        ];
        let main_class = "org.apache.zookeeper.server.quorum.QuorumPeerMain";
        let mut line = java::java(&java::zookeeper_class_path()?, &properties, main_class);
        if self.large {
            line = java::for_speed(line, LARGE_HEAP_MEBIBYTES);
        }
        let line = line.arg(self.config.display().to_string());
        self.process = Some(Process::spawn(&self.context, &self.name, &line)?);
        Ok(())
    }

    /// Starts the server and waits until it serves.
    pub async fn start(&mut self) -> Result<()> {
        self.spawn()?;
        self.wait_until_serving().await
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// `kill -9` and start again with the same data.
    pub async fn restart(&mut self) -> Result<()> {
        self.kill();
        self.start().await
    }

    /// SIGSTOP.
    pub fn pause(&self) {
        self.process.iter().for_each(Process::pause);
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.process.iter().for_each(Process::resume);
    }

    /// Host and port for clients.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Waits until the server is part of a quorum (or stands alone) and answers clients.
    pub async fn wait_until_serving(&self) -> Result<()> {
        wait::until_true(&format!("{} to serve", self.name), START_DEADLINE, || async {
            Ok(self.four_letters("srvr").await?.contains("Mode:"))
        })
        .await
    }

    async fn four_letters(&self, command: &str) -> Result<String> {
        let mut stream = TcpStream::connect(&self.address).await.context("connecting to ZooKeeper")?;
        stream.write_all(command.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }
}
