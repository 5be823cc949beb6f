//! What replication counts (`BrokerTopicStats`, the purgatories' sizes). Each partition holds its topic's counters, so that
//! counting is two additions and no look-up.

use std::sync::Arc;

use gregor_log::{AppendError, AppendInfo};
use gregor_metrics::{Gauge, TopicCounters, TopicMetrics};
use gregor_model::TopicName;
use gregor_records::validate::ValidationError;

use crate::error::{FetchError, PartitionError, ProduceError};

/// Counts of all partitions.
#[derive(Debug, Default)]
pub struct ReplicationMetrics {
    /// Traffic by topic.
    pub topics: TopicMetrics,
    /// Produce requests that wait for replicas.
    pub waiting_produces: Gauge,
    /// Fetches that wait for records.
    pub waiting_fetches: Gauge,
    /// DeleteRecords requests that wait for replicas.
    pub waiting_deletions: Gauge,
}

/// The counters of one topic and of all.
#[derive(Clone, Debug)]
pub(crate) struct Traffic {
    topic: Arc<TopicCounters>,
    all: Arc<TopicCounters>,
}

impl Traffic {
    pub(crate) fn of(metrics: &TopicMetrics, topic: &TopicName) -> Traffic {
        Traffic { topic: metrics.topic(topic), all: Arc::clone(metrics.all()) }
    }

    fn count(&self, count: impl Fn(&TopicCounters)) {
        count(&self.topic);
        count(&self.all);
    }

    /// Clients brought so many bytes, and this came of it.
    pub(crate) fn produced(&self, bytes: usize, result: Result<&AppendInfo, &ProduceError>) {
        let bytes = bytes as u64;
        self.count(|counters| {
            counters.produce_requests.increment();
            match result {
                Ok(info) => {
                    counters.bytes_in.add(bytes);
                    counters.messages_in.add(u64::try_from(info.offsets()).unwrap_or(0));
                }
                Err(error) => count_refusal(counters, bytes, error),
            }
        });
    }

    /// A consumer was given so many bytes.
    pub(crate) fn consumed(&self, bytes: usize) {
        self.count(|counters| counters.bytes_out.add(bytes as u64));
    }

    /// A follower was given so many bytes; counted of all topics alone, as in Kafka. What goes to a replica that a
    /// reassignment adds counts as that, too.
    pub(crate) fn replicated_out(&self, bytes: usize, is_adding: bool) {
        self.all.replication_bytes_out.add(bytes as u64);
        if is_adding {
            self.all.reassignment_bytes_out.add(bytes as u64);
        }
    }

    /// So many bytes came from the leader, to a replica that a reassignment adds or another.
    pub(crate) fn replicated_in(&self, bytes: usize, is_adding: bool) {
        self.all.replication_bytes_in.add(bytes as u64);
        if is_adding {
            self.all.reassignment_bytes_in.add(bytes as u64);
        }
    }

    /// The partition was fetched from.
    pub(crate) fn fetched(&self) {
        self.count(|counters| counters.fetch_requests.increment());
    }

    /// That failed, and it was not the client's fault.
    pub(crate) fn fetch_failed(&self, error: &FetchError) {
        if matches!(error, FetchError::Read(_) | FetchError::Partition(PartitionError::Offline(_))) {
            self.count(|counters| counters.failed_fetch_requests.increment());
        }
    }
}

/// Kafka counts as failed what is neither a client's nor an election's doing.
fn count_refusal(counters: &TopicCounters, bytes: u64, error: &ProduceError) {
    let failed = match error {
        ProduceError::Partition(_) => false,
        ProduceError::InternalTopic(_)
        | ProduceError::InvalidRequiredAcks
        | ProduceError::NotEnoughReplicas { .. }
        | ProduceError::AfterAppend { .. } => true,
        ProduceError::Append(error) => match error.as_ref() {
            AppendError::Invalid(ValidationError::TooLarge { .. })
            | AppendError::RecordListTooLarge { .. } => {
                counters.bytes_rejected.add(bytes);
                false
            }
            AppendError::Invalid(ValidationError::Corrupt(_)) | AppendError::Corrupt(_) => {
                counters.invalid_message_crc_records.increment();
                false
            }
            AppendError::Invalid(
                ValidationError::InvalidRecord(_) | ValidationError::InvalidRecords { .. },
            )
            | AppendError::OutOfOrderSequence { .. } => {
                counters.invalid_offset_or_sequence_records.increment();
                true
            }
            AppendError::Storage(_) => false,
            _ => true,
        },
    };
    if failed {
        counters.failed_produce_requests.increment();
    }
}
