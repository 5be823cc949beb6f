//! Who this broker is: the cluster's id, its own id, and the log directories that bear both.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use gregor_config::BrokerConfig;
use gregor_model::{BrokerId, ClusterId};
use gregor_zookeeper::{Session, registration};

use crate::meta_properties::Directories;

/// Who this broker is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The cluster.
    pub cluster_id: ClusterId,
    /// `broker.id`: configured, stored, or generated.
    pub broker_id: BrokerId,
    /// Log directories that cannot be used.
    pub offline_dirs: Vec<PathBuf>,
}

/// Finds out, and writes it into every log directory that does not say so yet. Nothing is written unless everything
/// that is there belongs to this cluster and this broker.
pub async fn establish(config: &BrokerConfig, session: &Session) -> Result<Identity> {
    registration::create_persistent_paths(session)
        .await
        .context("cannot create ZooKeeper's top-level nodes")?;
    let new_id = ClusterId::from_random(rand::random());
    let cluster_id = registration::cluster_id(session, &new_id).await.context("cannot read /cluster/id")?;
    let dirs = config.log_dirs.clone();
    let found = tokio::task::spawn_blocking(move || Directories::load(&dirs)).await??;
    for (dir, error) in &found.failed {
        tracing::error!(dir = %dir.display(), %error, "log directory is offline: its meta.properties cannot be read");
    }
    let stored = found.verify(&cluster_id, config.identity.broker_id)?;
    let broker_id = match stored {
        Some(id) => id,
        None if config.identity.generation_enabled => {
            registration::generate_broker_id(session, config.identity.reserved_max_id)
                .await
                .context("cannot generate a broker id")?
        }
        None => bail!("no broker.id is configured or stored, and broker.id.generation.enable is false"),
    };
    let mut offline_dirs: Vec<_> = found.failed.iter().map(|(dir, _)| dir.clone()).collect();
    let cluster = cluster_id.clone();
    let failed = tokio::task::spawn_blocking(move || found.store(&cluster, broker_id)).await?;
    for (dir, error) in failed {
        tracing::error!(dir = %dir.display(), %error, "log directory is offline: meta.properties cannot be written");
        offline_dirs.push(dir);
    }
    Ok(Identity { cluster_id, broker_id, offline_dirs })
}
