//! The watch on all topics, which is off while very many partition states are written: each would come back to us as an
//! event, and ZooKeeper spends about as long on the event as on the write.

use std::sync::Arc;
use std::time::Duration;

use gregor_controller_machine::Event;
use gregor_zookeeper::ZooKeeperError;
use gregor_zookeeper::watch::{TopicsChange, TopicsWatch};
use tokio::sync::watch;

use super::Term;
use super::watches::is_over;

/// So many writes are worth reading all topics again.
const MANY_WRITES: usize = 5_000;
/// The watch stays off for so long after the last of them: in a failover one follows another.
const RESUME_PAUSE: Duration = Duration::from_millis(300);
/// A write does not wait longer than this for the watch to be off.
const SUSPENSION_TIMEOUT: Duration = Duration::from_secs(1);

/// Who wants the watch off, and whether it is.
#[derive(Default)]
pub(super) struct Quiet {
    wanted: watch::Sender<usize>,
    suspended: watch::Sender<bool>,
}

/// Keeps the watch off until it is dropped.
pub(super) struct QuietGuard<'a>(&'a Quiet);

impl Drop for QuietGuard<'_> {
    fn drop(&mut self) {
        self.0.wanted.send_modify(|wanted| *wanted -= 1);
    }
}

impl Quiet {
    /// Turns the watch off if so many writes are to come.
    pub(super) async fn for_writes(&self, count: usize) -> Option<QuietGuard<'_>> {
        if count < MANY_WRITES {
            return None;
        }
        self.wanted.send_modify(|wanted| *wanted += 1);
        let guard = QuietGuard(self);
        let mut suspended = self.suspended.subscribe();
        // In vain only costs time.
        let _ = tokio::time::timeout(SUSPENSION_TIMEOUT, suspended.wait_for(|suspended| *suspended)).await;
        Some(guard)
    }
}

impl Term {
    /// A watch that stands on all topics; to be followed once they have been read.
    pub(super) async fn watch_topics(&self) -> Result<TopicsWatch, ZooKeeperError> {
        let mut watch = TopicsWatch::new(self.store.session().clone());
        watch.next().await?;
        Ok(watch)
    }

    /// Feeds what the watch on all topics sees.
    pub(super) fn follow_topics(self: &Arc<Self>, mut watch: TopicsWatch) {
        let term = Arc::downgrade(self);
        let (mut wanted, suspended) = (self.quiet.wanted.subscribe(), self.quiet.suspended.clone());
        self.spawn(async move {
            loop {
                let next = tokio::select! {
                    next = watch.next() => Some(next),
                    () = quiet_begins(&mut wanted) => None,
                };
                let Some(next) = next else {
                    watch.suspend();
                    suspended.send_replace(true);
                    quiet_is_over(&mut wanted).await;
                    suspended.send_replace(false);
                    continue;
                };
                let Some(term) = term.upgrade() else { return };
                match next {
                    Ok(change) => term.tell_topics(change).await,
                    Err(error) if is_over("topics", &error).await => return,
                    Err(_) => {}
                }
            }
        });
    }

    async fn tell_topics(&self, change: TopicsChange) {
        if change.listed {
            self.tell(Event::TopicsChanged).await;
        }
        for topic in change.changed {
            self.tell(Event::PartitionsChanged(topic)).await;
        }
    }
}

/// Waits until someone wants the watch off; for ever once the term is over, whose tasks end by themselves.
async fn quiet_begins(wanted: &mut watch::Receiver<usize>) {
    if wanted.wait_for(|wanted| *wanted > 0).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Waits until nobody has wanted the watch off for a while, or the term is over.
async fn quiet_is_over(wanted: &mut watch::Receiver<usize>) {
    while wanted.wait_for(|wanted| *wanted == 0).await.is_ok() {
        let again = wanted.wait_for(|wanted| *wanted > 0);
        if tokio::time::timeout(RESUME_PAUSE, again).await.is_err() {
            return;
        }
    }
}
