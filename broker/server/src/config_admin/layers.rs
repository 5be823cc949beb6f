//! The dynamic configuration of this broker: what ZooKeeper holds for all brokers and for this one, over what
//! `server.properties` says (`DynamicBrokerConfig`).

use std::sync::Arc;

use arc_swap::ArcSwap;
use gregor_config::{BrokerConfig, Properties, Values, dynamic};
use tokio::sync::watch;

/// One state of the layers.
#[derive(Clone, Debug)]
pub struct Layered {
    /// `/config/brokers/<default>`.
    pub cluster: Properties,
    /// `/config/brokers/<id>`.
    pub broker: Properties,
    /// All keys, the layers applied.
    pub values: Values,
}

impl Layered {
    /// A replication throttle, which exists as a dynamic key alone: bytes per second; `None` for no limit.
    pub fn rate(&self, name: &str) -> Option<u64> {
        let text = self.broker.get(name).or_else(|| self.cluster.get(name))?;
        text.trim().parse().ok().filter(|rate| *rate < i64::MAX as u64)
    }
}

/// The layers in force, replaced as a whole; whoever follows changes subscribes.
pub struct BrokerLayers {
    config: Arc<BrokerConfig>,
    current: ArcSwap<Layered>,
    changes: watch::Sender<u64>,
}

impl BrokerLayers {
    /// Nothing dynamic known yet.
    pub fn new(config: Arc<BrokerConfig>) -> BrokerLayers {
        let values = config.values.clone();
        let current = Layered { cluster: Properties::new(), broker: Properties::new(), values };
        BrokerLayers { config, current: ArcSwap::from_pointee(current), changes: watch::Sender::new(0) }
    }

    /// What is in force now.
    pub fn current(&self) -> Arc<Layered> {
        self.current.load_full()
    }

    /// Changes whenever a layer does.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The default of all brokers was read again.
    pub fn set_cluster(&self, cluster: Properties) {
        let broker = self.current().broker.clone();
        self.replace(cluster, broker);
    }

    /// This broker's own was read again.
    pub fn set_broker(&self, broker: Properties) {
        let cluster = self.current().cluster.clone();
        self.replace(cluster, broker);
    }

    fn replace(&self, cluster: Properties, broker: Properties) {
        let (values, skipped) = dynamic::resolve(&self.config, &cluster, &broker);
        for error in skipped {
            tracing::error!(%error, "invalid dynamic configuration is ignored");
        }
        self.current.store(Arc::new(Layered { cluster, broker, values }));
        self.changes.send_modify(|count| *count += 1);
    }
}
