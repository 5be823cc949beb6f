//! The watches of a term: each reads once, so that what is read afterwards misses nothing, then feeds events.

use std::sync::{Arc, Weak};
use std::time::Duration;

use gregor_controller_machine::Event;
use gregor_zookeeper::ZooKeeperError;
use gregor_zookeeper::schema::{admin, broker, notification};
use gregor_zookeeper::watch::{ChildrenWatch, NodeWatch};
use tracing::error;

use super::Term;

/// Pause after a watch failed for another reason than the end of the session.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

type Result<T> = std::result::Result<T, ZooKeeperError>;

impl Term {
    /// `/brokers/ids`.
    pub(super) async fn watch_brokers(self: &Arc<Self>) -> Result<()> {
        self.watch_children(broker::IDS_PATH, Event::BrokersChanged).await.map(|_| ())
    }

    /// `/admin/delete_topics`.
    pub(super) async fn watch_deletions(self: &Arc<Self>) -> Result<()> {
        self.watch_children(admin::DELETE_TOPICS_PATH, Event::DeletionsRequested).await.map(|_| ())
    }

    /// `/isr_change_notification`; its children.
    pub(super) async fn watch_isr_changes(self: &Arc<Self>) -> Result<Vec<String>> {
        self.watch_children(notification::ISR_CHANGE_PATH, Event::IsrChangesNotified).await
    }

    /// `/log_dir_event_notification`; its children.
    pub(super) async fn watch_log_dir_events(self: &Arc<Self>) -> Result<Vec<String>> {
        self.watch_children(notification::LOG_DIR_EVENT_PATH, Event::LogDirsFailed).await
    }

    /// `/admin/reassign_partitions`.
    pub(super) async fn watch_reassignments(self: &Arc<Self>) -> Result<()> {
        self.watch_creation(admin::REASSIGN_PARTITIONS_PATH, Event::ReassignmentsRequested).await
    }

    /// `/admin/preferred_replica_election`.
    pub(super) async fn watch_preferred_election(self: &Arc<Self>) -> Result<()> {
        self.watch_creation(admin::PREFERRED_ELECTION_PATH, Event::PreferredElectionRequested).await
    }

    async fn watch_children(self: &Arc<Self>, path: &'static str, event: Event) -> Result<Vec<String>> {
        let mut watch = ChildrenWatch::new(self.store.session().clone(), path);
        let children = watch.next().await?;
        let term = Arc::downgrade(self);
        self.spawn(async move {
            loop {
                match watch.next().await {
                    Ok(_) => match tell(&term, event.clone()).await {
                        true => {}
                        false => return,
                    },
                    Err(error) if is_over(path, &error).await => return,
                    Err(_) => {}
                }
            }
        });
        Ok(children)
    }

    async fn watch_creation(self: &Arc<Self>, path: &'static str, event: Event) -> Result<()> {
        let mut watch = NodeWatch::new(self.store.session().clone(), path);
        watch.next().await?;
        let term = Arc::downgrade(self);
        self.spawn(async move {
            loop {
                match watch.next().await {
                    // It was deleted, most likely by ourselves.
                    Ok(None) => {}
                    Ok(Some(_)) => match tell(&term, event.clone()).await {
                        true => {}
                        false => return,
                    },
                    Err(error) if is_over(path, &error).await => return,
                    Err(_) => {}
                }
            }
        });
        Ok(())
    }
}

/// Gives an event to the controller; `false` when the term is over.
pub(super) async fn tell(term: &Weak<Term>, event: Event) -> bool {
    match term.upgrade() {
        Some(term) => {
            term.tell(event).await;
            true
        }
        None => false,
    }
}

/// Whether a watch that failed so is over; if not, pauses before it goes on.
pub(super) async fn is_over(what: &str, error: &ZooKeeperError) -> bool {
    if matches!(error, ZooKeeperError::SessionExpired | ZooKeeperError::Closed) {
        return true;
    }
    error!(watch = what, %error, "watch failed, trying again");
    tokio::time::sleep(RETRY_PAUSE).await;
    false
}
