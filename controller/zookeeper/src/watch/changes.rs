//! Change notifications: sequential children of `/config/changes` and its kin (`ZkNodeChangeNotificationListener`).
//!
//! Whoever changes something leaves a child that says what; every broker applies each child once, in order, after a
//! start all that are still there. Any broker removes children older than 15 minutes.

use gregor_model::Timestamp;
use tracing::warn;

use super::{ChildrenWatch, Result};
use crate::error::ZooKeeperError;
use crate::session::Session;
use crate::store::{NumberedChild, Store};

/// How long a notification stays (`changeExpirationMs`).
const EXPIRATION_MS: i64 = 15 * 60 * 1000;

/// Notifications that have not been applied yet.
pub struct ChangeNotifications {
    watch: ChildrenWatch,
    store: Store,
    parent: &'static str,
    prefix: &'static str,
    last_applied: Option<i64>,
}

impl ChangeNotifications {
    /// Notifications below `parent`, whose names start with `prefix`.
    pub fn new(session: Session, parent: &'static str, prefix: &'static str) -> ChangeNotifications {
        let watch = ChildrenWatch::new(session.clone(), parent);
        ChangeNotifications { watch, store: Store::new(session), parent, prefix, last_applied: None }
    }

    /// The contents not given before, oldest first: at the first call all that are there, later what came since. May be
    /// empty. Old notifications are removed on the way.
    pub async fn next(&mut self, now: impl Fn() -> Timestamp) -> Result<Vec<Vec<u8>>> {
        let children = self.watch.next().await?;
        let children = NumberedChild::in_order(&children, self.prefix);
        let fresh: Vec<&NumberedChild> = children
            .iter()
            .filter(|child| self.last_applied.is_none_or(|last| child.number > last))
            .collect();
        let paths = fresh.iter().map(|child| format!("{}/{}", self.parent, child.name)).collect();
        let nodes = self.store.read_all(paths).await?;
        self.last_applied = fresh.last().map(|child| child.number).or(self.last_applied);
        // A removed one was older than 15 minutes.
        let contents = nodes.into_iter().flatten().map(|node| node.data).collect();
        if let Err(error) = purge_changes(&self.store, self.parent, &children, now()).await {
            warn!(parent = self.parent, %error, "cannot remove old notifications");
        }
        Ok(contents)
    }
}

/// Removes notifications older than 15 minutes.
async fn purge_changes(
    store: &Store,
    parent: &str,
    children: &[NumberedChild],
    now: Timestamp,
) -> Result<()> {
    let paths: Vec<String> = children.iter().map(|child| format!("{parent}/{}", child.name)).collect();
    let nodes = store.read_all(paths.clone()).await?;
    for (path, node) in paths.iter().zip(nodes) {
        let expired = node.is_some_and(|node| now - Timestamp(node.stat.created_ms) > EXPIRATION_MS);
        if expired {
            match store.session().delete(path, None).await {
                Ok(()) | Err(ZooKeeperError::NoNode) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}
