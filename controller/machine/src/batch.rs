//! Collects what a transition has to tell the brokers, and makes requests of it (`AbstractControllerBrokerRequestBatch`).
//!
//! Per broker and partition the last LeaderAndIsr wins, with `is_new` and `delete` sticky; all LeaderAndIsr go out
//! first, then the one shared UpdateMetadata, then the StopReplicas. Targets that are not registered are dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gregor_model::{BrokerId, LeaderEpoch, ReplicaAssignment};

use crate::context::{Context, PartitionKey, TopicKey};
use crate::control::{
    ControlRequest, LeaderAndIsrPartition, LeaderAndIsrRequest, LeaderAndIsrTopic, Leadership,
    StopReplicaPartition, StopReplicaRequest, StopReplicaTopic, UpdateMetadataContent,
    UpdateMetadataPartition, UpdateMetadataRequest, UpdateMetadataTopic,
};
use crate::effect::Effect;

#[derive(Debug)]
struct LeaderAndIsrEntry {
    key: PartitionKey,
    leadership: Leadership,
    assignment: Arc<ReplicaAssignment>,
    is_new: bool,
}

#[derive(Debug)]
struct StopEntry {
    key: PartitionKey,
    deleting: bool,
    leader_epoch: Option<LeaderEpoch>,
    delete: bool,
}

/// Requests being collected.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    leader_and_isr: BTreeMap<BrokerId, Vec<LeaderAndIsrEntry>>,
    metadata_to_all: bool,
    metadata_targets: BTreeSet<BrokerId>,
    metadata_partitions: Vec<PartitionKey>,
    stop_replica: BTreeMap<BrokerId, Vec<StopEntry>>,
}

impl Batch {
    /// Tells these brokers the partition's cached leadership, and everybody the same as metadata.
    pub(crate) fn leader_and_isr(
        &mut self,
        context: &Context,
        brokers: impl IntoIterator<Item = BrokerId>,
        key: PartitionKey,
        is_new: bool,
    ) {
        let Some(partition) = context.partition(key) else { return };
        let Some(leadership) = &partition.leadership else { return };
        for broker in brokers {
            // Kafka collects for unregistered brokers, too, and drops at the end; nobody becomes registered between.
            if context.brokers.get(broker).is_some() {
                self.leader_and_isr.entry(broker).or_default().push(LeaderAndIsrEntry {
                    key,
                    leadership: Arc::clone(leadership),
                    assignment: Arc::clone(&partition.assignment),
                    is_new,
                });
            }
        }
        self.update_metadata_of_all([key]);
    }

    /// Tells these brokers who is alive, and (together with all other targets) these partitions.
    pub(crate) fn update_metadata(
        &mut self,
        brokers: impl IntoIterator<Item = BrokerId>,
        partitions: impl IntoIterator<Item = PartitionKey>,
    ) {
        self.metadata_targets.extend(brokers);
        self.metadata_partitions.extend(partitions);
    }

    /// The same for all live or shutting-down brokers.
    pub(crate) fn update_metadata_of_all(&mut self, partitions: impl IntoIterator<Item = PartitionKey>) {
        self.metadata_to_all = true;
        self.metadata_partitions.extend(partitions);
    }

    /// Tells the broker to stop (and delete) its replica.
    pub(crate) fn stop_replica(
        &mut self,
        context: &Context,
        broker: BrokerId,
        key: PartitionKey,
        delete: bool,
    ) {
        let (deleting, leader_epoch) = context.stop_epoch(key);
        self.stop_replica.entry(broker).or_default().push(StopEntry { key, deleting, leader_epoch, delete });
    }

    /// Makes the requests and leaves the batch empty.
    pub(crate) fn send(&mut self, context: &Context, effects: &mut Vec<Effect>) {
        for (broker, entries) in std::mem::take(&mut self.leader_and_isr) {
            send_to(context, broker, effects, |epoch| {
                ControlRequest::LeaderAndIsr(leader_and_isr_request(context, epoch, entries))
            });
        }
        let mut targets = std::mem::take(&mut self.metadata_targets);
        if std::mem::take(&mut self.metadata_to_all) {
            targets.extend(context.brokers.ids());
        }
        let mut partitions = std::mem::take(&mut self.metadata_partitions);
        partitions.sort_unstable();
        partitions.dedup();
        if !targets.is_empty() {
            let content = Arc::new(metadata_content(context, partitions));
            for broker in targets {
                send_to(context, broker, effects, |broker_epoch| {
                    let content = Arc::clone(&content);
                    ControlRequest::UpdateMetadata(UpdateMetadataRequest {
                        controller_epoch: context.epoch,
                        broker_epoch,
                        content,
                    })
                });
            }
        }
        for (broker, entries) in std::mem::take(&mut self.stop_replica) {
            send_to(context, broker, effects, |epoch| {
                ControlRequest::StopReplica(stop_replica_request(context, epoch, entries))
            });
        }
    }

    /// Forgets everything collected.
    pub(crate) fn clear(&mut self) {
        *self = Batch::default();
    }
}

fn send_to(
    context: &Context,
    broker: BrokerId,
    effects: &mut Vec<Effect>,
    request: impl FnOnce(gregor_model::BrokerEpoch) -> ControlRequest,
) {
    if let Some(epoch) = context.brokers.epoch(broker)
        && context.brokers.has_channel(broker)
    {
        effects.push(Effect::Send { broker, request: request(epoch) });
    }
}

/// Sorts by topic and index, and joins entries of one partition: the later absorbs the earlier.
fn settle<T>(
    context: &Context,
    entries: Vec<T>,
    key: impl Fn(&T) -> PartitionKey,
    absorb: impl Fn(&mut T, T),
) -> Vec<(TopicKey, i32, T)> {
    let placed = entries.into_iter().filter_map(|entry| {
        let partition = context.partition(key(&entry))?;
        Some((partition.topic, partition.name.partition, entry))
    });
    let mut placed: Vec<(TopicKey, i32, T)> = placed.collect();
    // Stable, and all but free for what is sorted already, as most of a failover is.
    placed.sort_by_key(|(topic, index, _)| (*topic, *index));
    let mut settled: Vec<(TopicKey, i32, T)> = Vec::with_capacity(placed.len());
    for (topic, index, entry) in placed {
        match settled.last_mut() {
            Some((last_topic, last_index, last)) if *last_topic == topic && *last_index == index => {
                let earlier = std::mem::replace(last, entry);
                absorb(last, earlier);
            }
            _ => settled.push((topic, index, entry)),
        }
    }
    settled
}

/// Groups what is sorted by topic.
fn by_topic<T, P>(
    context: &Context,
    entries: Vec<(TopicKey, i32, T)>,
    partition: impl Fn(i32, T) -> P,
    mut topic: impl FnMut(&crate::context::Topic, Vec<P>),
) {
    let mut entries = entries.into_iter().peekable();
    while let Some((key, index, entry)) = entries.next() {
        let mut partitions = vec![partition(index, entry)];
        while let Some((_, index, entry)) = entries.next_if(|(next, _, _)| *next == key) {
            partitions.push(partition(index, entry));
        }
        if let Some(found) = context.topic(key) {
            topic(found, partitions);
        }
    }
}

fn leader_and_isr_request(
    context: &Context,
    broker_epoch: gregor_model::BrokerEpoch,
    entries: Vec<LeaderAndIsrEntry>,
) -> LeaderAndIsrRequest {
    let entries =
        settle(context, entries, |entry| entry.key, |entry, earlier| entry.is_new |= earlier.is_new);
    let leaders: BTreeSet<BrokerId> =
        entries.iter().filter_map(|(_, _, entry)| entry.leadership.leader_and_isr.leader).collect();
    let live_leaders = leaders
        .into_iter()
        .filter_map(|leader| context.brokers.get(leader))
        .map(|registration| Arc::clone(&registration.broker))
        .collect();
    let mut topics = Vec::new();
    let partition = |partition, entry: LeaderAndIsrEntry| LeaderAndIsrPartition {
        partition,
        leadership: entry.leadership,
        assignment: entry.assignment,
        is_new: entry.is_new,
    };
    by_topic(context, entries, partition, |topic, partitions| {
        topics.push(LeaderAndIsrTopic { name: topic.name.clone(), id: topic.id, partitions });
    });
    LeaderAndIsrRequest { controller_epoch: context.epoch, broker_epoch, topics, live_leaders }
}

fn metadata_content(context: &Context, partitions: Vec<PartitionKey>) -> UpdateMetadataContent {
    let mut entries = settle(context, partitions, |key| *key, |_, _| ());
    entries.retain(|(_, _, key)| {
        context.partition(*key).is_some_and(|partition| partition.leadership.is_some())
    });
    let mut topics = Vec::new();
    let partition = |index, key| {
        let partition = context.partition(key)?;
        let offline = |broker: &BrokerId| !context.is_online(key, *broker);
        Some(UpdateMetadataPartition {
            partition: index,
            leadership: Arc::clone(partition.leadership.as_ref()?),
            deleting: context.is_queued_for_deletion(partition.topic),
            assignment: Arc::clone(&partition.assignment),
            offline_replicas: partition.assignment.replicas.iter().copied().filter(offline).collect(),
        })
    };
    by_topic(context, entries, partition, |topic, partitions| {
        let partitions = partitions.into_iter().flatten().collect();
        topics.push(UpdateMetadataTopic { name: topic.name.clone(), id: topic.id, partitions });
    });
    UpdateMetadataContent { topics, live_brokers: context.brokers.endpoints() }
}

fn stop_replica_request(
    context: &Context,
    broker_epoch: gregor_model::BrokerEpoch,
    entries: Vec<StopEntry>,
) -> StopReplicaRequest {
    let entries =
        settle(context, entries, |entry| entry.key, |entry, earlier| entry.delete |= earlier.delete);
    let mut topics = Vec::new();
    let partition = |partition, entry: StopEntry| StopReplicaPartition {
        partition,
        deleting: entry.deleting,
        leader_epoch: entry.leader_epoch,
        delete: entry.delete,
    };
    by_topic(context, entries, partition, |topic, partitions| {
        topics.push(StopReplicaTopic { name: topic.name.clone(), partitions });
    });
    StopReplicaRequest { controller_epoch: context.epoch, broker_epoch, topics }
}
