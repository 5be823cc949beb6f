//! What is to be compacted, the same for the same seed: every codec and format, tombstones, headers, idempotent and
//! transactional producers with both outcomes, records without keys, several leader epochs.

use anyhow::Result;
use gregor_log::PartitionLog;
use gregor_model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};
use gregor_records::legacy::LegacyBuilder;
use gregor_records::{
    BatchBuilder, BatchOptions, Codec, Compression, EndTransactionMarker, Magic, Producer, TimestampType,
};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use std::collections::BTreeMap;

const STEPS: u64 = 400;
const KEYS: u32 = 60;

/// Appends one round as a follower does, so that every byte is as decided here.
pub fn append_round(log: &PartitionLog, seed: u64, round: u64, start: Timestamp) -> Result<()> {
    let mut writer = Writer {
        log,
        random: SmallRng::seed_from_u64(seed * 1000 + round),
        round,
        epoch: LeaderEpoch(i32::try_from(10 * round)?),
        clock: start + i64::try_from(round * STEPS * 10)?,
        sequences: BTreeMap::new(),
        open: BTreeMap::new(),
    };
    // Old formats clear the epochs, as they have none, so they stand in the first logs alone.
    let with_old_formats = seed < 2;
    for step in 0..STEPS {
        if step % 90 == 89 {
            writer.epoch = writer.epoch.next();
        }
        match writer.random.random_range(0..100) {
            0..15 if with_old_formats => writer.append_legacy()?,
            0..55 => writer.append_plain()?,
            55..85 => writer.append_transactional()?,
            _ => writer.end_one()?,
        }
    }
    while !writer.open.is_empty() {
        writer.end_one()?;
    }
    // Something has to stand in the active segment.
    writer.append_plain()
}

struct Writer<'a> {
    log: &'a PartitionLog,
    random: SmallRng,
    round: u64,
    epoch: LeaderEpoch,
    clock: Timestamp,
    sequences: BTreeMap<ProducerId, i32>,
    /// Transactions without a marker, by producer.
    open: BTreeMap<ProducerId, ProducerEpoch>,
}

/// One record.
struct Content {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    header: Option<Vec<u8>>,
}

impl Writer<'_> {
    /// Of a batch without a producer, or with an idempotent one.
    fn append_plain(&mut self) -> Result<()> {
        let producer = self.random.random_bool(0.5).then(|| self.producer(100));
        self.append(producer, false)
    }

    fn append_transactional(&mut self) -> Result<()> {
        let id = self.producer(200);
        self.open.insert(id, ProducerEpoch(0));
        self.append(Some(id), true)
    }

    /// The first round's producers do not come back: Kafka takes what they do after an abort for aborted, too.
    fn producer(&mut self, from: i64) -> ProducerId {
        ProducerId(from + 10 * self.round as i64 + self.random.random_range(0..3))
    }

    fn append(&mut self, producer: Option<ProducerId>, transactional: bool) -> Result<()> {
        let count = self.random.random_range(1..10);
        let producer = producer.map(|id| {
            let sequence = self.sequences.entry(id).or_default();
            let base_sequence = Some(Sequence(*sequence));
            *sequence += count;
            Producer { id, epoch: ProducerEpoch(0), base_sequence }
        });
        let log_append_time = self.random.random_bool(0.1);
        let codec = *Codec::ALL.choose(&mut self.random).unwrap_or(&Codec::None);
        let base_offset = self.log.log_end_offset();
        let mut builder = BatchBuilder::new(BatchOptions {
            base_offset,
            partition_leader_epoch: Some(self.epoch),
            compression: Compression::of(codec),
            timestamp_type: if log_append_time {
                TimestampType::LogAppendTime
            } else {
                TimestampType::CreateTime
            },
            append_time: log_append_time.then_some(self.clock + 500),
            producer,
            transactional,
            ..BatchOptions::default()
        })?;
        for delta in 0..count {
            let content = self.content();
            let header = content.header.as_ref().map(|value| (b"h".as_slice(), Some(value.as_slice())));
            let timestamp = self.tick();
            builder.append(
                base_offset + i64::from(delta),
                Some(timestamp),
                content.key.as_deref(),
                content.value.as_deref(),
                header.as_slice(),
            )?;
        }
        self.store(builder.finish()?)
    }

    fn append_legacy(&mut self) -> Result<()> {
        let magic = if self.random.random_bool(0.5) { Magic::V0 } else { Magic::V1 };
        let codecs = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4];
        let codec = *codecs.choose(&mut self.random).unwrap_or(&Codec::None);
        let mut builder =
            LegacyBuilder::new(magic, Compression::of(codec), TimestampType::CreateTime, None, Vec::new())?;
        let base_offset = self.log.log_end_offset();
        for delta in 0..self.random.random_range(1..8) {
            let content = self.content();
            let timestamp = self.tick();
            let timestamp = (magic == Magic::V1).then_some(timestamp);
            builder.append(
                base_offset + delta,
                timestamp,
                content.key.as_deref(),
                content.value.as_deref(),
            )?;
        }
        self.store(builder.finish()?)
    }

    /// Commits or aborts some open transaction.
    fn end_one(&mut self) -> Result<()> {
        let ids: Vec<ProducerId> = self.open.keys().copied().collect();
        let Some(id) = ids.choose(&mut self.random) else { return Ok(()) };
        let Some(epoch) = self.open.remove(id) else { return Ok(()) };
        let marker = EndTransactionMarker { commit: self.random.random_bool(0.6), coordinator_epoch: 0 };
        let timestamp = self.tick();
        self.store(marker.batch(self.log.log_end_offset(), Some(self.epoch), *id, epoch, timestamp)?)
    }

    fn content(&mut self) -> Content {
        let random = &mut self.random;
        let bytes = random.random_range(0..80);
        let filler = random.random_range(b'a'..=b'z');
        Content {
            key: random
                .random_bool(0.97)
                .then(|| format!("key-{}", random.random_range(0..KEYS)).into_bytes()),
            value: random.random_bool(0.8).then(|| vec![filler; bytes]),
            header: random.random_bool(0.3).then(|| vec![filler; 3]),
        }
    }

    fn tick(&mut self) -> Timestamp {
        self.clock = self.clock + self.random.random_range(0..3);
        self.clock
    }

    fn store(&mut self, records: Vec<u8>) -> Result<()> {
        let end: Offset = self.log.log_end_offset();
        let info = self.log.append_as_follower(records.into(), Some(self.epoch), self.clock)?;
        anyhow::ensure!(self.log.log_end_offset() > end, "nothing was appended: {info:?}");
        Ok(())
    }
}
