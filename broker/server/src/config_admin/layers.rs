//! The dynamic configuration of this broker: what ZooKeeper holds for all brokers and for this one, over what
//! `server.properties` says (`DynamicBrokerConfig`).

use std::sync::Arc;

use arc_swap::ArcSwap;
use gregor_config::dynamic::{self, DynamicConfigError, LayeredConfig, Level, ReconfigurationError};
use gregor_config::{BrokerConfig, Properties, Values};
use gregor_zookeeper::schema::config::Configs;
use tokio::sync::watch;

use super::password_encoder::PasswordEncoder;

/// One state of the layers.
#[derive(Clone, Debug)]
pub struct Layered {
    /// The layers, and the configuration they make.
    pub layered: LayeredConfig,
    /// All keys of that configuration.
    pub values: Values,
}

impl Layered {
    fn new(layered: LayeredConfig) -> Layered {
        let values = layered.config.values.clone();
        Layered { layered, values }
    }

    /// A replication throttle, which exists as a dynamic key alone: bytes per second; `None` for no limit.
    pub fn rate(&self, name: &str) -> Option<u64> {
        let text = self.layered.broker.get(name).or_else(|| self.layered.cluster.get(name))?;
        text.trim().parse().ok().filter(|rate| *rate < i64::MAX as u64)
    }
}

/// The layers in force, replaced as a whole; whoever follows changes subscribes.
pub struct BrokerLayers {
    fixed: Arc<BrokerConfig>,
    passwords: Option<PasswordEncoder>,
    current: ArcSwap<Layered>,
    changes: watch::Sender<u64>,
}

impl BrokerLayers {
    /// Nothing dynamic known yet.
    pub fn new(fixed: Arc<BrokerConfig>) -> BrokerLayers {
        let passwords = PasswordEncoder::from_values(&fixed.values);
        let current = Layered::new(LayeredConfig::fixed(&fixed));
        BrokerLayers {
            fixed,
            passwords,
            current: ArcSwap::from_pointee(current),
            changes: watch::Sender::new(0),
        }
    }

    /// What is in force now.
    pub fn current(&self) -> Arc<Layered> {
        self.current.load_full()
    }

    /// What the broker was started with.
    pub fn fixed(&self) -> &BrokerConfig {
        &self.fixed
    }

    /// How passwords are stored; `None` without `password.encoder.secret`.
    pub fn passwords(&self) -> Option<&PasswordEncoder> {
        self.passwords.as_ref()
    }

    /// Changes whenever a layer does.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// What of a stored layer counts, with passwords in clear.
    pub fn accept(&self, stored: &Properties, level: Level) -> Properties {
        let decode = |text: &str| self.passwords.as_ref()?.decode(text).ok();
        let (accepted, refused) = dynamic::accept(stored, level, decode);
        for reason in refused {
            tracing::error!(?level, reason, "dynamic configuration is ignored");
        }
        accepted
    }

    /// Whether a layer may be replaced by these properties, and what listens could follow it.
    pub fn validate(&self, level: Level, properties: &Properties) -> Result<(), DynamicConfigError> {
        let next = self.current().layered.validate(&self.fixed, level, properties)?;
        gregor_network::check_servable(&next.listeners.listeners)
            .map_err(|error| ReconfigurationError::Listener(error.to_string()).into())
    }

    /// A layer was read at start, when no part is there yet to refuse it.
    pub fn set(&self, level: Level, stored: &Properties) {
        let accepted = self.accept(stored, level);
        self.replace(level, accepted, true);
    }

    /// A layer was read again. What running parts cannot take over is told of, but not in force, as in Kafka.
    pub fn change(&self, level: Level, stored: &Properties) {
        let accepted = self.accept(stored, level);
        let possible = self.validate(level, &accepted).inspect_err(|error| {
            tracing::error!(%error, ?level, "dynamic configuration cannot be in force");
        });
        self.replace(level, accepted, possible.is_ok());
    }

    fn replace(&self, level: Level, accepted: Properties, in_force: bool) {
        let mut layered = self.current().layered.clone();
        match level {
            Level::Cluster => layered.cluster = accepted,
            Level::Broker => layered.broker = accepted,
        }
        match dynamic::merge(&self.fixed, &layered.cluster, &layered.broker) {
            Ok(config) if in_force => layered.config = config,
            Ok(_) => {}
            Err(error) => tracing::error!(%error, ?level, "dynamic configuration cannot be in force"),
        }
        self.current.store(Arc::new(Layered::new(layered)));
        self.changes.send_modify(|count| *count += 1);
    }

    /// This broker's stored configuration with the passwords that `password.encoder.old.secret` decodes encrypted anew
    /// (`maybeReEncodePasswords`); `None` when there are none.
    pub fn renew_passwords(&self, stored: &Properties) -> Option<Configs> {
        let (old, new) = (PasswordEncoder::old(&self.fixed.values)?, self.passwords.as_ref()?);
        let mut renewed = false;
        let renew = |(name, text): (&str, &str)| {
            let password = dynamic::is_password(name).then(|| old.decode(text).ok()).flatten();
            let again = password.and_then(|password| new.encode(&password));
            renewed |= again.is_some();
            (name.to_owned(), again.unwrap_or_else(|| text.to_owned()))
        };
        let configs: Configs = stored.iter().map(renew).collect();
        renewed.then_some(configs)
    }
}
