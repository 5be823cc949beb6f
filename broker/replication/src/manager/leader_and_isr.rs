//! LeaderAndIsr: which partitions to lead and which to follow (`ReplicaManager.becomeLeaderOrFollower`).
//!
//! A request of thousands of partitions is applied in bulk: fetchers are told once, logs are created by several threads.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use gregor_log::{LogError, PartitionLog};
use gregor_model::{
    BrokerId, LeaderEpoch, PartitionEpoch, ReplicaAssignment, Timestamp, TopicId, TopicName, TopicPartition,
};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::leader_and_isr_request::LeaderAndIsrPartitionState;
use kafka_protocol::messages::leader_and_isr_response::{LeaderAndIsrPartitionError, LeaderAndIsrTopicError};
use kafka_protocol::messages::{self, LeaderAndIsrRequest, LeaderAndIsrResponse};
use kafka_protocol::protocol::StrBytes;

use super::control::{for_all, log_error_code, refusal_code};
use super::{ReplicaManager, RoleChanges};
use crate::fetcher::pool::FetchStart;
use crate::hosted_partition::{HostedPartition, RoleDecision};
use crate::partition::control_rules::{Announced, Known, LeaderAndIsrVerdict, leader_and_isr};
use crate::partition::leader::Leadership;
use crate::purgatory::WaitOutcome;

/// One partition of the request.
struct Named {
    partition: TopicPartition,
    decision: RoleDecision,
}

/// A partition whose role is to change, and where its error code goes.
struct Change<'a> {
    at: usize,
    hosted: Arc<HostedPartition>,
    named: &'a Named,
}

impl ReplicaManager {
    /// Applies a LeaderAndIsr request; `version` shapes the answer. Disk work happens on blocking threads.
    pub async fn become_leader_or_follower(
        self: &Arc<Self>,
        request: LeaderAndIsrRequest,
        version: i16,
    ) -> (LeaderAndIsrResponse, RoleChanges) {
        let manager = Arc::clone(self);
        let applied =
            tokio::task::spawn_blocking(move || manager.apply_leader_and_isr(&request, version)).await;
        applied.unwrap_or_else(|error| {
            tracing::error!(%error, "applying LeaderAndIsr failed");
            let code = ResponseError::UnknownServerError.code();
            (LeaderAndIsrResponse::default().with_error_code(code), RoleChanges::default())
        })
    }

    /// The same without a runtime's help: blocks while logs are created.
    pub fn apply_leader_and_isr(
        &self,
        request: &LeaderAndIsrRequest,
        version: i16,
    ) -> (LeaderAndIsrResponse, RoleChanges) {
        let named = decode(request);
        let mut latest = self.control.lock();
        if let Err(error) = self.admit(&mut latest, request.broker_epoch, request.controller_epoch) {
            let codes = vec![error.code(); named.len()];
            return (response(&named, &codes, version).with_error_code(error.code()), RoleChanges::default());
        }
        let now = self.shared.now();
        let mut codes = vec![0; named.len()];
        let mut changes = RoleChanges::default();
        let (lead, follow) = self.sort(&named, &mut codes);
        self.lead(&lead, &mut codes, &mut changes, now);
        self.follow(&follow, &mut codes, &mut changes, now);
        self.fetchers.stop_idle();
        self.is_announced.store(true, Ordering::Release);
        tracing::info!(
            target: "state.change.logger",
            controller = request.controller_id.0,
            controller_epoch = request.controller_epoch,
            partitions = named.len(),
            leaders = changes.leaders.len(),
            followers = changes.followers.len(),
            refused = codes.iter().filter(|code| **code != 0).count(),
            "applied LeaderAndIsr"
        );
        (response(&named, &codes, version), changes)
    }

    /// Decides for every partition; those to act on come back, the others have their code set.
    fn sort<'a>(&self, named: &'a [Named], codes: &mut [i16]) -> (Vec<Change<'a>>, Vec<Change<'a>>) {
        let (mut lead, mut follow) = (Vec::new(), Vec::new());
        let local = self.shared.config.broker_id;
        for (at, named) in named.iter().enumerate() {
            let hosted = self.partitions.online(&named.partition);
            if hosted.is_none() && self.partitions.get(&named.partition).is_some() {
                codes[at] = ResponseError::KafkaStorageError.code();
                continue;
            }
            let known = Known {
                leader_epoch: hosted.as_ref().and_then(|hosted| hosted.leader_epoch()),
                topic_id: hosted.as_ref().and_then(|hosted| hosted.topic_id()),
            };
            let announced = Announced {
                leader_epoch: named.decision.leadership.leader_epoch,
                topic_id: named.decision.topic_id,
                is_replica: named.decision.leadership.assignment.replicas.contains(&local),
                is_leader: named.decision.leader == Some(local),
            };
            match (leader_and_isr(known, announced), hosted) {
                (LeaderAndIsrVerdict::Apply, _) => {
                    if let Some(hosted) =
                        self.partitions.get_or_insert(&named.partition, &self.shared.metrics)
                    {
                        let changes = if announced.is_leader { &mut lead } else { &mut follow };
                        changes.push(Change { at, hosted, named });
                    }
                }
                (LeaderAndIsrVerdict::AssignTopicId(id), Some(hosted)) => {
                    if let Err(error) = hosted.assign_topic_id(id) {
                        codes[at] = log_error_code(&error);
                    }
                    self.fetchers.set_topic_id(&named.partition, Some(id));
                }
                (LeaderAndIsrVerdict::ForgetTopicIdInFetcher, _) => {
                    self.fetchers.set_topic_id(&named.partition, None);
                }
                (LeaderAndIsrVerdict::AssignTopicId(_), None) => {}
                (LeaderAndIsrVerdict::Refuse(refusal), _) => codes[at] = refusal_code(refusal),
            }
        }
        (lead, follow)
    }

    fn lead(&self, changes: &[Change<'_>], codes: &mut [i16], roles: &mut RoleChanges, now: Timestamp) {
        self.fetchers.remove(changes.iter().map(|change| &change.named.partition));
        let results = for_all(changes, |change| {
            change.hosted.make_leader(&self.shared, &self.logs, &change.named.decision, now)
        });
        for (change, result) in changes.iter().zip(results) {
            match result {
                Ok(true) => roles.leaders.push(role(change.named)),
                Ok(false) => {}
                Err(error) => codes[change.at] = self.log_failed(&change.named.partition, &error),
            }
            self.resume_move(&change.hosted, &change.named.partition, now);
        }
    }

    fn follow(&self, changes: &[Change<'_>], codes: &mut [i16], roles: &mut RoleChanges, now: Timestamp) {
        let results = for_all(changes, |change| {
            let decision = &change.named.decision;
            match decision.leader.filter(|leader| self.shared.environment.is_alive(*leader)) {
                Some(_) => change.hosted.make_follower(&self.logs, decision, now),
                None => {
                    tracing::error!(
                        partition = %change.named.partition, leader = ?decision.leader,
                        "cannot follow: the leader is not among the live brokers"
                    );
                    change.hosted.ensure_log(&self.logs, decision, now).map(|_| None)
                }
            }
        });
        let mut starts = Vec::with_capacity(changes.len());
        for (change, result) in changes.iter().zip(results) {
            match result {
                Ok(Some(log)) => {
                    roles.followers.push(role(change.named));
                    let decision = &change.named.decision;
                    let term = decision.leadership.leader_epoch;
                    starts.extend(decision.leader.map(|leader| {
                        self.fetch_start(&change.named.partition, decision.topic_id, leader, term, &log)
                    }));
                }
                Ok(None) => {}
                Err(error) => codes[change.at] = self.log_failed(&change.named.partition, &error),
            }
            self.resume_move(&change.hosted, &change.named.partition, now);
        }
        self.fetchers.add(starts);
    }

    /// Where to fetch from: the log's end when its epochs tell where it parts from the leader's, else what is known to be committed.
    pub(super) fn fetch_start(
        &self,
        partition: &TopicPartition,
        topic_id: Option<TopicId>,
        leader: BrokerId,
        leader_epoch: LeaderEpoch,
        log: &PartitionLog,
    ) -> FetchStart {
        let truncates_on_fetch = self.shared.config.protocol.truncates_on_fetch();
        let last_epoch = log.latest_epoch();
        let offset = match last_epoch {
            Some(_) if truncates_on_fetch => log.log_end_offset(),
            _ => log.high_watermark(),
        };
        FetchStart { partition: partition.clone(), topic_id, leader, leader_epoch, offset, last_epoch }
    }

    fn log_failed(&self, partition: &TopicPartition, error: &LogError) -> i16 {
        tracing::error!(%partition, %error, "cannot take the role that the controller gives");
        if matches!(error, LogError::Storage(_) | LogError::MayBeOffline(_)) {
            self.take_offline(std::slice::from_ref(partition));
        }
        log_error_code(error)
    }

    /// Marks partitions offline: fetchers let go of them, and whoever waits is told.
    pub(super) fn take_offline(&self, partitions: &[TopicPartition]) {
        self.fetchers.remove(partitions.iter());
        for partition in partitions {
            if let Some(super::Hosted::Online(hosted)) = self.partitions.set_offline(partition) {
                hosted.retire(WaitOutcome::Offline);
            }
        }
    }
}

fn role(named: &Named) -> (TopicPartition, LeaderEpoch) {
    (named.partition.clone(), named.decision.leadership.leader_epoch)
}

/// The partitions of a request of any version, in its order.
fn decode(request: &LeaderAndIsrRequest) -> Vec<Named> {
    let ungrouped = request
        .ungrouped_partition_states
        .iter()
        .map(|state| decode_partition(TopicName::new(&state.topic_name), None, state));
    let grouped = request.topic_states.iter().flat_map(|topic| {
        let name = TopicName::new(&topic.topic_name);
        let id = TopicId::from_wire(topic.topic_id);
        topic.partition_states.iter().map(move |state| decode_partition(name.clone(), id, state))
    });
    ungrouped.chain(grouped).collect()
}

fn decode_partition(
    topic: TopicName,
    topic_id: Option<TopicId>,
    state: &LeaderAndIsrPartitionState,
) -> Named {
    let brokers = |ids: &[messages::BrokerId]| ids.iter().map(|id| BrokerId(id.0)).collect::<Vec<_>>();
    Named {
        partition: TopicPartition { topic, partition: state.partition_index },
        decision: RoleDecision {
            leader: BrokerId::from_wire(state.leader.0),
            leadership: Leadership {
                leader_epoch: LeaderEpoch(state.leader_epoch),
                partition_epoch: PartitionEpoch(state.partition_epoch),
                isr: brokers(&state.isr),
                assignment: ReplicaAssignment {
                    replicas: brokers(&state.replicas),
                    adding: brokers(&state.adding_replicas),
                    removing: brokers(&state.removing_replicas),
                },
            },
            topic_id,
            is_new: state.is_new,
        },
    }
}

/// The answer: by topic id from version 5 on, by name before.
fn response(named: &[Named], codes: &[i16], version: i16) -> LeaderAndIsrResponse {
    let error = |named: &Named, code: i16| {
        LeaderAndIsrPartitionError::default()
            .with_partition_index(named.partition.partition)
            .with_error_code(code)
    };
    if version < 5 {
        let errors = named.iter().zip(codes).map(|(named, code)| {
            let topic = StrBytes::from_string(named.partition.topic.as_str().to_owned());
            error(named, *code).with_topic_name(messages::TopicName(topic))
        });
        return LeaderAndIsrResponse::default().with_partition_errors(errors.collect());
    }
    let mut topics: Vec<LeaderAndIsrTopicError> = Vec::new();
    let mut positions: HashMap<&TopicName, usize> = HashMap::new();
    for (named, code) in named.iter().zip(codes) {
        let at = *positions.entry(&named.partition.topic).or_insert_with(|| {
            let id = TopicId::to_wire(named.decision.topic_id);
            topics.push(LeaderAndIsrTopicError::default().with_topic_id(id));
            topics.len() - 1
        });
        topics[at].partition_errors.push(error(named, *code));
    }
    LeaderAndIsrResponse::default().with_topics(topics)
}
