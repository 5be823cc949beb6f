//! Distributions of times and sizes, recorded without a lock.
//!
//! Values fall into buckets that are an eighth of their power of two wide, so a quantile is off by at most that. Kafka's
//! histograms forget the past exponentially (over about five minutes); these keep the present window and the one before it.
//! The reader turns the windows: a value recorded at that very moment may be lost to the quantiles, never to the count.

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

use gregor_model::Timestamp;

/// Buckets per power of two.
const SUB_BUCKETS: u64 = 8;
const SUB_BITS: u32 = 3;
/// Up to 2^42: seven weeks in microseconds, four terabytes in bytes.
const OCTAVES: usize = 42;
const BUCKETS: usize = (OCTAVES - SUB_BITS as usize + 1) * SUB_BUCKETS as usize;

/// How long a window lasts.
const WINDOW_MS: i64 = 150_000;

type Window = Box<[AtomicU64]>;

/// Values of one kind.
#[derive(Debug)]
pub struct Histogram {
    count: AtomicU64,
    windows: [Window; 2],
    current: AtomicUsize,
    turned_at: AtomicI64,
}

/// What is told of a histogram.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quantiles {
    /// How many values so far.
    pub count: u64,
    /// The values at [`Quantiles::RANKS`], of late.
    pub values: [f64; 6],
}

impl Quantiles {
    /// Which quantiles are told, and their labels.
    pub const RANKS: [(f64, &'static str); 6] =
        [(0.5, "0.50"), (0.75, "0.75"), (0.95, "0.95"), (0.98, "0.98"), (0.99, "0.99"), (0.999, "0.999")];
}

impl Default for Histogram {
    fn default() -> Histogram {
        let window = || (0..BUCKETS).map(|_| AtomicU64::new(0)).collect();
        Histogram {
            count: AtomicU64::new(0),
            windows: [window(), window()],
            current: AtomicUsize::new(0),
            turned_at: AtomicI64::new(i64::MIN),
        }
    }
}

impl Histogram {
    /// One more value.
    pub fn record(&self, value: u64) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let window = &self.windows[self.current.load(Ordering::Relaxed) & 1];
        if let Some(bucket) = window.get(bucket_of(value)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many values so far.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// The distribution of late; turns the windows when it is time.
    pub fn quantiles(&self, now: Timestamp) -> Quantiles {
        let counts: Vec<u64> = (0..BUCKETS)
            .map(|bucket| self.windows.iter().map(|window| window[bucket].load(Ordering::Relaxed)).sum())
            .collect();
        self.turn(now);
        let total: u64 = counts.iter().sum();
        Quantiles {
            count: self.count(),
            values: Quantiles::RANKS.map(|(rank, _)| quantile(&counts, total, rank)),
        }
    }

    fn turn(&self, now: Timestamp) {
        let turned_at = self.turned_at.load(Ordering::Relaxed);
        if turned_at != i64::MIN && now.0.saturating_sub(turned_at) < WINDOW_MS {
            return;
        }
        let turned = self.turned_at.compare_exchange(turned_at, now.0, Ordering::Relaxed, Ordering::Relaxed);
        if turned_at == i64::MIN || turned.is_err() {
            return;
        }
        let next = (self.current.load(Ordering::Relaxed) + 1) & 1;
        self.windows[next].iter().for_each(|bucket| bucket.store(0, Ordering::Relaxed));
        self.current.store(next, Ordering::Relaxed);
    }
}

fn bucket_of(value: u64) -> usize {
    if value < SUB_BUCKETS {
        return value as usize;
    }
    let exponent = value.ilog2();
    let sub = (value >> (exponent - SUB_BITS)) & (SUB_BUCKETS - 1);
    let bucket = u64::from(exponent - SUB_BITS + 1) * SUB_BUCKETS + sub;
    (bucket as usize).min(BUCKETS - 1)
}

/// The middle of a bucket.
fn value_of(bucket: usize) -> f64 {
    let bucket = bucket as u64;
    if bucket < 2 * SUB_BUCKETS {
        return bucket as f64;
    }
    let shift = bucket / SUB_BUCKETS - 1;
    let low = (SUB_BUCKETS + bucket % SUB_BUCKETS) << shift;
    low as f64 + (1u64 << shift) as f64 / 2.0
}

fn quantile(counts: &[u64], total: u64, rank: f64) -> f64 {
    if total == 0 {
        return 0.0;
    }
    let wanted = ((total as f64 * rank).ceil() as u64).clamp(1, total);
    let mut seen = 0;
    let bucket = counts.iter().position(|count| {
        seen += count;
        seen >= wanted
    });
    bucket.map_or(0.0, value_of)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantiles_are_near() {
        let histogram = Histogram::default();
        (1..=10_000).for_each(|value| histogram.record(value));
        let quantiles = histogram.quantiles(Timestamp(0));
        assert_eq!(quantiles.count, 10_000);
        for ((rank, _), value) in Quantiles::RANKS.iter().zip(quantiles.values) {
            let exact = rank * 10_000.0;
            assert!((value - exact).abs() <= exact / 8.0, "{rank}: {value}");
        }
    }

    #[test]
    fn the_past_is_forgotten_and_the_count_is_not() {
        let histogram = Histogram::default();
        histogram.record(1000);
        let median = |ms: i64| histogram.quantiles(Timestamp(ms)).values[0];
        assert!(median(0) > 900.0);
        assert!(median(WINDOW_MS) > 900.0);
        assert!(median(2 * WINDOW_MS) > 900.0);
        assert_eq!(median(3 * WINDOW_MS), 0.0);
        assert_eq!(histogram.count(), 1);
    }

    proptest! {
        #[test]
        fn every_value_has_a_bucket_near_it(value in 0..1u64 << OCTAVES) {
            let found = value_of(bucket_of(value));
            prop_assert!((found - value as f64).abs() <= value as f64 / 8.0 + 0.5, "{value} {found}");
        }

        #[test]
        fn nothing_is_too_large(value: u64) {
            prop_assert!(bucket_of(value) < BUCKETS);
        }
    }
}
