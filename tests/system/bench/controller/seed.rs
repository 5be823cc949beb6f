//! The znodes of a cluster with very many partitions, and `/controller` in this program's hands.

use anyhow::{Context as _, Result};
use gregor_harness::{BrokerKind, wait, znodes::Znodes};
use std::fmt::Write as _;
use std::time::Duration;

/// The brokers of the partitions.
pub const BROKERS: [i32; 3] = [1, 2, 3];
/// The one that dies.
pub const DEAD: i32 = 3;
/// Partitions of each topic.
const PER_TOPIC: usize = 10;
const REGISTRATION: Duration = Duration::from_secs(120);
/// Kept alive by the session of this program alone.
const OTHER_CONTROLLER: &str = r#"{"version":2,"brokerid":99,"timestamp":"1","kraftControllerEpoch":-1}"#;
/// Containers, parents first.
const CONTAINERS: [&str; 14] = [
    "/brokers",
    "/brokers/ids",
    "/brokers/topics",
    "/config",
    "/config/topics",
    "/config/brokers",
    "/config/clients",
    "/config/users",
    "/config/ips",
    "/config/changes",
    "/admin",
    "/admin/delete_topics",
    "/isr_change_notification",
    "/log_dir_event_notification",
];

/// A planted cluster.
pub struct Seed {
    znodes: Znodes,
    partitions: usize,
    states: Vec<(String, Vec<u8>)>,
}

fn topic(partition: usize) -> String {
    format!("/brokers/topics/topic-{:06}", partition / PER_TOPIC)
}

/// Round robin, as Kafka places them.
fn replicas(partition: usize) -> [i32; 2] {
    let at = |index: usize| BROKERS[index % BROKERS.len()];
    [at(partition), at(partition + 1)]
}

impl Seed {
    /// Creates everything: topics of ten partitions, two replicas each, all of them in sync.
    pub async fn plant(connect: &str, partitions: usize) -> Result<Seed> {
        let znodes = Znodes::connect(connect).await?;
        znodes.create_with_parents("").await?;
        let mut nodes: Vec<(String, Vec<u8>)> =
            CONTAINERS.iter().map(|path| ((*path).to_owned(), Vec::new())).collect();
        let mut states = Vec::with_capacity(partitions);
        for first in (0..partitions).step_by(PER_TOPIC) {
            let path = topic(first);
            let of_topic = first..(first + PER_TOPIC).min(partitions);
            nodes.push((path.clone(), assignment(of_topic.clone())?));
            nodes.push((
                format!("/config/topics{}", &path["/brokers/topics".len()..]),
                br#"{"version":1,"config":{}}"#.to_vec(),
            ));
            nodes.push((format!("{path}/partitions"), Vec::new()));
            for partition in of_topic {
                let container = format!("{path}/partitions/{}", partition % PER_TOPIC);
                let [leader, follower] = replicas(partition);
                let state = format!(
                    r#"{{"controller_epoch":1,"leader":{leader},"version":1,"leader_epoch":0,"isr":[{leader},{follower}]}}"#
                );
                let state = (format!("{container}/state"), state.into_bytes());
                nodes.push((container, Vec::new()));
                nodes.push(state.clone());
                states.push(state);
            }
        }
        znodes.create_all(&nodes).await?;
        Ok(Seed { znodes, partitions, states })
    }

    /// Puts every partition's state back.
    pub async fn restore(&mut self) -> Result<()> {
        self.znodes.set_all(&self.states).await
    }

    /// Registers a stub that listens on that port.
    pub async fn register(&mut self, id: i32, port: u16) -> Result<()> {
        let path = format!("/brokers/ids/{id}");
        if self.znodes.data(&path).await?.is_some() {
            return Ok(());
        }
        let registration = format!(
            r#"{{"version":5,"host":"127.0.0.1","port":{port},"jmx_port":-1,"timestamp":"1","endpoints":["PLAINTEXT://127.0.0.1:{port}"],"listener_security_protocol_map":{{"PLAINTEXT":"PLAINTEXT"}},"features":{{}}}}"#
        );
        self.znodes.create_ephemeral(&path, registration.as_bytes()).await
    }

    /// Lets a stub die.
    pub async fn unregister(&mut self, id: i32) -> Result<()> {
        self.znodes.delete(&format!("/brokers/ids/{id}")).await
    }

    /// Waits until a broker is registered.
    pub async fn wait_for_registration(&self, id: i32) -> Result<()> {
        wait::until_true("the controller to be registered", REGISTRATION, || async {
            Ok(self.znodes.broker_ids().await?.contains(&id))
        })
        .await
    }

    /// Takes `/controller` from whoever holds it.
    pub async fn hold_controller(&mut self) -> Result<()> {
        wait::until_true("/controller to be ours", REGISTRATION, || async {
            self.znodes.delete("/controller").await?;
            Ok(self.znodes.create_ephemeral("/controller", OTHER_CONTROLLER.as_bytes()).await.is_ok())
        })
        .await
    }

    /// Lets someone be elected.
    pub async fn release_controller(&mut self) -> Result<()> {
        self.znodes.delete("/controller").await.context("deleting /controller")
    }

    /// How many partitions LeaderAndIsr requests tell in a failover: each replica that is alive is told once; when a broker is
    /// dead, the other replica of its partitions once more, for the ISR without it or the leader elected in its place.
    /// Kafka takes it out of the ISR first and elects then, and tells both.
    pub fn leader_and_isr_entries(&self, kind: BrokerKind, dead: Option<i32>) -> u64 {
        let entries = |partition: usize| {
            let [leader, _] = replicas(partition);
            match kind {
                BrokerKind::Kafka if dead == Some(leader) => 3,
                BrokerKind::Kafka | BrokerKind::Gregor => 2,
            }
        };
        (0..self.partitions).map(entries).sum()
    }
}

/// A topic's znode.
fn assignment(partitions: std::ops::Range<usize>) -> Result<Vec<u8>> {
    let topic = partitions.start / PER_TOPIC;
    // Any 22 characters of the alphabet whose last is one of A, Q, g, w are an id.
    let mut text = r#"{"removing_replicas":{},"partitions":{"#.to_owned();
    for partition in partitions.clone() {
        let comma = if partition == partitions.start { "" } else { "," };
        let [first, second] = replicas(partition);
        write!(text, r#"{comma}"{}":[{first},{second}]"#, partition % PER_TOPIC)?;
    }
    write!(text, r#"}},"topic_id":"Bench{topic:016}A","adding_replicas":{{}},"version":3}}"#)?;
    Ok(text.into_bytes())
}
