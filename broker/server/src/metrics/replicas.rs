//! Partitions and their traffic (`ReplicaManager`, `Partition`, `BrokerTopicMetrics`, the fetchers, the purgatories).

use gregor_metrics::Exposition;
use gregor_replication::{PartitionStatus, ReplicationMetrics};

use crate::broker::Broker;

/// Every series of replication.
pub(super) fn tell(page: &mut Exposition, broker: &Broker) {
    let metrics = broker.replicas.metrics();
    tell_traffic(page, metrics);
    tell_manager(page, broker);
    tell_fetchers(page, broker);
    tell_waiting(page, metrics);
    let sessions = broker.replicas.sessions();
    let cache = "kafka_server_fetchsessioncache";
    page.gauge(
        &format!("{cache}_numincrementalfetchsessions"),
        "Fetch sessions.",
        &[],
        sessions.len() as f64,
    );
    page.gauge(
        &format!("{cache}_numincrementalfetchpartitionscached"),
        "Partitions in fetch sessions.",
        &[],
        sessions.partitions() as f64,
    );
    page.counter(
        &format!("{cache}_incrementalfetchsessionevictions_total"),
        "Fetch sessions that made room for others.",
        &[],
        sessions.evictions(),
    );
}

fn tell_traffic(page: &mut Exposition, metrics: &ReplicationMetrics) {
    const HELP: &str = "Traffic of all topics, and by topic.";
    let topics = metrics.topics.topics();
    for (series, count) in metrics.topics.all().series() {
        let name = format!("kafka_server_brokertopicmetrics_{series}_total");
        page.counter(&name, HELP, &[], count);
        // Kafka counts replication of all topics together only.
        if series.starts_with("re") {
            continue;
        }
        for (topic, counters) in &topics {
            let count = counters.series().find(|(name, _)| *name == series).map_or(0, |(_, count)| count);
            page.counter(&name, HELP, &[("topic", topic.as_str())], count);
        }
    }
}

fn tell_manager(page: &mut Exposition, broker: &Broker) {
    let statuses = broker.replicas.statuses();
    let counts = broker.replicas.replication_counts();
    let mut at_min_isr = 0;
    for status in &statuses {
        let min_isr = broker.logs.topic_config(&status.partition.topic).min_insync_replicas;
        let min_isr = usize::try_from(min_isr).unwrap_or(1).min(status.replicas.len());
        let at_min = status.is_leader && status.isr.len() == min_isr;
        at_min_isr += usize::from(at_min);
        tell_partition(page, status, at_min);
    }
    let count = |wanted: fn(&PartitionStatus) -> bool| statuses.iter().filter(|one| wanted(one)).count();
    let gauges = [
        ("leadercount", "Partitions led here.", count(|status| status.is_leader)),
        ("partitioncount", "Replicas here.", statuses.len() + counts.offline_partitions),
        (
            "underreplicatedpartitions",
            "Partitions led here that lack a replica in the ISR.",
            count(|status| status.under_replicated),
        ),
        (
            "underminisrpartitioncount",
            "Partitions led here with fewer in sync than min.insync.replicas.",
            count(|status| status.under_min_isr),
        ),
        ("atminisrpartitioncount", "Partitions led here with just min.insync.replicas in sync.", at_min_isr),
        ("offlinereplicacount", "Replicas in failed log directories.", counts.offline_partitions),
    ];
    for (name, help, value) in gauges {
        page.gauge(&format!("kafka_server_replicamanager_{name}"), help, &[], value as f64);
    }
    for (name, help, value) in [
        ("isrexpands", "ISRs that grew.", counts.isr_expands),
        ("isrshrinks", "ISRs that shrank.", counts.isr_shrinks),
        ("failedisrupdates", "ISR changes that the controller refused.", counts.failed_isr_updates),
    ] {
        page.counter(&format!("kafka_server_replicamanager_{name}_total"), help, &[], value);
    }
    let fetchers = "kafka_server_replicafetchermanager";
    let replica = [("clientId", "Replica")];
    page.gauge(
        &format!("{fetchers}_maxlag"),
        "By how much the partition that lags most is behind its leader, in records.",
        &replica,
        counts.max_lag as f64,
    );
    page.gauge(
        &format!("{fetchers}_minfetchrate"),
        "Fetches per second of the fetcher that has fewest, over the last minute.",
        &replica,
        counts.min_fetch_rate,
    );
    page.gauge(
        &format!("{fetchers}_failedpartitionscount"),
        "Partitions that are not fetched any more until they have another leader.",
        &replica,
        counts.failed_partitions as f64,
    );
    page.gauge(
        &format!("{fetchers}_deadthreadcount"),
        "Fetchers that ended though nobody told them to.",
        &replica,
        counts.dead_fetchers as f64,
    );
}

/// What each fetcher fetched, and by how much each partition is behind (`FetcherStats`, `FetcherLagMetrics`).
fn tell_fetchers(page: &mut Exposition, broker: &Broker) {
    for stats in broker.replicas.fetcher_stats() {
        let client = ("clientId", stats.client_id.as_str());
        let (host, port) = stats.address();
        let port = port.to_string();
        let labels = [client, ("brokerHost", host.as_str()), ("brokerPort", port.as_str())];
        let fetcher = "kafka_server_fetcherstats";
        let help = "Fetches that leaders answered.";
        page.counter(&format!("{fetcher}_requests_total"), help, &labels, stats.requests.get());
        let help = "Bytes fetched from leaders and appended.";
        page.counter(&format!("{fetcher}_bytes_total"), help, &labels, stats.bytes.get());
        for (partition, lag) in stats.lags() {
            let number = partition.partition.to_string();
            let labels = [client, ("topic", partition.topic.as_str()), ("partition", number.as_str())];
            page.gauge(
                "kafka_server_fetcherlagmetrics_consumerlag",
                "By how many records the partition is behind its leader.",
                &labels,
                lag as f64,
            );
        }
    }
}

fn tell_partition(page: &mut Exposition, status: &PartitionStatus, at_min_isr: bool) {
    let partition = status.partition.partition.to_string();
    let labels = [("topic", status.partition.topic.as_str()), ("partition", partition.as_str())];
    let led = |value: usize| if status.is_leader { value as f64 } else { 0.0 };
    for (name, help, value) in [
        (
            "underreplicated",
            "Led here, and a replica is missing in the ISR.",
            led(status.under_replicated.into()),
        ),
        ("underminisr", "Led here, and too few are in sync.", led(status.under_min_isr.into())),
        ("atminisr", "Led here, and none in sync may be missed.", led(at_min_isr.into())),
        ("insyncreplicascount", "Members of the ISR, where it is led here.", led(status.isr.len())),
        ("replicascount", "Replicas, where it is led here.", led(status.replicas.len())),
    ] {
        page.gauge(&format!("kafka_cluster_partition_{name}"), help, &labels, value);
    }
}

fn tell_waiting(page: &mut Exposition, metrics: &ReplicationMetrics) {
    for (operation, waiting) in [
        ("Produce", &metrics.waiting_produces),
        ("Fetch", &metrics.waiting_fetches),
        ("DeleteRecords", &metrics.waiting_deletions),
    ] {
        page.gauge(
            "kafka_server_delayedoperationpurgatory_purgatorysize",
            "Requests that wait for something to happen.",
            &[("delayedOperation", operation)],
            waiting.get() as f64,
        );
    }
}
