//! Brokers of a development cluster: where the program is, and what it is started with.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::child::{Child, find_program};

/// What one broker needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// `broker.id`.
    pub id: i32,
    /// Its port on the loopback address.
    pub port: u16,
    /// `zookeeper.connect`.
    pub zookeeper_connect: &'a str,
    /// How many brokers the cluster has.
    pub brokers: u16,
}

/// `gregor-broker` beside this program, or where the shell finds it.
pub fn find() -> Result<PathBuf> {
    let beside = std::env::current_exe()?.with_file_name("gregor-broker");
    if beside.is_file() {
        return Ok(beside);
    }
    find_program("gregor-broker").with_context(|| {
        format!("no gregor-broker at {} nor on PATH: build it with `cargo build --release`", beside.display())
    })
}

/// Starts a broker in `data`/broker-N.
pub fn start(program: &Path, data: &Path, settings: &Settings<'_>) -> Result<Child> {
    let name = format!("broker-{}", settings.id);
    let dir = data.join(&name);
    fs::create_dir_all(&dir)?;
    let file = dir.join("server.properties");
    fs::write(&file, server_properties(settings, &dir.join("data")))?;
    let words = [program.display().to_string(), file.display().to_string()];
    Child::start(&name, &words, data)
}

fn server_properties(settings: &Settings<'_>, log_dir: &Path) -> String {
    let Settings { id, port, zookeeper_connect, brokers } = settings;
    let replicas = 3.min(*brokers);
    let in_sync = 2.min(replicas);
    format!(
        "broker.id={id}\nlisteners=PLAINTEXT://127.0.0.1:{port}\nlog.dirs={}\n\
         zookeeper.connect={zookeeper_connect}\nzookeeper.session.timeout.ms=6000\n\
         offsets.topic.replication.factor={replicas}\ntransaction.state.log.replication.factor={replicas}\n\
         transaction.state.log.min.isr={in_sync}\ngroup.initial.rebalance.delay.ms=0\n",
        log_dir.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internal_topics_fit_the_cluster() {
        let settings = Settings { id: 1, port: 9093, zookeeper_connect: "127.0.0.1:2181", brokers: 2 };
        let text = server_properties(&settings, Path::new("/data"));
        for line in
            ["broker.id=1", "listeners=PLAINTEXT://127.0.0.1:9093", "offsets.topic.replication.factor=2"]
        {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }
}
