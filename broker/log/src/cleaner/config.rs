//! Configuration of the cleaner (`CleanerConfig`); all of it but the first key may change while it runs.

use gregor_config::Values;

/// How compaction works on this broker.
#[derive(Clone, Debug, PartialEq)]
pub struct CleanerConfig {
    /// `log.cleaner.enable`: without it nothing is compacted, nor deleted from compacted logs.
    pub enable: bool,
    /// `log.cleaner.threads`: how many call [`super::LogCleaner::clean_once`] at a time; they share the memory.
    pub threads: usize,
    /// `log.cleaner.dedupe.buffer.size`, in bytes, for all threads together.
    pub dedupe_buffer_bytes: usize,
    /// `log.cleaner.io.buffer.load.factor`: how full an offset map may get.
    pub load_factor: f64,
    /// `log.cleaner.io.buffer.size`, in bytes, for all threads together.
    pub io_buffer_bytes: usize,
    /// `log.cleaner.io.max.bytes.per.second`, read and written by all threads together.
    pub io_bytes_per_second_max: f64,
    /// `log.cleaner.backoff.ms`: how long a thread sleeps that found nothing to do.
    pub backoff_ms: i64,
}

impl Default for CleanerConfig {
    fn default() -> CleanerConfig {
        CleanerConfig {
            enable: true,
            threads: 1,
            dedupe_buffer_bytes: 128 << 20,
            load_factor: 0.9,
            io_buffer_bytes: 512 << 10,
            io_bytes_per_second_max: f64::MAX,
            backoff_ms: 15_000,
        }
    }
}

impl CleanerConfig {
    /// From the broker's values.
    pub fn from_values(values: &Values) -> CleanerConfig {
        CleanerConfig {
            enable: values.bool("log.cleaner.enable"),
            threads: usize::try_from(values.i32("log.cleaner.threads")).unwrap_or(0),
            dedupe_buffer_bytes: usize::try_from(values.i64("log.cleaner.dedupe.buffer.size")).unwrap_or(0),
            load_factor: values.f64("log.cleaner.io.buffer.load.factor"),
            io_buffer_bytes: usize::try_from(values.i32("log.cleaner.io.buffer.size")).unwrap_or(0),
            io_bytes_per_second_max: values.f64("log.cleaner.io.max.bytes.per.second"),
            backoff_ms: values.i64("log.cleaner.backoff.ms"),
        }
    }

    /// Memory of one thread's offset map, in bytes.
    pub(crate) fn map_bytes(&self) -> usize {
        (self.dedupe_buffer_bytes / self.threads.max(1)).min(i32::MAX as usize)
    }

    /// How much one thread collects before it writes, in bytes.
    pub(crate) fn write_buffer_bytes(&self) -> usize {
        (self.io_buffer_bytes / self.threads.max(1) / 2).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_key_table() {
        let values = Values::defaults(gregor_config::broker_table());
        assert_eq!(CleanerConfig::from_values(&values), CleanerConfig::default());
    }

    #[test]
    fn threads_share_the_memory() {
        let config = CleanerConfig { threads: 4, ..CleanerConfig::default() };
        assert_eq!((config.map_bytes(), config.write_buffer_bytes()), (32 << 20, 64 << 10));
        let huge = CleanerConfig { dedupe_buffer_bytes: usize::MAX, ..config };
        assert_eq!(huge.map_bytes(), i32::MAX as usize);
    }
}
