//! Registrations, each read and watched: a change of a live broker's addresses is an event of its own.

use std::sync::Arc;

use gregor_controller_machine::{BrokerRegistration, Event, VersionRange};
use gregor_model::{BrokerEndpoints, BrokerEpoch, BrokerId};
use gregor_zookeeper::schema::broker;
use gregor_zookeeper::store::RegisteredBroker;
use gregor_zookeeper::watch::NodeWatch;
use gregor_zookeeper::{Node, ZooKeeperError};
use tracing::error;

use super::Term;
use super::watches::{is_over, tell};

impl Term {
    /// All registrations, watched from here on.
    pub(super) async fn read_brokers(self: &Arc<Self>) -> Result<Vec<BrokerRegistration>, ZooKeeperError> {
        let mut ids = self.store.broker_ids().await?;
        ids.sort_unstable();
        let unwatched: Vec<BrokerId> = {
            let watched = self.watched_brokers.lock();
            ids.iter().copied().filter(|id| !watched.contains(id)).collect()
        };
        for id in unwatched {
            self.watch_broker(id).await?;
        }
        let brokers = self.store.brokers_of(&ids).await?;
        Ok(brokers.into_iter().map(registration).collect())
    }

    /// One registration; none when the broker is gone or its registration unreadable.
    pub(super) async fn read_broker(&self, id: BrokerId) -> Result<Vec<BrokerRegistration>, ZooKeeperError> {
        let brokers = self.store.brokers_of(&[id]).await?;
        Ok(brokers.into_iter().map(registration).collect())
    }

    /// Watches a registration until it is gone.
    async fn watch_broker(self: &Arc<Self>, id: BrokerId) -> Result<(), ZooKeeperError> {
        let mut watch = NodeWatch::new(self.store.session().clone(), broker::path(id));
        let Some(Node { stat, .. }) = watch.next().await? else { return Ok(()) };
        if !self.watched_brokers.lock().insert(id) {
            return Ok(());
        }
        let czxid = stat.czxid;
        let term = Arc::downgrade(self);
        self.spawn(async move {
            loop {
                match watch.next().await {
                    // The same registration with other content.
                    Ok(Some(node)) if node.stat.czxid == czxid => {
                        if !tell(&term, Event::BrokerModified(id)).await {
                            return;
                        }
                    }
                    // Gone, or another one: the change of the list of brokers tells, and leads to a new watch.
                    Ok(_) => break,
                    Err(error) if is_over("broker", &error).await => return,
                    Err(_) => {}
                }
            }
            let Some(term) = term.upgrade() else { return };
            term.watched_brokers.lock().remove(&id);
            // The list may have been read before this watch ended, and then nobody would watch the new registration.
            term.tell(Event::BrokersChanged).await;
        });
        Ok(())
    }
}

fn registration(registered: RegisteredBroker) -> BrokerRegistration {
    let RegisteredBroker { id, epoch, registration } = registered;
    if registration.endpoints.is_empty() {
        error!(broker = %id, "a broker is registered without endpoints");
    }
    let features = registration.features.into_iter();
    BrokerRegistration {
        broker: Arc::new(BrokerEndpoints {
            id,
            epoch: BrokerEpoch(epoch.0),
            endpoints: registration.endpoints,
            rack: registration.rack,
        }),
        features: features
            .map(|(name, range)| (name, VersionRange { min: range.min_version, max: range.max_version }))
            .collect(),
    }
}
