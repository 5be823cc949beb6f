//! `zookeeper.connect`: `host:port` pairs, and a chroot behind the first slash.

use std::fmt;
use std::str::FromStr;

/// Where the ensemble is, and below which znode this cluster lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectString {
    hosts: Vec<String>,
    chroot: Option<String>,
}

/// A `zookeeper.connect` that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("zookeeper.connect {value:?}: {reason}")]
pub struct InvalidConnectString {
    /// The value.
    pub value: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl ConnectString {
    /// `host:port` pairs, comma-separated, without the chroot.
    pub fn hosts(&self) -> String {
        self.hosts.join(",")
    }

    /// The chroot, with a leading and without a trailing slash; `None` for the root.
    pub fn chroot(&self) -> Option<&str> {
        self.chroot.as_deref()
    }
}

impl FromStr for ConnectString {
    type Err = InvalidConnectString;
    fn from_str(value: &str) -> Result<ConnectString, InvalidConnectString> {
        let error = |reason| InvalidConnectString { value: value.to_owned(), reason };
        let (hosts, chroot) = match value.find('/') {
            Some(slash) => value.split_at(slash),
            None => (value, ""),
        };
        let hosts: Vec<String> = hosts.split(',').map(|host| host.trim().to_owned()).collect();
        for host in &hosts {
            check_host(host).map_err(error)?;
        }
        let chroot = chroot.trim_end_matches('/');
        if chroot.split('/').skip(1).any(|component| matches!(component, "" | "." | "..")) {
            return Err(error("the chroot has an empty or relative component"));
        }
        Ok(ConnectString { hosts, chroot: (!chroot.is_empty()).then(|| chroot.to_owned()) })
    }
}

fn check_host(host: &str) -> Result<(), &'static str> {
    if host.is_empty() {
        return Err("a host is empty");
    }
    // Of a bare IPv6 address the last colon is ambiguous; in brackets it is not.
    let port = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or("a bracket is not closed")?.1.strip_prefix(':'),
        None => host.rsplit_once(':').map(|(_, port)| port),
    };
    match port {
        None => Ok(()),
        Some(port) if port.parse::<u16>().is_ok_and(|port| port != 0) => Ok(()),
        Some(_) => Err("a port is not a number between 1 and 65535"),
    }
}

impl fmt::Display for ConnectString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.hosts(), self.chroot.as_deref().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_hosts_and_chroot() {
        for (text, hosts, chroot) in [
            ("h:2181", "h:2181", None),
            ("h1:2181, h2:2182/a/b", "h1:2181,h2:2182", Some("/a/b")),
            ("h", "h", None),
            ("h:1/", "h:1", None),
            ("[::1]:2181/kafka/", "[::1]:2181", Some("/kafka")),
        ] {
            let parsed: ConnectString = text.parse().unwrap();
            assert_eq!((parsed.hosts().as_str(), parsed.chroot()), (hosts, chroot), "{text}");
        }
    }

    #[test]
    fn refuses_what_cannot_be_meant() {
        for text in ["", ",", "h:1,", "h:0", "h:70000", "h:x", "[::1", "h:1//a", "h:1/a/../b", "/a"] {
            assert!(text.parse::<ConnectString>().is_err(), "{text}");
        }
    }
}
