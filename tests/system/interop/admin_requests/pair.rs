//! A Gregor and an Apache Kafka cluster in the same state, asked the same.

use super::answer::{self, Fields};
use super::differences;
use anyhow::{Context as _, Result, ensure};
use gregor_harness::rpc::Rpc;
use gregor_harness::{BrokerKind, Cluster, ClusterBuilder, TestContext};
use kafka_protocol::protocol::Request;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// How long a change may take to be known.
const LOOKING_DEADLINE: Duration = Duration::from_secs(10);
/// How long answers must stay as they are to be believed.
const STEADY: Duration = Duration::from_millis(150);

/// Both clusters, and the differences found so far.
pub struct Pair {
    gregor: Side,
    kafka: Side,
    found: Vec<Difference>,
    compared: usize,
}

/// A field that was answered differently.
struct Difference {
    /// What was asked.
    question: String,
    field: String,
    gregor: Option<String>,
    kafka: Option<String>,
}

struct Side {
    cluster: Cluster,
    /// Texts that name this cluster, and what they are called in comparisons.
    names: Vec<(String, String)>,
    connections: HashMap<usize, Rpc>,
}

/// What became of a request.
type Outcome = std::result::Result<Fields, String>;

impl Side {
    async fn start(
        context: &TestContext,
        kind: BrokerKind,
        brokers: usize,
        properties: &[(&str, &str)],
    ) -> Result<Side> {
        let mut builder = ClusterBuilder::of(&vec![kind; brokers]);
        for (key, value) in properties {
            builder = builder.property(key, value);
        }
        let cluster = builder.start(context).await?;
        let mut names = vec![(cluster.brokers[0].zookeeper_connect(), "ZOOKEEPER".to_owned())];
        for broker in &cluster.brokers {
            let id = broker.id();
            names.push((broker.address(), format!("ADDRESS-{id}")));
            names.push((broker.data_dir().display().to_string(), format!("DATA-{id}")));
            let port = broker.address().rsplit(':').next().unwrap_or_default().to_owned();
            names.push((format!("port: {port}"), format!("port: {id}")));
        }
        let id = cluster.znodes.data("/cluster/id").await?.context("no cluster id")?;
        let id: serde_json::Value = serde_json::from_slice(&id)?;
        names.push((id["id"].as_str().unwrap_or_default().to_owned(), "CLUSTER".to_owned()));
        Ok(Side { cluster, names, connections: HashMap::new() })
    }

    async fn ask<R: Request<Response: std::fmt::Debug>>(
        &mut self,
        broker: usize,
        version: i16,
        request: &R,
    ) -> Outcome {
        let asked = async {
            let mut connection = match self.connections.remove(&broker) {
                Some(connection) => connection,
                None => Rpc::connect(&self.cluster.brokers[broker].address()).await?,
            };
            let answer = connection.call(version, request).await?;
            self.connections.insert(broker, connection);
            anyhow::Ok(answer)
        };
        match asked.await {
            Ok(answer) => Ok(answer::fields(&answer, &self.names)),
            // Which way a connection was closed says nothing.
            Err(error) => Err(format!("{error:#}").split(':').next().unwrap_or_default().to_owned()),
        }
    }

    /// Every znode below `root`, with its data.
    async fn tree(&self, root: &str) -> Result<Fields> {
        let mut found = Fields::new();
        let mut open = vec![root.to_owned()];
        while let Some(path) = open.pop() {
            if let Some(data) = self.cluster.znodes.data(&path).await? {
                found.insert(path.clone(), znode(&data));
            }
            let children = self.cluster.znodes.children(&path).await?;
            open.extend(children.into_iter().map(|child| format!("{}/{child}", path.trim_end_matches('/'))));
        }
        Ok(found)
    }
}

/// How many fields there are, and those that differ and may not.
fn compare(question: &str, gregor: &Outcome, kafka: &Outcome) -> (usize, Vec<Difference>) {
    let whole = |outcome: &Outcome| match outcome {
        Ok(fields) => fields.clone(),
        Err(error) => Fields::from([("(failed)".to_owned(), error.clone())]),
    };
    let (gregor, kafka) = (whole(gregor), whole(kafka));
    let fields: BTreeSet<&String> = gregor.keys().chain(kafka.keys()).collect();
    let differs = |field: &&&String| {
        let (ours, theirs) = (gregor.get(**field), kafka.get(**field));
        ours != theirs && !differences::is_allowed(question, field, ours, theirs)
    };
    let found = fields.iter().filter(differs).map(|field| Difference {
        question: question.to_owned(),
        field: (*field).clone(),
        gregor: gregor.get(*field).cloned(),
        kafka: kafka.get(*field).cloned(),
    });
    (fields.len(), found.collect())
}

/// The data of a znode; JSON in one order, and what is encrypted with a random salt without it.
fn znode(data: &[u8]) -> String {
    let Ok(mut json) = serde_json::from_slice::<serde_json::Value>(data) else {
        return String::from_utf8_lossy(data).into_owned();
    };
    let encrypted = |value: &str| value.contains("encryptedPassword:") && value.contains("passwordLength:");
    if let Some(configs) = json.get_mut("config").and_then(|configs| configs.as_object_mut()) {
        for (_, value) in configs.iter_mut() {
            if value.as_str().is_some_and(encrypted) {
                *value = "ENCRYPTED".into();
            }
        }
    }
    json.to_string()
}

impl Pair {
    /// Starts both clusters with the same properties.
    pub async fn start(context: &TestContext, brokers: usize, properties: &[(&str, &str)]) -> Result<Pair> {
        let gregor = TestContext::in_directory(context.create_dir("gregor")?);
        let kafka = TestContext::in_directory(context.create_dir("kafka")?);
        let (gregor, kafka) = tokio::try_join!(
            Side::start(&gregor, BrokerKind::Gregor, brokers, properties),
            Side::start(&kafka, BrokerKind::Kafka, brokers, properties),
        )?;
        Ok(Pair { gregor, kafka, found: Vec::new(), compared: 0 })
    }

    /// Asks broker 0, the controller, of both clusters.
    pub async fn ask<R: Request<Response: std::fmt::Debug>>(
        &mut self,
        question: &str,
        version: i16,
        request: &R,
    ) {
        self.ask_broker(question, 0, version, request).await;
    }

    /// Asks this broker of both clusters.
    pub async fn ask_broker<R: Request<Response: std::fmt::Debug>>(
        &mut self,
        question: &str,
        broker: usize,
        version: i16,
        request: &R,
    ) {
        let gregor = self.gregor.ask(broker, version, request).await;
        let kafka = self.kafka.ask(broker, version, request).await;
        self.note(&format!("{question} v{version}"), &gregor, &kafka);
    }

    /// Asks until both have answered the same for a moment, with `expected` somewhere in Kafka's answer, or long enough.
    pub async fn look<R: Request<Response: std::fmt::Debug>>(
        &mut self,
        question: &str,
        version: i16,
        request: &R,
        expected: &str,
    ) {
        let start = Instant::now();
        loop {
            let before = self.kafka.ask(0, version, request).await;
            tokio::time::sleep(STEADY).await;
            let gregor = self.gregor.ask(0, version, request).await;
            let kafka = self.kafka.ask(0, version, request).await;
            let steady = before == kafka && format!("{kafka:?}").contains(expected);
            let equal = || compare(question, &gregor, &kafka).1.is_empty();
            if (steady && equal()) || start.elapsed() > LOOKING_DEADLINE {
                self.note(&format!("{question} v{version}"), &gregor, &kafka);
                if !steady {
                    self.found.push(Difference {
                        question: question.to_owned(),
                        field: format!("Kafka never answered {expected:?}"),
                        gregor: None,
                        kafka: None,
                    });
                }
                return;
            }
        }
    }

    /// Compares everything in ZooKeeper below these paths.
    pub async fn compare_znodes(&mut self, question: &str, roots: &[&str]) -> Result<()> {
        for root in roots {
            let start = Instant::now();
            loop {
                let (gregor, kafka) = (self.gregor.tree(root).await?, self.kafka.tree(root).await?);
                if gregor == kafka || start.elapsed() > LOOKING_DEADLINE / 4 {
                    self.note(question, &Ok(gregor), &Ok(kafka));
                    break;
                }
                tokio::time::sleep(STEADY).await;
            }
        }
        Ok(())
    }

    fn note(&mut self, question: &str, gregor: &Outcome, kafka: &Outcome) {
        let (compared, found) = compare(question, gregor, kafka);
        self.compared += compared;
        self.found.extend(found);
    }

    /// Fails with every difference that the table does not allow.
    pub fn finish(self) -> Result<()> {
        let mut text = String::new();
        for Difference { question, field, gregor, kafka } in &self.found {
            let show = |value: &Option<String>| value.clone().unwrap_or_else(|| "(absent)".to_owned());
            write!(text, "\n{question}: {field}\n    gregor {}\n    kafka  {}", show(gregor), show(kafka))?;
        }
        println!("compared {} fields", self.compared);
        ensure!(text.is_empty(), "{} of {} fields differ:{text}", self.found.len(), self.compared);
        Ok(())
    }
}
