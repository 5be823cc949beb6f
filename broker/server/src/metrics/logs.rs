//! Logs, their directories and their compaction (`Log`, `LogManager`, `LogCleaner`).

use gregor_log::LoadProgress;
use gregor_metrics::Exposition;
use gregor_model::Timestamp;

use super::Observed;

/// How far the loading of logs has come (`remainingLogsToRecover`).
pub(super) fn tell_progress(page: &mut Exposition, progress: &LoadProgress) {
    for (name, help, value) in [
        ("remaininglogstorecover", "Logs that are still to be loaded.", progress.remaining()),
        ("logstorecover", "Logs that were found at the start.", progress.total()),
    ] {
        page.gauge(&format!("kafka_log_logmanager_{name}"), help, &[], value as f64);
    }
}

/// Every series of logs.
pub(super) fn tell(page: &mut Exposition, observed: &Observed, now: Timestamp) {
    let logs = &observed.broker.logs;
    let (mut producers, mut late) = (0, 0);
    for log in logs.all() {
        let (topic, partition) =
            (log.topic_partition().topic.as_str(), log.topic_partition().partition.to_string());
        let labels = [("topic", topic), ("partition", partition.as_str())];
        let offsets = log.offsets();
        for (name, help, value) in [
            ("size", "Bytes in all segments.", log.size() as f64),
            ("numlogsegments", "Segments.", log.segment_count() as f64),
            ("logstartoffset", "The first offset.", offsets.log_start_offset.0 as f64),
            ("logendoffset", "The offset after the last.", log.log_end_offset().0 as f64),
        ] {
            page.gauge(&format!("kafka_log_log_{name}"), help, &labels, value);
        }
        let lag = log.high_watermark().0 - log.last_stable_offset().0;
        page.gauge(
            "kafka_cluster_partition_laststableoffsetlag",
            "Records below the high watermark that belong to open transactions, or follow one that does.",
            &labels,
            lag.max(0) as f64,
        );
        producers += log.producer_id_count();
        late += usize::from(log.has_late_transaction(now));
    }
    page.gauge(
        "kafka_server_replicamanager_produceridcount",
        "Producer ids remembered.",
        &[],
        producers as f64,
    );
    page.gauge(
        "kafka_server_replicamanager_partitionswithlatetransactionscount",
        "Partitions with a transaction that is open for too long.",
        &[],
        late as f64,
    );
    let offline = logs.offline_dirs();
    page.gauge(
        "kafka_log_logmanager_offlinelogdirectorycount",
        "Log directories that failed.",
        &[],
        offline.len() as f64,
    );
    for dir in logs.live_dirs().iter().chain(&offline) {
        let failed = if offline.contains(dir) { 1.0 } else { 0.0 };
        let dir = dir.display().to_string();
        let labels = [("logDirectory", dir.as_str())];
        page.gauge("kafka_log_logmanager_logdirectoryoffline", "1 for one that failed.", &labels, failed);
    }
    page.summary(
        "kafka_log_logflushstats_logflushrateandtimems",
        "How long flushes to disk took, in milliseconds.",
        &[],
        &logs.flush_time().quantiles(now),
        1000.0,
    );
    if let Some(cleaner) = &observed.cleaner {
        let gauges = cleaner.gauges(now);
        for (name, value) in [
            ("logcleaner_max_clean_time_secs", gauges.max_clean_time_secs as f64),
            ("logcleaner_cleaner_recopy_percent", f64::from(gauges.cleaner_recopy_percent)),
            ("logcleaner_max_buffer_utilization_percent", f64::from(gauges.max_buffer_utilization_percent)),
            ("logcleaner_max_compaction_delay_secs", gauges.max_compaction_delay_secs as f64),
            ("logcleanermanager_uncleanable_partitions_count", gauges.uncleanable_partitions_count as f64),
            ("logcleanermanager_uncleanable_bytes", gauges.uncleanable_bytes as f64),
            ("logcleanermanager_max_dirty_percent", f64::from(gauges.max_dirty_percent)),
            ("logcleanermanager_time_since_last_run_ms", gauges.time_since_last_run_ms as f64),
        ] {
            page.gauge(&format!("kafka_log_{name}"), "Of the log cleaner, as in Kafka.", &[], value);
        }
    }
}
