//! This broker's registration in ZooKeeper: what it says, which epoch it has, and how it is renewed.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use gregor_model::{BrokerEpoch, BrokerId, EndPoint, Timestamp};
use gregor_zookeeper::registration::{RegisterError, register_broker, update_broker};
use gregor_zookeeper::schema::broker::BrokerRegistration;
use gregor_zookeeper::store::{RegisteredBroker, Store};
use gregor_zookeeper::{Session, SessionId, ZooKeeperError};
use parking_lot::Mutex;

use crate::coordinators::CONSUMER_PROTOCOL_FEATURE;

/// Between two tries while another session's registration stands.
const REGISTRATION_PAUSE: Duration = Duration::from_millis(100);

/// The registration of this broker. Its epoch is read by every sender of a request between brokers; it is registered
/// at start and again by the controller service whenever a session was replaced.
#[derive(Debug)]
pub struct Registration {
    id: BrokerId,
    content: Mutex<BrokerRegistration>,
    epoch: AtomicI64,
    session: Mutex<Option<SessionId>>,
}

/// Another live broker advertises an address of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("configured end point {host}:{port} in advertised.listeners is already registered by broker {other}")]
pub struct AddressTaken {
    host: String,
    port: u16,
    other: BrokerId,
}

impl Registration {
    /// What will be registered; nothing is yet.
    pub fn new(id: BrokerId, endpoints: Vec<EndPoint>, rack: Option<String>) -> Registration {
        let (name, range) = CONSUMER_PROTOCOL_FEATURE;
        let features = [(name.to_owned(), range)].into();
        Registration {
            id,
            content: Mutex::new(BrokerRegistration { endpoints, rack, jmx_port: -1, features }),
            epoch: AtomicI64::new(-1),
            session: Mutex::new(None),
        }
    }

    /// The epoch of the current registration; after the session expired, of the last one.
    pub fn epoch(&self) -> Option<BrokerEpoch> {
        BrokerEpoch::from_wire(self.epoch.load(Ordering::Acquire))
    }

    /// Whether no other broker advertises an address of ours (`KafkaServer.createBrokerInfo`).
    pub async fn check_addresses(&self, store: &Store) -> anyhow::Result<()> {
        let brokers = store.brokers().await?;
        Ok(check_addresses(self.id, &self.content.lock().endpoints, &brokers)?)
    }

    /// Registers at start. The registration of a broker that died lasts until its session ends: it is waited for that long,
    /// where Kafka gives up at once. If it is still there then, it is another live broker's.
    pub async fn register_when_free(
        &self,
        session: &Session,
        patience: Duration,
    ) -> Result<BrokerEpoch, RegisterError> {
        let deadline = Instant::now() + patience;
        let mut told = false;
        loop {
            match self.register(session).await {
                Err(error @ RegisterError::AlreadyRegistered { .. }) if Instant::now() < deadline => {
                    if !told {
                        tracing::warn!(%error, "waiting for the registration to go");
                        told = true;
                    }
                    tokio::time::sleep(REGISTRATION_PAUSE).await;
                }
                result => return result,
            }
        }
    }

    /// Registers under the present session; what is left of the session before is removed.
    pub async fn register(&self, session: &Session) -> Result<BrokerEpoch, RegisterError> {
        let previous = *self.session.lock();
        let content = self.content.lock().clone();
        let registered = register_broker(session, self.id, &content, previous, Timestamp::now()).await?;
        *self.session.lock() = Some(registered.session);
        self.epoch.store(registered.epoch.0, Ordering::Release);
        Ok(registered.epoch)
    }

    /// From now on the broker is registered with these addresses, under the epoch that it has (`updateBrokerInfo`); whether
    /// they are others than before.
    ///
    /// # Errors
    /// ZooKeeper does not have them yet; the next registration will.
    pub async fn advertise(
        &self,
        endpoints: Vec<EndPoint>,
        session: &Session,
    ) -> Result<bool, ZooKeeperError> {
        let content = {
            let mut content = self.content.lock();
            if content.endpoints == endpoints {
                return Ok(false);
            }
            content.endpoints = endpoints;
            content.clone()
        };
        update_broker(session, self.id, &content, Timestamp::now()).await.map(|()| true)
    }
}

fn check_addresses(
    id: BrokerId,
    endpoints: &[EndPoint],
    brokers: &[RegisteredBroker],
) -> Result<(), AddressTaken> {
    for other in brokers.iter().filter(|other| other.id != id) {
        let taken = endpoints.iter().find(|ours| {
            let same = |theirs: &EndPoint| theirs.host == ours.host && theirs.port == ours.port;
            other.registration.endpoints.iter().any(same)
        });
        if let Some(ours) = taken {
            return Err(AddressTaken { host: ours.host.clone(), port: ours.port, other: other.id });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use gregor_model::{ListenerName, SecurityProtocol};

    use super::*;

    fn endpoint(host: &str, port: u16) -> EndPoint {
        EndPoint {
            listener: ListenerName::new("PLAINTEXT"),
            protocol: SecurityProtocol::Plaintext,
            host: host.to_owned(),
            port,
        }
    }

    fn broker(id: i32, host: &str, port: u16) -> RegisteredBroker {
        RegisteredBroker {
            id: BrokerId(id),
            epoch: BrokerEpoch(1),
            registration: Registration::new(BrokerId(id), vec![endpoint(host, port)], None)
                .content
                .into_inner(),
        }
    }

    #[test]
    fn addresses_are_exclusive() {
        #[track_caller]
        fn check(others: &[RegisteredBroker], expected: bool) {
            let ours = [endpoint("a", 1), endpoint("a", 2)];
            assert_eq!(check_addresses(BrokerId(1), &ours, others).is_ok(), expected);
        }
        check(&[], true);
        check(&[broker(2, "a", 3), broker(3, "b", 1)], true);
        check(&[broker(2, "a", 2)], false);
        check(&[broker(1, "a", 2)], true);
    }
}
