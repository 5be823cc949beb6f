//! Watching over the controller while another broker holds the office: a connection that stays open. When the controller's
//! process is gone (see [`crate::refusals`]), `/controller` is removed for it, fenced with its epoch, so that someone is
//! elected at once and not when its session ends. Kafka waits for that end.
//!
//! A controller that lives after all is deposed, as when an operator removes the node: its writes are fenced. A KRaft
//! controller's node is never touched.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gregor_model::{BrokerEndpoints, BrokerId, ListenerName};
use gregor_wire::client::Connect;
use gregor_zookeeper::store::{FencedError, Store};
use gregor_zookeeper::{Session, ZooKeeperError};
use parking_lot::Mutex;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::refusals::{Departure, News, Refusals};

/// Between two tries to connect.
const PAUSE: Duration = Duration::from_millis(100);

/// How to reach the controller.
pub(crate) struct Watcher {
    pub(crate) own_id: BrokerId,
    pub(crate) listener: ListenerName,
    pub(crate) timeout: Duration,
    pub(crate) connect: Arc<dyn Connect>,
    /// Pinned: the watch is over with the session.
    pub(crate) session: Session,
}

/// A watch over one controller; dropping it ends it.
pub(crate) struct Vigil {
    departure: Arc<Mutex<Option<Departure>>>,
    _stop: DropGuard,
}

impl Vigil {
    /// Begins to watch over the controller that holds the office now, whoever it is.
    pub(crate) fn begin(watcher: Watcher, tasks: &TaskTracker) -> Vigil {
        let stop = CancellationToken::new();
        let departure = Arc::<Mutex<Option<Departure>>>::default();
        let (stopped, seen) = (stop.clone(), departure.clone());
        tasks.spawn(async move {
            if let Some(Err(error)) = stopped.run_until_cancelled(watcher.watch(&seen)).await {
                warn!(%error, "cannot watch over the controller");
            }
        });
        Vigil { departure, _stop: stop.drop_guard() }
    }

    /// The controller, if it has been refusing connections.
    pub(crate) fn departure(&self) -> Option<Departure> {
        *self.departure.lock()
    }
}

impl Watcher {
    async fn watch(self, departure: &Mutex<Option<Departure>>) -> Result<(), ZooKeeperError> {
        let store = Store::new(self.session.clone());
        let Some((controller, fence)) = store.standing_controller().await? else { return Ok(()) };
        let Some(registered) = store.broker(controller).await? else { return Ok(()) };
        let broker = BrokerEndpoints {
            id: controller,
            epoch: registered.epoch,
            endpoints: registered.registration.endpoints,
            rack: None,
        };
        self.wait_until_gone(&broker, departure).await;
        warn!(%controller, "the controller refuses connections: removing /controller for it");
        match store.delete_controller(fence).await {
            Ok(()) => info!(%controller, "/controller is removed"),
            // Others saw it too, and one was quicker.
            Err(FencedError::ControllerMoved | FencedError::ZooKeeper(ZooKeeperError::NoNode)) => {}
            Err(FencedError::ZooKeeper(error)) => return Err(error),
        }
        Ok(())
    }

    /// Comes back when the broker has been refusing connections for as long as the setting says.
    async fn wait_until_gone(&self, broker: &BrokerEndpoints, departure: &Mutex<Option<Departure>>) {
        let Some(endpoint) = broker.endpoint(&self.listener) else { return std::future::pending().await };
        let client_id = self.own_id.to_string();
        let mut refusals = Refusals::new(Some(self.timeout), None);
        loop {
            let news = match self.connect.connect(endpoint, &client_id).await {
                Ok(connection) => {
                    refusals.connected();
                    *departure.lock() = None;
                    connection.closed().await;
                    continue;
                }
                Err(error) if error.is_refusal() => refusals.refused(Instant::now()),
                Err(_) => refusals.failed(),
            };
            *departure.lock() =
                refusals.since().map(|since| Departure { broker: broker.id, epoch: broker.epoch, since });
            if news == Some(News::Refuses) {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
