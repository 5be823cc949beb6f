//! Between the protocol's names and the model's. The protocol's are slices that keep a whole request alive, so names are
//! copied on their way in.

use gregor_model::{BrokerId, TopicName, TopicPartition};
use indexmap::IndexMap;
use kafka_protocol::messages::{BrokerId as WireBrokerId, TopicName as WireTopicName};
use kafka_protocol::protocol::StrBytes;

/// A topic's name from the wire.
pub fn topic_name(name: &WireTopicName) -> TopicName {
    TopicName::new(name.0.as_str())
}

/// A topic's name for the wire.
pub fn wire_topic_name(name: &TopicName) -> WireTopicName {
    WireTopicName(text(name.as_str()))
}

/// A partition from the wire.
pub fn topic_partition(name: &WireTopicName, partition: i32) -> TopicPartition {
    TopicPartition { topic: topic_name(name), partition }
}

/// What belongs to each partition, grouped by topic as most responses want it; topics and partitions keep the order in
/// which they come.
pub fn by_topic<T>(
    entries: impl IntoIterator<Item = (TopicPartition, T)>,
) -> impl Iterator<Item = (WireTopicName, Vec<(i32, T)>)> {
    let mut topics: IndexMap<TopicName, Vec<(i32, T)>> = IndexMap::new();
    // Mostly the partitions of a topic follow each other.
    let mut last = 0;
    for (TopicPartition { topic, partition }, entry) in entries {
        match topics.get_index_mut(last) {
            Some((name, entries)) if *name == topic => entries.push((partition, entry)),
            _ => {
                let of_topic = topics.entry(topic);
                last = of_topic.index();
                of_topic.or_default().push((partition, entry));
            }
        }
    }
    topics.into_iter().map(|(name, entries)| (wire_topic_name(&name), entries))
}

/// A text for the wire.
pub fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// A broker's id from the wire; `None` for -1.
pub fn broker_id(id: WireBrokerId) -> Option<BrokerId> {
    BrokerId::from_wire(id.0)
}

/// A broker's id for the wire; -1 for `None`.
pub fn wire_broker_id(id: Option<BrokerId>) -> WireBrokerId {
    WireBrokerId(BrokerId::to_wire(id))
}
