//! When the controller is told of ISRs that leaders changed (`ZkAlterPartitionManager.maybePropagateIsrChanges`): once
//! nothing has changed for some seconds, or at the latest a minute after the last time. Pure.

use std::collections::BTreeSet;

use gregor_model::{Timestamp, TopicPartition};

/// How long to wait for further changes, in milliseconds.
const LINGER_MS: i64 = 5_000;
/// How long changes may be held back by further ones, in milliseconds.
const DELAY_MAX_MS: i64 = 60_000;

/// Changes not announced yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IsrNotices {
    partitions: BTreeSet<TopicPartition>,
    last_change: Timestamp,
    last_notice: Timestamp,
}

impl IsrNotices {
    /// None so far.
    pub(super) fn new(now: Timestamp) -> IsrNotices {
        IsrNotices { partitions: BTreeSet::new(), last_change: now, last_notice: now }
    }

    /// An ISR changed.
    pub(super) fn changed(&mut self, partition: TopicPartition, now: Timestamp) {
        self.partitions.insert(partition);
        self.last_change = now;
    }

    /// What is to be announced now, all at once.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Vec<TopicPartition> {
        // A clock that was set back must not hold them up until it is where it was.
        let passed = |since: Timestamp, ms: i64| now - since > ms || now < since;
        let is_due = passed(self.last_change, LINGER_MS) || passed(self.last_notice, DELAY_MAX_MS);
        if self.partitions.is_empty() || !is_due {
            return Vec::new();
        }
        self.last_notice = now;
        std::mem::take(&mut self.partitions).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(n: i32) -> TopicPartition {
        TopicPartition::new("t", n)
    }

    #[test]
    fn when_nothing_has_changed_for_a_while() {
        let mut notices = IsrNotices::new(Timestamp(0));
        assert!(notices.take_due(Timestamp(100_000)).is_empty(), "nothing changed");
        let mut notices = IsrNotices::new(Timestamp(0));
        notices.changed(partition(1), Timestamp(1_000));
        notices.changed(partition(0), Timestamp(2_000));
        notices.changed(partition(1), Timestamp(3_000));
        assert!(notices.take_due(Timestamp(8_000)).is_empty());
        assert_eq!(notices.take_due(Timestamp(8_001)), [partition(0), partition(1)]);
        assert!(notices.take_due(Timestamp(200_000)).is_empty(), "they were announced");
    }

    #[test]
    fn after_a_minute_whatever_else_changes() {
        let mut notices = IsrNotices::new(Timestamp(0));
        for second in 0..=60 {
            notices.changed(partition(0), Timestamp(second * 1_000));
            assert!(notices.take_due(Timestamp(second * 1_000)).is_empty(), "{second}");
        }
        notices.changed(partition(0), Timestamp(60_001));
        assert_eq!(notices.take_due(Timestamp(60_001)), [partition(0)]);
    }

    #[test]
    fn a_clock_set_back_holds_nothing_up() {
        let mut notices = IsrNotices::new(Timestamp(3_600_000));
        notices.changed(partition(0), Timestamp(3_600_000));
        assert_eq!(notices.take_due(Timestamp(1)), [partition(0)]);
    }
}
