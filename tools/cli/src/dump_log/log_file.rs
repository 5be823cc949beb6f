//! A `.log` as kafka-dump-log shows it: a line per batch, and on demand a line per record.

use std::io::Write;
use std::path::Path;

use gregor_model::{LeaderEpoch, Offset, Timestamp};
use gregor_records::legacy::LegacyRecords;
use gregor_records::{BatchHeader, Codec, ControlRecordType, EndTransactionMarker, Limits, Magic, RecordRef};

use super::report::Report;
use super::stored_batch::{StoredBatch, StoredBatches, base_offset_of};
use super::{DumpError, Options, absolute};

const RECORD_INDENT: &str = "|";

/// Shows the file.
pub(super) fn dump(
    path: &Path,
    options: &Options,
    out: &mut impl Write,
    report: &mut Report,
) -> Result<(), DumpError> {
    writeln!(out, "Log starting offset: {}", base_offset_of(path)?)?;
    let mut batches = StoredBatches::open(path, 0, u64::from(options.max_bytes))?;
    let mut valid_bytes = 0;
    let mut last_offset = None;
    while let Some(batch) = batches.next_batch()? {
        write_batch(out, &batch)?;
        if options.deep_iteration {
            let mut records = DumpedRecords { options, out, batch: &batch, last_offset: &mut last_offset };
            records.write_all(|gap| report.not_consecutive(absolute(path), gap))?;
        }
        valid_bytes += batch.size() as u64;
    }
    let trailing = batches.end().saturating_sub(valid_bytes);
    if trailing > 0 && options.max_bytes == i32::MAX.unsigned_abs() {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        writeln!(out, "Found {trailing} invalid bytes at the end of {name}")?;
    }
    Ok(())
}

fn write_batch(out: &mut impl Write, batch: &StoredBatch) -> Result<(), DumpError> {
    let header = &batch.header;
    if header.magic == Magic::V2 {
        let horizon = optional_long(header.delete_horizon().map(|horizon| horizon.0));
        write!(
            out,
            "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {} producerId: {} producerEpoch: {} \
             partitionLeaderEpoch: {} isTransactional: {} isControl: {} deleteHorizonMs: {horizon}",
            header.base_offset(),
            header.last_offset(),
            header.record_count.unwrap_or_default(),
            header.base_sequence.map_or(-1, |sequence| sequence.0),
            header.last_sequence().map_or(-1, |sequence| sequence.0),
            header.producer_id.map_or(-1, |id| id.0),
            header.producer_epoch.0,
            LeaderEpoch::to_wire(header.partition_leader_epoch),
            header.is_transactional(),
            header.is_control(),
        )?;
    } else {
        write!(out, "offset: {}", header.last_offset())?;
    }
    let codec = codec_name(header)?;
    writeln!(
        out,
        " position: {} {}: {} size: {} magic: {} compresscodec: {codec} crc: {} isvalid: {}",
        batch.position,
        timestamp_type(header),
        timestamp(header.max_timestamp),
        batch.size(),
        batch.magic,
        header.crc,
        batch.is_valid(),
    )?;
    Ok(())
}

/// A long as Java's `OptionalLong` prints it.
pub(super) fn optional_long(value: Option<i64>) -> String {
    value.map_or_else(|| "OptionalLong.empty".to_owned(), |value| format!("OptionalLong[{value}]"))
}

fn codec_name(header: &BatchHeader) -> Result<&'static str, DumpError> {
    let id = header.attributes.low_byte() & 0x07;
    let unknown = || DumpError::Message(format!("Unknown compression type id: {id}"));
    header.codec().map(Codec::as_str).ok_or_else(unknown)
}

fn timestamp_type(header: &BatchHeader) -> &'static str {
    if header.magic == Magic::V0 { "NoTimestampType" } else { header.timestamp_type().as_str() }
}

fn timestamp(timestamp: Option<Timestamp>) -> i64 {
    timestamp.map_or(-1, |timestamp| timestamp.0)
}

struct DumpedRecords<'a, W> {
    options: &'a Options,
    out: &'a mut W,
    batch: &'a StoredBatch,
    last_offset: &'a mut Option<Offset>,
}

impl<W: Write> DumpedRecords<'_, W> {
    /// Shows every record; `on_gap` is told of offsets that do not follow each other.
    fn write_all(&mut self, mut on_gap: impl FnMut((Offset, Offset))) -> Result<(), DumpError> {
        let batch = self.batch;
        let view = batch.view()?;
        let limits = Limits::for_batch(&batch.header);
        if batch.header.magic == Magic::V2 {
            let mut records = view.records(limits).map_err(DumpError::message)?;
            while let Some(record) = records.next_record().map_err(DumpError::message)? {
                on_gap_after(self.last_offset, record.offset, &mut on_gap);
                self.write(&record, None)?;
            }
        } else {
            let mut records = LegacyRecords::new(&view, limits).map_err(DumpError::message)?;
            while let Some(message) = records.next_message().map_err(DumpError::message)? {
                on_gap_after(self.last_offset, message.offset, &mut on_gap);
                self.write(&message.record(), Some(message.checksums()))?;
            }
        }
        Ok(())
    }

    fn write(&mut self, record: &RecordRef<'_>, checksums: Option<(u32, u32)>) -> Result<(), DumpError> {
        let mut prefix = format!("{RECORD_INDENT} ");
        if !self.options.skip_record_metadata {
            self.write_metadata(&prefix, record, checksums)?;
            prefix = " ".to_owned();
        }
        if self.options.print_data && !self.batch.header.is_control() {
            let (key, payload) = self.options.decoder.show(record)?;
            if let Some(key) = key {
                write!(self.out, "{prefix}key: {key}")?;
            }
            if let Some(payload) = payload {
                write!(self.out, " payload: {payload}")?;
            }
        }
        Ok(writeln!(self.out)?)
    }

    fn write_metadata(
        &mut self,
        prefix: &str,
        record: &RecordRef<'_>,
        checksums: Option<(u32, u32)>,
    ) -> Result<(), DumpError> {
        let header = &self.batch.header;
        let length =
            |bytes: Option<&[u8]>| bytes.map_or(-1, |bytes| i64::try_from(bytes.len()).unwrap_or(-1));
        write!(
            self.out,
            "{prefix}offset: {} {}: {} keySize: {} valueSize: {}",
            record.offset,
            timestamp_type(header),
            timestamp(record.timestamp),
            length(record.key),
            length(record.value),
        )?;
        match checksums {
            None => {
                let sequence = record.sequence.map_or(-1, |sequence| sequence.0);
                let keys: Vec<_> =
                    record.headers.iter().map(|(key, _)| String::from_utf8_lossy(key)).collect();
                write!(self.out, " sequence: {sequence} headerKeys: [{}]", keys.join(","))?;
            }
            // The brace is Kafka's.
            Some((stored, computed)) => {
                write!(self.out, " isValid: {} crc: {stored}}}", stored == computed)?;
            }
        }
        if header.is_control() { self.write_marker(record) } else { Ok(()) }
    }

    fn write_marker(&mut self, record: &RecordRef<'_>) -> Result<(), DumpError> {
        let kind = ControlRecordType::of(record).map_err(DumpError::message)?;
        match EndTransactionMarker::parse(record).map_err(DumpError::message)? {
            Some(marker) => {
                let kind = if marker.commit { "COMMIT" } else { "ABORT" };
                let epoch = marker.coordinator_epoch;
                write!(self.out, " endTxnMarker: {kind} coordinatorEpoch: {epoch}")?;
            }
            None => {
                let id = kind.id();
                let name = match id {
                    2 => "LEADER_CHANGE",
                    3 => "SNAPSHOT_HEADER",
                    4 => "SNAPSHOT_FOOTER",
                    5 => "KRAFT_VERSION",
                    6 => "KRAFT_VOTERS",
                    _ => "UNKNOWN",
                };
                write!(self.out, " controlType: {name}({id})")?;
            }
        }
        Ok(())
    }
}

fn on_gap_after(last: &mut Option<Offset>, offset: Offset, on_gap: &mut impl FnMut((Offset, Offset))) {
    if let Some(last) = *last
        && offset != last + 1
    {
        on_gap((last, offset));
    }
    *last = Some(offset);
}
