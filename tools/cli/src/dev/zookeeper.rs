//! A real ZooKeeper for a development cluster: found on this machine, or explained how to install.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::child::{Child, find_program};

/// Debian's package.
const DEBIAN_JAR: &str = "/usr/share/java/zookeeper.jar";
const SERVE_DEADLINE: Duration = Duration::from_secs(60);

const HOW_TO_INSTALL: &str = "Install Debian's packages `zookeeper` and `default-jre-headless`, or unpack a release of \
     Apache ZooKeeper and set ZOOKEEPER_HOME to it, or pass --zookeeper HOST:PORT of one that runs";

/// How to start ZooKeeper.
#[derive(Clone, Debug)]
pub struct Installation {
    java: PathBuf,
    class_path: String,
}

/// Finds Java and ZooKeeper.
pub fn find() -> Result<Installation> {
    let java = match std::env::var_os("JAVA_HOME").map(|home| PathBuf::from(home).join("bin/java")) {
        Some(java) if java.is_file() => Some(java),
        _ => find_program("java"),
    };
    let Some(java) = java else { bail!("no Java found. {HOW_TO_INSTALL}") };
    if let Some(home) = std::env::var_os("ZOOKEEPER_HOME") {
        let lib = PathBuf::from(home).join("lib");
        ensure!(lib.is_dir(), "ZOOKEEPER_HOME has no directory lib: {}", lib.display());
        return Ok(Installation { java, class_path: format!("{}/*", lib.display()) });
    }
    ensure!(Path::new(DEBIAN_JAR).is_file(), "no ZooKeeper found. {HOW_TO_INSTALL}");
    Ok(Installation { java, class_path: format!("{DEBIAN_JAR}:/usr/share/java/slf4j-simple.jar") })
}

/// One server of the ensemble.
#[derive(Clone, Debug)]
pub struct Server {
    name: String,
    config: PathBuf,
    /// For clients, for the quorum, for elections.
    pub ports: [u16; 3],
}

/// Writes the configuration of `count` servers below `data`, on ports from `first_port` on.
pub fn lay_out(data: &Path, count: u16, first_port: u16) -> Result<Vec<Server>> {
    let ports: Vec<[u16; 3]> =
        (0..count).map(|index| [0, 1, 2].map(|port| first_port.saturating_add(3 * index + port))).collect();
    let mut servers = Vec::new();
    for (id, server_ports) in (1..).zip(&ports) {
        let name = format!("zookeeper-{id}");
        let dir = data.join(&name);
        fs::create_dir_all(dir.join("data"))?;
        fs::write(dir.join("data/myid"), format!("{id}\n"))?;
        let config = dir.join("zoo.cfg");
        fs::write(&config, zoo_cfg(&dir.join("data"), server_ports[0], &ports))?;
        servers.push(Server { name, config, ports: *server_ports });
    }
    Ok(servers)
}

/// A lone server, too, runs as a quorum: in standalone mode a client that connects in the moment before the database is
/// loaded takes the listener down.
fn zoo_cfg(data: &Path, client_port: u16, ports: &[[u16; 3]]) -> String {
    let mut text = format!(
        "tickTime=1000\ninitLimit=20\nsyncLimit=10\ndataDir={}\nclientPort={client_port}\n\
         clientPortAddress=127.0.0.1\nadmin.enableServer=false\nmaxClientCnxns=0\n4lw.commands.whitelist=*\n\
         autopurge.purgeInterval=1\nextendedTypesEnabled=true\nstandaloneEnabled=false\n",
        data.display()
    );
    for (id, [_, quorum, election]) in (1..).zip(ports) {
        text.push_str(&format!("server.{id}=127.0.0.1:{quorum}:{election}\n"));
    }
    text
}

impl Server {
    /// Starts the server.
    pub fn start(&self, installation: &Installation, data: &Path) -> Result<Child> {
        let words = [
            &installation.java.display().to_string(),
            "-Xmx256m",
            "-XX:+UseSerialGC",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-cp",
            &installation.class_path,
            "org.apache.zookeeper.server.quorum.QuorumPeerMain",
            &self.config.display().to_string(),
        ];
        Child::start(&self.name, &words.map(str::to_owned), data)
    }
}

/// What brokers are given.
pub fn connect_string(servers: &[Server]) -> String {
    let addresses: Vec<String> =
        servers.iter().map(|server| format!("127.0.0.1:{}", server.ports[0])).collect();
    addresses.join(",")
}

/// Waits until every server answers clients.
pub async fn wait_until_serving(servers: &[Server]) -> Result<()> {
    let start = Instant::now();
    for server in servers {
        while !serves(server.ports[0]).await.unwrap_or(false) {
            ensure!(
                start.elapsed() < SERVE_DEADLINE,
                "{} does not serve after {SERVE_DEADLINE:?}",
                server.name
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}

/// Whether ZooKeeper's `srvr` names a mode, which it does once it is part of a quorum.
async fn serves(port: u16) -> Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"srvr").await?;
    let mut answer = String::new();
    stream.take(64 * 1024).read_to_string(&mut answer).await?;
    Ok(answer.contains("Mode:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_know_each_other() {
        let dir = tempfile::tempdir().expect("a directory");
        let servers = lay_out(dir.path(), 3, 9192).expect("laid out");
        assert_eq!(connect_string(&servers), "127.0.0.1:9192,127.0.0.1:9195,127.0.0.1:9198");
        let config = fs::read_to_string(&servers[2].config).expect("written");
        for line in ["clientPort=9198", "server.1=127.0.0.1:9193:9194", "server.3=127.0.0.1:9199:9200"] {
            assert!(config.lines().any(|found| found == line), "{line} in {config}");
        }
    }
}
