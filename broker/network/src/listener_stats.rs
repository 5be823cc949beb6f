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
}

impl ListenerStats {
    pub(crate) fn new(listener: ListenerName) -> Arc<ListenerStats> {
        Arc::new(ListenerStats {
            listener,
            created: Counter::default(),
            closed: Counter::default(),
            refused: Counter::default(),
        })
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
