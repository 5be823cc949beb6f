//! One fetch in relation to its session (`FetchContext` and its subclasses).

use gregor_model::{Timestamp, TopicId, TopicName};

use super::FetchSessionError;
use super::cache::{FetchSessionCache, SharedSession};
use super::session::{PartitionSummary, SessionPartition};
use crate::fetcher::session::next_epoch;
use crate::manager::FetchPartition;

/// The epoch of a full fetch that asks for a session.
const INITIAL_EPOCH: i32 = 0;
/// The epoch of a full fetch that wants none.
const FINAL_EPOCH: i32 = -1;

/// A fetch may wait at least so long.
const LEFT_BEHIND_WAIT_MS_MIN: i64 = 5;

/// What a fetch says about its session; requests before v7 are id 0, epoch -1.
#[derive(Clone, Debug)]
pub struct SessionRequest {
    /// The session, 0 for none.
    pub session_id: i32,
    /// 0: full, wants a session; -1: full, wants none; else incremental.
    pub session_epoch: i32,
    /// v13 and later: topics are named by id.
    pub by_topic_id: bool,
    /// From a broker: such sessions are not evicted for the sake of a consumer's.
    pub from_follower: bool,
    /// The partitions listed.
    pub listed: Vec<(SessionPartition, FetchPartition)>,
    /// The partitions no longer wanted.
    pub forgotten: Vec<SessionPartition>,
}

/// A fetch under way.
#[derive(Debug)]
pub struct FetchContext<'a> {
    cache: &'a FetchSessionCache,
    kind: Kind,
    /// Listed, or in an incremental fetch all of the session's.
    partitions: Vec<(SessionPartition, FetchPartition)>,
    /// How long ago the consumer left a partition of which there may be more, in milliseconds.
    left_behind_ms: Option<i64>,
}

#[derive(Debug)]
enum Kind {
    Sessionless,
    Full { by_topic_id: bool, from_follower: bool },
    Incremental { session: SharedSession, id: i32, epoch: i32 },
}

/// What to answer.
#[derive(Debug)]
pub struct SessionAnswer<T> {
    /// The session to name, 0 for none.
    pub session_id: i32,
    /// The partitions to list.
    pub partitions: Vec<(SessionPartition, T)>,
}

impl FetchSessionCache {
    /// Begins a fetch (`FetchManager.newContext`). `name_of` knows topics by id.
    pub fn begin(
        &self,
        request: SessionRequest,
        name_of: impl Fn(TopicId) -> Option<TopicName>,
        now: Timestamp,
    ) -> Result<FetchContext<'_>, FetchSessionError> {
        let (id, epoch) = (request.session_id, request.session_epoch);
        if epoch == INITIAL_EPOCH || epoch == FINAL_EPOCH {
            self.remove(id);
            let kind = if epoch == FINAL_EPOCH {
                Kind::Sessionless
            } else {
                Kind::Full { by_topic_id: request.by_topic_id, from_follower: request.from_follower }
            };
            return Ok(FetchContext { cache: self, kind, partitions: request.listed, left_behind_ms: None });
        }
        let shared = self.get(id).ok_or(FetchSessionError::IdNotFound(id))?;
        let mut session = shared.lock();
        if session.epoch != epoch {
            return Err(FetchSessionError::InvalidEpoch { id, epoch });
        }
        if session.by_topic_id != request.by_topic_id {
            return Err(FetchSessionError::TopicIds(id));
        }
        for (partition, wanted) in request.listed {
            session.list(partition, wanted);
        }
        for partition in &request.forgotten {
            session.forget(partition, now);
        }
        let partitions = session.partitions(name_of);
        session.last_used = now;
        session.epoch = next_epoch(epoch);
        let left_behind_ms = session.left_behind_ms(now);
        drop(session);
        if partitions.is_empty() {
            // Nothing left to fetch: the session ends, the fetch goes on without one.
            self.remove(id);
            return Ok(FetchContext { cache: self, kind: Kind::Sessionless, partitions, left_behind_ms });
        }
        let kind = Kind::Incremental { session: shared, id, epoch: next_epoch(epoch) };
        Ok(FetchContext { cache: self, kind, partitions, left_behind_ms })
    }
}

impl FetchContext<'_> {
    /// What to fetch, in order.
    pub fn partitions(&self) -> &[(SessionPartition, FetchPartition)] {
        &self.partitions
    }

    /// How long the fetch may wait for records, of the time that it asks for, in milliseconds.
    ///
    /// A consumer leaves a partition out while it hands out what it has of it, and comes back when that is done; but it has one
    /// fetch under way per broker, and if this one, for partitions where nothing is new, is kept for long, the consumer
    /// cannot. So it is kept for as long as the consumer was away until now: it is late by half at most, and asks in vain
    /// only a few times. Kafka keeps it for the whole time, and a consumer that lags stands still meanwhile.
    pub fn max_wait_ms(&self, asked: i32) -> i32 {
        let Some(away) = self.left_behind_ms else { return asked };
        i32::try_from(away.max(LEFT_BEHIND_WAIT_MS_MIN)).map_or(asked, |away| away.min(asked))
    }

    /// Ends the fetch (`updateAndGenerateResponseData`): `results` in the order to be answered, good ones first.
    pub fn finish<T>(
        self,
        results: Vec<(SessionPartition, T)>,
        summary: impl Fn(&T) -> PartitionSummary,
        now: Timestamp,
    ) -> Result<SessionAnswer<T>, FetchSessionError> {
        match self.kind {
            Kind::Sessionless => Ok(SessionAnswer { session_id: 0, partitions: results }),
            Kind::Full { by_topic_id, from_follower } => {
                let fill = |session: &mut super::session::Session| {
                    for (partition, wanted) in self.partitions {
                        session.list(partition, wanted);
                    }
                    for (partition, result) in &results {
                        session.answered(partition, &summary(result));
                    }
                };
                let created = self.cache.create(from_follower, by_topic_id, results.len(), now, fill);
                Ok(SessionAnswer { session_id: created.unwrap_or(0), partitions: results })
            }
            Kind::Incremental { session, id, epoch } => {
                let mut session = session.lock();
                if session.epoch != epoch {
                    return Err(FetchSessionError::InvalidEpoch { id, epoch });
                }
                let changed = results.into_iter();
                let partitions = changed
                    .filter(|(partition, result)| session.answered(partition, &summary(result)))
                    .collect();
                Ok(SessionAnswer { session_id: id, partitions })
            }
        }
    }

    /// The session to name in the empty answer to a consumer that is throttled: a full fetch gets none, an incremental one keeps its
    /// session and has used up its epoch.
    pub fn throttled(&self) -> Result<i32, FetchSessionError> {
        match &self.kind {
            Kind::Sessionless | Kind::Full { .. } => Ok(0),
            Kind::Incremental { session, id, epoch } if session.lock().epoch == *epoch => Ok(*id),
            Kind::Incremental { id, epoch, .. } => {
                Err(FetchSessionError::InvalidEpoch { id: *id, epoch: *epoch })
            }
        }
    }
}
