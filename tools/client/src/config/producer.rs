//! What a producer can be told (`ProducerConfig`).

use std::time::Duration;

use gregor_config::Properties;
use gregor_records::{Codec, Compression};

use super::{CommonConfig, Keys};
use crate::error::Error;

/// How many replicas must have a record before it counts as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// Brokers do not answer.
    None,
    /// The leader alone.
    Leader,
    /// Every replica in sync.
    All,
}

impl Acks {
    /// As in a request.
    pub fn to_wire(self) -> i16 {
        match self {
            Acks::None => 0,
            Acks::Leader => 1,
            Acks::All => -1,
        }
    }
}

/// A producer's configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct ProducerConfig {
    /// How to find the cluster.
    pub common: CommonConfig,
    /// `acks`.
    pub acks: Acks,
    /// `compression.type` and its level.
    pub compression: Compression,
    /// `batch.size`, in bytes.
    pub batch_size: usize,
    /// `linger.ms`.
    pub linger: Duration,
    /// `buffer.memory`, in bytes.
    pub buffer_memory: usize,
    /// `max.request.size`, in bytes.
    pub max_request_size: usize,
    /// `max.in.flight.requests.per.connection`.
    pub max_in_flight: usize,
    /// `retries`.
    pub retries: u32,
    /// `delivery.timeout.ms`.
    pub delivery_timeout: Duration,
    /// `max.block.ms`.
    pub max_block: Duration,
    /// `enable.idempotence`, after what conflicts with it.
    pub idempotence: bool,
    /// `transactional.id`.
    pub transactional_id: Option<String>,
    /// `transaction.timeout.ms`.
    pub transaction_timeout: Duration,
    /// `partitioner.ignore.keys`.
    pub ignore_keys: bool,
}

impl ProducerConfig {
    /// Reads the keys of a producer.
    ///
    /// # Errors
    /// [`Error::Config`], in the words of Kafka's client.
    pub fn from_properties(properties: &Properties) -> Result<ProducerConfig, Error> {
        let keys = Keys(properties);
        let common = CommonConfig::from_properties(properties, Duration::from_secs(30))?;
        let acks_choices = [("all", Acks::All), ("-1", Acks::All), ("0", Acks::None), ("1", Acks::Leader)];
        let acks = keys.choice("acks", Acks::All, &acks_choices)?;
        let linger = keys.milliseconds("linger.ms", Duration::ZERO)?;
        let retries = keys.int("retries", i32::MAX, 0)?.unsigned_abs();
        let max_in_flight = keys.int("max.in.flight.requests.per.connection", 5, 1)?.unsigned_abs() as usize;
        let transactional_id = keys.text("transactional.id").map(str::to_owned);
        let idempotence = idempotence(&keys, acks, retries, max_in_flight, transactional_id.is_some())?;
        Ok(ProducerConfig {
            acks,
            compression: compression(&keys)?,
            batch_size: keys.int("batch.size", 16384, 0)?.unsigned_abs() as usize,
            linger,
            buffer_memory: keys.size("buffer.memory", 32 << 20)?,
            max_request_size: keys.int("max.request.size", 1 << 20, 0)?.unsigned_abs() as usize,
            max_in_flight,
            retries,
            delivery_timeout: delivery_timeout(&keys, linger + common.request_timeout)?,
            max_block: keys.milliseconds("max.block.ms", Duration::from_secs(60))?,
            idempotence,
            transactional_id,
            transaction_timeout: keys.milliseconds("transaction.timeout.ms", Duration::from_secs(60))?,
            ignore_keys: keys.boolean("partitioner.ignore.keys", false)?,
            common,
        })
    }
}

fn compression(keys: &Keys<'_>) -> Result<Compression, Error> {
    let choices = Codec::ALL.map(|codec| (codec.as_str(), codec));
    let codec = keys.choice("compression.type", Codec::None, &choices)?;
    let level = match codec {
        Codec::Gzip => Some("compression.gzip.level"),
        Codec::Zstd => Some("compression.zstd.level"),
        Codec::None | Codec::Snappy | Codec::Lz4 => None,
    };
    match level.filter(|key| keys.text(key).is_some()) {
        Some(key) => Ok(Compression::with_level(codec, keys.int(key, 0, i32::MIN)?)),
        None => Ok(Compression::of(codec)),
    }
}

/// On by default, unless something asked for rules it out; asked for itself, the conflict is an error.
fn idempotence(
    keys: &Keys<'_>,
    acks: Acks,
    retries: u32,
    max_in_flight: usize,
    transactional: bool,
) -> Result<bool, Error> {
    let asked = keys.text("enable.idempotence").is_some();
    let wanted = keys.boolean("enable.idempotence", true)?;
    if transactional && !wanted {
        return Err(config("Cannot set a transactional.id without also enabling idempotence."));
    }
    let required = (asked && wanted) || transactional;
    let conflicts = [
        (retries == 0, "Must set retries to non-zero when using the idempotent producer."),
        (
            acks != Acks::All,
            "Must set acks to all in order to use the idempotent producer. Otherwise we cannot guarantee idempotence.",
        ),
        (
            max_in_flight > 5,
            "Must set max.in.flight.requests.per.connection to at most 5 to use the idempotent producer.",
        ),
    ];
    for (conflict, message) in conflicts {
        if conflict && required {
            return Err(config(message));
        }
    }
    Ok(wanted && conflicts.iter().all(|(conflict, _)| !conflict))
}

/// Grows to what lingering and one request take, unless it was asked for.
fn delivery_timeout(keys: &Keys<'_>, at_least: Duration) -> Result<Duration, Error> {
    let timeout = keys.milliseconds("delivery.timeout.ms", Duration::from_secs(120))?;
    if timeout >= at_least {
        Ok(timeout)
    } else if keys.text("delivery.timeout.ms").is_some() {
        Err(config("delivery.timeout.ms should be equal to or larger than linger.ms + request.timeout.ms"))
    } else {
        Ok(at_least)
    }
}

fn config(message: &str) -> Error {
    Error::Config(message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ProducerConfig, String> {
        let text = format!("bootstrap.servers=a:1\n{text}");
        let properties = Properties::parse(text.as_bytes()).expect("properties");
        ProducerConfig::from_properties(&properties).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_those_of_kafka() {
        let config = read("").expect("defaults");
        assert_eq!((config.acks, config.batch_size, config.linger), (Acks::All, 16384, Duration::ZERO));
        assert_eq!(config.compression, Compression::NONE);
        assert!(config.idempotence);
        assert_eq!(config.delivery_timeout, Duration::from_secs(120));
    }

    #[test]
    fn idempotence_gives_way_or_refuses() {
        for (text, expected) in [
            ("acks=1", Ok(false)),
            ("retries=0", Ok(false)),
            ("max.in.flight.requests.per.connection=6", Ok(false)),
            ("enable.idempotence=false", Ok(false)),
            ("acks=-1", Ok(true)),
            ("enable.idempotence=true\nretries=0", Err("Must set retries")),
            ("transactional.id=x\nacks=1", Err("Must set acks")),
            ("transactional.id=x\nenable.idempotence=false", Err("Cannot set a transactional.id")),
            ("transactional.id=x", Ok(true)),
        ] {
            match (read(text), expected) {
                (Ok(config), Ok(expected)) => assert_eq!(config.idempotence, expected, "{text}"),
                (Err(message), Err(expected)) => assert!(message.starts_with(expected), "{text}: {message}"),
                (read, _) => panic!("{text}: {read:?}"),
            }
        }
    }

    #[test]
    fn bad_values_are_told_as_by_kafka() {
        for (text, expected) in [
            ("acks=2", "Invalid value 2 for configuration acks: String must be one of: all, -1, 0, 1"),
            ("batch.size=many", "Invalid value many for configuration batch.size: Not a number of type INT"),
            ("security.protocol=SSL", "cannot speak security.protocol=SSL"),
            (
                "delivery.timeout.ms=5",
                "delivery.timeout.ms should be equal to or larger than linger.ms + request.timeout.ms",
            ),
        ] {
            assert_eq!(read(text).err().as_deref(), Some(expected));
        }
        assert_eq!(read("linger.ms=200000").map(|c| c.delivery_timeout), Ok(Duration::from_secs(230)));
    }
}
