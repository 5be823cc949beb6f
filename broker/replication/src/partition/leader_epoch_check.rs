//! Whether client and broker agree on the term of a partition (KIP-320, `Partition.checkCurrentLeaderEpoch`).
//!
//! Pure. The epoch check comes before the question of who leads: a client that knows more than we do must refresh nothing.

use gregor_model::LeaderEpoch;

/// What is wrong with the epoch, or with us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaderEpochError {
    /// FENCED_LEADER_EPOCH: the request is of an earlier term.
    #[error("the leader epoch of the request is older than the broker's")]
    Fenced,
    /// UNKNOWN_LEADER_EPOCH: the request is of a term this broker has not heard of yet.
    #[error("the leader epoch of the request is newer than the broker's")]
    Unknown,
    /// NOT_LEADER_OR_FOLLOWER: the term is right, but this broker does not lead in it.
    #[error("this broker is not the leader of the partition")]
    NotLeader,
}

/// Compares the request's epoch with ours, then asks for leadership where the request needs the leader.
/// `known` is `None` until a LeaderAndIsr came.
pub fn check(
    requested: Option<LeaderEpoch>,
    known: Option<LeaderEpoch>,
    is_leader: bool,
    needs_leader: bool,
) -> Result<(), LeaderEpochError> {
    if let Some(requested) = requested {
        if known.is_some_and(|known| known > requested) {
            return Err(LeaderEpochError::Fenced);
        }
        if known.is_none_or(|known| known < requested) {
            return Err(LeaderEpochError::Unknown);
        }
    }
    if needs_leader && !is_leader { Err(LeaderEpochError::NotLeader) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::LeaderEpochError::{Fenced, NotLeader, Unknown};
    use super::*;

    #[test]
    fn epochs_against_roles() {
        // request's epoch, ours, are we leader, must we be: answer
        let rows = [
            (None, Some(3), true, true, Ok(())),
            (None, Some(3), false, true, Err(NotLeader)),
            (None, Some(3), false, false, Ok(())),
            (None, None, false, true, Err(NotLeader)),
            (Some(3), Some(3), true, true, Ok(())),
            (Some(3), Some(3), false, true, Err(NotLeader)),
            (Some(3), Some(3), false, false, Ok(())),
            (Some(2), Some(3), true, true, Err(Fenced)),
            (Some(2), Some(3), false, true, Err(Fenced)),
            (Some(4), Some(3), true, true, Err(Unknown)),
            (Some(4), Some(3), false, false, Err(Unknown)),
            (Some(0), None, false, true, Err(Unknown)),
        ];
        for (requested, known, is_leader, needs_leader, expected) in rows {
            let answer = check(requested.map(LeaderEpoch), known.map(LeaderEpoch), is_leader, needs_leader);
            assert_eq!(answer, expected, "{requested:?} {known:?} {is_leader} {needs_leader}");
        }
    }
}
