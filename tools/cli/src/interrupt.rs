//! SIGINT and SIGTERM for tools that end in order.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Both signals.
pub struct Interrupt {
    signals: Vec<Signal>,
}

impl Interrupt {
    /// Takes them from now on. Where the system refuses, they end the program as ever.
    pub fn listen() -> Interrupt {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate()];
        Interrupt { signals: kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect() }
    }

    /// Waits for one.
    pub async fn received(&mut self) {
        std::future::poll_fn(|context| {
            let any = self.signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
            if any { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }
}
