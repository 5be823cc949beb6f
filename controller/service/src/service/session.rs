//! Candidacy: `/controller` watched, elections, and what happens when the session is replaced
//! (`KafkaController.elect`, `processReelect`, `processRegisterBrokerAndReelect`).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::BoxFuture;
use gregor_controller_machine::{Event, LossReason};
use gregor_model::{ControllerEpoch, Timestamp};
use gregor_zookeeper::schema::controller;
use gregor_zookeeper::store::{Candidacy, Fence, Store};
use gregor_zookeeper::watch::NodeWatch;
use gregor_zookeeper::{Generation, Node, Session, SessionState, ZooKeeperError};
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::{Office, Worker};
use crate::channel::ChannelContext;
use crate::environment::ControllerEnvironment;
use crate::refusals::Departure;
use crate::term::Term;
use crate::vigil::{Vigil, Watcher};

/// Pause after an election or a registration failed.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

impl Worker {
    pub(super) fn watch_controller(&self) -> super::Candidacy {
        read(NodeWatch::new(self.session.pinned_to(self.generation), controller::PATH))
    }

    /// The session's state changed: a new generation, or the end of ours, ends the term before anything else is done.
    pub(super) async fn on_session(&mut self) {
        let status = *self.statuses.borrow_and_update();
        let over = status.generation != self.generation || status.state == SessionState::Expired;
        if !over && status.state != SessionState::Closed {
            return;
        }
        self.candidacy = None;
        self.vigil = None;
        self.retry_at = None;
        self.lose(LossReason::SessionExpired).await;
        let renewed = status.generation != self.generation && status.state != SessionState::Expired;
        if renewed && status.state != SessionState::Closed {
            self.generation = status.generation;
            let session = self.session.pinned_to(status.generation);
            self.renewal = Some(register(self.environment.clone(), session, status.generation));
        }
    }

    /// This broker is registered under a new session: stand for election again.
    pub(super) fn on_renewed(&mut self, generation: Generation) {
        self.renewal = None;
        if generation == self.generation {
            self.candidacy = Some(self.watch_controller());
        }
    }

    /// What `/controller` holds now. The watch reads after everything that was done here before, so this is never an
    /// older state than we know.
    pub(super) async fn on_controller(&mut self, node: Result<Option<Node>, ZooKeeperError>) {
        match node {
            Ok(None) => {
                self.lose(LossReason::ControllerMoved).await;
                let departed = self.vigil.take().and_then(|vigil| vigil.departure());
                self.stand(departed).await;
            }
            Ok(Some(node)) => self.on_elected(&node).await,
            // The change of the session tells what to do.
            Err(ZooKeeperError::SessionExpired | ZooKeeperError::Closed) => self.candidacy = None,
            Err(error) => {
                error!(%error, "cannot watch /controller");
                self.pause();
            }
        }
    }

    async fn on_elected(&mut self, node: &Node) {
        let own_session = self.session.pinned_to(self.generation).id().await.ok();
        self.vigil = None;
        let is_ours = node.stat.ephemeral_owner.is_some() && node.stat.ephemeral_owner == own_session;
        if !is_ours {
            match controller::decode(&node.data) {
                Ok(registration) => {
                    info!(controller = %registration.broker, "another broker is the controller")
                }
                Err(error) => error!(%error, "unreadable /controller"),
            }
            self.lose(LossReason::ControllerMoved).await;
            self.watch_over_controller();
        } else if self.office.is_none() {
            // We have resigned, or won without knowing. Nobody is elected while the node stands.
            warn!("/controller names this broker, which does not hold the office: giving it up");
            let session = self.session.pinned_to(self.generation);
            match session.delete(controller::PATH, Some(node.stat.version)).await {
                Ok(()) | Err(ZooKeeperError::NoNode | ZooKeeperError::SessionExpired) => {}
                Err(error) => {
                    error!(%error, "cannot give /controller up");
                    self.pause();
                }
            }
        }
    }

    /// Stands for election once; if another broker wins, the watch on `/controller` tells.
    async fn stand(&mut self, departed: Option<Departure>) {
        let store = Store::new(self.session.pinned_to(self.generation));
        let broker = self.settings.machine.broker_id;
        match store.elect(broker, Timestamp::now()).await {
            Ok(Candidacy::Won { epoch, fence }) => {
                self.take_office(epoch, fence, store, departed).await;
            }
            Ok(Candidacy::Lost) => info!("another broker was elected controller"),
            Err(ZooKeeperError::SessionExpired | ZooKeeperError::Closed) => {}
            Err(error) => {
                error!(%error, "the election of a controller failed");
                self.pause();
            }
        }
    }

    fn watch_over_controller(&mut self) {
        let Some(timeout) = self.settings.refusal_timeout else { return };
        let watcher = Watcher {
            own_id: self.settings.machine.broker_id,
            listener: self.settings.listener.clone(),
            timeout,
            connect: self.connect.clone(),
            session: self.session.pinned_to(self.generation),
        };
        self.vigil = Some(Vigil::begin(watcher, &self.tasks));
    }

    async fn take_office(
        &mut self,
        epoch: ControllerEpoch,
        fence: Fence,
        store: Store,
        departed: Option<Departure>,
    ) {
        info!(%epoch, "elected controller");
        let (connect, events) = (self.connect.clone(), self.events.clone());
        let metrics = self.metrics.clone();
        let context = ChannelContext::new(&self.settings, epoch, departed, connect, events, metrics);
        let term = Term::new(
            epoch,
            fence,
            store,
            self.environment.clone(),
            self.settings.features_timeout,
            self.events.clone(),
            self.tasks.clone(),
        );
        self.office =
            Some(Office { term: Arc::new(term), context: Arc::new(context), channels: Default::default() });
        self.active.store(true, Ordering::Release);
        self.apply(Event::Elected { controller_epoch: epoch }).await;
    }

    /// Ends the term, if there is one.
    pub(super) async fn lose(&mut self, reason: LossReason) {
        if self.office.is_some() {
            self.operation = None;
            self.apply(Event::Lost(reason)).await;
        }
    }

    /// Reads `/controller` once more, whatever the watch has told: while this broker is registered.
    pub(super) fn read_controller_again(&mut self) {
        if self.candidacy.is_some() {
            self.candidacy = Some(self.watch_controller());
        }
    }

    /// Reads `/controller` again after a pause.
    pub(super) fn pause(&mut self) {
        self.candidacy = None;
        self.retry_at = Some(Instant::now() + RETRY_PAUSE);
    }

    /// The pause is over.
    pub(super) fn on_retry(&mut self) {
        self.retry_at = None;
        if self.renewal.is_none() {
            self.candidacy = Some(self.watch_controller());
        }
    }
}

/// The next read of `/controller`.
pub(super) fn read(mut watch: NodeWatch) -> super::Candidacy {
    Box::pin(async move {
        let node = watch.next().await;
        (watch, node)
    })
}

/// Registers this broker until it succeeds or the session is over. Kafka gives up at the first failure and goes on
/// unregistered.
fn register(
    environment: Arc<dyn ControllerEnvironment>,
    session: Session,
    generation: Generation,
) -> BoxFuture<'static, Generation> {
    Box::pin(async move {
        while let Err(error) = environment.register(&session).await {
            error!(%error, "this broker could not register again");
            tokio::time::sleep(RETRY_PAUSE).await;
        }
        generation
    })
}
