//! The follower's side of an incremental fetch session: what of all it wants must be said again (`FetchSessionHandler`, KIP-227).
//!
//! Pure. Owner: one fetcher. Invariant: what this side believes the leader has cached is what it was told in requests that were answered;
//! after anything else the session starts over with a full request.

use std::collections::HashMap;

use gregor_model::{LeaderEpoch, Offset, TopicId, TopicPartition};

/// What is asked of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The topic's id, if it has one.
    pub topic_id: Option<TopicId>,
    /// The term.
    pub leader_epoch: LeaderEpoch,
    /// From where.
    pub fetch_offset: Offset,
    /// The epoch of the last record.
    pub last_fetched_epoch: Option<LeaderEpoch>,
    /// Where the own log starts.
    pub log_start_offset: Offset,
}

/// The part of a Fetch request that the session decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionRequest {
    /// 0: none.
    pub session_id: i32,
    /// 0: full.
    pub session_epoch: i32,
    /// New or changed partitions; in a full request all, in the order wanted.
    pub listed: Vec<(TopicPartition, Wanted)>,
    /// No longer wanted.
    pub forgotten: Vec<(TopicPartition, Option<TopicId>)>,
    /// Every partition of the session has a topic id: v13 or later may be used.
    pub by_topic_id: bool,
}

/// A session with one leader.
#[derive(Clone, Debug, Default)]
pub struct FetcherSession {
    id: i32,
    /// Of the next request; 0 is a full one.
    epoch: i32,
    known: HashMap<TopicPartition, Wanted>,
    by_topic_id: bool,
}

impl FetcherSession {
    /// Composes the next request. What it lists counts as told; if no answer comes, [`FetcherSession::reset`] is due.
    pub fn next_request(&mut self, wanted: Vec<(TopicPartition, Wanted)>) -> SessionRequest {
        let by_topic_id = wanted.iter().all(|(_, wanted)| wanted.topic_id.is_some());
        if self.epoch == 0 || by_topic_id != self.by_topic_id {
            self.epoch = 0;
            self.by_topic_id = by_topic_id;
            self.known = wanted.iter().cloned().collect();
            let session_id = self.id;
            return SessionRequest {
                session_id,
                session_epoch: 0,
                listed: wanted,
                forgotten: Vec::new(),
                by_topic_id,
            };
        }
        let mut gone = Vec::new();
        if self.known.len() > wanted.len()
            || wanted.iter().any(|(partition, _)| !self.known.contains_key(partition))
        {
            let still: std::collections::HashSet<&TopicPartition> =
                wanted.iter().map(|(partition, _)| partition).collect();
            let missing = self.known.iter().filter(|(partition, _)| !still.contains(partition));
            gone = missing.map(|(partition, known)| (partition.clone(), known.topic_id)).collect();
        }
        for (partition, _) in &gone {
            self.known.remove(partition);
        }
        let mut forgotten = gone;
        let mut listed = Vec::new();
        for (partition, wanted) in wanted {
            match self.known.get_mut(&partition) {
                Some(known) if *known == wanted => continue,
                Some(known) => {
                    // Another topic of the same name: the old one is forgotten.
                    if known.topic_id != wanted.topic_id {
                        forgotten.push((partition.clone(), known.topic_id));
                    }
                    *known = wanted;
                }
                None => {
                    self.known.insert(partition.clone(), wanted);
                }
            }
            listed.push((partition, wanted));
        }
        SessionRequest { session_id: self.id, session_epoch: self.epoch, listed, forgotten, by_topic_id }
    }

    /// The leader answered without a top-level error, with that session id.
    pub fn on_answer(&mut self, session_id: i32) {
        self.id = session_id;
        self.epoch = if session_id == 0 { 0 } else { next_epoch(self.epoch) };
    }

    /// The leader answered with a session error, or did not answer: the next request is full. `forget_id`: it does not know the session.
    pub fn reset(&mut self, forget_id: bool) {
        self.epoch = 0;
        if forget_id {
            self.id = 0;
        }
    }

    /// Whether the session has that partition: an answer for another one is no answer.
    pub fn contains(&self, partition: &TopicPartition) -> bool {
        self.known.contains_key(partition)
    }

    /// What was last said about a partition.
    pub fn known(&self, partition: &TopicPartition) -> Option<&Wanted> {
        self.known.get(partition)
    }
}

/// The epoch after `epoch`; past the largest comes 1.
pub fn next_epoch(epoch: i32) -> i32 {
    if epoch == i32::MAX { 1 } else { epoch + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(index: i32, offset: i64, id: Option<u8>) -> (TopicPartition, Wanted) {
        let wanted = Wanted {
            topic_id: id.and_then(|id| TopicId::from_random([id; 16])),
            leader_epoch: LeaderEpoch(1),
            fetch_offset: Offset(offset),
            last_fetched_epoch: None,
            log_start_offset: Offset(0),
        };
        (TopicPartition::new("t", index), wanted)
    }

    #[track_caller]
    fn check(
        session: &mut FetcherSession,
        wanted: &[(TopicPartition, Wanted)],
        id_epoch: (i32, i32),
        listed: &[i32],
        forgotten: &[i32],
    ) {
        let request = session.next_request(wanted.to_vec());
        assert_eq!((request.session_id, request.session_epoch), id_epoch);
        assert_eq!(
            request.listed.iter().map(|(partition, _)| partition.partition).collect::<Vec<_>>(),
            listed
        );
        assert_eq!(
            request.forgotten.iter().map(|(partition, _)| partition.partition).collect::<Vec<_>>(),
            forgotten
        );
    }

    #[test]
    fn only_changes_are_said_again() {
        let mut session = FetcherSession::default();
        let (a, b) = (wanted(0, 0, Some(1)), wanted(1, 0, Some(1)));
        check(&mut session, &[a.clone(), b.clone()], (0, 0), &[0, 1], &[]);
        session.on_answer(77);
        check(&mut session, &[a.clone(), b.clone()], (77, 1), &[], &[]);
        session.on_answer(77);
        let (a, c) = (wanted(0, 5, Some(1)), wanted(2, 0, Some(1)));
        check(&mut session, &[a.clone(), c.clone()], (77, 2), &[0, 2], &[1]);
        session.on_answer(77);
        let other = wanted(2, 0, Some(9));
        check(&mut session, &[a.clone(), other], (77, 3), &[2], &[2]);
        session.on_answer(77);
        check(&mut session, &[wanted(0, 5, None)], (77, 0), &[0], &[]); // ids are gone: start over
    }

    #[test]
    fn a_session_that_broke_starts_over() {
        let mut session = FetcherSession::default();
        let a = wanted(0, 0, Some(1));
        check(&mut session, std::slice::from_ref(&a), (0, 0), &[0], &[]);
        session.on_answer(0); // the leader has no room
        check(&mut session, std::slice::from_ref(&a), (0, 0), &[0], &[]);
        session.on_answer(5);
        session.reset(false);
        check(&mut session, std::slice::from_ref(&a), (5, 0), &[0], &[]); // and closes the old one
        session.on_answer(6);
        session.reset(true);
        check(&mut session, std::slice::from_ref(&a), (0, 0), &[0], &[]);
    }

    #[test]
    fn epochs_wrap_to_one() {
        assert_eq!(next_epoch(0), 1);
        assert_eq!(next_epoch(i32::MAX), 1);
    }
}
