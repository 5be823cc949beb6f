//! Brokers as the controller sees them: those registered, those shutting down, those it has a channel to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gregor_model::{BrokerEndpoints, BrokerEpoch, BrokerId};

use crate::znode::BrokerRegistration;

/// How a broker, or one replica on it, stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Liveness {
    /// Live.
    Online,
    /// Live, but in controlled shutdown.
    ShuttingDown,
    /// Not registered, refusing connections, or the replica's log directory failed.
    Offline,
}

/// Live brokers, those in controlled shutdown, and which have a channel.
#[derive(Debug, Default)]
pub(crate) struct Brokers {
    registered: BTreeMap<BrokerId, BrokerRegistration>,
    /// Registered still, but refusing connections: not live.
    refusing: BTreeMap<BrokerId, BrokerRegistration>,
    shutting_down: BTreeSet<BrokerId>,
    channels: BTreeSet<BrokerId>,
}

impl Brokers {
    /// How the broker stands.
    pub(crate) fn liveness(&self, id: BrokerId) -> Liveness {
        if !self.registered.contains_key(&id) {
            Liveness::Offline
        } else if self.shutting_down.contains(&id) {
            Liveness::ShuttingDown
        } else {
            Liveness::Online
        }
    }

    /// Registration of a live or shutting-down broker.
    pub(crate) fn get(&self, id: BrokerId) -> Option<&BrokerRegistration> {
        self.registered.get(&id)
    }

    /// Epoch of a live or shutting-down broker.
    pub(crate) fn epoch(&self, id: BrokerId) -> Option<BrokerEpoch> {
        self.registered.get(&id).map(|registration| registration.broker.epoch)
    }

    /// Live or shutting-down brokers, by id.
    pub(crate) fn ids(&self) -> impl Iterator<Item = BrokerId> {
        self.registered.keys().copied()
    }

    /// Registrations of live or shutting-down brokers, by id.
    pub(crate) fn registrations(&self) -> impl Iterator<Item = &BrokerRegistration> {
        self.registered.values()
    }

    /// Addresses of live or shutting-down brokers, by id.
    pub(crate) fn endpoints(&self) -> Vec<Arc<BrokerEndpoints>> {
        self.registered.values().map(|registration| Arc::clone(&registration.broker)).collect()
    }

    /// Takes a broker that refuses connections out of the live ones, if its epoch is this, and only as long as those that
    /// refuse are fewer than the others: when most of them do, it is this broker that cannot reach them.
    pub(crate) fn set_refusing(&mut self, id: BrokerId, epoch: BrokerEpoch) -> bool {
        if self.epoch(id) != Some(epoch) || self.refusing.len() + 2 >= self.registered.len() {
            return false;
        }
        let removed = self.registered.remove(&id);
        self.refusing.extend(removed.map(|registration| (id, registration)));
        true
    }

    /// The registration of a broker that refuses connections.
    pub(crate) fn refusing(&self, id: BrokerId) -> Option<&BrokerRegistration> {
        self.refusing.get(&id)
    }

    /// Brokers that refuse connections, by id.
    pub(crate) fn refusing_ids(&self) -> impl Iterator<Item = BrokerId> {
        self.refusing.keys().copied()
    }

    /// Forgets that a broker refuses connections; gives its registration.
    pub(crate) fn take_refusing(&mut self, id: BrokerId) -> Option<BrokerRegistration> {
        self.refusing.remove(&id)
    }

    /// Replaces the registration of a broker that refuses connections.
    pub(crate) fn replace_refusing(&mut self, registration: BrokerRegistration) {
        self.refusing.insert(registration.broker.id, registration);
    }

    /// Adds or replaces a live broker.
    pub(crate) fn insert(&mut self, registration: BrokerRegistration) {
        self.registered.insert(registration.broker.id, registration);
    }

    /// Removes a broker from the live ones; its shutting-down mark stays.
    pub(crate) fn remove(&mut self, id: BrokerId) {
        self.registered.remove(&id);
    }

    /// Marks a broker as shutting down, or not.
    pub(crate) fn set_shutting_down(&mut self, id: BrokerId, shutting_down: bool) {
        if shutting_down {
            self.shutting_down.insert(id);
        } else {
            self.shutting_down.remove(&id);
        }
    }

    /// Notes that the broker has a channel, or none any more.
    pub(crate) fn set_channel(&mut self, id: BrokerId, open: bool) {
        if open {
            self.channels.insert(id);
        } else {
            self.channels.remove(&id);
        }
    }

    /// Whether something can be sent to the broker.
    pub(crate) fn has_channel(&self, id: BrokerId) -> bool {
        self.channels.contains(&id)
    }
}
