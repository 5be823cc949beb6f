//! Registered brokers.

use gregor_model::{BrokerEpoch, BrokerId};
use tracing::error;

use super::{Result, Store};
use crate::schema::broker::{self, BrokerRegistration};

/// A broker as ZooKeeper knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredBroker {
    /// Its id.
    pub id: BrokerId,
    /// The czxid of its registration.
    pub epoch: BrokerEpoch,
    /// What it says of itself.
    pub registration: BrokerRegistration,
}

impl Store {
    /// The ids registered now.
    pub async fn broker_ids(&self) -> Result<Vec<BrokerId>> {
        let children = self.session.children(broker::IDS_PATH).await?;
        Ok(children.iter().filter_map(|child| broker::parse_child(child)).collect())
    }

    /// One broker, if it is registered. A registration that cannot be read is an error.
    pub async fn broker(&self, id: BrokerId) -> Result<Option<RegisteredBroker>> {
        let Some(node) = self.session.find(&broker::path(id)).await? else { return Ok(None) };
        let registration = broker::decode(&node.data)?;
        Ok(Some(RegisteredBroker { id, epoch: BrokerEpoch(node.stat.czxid), registration }))
    }

    /// All registered brokers, by id. One whose registration cannot be read is left out, with a line in the log: it
    /// could not be reached anyway.
    pub async fn brokers(&self) -> Result<Vec<RegisteredBroker>> {
        let mut ids = self.broker_ids().await?;
        ids.sort_unstable();
        self.brokers_of(&ids).await
    }

    /// Those of these brokers that are registered.
    pub async fn brokers_of(&self, ids: &[BrokerId]) -> Result<Vec<RegisteredBroker>> {
        let nodes = self.read_all(ids.iter().map(|id| broker::path(*id)).collect()).await?;
        let mut brokers = Vec::with_capacity(nodes.len());
        for (id, node) in ids.iter().zip(nodes) {
            let Some(node) = node else { continue };
            match broker::decode(&node.data) {
                Ok(registration) => {
                    let epoch = BrokerEpoch(node.stat.czxid);
                    brokers.push(RegisteredBroker { id: *id, epoch, registration });
                }
                Err(error) => error!(broker = %id, %error, "unreadable broker registration"),
            }
        }
        Ok(brokers)
    }
}
