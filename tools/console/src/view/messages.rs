//! A look at the messages of one partition, from an offset, a time, or the newest.

use std::fmt::Write as _;

use gregor_records::{Limits, RecordRef, batches};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{BrokerId, FetchRequest, TopicName};
use kafka_protocol::protocol::{StrBytes, VersionRange};
use serde::{Deserialize, Serialize};

use super::check;
use super::offsets::{self, Led};
use super::topics::{existing, leader};
use crate::ConsoleError;
use crate::cluster::{Broker, Cluster, brokers};

/// The most that one look shows.
const LIMIT_MAX: usize = 500;
/// Bytes of a key, value or header that are shown.
const SHOWN_BYTES_MAX: usize = 32 * 1024;
/// Bytes fetched in one turn.
const FETCH_BYTES: i32 = 4 * 1024 * 1024;
/// Turns of one look: what is mostly compacted away, or control records, must not keep it busy for ever.
const TURNS_MAX: usize = 16;

/// What to look at.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Wanted {
    partition: i32,
    /// The first offset.
    offset: Option<i64>,
    /// Milliseconds since 1970: the first message at or after it.
    timestamp: Option<i64>,
    limit: Option<usize>,
}

/// Messages, and where the partition starts and ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct MessagesView {
    start: i64,
    end: i64,
    messages: Vec<Message>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Message {
    offset: i64,
    timestamp: Option<i64>,
    key: Option<Shown>,
    value: Option<Shown>,
    headers: Vec<Header>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Header {
    key: String,
    value: Option<Shown>,
}

/// Bytes as text, if they are, and as hex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Shown {
    text: Option<String>,
    hex: String,
    /// Whether there are more bytes than shown.
    cut: bool,
}

impl MessagesView {
    /// Asks for it.
    pub(crate) async fn load(
        cluster: &Cluster,
        topic: &str,
        wanted: &Wanted,
    ) -> Result<MessagesView, ConsoleError> {
        let metadata = cluster.metadata(Some(&[topic])).await?;
        let partitions = &existing(&metadata, topic)?.partitions;
        let partition = partitions.iter().find(|partition| partition.partition_index == wanted.partition);
        let partition = partition.ok_or_else(|| {
            ConsoleError::NotFound(format!("{topic} has no partition {}", wanted.partition))
        })?;
        let brokers = brokers(&metadata);
        let leader = leader(partition).and_then(|id| brokers.iter().find(|broker| broker.id == id));
        let leader =
            leader.ok_or_else(|| ConsoleError::NotFound("the partition has no leader now".to_owned()))?;
        let look = Look { cluster, brokers: &brokers, leader, topic, partition: wanted.partition };
        let start =
            look.offset(offsets::EARLIEST).await.ok_or(ConsoleError::Query("the leader tells no offsets"))?;
        let end =
            look.offset(offsets::LATEST).await.ok_or(ConsoleError::Query("the leader tells no offsets"))?;
        let limit = wanted.limit.unwrap_or(50).clamp(1, LIMIT_MAX);
        let at_time = match wanted.timestamp {
            Some(timestamp) if timestamp < 0 => return Err(ConsoleError::Query("a time before 1970")),
            Some(timestamp) => Some(look.offset(timestamp).await.unwrap_or(end)),
            None => None,
        };
        let newest = end.saturating_sub(i64::try_from(limit).unwrap_or(i64::MAX));
        let first = wanted.offset.or(at_time).unwrap_or(newest).max(start);
        Ok(MessagesView { start, end, messages: look.messages(first, end, limit).await? })
    }
}

/// One partition being looked at.
struct Look<'a> {
    cluster: &'a Cluster,
    brokers: &'a [Broker],
    leader: &'a Broker,
    topic: &'a str,
    partition: i32,
}

impl Look<'_> {
    /// The offset at a timestamp.
    async fn offset(&self, timestamp: i64) -> Option<i64> {
        let led: Led = (self.topic.to_owned(), self.partition, self.leader.id);
        offsets::at(self.cluster, self.brokers, [led], timestamp).await.into_values().next()
    }

    async fn messages(&self, first: i64, end: i64, limit: usize) -> Result<Vec<Message>, ConsoleError> {
        let mut messages = Vec::new();
        let mut next = first;
        for _ in 0..TURNS_MAX {
            if next >= end || messages.len() >= limit {
                break;
            }
            let records = self.fetch(next).await?;
            match collect(&records, next, limit, &mut messages)? {
                Some(after) if after > next => next = after,
                _ => break,
            }
        }
        Ok(messages)
    }

    async fn fetch(&self, offset: i64) -> Result<bytes::Bytes, ConsoleError> {
        let partition = FetchPartition::default()
            .with_partition(self.partition)
            .with_fetch_offset(offset)
            .with_current_leader_epoch(-1)
            .with_log_start_offset(-1)
            .with_partition_max_bytes(FETCH_BYTES);
        let topic = FetchTopic::default()
            .with_topic(TopicName(StrBytes::from_string(self.topic.to_owned())))
            .with_partitions(vec![partition]);
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(0)
            .with_min_bytes(0)
            .with_max_bytes(FETCH_BYTES)
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        // Later versions name topics by id.
        let answer = self.cluster.ask(self.leader, request, VersionRange { min: 4, max: 12 }).await?;
        check("Fetch", answer.error_code)?;
        let partition = answer.responses.into_iter().flat_map(|topic| topic.partitions).next();
        let partition = partition.unwrap_or_default();
        check("Fetch", partition.error_code)?;
        Ok(partition.records.unwrap_or_default())
    }
}

/// Adds the records from offset `from` on, up to `limit`; answers with the offset after the last whole batch, if there is one.
fn collect(
    records: &[u8],
    from: i64,
    limit: usize,
    messages: &mut Vec<Message>,
) -> Result<Option<i64>, ConsoleError> {
    let damaged = |_| ConsoleError::Query("the records there are damaged");
    let mut after = None;
    for batch in batches(records) {
        // A fetch ends in the middle of a batch.
        let Ok(batch) = batch else { break };
        after = Some(batch.next_offset().0);
        if batch.is_control() {
            continue;
        }
        let limits = Limits::for_batch(batch.header());
        let mut records = batch.records(limits).map_err(damaged)?;
        while let Some(record) = records.next_record().map_err(damaged)? {
            if record.offset.0 >= from {
                messages.push(message(&record));
            }
            if messages.len() >= limit {
                return Ok(after);
            }
        }
    }
    Ok(after)
}

fn message(record: &RecordRef<'_>) -> Message {
    let header = |(key, value): (&[u8], Option<&[u8]>)| Header {
        key: String::from_utf8_lossy(key).into_owned(),
        value: value.map(Shown::of),
    };
    Message {
        offset: record.offset.0,
        timestamp: record.timestamp.map(|timestamp| timestamp.0),
        key: record.key.map(Shown::of),
        value: record.value.map(Shown::of),
        headers: record.headers.iter().map(header).collect(),
    }
}

impl Shown {
    fn of(bytes: &[u8]) -> Shown {
        let cut = bytes.len() > SHOWN_BYTES_MAX;
        let shown = &bytes[..bytes.len().min(SHOWN_BYTES_MAX)];
        let text = match std::str::from_utf8(shown) {
            Ok(text) => Some(text.to_owned()),
            // The cut may go through a character.
            Err(error) if cut && error.error_len().is_none() => {
                Some(String::from_utf8_lossy(&shown[..error.valid_up_to()]).into_owned())
            }
            Err(_) => None,
        };
        let text = text.filter(|text| !text.contains(|c: char| c.is_control() && !c.is_whitespace()));
        let mut hex = String::with_capacity(shown.len() * 2);
        for byte in shown {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        Shown { text, hex, cut }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_text_only_if_they_are() {
        for (bytes, text, hex) in [
            (&b"plain"[..], Some("plain"), "706c61696e"),
            (b"two\nlines", Some("two\nlines"), "74776f0a6c696e6573"),
            (&[0xff, 0x00], None, "ff00"),
            (b"nul\0", None, "6e756c00"),
            (b"", Some(""), ""),
        ] {
            let expected = Shown { text: text.map(str::to_owned), hex: hex.to_owned(), cut: false };
            assert_eq!(Shown::of(bytes), expected);
        }
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        let long = format!("{}é", "x".repeat(SHOWN_BYTES_MAX - 1));
        let shown = Shown::of(long.as_bytes());
        assert!(shown.cut);
        assert_eq!(shown.text.map(|text| text.len()), Some(SHOWN_BYTES_MAX - 1));
    }
}
