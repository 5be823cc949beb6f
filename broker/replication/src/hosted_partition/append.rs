//! Appending as leader (`Partition.appendRecordsToLeader`).

use std::sync::Arc;

use bytes::Bytes;
use gregor_log::{AppendInfo, AppendOrigin, VerificationGuard};
use gregor_model::{Offset, Timestamp};

use super::{HostedPartition, min_insync_replicas, reached};
use crate::error::{PartitionError, ProduceError};
use crate::purgatory::{OffsetWait, OffsetWaitKey};
use crate::shared::Shared;

/// What an append as leader did.
pub(crate) struct Appended {
    pub(crate) info: AppendInfo,
    /// The entry made for the wait, to be cancelled if the request gives up.
    pub(crate) wait: Option<OffsetWaitKey>,
}

/// The batches of one partition and who brings them.
pub(crate) struct LeaderAppend {
    pub(crate) records: Bytes,
    pub(crate) origin: AppendOrigin,
    pub(crate) verification: Option<VerificationGuard>,
}

impl HostedPartition {
    /// Appends; with `acks_all` the ISR must be large enough, and the wait's partition of that index is registered, under the same lock as
    /// the append: whatever ends this term afterwards finds it.
    pub(crate) fn append_as_leader(
        &self,
        cx: &Shared,
        append: LeaderAppend,
        acks_all: Option<(&Arc<OffsetWait>, usize)>,
        now: Timestamp,
    ) -> Result<Appended, ProduceError> {
        let state = self.state.read();
        let (log, leader) = state.leading(&self.partition)?;
        let leader_epoch = {
            let leader = leader.lock();
            let min_isr = min_insync_replicas(log);
            if acks_all.is_some() && !leader.has_min_isr(min_isr) {
                return Err(ProduceError::NotEnoughReplicas {
                    partition: self.partition.clone(),
                    in_sync: leader.isr().members().len(),
                    min: leader.effective_min_isr(min_isr),
                });
            }
            leader.leader_epoch()
        };
        let begun = cx.now();
        cx.clocks.begin_append(begun);
        let appended =
            log.append_as_leader(append.records, leader_epoch, append.origin, append.verification, now);
        cx.clocks.end_append(begun, cx.now());
        let info = appended.map_err(Arc::new)?;
        let moved = Self::advance_high_watermark(cx, log, &leader.lock(), now);
        let wait = match (acks_all, info.last_offset) {
            (Some((wait, index)), Some(last)) => {
                let key = self.high_watermark_waits.register(last + 1, wait, index);
                let high_watermark = log.high_watermark();
                if high_watermark > last {
                    let outcome = reached(&leader.lock(), min_insync_replicas(log));
                    self.high_watermark_waits.complete_through(high_watermark, outcome);
                }
                Some(key)
            }
            _ => None,
        };
        if moved.is_some() {
            self.wake_high_watermark(log, moved);
        } else {
            self.fetch_waits.on_progress(|| log.offsets());
        }
        Ok(Appended { info, wait })
    }

    /// Lets partition 0 of `wait` wait until the in-sync replicas have everything before `end`, or this term ends.
    pub(crate) fn await_high_watermark(
        &self,
        end: Offset,
        wait: &Arc<OffsetWait>,
    ) -> Result<OffsetWaitKey, PartitionError> {
        let state = self.state.read();
        let (log, leader) = state.leading(&self.partition)?;
        let key = self.high_watermark_waits.register(end, wait, 0);
        let high_watermark = log.high_watermark();
        if high_watermark >= end {
            let outcome = reached(&leader.lock(), min_insync_replicas(log));
            self.high_watermark_waits.complete_through(high_watermark, outcome);
        }
        Ok(key)
    }
}
