//! To which offset a follower truncates when its leader told where their histories part (`getOffsetTruncationState`).
//!
//! Pure. Invariant: what stays is common to both logs up to the end of an epoch both have.

use gregor_model::{LeaderEpoch, Offset};

use crate::manager::EpochEnd;

/// What to truncate to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncation {
    /// The new log end.
    pub offset: Offset,
    /// Whether that is where the logs part. If not, the leader must be asked again with the epoch that is last then.
    pub complete: bool,
}

/// Decides by the leader's answer. `initial` is where the fetcher started: what was known to be committed; `end_of_epoch` looks up
/// an epoch in the own log as the leader does in its.
pub fn decide(
    leader: EpochEnd,
    initial: Offset,
    log_end: Offset,
    end_of_epoch: impl FnOnce(LeaderEpoch) -> Option<(LeaderEpoch, Offset)>,
) -> Truncation {
    let complete = |offset: Offset| Truncation { offset: offset.min(log_end), complete: true };
    let Some(leader_end) = leader.end_offset else { return complete(initial) };
    // Leaders older than 2.0 tell no epoch.
    let Some(epoch) = leader.epoch else { return complete(leader_end) };
    match end_of_epoch(epoch) {
        // The leader's epoch is newer than all of ours.
        None => complete(leader_end),
        Some((found, own_end)) if found == epoch => complete(own_end.min(leader_end)),
        // We never had the leader's epoch: what came after the last one below it goes, and then we ask again.
        Some((_, own_end)) => Truncation { offset: own_end.min(log_end), complete: false },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The follower's history: epoch 1 from 0, epoch 3 from 10, epoch 5 from 20, log end 30.
    fn end_of_epoch(epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        let starts = [(1, 0), (3, 10), (5, 20)];
        if epoch.0 == 5 {
            return Some((epoch, Offset(30)));
        }
        let next = starts.iter().position(|(e, _)| *e > epoch.0)?;
        let found = if next == 0 { epoch.0 } else { starts[next - 1].0 };
        Some((LeaderEpoch(found), Offset(starts[next].1)))
    }

    #[track_caller]
    fn check(epoch: i32, end: i64, offset: i64, complete: bool) {
        let leader = EpochEnd { epoch: LeaderEpoch::from_wire(epoch), end_offset: Offset::from_wire(end) };
        let truncation = decide(leader, Offset(12), Offset(30), end_of_epoch);
        assert_eq!(
            truncation,
            Truncation { offset: Offset(offset), complete },
            "leader says {epoch} ends at {end}"
        );
    }

    #[test]
    fn where_histories_part() {
        check(5, 25, 25, true); // the leader has less of our last epoch
        check(5, 40, 30, true); // or more
        check(3, 15, 15, true);
        check(3, 20, 20, true);
        check(3, 28, 20, true); // our epoch 3 ended earlier
        check(4, 25, 20, false); // we have no epoch 4: drop 5, ask about 3
        check(2, 9, 10, false);
        check(0, 0, 0, true); // before all we have
        check(7, 22, 22, true); // newer than all we have
        check(-1, 18, 18, true);
        check(-1, 44, 30, true);
        check(-1, -1, 12, true); // the leader does not know either
        check(3, -1, 12, true);
    }
}
