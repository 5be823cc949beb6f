//! Reading a coordinator's partition from start to end.

use gregor_model::Offset;
use gregor_records::{BatchRef, EndTransactionMarker, Limits, batches};

use super::machine::Loader;
use super::topic_log::{LoadError, TopicLog};

/// How far a partition was read.
#[derive(Debug)]
pub(super) struct Read {
    /// Everything before it was read, or left out as damaged.
    pub(super) end: Offset,
    /// Why nothing after it was.
    pub(super) error: Option<LoadError>,
}

/// Folds everything in the partition. A damaged record is reported and left out, and so is a batch whose bytes are not
/// those that were written; where no batch can be made out any more, the load ends with what was read before.
pub(super) fn load<L: Loader>(log: &dyn TopicLog, partition: i32) -> (L, Read) {
    let mut loader = L::default();
    let mut end = Offset::ZERO;
    let error = fold(log, partition, &mut loader, &mut end).err();
    (loader, Read { end, error })
}

fn fold<L: Loader>(
    log: &dyn TopicLog,
    partition: i32,
    loader: &mut L,
    at: &mut Offset,
) -> Result<(), LoadError> {
    *at = log.range(partition)?.start;
    // The log may grow while it is read: a marker of a transaction needs nobody's leave.
    while *at < log.range(partition)?.end {
        let chunk = log.read(partition, *at)?;
        let before = *at;
        for batch in batches(&chunk) {
            match batch {
                Ok(batch) => {
                    let next = batch.header().next_offset();
                    if next > *at {
                        if let Err(reason) = fold_batch(loader, &batch, *at, partition) {
                            let from = batch.header().base_offset();
                            tracing::error!(partition, offset = %from, next = %next, reason, "left a damaged batch out");
                        }
                        *at = next;
                    }
                }
                // The last batch of a chunk may be cut: the next chunk begins with it.
                Err(_) if *at > before => break,
                Err(error) => return Err(LoadError::Corrupt { at: *at, reason: error.to_string() }),
            }
        }
        if *at == before {
            return Err(LoadError::Corrupt { at: *at, reason: "no batch where one must be".to_owned() });
        }
    }
    Ok(())
}

/// The error says what is wrong with the batch, of which the records before the damage have been folded.
fn fold_batch<L: Loader>(
    loader: &mut L,
    batch: &BatchRef<'_>,
    from: Offset,
    partition: i32,
) -> Result<(), String> {
    let header = batch.header();
    batch.check_crc().map_err(|error| error.to_string())?;
    let mut records = batch.records(Limits::for_batch(header)).map_err(|error| error.to_string())?;
    while let Some(record) = records.next_record().map_err(|error| error.to_string())? {
        if record.offset < from {
            continue;
        }
        if header.is_control() {
            let marker = EndTransactionMarker::parse(&record).map_err(|error| error.to_string())?;
            if let (Some(marker), Some(producer)) = (marker, header.producer_id) {
                loader.marker(producer, marker.commit);
            }
            continue;
        }
        let producer = header.producer_id.filter(|_| header.is_transactional());
        if let Err(error) = loader.record(header.base_offset(), producer, record.key, record.value) {
            tracing::error!(partition, offset = %record.offset, %error, "left a damaged record out");
        }
    }
    Ok(())
}
