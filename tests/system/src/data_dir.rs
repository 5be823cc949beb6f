//! A broker's data directory made in this process by our log, with something of everything that a directory can hold: every
//! codec, old formats, idempotent and transactional producers, several leader epochs and segments, Kafka's own topics.
//!
//! It is the same each time, to the byte but for the topic ids, so that tests can say what is in it.

use anyhow::Result;
use bytes::Bytes;
use gregor_coordinator::schema::group::{GroupValue, MemberValue, encode_group_key};
use gregor_coordinator::schema::offset::{OffsetKey, OffsetValue};
use gregor_coordinator::schema::transaction::{TransactionStatus, TransactionValue, encode_key};
use gregor_coordinator::{GroupId, MemberId, TransactionalId};
use gregor_log::{AppendOrigin, LogConfig, LogManager, LogManagerConfig, PartitionLog};
use gregor_model::{
    LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp, TopicId, TopicName, TopicPartition,
};
use gregor_records::legacy::LegacyBuilder;
use gregor_records::{
    BatchBuilder, BatchOptions, Codec, Compression, EndTransactionMarker, Magic, Producer, TimestampType,
};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// When the first record was written, in ms.
pub const FIRST_TIMESTAMP: i64 = 1_700_000_000_000;
/// The broker it is of.
pub const BROKER: i32 = 1;
/// The cluster it is of.
pub const CLUSTER: &str = "4L6g3nShT-eMCtK--X86sw";
/// Records in a batch of `orders-0`.
pub const RECORDS_PER_BATCH: i64 = 5;
/// Batches of `orders-0`, before its transactions.
pub const BATCHES: i64 = 60;

/// A data directory, removed when it is dropped.
pub struct DataDir {
    root: tempfile::TempDir,
}

impl DataDir {
    /// Makes one.
    pub fn build() -> Result<DataDir> {
        let dir = DataDir { root: tempfile::tempdir()? };
        let manager = LogManager::open(
            LogManagerConfig {
                log_dirs: vec![dir.path().to_owned()],
                defaults: LogConfig {
                    segment_bytes: 6_000,
                    index_interval_bytes: 1_000,
                    ..LogConfig::default()
                },
                transaction_verification_enable: false,
                ..LogManagerConfig::default()
            },
            HashMap::new(),
            Timestamp(FIRST_TIMESTAMP),
        )?;
        orders(&manager)?;
        old_formats(&manager)?;
        consumer_offsets(&manager)?;
        transaction_state(&manager)?;
        manager.checkpoint_high_watermarks();
        manager.shutdown(Timestamp(FIRST_TIMESTAMP))?;
        let meta = format!("#\nversion=0\nbroker.id={BROKER}\ncluster.id={CLUSTER}\n");
        fs::write(dir.path().join("meta.properties"), meta)?;
        Ok(dir)
    }

    /// A copy of it elsewhere.
    pub fn copy(&self) -> Result<DataDir> {
        let copy = DataDir { root: tempfile::tempdir()? };
        copy_all(self.path(), copy.path())?;
        Ok(copy)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.root.path()
    }

    /// A partition's directory.
    pub fn partition(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// The files of a partition that end so, in order.
    pub fn files(&self, partition: &str, ending: &str) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.partition(partition))? {
            let path = entry?.path();
            if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }

    /// Every file of every partition that kafka-dump-log reads.
    pub fn dumpable(&self) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.path())? {
            let path = entry?.path();
            if path.is_dir() {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                for ending in [".log", ".index", ".timeindex", ".txnindex", ".snapshot"] {
                    found.extend(self.files(&name, ending)?);
                }
            }
        }
        found.sort();
        Ok(found)
    }
}

fn copy_all(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_all(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn log_of(manager: &LogManager, topic: &str, id: u8) -> Result<std::sync::Arc<PartitionLog>> {
    let partition = TopicPartition::new(topic, 0);
    let id = TopicId::from_random([id; 16]);
    Ok(manager.get_or_create(&partition, id, true, Timestamp(FIRST_TIMESTAMP))?)
}

struct Writer<'a> {
    log: &'a PartitionLog,
    epoch: LeaderEpoch,
}

impl Writer<'_> {
    fn append(&self, batch: Vec<u8>, origin: AppendOrigin) -> Result<()> {
        self.log.append_as_leader(
            Bytes::from(batch),
            self.epoch,
            origin,
            None,
            Timestamp(FIRST_TIMESTAMP),
        )?;
        self.log.set_high_watermark(self.log.log_end_offset());
        Ok(())
    }

    fn marker(&self, producer: i64, commit: bool) -> Result<()> {
        let marker = EndTransactionMarker { commit, coordinator_epoch: 7 };
        let now = Timestamp(FIRST_TIMESTAMP + 1_000_000);
        let batch = marker.batch(Offset::ZERO, None, ProducerId(producer), ProducerEpoch(0), now)?;
        self.append(batch, AppendOrigin::Coordinator)
    }
}

/// A batch with `count` records from a producer, who is at `sequence`.
fn batch(
    compression: Compression,
    producer: Option<(i64, i32)>,
    transactional: bool,
    first: i64,
    count: i64,
) -> Result<Vec<u8>> {
    let producer = producer.map(|(id, sequence)| Producer {
        id: ProducerId(id),
        epoch: ProducerEpoch(0),
        base_sequence: Some(Sequence(sequence)),
    });
    let options = BatchOptions { compression, producer, transactional, ..BatchOptions::default() };
    let mut builder = BatchBuilder::new(options)?;
    for at in 0..count {
        let number = first + at;
        let key = format!("key-{number}");
        // Incompressible enough that each batch has its size.
        let value: String =
            (0..120).map(|step| char::from(b'!' + ((number * 31 + step * 17) % 90) as u8)).collect();
        let headers: &[(&[u8], Option<&[u8]>)] =
            if number % 7 == 0 { &[(b"trace", Some(b"1")), (b"none", None)] } else { &[] };
        let key = (number % 11 != 0).then_some(key.as_bytes());
        let value = (number % 13 != 0).then_some(value.as_bytes());
        builder.append(Offset(at), Some(Timestamp(FIRST_TIMESTAMP + number * 10)), key, value, headers)?;
    }
    Ok(builder.finish()?)
}

/// Several segments, two leader epochs, an idempotent producer, and transactions of every outcome.
fn orders(manager: &LogManager) -> Result<()> {
    let log = log_of(manager, "orders", 1)?;
    log.assign_epoch_start(LeaderEpoch(2), Offset::ZERO)?;
    let mut writer = Writer { log: &log, epoch: LeaderEpoch(2) };
    let codecs = Codec::ALL;
    for number in 0..BATCHES {
        if number == BATCHES / 2 {
            log.assign_epoch_start(LeaderEpoch(5), log.log_end_offset())?;
            writer.epoch = LeaderEpoch(5);
        }
        let codec = codecs[usize::try_from(number)? % codecs.len()];
        let sequence = i32::try_from(number / 2 * RECORDS_PER_BATCH)?;
        let producer = (number % 2 == 0).then_some((4000, sequence));
        let first = number * RECORDS_PER_BATCH;
        // Of lz4 levels 1 to 12, the fast one among them.
        let level = i32::try_from(number / 5)? + 1;
        let compression = match codec {
            Codec::Lz4 => Compression::with_level(codec, level),
            codec => Compression::of(codec),
        };
        let bytes = batch(compression, producer, false, first, RECORDS_PER_BATCH)?;
        writer.append(bytes, AppendOrigin::Client)?;
    }
    for (producer, commit) in [(5000, true), (5001, false), (5002, false)] {
        let bytes = batch(Compression::NONE, Some((producer, 0)), true, 10_000 + producer, 3)?;
        writer.append(bytes, AppendOrigin::Client)?;
        writer.marker(producer, commit)?;
    }
    let open = batch(Compression::NONE, Some((5003, 0)), true, 20_000, 2)?;
    writer.append(open, AppendOrigin::Client)
}

/// Message sets of magic 0 and 1, alone and in wrappers, as a follower of an old broker stored them.
fn old_formats(manager: &LogManager) -> Result<()> {
    let log = log_of(manager, "old", 2)?;
    let mut next = 0;
    for magic in [Magic::V0, Magic::V1] {
        for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4] {
            let timestamp = Timestamp(FIRST_TIMESTAMP + next);
            let mut builder = LegacyBuilder::new(
                magic,
                Compression::of(codec),
                TimestampType::CreateTime,
                None,
                Vec::new(),
            )?;
            for at in next..next + 3 {
                let key = format!("old-{at}");
                builder.append(Offset(at), Some(timestamp), Some(key.as_bytes()), Some(b"an old value"))?;
            }
            next += 3;
            log.append_as_follower(Bytes::from(builder.finish()?), None, Timestamp(FIRST_TIMESTAMP))?;
        }
    }
    log.set_high_watermark(log.log_end_offset());
    Ok(())
}

fn append_pairs(log: &PartitionLog, pairs: &[(Bytes, Option<Bytes>)]) -> Result<()> {
    let mut builder = BatchBuilder::new(BatchOptions::default())?;
    for (at, (key, value)) in (0..).zip(pairs) {
        builder.append(Offset(at), Some(Timestamp(FIRST_TIMESTAMP)), Some(key), value.as_deref(), &[])?;
    }
    let writer = Writer { log, epoch: LeaderEpoch(0) };
    writer.append(builder.finish()?, AppendOrigin::Coordinator)
}

/// A group with a member, its offsets, and a deletion.
fn consumer_offsets(manager: &LogManager) -> Result<()> {
    let log = log_of(manager, "__consumer_offsets", 3)?;
    let group = GroupId::from("billing");
    let key =
        |partition| OffsetKey { group: group.clone(), partition: TopicPartition::new("orders", partition) };
    let offset = OffsetValue {
        offset: Offset(17),
        leader_epoch: Some(LeaderEpoch(2)),
        metadata: "by \"hand\"".into(),
        committed_at: Timestamp(FIRST_TIMESTAMP),
        expires_at: None,
    };
    // Topics: orders, no user data.
    let subscription = Bytes::from_static(b"\0\0\0\0\0\x01\0\x06orders\xff\xff\xff\xff");
    let assignment = Bytes::from_static(b"\0\0\0\0\0\x01\0\x06orders\0\0\0\x01\0\0\0\0\xff\xff\xff\xff");
    let member = MemberValue {
        member: MemberId::from("consumer-1"),
        instance: None,
        client_id: "consumer".into(),
        client_host: "/127.0.0.1".into(),
        rebalance_timeout_ms: 300_000,
        session_timeout_ms: 45_000,
        subscription,
        assignment,
    };
    let value = GroupValue {
        protocol_type: "consumer".into(),
        generation: 3,
        protocol: Some("range".into()),
        leader: Some(MemberId::from("consumer-1")),
        state_since: Some(Timestamp(FIRST_TIMESTAMP)),
        members: vec![member],
    };
    append_pairs(
        &log,
        &[
            (key(0).encode(), Some(offset.encode())),
            (encode_group_key(&group), Some(value.encode())),
            (key(1).encode(), None),
        ],
    )
}

/// A transactional id through some of its states, and a deletion.
fn transaction_state(manager: &LogManager) -> Result<()> {
    let log = log_of(manager, "__transaction_state", 4)?;
    let key = |id: &str| encode_key(&TransactionalId::from(id));
    let partitions = |count: i32| {
        vec![(TopicName::new("orders"), (0..count).collect()), (TopicName::new("audit"), vec![3, 1])]
    };
    let value = |status, count| TransactionValue {
        producer_id: ProducerId(5000),
        producer_epoch: ProducerEpoch(1),
        timeout_ms: 60_000,
        status,
        partitions: partitions(count),
        updated_at: Timestamp(FIRST_TIMESTAMP),
        started_at: Some(Timestamp(FIRST_TIMESTAMP)),
    };
    append_pairs(
        &log,
        &[
            (key("payments"), Some(value(TransactionStatus::Ongoing, 2).encode())),
            (key("payments"), Some(value(TransactionStatus::PrepareCommit, 30).encode())),
            (key("payments"), Some(value(TransactionStatus::CompleteAbort, 0).encode())),
            (key("refunds"), None),
        ],
    )
}
