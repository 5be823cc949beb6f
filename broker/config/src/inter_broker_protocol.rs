//! `inter.broker.protocol.version`: the releases of Kafka (`MetadataVersion`) and what each lets a broker send.

use std::fmt;

/// The key that names one.
pub const KEY: &str = "inter.broker.protocol.version";

/// A point in Kafka's history at which an inter-broker format changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterBrokerProtocol(usize);

/// Every version string of 3.9 in ZooKeeper mode, oldest first.
const VERSIONS: &[&str] = &[
    "0.8.0",
    "0.8.1",
    "0.8.2",
    "0.9.0",
    "0.10.0-IV0",
    "0.10.0-IV1",
    "0.10.1-IV0",
    "0.10.1-IV1",
    "0.10.1-IV2",
    "0.10.2-IV0",
    "0.11.0-IV0",
    "0.11.0-IV1",
    "0.11.0-IV2",
    "1.0-IV0",
    "1.1-IV0",
    "2.0-IV0",
    "2.0-IV1",
    "2.1-IV0",
    "2.1-IV1",
    "2.1-IV2",
    "2.2-IV0",
    "2.2-IV1",
    "2.3-IV0",
    "2.3-IV1",
    "2.4-IV0",
    "2.4-IV1",
    "2.5-IV0",
    "2.6-IV0",
    "2.7-IV0",
    "2.7-IV1",
    "2.7-IV2",
    "2.8-IV0",
    "2.8-IV1",
    "3.0-IV0",
    "3.0-IV1",
    "3.1-IV0",
    "3.2-IV0",
    "3.3-IV0",
    "3.3-IV1",
    "3.3-IV2",
    "3.3-IV3",
    "3.4-IV0",
    "3.5-IV0",
    "3.5-IV1",
    "3.5-IV2",
    "3.6-IV0",
    "3.6-IV1",
    "3.6-IV2",
    "3.7-IV0",
    "3.7-IV1",
    "3.7-IV2",
    "3.7-IV3",
    "3.7-IV4",
    "3.8-IV0",
    "3.9-IV0",
    "4.0-IV0",
    "4.0-IV1",
];

/// The version for a text such as `3.9`, `3.9-IV0`, `3.9.1` or `0.10.2` (`MetadataVersion.fromVersionString`): a
/// release without `-IV` means its newest.
pub fn parse(text: &str) -> Option<InterBrokerProtocol> {
    if let Some(exact) = VERSIONS.iter().position(|version| *version == text) {
        return Some(InterBrokerProtocol(exact));
    }
    // Before 1.0 the release is three numbers long, from 1.0 on two.
    let numbers = if text.starts_with("0.") { 3 } else { 2 };
    let release: Vec<&str> = text.split('.').take(numbers).collect();
    let release = release.join(".");
    VERSIONS
        .iter()
        .rposition(|version| version.split_once("-IV").map_or(*version, |(release, _)| release) == release)
        .map(InterBrokerProtocol)
}

impl InterBrokerProtocol {
    /// The default of Kafka 3.9.
    pub fn latest() -> InterBrokerProtocol {
        parse("3.9-IV0").unwrap_or(InterBrokerProtocol(0))
    }

    /// Whether this is at least the release `text` names; `false` for a text that names none.
    pub fn is_at_least(self, text: &str) -> bool {
        parse(text).is_some_and(|other| self >= other)
    }

    /// Whether leaders have the controller change ISRs (KIP-497); before that they write them into ZooKeeper
    /// (`isAlterPartitionSupported`).
    pub fn has_alter_partition(self) -> bool {
        self.is_at_least("2.7-IV2")
    }

    /// The full version text.
    pub fn as_str(self) -> &'static str {
        VERSIONS.get(self.0).copied().unwrap_or("unknown")
    }
}

impl fmt::Display for InterBrokerProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_texts() {
        #[track_caller]
        fn check(text: &str, expected: Option<&str>) {
            assert_eq!(parse(text).map(InterBrokerProtocol::as_str), expected, "{text}");
        }
        check("3.9", Some("3.9-IV0"));
        check("3.9.1", Some("3.9-IV0"));
        check("3.7", Some("3.7-IV4"));
        check("3.3-IV1", Some("3.3-IV1"));
        check("0.10.2", Some("0.10.2-IV0"));
        check("0.10.0.1", Some("0.10.0-IV1"));
        check("0.8.2", Some("0.8.2"));
        check("5.0", None);
        check("", None);
        check("x", None);
        assert!(InterBrokerProtocol::latest().is_at_least("2.8"));
        assert!(!InterBrokerProtocol::latest().is_at_least("4.0"));
        for (text, expected) in [("2.6", false), ("2.7-IV1", false), ("2.7", true), ("3.9", true)] {
            assert_eq!(parse(text).map(InterBrokerProtocol::has_alter_partition), Some(expected), "{text}");
        }
    }
}
