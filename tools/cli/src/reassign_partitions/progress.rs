//! How much of a reassignment has been copied, for a line on a terminal. Pure.

use std::collections::BTreeMap;

use gregor_model::TopicPartition;

use crate::admin::log_dirs::LogDir;
use crate::admin::reassignments::Reassignments;

/// Sizes of replicas in bytes, by broker.
pub type Sizes = BTreeMap<(TopicPartition, i32), i64>;

/// What has been done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Partitions whose reassignment is over.
    pub partitions_done: usize,
    /// All partitions of the plan.
    pub partitions: usize,
    /// Bytes that new replicas have.
    pub bytes: i64,
    /// Bytes that they are to have.
    pub bytes_total: i64,
}

/// The sizes of the replicas in brokers' directories; a replica on its way between two counts once.
pub fn sizes(dirs: &BTreeMap<i32, Vec<LogDir>>) -> Sizes {
    let replicas = dirs.iter().flat_map(|(broker, dirs)| {
        let replicas = dirs.iter().flat_map(|dir| &dir.replicas).filter(|replica| !replica.is_future);
        replicas.map(|replica| ((replica.partition.clone(), *broker), replica.size))
    });
    replicas.collect()
}

/// How far a plan of `partitions` partitions is, with this under way.
pub fn progress(partitions: usize, under_way: &Reassignments, sizes: &Sizes) -> Progress {
    let mut progress = Progress {
        partitions_done: partitions.saturating_sub(under_way.len()),
        partitions,
        ..Progress::default()
    };
    for (partition, reassignment) in under_way {
        let size = |broker: i32| sizes.get(&(partition.clone(), broker)).copied().unwrap_or(0);
        // The largest is the most complete one; followers are at most a little behind.
        let whole = reassignment.replicas.iter().map(|broker| size(*broker)).max().unwrap_or(0);
        for broker in &reassignment.adding {
            progress.bytes += size(*broker).min(whole);
            progress.bytes_total += whole;
        }
    }
    progress
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{} partitions reassigned", self.partitions_done, self.partitions)?;
        if self.bytes_total > 0 {
            let percent = self.bytes.saturating_mul(100) / self.bytes_total;
            let mebibytes = |bytes: i64| bytes / (1024 * 1024);
            let (done, total) = (mebibytes(self.bytes), mebibytes(self.bytes_total));
            write!(f, ", {done} of {total} MiB copied ({percent}%)")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::log_dirs::ReplicaInfo;
    use crate::admin::reassignments::Reassignment;

    #[test]
    fn what_is_copied_is_measured_against_the_most_complete_replica() {
        const MIB: i64 = 1024 * 1024;
        let partition = TopicPartition::new("t", 0);
        let info =
            |size, is_future| ReplicaInfo { partition: partition.clone(), size, offset_lag: 0, is_future };
        let dir = |replicas| LogDir { path: "/d".to_owned(), error_code: 0, replicas };
        let dirs = BTreeMap::from([
            (1, vec![dir(vec![info(40 * MIB, false)])]),
            (2, vec![dir(vec![info(10 * MIB, false), info(5, true)])]),
        ]);
        let moving = Reassignment { replicas: vec![1, 2, 3], adding: vec![2, 3], removing: vec![] };
        let under_way = Reassignments::from([(partition, moving)]);
        let progress = progress(3, &under_way, &sizes(&dirs));
        assert_eq!(progress.to_string(), "2/3 partitions reassigned, 10 of 80 MiB copied (12%)");
        let over = super::progress(3, &Reassignments::new(), &Sizes::new());
        assert_eq!(over.to_string(), "3/3 partitions reassigned");
    }
}
