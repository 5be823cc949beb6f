//! What an administrator changes while a broker runs, with `gregor configs`: its listeners and the addresses it is known by, how
//! many connections it takes, and what its loggers tell.

use crate::data_tools::{gregor, said};
use anyhow::{Result, ensure};
use gregor_harness::cluster::SETTLE;
use gregor_harness::{BrokerKind, Cluster, ClusterBuilder, TestContext, ports, run, wait};
use std::net::SocketAddr;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpSocket, TcpStream};

async fn start(context: &TestContext) -> Result<Cluster> {
    ClusterBuilder::of(&[BrokerKind::Gregor]).start(context).await
}

/// Changes the configs of broker 0.
async fn alter(cluster: &Cluster, change: &[&str]) -> Result<()> {
    let words = [&["--alter", "--broker", "0"], change].concat();
    said("configs", &cluster.bootstrap(), &words, "").await.map(drop)
}

/// Whether the registration of broker 0 names this endpoint.
async fn is_registered(cluster: &Cluster, endpoint: &str) -> Result<bool> {
    let data = cluster.znodes.data("/brokers/ids/0").await?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&data).contains(endpoint))
}

#[test]
fn a_listener_is_added_and_removed_while_the_broker_runs() {
    run(async |context| {
        let cluster = start(context).await?;
        let inside = format!("PLAINTEXT://{}", cluster.brokers[0].address());
        let extra = format!("127.0.0.1:{}", ports::free_port()?);
        let outside = format!("EXTRA://{extra}");
        let listeners = format!(
            "listeners=[{inside},{outside}],advertised.listeners=[{inside},{outside}],listener.security.protocol.map=[PLAINTEXT:PLAINTEXT,EXTRA:PLAINTEXT]"
        );
        alter(&cluster, &["--add-config", &listeners]).await?;
        wait::until_true("the addresses to be registered", SETTLE, || is_registered(&cluster, &outside))
            .await?;
        // Through it, the brokers are known by their addresses there.
        wait::until_true("the listener to be told of", SETTLE, async || {
            Ok(said("broker-api-versions", &extra, &[], "").await?.starts_with(&format!("{extra} (id: 0")))
        })
        .await?;
        let mut connected = TcpStream::connect(&extra).await?;

        // The listener of the brokers stays, and so does what each protocol stands for; and what cannot be served is not begun.
        let unknown = "listener.security.protocol.map=[PLAINTEXT:PLAINTEXT,SAFE:SSL]";
        for refused in [
            format!("listeners=[{inside},SAFE://127.0.0.1:0],advertised.listeners={inside},{unknown}"),
            format!("listeners={outside},advertised.listeners={outside}"),
            format!("listeners=[{inside},EXTRA://nowhere]"),
        ] {
            let words = ["--alter", "--broker", "0", "--add-config", &refused];
            let output = gregor("configs", &cluster.bootstrap(), &words, "").await?;
            ensure!(!output.status.success(), "{refused} is taken");
        }
        said("topics", &extra, &["--list"], "").await?;

        let names = "listeners,advertised.listeners,listener.security.protocol.map";
        alter(&cluster, &["--delete-config", names]).await?;
        wait::until_true("the listener to be gone", SETTLE, async || {
            let registered = is_registered(&cluster, &outside).await?;
            Ok(!registered && TcpStream::connect(&extra).await.is_err())
        })
        .await?;
        let read = connected.read(&mut [0; 1]).await;
        ensure!(read.is_err() || matches!(read, Ok(0)), "its connections stay");
        ensure!(is_registered(&cluster, &inside).await?, "nothing is registered");
        said("topics", &cluster.bootstrap(), &["--list"], "").await.map(drop)
    });
}

/// Whether the broker serves a connection from another address of this machine.
async fn is_served(cluster: &Cluster) -> Result<bool> {
    let socket = TcpSocket::new_v4()?;
    socket.bind("127.0.0.2:0".parse()?)?;
    let address: SocketAddr = cluster.brokers[0].address().parse()?;
    let mut stream = socket.connect(address).await?;
    // A connection that is refused is closed at once, and one that is served stays open.
    let closed = tokio::time::timeout(std::time::Duration::from_millis(500), stream.read(&mut [0; 1])).await;
    Ok(closed.is_err())
}

#[test]
fn limits_of_connections_change_while_the_broker_runs() {
    run(async |context| {
        let cluster = start(context).await?;
        ensure!(is_served(&cluster).await?, "it is not served from the start");
        for key in [
            "max.connections.per.ip.overrides=[127.0.0.2:0]",
            "max.connections.per.ip.overrides=[127.0.0.2:5]",
        ] {
            alter(&cluster, &["--add-config", key]).await?;
            let served = key.ends_with(":5]");
            wait::until_true(key, SETTLE, async || Ok(is_served(&cluster).await? == served)).await?;
        }
        alter(&cluster, &["--delete-config", "max.connections.per.ip.overrides"]).await?;
        wait::until_true("it to be served again", SETTLE, || is_served(&cluster)).await
    });
}

#[test]
fn loggers_tell_what_they_are_set_to() {
    run(async |context| {
        let cluster = start(context).await?;
        let level = async |change: &[&str]| {
            let words = [&["--alter", "--broker-logger", "0"], change].concat();
            said("configs", &cluster.bootstrap(), &words, "").await.map(drop)
        };
        let log = || cluster.brokers[0].log();
        let create = async |topic: &str| {
            said("topics", &cluster.bootstrap(), &["--create", "--topic", topic, "--partitions", "1"], "")
                .await
        };
        create("before").await?;
        let told = ["completed request", "telling a broker"];
        ensure!(
            !told.iter().any(|line| log().is_ok_and(|log| log.contains(line))),
            "it is told before it is asked for"
        );
        level(&["--add-config", "kafka.request.logger=DEBUG,state.change.logger=DEBUG"]).await?;
        create("meanwhile").await?;
        wait::until_true("requests and state changes to be told", SETTLE, async || {
            let log = log()?;
            let request = log.lines().any(|line| line.contains(told[0]) && line.contains("CreateTopics"));
            let change = log.lines().any(|line| line.contains(told[1]) && line.contains("LeaderAndIsr"));
            Ok(request && change && log.contains("meanwhile-0"))
        })
        .await?;
        let described =
            said("configs", &cluster.bootstrap(), &["--describe", "--broker-logger", "0"], "").await?;
        ensure!(described.contains("  kafka.request.logger=DEBUG sensitive=false"), "{described}");
        level(&["--delete-config", "kafka.request.logger,state.change.logger"]).await?;
        // The request that changed the level may still be told.
        create("quiet").await?;
        let lines = log()?.matches(told[0]).count();
        create("after").await?;
        ensure!(log()?.matches(told[0]).count() == lines, "requests are told for ever");
        Ok(())
    });
}
