//! The finalized features of the cluster (`FinalizedFeatureChangeListener`): what `/feature` holds, told in ApiVersions.
//!
//! A broker of 3.9 in ZooKeeper mode supports no feature, so a finalized one means that the cluster's data may be in a
//! form this broker cannot read: it does not start then.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use gregor_zookeeper::schema::feature;
use gregor_zookeeper::store::Store;
use gregor_zookeeper::watch::NodeWatch;
use gregor_zookeeper::{Node, Session};
use tokio_util::sync::CancellationToken;

/// What `/feature` holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FinalizedFeatures {
    /// The version of the node.
    pub epoch: i64,
    /// Levels by feature; always empty in a cluster that this broker may serve.
    pub levels: BTreeMap<String, i16>,
}

/// The features as last read; `None` before, or when the node does not exist.
pub type FeatureCache = ArcSwapOption<FinalizedFeatures>;

/// How long to wait after ZooKeeper failed.
const RETRY_BACKOFF: Duration = Duration::from_secs(1);

/// The cluster has features that this broker lacks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cluster has finalized features that this broker does not support: {0}")]
pub struct UnsupportedFeatures(String);

/// Whether this broker may be a member of the cluster, as far as features go.
pub async fn check(store: &Store) -> anyhow::Result<()> {
    match store.features().await? {
        Some((features, _)) if !features.levels.is_empty() => {
            let levels = features.levels.iter().map(|(name, level)| format!("{name}={level}"));
            Err(UnsupportedFeatures(levels.collect::<Vec<_>>().join(", ")).into())
        }
        _ => Ok(()),
    }
}

/// Follows the node until the broker stops.
pub async fn follow(session: Session, cache: Arc<FeatureCache>, stop: CancellationToken) {
    let mut watch = NodeWatch::new(session, feature::PATH);
    loop {
        match stop.run_until_cancelled(watch.next()).await {
            None => return,
            Some(Ok(node)) => cache.store(node.and_then(read).map(Arc::new)),
            Some(Err(error)) => {
                tracing::warn!(%error, "cannot read /feature");
                if stop.run_until_cancelled(tokio::time::sleep(RETRY_BACKOFF)).await.is_none() {
                    return;
                }
            }
        }
    }
}

fn read(node: Node) -> Option<FinalizedFeatures> {
    let features = feature::decode(&node.data)
        .inspect_err(|error| tracing::error!(%error, "unreadable /feature"))
        .ok()?;
    if !features.levels.is_empty() {
        tracing::error!(features = ?features.levels, "the cluster has finalized features that this broker lacks");
    }
    Some(FinalizedFeatures { epoch: node.stat.version.0.into(), levels: features.levels })
}
