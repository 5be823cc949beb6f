//! StopReplica: no longer fetch for a partition, and perhaps delete it (`ReplicaManager.stopReplicas`).

use std::sync::Arc;

use gregor_model::{LeaderEpoch, Timestamp, TopicName, TopicPartition};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::stop_replica_response::StopReplicaPartitionError;
use kafka_protocol::messages::{self, StopReplicaRequest, StopReplicaResponse};
use kafka_protocol::protocol::StrBytes;

use super::control::{for_all, log_error_code, refusal_code};
use super::{Hosted, ReplicaManager, RoleChanges};
use crate::partition::control_rules::stop_replica;
use crate::purgatory::WaitOutcome;

/// One partition of the request.
struct Named {
    partition: TopicPartition,
    /// As on the wire: -2 and -1 are no epochs.
    leader_epoch: i32,
    delete: bool,
}

impl ReplicaManager {
    /// Applies a StopReplica request. Disk work happens on blocking threads.
    pub async fn stop_replicas(
        self: &Arc<Self>,
        request: StopReplicaRequest,
        version: i16,
    ) -> (StopReplicaResponse, RoleChanges) {
        let manager = Arc::clone(self);
        let applied =
            tokio::task::spawn_blocking(move || manager.apply_stop_replica(&request, version)).await;
        applied.unwrap_or_else(|error| {
            tracing::error!(%error, "applying StopReplica failed");
            let code = ResponseError::UnknownServerError.code();
            (StopReplicaResponse::default().with_error_code(code), RoleChanges::default())
        })
    }

    /// The same without a runtime's help: blocks while logs are deleted.
    pub fn apply_stop_replica(
        &self,
        request: &StopReplicaRequest,
        version: i16,
    ) -> (StopReplicaResponse, RoleChanges) {
        let mut latest = self.control.lock();
        if let Err(error) = self.admit(&mut latest, request.broker_epoch, request.controller_epoch) {
            return (StopReplicaResponse::default().with_error_code(error.code()), RoleChanges::default());
        }
        let now = self.shared.now();
        let named = decode(request, version);
        let mut codes = vec![0; named.len()];
        let mut stop = Vec::with_capacity(named.len());
        for (at, partition) in named.iter().enumerate() {
            match self.partitions.get(&partition.partition) {
                Some(Hosted::Offline) => codes[at] = ResponseError::KafkaStorageError.code(),
                Some(Hosted::Online(hosted)) => {
                    let known = hosted.leader_epoch();
                    match stop_replica(known, partition.leader_epoch) {
                        Ok(()) => stop.push((at, partition, known)),
                        Err(refusal) => codes[at] = refusal_code(refusal),
                    }
                }
                None => stop.push((at, partition, None)),
            }
        }
        self.fetchers.remove(stop.iter().map(|(_, named, _)| &named.partition));
        let results = for_all(&stop, |(_, named, _)| self.stop(named, now));
        let mut changes = RoleChanges::default();
        for ((at, named, known), code) in stop.iter().zip(results) {
            codes[*at] = code;
            if named.delete && code == 0 {
                changes.deleted.push((named.partition.clone(), *known));
            }
        }
        self.fetchers.stop_idle();
        tracing::info!(
            target: "state.change.logger",
            controller = request.controller_id.0,
            controller_epoch = request.controller_epoch,
            partitions = named.len(),
            deleted = changes.deleted.len(),
            "applied StopReplica"
        );
        (response(&named, &codes), changes)
    }

    /// Stops one partition; returns the code to answer with.
    fn stop(&self, named: &Named, now: Timestamp) -> i16 {
        if !named.delete {
            if let Some(hosted) = self.partitions.online(&named.partition) {
                hosted.release_waiters(WaitOutcome::NotLeader);
            }
            return 0;
        }
        if let Some(Hosted::Online(hosted)) = self.partitions.remove(&named.partition) {
            hosted.retire(WaitOutcome::Gone);
        }
        // Also a log that no LeaderAndIsr named since the start: its topic was deleted meanwhile.
        match self.logs.delete(&named.partition, now) {
            Ok(_) => 0,
            Err(error) => {
                tracing::error!(partition = %named.partition, %error, "cannot delete the log");
                log_error_code(&error)
            }
        }
    }
}

/// The partitions of a request of any version.
fn decode(request: &StopReplicaRequest, version: i16) -> Vec<Named> {
    let delete = request.delete_partitions;
    let by_name = |topic: &messages::TopicName, partition: i32| Named {
        partition: TopicPartition { topic: TopicName::new(topic), partition },
        leader_epoch: LeaderEpoch::to_wire(None),
        delete,
    };
    match version {
        0 => request.ungrouped_partitions.iter().map(|p| by_name(&p.topic_name, p.partition_index)).collect(),
        1 | 2 => {
            let topics = request.topics.iter();
            topics
                .flat_map(|t| t.partition_indexes.iter().map(|p| by_name(&t.name, *p)).collect::<Vec<_>>())
                .collect()
        }
        _ => {
            let mut named = Vec::new();
            for topic in &request.topic_states {
                let name = TopicName::new(&topic.topic_name);
                named.extend(topic.partition_states.iter().map(|state| Named {
                    partition: TopicPartition { topic: name.clone(), partition: state.partition_index },
                    leader_epoch: state.leader_epoch,
                    delete: state.delete_partition,
                }));
            }
            named
        }
    }
}

fn response(named: &[Named], codes: &[i16]) -> StopReplicaResponse {
    let errors = named.iter().zip(codes).map(|(named, code)| {
        let topic = StrBytes::from_string(named.partition.topic.as_str().to_owned());
        StopReplicaPartitionError::default()
            .with_topic_name(messages::TopicName(topic))
            .with_partition_index(named.partition.partition)
            .with_error_code(*code)
    });
    StopReplicaResponse::default().with_partition_errors(errors.collect())
}
