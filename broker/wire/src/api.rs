//! The APIs of a ZooKeeper-mode broker: types, versions, and which of them this broker serves.
//!
//! `apis!` holds one row per API of Kafka 3.9 (`ApiKeys`, listener type `zkBroker`); the decoder comes from it. `SERVED`
//! is what ApiVersions tells clients: an API is there only when the server handles it, right to the field.

use kafka_protocol::messages::{ApiKey, RequestKind};

use crate::decode::{DecodeError, decode_request_body};

/// One API with the versions this broker speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Api {
    /// The API.
    pub key: ApiKey,
    /// The lowest version.
    pub min_version: i16,
    /// The highest version.
    pub max_version: i16,
}

impl Api {
    /// Whether this version is spoken.
    pub fn speaks(&self, version: i16) -> bool {
        (self.min_version..=self.max_version).contains(&version)
    }
}

macro_rules! apis {
    ($($name:ident: $request:ident, $min:literal..=$max:literal;)*) => {
        /// Every API of Kafka 3.9 in ZooKeeper mode.
        pub const ALL: &[Api] =
            &[$(Api { key: ApiKey::$name, min_version: $min, max_version: $max }),*];

        /// Decodes the body of a request; `None` for APIs that no ZooKeeper-mode broker has.
        pub fn decode_body(
            key: ApiKey,
            version: i16,
            body: bytes::Bytes,
        ) -> Option<Result<RequestKind, DecodeError>> {
            match key {
                $(ApiKey::$name => Some(
                    decode_request_body::<kafka_protocol::messages::$request>(body, version).map(RequestKind::$name),
                ),)*
                _ => None,
            }
        }

        /// The empty request of an API.
        #[cfg(test)]
        pub(crate) fn empty_body(key: ApiKey) -> Option<RequestKind> {
            match key {
                $(ApiKey::$name => {
                    Some(RequestKind::$name(kafka_protocol::messages::$request::default()))
                })*
                _ => None,
            }
        }
    };
}

apis! {
    Produce: ProduceRequest, 0..=11;
    Fetch: FetchRequest, 0..=17;
    ListOffsets: ListOffsetsRequest, 0..=9;
    Metadata: MetadataRequest, 0..=12;
    LeaderAndIsr: LeaderAndIsrRequest, 0..=7;
    StopReplica: StopReplicaRequest, 0..=4;
    UpdateMetadata: UpdateMetadataRequest, 0..=8;
    ControlledShutdown: ControlledShutdownRequest, 0..=3;
    OffsetCommit: OffsetCommitRequest, 0..=9;
    OffsetFetch: OffsetFetchRequest, 0..=9;
    FindCoordinator: FindCoordinatorRequest, 0..=6;
    JoinGroup: JoinGroupRequest, 0..=9;
    Heartbeat: HeartbeatRequest, 0..=4;
    LeaveGroup: LeaveGroupRequest, 0..=5;
    SyncGroup: SyncGroupRequest, 0..=5;
    DescribeGroups: DescribeGroupsRequest, 0..=5;
    ListGroups: ListGroupsRequest, 0..=5;
    SaslHandshake: SaslHandshakeRequest, 0..=1;
    ApiVersions: ApiVersionsRequest, 0..=4;
    CreateTopics: CreateTopicsRequest, 0..=7;
    DeleteTopics: DeleteTopicsRequest, 0..=6;
    DeleteRecords: DeleteRecordsRequest, 0..=2;
    InitProducerId: InitProducerIdRequest, 0..=5;
    OffsetForLeaderEpoch: OffsetForLeaderEpochRequest, 0..=4;
    AddPartitionsToTxn: AddPartitionsToTxnRequest, 0..=5;
    AddOffsetsToTxn: AddOffsetsToTxnRequest, 0..=4;
    EndTxn: EndTxnRequest, 0..=4;
    WriteTxnMarkers: WriteTxnMarkersRequest, 0..=1;
    TxnOffsetCommit: TxnOffsetCommitRequest, 0..=4;
    DescribeAcls: DescribeAclsRequest, 0..=3;
    CreateAcls: CreateAclsRequest, 0..=3;
    DeleteAcls: DeleteAclsRequest, 0..=3;
    DescribeConfigs: DescribeConfigsRequest, 0..=4;
    AlterConfigs: AlterConfigsRequest, 0..=2;
    AlterReplicaLogDirs: AlterReplicaLogDirsRequest, 0..=2;
    DescribeLogDirs: DescribeLogDirsRequest, 0..=4;
    SaslAuthenticate: SaslAuthenticateRequest, 0..=2;
    CreatePartitions: CreatePartitionsRequest, 0..=3;
    CreateDelegationToken: CreateDelegationTokenRequest, 0..=3;
    RenewDelegationToken: RenewDelegationTokenRequest, 0..=2;
    ExpireDelegationToken: ExpireDelegationTokenRequest, 0..=2;
    DescribeDelegationToken: DescribeDelegationTokenRequest, 0..=3;
    DeleteGroups: DeleteGroupsRequest, 0..=2;
    ElectLeaders: ElectLeadersRequest, 0..=2;
    IncrementalAlterConfigs: IncrementalAlterConfigsRequest, 0..=1;
    AlterPartitionReassignments: AlterPartitionReassignmentsRequest, 0..=0;
    ListPartitionReassignments: ListPartitionReassignmentsRequest, 0..=0;
    OffsetDelete: OffsetDeleteRequest, 0..=0;
    DescribeClientQuotas: DescribeClientQuotasRequest, 0..=1;
    AlterClientQuotas: AlterClientQuotasRequest, 0..=1;
    DescribeUserScramCredentials: DescribeUserScramCredentialsRequest, 0..=0;
    AlterUserScramCredentials: AlterUserScramCredentialsRequest, 0..=0;
    AlterPartition: AlterPartitionRequest, 0..=3;
    UpdateFeatures: UpdateFeaturesRequest, 0..=1;
    Envelope: EnvelopeRequest, 0..=0;
    DescribeCluster: DescribeClusterRequest, 0..=1;
    DescribeProducers: DescribeProducersRequest, 0..=0;
    DescribeTransactions: DescribeTransactionsRequest, 0..=0;
    ListTransactions: ListTransactionsRequest, 0..=1;
    AllocateProducerIds: AllocateProducerIdsRequest, 0..=0;
    ConsumerGroupHeartbeat: ConsumerGroupHeartbeatRequest, 0..=0;
    ConsumerGroupDescribe: ConsumerGroupDescribeRequest, 0..=0;
}

/// The APIs this broker serves. Serving one more is one row more.
const SERVED: &[ApiKey] = &[
    ApiKey::Produce,
    ApiKey::Fetch,
    ApiKey::ListOffsets,
    ApiKey::Metadata,
    ApiKey::LeaderAndIsr,
    ApiKey::StopReplica,
    ApiKey::UpdateMetadata,
    ApiKey::ControlledShutdown,
    ApiKey::ApiVersions,
    ApiKey::CreateTopics,
    ApiKey::DeleteTopics,
    ApiKey::OffsetForLeaderEpoch,
    ApiKey::AlterPartition,
    ApiKey::DescribeCluster,
    ApiKey::AllocateProducerIds,
    ApiKey::OffsetCommit,
    ApiKey::OffsetFetch,
    ApiKey::FindCoordinator,
    ApiKey::JoinGroup,
    ApiKey::Heartbeat,
    ApiKey::LeaveGroup,
    ApiKey::SyncGroup,
    ApiKey::DescribeGroups,
    ApiKey::ListGroups,
    ApiKey::DeleteGroups,
    ApiKey::OffsetDelete,
    ApiKey::InitProducerId,
    ApiKey::AddPartitionsToTxn,
    ApiKey::AddOffsetsToTxn,
    ApiKey::EndTxn,
    ApiKey::WriteTxnMarkers,
    ApiKey::TxnOffsetCommit,
    ApiKey::DescribeProducers,
    ApiKey::DescribeTransactions,
    ApiKey::ListTransactions,
    ApiKey::ConsumerGroupHeartbeat,
    ApiKey::ConsumerGroupDescribe,
    ApiKey::DescribeConfigs,
    ApiKey::CreatePartitions,
    ApiKey::ElectLeaders,
    ApiKey::ListPartitionReassignments,
    ApiKey::AlterPartitionReassignments,
    ApiKey::SaslHandshake,
    ApiKey::SaslAuthenticate,
    ApiKey::DescribeAcls,
    ApiKey::CreateAcls,
    ApiKey::DeleteAcls,
    ApiKey::CreateDelegationToken,
    ApiKey::RenewDelegationToken,
    ApiKey::ExpireDelegationToken,
    ApiKey::DescribeDelegationToken,
    ApiKey::Envelope,
    ApiKey::AlterConfigs,
    ApiKey::IncrementalAlterConfigs,
    ApiKey::UpdateFeatures,
    ApiKey::DescribeClientQuotas,
    ApiKey::AlterClientQuotas,
    ApiKey::DescribeUserScramCredentials,
    ApiKey::AlterUserScramCredentials,
    ApiKey::DeleteRecords,
    ApiKey::AlterReplicaLogDirs,
    ApiKey::DescribeLogDirs,
];

/// What ApiVersions advertises, in the order of the keys.
pub fn served() -> impl Iterator<Item = &'static Api> {
    ALL.iter().filter(|api| SERVED.contains(&api.key))
}

/// The served API with this key on the wire.
pub fn find(key: i16) -> Option<&'static Api> {
    served().find(|api| api.key as i16 == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_kafkas() {
        assert_eq!(ALL.len(), 62);
        assert!(ALL.is_sorted_by_key(|api| api.key as i16));
        for api in ALL {
            let codec = api.key.valid_versions();
            assert_eq!((api.min_version, api.max_version), (codec.min, codec.max), "{:?}", api.key);
        }
    }

    #[test]
    fn served_apis_are_found_by_their_key() {
        assert_eq!(served().count(), SERVED.len());
        assert_eq!(find(3).map(|api| (api.key, api.max_version)), Some((ApiKey::Metadata, 12)));
        for absent in [-1, 52, 76, i16::MAX] {
            assert_eq!(find(absent), None);
        }
    }
}
