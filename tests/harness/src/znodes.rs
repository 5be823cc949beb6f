//! What ZooKeeper holds, read with a client of our own and plain JSON: an independent look at what brokers wrote.

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::time::Duration;
use zookeeper_client::{Acls, Client, CreateMode, Error, MultiWriter};

/// Long enough that no test's ZooKeeper outage ends it.
const SESSION_TIMEOUT: Duration = Duration::from_secs(40);

/// Of `create_all` and `set_all`.
const WRITES_PER_REQUEST: usize = 500;
const REQUESTS_IN_FLIGHT: usize = 16;

/// A view of the znodes below the cluster's chroot.
#[derive(Debug)]
pub struct Znodes {
    client: Client,
    chroot: String,
}

/// `/brokers/topics/<topic>/partitions/<partition>/state`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PartitionState {
    /// The leader, or -1.
    pub leader: i32,
    /// Counts leader elections.
    pub leader_epoch: i32,
    /// The in-sync replicas.
    pub isr: Vec<i32>,
    /// The epoch of the controller that wrote this.
    pub controller_epoch: i32,
}

/// `/brokers/topics/<topic>`.
#[derive(Clone, Debug, Deserialize)]
pub struct TopicAssignment {
    /// Replicas by partition; the first is the preferred leader.
    pub partitions: std::collections::BTreeMap<String, Vec<i32>>,
}

#[derive(Deserialize)]
struct ControllerNode {
    brokerid: i32,
}

impl Znodes {
    /// Connects to `connect` (hosts, then a chroot if any).
    pub async fn connect(connect: &str) -> Result<Znodes> {
        let (hosts, chroot) = match connect.split_once('/') {
            Some((hosts, path)) => (hosts, format!("/{path}")),
            None => (connect, String::new()),
        };
        let connector = Client::connector().with_session_timeout(SESSION_TIMEOUT);
        let client = connector.connect(hosts).await.context("connecting to ZooKeeper")?;
        Ok(Znodes { client, chroot })
    }

    /// The data of a znode, or None where there is none.
    pub async fn data(&self, path: &str) -> Result<Option<Vec<u8>>> {
        match self.client.get_data(&format!("{}{path}", self.chroot)).await {
            Ok((data, _)) => Ok(Some(data)),
            Err(Error::NoNode) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("reading {path}")),
        }
    }

    /// The data of a znode and its version, or None where there is none.
    pub async fn data_and_version(&self, path: &str) -> Result<Option<(Vec<u8>, i32)>> {
        match self.client.get_data(&format!("{}{path}", self.chroot)).await {
            Ok((data, stat)) => Ok(Some((data, stat.version))),
            Err(Error::NoNode) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("reading {path}")),
        }
    }

    /// How often children of a znode were created or deleted.
    pub async fn changes_of_children(&self, path: &str) -> Result<i32> {
        let stat = self.client.check_stat(&format!("{}{path}", self.chroot)).await?;
        Ok(stat.with_context(|| format!("there is no {path}"))?.cversion)
    }

    /// The session that owns an ephemeral znode, if it exists.
    pub async fn owner(&self, path: &str) -> Result<Option<i64>> {
        let stat = self.client.check_stat(&format!("{}{path}", self.chroot)).await?;
        Ok(stat.map(|stat| stat.ephemeral_owner))
    }

    /// Creates a persistent znode, open to everyone.
    pub async fn create(&self, path: &str, data: &[u8]) -> Result<()> {
        let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
        let path = format!("{}{path}", self.chroot);
        // After a connection was lost one cannot know whether the write was done: try until it is there.
        for _ in 0..50 {
            match self.client.create(&path, data, &options).await {
                Ok(_) | Err(Error::NodeExists) => return Ok(()),
                Err(Error::SessionExpired | Error::NoNode) => break,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        bail!("cannot create {path}")
    }

    /// Creates many persistent znodes, hundreds in a request. What comes earlier may be the parent of what comes later.
    pub async fn create_all(&self, nodes: &[(String, Vec<u8>)]) -> Result<()> {
        let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
        self.write_all(nodes, |writer, path, data| writer.add_create(path, data, &options)).await
    }

    /// Replaces the data of many znodes, hundreds in a request.
    pub async fn set_all(&self, nodes: &[(String, Vec<u8>)]) -> Result<()> {
        self.write_all(nodes, |writer, path, data| writer.add_set_data(path, data, None)).await
    }

    async fn write_all(
        &self,
        nodes: &[(String, Vec<u8>)],
        add: impl Fn(&mut MultiWriter<'_>, &str, &[u8]) -> Result<(), Error>,
    ) -> Result<()> {
        let mut in_flight = VecDeque::new();
        for nodes in nodes.chunks(WRITES_PER_REQUEST) {
            let mut writer = self.client.new_multi_writer();
            for (path, data) in nodes {
                add(&mut writer, &format!("{}{path}", self.chroot), data)?;
            }
            // Sent here; only the answer is awaited later.
            in_flight.push_back(Box::pin(writer.commit()));
            if in_flight.len() > REQUESTS_IN_FLIGHT
                && let Some(answer) = in_flight.pop_front()
            {
                answer.await.context("writing many znodes")?;
            }
        }
        for answer in in_flight {
            answer.await.context("writing many znodes")?;
        }
        Ok(())
    }

    /// Creates a znode that vanishes with this view.
    pub async fn create_ephemeral(&self, path: &str, data: &[u8]) -> Result<()> {
        let options = CreateMode::Ephemeral.with_acls(Acls::anyone_all());
        let path = format!("{}{path}", self.chroot);
        self.client.create(&path, data, &options).await.with_context(|| format!("creating {path}"))?;
        Ok(())
    }

    /// Removes a znode, if there is one.
    pub async fn delete(&self, path: &str) -> Result<()> {
        match self.client.delete(&format!("{}{path}", self.chroot), None).await {
            Ok(()) | Err(Error::NoNode) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("deleting {path}")),
        }
    }

    /// Creates a persistent znode without data, and every parent it lacks, the chroot too.
    pub async fn create_with_parents(&self, path: &str) -> Result<()> {
        let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
        Ok(self.client.mkdir(&format!("{}{path}", self.chroot), &options).await?)
    }

    /// The names below a znode; none where it does not exist.
    pub async fn children(&self, path: &str) -> Result<Vec<String>> {
        match self.client.list_children(&format!("{}{path}", self.chroot)).await {
            Ok(mut children) => {
                children.sort();
                Ok(children)
            }
            Err(Error::NoNode) => Ok(Vec::new()),
            Err(error) => Err(error).with_context(|| format!("listing {path}")),
        }
    }

    /// The broker that is controller.
    pub async fn controller(&self) -> Result<Option<i32>> {
        Ok(self.json::<ControllerNode>("/controller").await?.map(|node| node.brokerid))
    }

    /// How many controllers there have been.
    pub async fn controller_epoch(&self) -> Result<Option<i32>> {
        self.json("/controller_epoch").await
    }

    /// The brokers that are registered.
    pub async fn broker_ids(&self) -> Result<Vec<i32>> {
        let names = self.children("/brokers/ids").await?;
        names.iter().map(|name| name.parse().context("a broker id that is no number")).collect()
    }

    /// Leader and ISR of a partition.
    pub async fn partition_state(&self, topic: &str, partition: i32) -> Result<Option<PartitionState>> {
        self.json(&format!("/brokers/topics/{topic}/partitions/{partition}/state")).await
    }

    /// The replicas of a topic.
    pub async fn assignment(&self, topic: &str) -> Result<Option<TopicAssignment>> {
        self.json(&format!("/brokers/topics/{topic}")).await
    }

    async fn json<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>> {
        let Some(data) = self.data(path).await? else { return Ok(None) };
        let value = serde_json::from_slice(&data)
            .with_context(|| format!("{path} holds {}", String::from_utf8_lossy(&data)))?;
        Ok(Some(value))
    }
}
