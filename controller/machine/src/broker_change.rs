//! Brokers that come, go, bounce or move (`processBrokerChange`, `onBrokerStartup`, `onBrokerFailure`), and replicas whose
//! host or directory is lost (`onReplicasBecomeOffline`).

use std::collections::BTreeMap;
use std::sync::Arc;

use gregor_model::{BrokerEndpoints, BrokerEpoch, BrokerId};

use crate::context::{PartitionState, Replica, ReplicaState};
use crate::controller::Controller;
use crate::effect::{Effect, Notice};
use crate::event::ReplicaAnswer;
use crate::operation::Outcome;
use crate::reassignment::ReassignmentStep;
use crate::step::Step;
use crate::topic_deletion::DeletionStep;
use crate::znode::{BrokerRegistration, FinalizedFeatures, SupportedFeatures};

/// Parts of broker changes.
#[derive(Debug)]
pub(crate) enum BrokerStep {
    /// These brokers are live from here on.
    Register(Vec<BrokerRegistration>),
    /// These are not.
    Unregister(Vec<BrokerId>),
    /// `onBrokerStartup`.
    Startup(Vec<BrokerId>),
    /// `onBrokerFailure`.
    Failure(Vec<BrokerId>),
    /// `onReplicasBecomeOffline`.
    BecomeOffline(Vec<Replica>),
    /// Tell everybody who is alive, unless a successful election did.
    AnnounceUnlessElected,
}

/// What broker events wait for.
#[derive(Debug)]
pub(crate) enum BrokerAwait {
    /// All registrations.
    Changed,
    /// One registration.
    Modified(BrokerId),
}

impl Controller {
    /// Does one part of a broker change.
    pub(crate) fn broker_step(&mut self, step: BrokerStep) {
        match step {
            BrokerStep::Register(registrations) => {
                for registration in registrations {
                    self.context.brokers.insert(registration);
                }
            }
            BrokerStep::Unregister(brokers) => {
                for broker in brokers {
                    self.context.brokers.remove(broker);
                }
            }
            BrokerStep::Startup(brokers) => self.brokers_started(brokers),
            BrokerStep::Failure(brokers) => {
                for broker in &brokers {
                    self.context.forget_offline_dirs(*broker);
                    self.context.brokers.set_shutting_down(*broker, false);
                }
                self.replicas_become_offline(self.context.replicas_on(&brokers));
            }
            BrokerStep::BecomeOffline(replicas) => self.replicas_become_offline(replicas),
            BrokerStep::AnnounceUnlessElected => {
                if self.elections.values().all(Result::is_err) {
                    self.then([Step::Announce(Vec::new())]);
                }
            }
        }
    }

    /// Goes on with a broker event after ZooKeeper answered.
    pub(crate) fn resume_brokers(&mut self, awaited: BrokerAwait, outcome: Outcome) {
        match (awaited, outcome) {
            (BrokerAwait::Changed, Outcome::Brokers(registrations)) => self.brokers_read(registrations),
            (BrokerAwait::Modified(broker), Outcome::Brokers(registrations)) => {
                let found = registrations.into_iter().find(|registration| registration.broker.id == broker);
                self.broker_modified(broker, found);
            }
            (_, outcome) => self.abandon_on(outcome),
        }
    }

    /// Leaves out brokers that do not support what is finalized.
    pub(crate) fn compatible(&mut self, registrations: Vec<BrokerRegistration>) -> Vec<BrokerRegistration> {
        let mut compatible = Vec::with_capacity(registrations.len());
        for registration in registrations {
            if supports(&registration.features, &self.context.finalized_features) {
                compatible.push(registration);
            } else {
                self.notice(Notice::IncompatibleBroker(registration.broker.id));
            }
        }
        compatible
    }

    /// Opens a channel to a broker.
    pub(crate) fn open_channel(&mut self, registration: &BrokerRegistration) {
        self.context.brokers.set_channel(registration.broker.id, true);
        self.effects.push(Effect::AddBroker(Arc::clone(&registration.broker)));
    }

    fn close_channel(&mut self, broker: BrokerId) {
        self.context.brokers.set_channel(broker, false);
        self.effects.push(Effect::RemoveBroker(broker));
    }

    fn brokers_read(&mut self, registrations: Vec<BrokerRegistration>) {
        let mut found: BTreeMap<BrokerId, BrokerRegistration> = self
            .compatible(registrations)
            .into_iter()
            .map(|registration| (registration.broker.id, registration))
            .collect();
        self.settle_refusing(&mut found);
        let dead: Vec<BrokerId> = self.context.brokers.ids().filter(|id| !found.contains_key(id)).collect();
        let mut new = Vec::new();
        let mut bounced = Vec::new();
        for (id, registration) in found {
            match self.context.brokers.epoch(id) {
                None => new.push(registration),
                Some(epoch) if registration.broker.epoch > epoch => bounced.push(registration),
                Some(_) => {}
            }
        }
        let ids = |registrations: &[BrokerRegistration]| -> Vec<BrokerId> {
            registrations.iter().map(|registration| registration.broker.id).collect()
        };
        let (new_ids, bounced_ids) = (ids(&new), ids(&bounced));
        for registration in &new {
            self.open_channel(registration);
        }
        for registration in &bounced {
            self.close_channel(registration.broker.id);
            self.open_channel(registration);
        }
        for broker in &dead {
            self.close_channel(*broker);
        }
        let mut steps = Vec::new();
        if !new.is_empty() {
            steps.push(BrokerStep::Register(new));
            steps.push(BrokerStep::Startup(new_ids));
        }
        if !bounced.is_empty() {
            steps.push(BrokerStep::Unregister(bounced_ids.clone()));
            steps.push(BrokerStep::Failure(bounced_ids.clone()));
            steps.push(BrokerStep::Register(bounced));
            steps.push(BrokerStep::Startup(bounced_ids));
        }
        if !dead.is_empty() {
            steps.push(BrokerStep::Unregister(dead.clone()));
            steps.push(BrokerStep::Failure(dead));
        }
        self.then(steps.into_iter().map(Step::Brokers));
    }

    fn broker_modified(&mut self, id: BrokerId, found: Option<BrokerRegistration>) {
        let Some(new) = found else { return };
        if let Some(old) = self.context.brokers.refusing(id) {
            if new.broker.epoch == old.broker.epoch {
                self.context.brokers.replace_refusing(new);
            }
            return;
        }
        let Some(old) = self.context.brokers.get(id) else { return };
        // A new registration under the same id is a bounce, which BrokersChanged deals with.
        if new.broker.epoch != old.broker.epoch {
            return;
        }
        if new.broker.endpoints != old.broker.endpoints || new.features != old.features {
            self.context.brokers.insert(new);
            self.then([Step::Announce(Vec::new())]);
        }
    }

    /// Of the brokers that refuse connections: those still registered as before go on so and need nothing now; the others
    /// lose their channels, and one that is registered anew starts as any new broker.
    fn settle_refusing(&mut self, found: &mut BTreeMap<BrokerId, BrokerRegistration>) {
        let refusing: Vec<BrokerId> = self.context.brokers.refusing_ids().collect();
        for id in refusing {
            let known = self.context.brokers.refusing(id).map(|registration| registration.broker.epoch);
            let now = found.get(&id).map(|registration| registration.broker.epoch);
            if now.is_some() && now <= known {
                found.remove(&id);
            } else {
                self.context.brokers.take_refusing(id);
                self.close_channel(id);
            }
        }
    }

    /// A broker's process is gone: what would follow the end of its session follows now. Kafka waits for that end. Should the
    /// broker live after all, it is a leader that others have replaced under a higher epoch, as after an expired session.
    pub(crate) fn broker_refuses(&mut self, broker: BrokerId, epoch: BrokerEpoch) {
        if self.context.brokers.set_refusing(broker, epoch) {
            self.notice(Notice::BrokerRefuses(broker));
            self.then([Step::Brokers(BrokerStep::Failure(vec![broker]))]);
        }
    }

    /// It is there again, in the same session: live as a broker that just started.
    pub(crate) fn broker_answers(&mut self, broker: BrokerId, epoch: BrokerEpoch) {
        let known = self.context.brokers.refusing(broker).map(|registration| registration.broker.epoch);
        if known != Some(epoch) {
            return;
        }
        let Some(registration) = self.context.brokers.take_refusing(broker) else { return };
        self.notice(Notice::BrokerAnswers(broker));
        self.then([
            Step::Brokers(BrokerStep::Register(vec![registration])),
            Step::Brokers(BrokerStep::Startup(vec![broker])),
        ]);
    }

    fn brokers_started(&mut self, brokers: Vec<BrokerId>) {
        for broker in &brokers {
            self.context.forget_offline_dirs(*broker);
        }
        let others: Vec<BrokerId> = self.context.brokers.ids().filter(|id| !brokers.contains(id)).collect();
        self.batch.update_metadata(others, []);
        self.send_batch();
        // The newcomers know nothing: everything, and before any LeaderAndIsr.
        let known = self.context.with_leadership();
        self.batch.update_metadata(brokers.iter().copied(), known);
        self.send_batch();
        self.then([
            Step::MoveReplicas(self.context.replicas_on(&brokers), ReplicaState::Online),
            Step::ElectUnsettled(None),
            Step::Reassignment(ReassignmentStep::ResumeTowards(brokers.clone())),
            Step::Deletion(DeletionStep::ResumeOn(brokers)),
        ]);
    }

    fn replicas_become_offline(&mut self, replicas: Vec<Replica>) {
        let (deleting, staying): (Vec<Replica>, Vec<Replica>) =
            replicas.into_iter().partition(|(key, _)| self.context.is_partition_queued_for_deletion(*key));
        let leaderless = self.context.with_offline_leader();
        self.move_partitions(&leaderless, PartitionState::Offline);
        let nothing_to_tell = staying.is_empty();
        let mut steps = vec![
            Step::ElectUnsettled(None),
            Step::MoveReplicas(staying, ReplicaState::Offline),
            Step::Deletion(DeletionStep::Fail(deleting)),
        ];
        if nothing_to_tell {
            steps.push(Step::Brokers(BrokerStep::AnnounceUnlessElected));
        }
        self.then(steps);
    }

    /// Learns from a LeaderAndIsr answer which replicas are in offline directories.
    pub(crate) fn leader_and_isr_answered(
        &mut self,
        broker: BrokerId,
        epoch: BrokerEpoch,
        answers: &[(gregor_model::TopicPartition, ReplicaAnswer)],
    ) {
        if self.context.brokers.epoch(broker) != Some(epoch) {
            return;
        }
        let mut failed = Vec::new();
        for (partition, answer) in answers {
            let Some(key) = self.context.find(partition) else { continue };
            match answer {
                ReplicaAnswer::Done => {
                    self.context.set_offline_dir((key, broker), false);
                }
                ReplicaAnswer::StorageError => {
                    if self.context.set_offline_dir((key, broker), true) {
                        failed.push((key, broker));
                    }
                }
                ReplicaAnswer::Failed => {}
            }
        }
        if !failed.is_empty() {
            self.then([Step::Brokers(BrokerStep::BecomeOffline(failed))]);
        }
    }

    /// The addresses of a live or shutting-down broker.
    pub fn broker(&self, id: BrokerId) -> Option<&Arc<BrokerEndpoints>> {
        self.context.brokers.get(id).map(|registration| &registration.broker)
    }
}

/// Whether a broker supports every finalized feature at its level (`BrokerFeatures.hasIncompatibleFeatures`).
pub(crate) fn supports(supported: &SupportedFeatures, finalized: &FinalizedFeatures) -> bool {
    finalized
        .iter()
        .all(|(name, level)| supported.get(name).is_some_and(|range| (range.min..=range.max).contains(level)))
}
