//! DeleteRecords: raise the log start here, and wait until all live replicas did (`ReplicaManager.deleteRecords`).

use std::sync::Arc;
use std::time::Duration;

use gregor_model::{Offset, TopicPartition};

use super::ReplicaManager;
use crate::error::{DeleteRecordsFailure, PartitionError};
use crate::hosted_partition::HostedPartition;
use crate::purgatory::{OffsetWait, OffsetWaitKey, WaitOutcome};

struct PendingDeletes {
    wait: Arc<OffsetWait>,
    entries: Vec<PendingDelete>,
}

/// A partition whose records are deleted here.
struct PendingDelete {
    index: usize,
    hosted: Arc<HostedPartition>,
    key: OffsetWaitKey,
    low_watermark: Option<Offset>,
}

impl Drop for PendingDeletes {
    fn drop(&mut self) {
        for entry in &self.entries {
            entry.hosted.low_watermark_waits.cancel(entry.key);
        }
    }
}

impl ReplicaManager {
    /// DeleteRecords up to `offset` (`None`: the high watermark), waiting until all live replicas did it. Answers with low watermarks.
    pub async fn delete_records(
        &self,
        partitions: Vec<(TopicPartition, Option<Offset>)>,
        timeout_ms: i32,
    ) -> Vec<(TopicPartition, Result<Offset, DeleteRecordsFailure>)> {
        let now = self.shared.now();
        let mut pending = PendingDeletes { wait: OffsetWait::new(partitions.len()), entries: Vec::new() };
        let mut results = Vec::with_capacity(partitions.len());
        for (index, (partition, offset)) in partitions.into_iter().enumerate() {
            let result = if partition.topic.is_internal() {
                Err(DeleteRecordsFailure::InternalTopic(partition.clone()))
            } else {
                self.hosted(&partition).map_err(DeleteRecordsFailure::from).and_then(|hosted| {
                    let (requested, key, low_watermark) =
                        hosted.delete_records(&self.shared, offset, &pending.wait, index, now)?;
                    pending.entries.push(PendingDelete { index, hosted, key, low_watermark });
                    Ok(requested)
                })
            };
            results.push((partition, result));
        }
        let _waiting = self.shared.metrics.waiting_deletions.hold();
        let timeout = Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0));
        // Whether it was in time is told per partition, below.
        let _ = tokio::time::timeout(timeout, pending.wait.settled()).await;
        let now = self.shared.now();
        for PendingDelete { index, hosted, low_watermark, .. } in &pending.entries {
            let (partition, result) = &mut results[*index];
            *result = match pending.wait.outcome(*index) {
                Some(WaitOutcome::Reached | WaitOutcome::ReachedWithTooFew) => {
                    let low = hosted.low_watermark(&self.shared, now);
                    low.ok_or_else(|| PartitionError::NotLeaderOrFollower(partition.clone()).into())
                }
                Some(WaitOutcome::NotLeader) => {
                    Err(PartitionError::NotLeaderOrFollower(partition.clone()).into())
                }
                Some(WaitOutcome::Gone) => Err(PartitionError::Unknown(partition.clone()).into()),
                Some(WaitOutcome::Offline) => Err(PartitionError::Offline(partition.clone()).into()),
                None => Err(DeleteRecordsFailure::TimedOut { low_watermark: *low_watermark }),
            };
        }
        results
    }
}
