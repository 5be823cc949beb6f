//! What changed in ZooKeeper, with nothing missed over reconnects and, for watches that are not pinned, over sessions.
//!
//! A watch here is a reader: its `next` gives what is there, first at once and then after every change, having armed the
//! next watch with the same read. After an interruption it reads again, so that a change whose event was lost shows in
//! what is read. Several changes may show as one.

mod changes;
mod topics;

pub use changes::ChangeNotifications;
pub use topics::{TopicsChange, TopicsWatch};

use crate::client::{Changed, Node};
use crate::error::ZooKeeperError;
use crate::session::Session;

type Result<T, E = ZooKeeperError> = std::result::Result<T, E>;

/// The children of one znode. Not for znodes at or below `/brokers/topics`: see [`TopicsWatch`].
pub struct ChildrenWatch {
    session: Session,
    path: String,
    changed: Option<Changed>,
}

impl ChildrenWatch {
    /// Watches the children of `path`, which must exist.
    pub fn new(session: Session, path: impl Into<String>) -> ChildrenWatch {
        ChildrenWatch { session, path: path.into(), changed: None }
    }

    /// The children: now at the first call, then when they changed. Cancel-safe. A pinned watch ends with
    /// `SessionExpired`, any with `Closed`.
    pub async fn next(&mut self) -> Result<Vec<String>> {
        loop {
            wait(&mut self.changed).await;
            match self.session.watch_children(&self.path).await {
                Ok((children, changed)) => {
                    self.changed = Some(changed);
                    return Ok(children);
                }
                Err(ZooKeeperError::SessionExpired) if !self.session.is_pinned() => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// One znode that may or may not exist. Not for znodes at or below `/brokers/topics`: see [`TopicsWatch`].
pub struct NodeWatch {
    session: Session,
    path: String,
    changed: Option<Changed>,
}

impl NodeWatch {
    /// Watches `path`.
    pub fn new(session: Session, path: impl Into<String>) -> NodeWatch {
        NodeWatch { session, path: path.into(), changed: None }
    }

    /// The znode: now at the first call, then when it was created, changed or deleted. Cancel-safe. A pinned watch ends
    /// with `SessionExpired`, any with `Closed`.
    pub async fn next(&mut self) -> Result<Option<Node>> {
        loop {
            wait(&mut self.changed).await;
            match self.session.watch_node(&self.path).await {
                Ok((node, changed)) => {
                    self.changed = Some(changed);
                    return Ok(node);
                }
                Err(ZooKeeperError::SessionExpired) if !self.session.is_pinned() => {}
                Err(error) => return Err(error),
            }
        }
    }
}

async fn wait(changed: &mut Option<Changed>) {
    if let Some(event) = changed.as_mut() {
        event.await;
        *changed = None;
    }
}
