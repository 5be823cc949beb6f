//! The levels of this broker's loggers, which administrators change while it runs (`LoggingController`). A logger is a
//! tracing target: one of our crates, a module of one, one of the two logs that have a name of their own in Kafka, or `root` for
//! all that is not named.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use tracing::level_filters::LevelFilter;

use crate::request_log;

/// The logger of everything that has none of its own.
pub const ROOT: &str = "root";

type Apply = Box<dyn Fn(&str) + Send + Sync>;

/// The levels, and the way to put them in force.
pub struct LogLevels {
    levels: Mutex<BTreeMap<String, LevelFilter>>,
    apply: Apply,
}

/// Why a level was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogLevelError {
    /// INVALID_CONFIG.
    #[error(
        "Cannot set the log level of {logger} to {level} as it is not a supported log level. Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN"
    )]
    UnknownLevel {
        /// The logger.
        logger: String,
        /// What was asked for.
        level: String,
    },
    /// INVALID_REQUEST.
    #[error("Logger {0} does not exist!")]
    UnknownLogger(String),
    /// INVALID_REQUEST.
    #[error("Removing the log level of the {ROOT} logger is not allowed")]
    RootRemoved,
}

/// The crates that log, the request log and that of state changes, as loggers that are always there.
const LOGGERS: [&str; 10] = [
    "gregor_broker",
    "gregor_controller_machine",
    "gregor_controller_service",
    "gregor_coordinator",
    "gregor_log",
    "gregor_network",
    "gregor_replication",
    "gregor_zookeeper",
    request_log::LOGGER,
    "state.change.logger",
];

impl LogLevels {
    /// Everything at `initial`; `apply` puts levels in force, given as filter directives (`info,gregor_log=debug`).
    pub fn new(initial: LevelFilter, apply: Apply) -> LogLevels {
        let levels = BTreeMap::from([
            (ROOT.to_owned(), initial),
            (request_log::LOGGER.to_owned(), initial.min(LevelFilter::WARN)),
        ]);
        LogLevels { levels: Mutex::new(levels), apply }
    }

    /// Every logger with its level's name.
    pub fn all(&self) -> Vec<(String, &'static str)> {
        let levels = self.levels.lock();
        let root = levels.get(ROOT).copied().unwrap_or(LevelFilter::INFO);
        let mut all: BTreeMap<String, LevelFilter> =
            LOGGERS.iter().map(|logger| ((*logger).to_owned(), root)).collect();
        all.extend(levels.iter().map(|(logger, level)| (logger.clone(), *level)));
        all.into_iter().map(|(logger, level)| (logger, name(level))).collect()
    }

    /// Whether these changes could be made; `None` removes a level.
    pub fn check(&self, changes: &[(String, Option<String>)]) -> Result<(), LogLevelError> {
        for (logger, level) in changes {
            let root = logger.as_str() == ROOT;
            let known =
                root || LOGGERS.iter().any(|ours| logger == ours || logger.starts_with(&format!("{ours}::")));
            match level {
                None if root => return Err(LogLevelError::RootRemoved),
                _ if !known => return Err(LogLevelError::UnknownLogger(logger.clone())),
                Some(level) if parse(level).is_none() => {
                    return Err(LogLevelError::UnknownLevel { logger: logger.clone(), level: level.clone() });
                }
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    /// Makes the changes, all or none.
    pub fn change(&self, changes: &[(String, Option<String>)]) -> Result<(), LogLevelError> {
        self.check(changes)?;
        let mut levels = self.levels.lock();
        for (logger, level) in changes {
            match level.as_deref().and_then(parse) {
                Some(level) => {
                    levels.insert(logger.clone(), level);
                }
                None => {
                    levels.remove(logger);
                }
            }
        }
        let root = levels.get(ROOT).copied().unwrap_or(LevelFilter::INFO);
        let named = levels.iter().filter(|(logger, _)| logger.as_str() != ROOT);
        let directives =
            named.fold(root.to_string(), |all, (logger, level)| format!("{all},{logger}={level}"));
        (self.apply)(&directives);
        Ok(())
    }
}

fn parse(level: &str) -> Option<LevelFilter> {
    Some(match level {
        "TRACE" => LevelFilter::TRACE,
        "DEBUG" => LevelFilter::DEBUG,
        "INFO" => LevelFilter::INFO,
        "WARN" => LevelFilter::WARN,
        "ERROR" | "FATAL" => LevelFilter::ERROR,
        _ => return None,
    })
}

fn name(level: LevelFilter) -> &'static str {
    match level.into_level() {
        None => "FATAL",
        Some(level) => level.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn levels_change_and_go_back() {
        let applied: Arc<Mutex<Vec<String>>> = Arc::default();
        let record = Arc::clone(&applied);
        let levels = LogLevels::new(
            LevelFilter::INFO,
            Box::new(move |directives| record.lock().push(directives.to_owned())),
        );
        let change = |logger: &str, level: Option<&str>| {
            levels.change(&[(logger.to_owned(), level.map(str::to_owned))])
        };
        assert_eq!(change("gregor_log", Some("DEBUG")), Ok(()));
        assert!(levels.all().contains(&("gregor_log".to_owned(), "DEBUG")));
        assert_eq!(applied.lock()[0], "info,gregor_log=debug,kafka.request.logger=warn");
        assert_eq!(change("gregor_log", None), Ok(()));
        assert!(levels.all().contains(&("gregor_log".to_owned(), "INFO")));
        assert_eq!(change("root", None), Err(LogLevelError::RootRemoved));
        assert!(matches!(change("gregor_log", Some("LOUD")), Err(LogLevelError::UnknownLevel { .. })));
        assert!(matches!(change("kafka.server", Some("INFO")), Err(LogLevelError::UnknownLogger(_))));
    }
}
