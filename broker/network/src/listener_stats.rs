//! What is counted of a listener's connections (`socket-server-metrics`).

use std::sync::Arc;

use gregor_metrics::Counter;
use gregor_model::ListenerName;

/// One listener's counts.
#[derive(Debug)]
pub struct ListenerStats {
    /// The listener.
    pub listener: ListenerName,
    /// Connections that were served.
    pub created: Counter,
    /// Those of them that ended.
    pub closed: Counter,
    /// Connections that were refused because of their address.
    pub refused: Counter,
    /// How long accepted connections waited for others to end, in nanoseconds (`AcceptorBlockedPercent`).
    pub blocked_nanos: Counter,
    /// Answers that were made.
    pub(crate) answered: Counter,
    /// Those of them that were written, or given up with their connection.
    pub(crate) settled: Counter,
}

impl ListenerStats {
    pub(crate) fn new(listener: ListenerName) -> Arc<ListenerStats> {
        Arc::new(ListenerStats {
            listener,
            created: Counter::default(),
            closed: Counter::default(),
            refused: Counter::default(),
            blocked_nanos: Counter::default(),
            answered: Counter::default(),
            settled: Counter::default(),
        })
    }

    /// How many answers wait to be written.
    pub fn unsent_answers(&self) -> u64 {
        self.answered.get().saturating_sub(self.settled.get())
    }

    /// How many connections there are.
    pub fn connections(&self) -> u64 {
        self.created.get().saturating_sub(self.closed.get())
    }
}

/// Counts a connection from its creation to its drop.
pub(crate) struct CountedConnection(Arc<ListenerStats>);

impl CountedConnection {
    pub(crate) fn new(stats: &Arc<ListenerStats>) -> CountedConnection {
        stats.created.increment();
        CountedConnection(Arc::clone(stats))
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        self.0.closed.increment();
    }
}
