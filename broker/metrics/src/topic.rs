//! Traffic by topic and of all topics (`BrokerTopicStats`). Partitions hold their topic's counters; when the last partition
//! of a topic leaves the broker, its series end, while those of all topics go on.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use gregor_model::TopicName;
use parking_lot::Mutex;

use crate::counter::Counter;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident => $series:literal),* $(,)?) => {
        /// The counters of one topic, or of all.
        #[derive(Debug, Default)]
        pub struct TopicCounters {
            $($(#[$doc])* pub $name: Counter,)*
        }

        impl TopicCounters {
            /// Each counter with its name in `kafka_server_brokertopicmetrics_<name>_total`.
            pub fn series(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$(($series, self.$name.get())),*].into_iter()
            }
        }
    };
}

counters! {
    /// Records that clients appended.
    messages_in => "messagesin",
    /// Bytes that clients appended.
    bytes_in => "bytesin",
    /// Bytes that consumers were given.
    bytes_out => "bytesout",
    /// Bytes of batches that were too large.
    bytes_rejected => "bytesrejected",
    /// Partitions that were produced to.
    produce_requests => "totalproducerequests",
    /// Partitions that were fetched from.
    fetch_requests => "totalfetchrequests",
    /// Those of the former that failed here.
    failed_produce_requests => "failedproducerequests",
    /// Those of the latter that failed here.
    failed_fetch_requests => "failedfetchrequests",
    /// Produce requests whose records had to be rewritten.
    produce_conversions => "producemessageconversions",
    /// Fetches whose records were rewritten for an old consumer.
    fetch_conversions => "fetchmessageconversions",
    /// Bytes fetched from leaders.
    replication_bytes_in => "replicationbytesin",
    /// Bytes given to followers.
    replication_bytes_out => "replicationbytesout",
    /// Bytes fetched for partitions on the move.
    reassignment_bytes_in => "reassignmentbytesin",
    /// Bytes given to replicas that a reassignment adds.
    reassignment_bytes_out => "reassignmentbytesout",
    /// Batches in a format that is not taken.
    invalid_magic_number_records => "invalidmagicnumberrecords",
    /// Batches whose checksum is wrong.
    invalid_message_crc_records => "invalidmessagecrcrecords",
    /// Batches whose offsets or sequence numbers are wrong.
    invalid_offset_or_sequence_records => "invalidoffsetorsequencerecords",
    /// Records without a key for a compacted topic.
    no_key_compacted_topic_records => "nokeycompactedtopicrecords",
}

/// All topics with partitions here.
#[derive(Debug, Default)]
pub struct TopicMetrics {
    all: Arc<TopicCounters>,
    topics: Mutex<HashMap<TopicName, Weak<TopicCounters>>>,
}

impl TopicMetrics {
    /// The counters of all topics together.
    pub fn all(&self) -> &Arc<TopicCounters> {
        &self.all
    }

    /// The counters of one topic, to be held by its partitions.
    pub fn topic(&self, name: &TopicName) -> Arc<TopicCounters> {
        let mut topics = self.topics.lock();
        if let Some(counters) = topics.get(name).and_then(Weak::upgrade) {
            return counters;
        }
        let counters = Arc::new(TopicCounters::default());
        topics.insert(name.clone(), Arc::downgrade(&counters));
        counters
    }

    /// Every topic that has a partition here, by name.
    pub fn topics(&self) -> Vec<(TopicName, Arc<TopicCounters>)> {
        let mut topics = self.topics.lock();
        topics.retain(|_, counters| counters.strong_count() > 0);
        let held = topics.iter().filter_map(|(name, counters)| Some((name.clone(), counters.upgrade()?)));
        let mut held: Vec<_> = held.collect();
        held.sort_by(|(first, _), (second, _)| first.cmp(second));
        held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_told_of_while_a_partition_holds_it() {
        let metrics = TopicMetrics::default();
        let (first, second) = (metrics.topic(&TopicName::new("t")), metrics.topic(&TopicName::new("t")));
        first.messages_in.add(2);
        second.messages_in.increment();
        let told = metrics.topics();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].1.series().next(), Some(("messagesin", 3)));
        drop((first, second, told));
        assert!(metrics.topics().is_empty());
        assert_eq!(metrics.topic(&TopicName::new("t")).messages_in.get(), 0);
    }
}
