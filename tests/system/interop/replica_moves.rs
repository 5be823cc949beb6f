//! Apache Kafka's tools for log directories and records against Gregor and against Kafka: kafka-reassign-partitions with log
//! directories in its JSON, kafka-log-dirs, kafka-delete-records. What they print is the same, but for paths and sizes.

use anyhow::{Context as _, Result, ensure};
use gregor_harness::cluster::SETTLE;
use gregor_harness::java::kafka_tool;
use gregor_harness::{BrokerKind, Cluster, ClusterBuilder, TestContext, run_within, wait};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const TOPIC: &str = "moved";
const MESSAGES: usize = 200;
const REASSIGN: &str = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand";
/// A JVM starts for every command.
const DEADLINE: Duration = Duration::from_secs(240);

#[test]
fn kafkas_tools_move_replicas_between_log_directories() {
    run_within(DEADLINE, async |context| {
        let gregor = session(context, BrokerKind::Gregor);
        let kafka = session(context, BrokerKind::Kafka);
        let (gregor, kafka) = tokio::try_join!(gregor, kafka)?;
        for ((what, gregor), (_, kafka)) in gregor.iter().zip(&kafka) {
            ensure!(gregor == kafka, "{what}: Gregor:\n{gregor}\nKafka:\n{kafka}");
        }
        ensure!(gregor.len() == kafka.len(), "one said more than the other");
        Ok(())
    });
}

/// What was asked, and what a tool printed.
type Said = Vec<(&'static str, String)>;

/// The broker of one kind with the two log directories it has.
struct Subject {
    context: TestContext,
    cluster: Cluster,
    dirs: [PathBuf; 2],
}

async fn session(context: &TestContext, kind: BrokerKind) -> Result<Said> {
    let context = TestContext::in_directory(context.create_dir(&format!("{kind:?}"))?);
    let mut dirs = [context.create_dir("one")?, context.create_dir("other")?];
    let log_dirs = format!("{},{}", dirs[0].display(), dirs[1].display());
    let cluster = ClusterBuilder::of(&[kind])
        .property("log.dirs", &log_dirs)
        .property("log.segment.bytes", "4000")
        .start(&context)
        .await?;
    cluster.create_topic(TOPIC, 2, 1).await?;
    if dirs[1].join(format!("{TOPIC}-0")).exists() {
        dirs.swap(0, 1);
    }
    let subject = Subject { context, cluster, dirs };
    let lines: String = (0..MESSAGES).map(|n| format!("line {n} {}\n", "x".repeat(n % 50))).collect();
    for partition in ["0", "1"] {
        let arguments = ["-p", partition, "-X", "acks=all", "-X", "batch.size=500"];
        subject.cluster.kcat().produce(TOPIC, &arguments, &lines).await?;
    }
    let mut said = subject.move_replicas().await?;
    said.extend(subject.delete_records().await?);
    Ok(said)
}

impl Subject {
    /// Partition 0 goes to the other directory, partition 1 may stay where it is; then to one that does not exist.
    async fn move_replicas(&self) -> Result<Said> {
        let target = self.dirs[1].display().to_string();
        let file = self.file("moves", &reassignment(&[(0, &target), (1, "any")]))?;
        let throttle = ["--replica-alter-log-dirs-throttle", "50000000"];
        let execute = ["--reassignment-json-file", &file, "--execute"];
        let started = self.tool(REASSIGN, &[&execute[..], &throttle].concat()).await?;
        let moved = self.dirs[1].join(format!("{TOPIC}-0"));
        wait::until_true("the replica to be moved", SETTLE, || async {
            let left = fs::read_dir(&self.dirs[0])?.flatten().any(|entry| {
                let name = entry.file_name();
                name.to_str().is_some_and(|name| name == format!("{TOPIC}-0"))
            });
            Ok(moved.exists() && !left)
        })
        .await?;
        let verified = self.tool(REASSIGN, &["--reassignment-json-file", &file, "--verify"]).await?;
        let described = self.describe().await?;
        let file = self.file("nowhere", &reassignment(&[(0, "/no/such/dir"), (1, "any")]))?;
        let refused = self.tool(REASSIGN, &["--reassignment-json-file", &file, "--execute"]).await?;
        Ok(vec![
            ("starting a move", started),
            ("verifying it", verified),
            ("describing the directories", described),
            ("moving to nowhere", refused),
        ])
    }

    /// kafka-log-dirs; the sizes it tells are those of the files, and are left out of what is compared.
    async fn describe(&self) -> Result<String> {
        let arguments = ["--describe", "--broker-list", "0", "--topic-list", TOPIC];
        let said = self.tool("org.apache.kafka.tools.LogDirsCommand", &arguments).await?;
        let text = said.lines().find(|line| line.starts_with('{')).context("kafka-log-dirs told nothing")?;
        let mut told: Value = serde_json::from_str(text)?;
        let dirs = told["brokers"][0]["logDirs"].as_array_mut().context("no directories")?;
        dirs.sort_by_key(|dir| dir["logDir"].to_string());
        for dir in dirs {
            let path = match dir["logDir"].as_str() {
                Some("HERE") => &self.dirs[0],
                _ => &self.dirs[1],
            };
            let partitions = dir["partitions"].as_array_mut().context("no partitions")?;
            partitions.sort_by_key(|partition| partition["partition"].to_string());
            for partition in partitions {
                let name = partition["partition"].as_str().context("no name")?;
                let bytes = bytes_of_segments(&path.join(name))?;
                ensure!(partition["size"] == bytes, "{partition} where files have {bytes} bytes");
                partition["size"] = json!("right");
            }
        }
        Ok(format!("{told:#}"))
    }

    /// kafka-delete-records up to an offset, up to the end, beyond it, and of a partition that there is not.
    async fn delete_records(&self) -> Result<Said> {
        let mut said = Said::new();
        for (what, partition, offset) in [
            ("deleting up to an offset", 0, 50),
            ("deleting all", 1, -1),
            ("deleting beyond the end", 0, 10_000),
        ] {
            let partitions = json!([{"topic": TOPIC, "partition": partition, "offset": offset}]);
            let file = self.file("deletions", &json!({"partitions": partitions, "version": 1}))?;
            let tool = "org.apache.kafka.tools.DeleteRecordsCommand";
            said.push((what, self.tool(tool, &["--offset-json-file", &file]).await?));
        }
        let left = self.cluster.kcat().consume(TOPIC, &["-f", "%p %o %s\n"]).await?;
        ensure!(left.lines().count() == MESSAGES - 50, "left: {left}");
        said.push(("reading what is left", left));
        Ok(said)
    }

    fn file(&self, name: &str, content: &Value) -> Result<String> {
        let path = self.context.dir().join(format!("{name}.json"));
        fs::write(&path, content.to_string())?;
        Ok(path.display().to_string())
    }

    /// All that a tool prints and how it ends, with names for the directories.
    async fn tool(&self, main_class: &str, arguments: &[&str]) -> Result<String> {
        let bootstrap = self.cluster.bootstrap();
        let arguments = [&["--bootstrap-server", &bootstrap], arguments].concat();
        let output = kafka_tool(self.context.dir(), main_class, &arguments, b"").await?;
        let mut text = format!("{}\n", output.status);
        for stream in [output.stdout, output.stderr] {
            text += &String::from_utf8(stream)?;
        }
        for (dir, name) in self.dirs.iter().zip(["HERE", "THERE"]) {
            text = text.replace(&dir.display().to_string(), name);
        }
        Ok(text)
    }
}

fn reassignment(places: &[(i32, &str)]) -> Value {
    let partitions = places.iter().map(|(partition, dir)| {
        json!({"topic": TOPIC, "partition": partition, "replicas": [0], "log_dirs": [dir]})
    });
    json!({"version": 1, "partitions": partitions.collect::<Vec<_>>()})
}

fn bytes_of_segments(partition: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(partition).with_context(|| partition.display().to_string())? {
        let entry = entry?;
        if entry.path().extension().is_some_and(|extension| extension == "log") {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}
