//! From the command line to a running broker, and back (`KafkaServer`).

mod control_runtime;
mod identity;
mod open_files;
mod start;
mod stop;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use gregor_config::BrokerConfig;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::log_levels::LogLevels;

pub(crate) use start::host_name;
pub use start::{RunningBroker, start};

/// The exit code of a broker that was told twice to stop.
const EXIT_AT_ONCE: i32 = 130;

/// Runs a broker until it is told to stop. An error is one that prevented its start, or ended it.
pub async fn run(properties: &Path, overrides: &[String], log_levels: Arc<LogLevels>) -> Result<()> {
    let config = BrokerConfig::load(properties, std::env::vars(), overrides)?;
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let mut signals = Signals::new().context("cannot listen for signals")?;
    let broker = tokio::select! {
        started = start(config, log_levels) => started?,
        () = signals.next() => return Ok(()),
    };
    let reason = tokio::select! {
        () = signals.next() => None,
        reason = broker.failed() => Some(reason),
    };
    tracing::info!(failed = reason.is_some(), "stopping");
    tokio::select! {
        () = broker.stop() => {}
        () = signals.next() => {
            tracing::warn!("told to stop again: exiting at once");
            std::process::exit(EXIT_AT_ONCE);
        }
    }
    match reason {
        None => Ok(()),
        Some(reason) => Err(reason),
    }
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
