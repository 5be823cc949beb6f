//! LeaderAndIsr, UpdateMetadata and StopReplica (`ReplicaManager` in the product; the rules are its `control_rules`).

use gregor_controller_machine::{
    ControlRequest, LeaderAndIsrRequest, LeaderAndIsrTopic, ReplicaAnswer, StopReplicaRequest,
    UpdateMetadataRequest,
};
use gregor_model::{BrokerEpoch, BrokerId, ControllerEpoch, LeaderEpoch, TopicId, TopicPartition};
use gregor_replication::fetcher::machine::FetchStart;
use gregor_replication::partition::control_rules::{
    Announced, Known, LeaderAndIsrVerdict, leader_and_isr, stop_replica,
};
use gregor_replication::partition::leader::{LeaderState, Leadership};
use gregor_replication::partition::progress::FollowerPosition;

use super::partition::{Leading, Others};
use super::{Context, Partition, Process, Role};
use crate::message::ControlAnswer;
use crate::mutants::Mutant;

/// What LeaderAndIsr decides for one partition.
#[derive(Debug)]
struct Decision {
    partition: TopicPartition,
    leader: Option<BrokerId>,
    topic_id: Option<TopicId>,
    leadership: Leadership,
    is_new: bool,
}

impl Process {
    /// Applies a control request, unless it is out of date.
    pub(super) fn on_control(
        &mut self,
        cx: &mut Context<'_>,
        controller: BrokerId,
        request: ControlRequest,
    ) -> ControlAnswer {
        let (broker_epoch, controller_epoch) = match &request {
            ControlRequest::LeaderAndIsr(request) => (request.broker_epoch, request.controller_epoch),
            ControlRequest::UpdateMetadata(request) => (request.broker_epoch, request.controller_epoch),
            ControlRequest::StopReplica(request) => (request.broker_epoch, request.controller_epoch),
        };
        if !self.admits(cx, broker_epoch, controller_epoch) {
            return ControlAnswer::Refused;
        }
        match request {
            ControlRequest::LeaderAndIsr(request) => self.on_leader_and_isr(cx, &request),
            ControlRequest::UpdateMetadata(request) => self.on_update_metadata(controller, &request),
            ControlRequest::StopReplica(request) => self.on_stop_replica(cx, &request),
        }
    }

    /// As `ReplicaManager::admit`.
    fn admits(&mut self, cx: &mut Context<'_>, broker: BrokerEpoch, controller: ControllerEpoch) -> bool {
        if cx.core.is_mutant(Mutant::StaleLeaderAndIsr) {
            return true;
        }
        if self.epoch.is_some_and(|own| broker < own) || controller < self.latest_controller {
            return false;
        }
        self.latest_controller = controller;
        true
    }

    fn on_update_metadata(&mut self, controller: BrokerId, request: &UpdateMetadataRequest) -> ControlAnswer {
        self.metadata.update(controller, &request.content);
        ControlAnswer::Applied(Vec::new())
    }

    fn on_leader_and_isr(&mut self, cx: &mut Context<'_>, request: &LeaderAndIsrRequest) -> ControlAnswer {
        let mut answers = Vec::new();
        let (mut lead, mut follow) = (Vec::new(), Vec::new());
        for decision in request.topics.iter().flat_map(decisions) {
            if self.partitions.get(&decision.partition).is_some_and(|hosted| hosted.is_offline) {
                answers.push((decision.partition, ReplicaAnswer::StorageError));
                continue;
            }
            let verdict = self.judge(cx, &decision);
            let is_applied = verdict == LeaderAndIsrVerdict::Apply;
            if is_applied {
                let is_leader = decision.leader == Some(self.id);
                let list = if is_leader { &mut lead } else { &mut follow };
                answers.push((decision.partition.clone(), ReplicaAnswer::Done));
                list.push(decision);
            } else {
                answers.push((decision.partition.clone(), ReplicaAnswer::Failed));
            }
        }
        for decision in lead {
            let partition = decision.partition.clone();
            self.stop_fetching(&partition);
            if self.make_leader(cx, decision).is_none() {
                self.log_failed(cx, &partition, &mut answers);
            }
        }
        for decision in follow {
            let partition = decision.partition.clone();
            let done = match decision.leader.filter(|leader| self.metadata.live.contains(leader)) {
                Some(leader) => self.make_follower(cx, decision, leader),
                None => self.attach_log(cx, &decision),
            };
            if done.is_none() {
                self.log_failed(cx, &partition, &mut answers);
            }
        }
        self.stop_idle_fetchers();
        self.announced = true;
        ControlAnswer::Applied(answers)
    }

    fn judge(&self, cx: &Context<'_>, decision: &Decision) -> LeaderAndIsrVerdict {
        let hosted = self.partitions.get(&decision.partition);
        let log = cx.disk.get(&decision.partition).filter(|_| hosted.is_some_and(|hosted| hosted.has_log));
        let known = Known {
            leader_epoch: hosted.and_then(|hosted| hosted.leader_epoch),
            topic_id: log.and_then(|log| log.topic_id),
        };
        let announced = Announced {
            leader_epoch: decision.leadership.leader_epoch,
            topic_id: decision.topic_id,
            is_replica: decision.leadership.assignment.replicas.contains(&self.id),
            is_leader: decision.leader == Some(self.id),
        };
        if cx.core.is_mutant(Mutant::StaleLeaderAndIsr) && announced.is_replica {
            return LeaderAndIsrVerdict::Apply;
        }
        leader_and_isr(known, announced)
    }

    /// As `State::is_outdated`.
    fn is_outdated(&self, cx: &Context<'_>, decision: &Decision) -> bool {
        let Some(hosted) = self.partitions.get(&decision.partition) else { return false };
        let known = match &hosted.role {
            Role::Leader(leading) => Some(leading.state.partition_epoch()),
            Role::None | Role::Follower => hosted.partition_epoch,
        };
        let is_older = known.is_some_and(|known| decision.leadership.partition_epoch < known);
        is_older && !cx.core.is_mutant(Mutant::StaleLeaderAndIsr)
    }

    /// `None`: there is no such log, and none can be made.
    fn attach_log(&mut self, cx: &mut Context<'_>, decision: &Decision) -> Option<()> {
        let hosted = self.partitions.entry(decision.partition.clone()).or_default();
        let log = match cx.disk.get_mut(&decision.partition) {
            Some(log) => log,
            None => cx.disk.create(&decision.partition, decision.is_new)?,
        };
        hosted.has_log = true;
        if log.topic_id.is_none() {
            log.topic_id = decision.topic_id;
        }
        Some(())
    }

    /// As `ReplicaManager::log_failed`.
    fn log_failed(
        &mut self,
        cx: &mut Context<'_>,
        partition: &TopicPartition,
        answers: &mut [(TopicPartition, ReplicaAnswer)],
    ) {
        self.take_offline(cx, partition);
        for (_, answer) in answers.iter_mut().filter(|(name, _)| name == partition) {
            *answer = ReplicaAnswer::StorageError;
        }
    }

    /// As `ReplicaManager::take_offline`, for one partition.
    pub(super) fn take_offline(&mut self, cx: &mut Context<'_>, partition: &TopicPartition) {
        self.stop_fetching(partition);
        let offline = Partition { is_offline: true, ..Partition::default() };
        if let Some(former) = self.partitions.insert(partition.clone(), offline) {
            self.release_role(cx, former.role);
        }
        self.wake_fetches(cx, partition);
    }

    fn make_leader(&mut self, cx: &mut Context<'_>, decision: Decision) -> Option<()> {
        if self.is_outdated(cx, &decision) {
            return Some(());
        }
        self.attach_log(cx, &decision)?;
        let log = cx.disk.get_mut(&decision.partition)?;
        let hosted = self.partitions.get_mut(&decision.partition)?;
        let end = log.end();
        let Decision { partition, leader, leadership, .. } = decision;
        let (epoch, version) = (leadership.leader_epoch, leadership.partition_epoch);
        if hosted.leader_epoch.is_none_or(|known| epoch > known) {
            log.epochs.assign(epoch, end);
        }
        let others = Others { clocks: &self.clocks, live: &self.metadata.live, now: cx.now };
        match &mut hosted.role {
            Role::Leader(leading) if cx.core.is_mutant(Mutant::PositionsKept) => {
                let known: Vec<_> = positions(leading);
                leading.state.renew(leadership, end, &others);
                for (follower, position) in known {
                    // One that is no longer a replica is not one.
                    let _ = leading.state.on_follower_fetch(follower, position, end, &others);
                }
            }
            Role::Leader(leading) => {
                leading.state.renew(leadership, end, &others);
                leading.assumed = None;
            }
            Role::None | Role::Follower => {
                let state = LeaderState::elect(self.id, leadership, end, &others);
                hosted.role = Role::Leader(Box::new(Leading { state, waits: Vec::new(), assumed: None }));
            }
        }
        hosted.leader = leader;
        hosted.leader_epoch = Some(epoch);
        hosted.partition_epoch = Some(version);
        cx.core.trace(|| format!("{} leads {partition} in epoch {}, log end {end:?}", self.id, epoch.0));
        cx.core.checker.on_role(self.id, self.number, &partition, epoch, Some(log));
        self.advance(cx, &partition);
        self.wake_fetches(cx, &partition);
        Some(())
    }

    fn make_follower(&mut self, cx: &mut Context<'_>, decision: Decision, leader: BrokerId) -> Option<()> {
        if self.is_outdated(cx, &decision) {
            return Some(());
        }
        self.attach_log(cx, &decision)?;
        let hosted = self.partitions.get_mut(&decision.partition)?;
        let epoch = decision.leadership.leader_epoch;
        let is_new_term = hosted.leader_epoch.is_none_or(|known| epoch > known);
        let former = std::mem::replace(&mut hosted.role, Role::Follower);
        hosted.leader = decision.leader;
        hosted.leader_epoch = Some(epoch);
        hosted.partition_epoch = Some(decision.leadership.partition_epoch);
        self.release_role(cx, former);
        self.wake_fetches(cx, &decision.partition);
        cx.core.trace(|| {
            format!("{} follows {} of {} in epoch {}", self.id, leader.0, decision.partition, epoch.0)
        });
        cx.core.checker.on_role(self.id, self.number, &decision.partition, epoch, None);
        if is_new_term || cx.core.is_mutant(Mutant::StaleLeaderAndIsr) {
            let start = self.fetch_start(cx, &decision.partition, decision.topic_id, leader, epoch)?;
            self.start_fetching(cx, start);
        }
        Some(())
    }

    /// As `ReplicaManager::fetch_start`.
    fn fetch_start(
        &self,
        cx: &mut Context<'_>,
        partition: &TopicPartition,
        topic_id: Option<TopicId>,
        leader: BrokerId,
        leader_epoch: LeaderEpoch,
    ) -> Option<FetchStart> {
        let log = cx.disk.get(partition)?;
        let mut last_epoch = log.epochs.latest();
        let mut offset = match last_epoch {
            Some(_) if cx.core.scenario.truncates_on_fetch => log.end(),
            _ => log.high_watermark,
        };
        if cx.core.is_mutant(Mutant::TruncateToHighWatermark) {
            (offset, last_epoch) = (log.high_watermark, None);
        }
        Some(FetchStart { partition: partition.clone(), topic_id, leader, leader_epoch, offset, last_epoch })
    }

    fn on_stop_replica(&mut self, cx: &mut Context<'_>, request: &StopReplicaRequest) -> ControlAnswer {
        let mut answers = Vec::new();
        for topic in &request.topics {
            for stop in &topic.partitions {
                let partition = TopicPartition { topic: topic.name.clone(), partition: stop.partition };
                let announced = if stop.deleting { -2 } else { LeaderEpoch::to_wire(stop.leader_epoch) };
                let known = self.partitions.get(&partition).and_then(|hosted| hosted.leader_epoch);
                let is_offline = self.partitions.get(&partition).is_some_and(|hosted| hosted.is_offline);
                let answer = match stop_replica(known, announced) {
                    _ if is_offline => ReplicaAnswer::StorageError,
                    Err(_) => ReplicaAnswer::Failed,
                    Ok(()) => {
                        self.stop_replica(cx, &partition, stop.delete);
                        ReplicaAnswer::Done
                    }
                };
                if stop.delete {
                    answers.push((partition, answer));
                }
            }
        }
        self.stop_idle_fetchers();
        ControlAnswer::Applied(answers)
    }

    fn stop_replica(&mut self, cx: &mut Context<'_>, partition: &TopicPartition, delete: bool) {
        self.stop_fetching(partition);
        self.wake_fetches(cx, partition);
        if delete {
            cx.core.trace(|| format!("{} deletes {partition}", self.id));
            if let Some(hosted) = self.partitions.remove(partition) {
                self.release_role(cx, hosted.role);
            }
            if let Some(end) = cx.disk.peek(partition).map(|log| log.end()) {
                cx.core.checker.on_replica_deleted(self.id, partition, end);
            }
            cx.disk.remove(partition);
        } else if let Some(Role::Leader(leading)) =
            self.partitions.get_mut(partition).map(|hosted| &mut hosted.role)
        {
            let waits = std::mem::take(&mut leading.waits);
            self.release(cx, waits);
        }
    }
}

/// Where the followers of a leader are, as far as it knows.
fn positions(leading: &Leading) -> Vec<(BrokerId, FollowerPosition)> {
    let known = leading.state.followers().filter_map(|(id, progress)| {
        let log_start_offset = progress.log_start_offset();
        let fetch_offset = progress.log_end_offset()?;
        Some((id, FollowerPosition { fetch_offset, log_start_offset, broker_epoch: None }))
    });
    known.collect()
}

fn decisions(topic: &LeaderAndIsrTopic) -> impl Iterator<Item = Decision> {
    topic.partitions.iter().map(|partition| {
        let decided = &partition.leadership.leader_and_isr;
        Decision {
            partition: TopicPartition { topic: topic.name.clone(), partition: partition.partition },
            leader: decided.leader,
            topic_id: topic.id,
            is_new: partition.is_new,
            leadership: Leadership {
                leader_epoch: decided.leader_epoch,
                partition_epoch: decided.partition_epoch,
                isr: decided.isr.clone(),
                assignment: (*partition.assignment).clone(),
            },
        }
    })
}
