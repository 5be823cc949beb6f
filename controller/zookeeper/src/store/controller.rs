//! Candidacy for `/controller` and what depends on it (`registerControllerAndIncrementControllerEpoch`).

use gregor_model::{BrokerId, ControllerEpoch, Timestamp, ZnodeVersion};

use super::{Fence, Result, Store};
use crate::client::{CreateMode, Write, Written};
use crate::error::{MultiError, ZooKeeperError};
use crate::schema::controller::{self, ControllerRegistration};

/// How a candidacy ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Candidacy {
    /// We are the controller, with this epoch.
    Won {
        /// Our epoch.
        epoch: ControllerEpoch,
        /// For every write from now on.
        fence: Fence,
    },
    /// Another broker is, or was a moment ago.
    Lost,
}

/// `/controller` as read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControllerNode {
    /// Who it names.
    pub registration: ControllerRegistration,
    /// Its znode version, which fences config writes.
    pub version: ZnodeVersion,
}

impl Store {
    /// Who is the controller now.
    pub async fn controller(&self) -> Result<Option<ControllerNode>> {
        let Some(node) = self.session.find(controller::PATH).await? else { return Ok(None) };
        let registration = controller::decode(&node.data)?;
        Ok(Some(ControllerNode { registration, version: node.stat.version }))
    }

    /// The broker that holds the office, with the fence of its term; none when nobody does, when the office changes hands
    /// meanwhile, and when a KRaft controller holds it.
    pub async fn standing_controller(&self) -> Result<Option<(BrokerId, Fence)>> {
        let Some(before) = self.session.find(controller::PATH).await? else { return Ok(None) };
        let registration = controller::decode(&before.data)?;
        let Some(epoch) = self.session.find(controller::EPOCH_PATH).await? else { return Ok(None) };
        let after = self.session.find(controller::PATH).await?;
        // The epoch is raised in one step with the node's creation.
        let stands = after.is_some_and(|after| after.stat.czxid == before.stat.czxid);
        let holds = stands && registration.kraft_epoch.is_none();
        Ok(holds.then_some((registration.broker, Fence(epoch.stat.version))))
    }

    /// Tries to become the controller.
    pub async fn elect(&self, broker: BrokerId, now: Timestamp) -> Result<Candidacy> {
        let (epoch, version) = self.controller_epoch_or_create().await?;
        let epoch = epoch.next();
        let writes = [
            Write::Create {
                path: controller::PATH.to_owned(),
                data: controller::encode(broker, now),
                mode: CreateMode::Ephemeral,
            },
            Write::Set {
                path: controller::EPOCH_PATH.to_owned(),
                data: controller::encode_epoch(epoch),
                version: Some(version),
            },
        ];
        match self.session.write_many(&writes).await {
            Ok(written) => {
                let raised = written.iter().find_map(|written| match written {
                    Written::Set(stat) => Some(stat.version),
                    _ => None,
                });
                Ok(Candidacy::Won { epoch, fence: Fence(raised.unwrap_or(version.next())) })
            }
            Err(MultiError::Operation {
                error: ZooKeeperError::NodeExists | ZooKeeperError::BadVersion,
                ..
            }) => Ok(Candidacy::Lost),
            Err(error) => Err(error.into()),
        }
    }

    /// `/controller_epoch` and its version; created with 0 when there was never a controller.
    async fn controller_epoch_or_create(&self) -> Result<(ControllerEpoch, ZnodeVersion)> {
        loop {
            if let Some(node) = self.session.find(controller::EPOCH_PATH).await? {
                return Ok((controller::decode_epoch(&node.data)?, node.stat.version));
            }
            let first = controller::encode_epoch(ControllerEpoch(0));
            match self.session.create(controller::EPOCH_PATH, &first, CreateMode::Persistent).await {
                Ok(created) => return Ok((ControllerEpoch(0), created.stat.version)),
                Err(ZooKeeperError::NodeExists) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives the role up by force, so that someone is elected anew (`deleteController`).
    pub async fn delete_controller(&self, fence: Fence) -> Result<(), super::FencedError> {
        let delete = Write::Delete { path: controller::PATH.to_owned(), version: None };
        self.write_fenced(fence, vec![delete]).await.map(|_| ())
    }
}
