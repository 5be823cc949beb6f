//! Holes between segments after a crash: is the end of a segment lost, or were those offsets never there? Pure.
//!
//! Kafka keeps all that follows a hole. After a power loss that can be a log no replica ever had: the end of one segment
//! was in memory only, and the next one on disk. What follows such a hole has to go. But holes are legitimate, too: where
//! compaction removed records, and in copies of such logs, whatever their policy is by now. What follows those is all there
//! is of it. Records do not tell the two apart, so this log sees to it that they can be told:
//!
//! - rolling leaves no hole: a segment begins where the records of the one before it end (`partition_log/roll`);
//! - what has to leave one (compaction, a roll to offsets out of reach) makes everything before it durable first, and has
//!   the recovery point checkpoint say so; a segment that is split leaves one that no lost end can have filled;
//! - a log that has rolled is in that checkpoint.
//!
//! Kafka does none of that. Its segments cannot be taken for ours as the indexes of the newest one are preallocated.

use gregor_model::Offset;

/// Who appended last to a log that a crash left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeftBy {
    Gregor,
    Kafka,
}

/// A hole between two segments.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gap {
    pub(super) clean: bool,
    /// What the recovery point checkpoint says; `None`: nothing of this log, or it cannot be read.
    pub(super) recovery_point: Option<Offset>,
    /// What the cleaner checkpoint says; below it offsets are missing as they should.
    pub(super) cleaned_to: Option<Offset>,
    pub(super) left_by: LeftBy,
    /// Where the first segment ends.
    pub(super) end: Offset,
    /// Where the second segment begins.
    pub(super) next_base: Offset,
    /// The first segment could have held the first batch of the second.
    pub(super) within_reach: bool,
}

impl Gap {
    /// Whether only the crash can have made it. In doubt it has not, as in Kafka.
    pub(super) fn is_loss(self) -> bool {
        let durable_before = |point: Offset| point >= self.next_base;
        !self.clean
            && self.left_by == LeftBy::Gregor
            && self.within_reach
            && self.cleaned_to.is_none_or(|cleaned_to| cleaned_to <= self.end)
            && self.recovery_point.is_some_and(|point| !durable_before(point))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_one_can_have_left_on_purpose_is_a_loss() {
        let ours = Gap {
            clean: false,
            recovery_point: Some(Offset(10)),
            cleaned_to: None,
            left_by: LeftBy::Gregor,
            end: Offset(15),
            next_base: Offset(20),
            within_reach: true,
        };
        let cases = [
            (ours, true),
            (Gap { recovery_point: Some(Offset(0)), ..ours }, true),
            (Gap { recovery_point: Some(Offset(19)), ..ours }, true),
            (Gap { recovery_point: Some(Offset(20)), ..ours }, false),
            (Gap { recovery_point: Some(Offset(30)), ..ours }, false),
            (Gap { recovery_point: None, ..ours }, false),
            (Gap { left_by: LeftBy::Kafka, ..ours }, false),
            (Gap { clean: true, ..ours }, false),
            (Gap { cleaned_to: Some(Offset(15)), ..ours }, true),
            (Gap { cleaned_to: Some(Offset(20)), ..ours }, false),
            (Gap { within_reach: false, ..ours }, false),
        ];
        for (gap, expected) in cases {
            assert_eq!(gap.is_loss(), expected, "{gap:?}");
        }
    }
}
