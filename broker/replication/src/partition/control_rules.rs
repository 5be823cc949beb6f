//! What a LeaderAndIsr or StopReplica does to one partition, by epochs and topic ids (`ReplicaManager.becomeLeaderOrFollower`, `stopReplicas`).
//!
//! Pure tables: what is known against what is announced.

use gregor_model::{LeaderEpoch, TopicId};

/// What this broker knows of the partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The term last applied.
    pub leader_epoch: Option<LeaderEpoch>,
    /// The log's topic id.
    pub topic_id: Option<TopicId>,
}

/// What LeaderAndIsr says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced {
    /// The term.
    pub leader_epoch: LeaderEpoch,
    /// The topic's id.
    pub topic_id: Option<TopicId>,
    /// Whether this broker is a replica.
    pub is_replica: bool,
    /// Whether this broker is the leader.
    pub is_leader: bool,
}

/// What to do with a partition of a LeaderAndIsr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaderAndIsrVerdict {
    /// A new term: become leader or follower.
    Apply,
    /// The term is known; the topic got its id.
    AssignTopicId(TopicId),
    /// The term is known, and a controller without topic ids speaks: the fetcher goes without one as well.
    ForgetTopicIdInFetcher,
    /// Answered with an error.
    Refuse(ControlRefusal),
}

/// Why a partition of a control request is not acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlRefusal {
    /// INCONSISTENT_TOPIC_ID.
    #[error("the topic id is not the log's")]
    InconsistentTopicId,
    /// UNKNOWN_TOPIC_OR_PARTITION: we are no replica.
    #[error("this broker is not a replica")]
    NotAReplica,
    /// STALE_CONTROLLER_EPOCH: the term is not newer than the one applied.
    #[error("the leader epoch is not newer than the one applied")]
    StaleLeaderEpoch,
    /// FENCED_LEADER_EPOCH (StopReplica): the term is older than the one applied.
    #[error("the leader epoch is older than the one applied")]
    FencedLeaderEpoch,
}

/// Decides one partition of a LeaderAndIsr.
pub fn leader_and_isr(known: Known, announced: Announced) -> LeaderAndIsrVerdict {
    use LeaderAndIsrVerdict::{Apply, AssignTopicId, ForgetTopicIdInFetcher, Refuse};
    if let (Some(ours), Some(theirs)) = (known.topic_id, announced.topic_id)
        && ours != theirs
    {
        return Refuse(ControlRefusal::InconsistentTopicId);
    }
    match known.leader_epoch {
        Some(epoch) if announced.leader_epoch < epoch => Refuse(ControlRefusal::StaleLeaderEpoch),
        Some(epoch) if announced.leader_epoch == epoch => match (known.topic_id, announced.topic_id) {
            (None, Some(id)) => AssignTopicId(id),
            (Some(_), None) if !announced.is_leader => ForgetTopicIdInFetcher,
            _ => Refuse(ControlRefusal::StaleLeaderEpoch),
        },
        _ if announced.is_replica => Apply,
        _ => Refuse(ControlRefusal::NotAReplica),
    }
}

/// Decides one partition of a StopReplica. The wire's -2 (the topic is being deleted) and -1 (an old controller) always stop it.
pub fn stop_replica(known: Option<LeaderEpoch>, announced: i32) -> Result<(), ControlRefusal> {
    match known {
        Some(known) if announced >= 0 && LeaderEpoch(announced) < known => {
            Err(ControlRefusal::FencedLeaderEpoch)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::LeaderAndIsrVerdict::{Apply, AssignTopicId, ForgetTopicIdInFetcher, Refuse};
    use super::*;

    fn id(byte: u8) -> TopicId {
        TopicId::from_random([byte; 16]).unwrap()
    }

    #[test]
    fn leader_and_isr_table() {
        let (a, b) = (Some(id(1)), Some(id(2)));
        let stale = Refuse(ControlRefusal::StaleLeaderEpoch);
        let inconsistent = Refuse(ControlRefusal::InconsistentTopicId);
        // known epoch and id; announced epoch and id, are we replica, leader; verdict
        let rows = [
            (None, None, 0, a, true, true, Apply),
            (None, None, 0, None, false, false, Refuse(ControlRefusal::NotAReplica)),
            (Some(3), a, 4, a, true, false, Apply),
            (Some(3), a, 4, None, true, false, Apply),
            (Some(3), None, 4, a, true, true, Apply),
            (Some(3), a, 4, b, true, true, inconsistent),
            (Some(3), a, 2, b, true, true, inconsistent),
            (Some(3), a, 4, a, false, false, Refuse(ControlRefusal::NotAReplica)),
            (Some(3), a, 2, a, true, true, stale),
            (Some(3), a, 3, a, true, true, stale),
            (Some(3), None, 3, None, true, true, stale),
            (Some(3), None, 3, a, true, true, AssignTopicId(id(1))),
            (Some(3), None, 3, a, true, false, AssignTopicId(id(1))),
            (Some(3), a, 3, None, true, false, ForgetTopicIdInFetcher),
            (Some(3), a, 3, None, true, true, stale),
        ];
        for (epoch, known_id, announced, topic_id, is_replica, is_leader, expected) in rows {
            let known = Known { leader_epoch: epoch.map(LeaderEpoch), topic_id: known_id };
            let announced =
                Announced { leader_epoch: LeaderEpoch(announced), topic_id, is_replica, is_leader };
            assert_eq!(leader_and_isr(known, announced), expected, "{known:?} {announced:?}");
        }
    }

    #[test]
    fn stop_replica_table() {
        let fenced = Err(ControlRefusal::FencedLeaderEpoch);
        let rows = [
            (None, 0, Ok(())),
            (Some(3), 2, fenced),
            (Some(3), 3, Ok(())),
            (Some(3), 4, Ok(())),
            (Some(3), -1, Ok(())),
            (Some(3), -2, Ok(())),
        ];
        for (known, announced, expected) in rows {
            assert_eq!(stop_replica(known.map(LeaderEpoch), announced), expected, "{known:?} {announced}");
        }
    }
}
