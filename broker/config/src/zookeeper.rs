//! The keys about ZooKeeper, and the connect string.

use std::time::Duration;

use crate::error::ConfigError;
use crate::values::Values;

/// How to reach and use ZooKeeper (`ZkConfigs`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZooKeeperConfig {
    /// `zookeeper.connect`, taken apart.
    pub connect: ConnectString,
    /// `zookeeper.session.timeout.ms`: how long the ensemble keeps our ephemeral nodes without a word from us.
    pub session_timeout: Duration,
    /// `zookeeper.connection.timeout.ms`: how long to wait for the first connection; the session timeout if unset.
    pub connection_timeout: Duration,
    /// `zookeeper.set.acl`: create sensitive nodes with ACLs.
    pub set_acl: bool,
    /// `zookeeper.max.in.flight.requests`.
    pub max_in_flight_requests: usize,
    /// `zookeeper.ssl.client.enable`; the other TLS keys are read from the values where TLS is set up.
    pub tls: bool,
}

impl ZooKeeperConfig {
    pub(crate) fn from_values(values: &Values) -> Result<ZooKeeperConfig, ConfigError> {
        let connect =
            values.opt_string("zookeeper.connect").ok_or(ConfigError::Missing("zookeeper.connect"))?;
        let session_timeout_ms = values.i32("zookeeper.session.timeout.ms");
        let connection_timeout_ms =
            values.opt_i32("zookeeper.connection.timeout.ms").unwrap_or(session_timeout_ms);
        let milliseconds = |name: &str, value: i32| match u64::try_from(value) {
            Ok(value @ 1..) => Ok(Duration::from_millis(value)),
            _ => Err(ConfigError::conflict(format!(
                "Invalid value {value} for configuration {name}: Value must be at least 1"
            ))),
        };
        Ok(ZooKeeperConfig {
            connect: ConnectString::parse(&connect)?,
            session_timeout: milliseconds("zookeeper.session.timeout.ms", session_timeout_ms)?,
            connection_timeout: milliseconds("zookeeper.connection.timeout.ms", connection_timeout_ms)?,
            set_acl: values.bool("zookeeper.set.acl"),
            max_in_flight_requests: usize::try_from(values.i32("zookeeper.max.in.flight.requests"))
                .unwrap_or(1),
            tls: values.bool("zookeeper.ssl.client.enable"),
        })
    }
}

/// `host:port,host:port/chroot`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectString {
    /// The servers, each `host:port`.
    pub servers: Vec<String>,
    /// The path under which all nodes of this cluster live; `None` for the root.
    pub chroot: Option<String>,
}

impl ConnectString {
    /// Takes a connect string apart; a server without a port has 2181.
    pub fn parse(text: &str) -> Result<ConnectString, ConfigError> {
        let wrong = |reason: &str| {
            ConfigError::conflict(format!(
                "Invalid value {text} for configuration zookeeper.connect: {reason}"
            ))
        };
        let (servers, chroot) = match text.find('/') {
            Some(slash) => text.split_at(slash),
            None => (text, ""),
        };
        let servers: Vec<String> = servers
            .split(',')
            .map(str::trim)
            .filter(|server| !server.is_empty())
            .map(|server| if has_port(server) { server.to_owned() } else { format!("{server}:2181") })
            .collect();
        if servers.is_empty() {
            return Err(wrong("no server named"));
        }
        let chroot = chroot.trim_end_matches('/');
        if chroot.contains("//") || chroot.contains(',') {
            return Err(wrong("the path after the servers is not a path of znodes"));
        }
        Ok(ConnectString { servers, chroot: (!chroot.is_empty()).then(|| chroot.to_owned()) })
    }

    /// The servers as one text, without the chroot.
    pub fn servers_text(&self) -> String {
        self.servers.join(",")
    }
}

fn has_port(server: &str) -> bool {
    match server.rsplit_once(']') {
        Some((_, after)) => after.starts_with(':'),
        None => server.contains(':'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connect_strings() {
        #[track_caller]
        fn check(text: &str, servers: &[&str], chroot: Option<&str>) {
            let found = ConnectString::parse(text).expect("legal");
            assert_eq!(found.servers, servers);
            assert_eq!(found.chroot.as_deref(), chroot);
        }
        check("a:1", &["a:1"], None);
        check("a, b:2 /kafka", &["a:2181", "b:2"], Some("/kafka"));
        check("[::1]:2181/a/b/", &["[::1]:2181"], Some("/a/b"));
        check("[::1]/", &["[::1]:2181"], None);
        for wrong in ["", "/kafka", ",", "a:1/b//c", "a:1/b,c:2"] {
            assert!(ConnectString::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
