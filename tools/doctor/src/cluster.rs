//! What ZooKeeper says of a broker's partitions, held against its directories. Pure.

use std::collections::{BTreeMap, HashMap};

use gregor_log::stored::partition_metadata;
use gregor_model::{BrokerId, TopicId, TopicName, TopicPartition};
use uuid::Uuid;

use crate::examine::Examination;
use crate::finding::{Finding, Kind, Repair};
use crate::loss::Loss;
use crate::step::Step;

/// A topic's znode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicNode {
    /// Its id; topics that older brokers made have none.
    pub id: Option<TopicId>,
    /// Its replicas by partition.
    pub replicas: BTreeMap<i32, Vec<BrokerId>>,
}

/// A partition's state znode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateNode {
    /// The leader, if it has one.
    pub leader: Option<BrokerId>,
    /// The replicas in sync.
    pub isr: Vec<BrokerId>,
}

/// What ZooKeeper says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterNodes {
    /// `/cluster/id`.
    pub cluster_id: Option<String>,
    /// Topics.
    pub topics: HashMap<TopicName, TopicNode>,
    /// Topics marked for deletion.
    pub deleting: Vec<TopicName>,
    /// States of partitions.
    pub states: HashMap<TopicPartition, StateNode>,
    /// Znodes that cannot be read, and why.
    pub broken: Vec<(String, String)>,
    /// Topics whose own znode is among them: nothing is known of their partitions.
    pub unreadable: Vec<TopicName>,
}

/// Holds directories against znodes. `broker` is whose they are, if they do not say so themselves; `random` makes the
/// names of directories that are put aside.
pub fn compare(
    examination: &Examination,
    nodes: &ClusterNodes,
    broker: Option<BrokerId>,
    mut random: impl FnMut() -> Uuid,
) -> Vec<Finding> {
    let mut findings: Vec<Finding> = nodes
        .broken
        .iter()
        .map(|(path, problem)| Finding::new(path.clone(), Kind::BrokenZnode, problem.clone()))
        .collect();
    if nodes.cluster_id.is_none() {
        let what = "there is no cluster here: is the connect string right, with its chroot?";
        findings.push(Finding::new("/cluster/id", Kind::WrongCluster, what));
        return findings;
    }
    for identity in &examination.identities {
        if let (Some(stored), Some(cluster)) = (&identity.cluster, &nodes.cluster_id)
            && stored != cluster
        {
            let what = format!("the directories are of cluster {stored}, and this is cluster {cluster}");
            findings.push(Finding::new("/cluster/id", Kind::WrongCluster, what));
            return findings;
        }
    }
    let stored = examination.identities.iter().find_map(|identity| identity.broker).map(BrokerId);
    let Some(broker) = broker.or(stored) else {
        let what = "no meta.properties says which broker this is: give it with --broker-id";
        findings.push(Finding::new("meta.properties", Kind::DifferentIdentities, what));
        return findings;
    };
    for one in examination.partitions.iter().filter(|one| !one.is_future) {
        let place = one.dir.display().to_string();
        if nodes.unreadable.contains(&one.partition.topic) {
            continue;
        }
        let topic = nodes.topics.get(&one.partition.topic);
        let replicas = topic.and_then(|topic| topic.replicas.get(&one.partition.partition));
        let stray = match (topic, replicas) {
            (None, _) => Some((Kind::UnknownTopic, "the cluster has no such topic".to_owned())),
            (Some(_), None) => Some((Kind::UnknownTopic, "the topic has no such partition".to_owned())),
            (Some(_), Some(replicas)) if !replicas.contains(&broker) => {
                let ids: Vec<String> = replicas.iter().map(ToString::to_string).collect();
                Some((
                    Kind::NotAssigned,
                    format!("its replicas are on {}, and not on {broker}", ids.join(",")),
                ))
            }
            (Some(_), Some(_)) => None,
        };
        if let Some((kind, what)) = stray {
            let name =
                one.dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let to = one.dir.with_file_name(format!("{name}.{}-stray", random().simple()));
            let repair = Repair::lossless(
                "puts it aside under a name that brokers leave alone",
                vec![Step::Rename { from: one.dir.clone(), to }],
            );
            findings.push(Finding::new(place, kind, what).repaired_by(repair));
            continue;
        }
        findings.extend(wrong_topic_id(one.topic_id, topic.and_then(|topic| topic.id), one, &place));
    }
    findings.extend(missing_replicas(examination, nodes, broker));
    findings
}

fn wrong_topic_id(
    stored: Option<TopicId>,
    known: Option<TopicId>,
    one: &crate::partition::Examined,
    place: &str,
) -> Option<Finding> {
    let (stored, known) = (stored?, known?);
    if stored == known {
        return None;
    }
    let what = format!(
        "the log is of a topic with id {stored}, and the topic of this name has id {known}: it was deleted and made anew"
    );
    let repair = Repair {
        does: format!("gives the log id {known}, with the records that it has"),
        loses: Loss::Other("that these records are of another topic of the same name".to_owned()),
        steps: vec![Step::Write {
            path: one.dir.join(partition_metadata::NAME),
            bytes: partition_metadata::format(known),
        }],
    };
    Some(Finding::new(place, Kind::WrongTopicId, what).repaired_by(repair))
}

/// Partitions of this broker that no directory holds.
fn missing_replicas(examination: &Examination, nodes: &ClusterNodes, broker: BrokerId) -> Vec<Finding> {
    let here = |partition: &TopicPartition| {
        examination.partitions.iter().any(|one| !one.is_future && one.partition == *partition)
    };
    let mut findings = Vec::new();
    let mut topics: Vec<_> = nodes.topics.iter().filter(|(name, _)| !nodes.deleting.contains(name)).collect();
    topics.sort_by_key(|(name, _)| (*name).clone());
    for (name, topic) in topics {
        for (number, replicas) in &topic.replicas {
            let partition = TopicPartition::new(name.clone(), *number);
            // A partition without a state has never had a leader: nothing was written to it.
            let Some(state) = nodes.states.get(&partition) else { continue };
            if !replicas.contains(&broker) || here(&partition) {
                continue;
            }
            let others = state.isr.iter().any(|other| *other != broker);
            let what = if others {
                "this broker has a replica of it, and no directory holds it: the broker fetches it anew"
            } else if state.isr.contains(&broker) {
                "this broker has the only replica in sync, and no directory holds it: the broker begins it empty"
            } else {
                "this broker has a replica of it, out of sync, and no directory holds it"
            };
            findings.push(Finding::new(partition.to_string(), Kind::MissingReplica, what));
        }
    }
    findings
}
