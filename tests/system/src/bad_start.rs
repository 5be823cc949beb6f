//! Starts that cannot work: one clear line, a non-zero exit, and nothing changed, on disk or in ZooKeeper.

use anyhow::{Context as _, Result, ensure};
use gregor_harness::broker::gregor_binary;
use gregor_harness::java::run_with_input;
use gregor_harness::process::CommandLine;
use gregor_harness::{BrokerKind, Cluster, ClusterBuilder, TestContext, ports, run};
use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longer than the connection timeout these tests configure.
const EXIT_DEADLINE: Duration = Duration::from_secs(20);

#[test]
fn a_configuration_that_is_missing_or_malformed() {
    run(async |context| {
        let dir = context.dir();
        refused(&dir.join("absent.properties"), &["absent.properties"]).await?;
        let zookeeper = "zookeeper.connect=127.0.0.1:1\n";
        let listener = format!("listeners=PLAINTEXT://127.0.0.1:{}\n", ports::free_port()?);
        let data = format!("log.dirs={}\n", dir.join("data").display());
        for (text, words) in [
            ("broker.id=0\n".to_owned(), vec!["zookeeper.connect"]),
            (format!("{zookeeper}broker.id=zero\n"), vec!["broker.id", "zero"]),
            (format!("{zookeeper}num.io.threads=0\n"), vec!["num.io.threads"]),
            (format!("{zookeeper}listeners=127.0.0.1:9092\n"), vec!["127.0.0.1:9092"]),
            (
                format!("{zookeeper}listeners=PLAINTEXT://127.0.0.1:1,PLAINTEXT://127.0.0.1:2\n"),
                vec!["listener"],
            ),
            (format!("{zookeeper}listeners=OTHER://127.0.0.1:9092\n"), vec!["OTHER"]),
            (format!("{zookeeper}log.dir=\\u12\n"), vec![".properties"]),
            (
                format!("{zookeeper}{listener}{data}principal.builder.class=com.example.Builder\n"),
                vec!["principal.builder.class"],
            ),
        ] {
            let file = dir.join("bad.properties");
            fs::write(&file, &text)?;
            refused(&file, &words).await.with_context(|| format!("with {text:?}"))?;
        }
        ensure!(!dir.join("data").exists(), "a refused broker made its data directory");
        Ok(())
    });
}

#[test]
fn a_zookeeper_that_does_not_answer() {
    run(async |context| {
        let dir = context.dir();
        let file = dir.join("server.properties");
        let text = format!(
            "broker.id=0\nlisteners=PLAINTEXT://127.0.0.1:{}\nlog.dirs={}\nzookeeper.connect=127.0.0.1:{}\n\
             zookeeper.connection.timeout.ms=1500\n",
            ports::free_port()?,
            dir.join("data").display(),
            ports::free_port()?
        );
        fs::write(&file, text)?;
        refused(&file, &["ZooKeeper", "127.0.0.1:"]).await
    });
}

#[test]
fn a_data_directory_of_another_cluster_or_broker() {
    run(async |context| {
        let cluster = prepare(context).await?;
        let meta = cluster.brokers[0].data_dir().join("meta.properties");
        fs::write(&meta, "version=0\nbroker.id=0\ncluster.id=AAAAAAAAAAAAAAAAAAAAAA\n")?;
        cluster.znodes.create("/cluster", b"").await?;
        cluster.znodes.create("/cluster/id", br#"{"version":"1","id":"BBBBBBBBBBBBBBBBBBBBBB"}"#).await?;
        refused_by(&cluster, &["AAAAAAAAAAAAAAAAAAAAAA", "BBBBBBBBBBBBBBBBBBBBBB"]).await?;
        fs::write(&meta, "version=0\nbroker.id=7\ncluster.id=BBBBBBBBBBBBBBBBBBBBBB\n")?;
        refused_by(&cluster, &["7", "broker.id"]).await
    });
}

#[test]
fn a_port_that_is_taken() {
    run(async |context| {
        let cluster = prepare(context).await?;
        let address = cluster.brokers[0].address();
        let taken = TcpListener::bind(&address)?;
        refused_by(&cluster, &[&address]).await?;
        drop(taken);
        Ok(())
    });
}

/// A live ZooKeeper with the cluster's chroot, and broker 0 not yet started.
async fn prepare(context: &TestContext) -> Result<Cluster> {
    let mut cluster = ClusterBuilder::of(&[BrokerKind::Gregor]).prepare(context).await?;
    for path in ["/brokers", "/brokers/ids", "/brokers/topics"] {
        cluster.znodes.create_with_parents(path).await?;
    }
    cluster.broker(0)?.set_property("zookeeper.connection.timeout.ms", "5000");
    Ok(cluster)
}

/// The start of broker 0 is refused, its directory stays as it was, and ZooKeeper hears of no broker.
async fn refused_by(cluster: &Cluster, words: &[&str]) -> Result<()> {
    let broker = &cluster.brokers[0];
    broker.command_line()?;
    let before = files(&broker.data_dir())?;
    refused(&broker.properties_file(), words).await?;
    let after = files(&broker.data_dir())?;
    ensure!(before == after, "the data directory changed: {:?} became {:?}", before.keys(), after.keys());
    ensure!(cluster.znodes.broker_ids().await?.is_empty(), "a refused broker is registered");
    ensure!(cluster.znodes.controller().await?.is_none(), "a refused broker is controller");
    Ok(())
}

/// `gregor-broker FILE` says one line that has all of `words`, and exits with a failure.
async fn refused(file: &Path, words: &[&str]) -> Result<()> {
    let program = gregor_binary("gregor-broker")?.display().to_string();
    let line = CommandLine::new(program).arg(file.display().to_string());
    let output = tokio::time::timeout(EXIT_DEADLINE, run_with_input(line.command(), b""))
        .await
        .context("the broker does not give up")??;
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(!output.status.success(), "it started, or at least succeeded: {message}");
    ensure!(output.status.code().is_some(), "it did not exit by itself: {}", output.status);
    ensure!(message.lines().count() == 1, "not one line: {message}");
    for word in words {
        ensure!(message.contains(word), "the message does not name {word:?}: {message}");
    }
    Ok(())
}

/// Every file below `dir` but the lock, with its content.
fn files(dir: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
            found.insert(path, Vec::new());
        } else if path.file_name().is_some_and(|name| name != ".lock") {
            let content = fs::read(&path)?;
            found.insert(path, content);
        }
    }
    Ok(found)
}
