//! Whether running parts can take a changed configuration over (`validateReconfiguration` of each reconfigurable).

use gregor_model::EndPoint;

use crate::broker::{BrokerConfig, listener_overrides};
use crate::cross_check;
use crate::properties::Properties;
use crate::values::Values;

/// A change that a running part refuses. Kafka tells the same reason inside `Invalid value ... for configuration Invalid
/// dynamic configuration`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReconfigurationError {
    /// A pool of threads would change too much at once (`DynamicThreadPool`, `DataPlaneAcceptor`).
    #[error("Dynamic thread count update validation failed for {name}={new}, value should {rule}")]
    ThreadCount {
        /// The key.
        name: String,
        /// The value asked for.
        new: i32,
        /// What it must be.
        rule: String,
    },
    /// `log.cleaner.threads` (`LogCleaner`).
    #[error("Log cleaner threads {0}")]
    CleanerThreads(String),
    /// `log.local.retention.*` (`DynamicLogConfig`).
    #[error("Invalid value {value} for configuration {name}: {rule}")]
    LocalRetention {
        /// The key.
        name: &'static str,
        /// The value asked for.
        value: i64,
        /// What it must be.
        rule: String,
    },
    /// A listener that is there already would change (`DynamicListenerConfig`).
    #[error("{0}")]
    Listener(String),
}

/// Compares what is in force with what is wanted.
pub(super) fn check(current: &BrokerConfig, next: &BrokerConfig) -> Result<(), ReconfigurationError> {
    check_pools(current, next)?;
    check_cleaner(&current.values, &next.values)?;
    check_local_retention(&current.values, &next.values)?;
    check_listeners(current, next)
}

fn check_pools(current: &BrokerConfig, next: &BrokerConfig) -> Result<(), ReconfigurationError> {
    const POOLS: &[&str] = &[
        "num.io.threads",
        "num.replica.fetchers",
        "num.recovery.threads.per.data.dir",
        "background.threads",
    ];
    for name in POOLS {
        may_resize(name, current.values.i32(name), next.values.i32(name))?;
    }
    const PER_LISTENER: &str = "num.network.threads";
    for EndPoint { listener, .. } in &current.listeners.listeners {
        let (before, after) = (current.for_listener(listener), next.for_listener(listener));
        may_resize(PER_LISTENER, before.i32(PER_LISTENER), after.i32(PER_LISTENER))?;
    }
    Ok(())
}

/// At least half and at most double the size (`DynamicThreadPool`).
pub(super) fn may_resize(name: &str, current: i32, new: i32) -> Result<(), ReconfigurationError> {
    let refused = |rule| Err(ReconfigurationError::ThreadCount { name: name.to_owned(), new, rule });
    if new == current {
        Ok(())
    } else if new <= 0 {
        refused("be at least 1".to_owned())
    } else if new < current / 2 {
        refused(format!("be at least half the current value {current}"))
    } else if i64::from(new) > 2 * i64::from(current) {
        refused(format!("not be greater than double the current value {current}"))
    } else {
        Ok(())
    }
}

fn check_cleaner(current: &Values, next: &Values) -> Result<(), ReconfigurationError> {
    const KEY: &str = "log.cleaner.threads";
    let (current, new) = (current.i32(KEY), next.i32(KEY));
    let refused = |rule: String| Err(ReconfigurationError::CleanerThreads(rule));
    if new < 1 {
        refused("should be at least 1".to_owned())
    } else if new < current / 2 {
        refused(format!("cannot be reduced to less than half the current value {current}"))
    } else if i64::from(new) > 2 * i64::from(current) {
        refused(format!("cannot be increased to more than double the current value {current}"))
    } else {
        Ok(())
    }
}

/// What stays on local disk may not be more than what stays at all.
fn check_local_retention(current: &Values, next: &Values) -> Result<(), ReconfigurationError> {
    let total_ms = (cross_check::log_retention_ms(current), cross_check::log_retention_ms(next));
    let total_bytes = (current.i64("log.retention.bytes"), next.i64("log.retention.bytes"));
    let checks = [
        ("log.local.retention.ms", "log.retention.ms", total_ms),
        ("log.local.retention.bytes", "log.retention.bytes", total_bytes),
    ];
    for (name, total_name, (total_before, total)) in checks {
        let (before, value) = (current.i64(name), next.i64(name));
        let unchanged = before == value && total_before == total;
        // -1: no limit. -2: as the total.
        if unchanged || total == -1 || value == -2 {
            continue;
        }
        let refused = |rule| Err(ReconfigurationError::LocalRetention { name, value, rule });
        if value == -1 {
            return refused(format!("Value must not be -1 as {total_name} value is set as {total}."));
        }
        if value > total {
            return refused(format!("Value must not be more than {total_name} property value: {total}"));
        }
    }
    Ok(())
}

/// Listeners may come and go; one that stays keeps its protocol, and all its keys but those that parts follow.
fn check_listeners(current: &BrokerConfig, next: &BrokerConfig) -> Result<(), ReconfigurationError> {
    let (before, after) = (&current.listeners, &next.listeners);
    for EndPoint { listener, protocol, .. } in &after.listeners {
        let Some(old) = before.protocol(listener) else { continue };
        let fixed = |config: &BrokerConfig| -> Properties {
            let overrides = listener_overrides(config.properties(), listener);
            overrides.into_iter().filter(|(key, _)| !is_followed(key)).collect()
        };
        if fixed(current) != fixed(next) {
            return Err(ReconfigurationError::Listener(format!(
                "Configs cannot be updated dynamically for existing listener ListenerName({listener}), restart broker or create a new listener for update"
            )));
        }
        if old != *protocol {
            return Err(ReconfigurationError::Listener(format!(
                "Security protocol cannot be updated for existing listener ListenerName({listener})"
            )));
        }
    }
    Ok(())
}

/// Keys of a listener that take effect while it is served.
fn is_followed(key: &str) -> bool {
    super::needs_listener_prefix(key)
        || matches!(key, "max.connections" | "max.connection.creation.rate" | "num.network.threads")
}
