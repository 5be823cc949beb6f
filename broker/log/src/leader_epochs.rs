//! Where each leader epoch of a partition starts (`LeaderEpochFileCache`). Pure; the log writes it to
//! `leader-epoch-checkpoint`.
//!
//! The log start offset is on disk only a while after it rose. A log that a crash takes back to the older one must know the
//! epochs of what lies there again, so the file keeps them until then. A reader of the file cuts them off, as Kafka does.
//!
//! Invariant: epochs and start offsets are both strictly ascending.

use gregor_model::{LeaderEpoch, Offset};

/// The epochs of one log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderEpochs {
    entries: Vec<(LeaderEpoch, Offset)>,
    /// What [`LeaderEpochs::truncate_from_start`] dropped or changed, as it was: in the file, and else unknown. The last may be
    /// of the first entry's epoch.
    below: Vec<(LeaderEpoch, Offset)>,
}

impl LeaderEpochs {
    /// From stored entries in any order; where they contradict each other, the later epoch wins.
    pub fn from_entries(mut entries: Vec<(LeaderEpoch, Offset)>) -> LeaderEpochs {
        entries.sort_by_key(|&(epoch, _)| epoch);
        let mut epochs = LeaderEpochs::default();
        for (epoch, start) in entries {
            epochs.assign(epoch, start);
        }
        epochs
    }

    /// Epochs and where they start, oldest first.
    pub fn entries(&self) -> &[(LeaderEpoch, Offset)] {
        &self.entries
    }

    /// What the file has to say, oldest first: the entries, and those below that a crash may bring back.
    pub fn stored(&self) -> Vec<(LeaderEpoch, Offset)> {
        let known = self.below.last().map(|&(epoch, _)| epoch);
        let above = self.entries.iter().filter(|&&(epoch, _)| known.is_none_or(|known| epoch > known));
        self.below.iter().chain(above).copied().collect()
    }

    /// Whether [`LeaderEpochs::stored`] has more than the entries.
    pub fn stores_more(&self) -> bool {
        !self.below.is_empty()
    }

    /// No crash takes the log start offset below `start` any more. Returns whether [`LeaderEpochs::stored`] changed.
    pub fn forget_below(&mut self, start: Offset) -> bool {
        if self.below.is_empty() {
            return false;
        }
        let before = self.stored();
        if self.earliest().is_some_and(|(_, first)| first <= start) {
            self.below.clear();
        } else if let Some(last) = self.below.partition_point(|&(_, s)| s <= start).checked_sub(1) {
            self.below.drain(..last);
            if let Some(first) = self.below.first_mut() {
                first.1 = start;
            }
        }
        self.stored() != before
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Notes that `epoch` starts at `start`; entries that contradict it go. Returns whether anything changed.
    pub fn assign(&mut self, epoch: LeaderEpoch, start: Offset) -> bool {
        if self.entries.last().is_some_and(|&(e, s)| e == epoch && s <= start) {
            return false;
        }
        let keep = self.entries.iter().rposition(|&(e, s)| e < epoch && s < start).map_or(0, |last| last + 1);
        self.entries.truncate(keep);
        self.below.retain(|&(e, s)| e < epoch && s < start);
        self.entries.push((epoch, start));
        true
    }

    /// The newest epoch.
    pub fn latest(&self) -> Option<LeaderEpoch> {
        self.entries.last().map(|&(epoch, _)| epoch)
    }

    /// The oldest epoch and its start.
    pub fn earliest(&self) -> Option<(LeaderEpoch, Offset)> {
        self.entries.first().copied()
    }

    /// Where `epoch` starts.
    pub fn start_of(&self, epoch: LeaderEpoch) -> Option<Offset> {
        let at = self.entries.binary_search_by_key(&epoch, |&(e, _)| e).ok()?;
        self.entries.get(at).map(|&(_, start)| start)
    }

    /// The largest epoch at or below `epoch`, and where the one after it starts; `log_end` for the newest.
    /// `None` for an epoch that is newer than all.
    pub fn end_offset_for(&self, epoch: LeaderEpoch, log_end: Offset) -> Option<(LeaderEpoch, Offset)> {
        if self.latest() == Some(epoch) {
            return Some((epoch, log_end));
        }
        let higher = self.entries.partition_point(|&(e, _)| e <= epoch);
        let &(_, end) = self.entries.get(higher)?;
        let floor = higher.checked_sub(1).and_then(|at| self.entries.get(at));
        Some((floor.map_or(epoch, |&(e, _)| e), end))
    }

    /// Drops epochs that start at or after `end`. Returns whether there were any.
    pub fn truncate_from_end(&mut self, end: Offset) -> bool {
        let before = self.entries.len() + self.below.len();
        self.entries.retain(|&(_, start)| start < end);
        self.below.retain(|&(_, start)| start < end);
        self.entries.len() + self.below.len() != before
    }

    /// Drops epochs that end at or before `start`; the one that covers it then starts there. They stay stored until
    /// [`LeaderEpochs::forget_below`]. Returns whether anything changed.
    pub fn truncate_from_start(&mut self, start: Offset) -> bool {
        let gone = self.entries.partition_point(|&(_, s)| s <= start);
        let Some(last) = gone.checked_sub(1) else { return false };
        let changed = last > 0 || self.entries.first().is_some_and(|&(_, s)| s != start);
        if changed {
            let known = self.below.last().map(|&(epoch, _)| epoch);
            let dropped =
                self.entries.iter().take(gone).filter(|&&(epoch, _)| known.is_none_or(|known| epoch > known));
            self.below.extend(dropped);
        }
        self.entries.drain(..last);
        if let Some(first) = self.entries.first_mut() {
            first.1 = start;
        }
        changed
    }

    /// Drops all.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.below.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(entries: &[(i32, i64)]) -> LeaderEpochs {
        LeaderEpochs::from_entries(entries.iter().map(|&(e, o)| (LeaderEpoch(e), Offset(o))).collect())
    }

    const START: &[(i32, i64)] = &[(1, 0), (3, 10), (5, 20)];

    #[test]
    fn end_offsets() {
        #[track_caller]
        fn check(epoch: i32, expected: Option<(i32, i64)>) {
            let found = epochs(START).end_offset_for(LeaderEpoch(epoch), Offset(30));
            assert_eq!(found, expected.map(|(e, o)| (LeaderEpoch(e), Offset(o))), "{epoch}");
        }
        check(0, Some((0, 0)));
        check(1, Some((1, 10)));
        check(2, Some((1, 10)));
        check(3, Some((3, 20)));
        check(4, Some((3, 20)));
        check(5, Some((5, 30)));
        check(6, None);
    }

    #[test]
    fn assignments() {
        #[track_caller]
        fn check(epoch: i32, start: i64, expected: &[(i32, i64)]) {
            let mut changed = epochs(START);
            changed.assign(LeaderEpoch(epoch), Offset(start));
            assert_eq!(changed, epochs(expected), "assign({epoch}, {start})");
        }
        check(5, 25, START);
        check(5, 18, &[(1, 0), (3, 10), (5, 18)]);
        check(6, 20, &[(1, 0), (3, 10), (6, 20)]);
        check(4, 15, &[(1, 0), (3, 10), (4, 15)]);
        check(0, 40, &[(0, 40)]);
    }

    #[test]
    fn truncations() {
        let mut from_start = epochs(START);
        assert!(from_start.truncate_from_start(Offset(12)));
        assert_eq!(from_start.entries(), epochs(&[(3, 12), (5, 20)]).entries());
        assert!(!from_start.truncate_from_start(Offset(12)));
        assert!(!from_start.truncate_from_start(Offset(3)));
        let mut from_end = epochs(START);
        assert!(from_end.truncate_from_end(Offset(20)));
        assert_eq!(from_end, epochs(&[(1, 0), (3, 10)]));
    }

    #[track_caller]
    fn check_stored(epochs: &LeaderEpochs, entries: &[(i32, i64)], stored: &[(i32, i64)]) {
        let typed =
            |all: &[(i32, i64)]| all.iter().map(|&(e, o)| (LeaderEpoch(e), Offset(o))).collect::<Vec<_>>();
        assert_eq!((epochs.entries(), epochs.stored()), (typed(entries).as_slice(), typed(stored)));
    }

    #[test]
    fn what_was_cut_from_the_start_stays_stored_until_no_crash_brings_it_back() {
        let mut cut = epochs(START);
        cut.truncate_from_start(Offset(5));
        check_stored(&cut, &[(1, 5), (3, 10), (5, 20)], START);
        cut.truncate_from_start(Offset(12));
        check_stored(&cut, &[(3, 12), (5, 20)], START);
        cut.truncate_from_start(Offset(25));
        check_stored(&cut, &[(5, 25)], START);
        cut.assign(LeaderEpoch(6), Offset(30));
        check_stored(&cut, &[(5, 25), (6, 30)], &[(1, 0), (3, 10), (5, 20), (6, 30)]);
        assert_eq!(cut.end_offset_for(LeaderEpoch(3), Offset(40)), Some((LeaderEpoch(3), Offset(25))));
        assert!(cut.forget_below(Offset(12)));
        check_stored(&cut, &[(5, 25), (6, 30)], &[(3, 12), (5, 20), (6, 30)]);
        assert!(!cut.forget_below(Offset(12)));
        assert!(cut.forget_below(Offset(25)));
        check_stored(&cut, &[(5, 25), (6, 30)], &[(5, 25), (6, 30)]);
        assert!(!cut.stores_more());
    }

    #[test]
    fn what_contradicts_the_log_is_not_stored_either() {
        #[track_caller]
        fn check(
            change: impl FnOnce(&mut LeaderEpochs) -> bool,
            entries: &[(i32, i64)],
            stored: &[(i32, i64)],
        ) {
            let mut cut = epochs(START);
            cut.truncate_from_start(Offset(15));
            assert!(change(&mut cut));
            check_stored(&cut, entries, stored);
        }
        check(|cut| cut.truncate_from_end(Offset(15)), &[], &[(1, 0), (3, 10)]);
        check(|cut| cut.truncate_from_end(Offset(10)), &[], &[(1, 0)]);
        check(|cut| cut.assign(LeaderEpoch(4), Offset(5)), &[(4, 5)], &[(1, 0), (4, 5)]);
        let mut cleared = epochs(START);
        cleared.truncate_from_start(Offset(15));
        cleared.clear();
        check_stored(&cleared, &[], &[]);
    }
}
