//! The one place where requests find their handlers (`KafkaApis.handle`). What `wire` advertises and what is matched here
//! are the same APIs; a request of any other never gets this far, and closes its connection if it does.

use std::sync::Arc;

use gregor_network::{Answer, Answering, ClientSoftware, ConnectionContext, Dispatch, Handled};
use gregor_wire::Request;
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, RequestKind, ResponseKind};

use crate::api;
use crate::api::produce::ProduceAnswer;
use crate::broker::Broker;
use crate::metrics::{RequestRecorder, Tag};
use crate::request_context::RequestContext;
use crate::request_log;

/// Hands requests to the handlers of one broker.
pub struct Dispatcher {
    broker: Arc<Broker>,
    requests: Arc<RequestRecorder>,
}

impl Dispatcher {
    /// For that broker.
    pub fn new(broker: Arc<Broker>, requests: Arc<RequestRecorder>) -> Dispatcher {
        Dispatcher { broker, requests }
    }

    /// Notes an answer that is ready to be sent.
    fn answered(&self, connection: &ConnectionContext, key: ApiKey, tag: Tag, mut answer: Answer) -> Answer {
        if let Answer::Reply(reply) = &mut answer {
            reply.tag = tag as u16;
            self.requests.answered(key, &reply.response);
            request_log::answered(connection, key, &reply.response);
        }
        answer
    }
}

impl Dispatch for Dispatcher {
    fn dispatch<'a>(&'a self, connection: &'a ConnectionContext, request: Request) -> Answering<'a> {
        let context = RequestContext {
            version: request.header.api_version,
            client_id: request.header.client_id,
            listener: connection.listener.clone(),
            client_address: connection.peer.ip(),
        };
        if let RequestKind::ApiVersions(request) = &request.body {
            remember_software(connection, context.version, request);
        }
        let (key, tag) = (request.header.api_key, Tag::of(&request.body));
        request_log::asked(connection, &context, key, &request.body);
        let broker = &self.broker;
        match request.body {
            // Small, and frequent: it does not take the room of all others.
            RequestKind::OffsetCommit(request) => Box::pin(async move {
                let response = api::offset_commit::handle(broker, &context, request).await;
                self.answered(connection, key, tag, Answer::reply(response))
            }),
            request => Box::pin(async move {
                let answer = handle(broker, &context, request).await;
                self.answered(connection, key, tag, answer)
            }),
        }
    }

    /// Commits have their places in the queue of their group's coordinator before they wait. Version 0 has no coordinator.
    fn overlaps(&self, key: ApiKey, version: i16) -> bool {
        key == ApiKey::OffsetCommit && version >= 1
    }

    fn handled(&self, connection: &ConnectionContext, request: &Handled) {
        self.requests.handled(request);
        request_log::handled(connection, request);
    }
}

/// A future is as large as the largest it may wait for, and is moved about as a whole: what is large, or rare, is boxed, so
/// that Produce and Fetch do not carry it.
async fn handle(broker: &Arc<Broker>, context: &RequestContext, request: RequestKind) -> Answer {
    let response = match request {
        RequestKind::Produce(request) => {
            return match api::produce::handle(broker, context, request).await {
                ProduceAnswer::Reply(response) => Answer::reply(response),
                ProduceAnswer::Nothing => Answer::no_reply(),
                ProduceAnswer::Close => Answer::Close,
            };
        }
        RequestKind::Fetch(request) => return api::fetch::handle(broker, context, request).await,
        RequestKind::ListOffsets(request) => {
            ResponseKind::ListOffsets(api::list_offsets::handle(broker, context, &request))
        }
        RequestKind::Metadata(request) => {
            ResponseKind::Metadata(Box::pin(api::metadata::handle(broker, context, request)).await)
        }
        RequestKind::LeaderAndIsr(request) => {
            ResponseKind::LeaderAndIsr(Box::pin(api::leader_and_isr::handle(broker, context, request)).await)
        }
        RequestKind::StopReplica(request) => {
            ResponseKind::StopReplica(Box::pin(api::stop_replica::handle(broker, context, request)).await)
        }
        RequestKind::UpdateMetadata(request) => ResponseKind::UpdateMetadata(
            Box::pin(api::update_metadata::handle(broker, context, &request)).await,
        ),
        RequestKind::ControlledShutdown(request) => {
            ResponseKind::ControlledShutdown(Box::pin(broker.controller.controlled_shutdown(request)).await)
        }
        RequestKind::ApiVersions(request) => {
            let features = broker.features.load();
            ResponseKind::ApiVersions(api::api_versions::handle(
                context.version,
                &request,
                features.as_deref(),
            ))
        }
        RequestKind::CreateTopics(request) => {
            ResponseKind::CreateTopics(Box::pin(api::create_topics::handle(broker, request)).await)
        }
        RequestKind::DeleteTopics(request) => {
            ResponseKind::DeleteTopics(Box::pin(api::delete_topics::handle(broker, context, &request)).await)
        }
        RequestKind::OffsetForLeaderEpoch(request) => {
            ResponseKind::OffsetForLeaderEpoch(api::offset_for_leader_epoch::handle(broker, &request))
        }
        RequestKind::AlterPartition(request) => ResponseKind::AlterPartition(
            Box::pin(broker.controller.alter_partition(request, context.version)).await,
        ),
        RequestKind::DescribeCluster(request) => {
            ResponseKind::DescribeCluster(api::describe_cluster::handle(broker, context, &request))
        }
        RequestKind::AllocateProducerIds(request) => ResponseKind::AllocateProducerIds(
            Box::pin(broker.controller.allocate_producer_ids(request)).await,
        ),
        request => return Box::pin(coordinate(broker, context, request)).await,
    };
    Answer::reply(response)
}

/// Requests of groups and transactions.
async fn coordinate(broker: &Arc<Broker>, context: &RequestContext, request: RequestKind) -> Answer {
    let response = match request {
        // Only since version 2 may the topics be null; the protocol crate reads it in every version.
        RequestKind::OffsetFetch(request) if context.version < 2 && request.topics.is_none() => {
            return Answer::Close;
        }
        RequestKind::OffsetFetch(request) => {
            ResponseKind::OffsetFetch(api::offset_fetch::handle(broker, context, request).await)
        }
        RequestKind::FindCoordinator(request) => ResponseKind::FindCoordinator(
            Box::pin(api::find_coordinator::handle(broker, context, request)).await,
        ),
        RequestKind::JoinGroup(request) => {
            ResponseKind::JoinGroup(api::join_group::handle(broker, context, request).await)
        }
        RequestKind::Heartbeat(request) => {
            ResponseKind::Heartbeat(api::heartbeat::handle(broker, request).await)
        }
        RequestKind::LeaveGroup(request) => {
            ResponseKind::LeaveGroup(api::leave_group::handle(broker, context, request).await)
        }
        RequestKind::SyncGroup(request) => {
            ResponseKind::SyncGroup(api::sync_group::handle(broker, context, request).await)
        }
        RequestKind::DescribeGroups(request) => {
            ResponseKind::DescribeGroups(api::describe_groups::handle(broker, context, request).await)
        }
        RequestKind::ListGroups(request) => {
            ResponseKind::ListGroups(api::list_groups::handle(broker, context, request).await)
        }
        RequestKind::ConsumerGroupHeartbeat(request) => ResponseKind::ConsumerGroupHeartbeat(
            api::consumer_group_heartbeat::handle(broker, context, request).await,
        ),
        RequestKind::ConsumerGroupDescribe(request) => {
            ResponseKind::ConsumerGroupDescribe(api::consumer_group_describe::handle(broker, request).await)
        }
        RequestKind::DeleteGroups(request) => {
            ResponseKind::DeleteGroups(api::delete_groups::handle(broker, request).await)
        }
        RequestKind::OffsetDelete(request) => {
            ResponseKind::OffsetDelete(api::offset_delete::handle(broker, request).await)
        }
        RequestKind::InitProducerId(request) => ResponseKind::InitProducerId(
            Box::pin(api::init_producer_id::handle(broker, context, request)).await,
        ),
        RequestKind::AddPartitionsToTxn(request) => ResponseKind::AddPartitionsToTxn(
            api::add_partitions_to_txn::handle(broker, context, request).await,
        ),
        RequestKind::AddOffsetsToTxn(request) => {
            ResponseKind::AddOffsetsToTxn(api::add_offsets_to_txn::handle(broker, context, request).await)
        }
        RequestKind::EndTxn(request) => {
            ResponseKind::EndTxn(api::end_txn::handle(broker, context, request).await)
        }
        RequestKind::WriteTxnMarkers(request) => {
            ResponseKind::WriteTxnMarkers(Box::pin(api::write_txn_markers::handle(broker, request)).await)
        }
        RequestKind::TxnOffsetCommit(request) => ResponseKind::TxnOffsetCommit(
            Box::pin(api::txn_offset_commit::handle(broker, context, request)).await,
        ),
        RequestKind::DescribeProducers(request) => {
            ResponseKind::DescribeProducers(api::describe_producers::handle(broker, &request))
        }
        RequestKind::DescribeTransactions(request) => {
            ResponseKind::DescribeTransactions(api::describe_transactions::handle(broker, request).await)
        }
        RequestKind::ListTransactions(request) => {
            ResponseKind::ListTransactions(api::list_transactions::handle(broker, request).await)
        }
        request => return Box::pin(administer(broker, context, request)).await,
    };
    Answer::reply(response)
}

/// Requests of administrators.
async fn administer(broker: &Arc<Broker>, context: &RequestContext, request: RequestKind) -> Answer {
    let response = match request {
        RequestKind::DeleteRecords(request) => {
            ResponseKind::DeleteRecords(api::delete_records::handle(broker, request).await)
        }
        RequestKind::DescribeConfigs(request) => {
            ResponseKind::DescribeConfigs(api::describe_configs::handle(broker, context, request).await)
        }
        RequestKind::AlterConfigs(request) => {
            ResponseKind::AlterConfigs(api::alter_configs::handle(broker, request).await)
        }
        RequestKind::IncrementalAlterConfigs(request) => ResponseKind::IncrementalAlterConfigs(
            api::incremental_alter_configs::handle(broker, request).await,
        ),
        RequestKind::AlterReplicaLogDirs(request) => {
            ResponseKind::AlterReplicaLogDirs(api::alter_replica_log_dirs::handle(broker, request).await)
        }
        RequestKind::DescribeLogDirs(request) => {
            ResponseKind::DescribeLogDirs(api::describe_log_dirs::handle(broker, &request))
        }
        RequestKind::CreatePartitions(request) => {
            ResponseKind::CreatePartitions(api::create_partitions::handle(broker, request).await)
        }
        RequestKind::ElectLeaders(request) => {
            ResponseKind::ElectLeaders(api::elect_leaders::handle(broker, request).await)
        }
        RequestKind::AlterPartitionReassignments(request) => ResponseKind::AlterPartitionReassignments(
            broker.controller.alter_partition_reassignments(&request).await,
        ),
        RequestKind::ListPartitionReassignments(request) => ResponseKind::ListPartitionReassignments(
            broker.controller.list_partition_reassignments(&request).await,
        ),
        RequestKind::UpdateFeatures(request) => {
            ResponseKind::UpdateFeatures(broker.controller.update_features(&request, context.version).await)
        }
        RequestKind::DescribeClientQuotas(request) => {
            ResponseKind::DescribeClientQuotas(api::describe_client_quotas::handle(broker, &request).await)
        }
        RequestKind::AlterClientQuotas(request) => {
            ResponseKind::AlterClientQuotas(api::alter_client_quotas::handle(broker, &request).await)
        }
        RequestKind::DescribeUserScramCredentials(request) => ResponseKind::DescribeUserScramCredentials(
            api::describe_user_scram_credentials::handle(broker, &request).await,
        ),
        RequestKind::AlterUserScramCredentials(request) => ResponseKind::AlterUserScramCredentials(
            api::alter_user_scram_credentials::handle(broker, &request).await,
        ),
        request => return authenticate(context, request),
    };
    Answer::reply(response)
}

/// Requests about who somebody is and what they may, on listeners that ask nobody. Envelope is advertised by every 3.9
/// broker, and closes the connection of whoever sends it where no controller forwards requests.
fn authenticate(context: &RequestContext, request: RequestKind) -> Answer {
    let response = match request {
        RequestKind::SaslHandshake(_) => ResponseKind::SaslHandshake(api::sasl_handshake::handle()),
        RequestKind::SaslAuthenticate(_) => ResponseKind::SaslAuthenticate(api::sasl_authenticate::handle()),
        RequestKind::DescribeAcls(_) => ResponseKind::DescribeAcls(api::describe_acls::handle()),
        RequestKind::CreateAcls(request) => ResponseKind::CreateAcls(api::create_acls::handle(&request)),
        RequestKind::DeleteAcls(request) => ResponseKind::DeleteAcls(api::delete_acls::handle(&request)),
        RequestKind::CreateDelegationToken(request) => {
            let response = api::create_delegation_token::handle(context.version, &request);
            ResponseKind::CreateDelegationToken(response)
        }
        RequestKind::RenewDelegationToken(_) => {
            ResponseKind::RenewDelegationToken(api::renew_delegation_token::handle())
        }
        RequestKind::ExpireDelegationToken(_) => {
            ResponseKind::ExpireDelegationToken(api::expire_delegation_token::handle())
        }
        RequestKind::DescribeDelegationToken(_) => {
            ResponseKind::DescribeDelegationToken(api::describe_delegation_token::handle())
        }
        _ => return Answer::Close,
    };
    Answer::reply(response)
}

/// Keeps what a client of version 3 says it is, for logs and metrics (KIP-511).
fn remember_software(connection: &ConnectionContext, version: i16, request: &ApiVersionsRequest) {
    if version >= 3 {
        connection.set_client_software(ClientSoftware {
            name: request.client_software_name.to_string(),
            version: request.client_software_version.to_string(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What allocators give from a thread's own lists, and take back without a lock.
    const SMALL: usize = 1_024;

    fn size_of<'a, Q, F>(_handler: fn(&'a Broker, &'a RequestContext, Q) -> F) -> usize {
        std::mem::size_of::<F>() + std::mem::size_of::<RequestContext>()
    }

    #[test]
    fn commits_are_small() {
        assert!(size_of(api::offset_commit::handle) < SMALL);
    }
}
