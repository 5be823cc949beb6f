//! Kafka Connect on Gregor: a distributed worker that copies a file into a topic, and the topic into another file.

use anyhow::{Context as _, Result, ensure};
use gregor_harness::java::{fetched, java, kafka_libs, write_log4j};
use gregor_harness::{BrokerKind, ClusterBuilder, Process, ports, run_within, wait};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const DEADLINE: Duration = Duration::from_secs(240);
/// A worker starts slowly on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
const LINES: usize = 500;

#[test]
fn a_file_goes_through_a_topic_into_another_file() {
    run_within(DEADLINE, async |context| {
        let mut cluster = ClusterBuilder::of(&[BrokerKind::Gregor; 3])
            .property("offsets.topic.replication.factor", "3")
            .property("group.initial.rebalance.delay.ms", "200")
            .start(context)
            .await?;
        cluster.create_topic("copied", 1, 3).await?;
        let (source, sink) = (context.dir().join("source.txt"), context.dir().join("sink.txt"));
        fs::write(&source, lines(0))?;
        let port = ports::free_port()?;
        let settings = context.dir().join("worker.properties");
        fs::write(&settings, worker(&cluster.bootstrap(), port))?;
        // Its connectors come by the class path.
        let class_path = format!("{}/*:{}/*", kafka_libs()?.display(), fetched("applications")?.display());
        let log4j = format!("file:{}", write_log4j(context.dir(), "INFO")?.display());
        let flags = [("log4j.configuration", log4j.as_str())];
        let line = java(&class_path, &flags, "org.apache.kafka.connect.cli.ConnectDistributed")
            .arg(settings.display().to_string());
        let _worker = Process::spawn(context, "worker", &line)?;
        let connectors =
            [("source", "FileStreamSource", "topic", &source), ("sink", "FileStreamSink", "topics", &sink)];
        for (name, class, key, file) in connectors {
            let body = format!(
                r#"{{"name":"{name}","config":{{"connector.class":"{class}","tasks.max":"1","file":"{}","{key}":"copied"}}}}"#,
                file.display()
            );
            wait::until_true(&format!("connector {name} to be created"), PATIENCE, || async {
                let answer = request(port, "POST", "/connectors", &body).await?;
                // The second: an earlier try was heard.
                ensure!(answer.starts_with("HTTP/1.1 201") || answer.starts_with("HTTP/1.1 409"), "{answer}");
                let status = request(port, "GET", &format!("/connectors/{name}/status"), "").await?;
                Ok(status.matches("RUNNING").count() == 2)
            })
            .await?;
        }
        let copied = async |wanted: String| {
            wait::until_true("the copy", PATIENCE, || async {
                let found = fs::read_to_string(&sink)?;
                ensure!(found == wanted, "{} of {} bytes are there", found.len(), wanted.len());
                Ok(true)
            })
            .await
        };
        copied(lines(0)).await?;
        // It goes on when the group's coordinator is another broker.
        let leader = cluster
            .wait_for_state("__consumer_offsets", 0, "a leader", |state| state.leader >= 0)
            .await?
            .leader;
        cluster.broker(leader)?.kill();
        OpenOptions::new().append(true).open(&source)?.write_all(lines(1).as_bytes())?;
        copied(lines(0) + &lines(1)).await
    });
}

fn lines(part: usize) -> String {
    (0..LINES).map(|line| format!("part {part}, line {line}\n")).collect()
}

fn worker(bootstrap: &str, port: u16) -> String {
    let storage = ["offset", "config", "status"]
        .map(|name| format!("{name}.storage.topic=connect-{name}\n{name}.storage.replication.factor=3\n"));
    format!(
        "bootstrap.servers={bootstrap}\ngroup.id=connect\nlisteners=http://127.0.0.1:{port}\n\
         offset.flush.interval.ms=500\nplugin.discovery=only_scan\n\
         key.converter=org.apache.kafka.connect.storage.StringConverter\n\
         value.converter=org.apache.kafka.connect.storage.StringConverter\n{}",
        storage.concat()
    )
}

/// One HTTP request; gives the whole answer.
async fn request(port: u16, method: &str, path: &str, body: &str) -> Result<String> {
    let mut stream =
        TcpStream::connect(("127.0.0.1", port)).await.context("the worker does not listen yet")?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
