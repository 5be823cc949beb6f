//! One term of office: from winning `/controller` to giving it up.
//!
//! It holds the fence of the term's writes and owns the tasks of its watches. Its store is pinned to the session that
//! won: with the session, everything the term might still do is over.

mod broker_watch;
mod load;
mod operation;
mod topics_watch;
mod watches;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gregor_controller_machine::{Event, LossReason};
use gregor_model::{BrokerId, ControllerEpoch};
use gregor_zookeeper::ZooKeeperError;
use gregor_zookeeper::store::{Fence, FencedError, Store};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::channel::TermEvent;
use crate::environment::ControllerEnvironment;
use topics_watch::Quiet;

pub(crate) struct Term {
    pub(crate) epoch: ControllerEpoch,
    pub(crate) fence: Fence,
    store: Store,
    environment: Arc<dyn ControllerEnvironment>,
    features_timeout: Duration,
    events: mpsc::Sender<TermEvent>,
    tasks: TaskTracker,
    stop: CancellationToken,
    watched_brokers: Mutex<HashSet<BrokerId>>,
    quiet: Quiet,
}

/// Why an operation has no outcome.
enum Halt {
    /// The term is over.
    Lost(LossReason),
    /// ZooKeeper failed; the term goes on.
    Failed(ZooKeeperError),
}

impl From<ZooKeeperError> for Halt {
    fn from(error: ZooKeeperError) -> Halt {
        match error {
            ZooKeeperError::SessionExpired | ZooKeeperError::Closed => Halt::Lost(LossReason::SessionExpired),
            other => Halt::Failed(other),
        }
    }
}

impl From<FencedError> for Halt {
    fn from(error: FencedError) -> Halt {
        match error {
            FencedError::ControllerMoved => Halt::Lost(LossReason::ControllerMoved),
            FencedError::ZooKeeper(error) => error.into(),
        }
    }
}

impl Term {
    /// A term won with this epoch and fence, through a pinned store.
    pub(crate) fn new(
        epoch: ControllerEpoch,
        fence: Fence,
        store: Store,
        environment: Arc<dyn ControllerEnvironment>,
        features_timeout: Duration,
        events: mpsc::Sender<TermEvent>,
        tasks: TaskTracker,
    ) -> Term {
        Term {
            epoch,
            fence,
            store,
            environment,
            features_timeout,
            events,
            tasks,
            stop: CancellationToken::new(),
            watched_brokers: Mutex::default(),
            quiet: Quiet::default(),
        }
    }

    /// Spawns a task that ends with the term.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            stop.run_until_cancelled(task).await;
        });
    }

    /// Gives an event to the controller.
    async fn tell(&self, event: Event) {
        // Fails only when the controller has stopped.
        let _ = self.events.send(TermEvent { controller_epoch: self.epoch, event, at: Instant::now() }).await;
    }

    /// Stops the watches and the operation in hand.
    pub(crate) fn end(&self) {
        self.stop.cancel();
    }

    /// If `/controller` still names `broker`, gives it up, so that someone is elected anew (`triggerControllerMove`).
    pub(crate) async fn move_on(&self, broker: BrokerId) -> Result<(), FencedError> {
        let node = self.store.controller().await?;
        match node.is_some_and(|node| node.registration.broker == broker) {
            true => self.store.delete_controller(self.fence).await,
            false => Ok(()),
        }
    }
}

impl Drop for Term {
    fn drop(&mut self) {
        self.end();
    }
}
