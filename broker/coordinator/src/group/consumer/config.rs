//! The settings of consumer groups.

use super::assignor::Assignor;

/// What `server.properties` says of consumer groups (`group.consumer.*`).
#[derive(Clone, Debug)]
pub struct ConsumerGroupConfig {
    /// `group.consumer.session.timeout.ms`.
    pub session_timeout_ms: i32,
    /// `group.consumer.heartbeat.interval.ms`, which members are told.
    pub heartbeat_interval_ms: i32,
    /// `group.consumer.max.size`.
    pub group_size_max: usize,
    /// `group.consumer.assignors`; the first is for groups whose members want none. Never empty.
    pub assignors: Vec<Assignor>,
    /// `group.consumer.migration.policy`.
    pub migration: MigrationPolicy,
}

impl Default for ConsumerGroupConfig {
    fn default() -> Self {
        ConsumerGroupConfig {
            session_timeout_ms: 45_000,
            heartbeat_interval_ms: 5_000,
            group_size_max: i32::MAX as usize,
            assignors: vec![Assignor::Uniform, Assignor::Range],
            migration: MigrationPolicy::Disabled,
        }
    }
}

/// Which groups may pass from one protocol to the other while they have members (`ConsumerGroupMigrationPolicy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrationPolicy {
    /// Classic groups to consumer groups, and back.
    Bidirectional,
    /// Classic groups to consumer groups.
    Upgrade,
    /// Consumer groups to classic groups.
    Downgrade,
    /// None.
    Disabled,
}

impl MigrationPolicy {
    /// The policy of that name, in any case; `Disabled` for every other name, as in Kafka.
    pub fn parse(name: &str) -> MigrationPolicy {
        match name.to_ascii_lowercase().as_str() {
            "bidirectional" => MigrationPolicy::Bidirectional,
            "upgrade" => MigrationPolicy::Upgrade,
            "downgrade" => MigrationPolicy::Downgrade,
            _ => MigrationPolicy::Disabled,
        }
    }

    /// Whether classic groups may become consumer groups.
    pub fn upgrades(self) -> bool {
        matches!(self, MigrationPolicy::Bidirectional | MigrationPolicy::Upgrade)
    }

    /// Whether consumer groups may become classic groups.
    pub fn downgrades(self) -> bool {
        matches!(self, MigrationPolicy::Bidirectional | MigrationPolicy::Downgrade)
    }
}
