//! What differs from one cluster to the next and from one run to the next, and how recorded conversations write it: addresses
//! as `HOST_0` (as long as the address, for the sake of columns), log directories as `DATA_0`, and ids, times and sizes that
//! nobody can know as `<what>`.

use anyhow::Result;
use gregor_harness::Cluster;
use regex::Regex;

/// What a run of characters is written as, wherever the pattern finds it. `$1` and `$2` stay.
const UNKNOWABLE: &[(&str, &str)] = &[
    (r"TopicId: [\w-]{22}", "TopicId: ID"),
    // Either broker may coordinate a group.
    (r"HOST_\d(_+)  \(\d\)", "HOST_N$1  (N)"),
    (r"Cluster ID: [\w-]{22}", "Cluster ID: ID"),
    (r"(rdkafka|console-consumer)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "$1-<uuid>"),
    (r"console-consumer-\d{1,5}\b", "console-consumer-<number>"),
    (r"\b1[6-9]\d{11}\b", "<time>"),
    (r"(producerId|crc|ProducerId): ?\d+", "$1: <number>"),
    (r"(?m)^0\t[\d.]+$", "0\t<ms>"),
    (r"[\d.]+ records/sec \([\d.]+ MB/sec\), .*", "<rates>"),
    (
        r"(?m)^[\d-]+ [\d:]+, [\d-]+ [\d:]+, ([\d.]+), [\d.]+, (\d+), .*$",
        "<from>, <to>, $1, <rate>, $2, <rates>",
    ),
    (r#""avg_throughput":[\d.]+"#, "\"avg_throughput\":<rate>"),
    // Who coordinates a transaction, its producer's id, and for how long it has been open.
    (r"(?m)^(payments +\t)\d +\t\d+ +\t", "$1<broker>\t<number>\t"),
    (r"(?m)^\d +\t(payments +\t)\d+ +\t", "<broker>\t$1<number>\t"),
    (r"(<time> +\t)\d+ +\t(live)", "$1<ms>\t$2"),
    (r"(?m)^\d+ +\t(\d +\t-1 +\t)", "<number>\t$1"),
    (r"Avg latency: [\d.]+ ms", "Avg latency: <ms>"),
    (r"Percentiles: 50th = \d+, 99th = \d+, 99.9th = \d+", "Percentiles: <ms>"),
];

/// Where one cluster is.
#[derive(Clone, Debug)]
pub struct Places {
    bootstrap: String,
    hosts: Vec<(String, String)>,
    unknowable: Vec<(Regex, &'static str)>,
}

impl Places {
    /// Those of this cluster.
    pub fn of(cluster: &Cluster) -> Result<Places> {
        let mut hosts = Vec::new();
        for broker in &cluster.brokers {
            let (address, id) = (broker.address(), broker.id());
            let (host, port) = address.rsplit_once(':').unwrap_or((&address, ""));
            hosts
                .push((address.clone(), format!("{:_<width$}", format!("HOST_{id}"), width = address.len())));
            hosts.push((format!("host = {host}, port = {port}"), format!("host and port of {id}")));
            hosts.push((broker.zookeeper_connect(), "ZOOKEEPER".to_owned()));
            hosts.push((broker.data_dir().display().to_string(), format!("DATA_{id}")));
        }
        let patterns = UNKNOWABLE.iter().map(|(pattern, written)| Ok((Regex::new(pattern)?, *written)));
        let unknowable = patterns.collect::<Result<_>>()?;
        Ok(Places { bootstrap: cluster.bootstrap(), hosts, unknowable })
    }

    /// A word of a command: `BOOTSTRAP` and `DATA_0` are this cluster's.
    pub fn fill(&self, word: &str) -> String {
        let word = word.replace("BOOTSTRAP", &self.bootstrap);
        self.hosts
            .iter()
            .filter(|(_, written)| written.starts_with("DATA_"))
            .fold(word, |word, (real, written)| word.replace(written, real))
    }

    /// What a tool said, without what only this cluster and this run can know.
    pub fn hide(&self, text: &str) -> String {
        let mut text = text.replace(&self.bootstrap, "BOOTSTRAP");
        for (real, written) in &self.hosts {
            text = text.replace(real, written);
        }
        for (pattern, written) in &self.unknowable {
            text = pattern.replace_all(&text, *written).into_owned();
        }
        text
    }
}
