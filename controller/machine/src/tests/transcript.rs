//! Effects as lines of text, short enough to be compared as whole lists.
//!
//! `t-0 L1 e2 v3 i[1,2]` is leader 1, leader epoch 2, state version 3, ISR 1 and 2; `L-` is no leader. UpdateMetadata with
//! one content for several brokers is one line.

use std::fmt::Write;
use std::sync::Arc;

use gregor_model::{BrokerId, LeaderAndIsr, LeaderRecoveryState, ReplicaAssignment};

use crate::{ControlRequest, Effect, Operation, UpdateMetadataContent, UpdateMetadataRequest};

fn list(ids: &[BrokerId]) -> String {
    ids.iter().map(|id| id.0.to_string()).collect::<Vec<_>>().join(",")
}

pub(super) fn state(state: &LeaderAndIsr) -> String {
    let leader = state.leader.map_or("-".to_owned(), |leader| leader.to_string());
    let recovering = if state.recovery == LeaderRecoveryState::Recovering { " recovering" } else { "" };
    let (epoch, version) = (state.leader_epoch, state.partition_epoch);
    format!("L{leader} e{epoch} v{version} i[{}]{recovering}", list(&state.isr))
}

fn assignment(assignment: &ReplicaAssignment) -> String {
    let mut text = format!("r[{}]", list(&assignment.replicas));
    if assignment.is_being_reassigned() {
        write!(text, " +[{}] -[{}]", list(&assignment.adding), list(&assignment.removing)).unwrap();
    }
    text
}

fn operation(operation: &Operation) -> String {
    match operation {
        Operation::CreatePartitionStates(creates) => creates
            .iter()
            .map(|create| {
                format!("create {:?} {}", create.partition, state(&create.leadership.leader_and_isr))
            })
            .collect::<Vec<_>>()
            .join("; "),
        Operation::WritePartitionStates(writes) => writes
            .iter()
            .map(|write| format!("set {:?} {}", write.partition, state(&write.leadership.leader_and_isr)))
            .collect::<Vec<_>>()
            .join("; "),
        Operation::WriteTopics(nodes) => nodes
            .iter()
            .map(|node| {
                let partitions =
                    node.partitions.iter().map(|(index, value)| format!("{index}:{}", assignment(value)));
                format!("set topic {} {}", node.name, partitions.collect::<Vec<_>>().join(" "))
            })
            .collect::<Vec<_>>()
            .join("; "),
        Operation::AssignTopicIds(nodes) => {
            let names = nodes.iter().map(|node| node.name.to_string());
            format!("assign ids [{}]", names.collect::<Vec<_>>().join(","))
        }
        other => format!("{other:?}").replace('"', ""),
    }
}

fn request(broker: BrokerId, request: &ControlRequest) -> String {
    match request {
        ControlRequest::LeaderAndIsr(request) => {
            let mut text = format!("LISR {broker}:");
            for topic in &request.topics {
                for partition in &topic.partitions {
                    let new = if partition.is_new { " new" } else { "" };
                    let (leadership, assigned) =
                        (&partition.leadership.leader_and_isr, &partition.assignment);
                    let (name, index) = (&topic.name, partition.partition);
                    write!(text, " {name}-{index} {} {}{new}", state(leadership), assignment(assigned))
                        .unwrap();
                }
            }
            text
        }
        ControlRequest::StopReplica(request) => {
            let mut text = format!("SR {broker}:");
            for topic in &request.topics {
                for partition in &topic.partitions {
                    let epoch = match (partition.deleting, partition.leader_epoch) {
                        (true, _) => -2,
                        (false, Some(epoch)) => epoch.0,
                        (false, None) => -1,
                    };
                    let delete = if partition.delete { " delete" } else { "" };
                    write!(text, " {}-{} e{epoch}{delete}", topic.name, partition.partition).unwrap();
                }
            }
            text
        }
        ControlRequest::UpdateMetadata(request) => metadata(&[broker], &request.content),
    }
}

fn metadata(brokers: &[BrokerId], content: &UpdateMetadataContent) -> String {
    let live: Vec<BrokerId> = content.live_brokers.iter().map(|broker| broker.id).collect();
    let mut text = format!("UMR {}: live[{}]", list(brokers), list(&live));
    for topic in &content.topics {
        for partition in &topic.partitions {
            let (name, index) = (&topic.name, partition.partition);
            if partition.deleting {
                write!(text, " {name}-{index} gone").unwrap();
                continue;
            }
            write!(text, " {name}-{index} {}", state(&partition.leadership.leader_and_isr)).unwrap();
            if !partition.offline_replicas.is_empty() {
                write!(text, " off[{}]", list(&partition.offline_replicas)).unwrap();
            }
        }
    }
    text
}

fn as_metadata(effect: &Effect) -> Option<(BrokerId, &Arc<UpdateMetadataContent>)> {
    match effect {
        Effect::Send {
            broker,
            request: ControlRequest::UpdateMetadata(UpdateMetadataRequest { content, .. }),
        } => Some((*broker, content)),
        _ => None,
    }
}

/// One line per effect, brokers of one UpdateMetadata joined.
pub(super) fn lines(effects: &[Effect]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = effects;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if let Some((broker, content)) = as_metadata(first) {
            let mut brokers = vec![broker];
            while let Some((next, same)) = rest.first().and_then(as_metadata)
                && Arc::ptr_eq(same, content)
            {
                brokers.push(next);
                rest = &rest[1..];
            }
            lines.push(metadata(&brokers, content));
            continue;
        }
        lines.push(match first {
            Effect::Store { operation: wanted, .. } => operation(wanted),
            Effect::Send { broker, request: wanted } => request(*broker, wanted),
            Effect::AddBroker(broker) => format!("add broker {}", broker.id),
            Effect::RemoveBroker(broker) => format!("remove broker {broker}"),
            Effect::Reply { reply, .. } => format!("{reply:?}"),
            Effect::StartTimer { delay_ms, .. } => format!("timer {delay_ms}"),
            Effect::Active => "active".to_owned(),
            Effect::Resigned => "resigned".to_owned(),
            Effect::TriggerMove => "trigger move".to_owned(),
            Effect::Log(notice) => format!("log {notice}"),
        });
    }
    lines
}
