//! What a run of records has taken (`ProducerPerformance.Stats`). Pure; times are milliseconds of one clock.

/// So many latencies are kept at most, evenly taken.
const SAMPLES_MAX: u64 = 500_000;
const BYTES_PER_MB: f64 = 1024.0 * 1024.0;
/// What is told of the latencies in the end.
const PERCENTILES: [f64; 4] = [0.5, 0.95, 0.99, 0.999];

/// Counts of a run, or of a part of it.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    records: u64,
    bytes: u64,
    latency_sum: u64,
    latency_max: u64,
}

impl Counts {
    fn add(&mut self, latency: u64, bytes: u64) {
        self.records += 1;
        self.bytes += bytes;
        self.latency_sum += latency;
        self.latency_max = self.latency_max.max(latency);
    }

    fn average(&self) -> f64 {
        self.latency_sum as f64 / self.records as f64
    }

    /// Records and MB per second.
    fn rates(&self, elapsed_ms: u64) -> (f64, f64) {
        let per_second = 1000.0 / elapsed_ms as f64;
        (self.records as f64 * per_second, self.bytes as f64 * per_second / BYTES_PER_MB)
    }
}

/// The figures of a run.
#[derive(Debug)]
pub(super) struct Stats {
    start_ms: u64,
    sampling: u64,
    samples: Vec<u32>,
    total: Counts,
    window: Counts,
    window_start_ms: u64,
    interval_ms: u64,
}

impl Stats {
    /// A run of `records`, told of every `interval_ms`.
    pub(super) fn new(records: u64, interval_ms: u64, now_ms: u64) -> Stats {
        Stats {
            start_ms: now_ms,
            sampling: records.checked_div(records.min(SAMPLES_MAX)).unwrap_or(1).max(1),
            samples: Vec::new(),
            total: Counts::default(),
            window: Counts::default(),
            window_start_ms: now_ms,
            interval_ms,
        }
    }

    /// Adds a record. Returns what is to be said of the time since it was last said, once that is long enough.
    pub(super) fn record(&mut self, latency: u64, bytes: u64, now_ms: u64) -> Option<String> {
        if self.total.records.is_multiple_of(self.sampling) && (self.samples.len() as u64) <= SAMPLES_MAX * 2
        {
            self.samples.push(u32::try_from(latency).unwrap_or(u32::MAX));
        }
        self.total.add(latency, bytes);
        self.window.add(latency, bytes);
        let elapsed = now_ms.saturating_sub(self.window_start_ms);
        if elapsed < self.interval_ms {
            return None;
        }
        let window = std::mem::take(&mut self.window);
        self.window_start_ms = now_ms;
        let (records, megabytes) = window.rates(elapsed);
        Some(format!(
            "{} records sent, {records:.1} records/sec ({megabytes:.2} MB/sec), {:.1} ms avg latency, {:.1} ms max \
             latency.",
            window.records,
            window.average(),
            window.latency_max as f64
        ))
    }

    /// What is said in the end.
    pub(super) fn summary(&mut self, now_ms: u64) -> String {
        let elapsed = now_ms.saturating_sub(self.start_ms);
        let (records, megabytes) = self.total.rates(elapsed);
        self.samples.sort_unstable();
        let count = self.samples.len();
        let [p50, p95, p99, p999] = PERCENTILES.map(|percentile| {
            let at = (percentile * count as f64) as usize;
            self.samples.get(at).copied().unwrap_or(0)
        });
        format!(
            "{} records sent, {records:.6} records/sec ({megabytes:.2} MB/sec), {:.2} ms avg latency, {:.2} ms max \
             latency, {p50} ms 50th, {p95} ms 95th, {p99} ms 99th, {p999} ms 99.9th.",
            self.total.records,
            self.total.average(),
            self.total.latency_max as f64
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_printed_as_by_kafka() {
        let mut stats = Stats::new(4, 5000, 1000);
        assert_eq!(stats.record(10, 1 << 20, 1500), None);
        assert_eq!(stats.record(20, 1 << 20, 2000), None);
        assert_eq!(
            stats.record(30, 1 << 20, 6000).as_deref(),
            Some("3 records sent, 0.6 records/sec (0.60 MB/sec), 20.0 ms avg latency, 30.0 ms max latency.")
        );
        assert_eq!(stats.record(40, 1 << 20, 9000), None);
        assert_eq!(
            stats.summary(11_000),
            "4 records sent, 0.400000 records/sec (0.40 MB/sec), 25.00 ms avg latency, 40.00 ms max latency, 30 ms 50th, \
             40 ms 95th, 40 ms 99th, 40 ms 99.9th."
        );
    }

    #[test]
    fn latencies_are_sampled() {
        let mut stats = Stats::new(2_000_000, 5000, 0);
        for _ in 0..10_000 {
            stats.record(1, 1, 0);
        }
        assert_eq!(stats.samples.len(), 2500);
    }
}
