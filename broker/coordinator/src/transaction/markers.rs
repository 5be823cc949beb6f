//! Markers on their way to partition leaders (`TransactionMarkerChannelManager`): grouped by broker, one request per
//! broker at a time, asked again as long as a leader may yet take them.

use std::collections::{BTreeMap, HashMap, VecDeque};

use gregor_model::{BrokerId, TopicPartition};

use super::Markers;

/// Where a partition's marker is to go, as the metadata cache knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkerTarget {
    /// The leader, alive.
    Leader(BrokerId),
    /// A leader that is not alive, or none: looked up again later.
    Unknown,
    /// The partition does not exist any more: the transaction goes on without it.
    Deleted,
}

/// How a leader answered for one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkerAnswer {
    /// Written, or never to be written (a message format without transactions).
    Settled,
    /// To be sent again, perhaps to another leader.
    Retry,
    /// Another coordinator is at work: nothing more is sent for this transaction.
    Fenced,
}

/// A partition's marker and the partition of `__transaction_state` it comes from.
#[derive(Clone, Debug)]
struct Entry {
    state_partition: i32,
    coordinator_epoch: i32,
    markers: Markers,
}

/// One WriteTxnMarkers request: for each transaction the markers, cut down to the partitions of this broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteMarkers {
    /// Which partition of `__transaction_state` each comes from, its coordinator epoch, and the markers.
    pub markers: Vec<(i32, i32, Markers)>,
}

/// What the answer to a [`WriteMarkers`] means: each with its partition of `__transaction_state` and coordinator epoch.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SettledMarkers {
    /// Written, or not to be written: the machine of that term is to be told.
    pub settled: Vec<(i32, i32, Markers)>,
    /// To be sent again, as long as the term lasts.
    pub again: Vec<(i32, i32, Markers)>,
    /// Refused because a newer coordinator is at work, which sends its own.
    pub fenced: Vec<(i32, i32, Markers)>,
}

impl WriteMarkers {
    /// Sorts the markers by what the broker answered, in order, for each partition; `None`: it did not answer.
    pub fn answered(self, answers: Option<&[Vec<MarkerAnswer>]>) -> SettledMarkers {
        let mut sorted = SettledMarkers::default();
        for (index, (state_partition, epoch, markers)) in self.markers.into_iter().enumerate() {
            let answers = answers.and_then(|answers| answers.get(index));
            let answer_of = |position| {
                answers.and_then(|answers| answers.get(position)).copied().unwrap_or(MarkerAnswer::Retry)
            };
            let mut of = |wanted: MarkerAnswer, into: fn(&mut SettledMarkers) -> &mut Vec<_>| {
                let partitions = markers.partitions.iter().enumerate();
                let partitions: Vec<_> = partitions
                    .filter(|(position, _)| answer_of(*position) == wanted)
                    .map(|(_, partition)| partition.clone())
                    .collect();
                if !partitions.is_empty() {
                    let markers = Markers { partitions, ..markers.clone() };
                    into(&mut sorted).push((state_partition, epoch, markers));
                }
            };
            of(MarkerAnswer::Settled, |sorted| &mut sorted.settled);
            of(MarkerAnswer::Retry, |sorted| &mut sorted.again);
            of(MarkerAnswer::Fenced, |sorted| &mut sorted.fenced);
        }
        sorted
    }
}

/// What waits to be sent.
#[derive(Debug, Default)]
pub struct MarkerQueue {
    brokers: BTreeMap<BrokerId, VecDeque<Entry>>,
    unresolved: Vec<Entry>,
}

impl MarkerQueue {
    /// Nothing to send.
    pub fn new() -> MarkerQueue {
        MarkerQueue::default()
    }

    /// Takes the markers of a decided transaction in. Returns the partitions that are gone.
    pub fn add(
        &mut self,
        state_partition: i32,
        coordinator_epoch: i32,
        markers: Markers,
        target: impl Fn(&TopicPartition) -> MarkerTarget,
    ) -> Vec<TopicPartition> {
        let mut by_broker: HashMap<BrokerId, Vec<TopicPartition>> = HashMap::new();
        let (mut unknown, mut deleted) = (Vec::new(), Vec::new());
        for partition in &markers.partitions {
            match target(partition) {
                MarkerTarget::Leader(broker) => by_broker.entry(broker).or_default().push(partition.clone()),
                MarkerTarget::Unknown => unknown.push(partition.clone()),
                MarkerTarget::Deleted => deleted.push(partition.clone()),
            }
        }
        let entry = |partitions| Entry {
            state_partition,
            coordinator_epoch,
            markers: Markers { partitions, ..markers.clone() },
        };
        for (broker, partitions) in by_broker {
            self.brokers.entry(broker).or_default().push_back(entry(partitions));
        }
        if !unknown.is_empty() {
            self.unresolved.push(entry(unknown));
        }
        deleted
    }

    /// Looks the leaders of what had none up again. Returns what is gone: state partition, coordinator epoch, markers.
    pub fn resolve(&mut self, target: impl Fn(&TopicPartition) -> MarkerTarget) -> Vec<(i32, i32, Markers)> {
        let mut gone = Vec::new();
        for entry in std::mem::take(&mut self.unresolved) {
            let deleted =
                self.add(entry.state_partition, entry.coordinator_epoch, entry.markers.clone(), &target);
            if !deleted.is_empty() {
                let markers = Markers { partitions: deleted, ..entry.markers };
                gone.push((entry.state_partition, entry.coordinator_epoch, markers));
            }
        }
        gone
    }

    /// Puts back what a broker did not take (an answer to retry, a lost connection).
    pub fn retry(&mut self, state_partition: i32, coordinator_epoch: i32, markers: Markers) {
        self.unresolved.push(Entry { state_partition, coordinator_epoch, markers });
    }

    /// Everything that waits for this broker, as one request.
    pub fn take(&mut self, broker: BrokerId) -> Option<WriteMarkers> {
        let entries = self.brokers.remove(&broker)?;
        let markers = entries
            .into_iter()
            .map(|entry| (entry.state_partition, entry.coordinator_epoch, entry.markers))
            .collect();
        Some(WriteMarkers { markers })
    }

    /// The brokers that something waits for.
    pub fn brokers(&self) -> Vec<BrokerId> {
        self.brokers.keys().copied().collect()
    }

    /// How many markers wait for a leader to be known.
    pub fn unresolved(&self) -> usize {
        self.unresolved.iter().map(|entry| entry.markers.partitions.len()).sum()
    }

    /// Whether something waits for a leader to be known.
    pub fn has_unresolved(&self) -> bool {
        !self.unresolved.is_empty()
    }

    /// The partition of `__transaction_state` is no longer ours: its markers are the new coordinator's to send.
    pub fn forget(&mut self, state_partition: i32) {
        self.unresolved.retain(|entry| entry.state_partition != state_partition);
        for entries in self.brokers.values_mut() {
            entries.retain(|entry| entry.state_partition != state_partition);
        }
        self.brokers.retain(|_, entries| !entries.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gregor_model::{ProducerEpoch, ProducerId};

    fn partition(index: i32) -> TopicPartition {
        TopicPartition::new("t", index)
    }

    fn markers(partitions: &[i32]) -> Markers {
        Markers {
            id: "x".into(),
            producer: (ProducerId(1), ProducerEpoch(0)),
            commit: true,
            partitions: partitions.iter().map(|index| partition(*index)).collect(),
        }
    }

    fn target(partition: &TopicPartition) -> MarkerTarget {
        match partition.partition {
            index @ 0..10 => MarkerTarget::Leader(BrokerId(index % 2)),
            10..20 => MarkerTarget::Unknown,
            _ => MarkerTarget::Deleted,
        }
    }

    #[test]
    fn markers_are_grouped_by_leader() {
        let mut queue = MarkerQueue::new();
        assert_eq!(queue.add(7, 3, markers(&[0, 1, 2, 10, 20]), target), vec![partition(20)]);
        assert_eq!(queue.brokers(), vec![BrokerId(0), BrokerId(1)]);
        let first = queue.take(BrokerId(0)).expect("markers for broker 0");
        assert_eq!(first.markers, vec![(7, 3, markers(&[0, 2]))]);
        assert_eq!(queue.take(BrokerId(0)), None);
        assert!(queue.has_unresolved());
        assert_eq!(queue.unresolved(), 1);
        let gone = queue.resolve(|_| MarkerTarget::Deleted);
        assert_eq!(gone, vec![(7, 3, markers(&[10]))]);
        assert!(!queue.has_unresolved());
    }

    #[test]
    fn answers_are_sorted_by_partition() {
        use MarkerAnswer::{Fenced, Retry, Settled};
        let request =
            WriteMarkers { markers: vec![(7, 3, markers(&[0, 1, 2, 3])), (8, 1, markers(&[4, 5]))] };
        let sorted = request.clone().answered(Some(&[vec![Settled, Retry, Fenced], vec![Settled, Settled]]));
        let expected = SettledMarkers {
            settled: vec![(7, 3, markers(&[0])), (8, 1, markers(&[4, 5]))],
            // What the broker said nothing of is asked again.
            again: vec![(7, 3, markers(&[1, 3]))],
            fenced: vec![(7, 3, markers(&[2]))],
        };
        assert_eq!(sorted, expected);
        let unanswered = request.clone().answered(None);
        assert_eq!(unanswered, SettledMarkers { again: request.markers, ..SettledMarkers::default() });
    }

    #[test]
    fn what_is_not_ours_any_more_is_dropped() {
        let mut queue = MarkerQueue::new();
        queue.add(7, 3, markers(&[0, 10]), target);
        queue.add(8, 1, markers(&[0]), target);
        queue.forget(7);
        assert!(!queue.has_unresolved());
        let left = queue.take(BrokerId(0)).expect("markers of the other partition");
        assert_eq!(left.markers, vec![(8, 1, markers(&[0]))]);
    }
}
