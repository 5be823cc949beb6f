//! The operations, sent until answered.
//!
//! When a request is sent again, its first attempt may have been performed: a create then finds its own znode, a
//! conditional set its own version, a delete nothing. Each operation looks whether what is there is its own doing
//! before it reports such an error.

use std::collections::HashMap;

use gregor_model::ZnodeVersion;

use super::Session;
use crate::client::{Changed, CreateMode, Created, Node, SessionId, Stat, TreeWatch, Write, Written};
use crate::error::{MultiError, ZooKeeperError};

type Result<T, E = ZooKeeperError> = std::result::Result<T, E>;

/// Room in a request for its header and lengths.
const FRAMING: usize = 64;

/// Sends until answered: `$client` is the client to send with, `$attempt` the request.
macro_rules! until_answered {
    ($sending:ident, |$client:ident| $attempt:expr) => {
        loop {
            let $client = $sending.client().await?;
            let begun = std::time::Instant::now();
            let attempted = $attempt.await;
            $sending.attempted(begun);
            match attempted {
                Ok(answer) => break Ok(answer),
                Err(error) => match $sending.failed(error).await {
                    Ok(()) => continue,
                    Err(error) => break Err(error),
                },
            }
        }
    };
}

impl Session {
    /// Creates a znode; its parent must exist. A sequential one may be created twice when the connection breaks.
    pub async fn create(&self, path: &str, data: &[u8], mode: CreateMode) -> Result<Created> {
        let mut sending = self.sending(path.len() + data.len() + FRAMING);
        let result = until_answered!(sending, |client| client.create(path, data, mode));
        let sent_before = sending.sent_before();
        drop(sending);
        match result {
            Err(ZooKeeperError::NodeExists) if sent_before => {
                let node = self.get(path).await?;
                let owner = self.id().await?;
                if is_own_creation(&node, data, mode, owner) {
                    Ok(Created { path: path.to_owned(), stat: node.stat })
                } else {
                    Err(ZooKeeperError::NodeExists)
                }
            }
            result => result,
        }
    }

    /// Creates a persistent znode without content, and its parents, unless they exist
    /// (`makeSurePersistentPathExists`).
    pub async fn ensure_path(&self, path: &str) -> Result<()> {
        match self.create(path, b"", CreateMode::Persistent).await {
            Ok(_) | Err(ZooKeeperError::NodeExists) => return Ok(()),
            Err(ZooKeeperError::NoNode) => {}
            Err(error) => return Err(error),
        }
        let ends = path.char_indices().skip(1).filter(|(_, c)| *c == '/').map(|(index, _)| index);
        for prefix in ends.chain([path.len()]).filter_map(|end| path.get(..end)) {
            match self.create(prefix, b"", CreateMode::Persistent).await {
                Ok(_) | Err(ZooKeeperError::NodeExists) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Deletes a znode that has no children.
    pub async fn delete(&self, path: &str, version: Option<ZnodeVersion>) -> Result<()> {
        let mut sending = self.sending(path.len() + FRAMING);
        match until_answered!(sending, |client| client.delete(path, version)) {
            Err(ZooKeeperError::NoNode) if sending.sent_before() => Ok(()),
            result => result,
        }
    }

    /// Reads a znode.
    pub async fn get(&self, path: &str) -> Result<Node> {
        let mut sending = self.sending(path.len() + FRAMING);
        until_answered!(sending, |client| client.get(path))
    }

    /// Reads a znode that may not exist.
    pub async fn find(&self, path: &str) -> Result<Option<Node>> {
        match self.get(path).await {
            Ok(node) => Ok(Some(node)),
            Err(ZooKeeperError::NoNode) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A znode's stat, if it exists.
    pub async fn exists(&self, path: &str) -> Result<Option<Stat>> {
        let mut sending = self.sending(path.len() + FRAMING);
        until_answered!(sending, |client| client.exists(path))
    }

    /// Replaces a znode's data, if it has the expected version (`None`: any).
    pub async fn set(&self, path: &str, data: &[u8], version: Option<ZnodeVersion>) -> Result<Stat> {
        let mut sending = self.sending(path.len() + data.len() + FRAMING);
        let result = until_answered!(sending, |client| client.set(path, data, version));
        let sent_before = sending.sent_before();
        drop(sending);
        match (result, version) {
            (Err(ZooKeeperError::BadVersion), Some(version)) if sent_before => {
                let node = self.get(path).await?;
                let own = node.stat.version == version.next() && node.data == data;
                if own { Ok(node.stat) } else { Err(ZooKeeperError::BadVersion) }
            }
            (result, _) => result,
        }
    }

    /// Names of a znode's children.
    pub async fn children(&self, path: &str) -> Result<Vec<String>> {
        let mut sending = self.sending(path.len() + FRAMING);
        let children = until_answered!(sending, |client| client.children(path))?;
        self.metrics().listed(path, &children);
        Ok(children)
    }

    /// Reads many znodes in one request; `None` for each that does not exist. See [`Session::read_all`] for more than a
    /// few hundred.
    pub async fn read_many(&self, paths: &[String]) -> Result<Vec<Option<Node>>> {
        let mut sending = self.sending(paths.iter().map(|path| path.len() + FRAMING).sum());
        until_answered!(sending, |client| client.read_many(paths))
    }

    /// Performs all of the writes or none of them.
    pub async fn write_many(&self, writes: &[Write]) -> Result<Vec<Written>, MultiError> {
        let mut sending = self.sending(writes.iter().map(Write::size).sum());
        loop {
            let client = sending.client().await?;
            let error = match client.write_many(writes).await {
                Ok(written) => return Ok(written),
                Err(MultiError::Request(error)) => {
                    sending.failed(error).await?;
                    continue;
                }
                Err(error @ MultiError::Operation { .. }) => error,
            };
            let sent_before = sending.sent_before();
            drop(sending);
            return match sent_before {
                true => self.performed_before(writes).await?.ok_or(error),
                false => Err(error),
            };
        }
    }

    /// What a multi gave that was performed without its answer reaching us; `None` if it was not performed.
    async fn performed_before(&self, writes: &[Write]) -> Result<Option<Vec<Written>>> {
        let paths: Vec<String> = writes.iter().map(|write| write.path().to_owned()).collect();
        let nodes = self.read_many(&paths).await?;
        Ok(was_performed(writes, &nodes, self.id().await?))
    }

    /// Reads a znode and watches it, whether it exists or not. Below a recursive watch this must not be used: a server
    /// with ZOOKEEPER-4466 lets the two watches swallow each other.
    pub async fn watch_node(&self, path: &str) -> Result<(Option<Node>, Changed)> {
        let mut sending = self.sending(path.len() + FRAMING);
        until_answered!(sending, |client| client.watch_node(path))
    }

    /// Names of a znode's children, and a watch on that list. See [`Session::watch_node`] for where not to use it.
    pub async fn watch_children(&self, path: &str) -> Result<(Vec<String>, Changed)> {
        let mut sending = self.sending(path.len() + FRAMING);
        let (children, changed) = until_answered!(sending, |client| client.watch_children(path))?;
        self.metrics().listed(path, &children);
        Ok((children, changed))
    }

    /// Watches a znode and all below it, until the connection is lost.
    pub(crate) async fn watch_tree(&self, path: &str) -> Result<Box<dyn TreeWatch>> {
        let mut sending = self.sending(path.len() + FRAMING);
        until_answered!(sending, |client| client.watch_tree(path))
    }
}

fn is_own_creation(node: &Node, data: &[u8], mode: CreateMode, session: SessionId) -> bool {
    match mode {
        CreateMode::Ephemeral => node.stat.ephemeral_owner == Some(session),
        // Whoever created it, it is what this create would have made.
        CreateMode::Persistent => node.stat.version == ZnodeVersion(0) && node.data == data,
        CreateMode::PersistentSequential => false,
    }
}

/// Whether the znodes are as these writes leave them; if so, what the writes gave. `nodes` has one entry per write.
fn was_performed(writes: &[Write], nodes: &[Option<Node>], session: SessionId) -> Option<Vec<Written>> {
    // Only the last write of a path shows in its data.
    let last: HashMap<&str, usize> =
        writes.iter().enumerate().map(|(index, write)| (write.path(), index)).collect();
    let mut written = Vec::with_capacity(writes.len());
    for (index, (write, node)) in writes.iter().zip(nodes).enumerate() {
        let is_last = last.get(write.path()) == Some(&index);
        let (holds, result) = match (write, node) {
            (Write::Check { .. }, _) => (true, Written::Checked),
            (Write::Create { data, mode, .. }, Some(node)) => {
                let ephemeral = *mode == CreateMode::Ephemeral;
                let own =
                    if is_last || ephemeral { is_own_creation(node, data, *mode, session) } else { true };
                (own, Written::Created)
            }
            (Write::Set { data, version, .. }, Some(node)) => {
                let follows = version.is_none_or(|version| node.stat.version == version.next());
                (!is_last || (node.data == *data && follows), Written::Set(node.stat))
            }
            (Write::Delete { .. }, None) => (true, Written::Deleted),
            (Write::Delete { .. }, Some(_)) | (Write::Create { .. } | Write::Set { .. }, None) => {
                return None;
            }
        };
        if !holds {
            return None;
        }
        written.push(result);
    }
    (written.len() == writes.len()).then_some(written)
}

#[cfg(test)]
mod tests;
