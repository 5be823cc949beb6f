//! What a consumer can be told (`ConsumerConfig`).

use std::time::Duration;

use gregor_config::Properties;

use super::{CommonConfig, Keys};
use crate::error::Error;

/// Where to begin when there is no offset to go on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetReset {
    /// At the oldest record.
    Earliest,
    /// Behind the newest.
    Latest,
    /// Nowhere: it is an error.
    None,
}

/// Which records are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// All.
    ReadUncommitted,
    /// Those of aborted transactions not, and none beyond the first open one.
    ReadCommitted,
}

/// How the group's leader divides partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignor {
    /// Topic by topic, neighbouring partitions together (`RangeAssignor`).
    Range,
    /// All partitions in turn (`RoundRobinAssignor`).
    RoundRobin,
}

impl Assignor {
    /// The name in the protocol.
    pub fn as_str(self) -> &'static str {
        match self {
            Assignor::Range => "range",
            Assignor::RoundRobin => "roundrobin",
        }
    }
}

/// A consumer's configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerConfig {
    /// How to find the cluster.
    pub common: CommonConfig,
    /// `group.id`.
    pub group: Option<String>,
    /// `group.instance.id`.
    pub group_instance: Option<String>,
    /// `auto.offset.reset`.
    pub offset_reset: OffsetReset,
    /// `enable.auto.commit`, and `auto.commit.interval.ms`.
    pub auto_commit: Option<Duration>,
    /// `session.timeout.ms`.
    pub session_timeout: Duration,
    /// `heartbeat.interval.ms`.
    pub heartbeat_interval: Duration,
    /// `max.poll.interval.ms`: how long a rebalance waits for this member.
    pub max_poll_interval: Duration,
    /// `max.poll.records`; a batch is given whole, even if it passes this.
    pub max_poll_records: usize,
    /// `fetch.min.bytes`.
    pub fetch_min_bytes: i32,
    /// `fetch.max.bytes`.
    pub fetch_max_bytes: i32,
    /// `max.partition.fetch.bytes`.
    pub partition_max_bytes: i32,
    /// `fetch.max.wait.ms`.
    pub fetch_max_wait: Duration,
    /// `check.crcs`.
    pub check_crcs: bool,
    /// `isolation.level`.
    pub isolation: Isolation,
    /// `allow.auto.create.topics`.
    pub auto_create_topics: bool,
    /// `exclude.internal.topics`: whether a pattern passes over them.
    pub exclude_internal_topics: bool,
    /// `client.rack`.
    pub rack: Option<String>,
    /// `partition.assignment.strategy`, the best first.
    pub assignors: Vec<Assignor>,
    /// `default.api.timeout.ms`.
    pub api_timeout: Duration,
}

impl ConsumerConfig {
    /// Reads the keys of a consumer.
    ///
    /// # Errors
    /// [`Error::Config`], in the words of Kafka's client.
    pub fn from_properties(properties: &Properties) -> Result<ConsumerConfig, Error> {
        let keys = Keys(properties);
        let seconds = Duration::from_secs;
        if keys.text("group.protocol").is_some_and(|protocol| !protocol.eq_ignore_ascii_case("classic")) {
            return Err(Error::Config("brokers with ZooKeeper serve group.protocol=classic only".to_owned()));
        }
        let resets = [
            ("latest", OffsetReset::Latest),
            ("earliest", OffsetReset::Earliest),
            ("none", OffsetReset::None),
        ];
        let isolations =
            [("read_committed", Isolation::ReadCommitted), ("read_uncommitted", Isolation::ReadUncommitted)];
        let group = keys.text("group.id").filter(|group| !group.is_empty()).map(str::to_owned);
        let auto_commit = keys.boolean("enable.auto.commit", group.is_some())?;
        let interval = keys.milliseconds("auto.commit.interval.ms", seconds(5))?;
        Ok(ConsumerConfig {
            common: CommonConfig::from_properties(properties, seconds(30))?,
            group,
            group_instance: keys.text("group.instance.id").map(str::to_owned),
            offset_reset: keys.choice("auto.offset.reset", OffsetReset::Latest, &resets)?,
            auto_commit: auto_commit.then_some(interval),
            session_timeout: keys.milliseconds("session.timeout.ms", seconds(45))?,
            heartbeat_interval: keys.milliseconds("heartbeat.interval.ms", seconds(3))?,
            max_poll_interval: keys.milliseconds("max.poll.interval.ms", seconds(300))?,
            max_poll_records: keys.int("max.poll.records", 500, 1)?.unsigned_abs() as usize,
            fetch_min_bytes: keys.int("fetch.min.bytes", 1, 0)?,
            fetch_max_bytes: keys.int("fetch.max.bytes", 50 << 20, 0)?,
            partition_max_bytes: keys.int("max.partition.fetch.bytes", 1 << 20, 0)?,
            fetch_max_wait: keys.milliseconds("fetch.max.wait.ms", Duration::from_millis(500))?,
            check_crcs: keys.boolean("check.crcs", true)?,
            isolation: keys.choice("isolation.level", Isolation::ReadUncommitted, &isolations)?,
            auto_create_topics: keys.boolean("allow.auto.create.topics", true)?,
            exclude_internal_topics: keys.boolean("exclude.internal.topics", true)?,
            rack: keys.text("client.rack").filter(|rack| !rack.is_empty()).map(str::to_owned),
            assignors: assignors(&keys)?,
            api_timeout: keys.milliseconds("default.api.timeout.ms", seconds(60))?,
        })
    }
}

/// Java's classes by name; by default range, which every group of Java consumers of 3.9 offers, too.
fn assignors(keys: &Keys<'_>) -> Result<Vec<Assignor>, Error> {
    let Some(text) = keys.text("partition.assignment.strategy") else { return Ok(vec![Assignor::Range]) };
    let known = text.split(',').map(|class| match class.trim().rsplit('.').next() {
        Some("RangeAssignor" | "range") => Ok(Assignor::Range),
        Some("RoundRobinAssignor" | "roundrobin") => Ok(Assignor::RoundRobin),
        _ => Err(Error::Config(format!("cannot assign partitions as {} does", class.trim()))),
    });
    known.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ConsumerConfig, String> {
        let text = format!("bootstrap.servers=a:1\n{text}");
        let properties = Properties::parse(text.as_bytes()).expect("properties");
        ConsumerConfig::from_properties(&properties).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_those_of_kafka() {
        let config = read("group.id=g").expect("defaults");
        assert_eq!(config.auto_commit, Some(Duration::from_secs(5)));
        assert_eq!(
            (config.offset_reset, config.isolation),
            (OffsetReset::Latest, Isolation::ReadUncommitted)
        );
        assert_eq!(config.assignors, [Assignor::Range]);
        assert_eq!(read("").map(|config| config.auto_commit), Ok(None));
    }

    #[test]
    fn classes_are_known_by_name() {
        let strategy = |classes: &str| {
            read(&format!("partition.assignment.strategy={classes}")).map(|config| config.assignors)
        };
        let package = "org.apache.kafka.clients.consumer";
        assert_eq!(
            strategy(&format!("{package}.RoundRobinAssignor, {package}.RangeAssignor")),
            Ok(vec![Assignor::RoundRobin, Assignor::Range])
        );
        assert!(strategy(&format!("{package}.StickyAssignor")).is_err());
        assert_eq!(
            read("auto.offset.reset=middle").err().as_deref(),
            Some(
                "Invalid value middle for configuration auto.offset.reset: String must be one of: latest, earliest, none"
            )
        );
    }
}
