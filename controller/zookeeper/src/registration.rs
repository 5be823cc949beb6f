//! What a broker does with ZooKeeper when it starts: the paths all brokers need, the cluster's id, a broker id when
//! none is configured, and its own registration (`KafkaZkClient.registerBroker`, `CheckedEphemeral`).

use gregor_model::{BrokerEpoch, BrokerId, ClusterId, Timestamp, ZnodeVersion};
use tracing::{info, warn};

use crate::client::{CreateMode, SessionId, Write, Written};
use crate::error::{MultiError, ZooKeeperError};
use crate::schema::broker::{self, BrokerRegistration};
use crate::schema::{PERSISTENT_PATHS, cluster};
use crate::session::Session;

/// Why a broker could not register.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// Another session, perhaps that of this broker before it was killed, still holds the id.
    #[error(
        "broker id {id} is registered by another ZooKeeper session ({owner}): another broker with this id is running, \
         or the session of one that died has not expired yet"
    )]
    AlreadyRegistered {
        /// The id.
        id: BrokerId,
        /// The session that holds it.
        owner: SessionId,
    },
    /// ZooKeeper failed.
    #[error(transparent)]
    ZooKeeper(#[from] ZooKeeperError),
}

/// A registration that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The czxid of the registration.
    pub epoch: BrokerEpoch,
    /// The session it belongs to: remember it for [`register_broker`] after an expiry.
    pub session: SessionId,
}

/// Creates the paths that every broker expects, where missing.
pub async fn create_persistent_paths(session: &Session) -> Result<(), ZooKeeperError> {
    for path in PERSISTENT_PATHS {
        session.ensure_path(path).await?;
    }
    Ok(())
}

/// The cluster's id; `new_id` becomes it when there is none yet (`getOrCreateClusterId`).
pub async fn cluster_id(session: &Session, new_id: &ClusterId) -> Result<ClusterId, ZooKeeperError> {
    loop {
        if let Some(node) = session.find(cluster::ID_PATH).await? {
            return Ok(cluster::decode(&node.data)?);
        }
        session.ensure_path(cluster::PARENT).await?;
        match session.create(cluster::ID_PATH, &cluster::encode(new_id), CreateMode::Persistent).await {
            Ok(_) => return Ok(new_id.clone()),
            // Another broker was first.
            Err(ZooKeeperError::NodeExists) => {}
            Err(error) => return Err(error),
        }
    }
}

/// A broker id above `reserved.broker.max.id` that no broker of this cluster was given before
/// (`generateBrokerSequenceId`).
pub async fn generate_broker_id(session: &Session, reserved_max: i32) -> Result<BrokerId, ZooKeeperError> {
    loop {
        match session.set(broker::SEQUENCE_PATH, b"", None).await {
            Ok(stat) => return Ok(BrokerId(reserved_max.saturating_add(stat.version.0))),
            Err(ZooKeeperError::NoNode) => session.ensure_path(broker::SEQUENCE_PATH).await?,
            Err(error) => return Err(error),
        }
    }
}

/// Registers a broker. `previous` is the session this process registered with before, if it did: what is left of it is
/// removed (KAFKA-7165); what belongs to any other session stays, and is an error.
pub async fn register_broker(
    session: &Session,
    id: BrokerId,
    registration: &BrokerRegistration,
    previous: Option<SessionId>,
    now: Timestamp,
) -> Result<Registered, RegisterError> {
    let path = broker::path(id);
    let data = broker::encode(registration, now);
    // The data is set in a step of its own because a create within a multi reports no czxid, and a create outside of
    // one would show the broker without addresses.
    let writes = [
        Write::Create { path: path.clone(), data: Vec::new(), mode: CreateMode::Ephemeral },
        Write::Set { path: path.clone(), data, version: Some(ZnodeVersion(0)) },
    ];
    loop {
        let current = session.id().await?;
        match session.write_many(&writes).await {
            Ok(written) => {
                let epoch = written.iter().find_map(|written| match written {
                    Written::Set(stat) => Some(BrokerEpoch(stat.czxid)),
                    _ => None,
                });
                let epoch = epoch.ok_or_else(|| ZooKeeperError::Other("no stat for a set".to_owned()))?;
                info!(broker = %id, %epoch, "registered");
                return Ok(Registered { epoch, session: current });
            }
            Err(MultiError::Operation { error: ZooKeeperError::NodeExists, .. }) => {}
            Err(error) => return Err(ZooKeeperError::from(error).into()),
        }
        let Some(stat) = session.exists(&path).await? else { continue };
        match stat.ephemeral_owner {
            Some(owner) if owner == current => {
                return Ok(Registered { epoch: BrokerEpoch(stat.czxid), session: current });
            }
            Some(owner) if Some(owner) == previous => {
                warn!(broker = %id, session = %owner, "removing the registration of our previous session");
                match session.delete(&path, None).await {
                    Ok(()) | Err(ZooKeeperError::NoNode) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            owner => {
                return Err(RegisterError::AlreadyRegistered { id, owner: owner.unwrap_or(SessionId(0)) });
            }
        }
    }
}

/// Replaces the addresses of a registered broker, keeping its epoch (`updateBrokerInfo`).
pub async fn update_broker(
    session: &Session,
    id: BrokerId,
    registration: &BrokerRegistration,
    now: Timestamp,
) -> Result<(), ZooKeeperError> {
    session.set(&broker::path(id), &broker::encode(registration, now), None).await.map(|_| ())
}
