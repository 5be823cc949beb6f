//! What reading a topic has taken, and how that is printed. Pure; times are milliseconds since 1970.

use super::date_format::DateFormat;

const BYTES_PER_MB: f64 = 1024.0 * 1024.0;

/// The heading of the columns.
pub(super) fn header(detailed: bool) -> String {
    let first = if detailed { "time, threadId" } else { "start.time, end.time" };
    format!(
        "{first}, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms, fetch.time.ms, \
         fetch.MB.sec, fetch.nMsg.sec"
    )
}

/// The figures of a run.
#[derive(Debug)]
pub(super) struct Figures {
    start: i64,
    interval_ms: i64,
    bytes: u64,
    messages: u64,
    join_ms: u64,
    window_start: i64,
    window_bytes: u64,
    window_messages: u64,
    window_join_ms: u64,
}

/// One line of a detailed run.
#[derive(Debug, PartialEq)]
pub(super) struct Window {
    end: i64,
    elapsed: i64,
    bytes: u64,
    messages: u64,
    total_bytes: u64,
    total_messages: u64,
    join_ms: u64,
}

impl Figures {
    pub(super) fn new(start: i64, interval_ms: i64) -> Figures {
        Figures {
            start,
            interval_ms,
            bytes: 0,
            messages: 0,
            join_ms: 0,
            window_start: start,
            window_bytes: 0,
            window_messages: 0,
            window_join_ms: 0,
        }
    }

    pub(super) fn messages(&self) -> u64 {
        self.messages
    }

    /// The group took so long to come together.
    pub(super) fn joined(&mut self, elapsed_ms: u64) {
        self.join_ms += elapsed_ms;
        self.window_join_ms += elapsed_ms;
    }

    /// Adds a record. Gives the window that it ends.
    pub(super) fn add(&mut self, bytes: u64, now: i64) -> Option<Window> {
        self.bytes += bytes;
        self.messages += 1;
        self.window_bytes += bytes;
        self.window_messages += 1;
        let elapsed = now - self.window_start;
        if elapsed < self.interval_ms {
            return None;
        }
        self.window_start = now;
        Some(Window {
            end: now,
            elapsed,
            bytes: std::mem::take(&mut self.window_bytes),
            messages: std::mem::take(&mut self.window_messages),
            total_bytes: self.bytes,
            total_messages: self.messages,
            join_ms: std::mem::take(&mut self.window_join_ms),
        })
    }

    /// The line of the whole run.
    pub(super) fn summary(&self, end: i64, format: &DateFormat) -> String {
        let elapsed = (end - self.start) as f64 / 1000.0;
        let fetch_ms = end - self.start - i64::try_from(self.join_ms).unwrap_or(0);
        let fetch = fetch_ms as f64 / 1000.0;
        let megabytes = self.bytes as f64 / BYTES_PER_MB;
        let messages = self.messages as f64;
        format!(
            "{}, {}, {megabytes:.4}, {:.4}, {}, {:.4}, {}, {fetch_ms}, {:.4}, {:.4}",
            format.text(self.start),
            format.text(end),
            megabytes / elapsed,
            self.messages,
            messages / elapsed,
            self.join_ms,
            megabytes / fetch,
            messages / fetch
        )
    }
}

impl Window {
    /// The line of this part of the run.
    pub(super) fn text(&self, format: &DateFormat) -> String {
        let megabytes = self.bytes as f64 / BYTES_PER_MB;
        let fetch_ms = self.elapsed - i64::try_from(self.join_ms).unwrap_or(0);
        let per_second = |amount: f64, milliseconds: i64| {
            if milliseconds <= 0 { 0.0 } else { 1000.0 * amount / milliseconds as f64 }
        };
        format!(
            "{}, 0, {:.4}, {:.4}, {}, {:.4}, {}, {fetch_ms}, {:.4}, {:.4}",
            format.text(self.end),
            self.total_bytes as f64 / BYTES_PER_MB,
            per_second(megabytes, self.elapsed),
            self.total_messages,
            per_second(self.messages as f64, self.elapsed),
            self.join_ms,
            per_second(megabytes, fetch_ms),
            per_second(self.messages as f64, fetch_ms)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_kafka() {
        let format = DateFormat::new("SSS").unwrap();
        let mut figures = Figures::new(1_700_000_000_000, 2000);
        figures.joined(500);
        assert_eq!(figures.add(1 << 20, 1_700_000_000_100), None);
        let window = figures.add(1 << 20, 1_700_000_002_000).unwrap();
        assert_eq!(window.text(&format), "000, 0, 2.0000, 1.0000, 2, 1.0000, 500, 1500, 1.3333, 1.3333");
        assert_eq!(figures.add(1 << 20, 1_700_000_002_100), None);
        assert_eq!(
            figures.summary(1_700_000_004_123, &format),
            "000, 123, 3.0000, 0.7276, 3, 0.7276, 500, 3623, 0.8280, 0.8280"
        );
    }
}
