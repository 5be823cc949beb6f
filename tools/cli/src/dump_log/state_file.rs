//! `.snapshot` and `.txnindex` as kafka-dump-log shows them.

use std::fs;
use std::io::Write;
use std::path::Path;

use gregor_log::stored::{AbortedTxn, BadSnapshot, decode_snapshot};
use gregor_records::crc32c;

use super::log_file::optional_long;
use super::stored_batch::base_offset_of;
use super::{DumpError, absolute};

/// Shows a snapshot of producers. What is wrong with it goes to stderr, and ends nothing.
pub(super) fn dump_snapshot(path: &Path, out: &mut impl Write) -> Result<(), DumpError> {
    let bytes = fs::read(path).map_err(|error| DumpError::Message(format!("{}: {error}", path.display())))?;
    let entries = match decode_snapshot(&bytes) {
        Ok(entries) => entries,
        Err(bad) => {
            out.flush()?;
            eprintln!("{}", corrupt_snapshot(&bad, &bytes));
            return Ok(());
        }
    };
    for entry in entries {
        write!(
            out,
            "producerId: {} producerEpoch: {} coordinatorEpoch: {} currentTxnFirstOffset: {} lastTimestamp: {} ",
            entry.producer_id,
            entry.epoch.0,
            entry.coordinator_epoch,
            optional_long(entry.transaction_start.map(|start| start.0)),
            entry.last_timestamp.0,
        )?;
        if let Some(batch) = entry.last_batch() {
            write!(
                out,
                "firstSequence: {} lastSequence: {} lastOffset: {} offsetDelta: {} timestamp: {}",
                batch.first_sequence(),
                batch.last_sequence,
                batch.last_offset,
                batch.offset_delta,
                batch.timestamp.0,
            )?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn corrupt_snapshot(bad: &BadSnapshot, bytes: &[u8]) -> String {
    match bad {
        BadSnapshot::Version(version) => format!("Snapshot contained an unknown file version {version}"),
        BadSnapshot::Checksum => {
            let stored = bytes.get(2..6).and_then(|f| f.try_into().ok()).map_or(0, u32::from_be_bytes);
            let computed = crc32c(bytes.get(6..).unwrap_or_default());
            format!(
                "Snapshot is corrupt (CRC is no longer valid). Stored crc: {stored}. Computed crc: {computed}"
            )
        }
        BadSnapshot::Short => format!("Snapshot failed schema validation: {bad}"),
    }
}

/// Shows a transaction index; a file that is not there has no entries, and neither has a part of one.
pub(super) fn dump_transactions(path: &Path, out: &mut impl Write) -> Result<(), DumpError> {
    base_offset_of(path)?;
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(DumpError::Message(format!("{}: {error}", path.display()))),
    };
    let (entries, _) = bytes.as_chunks::<{ AbortedTxn::SIZE }>();
    for entry in entries {
        let aborted = AbortedTxn::decode(entry).map_err(|version| {
            DumpError::Message(format!(
                "Unexpected aborted transaction version {version} in transaction index {}, current version is 0",
                absolute(path)
            ))
        })?;
        writeln!(
            out,
            "version: {} producerId: {} firstOffset: {} lastOffset: {} lastStableOffset: {}",
            i16::from_be_bytes([entry[0], entry[1]]),
            aborted.producer_id,
            aborted.first_offset,
            aborted.last_offset,
            aborted.last_stable_offset
        )?;
    }
    Ok(())
}
