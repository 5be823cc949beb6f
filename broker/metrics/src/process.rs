//! This process as the kernel sees it, under the names that Prometheus' own clients use.

use std::fs;

/// Clock ticks per second in `/proc/<pid>/stat`: fixed at 100 for programs, whatever the kernel's own is.
const TICKS_PER_SECOND: f64 = 100.0;

/// What `/proc/self` says; zero where it says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProcessStats {
    /// Time on processors, in seconds.
    pub cpu_seconds: f64,
    /// Memory in use, in bytes.
    pub resident_bytes: u64,
    /// Address space, in bytes.
    pub virtual_bytes: u64,
    /// Open files and sockets.
    pub open_files: u64,
    /// Bytes read from disks.
    pub disk_read_bytes: u64,
    /// Bytes written to disks.
    pub disk_write_bytes: u64,
}

impl ProcessStats {
    /// Reads them.
    pub fn read() -> ProcessStats {
        let text = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
        let (status, io) = (text("status"), text("io"));
        ProcessStats {
            cpu_seconds: cpu_seconds(&text("stat")),
            resident_bytes: 1024 * field(&status, "VmRSS:"),
            virtual_bytes: 1024 * field(&status, "VmSize:"),
            open_files: fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64),
            disk_read_bytes: field(&io, "read_bytes:"),
            disk_write_bytes: field(&io, "write_bytes:"),
        }
    }
}

/// User and system time: fields 14 and 15, counted behind the name, which may hold anything.
fn cpu_seconds(stat: &str) -> f64 {
    let behind_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = behind_name.split_whitespace().skip(11).take(2);
    ticks.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_SECOND
}

fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let stat = "42 (a ) name) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0";
        assert_eq!(cpu_seconds(stat), 2.0);
        assert_eq!(field("VmPeak:\t 9 kB\nVmRSS:\t   12 kB\n", "VmRSS:"), 12);
        assert_eq!(field("", "VmRSS:"), 0);
    }

    #[test]
    fn this_process_has_memory_and_files() {
        let stats = ProcessStats::read();
        assert!(stats.resident_bytes > 0 && stats.virtual_bytes > 0 && stats.open_files > 0, "{stats:?}");
    }
}
