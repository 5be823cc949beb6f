//! Appending as leader and as follower (`UnifiedLog.append`).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use gregor_model::{LeaderEpoch, Offset, Timestamp};
use gregor_records::validate::{Validated, validate};
use gregor_records::{BatchError, BatchHeader, BatchRef, Magic, batches};

use super::recent::RecentAppend;
use super::roll::Incoming;
use super::{PartitionLog, Writer};
use crate::producer_state::{Admission, BatchMetadata, ProducerBatch, Updates};
use crate::segment::{AppendedBatch, Segment};
use crate::stored_batch::{appended_batch, producer_batch, producer_batch_of};
use crate::transaction_index::AbortedTxn;
use crate::{AppendError, AppendInfo, AppendOrigin, OffsetPosition, VerificationGuard};

/// Bytes that passed all checks but the producers'.
struct Checked<'a> {
    parts: &'a [&'a [u8]],
    batches: &'a [AppendedBatch],
    incoming: Incoming,
    first_offset: Offset,
    first_batch_size: usize,
    updates: Updates,
}

impl PartitionLog {
    /// Appends what a producer, a coordinator or a marker brings: validates, gives offsets, stamps `leader_epoch`.
    ///
    /// Nothing is appended when a batch is refused; a duplicate is no error, see [`AppendInfo::duplicate`].
    /// With `flush.messages` reached, returns after the data is on disk. `verification` is what
    /// [`PartitionLog::start_transaction_verification`] gave for this request.
    pub fn append_as_leader(
        &self,
        records: Bytes,
        leader_epoch: LeaderEpoch,
        origin: AppendOrigin,
        verification: Option<VerificationGuard>,
        now: Timestamp,
    ) -> Result<AppendInfo, AppendError> {
        let config = self.config.load();
        let Some(mut batch) = validate(&records, self.topic_partition(), &config.validation(), origin, now)?
        else {
            return Ok(self.nothing_appended());
        };
        let info = {
            let mut writer = self.writer.lock();
            self.check_open(&writer)?;
            batch.assign(self.log_end_offset(), leader_epoch);
            let size = batch.size_in_bytes();
            if size > config.segment_bytes as usize {
                return Err(AppendError::RecordListTooLarge { size, max: config.segment_bytes as usize });
            }
            self.note_epoch(leader_epoch, batch.header().base_offset())?;
            self.append_validated(&mut writer, &batch, origin, verification, now)?
        };
        self.flush_if_due(now)?;
        Ok(info)
    }

    fn append_validated(
        &self,
        writer: &mut Writer,
        batch: &Validated,
        origin: AppendOrigin,
        verification: Option<VerificationGuard>,
        now: Timestamp,
    ) -> Result<AppendInfo, AppendError> {
        let header = batch.header();
        let incoming = Incoming {
            bytes: batch.size_in_bytes() as u64,
            first_offset: Some(header.base_offset()),
            last_offset: header.last_offset(),
            max_timestamp: batch.max_timestamp,
        };
        let segment = self.roll_if_full(writer, &incoming, now)?;
        let mut updates = Updates::default();
        if let Some(producer) = producer_side(batch)? {
            let needs_proof = self.shared.transaction_verification.load(Ordering::Relaxed);
            match writer.producers.admit(&producer, origin, verification, needs_proof)? {
                Admission::Duplicate(known) => return Ok(self.duplicate(&known)),
                Admission::Append(admitted) => updates = admitted,
            }
        }
        let append_time = batch.append_time;
        let info = self.write(
            writer,
            &segment,
            Checked {
                parts: &[batch.header_bytes(), batch.payload()],
                batches: &[AppendedBatch { max_timestamp: batch.max_timestamp, ..appended_batch(header) }],
                incoming,
                first_offset: header.base_offset(),
                first_batch_size: batch.size_in_bytes(),
                updates,
            },
        )?;
        Ok(AppendInfo {
            log_append_time: append_time,
            last_leader_epoch: header.partition_leader_epoch,
            ..info
        })
    }

    /// What is told of a batch that is in the log already.
    fn duplicate(&self, known: &BatchMetadata) -> AppendInfo {
        AppendInfo {
            first_offset: Some(known.first_offset()),
            last_offset: Some(known.last_offset),
            log_append_time: Some(known.timestamp),
            duplicate: true,
            ..self.nothing_appended()
        }
    }

    /// Appends what was fetched from the leader, byte for byte; an incomplete last batch is left out, and so is what
    /// carries a later epoch than `leader_epoch`, the one of the fetch: another leader wrote that (KAFKA-18723).
    pub fn append_as_follower(
        &self,
        records: Bytes,
        leader_epoch: Option<LeaderEpoch>,
        now: Timestamp,
    ) -> Result<AppendInfo, AppendError> {
        let fetched = Fetched::check(&records, leader_epoch)?;
        let Some(first) = fetched.headers.first() else { return Ok(self.nothing_appended()) };
        let info = {
            let mut writer = self.writer.lock();
            self.check_open(&writer)?;
            let log_end = self.log_end_offset();
            if first.base_offset() < log_end {
                return Err(AppendError::UnexpectedOffset { first: first.base_offset(), log_end });
            }
            self.note_epochs(&fetched.headers)?;
            let incoming = fetched.incoming(first);
            let segment = self.roll_if_full(&mut writer, &incoming, now)?;
            let mut updates = Updates::default();
            for batch in &fetched.producers {
                writer.producers.check(&mut updates, batch, AppendOrigin::Replication)?;
            }
            let appended: Vec<_> = fetched.headers.iter().map(appended_batch).collect();
            let bytes = records.get(..fetched.len).unwrap_or_default();
            let checked = Checked {
                parts: &[bytes],
                batches: &appended,
                incoming,
                first_offset: first.base_offset(),
                first_batch_size: first.size_in_bytes,
                updates,
            };
            let info = self.write(&mut writer, &segment, checked)?;
            let last_leader_epoch = fetched.headers.last().and_then(|header| header.partition_leader_epoch);
            AppendInfo { last_leader_epoch, ..info }
        };
        self.flush_if_due(now)?;
        Ok(info)
    }

    /// Each batch of a new epoch begins it; a batch of an old format ends all knowledge of epochs.
    fn note_epochs(&self, headers: &[BatchHeader]) -> Result<(), AppendError> {
        let mut latest = None;
        for header in headers {
            match (header.magic, header.partition_leader_epoch) {
                (Magic::V2, Some(epoch)) if latest == Some(epoch) => {}
                (Magic::V2, Some(epoch)) => {
                    self.note_epoch(epoch, header.base_offset())?;
                    latest = Some(epoch);
                }
                (Magic::V2, None) => return Err(AppendError::MissingLeaderEpoch(header.base_offset())),
                (Magic::V0 | Magic::V1, _) => {
                    self.clear_epochs()?;
                    latest = None;
                }
            }
        }
        Ok(())
    }

    /// Writes the bytes and then all that follows from them.
    fn write(
        &self,
        writer: &mut Writer,
        segment: &Arc<Segment>,
        checked: Checked<'_>,
    ) -> Result<AppendInfo, AppendError> {
        let Checked { incoming, updates, .. } = checked;
        let place = OffsetPosition {
            offset: checked.first_offset,
            segment_base: segment.base(),
            position: segment.size(),
        };
        segment.append(checked.parts, checked.batches, self.config.load().index_interval_bytes)?;
        let log_end = incoming.last_offset + 1;
        self.recent.lock().push(RecentAppend { place, first_batch_size: checked.first_batch_size });
        self.set_log_end(log_end)?;
        for (completed, last_stable_offset) in writer.producers.apply(updates) {
            if completed.aborted {
                segment.append_aborted(AbortedTxn {
                    producer_id: completed.producer_id,
                    first_offset: completed.first_offset,
                    last_offset: completed.last_offset,
                    last_stable_offset,
                })?;
            }
        }
        writer.producers.set_map_end(log_end);
        self.update_first_unstable(writer);
        Ok(AppendInfo {
            first_offset: Some(checked.first_offset),
            last_offset: Some(incoming.last_offset),
            max_timestamp: incoming.max_timestamp,
            appended_bytes: incoming.bytes as usize,
            log_end_offset: log_end,
            ..self.nothing_appended()
        })
    }

    fn nothing_appended(&self) -> AppendInfo {
        let marks = self.marks.read();
        AppendInfo {
            first_offset: None,
            last_offset: None,
            max_timestamp: None,
            log_append_time: None,
            log_start_offset: marks.log_start,
            last_leader_epoch: None,
            appended_bytes: 0,
            duplicate: false,
            log_end_offset: marks.log_end.offset,
        }
    }
}

/// The producer's side of a validated batch.
fn producer_side(batch: &Validated) -> Result<Option<ProducerBatch>, AppendError> {
    let header = batch.header();
    if header.producer_id.is_none() || !header.is_control() {
        return Ok(producer_batch(header, None));
    }
    let whole = batch.to_bytes();
    let corrupt = |error: &dyn std::fmt::Display| AppendError::Corrupt(error.to_string());
    let control = BatchRef::first(&whole).map_err(|error| corrupt(&error))?;
    producer_batch_of(&control).map_err(|error| corrupt(&error))
}

/// Batches as they came from the leader.
struct Fetched {
    headers: Vec<BatchHeader>,
    producers: Vec<ProducerBatch>,
    /// Bytes of the whole batches.
    len: usize,
}

impl Fetched {
    fn check(records: &[u8], leader_epoch: Option<LeaderEpoch>) -> Result<Fetched, AppendError> {
        let mut fetched = Fetched { headers: Vec::new(), producers: Vec::new(), len: 0 };
        let mut last = None;
        for batch in batches(records) {
            let batch = match batch {
                Ok(batch) => batch,
                Err(BatchError::Torn { .. }) => break,
                Err(error) => return Err(AppendError::Corrupt(error.to_string())),
            };
            if leader_epoch.is_some_and(|of_fetch| batch.partition_leader_epoch.is_some_and(|e| e > of_fetch))
            {
                break;
            }
            batch.check_crc().map_err(|error| AppendError::Corrupt(error.to_string()))?;
            if last.is_some_and(|last| batch.last_offset() <= last)
                || batch.last_offset() < batch.base_offset()
            {
                return Err(AppendError::OffsetsOutOfOrder(batch.last_offset()));
            }
            if batch.base_offset() < Offset::ZERO {
                return Err(AppendError::OffsetsOutOfOrder(batch.base_offset()));
            }
            last = Some(batch.last_offset());
            let producer =
                producer_batch_of(&batch).map_err(|error| AppendError::Corrupt(error.to_string()))?;
            fetched.producers.extend(producer);
            fetched.headers.push(*batch.header());
            fetched.len += batch.size_in_bytes;
        }
        Ok(fetched)
    }

    fn incoming(&self, first: &BatchHeader) -> Incoming {
        let last_offset = self.headers.last().map_or(first.last_offset(), BatchHeader::last_offset);
        Incoming {
            bytes: self.len as u64,
            first_offset: (first.magic == Magic::V2).then(|| first.base_offset()),
            last_offset,
            max_timestamp: self.headers.iter().filter_map(|header| header.max_timestamp).max(),
        }
    }
}
