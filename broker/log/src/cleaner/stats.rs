//! What cleanings report.

use std::time::Duration;

/// What one cleaning of one log did (`CleanerStats`).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CleanerStats {
    /// Bytes read to learn the latest offset of each key.
    pub map_bytes_read: u64,
    /// Bytes read to copy what survives.
    pub bytes_read: u64,
    /// Bytes written.
    pub bytes_written: u64,
    /// Records looked at while copying; those of batches that go as a whole are not counted.
    pub records_read: u64,
    /// Records written.
    pub records_written: u64,
    /// Records without a key, which were dropped.
    pub invalid_records: u64,
    /// How full the offset map was, 0 to 1.
    pub map_utilization: f64,
    /// How long it took.
    pub elapsed: Duration,
}

/// The cleaner's metrics at one moment, named as Kafka names them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CleanerGauges {
    /// `uncleanable-partitions-count`: partitions whose cleaning failed; they are left alone until a restart.
    pub uncleanable_partitions_count: usize,
    /// `uncleanable-bytes`: what could be cleaned of those, in bytes.
    pub uncleanable_bytes: u64,
    /// `max-dirty-percent`: of the dirtiest log, when one was last looked for.
    pub max_dirty_percent: u32,
    /// `time-since-last-run-ms`: since one was last looked for.
    pub time_since_last_run_ms: i64,
    /// `max-compaction-delay-secs`: by how much the most delayed log exceeds `max.compaction.lag.ms`.
    pub max_compaction_delay_secs: i64,
    /// `max-buffer-utilization-percent`, of the last cleaning.
    pub max_buffer_utilization_percent: u32,
    /// `cleaner-recopy-percent`: bytes written per byte read, of the last cleaning.
    pub cleaner_recopy_percent: u32,
    /// `max-clean-time-secs`, of the last cleaning.
    pub max_clean_time_secs: u64,
}
