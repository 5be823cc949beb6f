//! Control records: the markers that end a transaction (`ControlRecordType`, `EndTransactionMarker`).

use gregor_model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp};

use crate::batch::field;
use crate::builder::{BatchBuilder, BatchOptions, BuildError, Producer};
use crate::record::{RecordRef, RecordsError, invalid};

const VERSION: i16 = 0;

/// What a control record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ControlRecordType {
    /// The transaction is aborted.
    Abort,
    /// The transaction is committed.
    Commit,
    /// Of Raft, or of a later version: kept, and otherwise ignored.
    Other(i16),
}

impl ControlRecordType {
    /// The id in the record's key.
    pub fn id(self) -> i16 {
        match self {
            ControlRecordType::Abort => 0,
            ControlRecordType::Commit => 1,
            ControlRecordType::Other(id) => id,
        }
    }

    fn from_id(id: i16) -> ControlRecordType {
        match id {
            0 => ControlRecordType::Abort,
            1 => ControlRecordType::Commit,
            other => ControlRecordType::Other(other),
        }
    }

    /// Parses the key of a control record.
    ///
    /// # Errors
    /// A key that is null, shorter than four bytes, or of a negative version.
    pub fn of(record: &RecordRef<'_>) -> Result<ControlRecordType, RecordsError> {
        let key = record.key.unwrap_or_default();
        let (Some(version), Some(id)) = (field(key, 0), field(key, 2)) else {
            return Err(invalid(format!("Invalid control record key of {} bytes", key.len())));
        };
        let version = i16::from_be_bytes(version);
        if version < 0 {
            return Err(invalid(format!("Invalid version found for control record: {version}")));
        }
        Ok(ControlRecordType::from_id(i16::from_be_bytes(id)))
    }
}

/// A parsed transaction marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndTransactionMarker {
    /// Whether the transaction was committed.
    pub commit: bool,
    /// Epoch of the transaction coordinator that wrote it.
    pub coordinator_epoch: i32,
}

impl EndTransactionMarker {
    /// The marker in a control record, or `None` when it is a control record of another kind.
    ///
    /// # Errors
    /// A key or value that is too short, or of a negative version.
    pub fn parse(record: &RecordRef<'_>) -> Result<Option<EndTransactionMarker>, RecordsError> {
        let commit = match ControlRecordType::of(record)? {
            ControlRecordType::Abort => false,
            ControlRecordType::Commit => true,
            ControlRecordType::Other(_) => return Ok(None),
        };
        let value = record.value.unwrap_or_default();
        let (Some(version), Some(epoch)) = (field(value, 0), field(value, 2)) else {
            return Err(invalid(format!(
                "Invalid value size {} found for end transaction marker",
                value.len()
            )));
        };
        let version = i16::from_be_bytes(version);
        if version < 0 {
            return Err(invalid(format!("Invalid version {version} found for end transaction marker")));
        }
        Ok(Some(EndTransactionMarker { commit, coordinator_epoch: i32::from_be_bytes(epoch) }))
    }

    /// The control batch of this marker (`MemoryRecords.withEndTransactionMarker`), 78 bytes.
    ///
    /// # Errors
    /// None in practice: the batch is small and not compressed.
    pub fn batch(
        &self,
        base_offset: Offset,
        leader_epoch: Option<LeaderEpoch>,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        now: Timestamp,
    ) -> Result<Vec<u8>, BuildError> {
        let mut builder = BatchBuilder::new(BatchOptions {
            base_offset,
            partition_leader_epoch: leader_epoch,
            producer: Some(Producer { id: producer_id, epoch: producer_epoch, base_sequence: None }),
            transactional: true,
            control: true,
            ..BatchOptions::default()
        })?;
        let kind = if self.commit { ControlRecordType::Commit } else { ControlRecordType::Abort };
        let mut key = VERSION.to_be_bytes().to_vec();
        key.extend_from_slice(&kind.id().to_be_bytes());
        let mut value = VERSION.to_be_bytes().to_vec();
        value.extend_from_slice(&self.coordinator_epoch.to_be_bytes());
        builder.append(base_offset, Some(now), Some(&key), Some(&value), &[])?;
        builder.finish()
    }
}
