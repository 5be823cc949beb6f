//! Offsets of clients that keep them in ZooKeeper (`KafkaZkClient.getConsumerOffset`, `setOrCreateConsumerOffset`).

use gregor_model::{Offset, TopicPartition};

use super::{Result, Store};
use crate::client::CreateMode;
use crate::error::ZooKeeperError;
use crate::schema::consumer;

impl Store {
    /// The offset a group has committed; `None` for none.
    pub async fn consumer_offset(&self, group: &str, partition: &TopicPartition) -> Result<Option<Offset>> {
        match self.session.find(&consumer::path(group, partition)).await? {
            None => Ok(None),
            Some(node) => Ok(consumer::decode(&node.data)?),
        }
    }

    /// Commits an offset; the nodes on the way are created.
    pub async fn set_consumer_offset(
        &self,
        group: &str,
        partition: &TopicPartition,
        offset: Offset,
    ) -> Result<()> {
        let path = consumer::path(group, partition);
        let data = consumer::encode(offset);
        match self.session.set(&path, &data, None).await {
            Err(ZooKeeperError::NoNode) => {}
            result => return result.map(|_| ()),
        }
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.session.ensure_path(parent).await?;
        }
        match self.session.create(&path, &data, CreateMode::Persistent).await {
            Err(ZooKeeperError::NodeExists) => self.session.set(&path, &data, None).await.map(|_| ()),
            result => result.map(|_| ()),
        }
    }
}
