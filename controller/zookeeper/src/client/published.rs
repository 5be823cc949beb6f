//! [`Client`] over the `zookeeper-client` crate.
//!
//! The crate keeps one session, reconnects by itself, and reports a request that was cut off in several ways, which all
//! become [`ZooKeeperError::ConnectionLoss`] here. It gives a session up by itself after 7/5 of the session timeout
//! without an answer, which the Java client never does; [`Connector::reattach`] is the way back. It loses persistent
//! watches at every reconnect; [`TreeEvent::Interrupted`] tells the owner to add them again. A watch that is still
//! awaited when the runtime itself ends panics in the crate: tasks that watch are stopped and joined before.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gregor_model::ZnodeVersion;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use zookeeper_client as zk;

use super::{
    Changed, Client, ClientState, Connector, CreateMode, Created, Node, Result, SessionId, Stat, TreeEvent,
    TreeWatch, Write, Written,
};
use crate::connect_string::ConnectString;
use crate::error::{MultiError, ZooKeeperError};
use crate::schema::znode_acl;

/// How long a close waits for the server to confirm.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// Connects with the `zookeeper-client` crate.
#[derive(Clone, Debug)]
pub struct PublishedConnector {
    connect: ConnectString,
    session_timeout: Duration,
    secure: bool,
}

impl PublishedConnector {
    /// A connector to that ensemble. `secure` is `zookeeper.set.acl`.
    pub fn new(connect: ConnectString, session_timeout: Duration, secure: bool) -> PublishedConnector {
        PublishedConnector { connect, session_timeout, secure }
    }

    fn connector(&self) -> zk::Connector {
        // Each server is tried once: the caller's pause between attempts is steady, the crate's own doubles.
        zk::Client::connector().with_session_timeout(self.session_timeout).with_fail_eagerly()
    }
}

#[async_trait]
impl Connector for PublishedConnector {
    async fn connect(&self) -> Result<Arc<dyn Client>> {
        let client = self.connector().connect(&self.connect.to_string()).await.map_err(convert)?;
        Ok(Arc::new(PublishedClient::new(client, self.secure)))
    }

    async fn reattach(&self, previous: &dyn Client) -> Result<Arc<dyn Client>> {
        let Some(session) =
            previous.resumable().and_then(|session| session.downcast::<zk::SessionInfo>().ok())
        else {
            return Err(ZooKeeperError::SessionExpired);
        };
        let connector = self.connector().with_session(*session);
        let client = connector.connect(&self.connect.to_string()).await.map_err(convert)?;
        Ok(Arc::new(PublishedClient::new(client, self.secure)))
    }

    async fn create_chroot(&self) -> Result<()> {
        let Some(chroot) = self.connect.chroot() else { return Ok(()) };
        let client = self.connector().connect(&self.connect.hosts()).await.map_err(convert)?;
        let client = PublishedClient::new(client, self.secure);
        let result = create_path(&client, chroot).await;
        client.close().await;
        result
    }
}

async fn create_path(client: &PublishedClient, path: &str) -> Result<()> {
    if client.exists(path).await?.is_some() {
        return Ok(());
    }
    let ends = path.char_indices().skip(1).filter(|(_, c)| *c == '/').map(|(index, _)| index);
    for end in ends.chain([path.len()]) {
        let Some(prefix) = path.get(..end) else { continue };
        match client.create(prefix, b"", CreateMode::Persistent).await {
            Ok(_) | Err(ZooKeeperError::NodeExists) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

struct PublishedClient {
    // Taken out by `close`: the session ends when the last clone is dropped.
    client: Mutex<Option<zk::Client>>,
    session: zk::SessionInfo,
    states: watch::Receiver<ClientState>,
    state_task: AbortHandle,
    secure: bool,
}

impl PublishedClient {
    fn new(client: zk::Client, secure: bool) -> PublishedClient {
        let mut watcher = client.state_watcher();
        let (sender, states) = watch::channel(client_state(client.state()));
        let task = tokio::spawn(async move {
            loop {
                let state = client_state(watcher.changed().await);
                // Nothing may be awaited after a terminal state: it would never resolve.
                if sender.send(state).is_err() || state.is_terminal() {
                    return;
                }
            }
        });
        let session = client.session().clone();
        PublishedClient {
            client: Mutex::new(Some(client)),
            session,
            states,
            state_task: task.abort_handle(),
            secure,
        }
    }

    fn client(&self) -> Result<zk::Client> {
        self.client.lock().clone().ok_or(ZooKeeperError::SessionExpired)
    }
}

impl Drop for PublishedClient {
    fn drop(&mut self) {
        self.state_task.abort();
    }
}

#[async_trait]
impl Client for PublishedClient {
    fn session_id(&self) -> SessionId {
        SessionId(self.session.id().0)
    }

    fn states(&self) -> watch::Receiver<ClientState> {
        self.states.clone()
    }

    fn resumable(&self) -> Option<Box<dyn std::any::Any + Send>> {
        Some(Box::new(self.session.clone()))
    }

    async fn create(&self, path: &str, data: &[u8], mode: CreateMode) -> Result<Created> {
        let client = self.client()?;
        let acls = acl_entries(path, self.secure);
        let options = create_mode(mode).with_acls(zk::Acls::new(&acls));
        let (stat, sequence) = client.create(path, data, &options).await.map_err(convert)?;
        let path = match mode {
            CreateMode::PersistentSequential => format!("{path}{sequence}"),
            CreateMode::Persistent | CreateMode::Ephemeral => path.to_owned(),
        };
        Ok(Created { path, stat: convert_stat(&stat) })
    }

    async fn delete(&self, path: &str, version: Option<ZnodeVersion>) -> Result<()> {
        self.client()?.delete(path, version.map(|v| v.0)).await.map_err(convert)
    }

    async fn get(&self, path: &str) -> Result<Node> {
        let (data, stat) = self.client()?.get_data(path).await.map_err(convert)?;
        Ok(Node { data, stat: convert_stat(&stat) })
    }

    async fn exists(&self, path: &str) -> Result<Option<Stat>> {
        let stat = self.client()?.check_stat(path).await.map_err(convert)?;
        Ok(stat.as_ref().map(convert_stat))
    }

    async fn set(&self, path: &str, data: &[u8], version: Option<ZnodeVersion>) -> Result<Stat> {
        let stat = self.client()?.set_data(path, data, version.map(|v| v.0)).await.map_err(convert)?;
        Ok(convert_stat(&stat))
    }

    async fn children(&self, path: &str) -> Result<Vec<String>> {
        self.client()?.list_children(path).await.map_err(convert)
    }

    async fn read_many(&self, paths: &[String]) -> Result<Vec<Option<Node>>> {
        let client = self.client()?;
        let commit = {
            let mut reader = client.new_multi_reader();
            for path in paths {
                reader.add_get_data(path).map_err(convert)?;
            }
            reader.commit()
        };
        let results = commit.await.map_err(convert)?;
        results.into_iter().map(convert_read).collect()
    }

    async fn write_many(&self, writes: &[Write]) -> Result<Vec<Written>, MultiError> {
        let client = self.client()?;
        let commit = {
            let mut writer = client.new_multi_writer();
            for write in writes {
                add_write(&mut writer, write, self.secure).map_err(convert)?;
            }
            writer.commit()
        };
        let results = commit.await.map_err(|error| match error {
            zk::MultiWriteError::RequestFailed { source } => MultiError::Request(convert(source)),
            zk::MultiWriteError::OperationFailed { index, source } => {
                MultiError::Operation { index, error: convert(source) }
            }
        })?;
        results.into_iter().map(|result| convert_written(&result).map_err(MultiError::Request)).collect()
    }

    async fn watch_node(&self, path: &str) -> Result<(Option<Node>, Changed)> {
        let client = self.client()?;
        match client.get_and_watch_data(path).await {
            Ok((data, stat, watcher)) => {
                Ok((Some(Node { data, stat: convert_stat(&stat) }), until_changed(watcher)))
            }
            // A watch for the creation: only `exists` sets one on a node that is not there.
            Err(zk::Error::NoNode) => {
                let (stat, watcher) = client.check_and_watch_stat(path).await.map_err(convert)?;
                match stat {
                    None => Ok((None, until_changed(watcher))),
                    // It appeared in between, and now carries our watch.
                    Some(_) => {
                        let node = match client.get_data(path).await {
                            Ok((data, stat)) => Some(Node { data, stat: convert_stat(&stat) }),
                            Err(zk::Error::NoNode) => None,
                            Err(error) => return Err(convert(error)),
                        };
                        Ok((node, until_changed(watcher)))
                    }
                }
            }
            Err(error) => Err(convert(error)),
        }
    }

    async fn watch_children(&self, path: &str) -> Result<(Vec<String>, Changed)> {
        let client = self.client()?;
        let (children, watcher) = client.list_and_watch_children(path).await.map_err(convert)?;
        Ok((children, until_changed(watcher)))
    }

    async fn watch_tree(&self, path: &str) -> Result<Box<dyn TreeWatch>> {
        let client = self.client()?;
        let watcher = client.watch(path, zk::AddWatchMode::PersistentRecursive).await.map_err(convert)?;
        Ok(Box::new(PublishedTreeWatch { watcher: Some(watcher) }))
    }

    async fn close(&self) {
        let Some(client) = self.client.lock().take() else { return };
        let mut states = client.state_watcher();
        drop(client);
        let closed = async { while !states.changed().await.is_terminated() {} };
        // The session ends with its timeout if the server cannot be told.
        tokio::time::timeout(CLOSE_TIMEOUT, closed).await.unwrap_or_default();
    }
}

struct PublishedTreeWatch {
    // None once it has ended: the crate panics when asked for more.
    watcher: Option<zk::PersistentWatcher>,
}

#[async_trait]
impl TreeWatch for PublishedTreeWatch {
    async fn next(&mut self) -> TreeEvent {
        let Some(watcher) = self.watcher.as_mut() else { return TreeEvent::Ended };
        let event = watcher.changed().await;
        match event.event_type {
            zk::EventType::NodeCreated => TreeEvent::Created(event.path),
            zk::EventType::NodeDeleted => TreeEvent::Deleted(event.path),
            zk::EventType::NodeDataChanged => TreeEvent::DataChanged(event.path),
            // Not sent for recursive watches; re-reading is the answer to anything unknown.
            zk::EventType::NodeChildrenChanged => TreeEvent::Interrupted,
            zk::EventType::Session if event.session_state.is_terminated() => {
                self.watcher = None;
                TreeEvent::Ended
            }
            zk::EventType::Session => TreeEvent::Interrupted,
        }
    }
}

fn until_changed(watcher: zk::OneshotWatcher) -> Changed {
    Box::pin(async move {
        watcher.changed().await;
    })
}

fn client_state(state: zk::SessionState) -> ClientState {
    match state {
        zk::SessionState::SyncConnected => ClientState::Connected,
        zk::SessionState::Disconnected | zk::SessionState::ConnectedReadOnly => ClientState::Disconnected,
        zk::SessionState::Expired | zk::SessionState::Closed => ClientState::Expired,
        zk::SessionState::AuthFailed => ClientState::AuthFailed,
    }
}

fn create_mode(mode: CreateMode) -> zk::CreateMode {
    match mode {
        CreateMode::Persistent => zk::CreateMode::Persistent,
        CreateMode::PersistentSequential => zk::CreateMode::PersistentSequential,
        CreateMode::Ephemeral => zk::CreateMode::Ephemeral,
    }
}

fn acl_entries(path: &str, secure: bool) -> Vec<zk::Acl> {
    znode_acl::for_path(path, secure)
        .iter()
        .map(|entry| match entry {
            znode_acl::Entry::AnyoneAll => zk::Acl::new(zk::Permission::ALL, zk::AuthId::anyone()),
            znode_acl::Entry::AnyoneRead => zk::Acl::new(zk::Permission::READ, zk::AuthId::anyone()),
            znode_acl::Entry::CreatorAll => zk::Acl::new(zk::Permission::ALL, zk::AuthId::authed()),
        })
        .collect()
}

fn add_write(writer: &mut zk::MultiWriter<'_>, write: &Write, secure: bool) -> Result<(), zk::Error> {
    match write {
        Write::Check { path, version } => writer.add_check_version(path, version.0),
        Write::Create { path, data, mode } => {
            let acls = acl_entries(path, secure);
            writer.add_create(path, data, &create_mode(*mode).with_acls(zk::Acls::new(&acls)))
        }
        Write::Set { path, data, version } => writer.add_set_data(path, data, version.map(|v| v.0)),
        Write::Delete { path, version } => writer.add_delete(path, version.map(|v| v.0)),
    }
}

fn convert_read(result: zk::MultiReadResult) -> Result<Option<Node>> {
    match result {
        zk::MultiReadResult::Data { data, stat } => Ok(Some(Node { data, stat: convert_stat(&stat) })),
        zk::MultiReadResult::Error { err: zk::Error::NoNode } => Ok(None),
        zk::MultiReadResult::Error { err } => Err(convert(err)),
        other => Err(ZooKeeperError::Other(format!("unexpected answer to a read: {other:?}"))),
    }
}

fn convert_written(result: &zk::MultiWriteResult) -> Result<Written> {
    match result {
        zk::MultiWriteResult::Check => Ok(Written::Checked),
        zk::MultiWriteResult::Create { .. } => Ok(Written::Created),
        zk::MultiWriteResult::SetData { stat } => Ok(Written::Set(convert_stat(stat))),
        zk::MultiWriteResult::Delete => Ok(Written::Deleted),
        other => Err(ZooKeeperError::Other(format!("unexpected answer to a write: {other:?}"))),
    }
}

fn convert_stat(stat: &zk::Stat) -> Stat {
    Stat {
        czxid: stat.czxid,
        mzxid: stat.mzxid,
        version: ZnodeVersion(stat.version),
        created_ms: stat.ctime,
        ephemeral_owner: (stat.ephemeral_owner != 0).then_some(SessionId(stat.ephemeral_owner)),
        children: stat.num_children,
    }
}

fn convert(error: zk::Error) -> ZooKeeperError {
    match error {
        zk::Error::NoNode => ZooKeeperError::NoNode,
        zk::Error::NodeExists => ZooKeeperError::NodeExists,
        zk::Error::BadVersion => ZooKeeperError::BadVersion,
        zk::Error::NotEmpty => ZooKeeperError::NotEmpty,
        zk::Error::NoAuth => ZooKeeperError::NoAuth,
        zk::Error::Unimplemented => ZooKeeperError::Unsupported,
        zk::Error::AuthFailed => ZooKeeperError::AuthFailed,
        zk::Error::SessionExpired | zk::Error::ClientClosed => ZooKeeperError::SessionExpired,
        // The crate words a broken connection in all of these ways; a moved session and a throttled request are also
        // to be sent again.
        zk::Error::ConnectionLoss
        | zk::Error::Timeout
        | zk::Error::NoHosts
        | zk::Error::UnexpectedError(_)
        | zk::Error::SessionMoved
        | zk::Error::Throttled
        | zk::Error::Custom(_) => ZooKeeperError::ConnectionLoss,
        other => ZooKeeperError::Other(other.to_string()),
    }
}
