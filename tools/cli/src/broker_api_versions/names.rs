//! The APIs that the tools of Kafka 3.9 know (`ApiKeys`): names, and the newest version they speak. Pure.

use gregor_wire::api::{ALL, Api};

/// An API a client of Kafka 3.9 knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownApi {
    /// Its key on the wire.
    pub key: i16,
    /// Its name.
    pub name: String,
    /// The oldest and newest version the client speaks.
    pub versions: (i16, i16),
    /// Whether clients use it; the others are between servers of a KRaft quorum.
    pub is_for_clients: bool,
}

/// Those that only KRaft has, with the newest version and whether clients use them.
const KRAFT: [(i16, &str, i16, bool); 26] = [
    (52, "Vote", 1, false),
    (53, "BeginQuorumEpoch", 1, false),
    (54, "EndQuorumEpoch", 1, false),
    (55, "DescribeQuorum", 2, true),
    (59, "FetchSnapshot", 1, false),
    (62, "BrokerRegistration", 4, false),
    (63, "BrokerHeartbeat", 1, false),
    (64, "UnregisterBroker", 0, true),
    (70, "ControllerRegistration", 0, false),
    (71, "GetTelemetrySubscriptions", 0, true),
    (72, "PushTelemetry", 0, true),
    (73, "AssignReplicasToDirs", 0, false),
    (74, "ListClientMetricsResources", 0, true),
    (75, "DescribeTopicPartitions", 0, true),
    (76, "ShareGroupHeartbeat", 0, true),
    (77, "ShareGroupDescribe", 0, true),
    (78, "ShareFetch", 0, true),
    (79, "ShareAcknowledge", 0, true),
    (80, "AddRaftVoter", 0, true),
    (81, "RemoveRaftVoter", 0, true),
    (82, "UpdateRaftVoter", 0, false),
    (83, "InitializeShareGroupState", 0, true),
    (84, "ReadShareGroupState", 0, true),
    (85, "WriteShareGroupState", 0, true),
    (86, "DeleteShareGroupState", 0, true),
    (87, "ReadShareGroupStateSummary", 0, true),
];

/// Every API, by key.
pub fn known() -> Vec<KnownApi> {
    let zookeeper = ALL.iter().map(|Api { key, min_version, max_version }| KnownApi {
        key: *key as i16,
        name: format!("{key:?}"),
        versions: (*min_version, *max_version),
        is_for_clients: true,
    });
    let kraft = KRAFT.iter().map(|&(key, name, newest, is_for_clients)| KnownApi {
        key,
        name: name.to_owned(),
        versions: (0, newest),
        is_for_clients,
    });
    let mut all: Vec<KnownApi> = zookeeper.chain(kraft).collect();
    all.sort_by_key(|api| api.key);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_kafka_is_known_once() {
        let keys: Vec<i16> = known().iter().map(|api| api.key).collect();
        assert_eq!(keys, (0..=87).collect::<Vec<i16>>());
    }
}
