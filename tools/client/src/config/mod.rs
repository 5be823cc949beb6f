//! What producers and consumers can be told, under Kafka's names, with the defaults of 3.9's Java clients. Pure.
//!
//! Keys that name Java classes or tune what these clients do not have are passed over, as Java's client passes over keys
//! that it does not know.

mod consumer;
mod producer;

use std::str::FromStr;
use std::time::Duration;

use gregor_config::Properties;

pub use consumer::{Assignor, ConsumerConfig, Isolation, OffsetReset};
pub use producer::{Acks, ProducerConfig};

use crate::error::Error;

/// What both kinds of clients need to find their cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommonConfig {
    /// Where to ask first: host and port.
    pub bootstrap: Vec<(String, u16)>,
    /// What the client calls itself.
    pub client_id: String,
    /// How long to wait for an answer.
    pub request_timeout: Duration,
    /// How long to wait before something is tried again.
    pub retry_backoff: Duration,
    /// Metadata older than this are asked for again.
    pub metadata_max_age: Duration,
}

impl CommonConfig {
    fn from_properties(properties: &Properties, request_timeout: Duration) -> Result<CommonConfig, Error> {
        let keys = Keys(properties);
        match keys.text("security.protocol") {
            None | Some("PLAINTEXT") => {}
            Some(other) => return Err(Error::Config(format!("cannot speak security.protocol={other}"))),
        }
        Ok(CommonConfig {
            bootstrap: bootstrap(keys.text("bootstrap.servers").unwrap_or_default())?,
            client_id: keys.text("client.id").unwrap_or_default().to_owned(),
            request_timeout: keys.milliseconds("request.timeout.ms", request_timeout)?,
            retry_backoff: keys.milliseconds("retry.backoff.ms", Duration::from_millis(100))?,
            metadata_max_age: keys.milliseconds("metadata.max.age.ms", Duration::from_secs(300))?,
        })
    }
}

/// Parses `host:port,host:port`; IPv6 addresses stand in brackets.
pub fn bootstrap(text: &str) -> Result<Vec<(String, u16)>, Error> {
    let addresses = text.split(',').map(str::trim).filter(|address| !address.is_empty());
    let parsed = addresses.map(|address| {
        let parsed = address.rsplit_once(':').and_then(|(host, port)| {
            let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            Some((host.to_owned(), port.parse().ok()?)).filter(|(host, _)| !host.is_empty())
        });
        parsed.ok_or_else(|| Error::Config(format!("Invalid url in bootstrap.servers: {address}")))
    });
    let parsed = parsed.collect::<Result<Vec<_>, _>>()?;
    if parsed.is_empty() {
        return Err(Error::Config("No resolvable bootstrap urls given in bootstrap.servers".to_owned()));
    }
    Ok(parsed)
}

/// Typed access to properties.
struct Keys<'a>(&'a Properties);

impl<'a> Keys<'a> {
    fn text(&self, key: &str) -> Option<&'a str> {
        self.0.get(key).map(str::trim)
    }

    fn number<T: FromStr + PartialOrd>(
        &self,
        key: &str,
        kind: &str,
        default: T,
        at_least: T,
    ) -> Result<T, Error> {
        let Some(text) = self.text(key) else { return Ok(default) };
        let invalid =
            |why: &str| Error::Config(format!("Invalid value {text} for configuration {key}: {why}"));
        let number: T = text.parse().map_err(|_| invalid(&format!("Not a number of type {kind}")))?;
        if number < at_least { Err(invalid("Value is too small")) } else { Ok(number) }
    }

    fn int(&self, key: &str, default: i32, at_least: i32) -> Result<i32, Error> {
        self.number(key, "INT", default, at_least)
    }

    /// A number of bytes or records.
    fn size(&self, key: &str, default: usize) -> Result<usize, Error> {
        let default = i64::try_from(default).unwrap_or(i64::MAX);
        let size = self.number::<i64>(key, "LONG", default, 0)?;
        Ok(usize::try_from(size).unwrap_or(usize::MAX))
    }

    fn milliseconds(&self, key: &str, default: Duration) -> Result<Duration, Error> {
        let default = u64::try_from(default.as_millis()).unwrap_or(u64::MAX);
        Ok(Duration::from_millis(self.number::<u64>(key, "LONG", default, 0)?))
    }

    fn boolean(&self, key: &str, default: bool) -> Result<bool, Error> {
        match self.text(key) {
            None => Ok(default),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(text) => Err(Error::Config(format!(
                "Invalid value {text} for configuration {key}: Expected value to be either true or false"
            ))),
        }
    }

    /// One of a few words.
    fn choice<T: Copy>(&self, key: &str, default: T, choices: &[(&str, T)]) -> Result<T, Error> {
        let Some(text) = self.text(key) else { return Ok(default) };
        choices.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice).ok_or_else(|| {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            Error::Config(format!(
                "Invalid value {text} for configuration {key}: String must be one of: {}",
                words.join(", ")
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bootstrap_addresses() {
        for (text, expected) in [
            ("localhost:9092", Some(vec![("localhost", 9092)])),
            ("a:1, b:2", Some(vec![("a", 1), ("b", 2)])),
            ("[::1]:9092", Some(vec![("::1", 9092)])),
            ("localhost", None),
            ("localhost:port", None),
            (":1", None),
            ("", None),
        ] {
            let expected =
                expected.map(|list| list.into_iter().map(|(h, p)| (h.to_owned(), p)).collect::<Vec<_>>());
            assert_eq!(bootstrap(text).ok(), expected, "{text:?}");
        }
    }
}
