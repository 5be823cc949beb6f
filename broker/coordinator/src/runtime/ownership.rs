//! Which partitions of a coordinator topic a broker coordinates: elected, loading, serving. Pure: whoever runs the
//! partitions keeps what it needs for each as a value of type `T`.
//!
//! Invariant: a partition is in one term at a time, and terms only grow.

use std::collections::HashMap;

use gregor_model::LeaderEpoch;

/// Why a partition does not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotHere {
    /// Its records are being read.
    #[error("the partition is being loaded")]
    Loading,
    /// Another broker leads it.
    #[error("the partition is led elsewhere")]
    NotOwned,
}

#[derive(Debug)]
struct Owned<T> {
    /// The leader epoch of the election: the coordinator epoch.
    epoch: LeaderEpoch,
    is_loaded: bool,
    value: T,
}

/// The partitions of one coordinator topic on one broker.
#[derive(Debug)]
pub struct Ownership<T> {
    owned: HashMap<i32, Owned<T>>,
    /// The highest leader epoch heard for each partition: older elections and resignations are ignored.
    epochs: HashMap<i32, LeaderEpoch>,
}

impl<T> Default for Ownership<T> {
    fn default() -> Self {
        Ownership { owned: HashMap::new(), epochs: HashMap::new() }
    }
}

impl<T> Ownership<T> {
    /// The broker leads the partition (`onElection`). `Some` when loading is to begin, with what `value` gave: a newer
    /// epoch of a partition that is already here changes nothing.
    pub fn elect(&mut self, partition: i32, epoch: LeaderEpoch, value: impl FnOnce() -> T) -> Option<&mut T> {
        if !self.hear(partition, epoch) || self.owned.contains_key(&partition) {
            return None;
        }
        let owned = Owned { epoch, is_loaded: false, value: value() };
        Some(&mut self.owned.entry(partition).or_insert(owned).value)
    }

    /// The broker does not lead the partition any more (`onResignation`); without an epoch it is gone for good.
    pub fn resign(&mut self, partition: i32, epoch: Option<LeaderEpoch>) -> Option<T> {
        if epoch.is_some_and(|epoch| !self.hear(partition, epoch)) {
            return None;
        }
        self.owned.remove(&partition).map(|owned| owned.value)
    }

    fn hear(&mut self, partition: i32, epoch: LeaderEpoch) -> bool {
        let known = self.epochs.entry(partition).or_insert(epoch);
        let is_current = *known <= epoch;
        *known = epoch.max(*known);
        is_current
    }

    /// The partition is loaded and serves from now on; `false` if its term has ended meanwhile.
    pub fn loaded(&mut self, partition: i32, epoch: LeaderEpoch) -> bool {
        match self.owned.get_mut(&partition).filter(|owned| owned.epoch == epoch) {
            Some(owned) => {
                owned.is_loaded = true;
                true
            }
            None => false,
        }
    }

    /// What serves the partition.
    ///
    /// # Errors
    /// It is not served here, or not yet.
    pub fn find(&self, partition: i32) -> Result<&T, NotHere> {
        match self.owned.get(&partition) {
            Some(owned) if owned.is_loaded => Ok(&owned.value),
            Some(_) => Err(NotHere::Loading),
            None => Err(NotHere::NotOwned),
        }
    }

    /// What will serve the partition, even while it is loading.
    pub fn find_loading(&self, partition: i32) -> Option<&T> {
        self.owned.get(&partition).map(|owned| &owned.value)
    }

    /// What serves the partition, if it is still in the term of that epoch: for answers to what was asked in that term.
    pub fn find_in_term(&self, partition: i32, epoch: LeaderEpoch) -> Option<&T> {
        self.owned
            .get(&partition)
            .filter(|owned| owned.is_loaded && owned.epoch == epoch)
            .map(|owned| &owned.value)
    }

    /// Every partition that is here, and whether it is loaded.
    pub fn all(&self) -> impl Iterator<Item = (i32, bool, &T)> {
        self.owned.iter().map(|(partition, owned)| (*partition, owned.is_loaded, &owned.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCHS: [LeaderEpoch; 4] = [LeaderEpoch(0), LeaderEpoch(1), LeaderEpoch(2), LeaderEpoch(3)];

    #[test]
    fn elections_and_resignations_in_any_order() {
        enum Step {
            Elect(usize),
            Resign(Option<usize>),
        }
        use Step::{Elect, Resign};
        #[track_caller]
        fn check(steps: &[Step], term: Option<usize>) {
            let mut ownership = Ownership::default();
            for step in steps {
                match step {
                    Elect(epoch) => drop(ownership.elect(7, EPOCHS[*epoch], || EPOCHS[*epoch])),
                    Resign(epoch) => drop(ownership.resign(7, epoch.map(|epoch| EPOCHS[epoch]))),
                }
            }
            assert_eq!(ownership.find_loading(7).copied(), term.map(|term| EPOCHS[term]));
        }
        check(&[Elect(1)], Some(1));
        check(&[Elect(1), Elect(2)], Some(1));
        check(&[Elect(1), Resign(Some(0))], Some(1));
        check(&[Elect(1), Resign(Some(1))], None);
        check(&[Elect(1), Resign(Some(2))], None);
        check(&[Elect(1), Resign(None)], None);
        check(&[Elect(1), Resign(Some(2)), Elect(1)], None);
        check(&[Elect(1), Resign(Some(2)), Elect(2)], Some(2));
        check(&[Elect(1), Elect(3), Resign(Some(2))], Some(1));
        check(&[Resign(Some(2)), Elect(1)], None);
        check(&[Resign(None), Elect(1)], Some(1));
    }

    #[test]
    fn a_partition_serves_once_it_is_loaded_and_only_for_its_term() {
        let mut ownership = Ownership::default();
        assert_eq!(ownership.find(7), Err(NotHere::NotOwned));
        ownership.elect(7, EPOCHS[1], || "first");
        assert_eq!(ownership.find(7), Err(NotHere::Loading));
        assert_eq!(ownership.find_in_term(7, EPOCHS[1]), None);
        assert!(ownership.loaded(7, EPOCHS[1]));
        assert_eq!(ownership.find(7), Ok(&"first"));
        assert_eq!(ownership.find_in_term(7, EPOCHS[1]), Some(&"first"));
        assert_eq!(ownership.resign(7, Some(EPOCHS[2])), Some("first"));
        ownership.elect(7, EPOCHS[3], || "second");
        assert!(!ownership.loaded(7, EPOCHS[1]), "what was loaded for a term that has ended");
        assert_eq!(ownership.find(7), Err(NotHere::Loading));
        assert!(ownership.loaded(7, EPOCHS[3]));
        assert_eq!(ownership.find_in_term(7, EPOCHS[1]), None);
        assert_eq!(ownership.find_in_term(7, EPOCHS[3]), Some(&"second"));
    }
}
