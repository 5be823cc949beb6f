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

#[cfg(test)]
mod histories {
    use proptest::prelude::*;

    use super::*;

    /// A log as the epochs of its records.
    type Log = Vec<i32>;

    fn end_of_epoch(log: &Log, epoch: i32) -> Option<(LeaderEpoch, Offset)> {
        let offset = |at: usize| Offset(i64::try_from(at).unwrap());
        if log.last() == Some(&epoch) {
            return Some((LeaderEpoch(epoch), offset(log.len())));
        }
        let next = log.iter().position(|e| *e > epoch)?;
        let found = log[..next].last().copied().unwrap_or(epoch);
        Some((LeaderEpoch(found), offset(next)))
    }

    /// What a follower does until it may fetch: asks where its last epoch ends at the leader, truncates, asks again.
    fn meet(follower: &mut Log, leader: &Log, leader_epoch: i32) -> usize {
        for round in 1.. {
            let Some(last) = follower.last().copied() else { return round };
            // A leader knows its own term even before its first record.
            let found = match end_of_epoch(leader, last) {
                Some(found) => Some(found),
                None if last < leader_epoch => {
                    let found = leader.last().copied().unwrap_or(last);
                    Some((LeaderEpoch(found), Offset(i64::try_from(leader.len()).unwrap())))
                }
                None => None,
            };
            let answer =
                EpochEnd { epoch: found.map(|(epoch, _)| epoch), end_offset: found.map(|(_, end)| end) };
            let log_end = Offset(i64::try_from(follower.len()).unwrap());
            let truncation = decide(answer, Offset(0), log_end, |epoch| end_of_epoch(follower, epoch.0));
            follower.truncate(usize::try_from(truncation.offset.0).unwrap());
            if truncation.complete {
                return round;
            }
        }
        unreachable!()
    }

    proptest! {
        /// Terms alternate at random between replicas; each leader appends, each follower takes part of it after meeting. Whatever
        /// happened before, a follower that has met its leader is a prefix of it, and nothing they shared is lost.
        #[test]
        fn a_follower_that_met_its_leader_is_a_prefix_of_it(
            terms in prop::collection::vec((0..3_usize, 0..4_usize, 0..3_usize, 0..6_usize), 1..30)
        ) {
            let mut logs: [Log; 3] = Default::default();
            for (term, (leader, appended, follower, taken)) in terms.into_iter().enumerate() {
                let epoch = i32::try_from(term).unwrap();
                logs[leader].extend(std::iter::repeat_n(epoch, appended));
                if follower == leader {
                    continue;
                }
                let leading = logs[leader].clone();
                let shared = logs[follower].iter().zip(&leading).take_while(|(a, b)| a == b).count();
                let epochs_before = logs[follower].len() + 2;
                let rounds = meet(&mut logs[follower], &leading, epoch);
                prop_assert!(rounds <= epochs_before);
                let met = logs[follower].len();
                prop_assert!(leading.starts_with(&logs[follower]), "{:?} is no prefix of {:?}", logs[follower], leading);
                prop_assert_eq!(met, shared, "what was shared stays");
                let upto = (met + taken).min(leading.len());
                logs[follower] = leading[..upto].to_vec();
            }
        }
    }
}
