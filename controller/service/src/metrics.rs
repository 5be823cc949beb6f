//! What is counted of the controller's task (`ControllerEventManager`, `ControllerStats`).

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use gregor_controller_machine::{Event, Timer};
use gregor_metrics::{Counter, Gauge, Histogram};
use gregor_model::BrokerId;
use parking_lot::Mutex;

/// Counts since the start of this broker, active or not.
#[derive(Debug, Default)]
pub struct ControllerMetrics {
    /// Events and requests that wait to be taken (`EventQueueSize`).
    pub event_queue_size: Gauge,
    /// How long they waited, in microseconds (`EventQueueTimeMs`).
    pub event_queue_time: Histogram,
    /// How long an event took, in microseconds.
    pub event_processing_time: Histogram,
    /// Leaders elected (`LeaderElectionRateAndTimeMs`).
    pub leader_elections: Counter,
    /// Leaders elected that were not in sync (`UncleanLeaderElectionsPerSec`).
    pub unclean_leader_elections: Counter,
    /// What the controller is doing, as Kafka numbers it (`ControllerState`); 0 while it waits.
    pub state: Gauge,
    channels: Mutex<BTreeMap<BrokerId, Weak<ChannelMetrics>>>,
}

/// What is counted of the way to one broker (`ControllerChannelManager`).
#[derive(Debug, Default)]
pub struct ChannelMetrics {
    /// Requests that wait to be sent (`QueueSize`).
    pub queue_size: Gauge,
    /// How long they waited, in microseconds (`RequestRateAndQueueTimeMs`).
    pub queue_time: Histogram,
}

impl ChannelMetrics {
    pub(crate) fn taken(&self, waited: Duration) {
        self.queue_time.record(micros(waited));
    }
}

impl ControllerMetrics {
    /// The channels that are open, by broker.
    pub fn channels(&self) -> Vec<(BrokerId, Arc<ChannelMetrics>)> {
        let mut channels = self.channels.lock();
        channels.retain(|_, channel| channel.strong_count() > 0);
        channels.iter().filter_map(|(broker, channel)| Some((*broker, channel.upgrade()?))).collect()
    }

    /// The metrics of a channel that opens; they end with it.
    pub(crate) fn open_channel(&self, broker: BrokerId) -> Arc<ChannelMetrics> {
        let channel = Arc::new(ChannelMetrics::default());
        self.channels.lock().insert(broker, Arc::downgrade(&channel));
        channel
    }

    pub(crate) fn queued(&self, waited: Duration) {
        self.event_queue_time.record(micros(waited));
    }

    pub(crate) fn processed(&self, took: Duration) {
        self.event_processing_time.record(micros(took));
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The number that Kafka's `ControllerState` gives to handling an event; `None` for what goes on with another.
pub(crate) fn state_of(event: &Event) -> Option<i64> {
    let state = match event {
        Event::Completed { .. } => return None,
        Event::AllocateProducerIds(..) => 0,
        Event::Elected { .. } => 1,
        Event::BrokersChanged
        | Event::BrokerModified(_)
        | Event::BrokerRefuses(..)
        | Event::BrokerAnswers(..) => 2,
        Event::TopicsChanged | Event::PartitionsChanged(_) => 3,
        Event::DeletionsRequested | Event::StopReplicaAnswered { .. } => 4,
        Event::ReassignmentsRequested | Event::AlterReassignments(..) => 5,
        Event::TimerFired(Timer::AutoLeaderRebalance) => 6,
        Event::PreferredElectionRequested | Event::ElectLeaders(..) => 7,
        Event::ControlledShutdown(..) => 8,
        Event::IsrChangesNotified | Event::AlterPartition(..) => 9,
        Event::LeaderAndIsrAnswered { .. } => 10,
        Event::LogDirsFailed => 11,
        Event::Lost(_) => 12,
        Event::UncleanElectionEnabled(None) => 13,
        Event::UncleanElectionEnabled(Some(_)) => 14,
        Event::ListReassignments(..) => 15,
        Event::UpdateFeatures(..) => 17,
    };
    Some(state)
}

#[cfg(test)]
mod tests {
    use gregor_model::TopicName;

    use super::*;

    #[test]
    fn a_channel_is_told_of_while_it_is_open() {
        let metrics = ControllerMetrics::default();
        let (first, second) = (metrics.open_channel(BrokerId(1)), metrics.open_channel(BrokerId(2)));
        first.queue_size.add(3);
        drop(second);
        let told: Vec<_> =
            metrics.channels().iter().map(|(broker, channel)| (*broker, channel.queue_size.get())).collect();
        assert_eq!(told, [(BrokerId(1), 3)]);
    }

    #[test]
    fn states_have_kafkas_numbers() {
        for (event, state) in [
            (Event::BrokersChanged, 2),
            (Event::TopicsChanged, 3),
            (Event::DeletionsRequested, 4),
            (Event::ReassignmentsRequested, 5),
            (Event::TimerFired(Timer::AutoLeaderRebalance), 6),
            (Event::PreferredElectionRequested, 7),
            (Event::IsrChangesNotified, 9),
            (Event::LogDirsFailed, 11),
            (Event::UncleanElectionEnabled(None), 13),
            (Event::UncleanElectionEnabled(Some(TopicName::new("t"))), 14),
        ] {
            assert_eq!(state_of(&event), Some(state), "{event:?}");
        }
    }
}
