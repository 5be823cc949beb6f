//! The process: version, memory, processors, how busy the threads are.

use std::time::{Duration, Instant};

use gregor_metrics::{Exposition, ProcessStats};
use gregor_model::Timestamp;
use tokio::runtime::Handle;

/// How busy the threads that serve requests were since someone last asked.
pub(super) struct WorkClock {
    runtime: Option<Handle>,
    asked: Instant,
    busy: Duration,
    idle_ratio: f64,
}

impl WorkClock {
    pub(super) fn new() -> WorkClock {
        WorkClock {
            runtime: Handle::try_current().ok(),
            asked: Instant::now(),
            busy: Duration::ZERO,
            idle_ratio: 1.0,
        }
    }

    /// The part of their time that threads were idle, and how long that was for each since the start.
    fn look(&mut self, began: Instant) -> (f64, Duration) {
        let Some(runtime) = &self.runtime else { return (1.0, began.elapsed()) };
        let metrics = runtime.metrics();
        let workers = metrics.num_workers().max(1);
        let busy: Duration = (0..workers).map(|worker| metrics.worker_total_busy_duration(worker)).sum();
        let elapsed = self.asked.elapsed();
        // Looks in quick succession would tell of nothing but themselves.
        if elapsed > Duration::from_millis(100) {
            let worked = busy.saturating_sub(self.busy).as_secs_f64();
            self.idle_ratio = (1.0 - worked / (elapsed.as_secs_f64() * workers as f64)).clamp(0.0, 1.0);
            (self.asked, self.busy) = (Instant::now(), busy);
        }
        let busy_each = busy / u32::try_from(workers).unwrap_or(u32::MAX);
        (self.idle_ratio, began.elapsed().saturating_sub(busy_each))
    }
}

/// Requests that wait for a thread, as tasks of the runtime do.
pub(super) fn queued_tasks(work: &WorkClock) -> usize {
    work.runtime.as_ref().map_or(0, |runtime| runtime.metrics().global_queue_depth())
}

/// Threads carry requests from the socket to the log and back, so one ratio stands for Kafka's two.
pub(super) fn tell(page: &mut Exposition, began_at: Timestamp, began: Instant, work: &mut WorkClock) {
    let version = env!("CARGO_PKG_VERSION");
    page.gauge("gregor_build_info", "The version that runs.", &[("version", version), ("kafka", "3.9")], 1.0);
    let (idle_ratio, idle) = work.look(began);
    let idle_nanos = u64::try_from(idle.as_nanos()).unwrap_or(u64::MAX);
    let pool = "kafka_server_kafkarequesthandlerpool_requesthandleravgidlepercent";
    let help = "The part of their time that the threads which handle requests are idle.";
    page.counter(&format!("{pool}_count"), "Their idle time so far, in nanoseconds.", &[], idle_nanos);
    page.gauge(pool, help, &[], idle_ratio);
    page.gauge("kafka_network_socketserver_networkprocessoravgidlepercent", help, &[], idle_ratio);
    page.gauge(
        "kafka_network_requestchannel_requestqueuesize",
        "Tasks that wait for a thread: connections with a request to begin among them.",
        &[],
        queued_tasks(work) as f64,
    );
    let stats = ProcessStats::read();
    let gauges = [
        ("process_resident_memory_bytes", "Memory in use.", stats.resident_bytes as f64),
        ("process_virtual_memory_bytes", "Address space.", stats.virtual_bytes as f64),
        ("process_open_fds", "Open files and sockets.", stats.open_files as f64),
        ("process_start_time_seconds", "When the process began, since 1970.", began_at.0 as f64 / 1000.0),
    ];
    for (name, help, value) in gauges {
        page.gauge(name, help, &[], value);
    }
    // A processor's time has fractions, which no counter of ours has.
    page.gauge("process_cpu_seconds_total", "Time on processors.", &[], stats.cpu_seconds);
    let disk = "kafka_server_kafkaserver_linux_disk";
    page.gauge(&format!("{disk}_read_bytes"), "Read from disks.", &[], stats.disk_read_bytes as f64);
    page.gauge(&format!("{disk}_write_bytes"), "Written to disks.", &[], stats.disk_write_bytes as f64);
}
