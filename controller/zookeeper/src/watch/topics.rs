//! All topics under one persistent recursive watch on `/brokers/topics`.
//!
//! A watch per topic would outgrow what the client can restore at a reconnect, and no one-shot watch may stand at or
//! below a recursive one (ZOOKEEPER-4466). The client in turn loses recursive watches at a reconnect: after any
//! interruption the watch is added again, and only then are the topics read and compared with what was known. What is known
//! at first its owner says, who reads all topics anyway once the watch stands.
//! Events of partition states, which are most of them, cost a look at the path.

use std::collections::{BTreeSet, HashMap};

use futures::FutureExt;
use gregor_model::TopicName;

use super::Result;
use crate::client::{TreeEvent, TreeWatch};
use crate::error::ZooKeeperError;
use crate::schema::topic;
use crate::session::{Session, SessionState};
use crate::store::Store;

/// What may have changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicsChange {
    /// Topics were created or deleted.
    pub listed: bool,
    /// Topics whose node's data changed.
    pub changed: BTreeSet<TopicName>,
}

impl TopicsChange {
    fn is_empty(&self) -> bool {
        !self.listed && self.changed.is_empty()
    }

    fn note(&mut self, event: TreeEvent) {
        match event {
            TreeEvent::Created(path) | TreeEvent::Deleted(path) => {
                self.listed |= topic::parse_path(&path).is_some();
            }
            TreeEvent::DataChanged(path) => self.changed.extend(topic::parse_path(&path)),
            TreeEvent::Interrupted | TreeEvent::Ended => {}
        }
    }
}

/// Events handled before a change is handed out, at most.
const EVENTS_MAX: usize = 10_000;

/// The watch on all topics.
pub struct TopicsWatch {
    store: Store,
    tree: Option<Box<dyn TreeWatch>>,
    // The transaction that last changed each topic's node, as of the last full read; None before the first.
    known: Option<HashMap<TopicName, i64>>,
    armed_before: bool,
}

impl TopicsWatch {
    /// Watches all topics.
    pub fn new(session: Session) -> TopicsWatch {
        TopicsWatch { store: Store::new(session), tree: None, known: None, armed_before: false }
    }

    /// Takes over what its owner has read since the watch stands, so that it need not read all topics itself: each
    /// topic, and the transaction that last changed its node.
    pub fn know(&mut self, topics: impl IntoIterator<Item = (TopicName, i64)>) {
        self.known = Some(topics.into_iter().collect());
    }

    /// Stops watching until the next call of `next`, which compares what is there then with what was known. For someone
    /// about to write very many partition states, each of which would be an event.
    pub fn suspend(&mut self) {
        self.tree = None;
    }

    /// What changed: at the first call everything may have (`listed`), once the watch stands; so what is read after it
    /// misses nothing. Cancel-safe. Ends like the other watches.
    pub async fn next(&mut self) -> Result<TopicsChange> {
        loop {
            if self.tree.is_none() {
                let change = self.arm().await?;
                if !change.is_empty() {
                    return Ok(change);
                }
            }
            let Some(tree) = self.tree.as_mut() else { continue };
            let mut change = TopicsChange::default();
            let mut next = Some(tree.next().await);
            let mut events = 0;
            while let Some(event) = next.take() {
                if matches!(event, TreeEvent::Interrupted | TreeEvent::Ended) {
                    self.tree = None;
                    break;
                }
                change.note(event);
                events += 1;
                if events < EVENTS_MAX {
                    next = tree.next().now_or_never();
                }
            }
            // What was noted before an interruption is also found by the comparison that follows it.
            if self.tree.is_some() && !change.is_empty() {
                return Ok(change);
            }
        }
    }

    /// Adds the watch, then compares.
    async fn arm(&mut self) -> Result<TopicsChange> {
        loop {
            match self.try_arm().await {
                Err(ZooKeeperError::SessionExpired) if !self.store.session().is_pinned() => {}
                result => return result,
            }
        }
    }

    async fn try_arm(&mut self) -> Result<TopicsChange> {
        let session = self.store.session();
        // Added while disconnected it would be lost with the very reconnect it waits for.
        let mut statuses = session.statuses();
        statuses
            .wait_for(|status| status.state != SessionState::Disconnected)
            .await
            .map_err(|_| ZooKeeperError::Closed)?;
        let tree = session.watch_tree(topic::PARENT).await?;
        if !self.armed_before {
            self.tree = Some(tree);
            self.armed_before = true;
            return Ok(TopicsChange { listed: true, changed: BTreeSet::new() });
        }
        let names = self.store.topic_names().await?;
        let nodes = self.store.read_all(names.iter().map(topic::path).collect()).await?;
        let now: HashMap<TopicName, i64> =
            names.into_iter().zip(nodes).filter_map(|(name, node)| Some((name, node?.stat.mzxid))).collect();
        let change = compare(self.known.as_ref(), &now);
        self.known = Some(now);
        self.tree = Some(tree);
        Ok(change)
    }
}

fn compare(known: Option<&HashMap<TopicName, i64>>, now: &HashMap<TopicName, i64>) -> TopicsChange {
    let Some(known) = known else {
        return TopicsChange { listed: true, changed: now.keys().cloned().collect() };
    };
    let listed = known.len() != now.len() || now.keys().any(|name| !known.contains_key(name));
    let changed = now.iter().filter(|(name, mzxid)| known.get(*name).is_some_and(|before| before != *mzxid));
    TopicsChange { listed, changed: changed.map(|(name, _)| name.clone()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics(entries: &[(&str, i64)]) -> HashMap<TopicName, i64> {
        entries.iter().map(|(name, mzxid)| (TopicName::new(name), *mzxid)).collect()
    }

    #[track_caller]
    fn check(known: Option<&[(&str, i64)]>, now: &[(&str, i64)], listed: bool, changed: &[&str]) {
        let known = known.map(topics);
        let changed = changed.iter().map(|name| TopicName::new(name)).collect();
        assert_eq!(compare(known.as_ref(), &topics(now)), TopicsChange { listed, changed });
    }

    #[test]
    fn comparison_finds_what_happened_while_disconnected() {
        check(None, &[("a", 1)], true, &["a"]);
        check(Some(&[("a", 1)]), &[("a", 1)], false, &[]);
        check(Some(&[("a", 1)]), &[("a", 2)], false, &["a"]);
        check(Some(&[("a", 1)]), &[("a", 1), ("b", 2)], true, &[]);
        check(Some(&[("a", 1), ("b", 1)]), &[("b", 3)], true, &["b"]);
        check(Some(&[("a", 1)]), &[("b", 2)], true, &[]);
    }

    #[test]
    fn a_topic_deleted_and_created_again_is_a_change() {
        check(Some(&[("a", 1)]), &[("a", 9)], false, &["a"]);
    }

    #[test]
    fn events_below_topics_are_ignored() {
        let mut change = TopicsChange::default();
        change.note(TreeEvent::Created("/brokers/topics/t/partitions/0/state".to_owned()));
        change.note(TreeEvent::DataChanged("/brokers/topics/t/partitions/0/state".to_owned()));
        change.note(TreeEvent::DataChanged("/brokers/topics".to_owned()));
        assert!(change.is_empty());
        change.note(TreeEvent::DataChanged("/brokers/topics/t".to_owned()));
        change.note(TreeEvent::Deleted("/brokers/topics/u".to_owned()));
        assert_eq!(change, TopicsChange { listed: true, changed: [TopicName::new("t")].into() });
    }
}
