//! Once faults have stopped the cluster becomes whole: a controller, a leader and a full ISR for every partition, equal logs.

use gregor_model::{BrokerId, Offset, TopicPartition};

use super::Checker;
use crate::broker::{Broker, Role};
use crate::log::SimLog;
use crate::zookeeper::Store;

/// What is not as it should be.
pub fn ailing(store: &Store, brokers: &[Broker], checker: &Checker) -> Option<String> {
    let Some((controller, _)) = store.controller else { return Some("there is no controller".to_owned()) };
    if !brokers.iter().any(|broker| broker.id == controller && broker.is_controller()) {
        return Some(format!("broker {} does not know that it is the controller", controller.0));
    }
    if let Some(broker) = brokers.iter().find(|broker| !store.brokers.contains_key(&broker.id)) {
        return Some(format!("broker {} is not registered", broker.id.0));
    }
    for topic in store.topics.values() {
        for (index, assignment) in &topic.partitions {
            let partition = TopicPartition { topic: topic.name.clone(), partition: *index };
            if let Some(ailment) =
                ailing_partition(store, brokers, checker, (&partition, &assignment.replicas))
            {
                return Some(format!("{partition}: {ailment}"));
            }
        }
    }
    None
}

fn ailing_partition(
    store: &Store,
    brokers: &[Broker],
    checker: &Checker,
    (partition, replicas): (&TopicPartition, &[BrokerId]),
) -> Option<String> {
    let Some(state) = store.states.get(partition) else { return Some("no state".to_owned()) };
    let state = &state.leader_and_isr;
    let Some(leader) = state.leader else { return Some("no leader".to_owned()) };
    if checker.is_forked(partition) {
        // Batches of the two lives need not even begin at the same offsets: followers may have failed.
        return None;
    }
    if let Some(out) = replicas.iter().find(|replica| !state.isr.contains(replica)) {
        return Some(format!("{} is not in the ISR {:?}", out.0, state.isr));
    }
    let leading = brokers.iter().find(|broker| broker.id == leader)?;
    let hosted = leading.process.as_ref().and_then(|process| process.partitions.get(partition));
    let Some(hosted) = hosted.filter(|hosted| matches!(hosted.role, Role::Leader(_))) else {
        return Some(format!("{} does not know that it leads", leader.0));
    };
    if hosted.leader_epoch != Some(state.leader_epoch) {
        return Some(format!("{} leads in another epoch than {}", leader.0, state.leader_epoch.0));
    }
    let log = leading.disk.get(partition)?;
    if log.high_watermark != log.end() {
        return Some(format!(
            "the high watermark {:?} is not the log end {:?}",
            log.high_watermark,
            log.end()
        ));
    }
    let unequal = brokers
        .iter()
        .filter(|broker| replicas.contains(&broker.id))
        .find(|broker| broker.disk.get(partition).is_none_or(|other| !are_equal(log, other)));
    unequal.map(|broker| format!("the log of {} is not its leader's", broker.id.0))
}

/// Whether two logs are the same from where both start.
fn are_equal(a: &SimLog, b: &SimLog) -> bool {
    let from = a.start().max(b.start());
    let kept = |log: &SimLog| {
        let mut batches = log.read(from, Offset(i64::MAX), usize::MAX);
        batches.retain(|batch| batch.base >= from);
        batches
    };
    a.end() == b.end() && kept(a) == kept(b)
}
