//! Producing: append to each partition, and with acks=all wait for the in-sync replicas (`ReplicaManager.appendRecords`).

use std::sync::Arc;
use std::time::Duration;

use gregor_log::AppendInfo;
use gregor_model::{Offset, Timestamp, TopicPartition};

use super::{PartitionRecords, ProduceParams, ReplicaManager, RequiredAcks};
use crate::error::{PartitionError, ProduceError, Unreplicated};
use crate::hosted_partition::{Appended, HostedPartition, LeaderAppend};
use crate::purgatory::{OffsetWait, OffsetWaitKey, WaitOutcome};

/// Entries of one request in the purgatories of its partitions; those not settled are withdrawn when it is dropped.
struct PendingAppends {
    wait: Arc<OffsetWait>,
    entries: Vec<(usize, Arc<HostedPartition>, OffsetWaitKey)>,
}

impl Drop for PendingAppends {
    fn drop(&mut self) {
        for (index, hosted, key) in &self.entries {
            if self.wait.outcome(*index).is_none() {
                hosted.high_watermark_waits.cancel(*key);
            }
        }
    }
}

impl ReplicaManager {
    /// Appends, and with acks=all waits until the in-sync replicas have it. Answers in the order of `partitions`.
    pub async fn produce(
        &self,
        params: ProduceParams,
        partitions: Vec<PartitionRecords>,
    ) -> Vec<(TopicPartition, Result<AppendInfo, ProduceError>)> {
        let wait = (params.acks == RequiredAcks::All).then(|| OffsetWait::new(partitions.len()));
        let mut entries = Vec::new();
        let mut results = Vec::with_capacity(partitions.len());
        let place = self.shared.spare_worker.place().await;
        let now = self.shared.now();
        for (index, PartitionRecords { partition, records, verification }) in
            partitions.into_iter().enumerate()
        {
            let append = LeaderAppend { records, origin: params.origin, verification };
            let acks_all = wait.as_ref().map(|wait| (wait, index));
            let result = place.run(|| self.append(&partition, &params, append, acks_all, now));
            let result = result.map(|(hosted, appended)| {
                entries.extend(appended.wait.map(|key| (index, hosted, key)));
                appended.info
            });
            results.push((partition, result));
        }
        drop(place);
        if let Some(wait) = wait
            && !entries.is_empty()
        {
            let pending = PendingAppends { wait, entries };
            let timeout = Duration::from_millis(u64::try_from(params.timeout_ms).unwrap_or(0));
            let _waiting = self.shared.metrics.waiting_produces.hold();
            // Whether it was in time is told per partition, below.
            let _ = tokio::time::timeout(timeout, pending.wait.settled()).await;
            for (index, ..) in &pending.entries {
                let (partition, result) = &mut results[*index];
                if let (Err(cause), Ok(info)) = (settled(partition, pending.wait.outcome(*index)), &*result) {
                    *result = Err(ProduceError::AfterAppend { info: Box::new(info.clone()), cause });
                }
            }
        }
        results
    }

    /// Waits, however long it takes, until the in-sync replicas have everything before `end`.
    ///
    /// # Errors
    /// The partition is not led here, or no longer.
    pub async fn wait_until_replicated(
        &self,
        partition: &TopicPartition,
        end: Offset,
    ) -> Result<(), PartitionError> {
        let hosted = self.hosted(partition)?;
        let wait = OffsetWait::new(1);
        let key = hosted.await_high_watermark(end, &wait)?;
        let pending = PendingAppends { wait, entries: vec![(0, hosted, key)] };
        pending.wait.settled().await;
        match pending.wait.outcome(0) {
            Some(WaitOutcome::Reached | WaitOutcome::ReachedWithTooFew) => Ok(()),
            Some(WaitOutcome::Gone) => Err(PartitionError::Unknown(partition.clone())),
            Some(WaitOutcome::Offline) => Err(PartitionError::Offline(partition.clone())),
            Some(WaitOutcome::NotLeader) | None => {
                Err(PartitionError::NotLeaderOrFollower(partition.clone()))
            }
        }
    }

    fn append(
        &self,
        partition: &TopicPartition,
        params: &ProduceParams,
        append: LeaderAppend,
        acks_all: Option<(&Arc<OffsetWait>, usize)>,
        now: Timestamp,
    ) -> Result<(Arc<HostedPartition>, Appended), ProduceError> {
        if partition.topic.is_internal() && !params.internal_topics_allowed {
            return Err(ProduceError::InternalTopic(partition.clone()));
        }
        let hosted = self.hosted(partition)?;
        let bytes = append.records.len();
        let appended = hosted.append_as_leader(&self.shared, append, acks_all, now);
        hosted.traffic.produced(bytes, appended.as_ref().map(|appended| &appended.info));
        Ok((hosted, appended?))
    }
}

fn settled(partition: &TopicPartition, outcome: Option<WaitOutcome>) -> Result<(), Unreplicated> {
    match outcome {
        Some(WaitOutcome::Reached) => Ok(()),
        Some(WaitOutcome::ReachedWithTooFew) => Err(Unreplicated::NotEnoughReplicas),
        Some(WaitOutcome::NotLeader) => Err(PartitionError::NotLeaderOrFollower(partition.clone()).into()),
        Some(WaitOutcome::Gone) => Err(PartitionError::Unknown(partition.clone()).into()),
        Some(WaitOutcome::Offline) => Err(PartitionError::Offline(partition.clone()).into()),
        None => Err(Unreplicated::TimedOut),
    }
}
