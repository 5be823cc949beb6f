//! What the controller takes from the broker's configuration.

use std::time::Duration;

use gregor_config::inter_broker_protocol::InterBrokerProtocol;
use gregor_controller_machine::ControllerConfig;
use gregor_model::ListenerName;

/// Settings of the controller service.
#[derive(Clone, Debug)]
pub struct ControllerSettings {
    /// Settings of the machine; this broker's id is in it.
    pub machine: ControllerConfig,
    /// The listener on which brokers are reached: `control.plane.listener.name`, or the inter-broker listener.
    pub listener: ListenerName,
    /// `zookeeper.connection.timeout.ms`: how long a written `/feature` may take to be seen.
    pub features_timeout: Duration,
    /// `gregor.controller.refusal.timeout.ms`: how long a broker must refuse connections to count as gone; `None` to wait for
    /// the end of its session, as Kafka does.
    pub refusal_timeout: Option<Duration>,
    /// Versions of the requests to brokers.
    pub versions: ControlVersions,
}

/// Versions of LeaderAndIsr, UpdateMetadata and StopReplica, which the controller sends without asking the receiver
/// (`AbstractControllerBrokerRequestBatch`): the broker configuration promises that every broker knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlVersions {
    /// LeaderAndIsr, at least 2.
    pub leader_and_isr: i16,
    /// UpdateMetadata, at least 5.
    pub update_metadata: i16,
    /// StopReplica, at least 1.
    pub stop_replica: i16,
}

impl ControlVersions {
    /// The versions for an `inter.broker.protocol.version`. Below 2.2 they stay those of 2.2, which brokers of 3.9
    /// know in any case.
    pub fn of(protocol: InterBrokerProtocol) -> ControlVersions {
        let newest = |versions: &[(&str, i16)], oldest: i16| {
            versions
                .iter()
                .find(|(since, _)| protocol.is_at_least(since))
                .map_or(oldest, |(_, version)| *version)
        };
        ControlVersions {
            leader_and_isr: newest(
                &[("3.4-IV0", 7), ("3.2-IV0", 6), ("2.8-IV1", 5), ("2.4-IV1", 4), ("2.4-IV0", 3)],
                2,
            ),
            update_metadata: newest(&[("3.4-IV0", 8), ("2.8-IV1", 7), ("2.4-IV1", 6)], 5),
            stop_replica: newest(&[("3.4-IV0", 4), ("2.6-IV0", 3), ("2.4-IV1", 2)], 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use gregor_config::inter_broker_protocol::parse;

    use super::*;

    #[test]
    fn versions_follow_the_inter_broker_protocol() {
        for (protocol, expected) in [
            ("3.9", (7, 8, 4)),
            ("3.4-IV0", (7, 8, 4)),
            ("3.2", (6, 7, 3)),
            ("2.8-IV1", (5, 7, 3)),
            ("2.6", (4, 6, 3)),
            ("2.4-IV1", (4, 6, 2)),
            ("2.2", (2, 5, 1)),
            ("1.0", (2, 5, 1)),
        ] {
            let versions = ControlVersions::of(parse(protocol).unwrap());
            let found = (versions.leader_and_isr, versions.update_metadata, versions.stop_replica);
            assert_eq!(found, expected, "{protocol}");
        }
    }
}
