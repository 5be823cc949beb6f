//! Writing an entity's configs (`AdminZkClient.changeEntityConfig`, `KafkaZkClient.setOrCreateEntityConfigs`).

use gregor_zookeeper::ZooKeeperError;
use gregor_zookeeper::schema::config::{Configs, Entity, EntityType};
use gregor_zookeeper::store::Store;

/// Why configs were not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigWriteError {
    /// There is no controller, or a KRaft controller has taken the cluster over: STALE_CONTROLLER_EPOCH (11).
    #[error("no ZooKeeper broker is the controller")]
    NoController,
    /// UNKNOWN_SERVER_ERROR (-1).
    #[error(transparent)]
    ZooKeeper(#[from] ZooKeeperError),
}

/// Replaces an entity's configs and tells every broker. Users, clients and IPs left without configs lose their node.
pub async fn change_configs(
    store: &Store,
    entity: &Entity,
    configs: &Configs,
) -> Result<(), ConfigWriteError> {
    let controller = store.controller().await?.ok_or(ConfigWriteError::NoController)?;
    if controller.registration.kraft_epoch.is_some() {
        return Err(ConfigWriteError::NoController);
    }
    if configs.is_empty() && may_vanish(entity.entity_type) {
        remove_unless_parent(store, entity).await?;
    } else {
        store.set_configs(entity, configs, controller.version).await?;
    }
    store.notify_config_change(entity).await?;
    Ok(())
}

fn may_vanish(entity_type: EntityType) -> bool {
    match entity_type {
        EntityType::Clients | EntityType::Users | EntityType::Ips => true,
        EntityType::Topics | EntityType::Brokers => false,
    }
}

/// Removes the entity's node, and above it what is left empty by that: `clients` of a user, and the user.
async fn remove_unless_parent(store: &Store, entity: &Entity) -> Result<(), ZooKeeperError> {
    let session = store.session();
    let mut path = entity.path();
    if !remove(store, &path).await? {
        // It has clients below, which keep it.
        return session
            .set(&path, &gregor_zookeeper::schema::config::encode(&Configs::new()), None)
            .await
            .map(|_| ());
    }
    while let Some((parent, _)) = path.rsplit_once('/') {
        let parent = parent.to_owned();
        let above = parent == entity.entity_type.path();
        let Some(node) = (if above { None } else { session.find(&parent).await? }) else { return Ok(()) };
        let has_configs = gregor_zookeeper::schema::config::decode(&node.data).is_ok_and(|c| !c.is_empty());
        if has_configs || !remove(store, &parent).await? {
            return Ok(());
        }
        path = parent;
    }
    Ok(())
}

/// Whether the znode is gone; it stays when it has children.
async fn remove(store: &Store, path: &str) -> Result<bool, ZooKeeperError> {
    match store.session().delete(path, None).await {
        Ok(()) | Err(ZooKeeperError::NoNode) => Ok(true),
        Err(ZooKeeperError::NotEmpty) => Ok(false),
        Err(error) => Err(error),
    }
}
