//! Which neighbouring segments become one (`Cleaner.groupSegmentsBySize`).

use std::ops::Range;

use gregor_model::Offset;

use crate::segment::RELATIVE_OFFSET_MAX;

/// What is to be known of a segment to group it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupFacts {
    pub(crate) base: Offset,
    /// Bytes of the `.log`.
    pub(crate) size: u64,
    /// Bytes of the `.index`.
    pub(crate) offset_index_bytes: u64,
    /// Bytes of the `.timeindex`.
    pub(crate) time_index_bytes: u64,
}

/// What one segment may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupLimits {
    /// `segment.bytes`.
    pub(crate) segment_bytes: u64,
    /// `segment.index.bytes`.
    pub(crate) index_bytes: u64,
    /// Where the cleaning ends, at the base of the segment after the last one of these.
    pub(crate) first_uncleanable: Offset,
}

/// Cuts the segments into runs, each to be written as one segment: as many as fit, by their sizes before the cleaning.
pub(crate) fn group_segments(segments: &[GroupFacts], limits: GroupLimits) -> Vec<Range<usize>> {
    let mut groups = Vec::new();
    let mut start = 0;
    while let Some(first) = segments.get(start) {
        let mut total = *first;
        let mut end = start + 1;
        while let Some(next) = segments.get(end) {
            total.size += next.size;
            total.offset_index_bytes += next.offset_index_bytes;
            total.time_index_bytes += next.time_index_bytes;
            let fits = total.size <= limits.segment_bytes
                && total.offset_index_bytes <= limits.index_bytes
                && total.time_index_bytes <= limits.index_bytes;
            // What follows the segment bounds its offsets, without reading it.
            let bound = segments.get(end + 1).map_or(limits.first_uncleanable, |after| after.base);
            let in_reach = next.size == 0 || bound - first.base - 1 <= RELATIVE_OFFSET_MAX;
            if !fits || !in_reach {
                break;
            }
            end += 1;
        }
        groups.push(start..end);
        start = end;
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups() {
        #[track_caller]
        fn check(segments: &[(i64, u64, u64, u64)], first_uncleanable: i64, expected: &[(usize, usize)]) {
            let segments: Vec<GroupFacts> = segments
                .iter()
                .map(|&(base, size, offset_index_bytes, time_index_bytes)| GroupFacts {
                    base: Offset(base),
                    size,
                    offset_index_bytes,
                    time_index_bytes,
                })
                .collect();
            let limits = GroupLimits {
                segment_bytes: 100,
                index_bytes: 20,
                first_uncleanable: Offset(first_uncleanable),
            };
            let groups = group_segments(&segments, limits);
            let groups: Vec<_> = groups.into_iter().map(|group| (group.start, group.end)).collect();
            assert_eq!(groups, expected);
        }
        let far = RELATIVE_OFFSET_MAX;
        check(&[], 0, &[]);
        check(&[(0, 500, 0, 0)], 10, &[(0, 1)]);
        check(&[(0, 40, 0, 0), (10, 60, 0, 0), (20, 1, 0, 0)], 30, &[(0, 2), (2, 3)]);
        check(&[(0, 1, 12, 0), (10, 1, 8, 0), (20, 1, 1, 0)], 30, &[(0, 2), (2, 3)]);
        check(&[(0, 1, 0, 12), (10, 1, 0, 9), (20, 1, 0, 1)], 30, &[(0, 1), (1, 3)]);
        // The second segment may hold offsets up to that before the third's base.
        check(&[(0, 1, 0, 0), (10, 1, 0, 0), (far + 1, 1, 0, 0)], far + 9, &[(0, 2), (2, 3)]);
        check(&[(0, 1, 0, 0), (10, 1, 0, 0), (far + 2, 1, 0, 0)], far + 9, &[(0, 1), (1, 3)]);
        check(&[(0, 1, 0, 0), (10, 1, 0, 0)], far + 1, &[(0, 2)]);
        check(&[(0, 1, 0, 0), (10, 1, 0, 0)], far + 2, &[(0, 1), (1, 2)]);
        // An empty segment is out of reach of nothing.
        check(&[(0, 1, 0, 0), (far + 50, 0, 0, 0)], far + 90, &[(0, 2)]);
    }
}
