//! Whether consumer groups (KIP-848) are served: only while every live broker says in its registration that it can, as
//! their coordinators may move to any of them. With one broker of Apache Kafka in the cluster the protocol is refused, as
//! that broker would refuse it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gregor_zookeeper::schema::broker::{BrokerRegistration, FeatureRange, IDS_PATH};
use gregor_zookeeper::store::Store;
use gregor_zookeeper::watch::ChildrenWatch;
use gregor_zookeeper::{Session, ZooKeeperError};
use tokio_util::sync::CancellationToken;

/// The supported feature by which brokers know each other. Apache Kafka passes over features it does not know.
pub const CONSUMER_PROTOCOL_FEATURE: (&str, FeatureRange) =
    ("gregor.consumer.groups", FeatureRange { min_version: 1, max_version: 1 });

/// How long to wait after ZooKeeper failed.
const RETRY_BACKOFF: Duration = Duration::from_secs(1);

/// Whether the protocol is served now; not before the brokers were read once.
#[derive(Debug, Default)]
pub struct ConsumerProtocol {
    served: AtomicBool,
}

impl ConsumerProtocol {
    /// Whether every live broker serves it.
    pub fn is_served(&self) -> bool {
        self.served.load(Ordering::Relaxed)
    }

    /// Follows the registrations until the broker stops.
    pub async fn follow(self: Arc<Self>, session: Session, stop: CancellationToken) {
        let store = Store::new(session.clone());
        let mut watch = ChildrenWatch::new(session, IDS_PATH);
        while let Some(children) = stop.run_until_cancelled(watch.next()).await {
            let looked = match children {
                Ok(_) => stop.run_until_cancelled(self.look(&store)).await,
                Err(error) => Some(Err(error)),
            };
            if let Some(Err(error)) = looked {
                tracing::warn!(%error, "cannot read which protocols the brokers support");
                // The registrations have to be read again, whatever the watch says.
                watch = ChildrenWatch::new(store.session().clone(), IDS_PATH);
                stop.run_until_cancelled(tokio::time::sleep(RETRY_BACKOFF)).await;
            }
        }
    }

    async fn look(&self, store: &Store) -> Result<(), ZooKeeperError> {
        let ids = store.broker_ids().await?;
        let brokers = store.brokers_of(&ids).await?;
        // A registration that cannot be read is one of a broker that may not support it.
        let all = !ids.is_empty()
            && brokers.len() == ids.len()
            && brokers.iter().all(|broker| supports(&broker.registration));
        if self.served.swap(all, Ordering::Relaxed) != all {
            tracing::info!(served = all, brokers = ids.len(), "consumer group protocol");
        }
        Ok(())
    }
}

fn supports(registration: &BrokerRegistration) -> bool {
    let (name, wanted) = CONSUMER_PROTOCOL_FEATURE;
    registration
        .features
        .get(name)
        .is_some_and(|range| (range.min_version..=range.max_version).contains(&wanted.max_version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_that_support_it() {
        #[track_caller]
        fn check(features: &[(&str, i16, i16)], expected: bool) {
            let range = |min_version, max_version| FeatureRange { min_version, max_version };
            let features = features.iter().map(|(name, min, max)| ((*name).to_owned(), range(*min, *max)));
            let registration = BrokerRegistration {
                endpoints: Vec::new(),
                rack: None,
                jmx_port: -1,
                features: features.collect(),
            };
            assert_eq!(supports(&registration), expected);
        }
        check(&[], false);
        check(&[("gregor.consumer.groups", 1, 1)], true);
        check(&[("gregor.consumer.groups", 1, 3), ("other", 1, 1)], true);
        check(&[("gregor.consumer.groups", 2, 3)], false);
        check(&[("other", 1, 1)], false);
    }
}
