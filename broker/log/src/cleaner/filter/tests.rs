//! What is left of single batches, and of whole random logs against a model.

use std::collections::{HashMap, HashSet};

use gregor_model::{LeaderEpoch, ProducerEpoch, ProducerId, Sequence};
use gregor_records::{EndTransactionMarker, TimestampType, batches};
use proptest::prelude::*;

use super::super::offset_map::KeyHash;
use super::super::retention::LastRecord;
use super::*;
use crate::transaction_index::AbortedTxn;

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const DAY_MS: i64 = 86_400_000;

/// One cleaning of a whole log, as the shell does it, in memory.
struct Cleaning {
    now: Timestamp,
    active: HashMap<ProducerId, LastRecord>,
    aborted: Vec<AbortedTxn>,
    keep_legacy_tombstones: bool,
    keys_max: usize,
}

impl Default for Cleaning {
    fn default() -> Cleaning {
        Cleaning {
            now: NOW,
            active: HashMap::new(),
            aborted: Vec::new(),
            keep_legacy_tombstones: true,
            keys_max: 1000,
        }
    }
}

struct Cleaned {
    log: Vec<u8>,
    end: Offset,
    kept_aborts: Vec<AbortedTxn>,
}

impl Cleaning {
    fn run(&self, log: &[u8], first_dirty: i64) -> Cleaned {
        let start = Offset(first_dirty);
        let memory = self.keys_max * super::super::offset_map::SLOT_BYTES * 2;
        let mut map = OffsetMap::new(KeyHash::default(), memory, 0.5, start, Offset(i64::MAX));
        let mut transactions = CleanedTransactions::default();
        // Not those that ended before: their markers are not read, and would seem to be still to come.
        transactions.add_aborted(self.aborted.iter().copied().filter(|aborted| aborted.last_offset >= start));
        for batch in batches(log).map(Result::unwrap) {
            if batch.last_offset() >= start
                && index_batch(&batch, start, &mut transactions, &mut map).unwrap()
            {
                break;
            }
        }
        let end = map.latest_offset() + 1;
        let retention = Retention {
            map: &map,
            now: self.now,
            delete_retention_ms: DAY_MS,
            keep_legacy_tombstones: self.keep_legacy_tombstones,
            active_producers: &self.active,
            round_end: end,
        };
        let mut transactions = CleanedTransactions::default();
        transactions.add_aborted(self.aborted.iter().copied());
        let mut filter = BatchFilter::default();
        let mut out = Vec::new();
        for batch in batches(log).map(Result::unwrap) {
            filter.filter(&batch, &retention, &mut transactions, &mut out).unwrap();
        }
        Cleaned { log: out, end, kept_aborts: transactions.take_kept() }
    }
}

type Pair = (i64, Option<&'static str>, Option<&'static str>);

fn options(base: i64, codec: Codec) -> BatchOptions {
    BatchOptions {
        base_offset: Offset(base),
        partition_leader_epoch: Some(LeaderEpoch(5)),
        compression: Compression::of(codec),
        ..BatchOptions::default()
    }
}

fn build(options: BatchOptions, records: &[Pair]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(options).unwrap();
    for &(offset, key, value) in records {
        let timestamp = Timestamp(NOW.0 - 1000 + offset);
        builder
            .append(Offset(offset), Some(timestamp), key.map(str::as_bytes), value.map(str::as_bytes), &[])
            .unwrap();
    }
    builder.finish().unwrap()
}

/// Offset, key and value of what can be read.
fn read(log: &[u8]) -> Vec<(i64, Option<String>, Option<String>)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut all = Vec::new();
    for batch in batches(log).map(Result::unwrap) {
        batch.check_crc().unwrap();
        let mut records = batch.records(Limits::for_batch(batch.header())).unwrap();
        while let Some(record) = records.next_record().unwrap() {
            all.push((record.offset.0, record.key.map(text), record.value.map(text)));
        }
    }
    all
}

fn offsets(log: &[u8]) -> Vec<i64> {
    read(log).into_iter().map(|record| record.0).collect()
}

#[test]
fn the_last_record_of_each_key_stays_where_it_was() {
    for codec in Codec::ALL {
        let log = [
            build(
                options(0, codec),
                &[(0, Some("a"), Some("1")), (1, Some("b"), Some("1")), (2, None, Some("x"))],
            ),
            build(options(3, codec), &[(3, Some("a"), Some("2")), (4, Some("c"), Some("1"))]),
            build(options(5, codec), &[(5, Some("d"), Some("1"))]),
        ]
        .concat();
        let cleaned = Cleaning::default().run(&log, 0);
        assert_eq!(offsets(&cleaned.log), [1, 3, 4, 5]);
        assert_eq!(cleaned.end, Offset(6));
        let ranges: Vec<_> = batches(&cleaned.log)
            .map(|b| b.unwrap())
            .map(|b| (b.base_offset().0, b.last_offset().0))
            .collect();
        assert_eq!(ranges, [(0, 2), (3, 4), (5, 5)]);
        // Batches that lose nothing are copied.
        let copied = build(options(3, codec), &[(3, Some("a"), Some("2")), (4, Some("c"), Some("1"))]);
        assert!(cleaned.log.windows(copied.len()).any(|window| window == copied));
        // A second cleaning changes nothing.
        assert_eq!(Cleaning::default().run(&cleaned.log, 0).log, cleaned.log);
    }
}

#[test]
fn records_beyond_the_map_stay() {
    let log = [
        build(options(0, Codec::None), &[(0, Some("a"), Some("1")), (1, Some("b"), Some("1"))]),
        build(
            options(2, Codec::None),
            &[(2, Some("a"), Some("2")), (3, Some("c"), None), (4, Some("a"), Some("3"))],
        ),
        build(options(5, Codec::None), &[(5, None, Some("no key")), (6, Some("b"), Some("2"))]),
    ]
    .concat();
    // Room for three keys: with them the map is full, within the second batch, even for keys it knows.
    let cleaned = Cleaning { keys_max: 3, ..Cleaning::default() }.run(&log, 0);
    assert_eq!(cleaned.end, Offset(4));
    assert_eq!(offsets(&cleaned.log), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_tombstone_stays_until_its_horizon() {
    for codec in Codec::ALL {
        let log = [
            build(options(0, codec), &[(0, Some("a"), Some("1")), (1, Some("a"), None)]),
            build(options(2, codec), &[(2, Some("b"), Some("1"))]),
        ]
        .concat();
        let first = Cleaning::default().run(&log, 0);
        assert_eq!(read(&first.log)[0], (1, Some("a".to_owned()), None));
        let batch = BatchRef::first(&first.log).unwrap();
        assert_eq!(batch.delete_horizon(), Some(Timestamp(NOW.0 + DAY_MS)));
        assert_eq!(batch.max_timestamp, Some(Timestamp(NOW.0 - 999)));
        let early = Cleaning { now: Timestamp(NOW.0 + DAY_MS - 1), ..Cleaning::default() };
        assert_eq!(early.run(&first.log, 3).log, first.log);
        let late = Cleaning { now: Timestamp(NOW.0 + DAY_MS), ..Cleaning::default() };
        assert_eq!(offsets(&late.run(&first.log, 0).log), [2]);
    }
}

#[test]
fn append_time_batches_keep_their_time() {
    let append_time = BatchOptions {
        timestamp_type: TimestampType::LogAppendTime,
        append_time: Some(Timestamp(77)),
        ..options(0, Codec::None)
    };
    let log = [
        build(append_time, &[(0, Some("a"), Some("1")), (1, Some("b"), None)]),
        build(options(2, Codec::None), &[(2, Some("a"), Some("2"))]),
    ]
    .concat();
    let cleaned = Cleaning::default().run(&log, 0);
    let batch = BatchRef::first(&cleaned.log).unwrap();
    assert_eq!(
        (batch.max_timestamp, batch.timestamp_type()),
        (Some(Timestamp(77)), TimestampType::LogAppendTime)
    );
    let mut records = batch.records(Limits::for_batch(batch.header())).unwrap();
    assert_eq!(records.next_record().unwrap().unwrap().timestamp, Some(Timestamp(77)));
}

fn legacy(magic: Magic, codec: Codec, records: &[Pair]) -> Vec<u8> {
    let compression = Compression::of(codec);
    let mut builder =
        LegacyBuilder::new(magic, compression, TimestampType::CreateTime, None, Vec::new()).unwrap();
    for &(offset, key, value) in records {
        builder.append(Offset(offset), Some(NOW), key.map(str::as_bytes), value.map(str::as_bytes)).unwrap();
    }
    builder.finish().unwrap()
}

#[test]
fn old_formats_are_compacted_in_their_format() {
    for magic in [Magic::V0, Magic::V1] {
        for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4] {
            let log = [
                legacy(
                    magic,
                    codec,
                    &[(0, Some("a"), Some("1")), (1, Some("b"), Some("1")), (2, Some("c"), None)],
                ),
                legacy(magic, codec, &[(3, Some("b"), Some("2"))]),
            ]
            .concat();
            let cleaned = Cleaning::default().run(&log, 0);
            assert_eq!(offsets(&cleaned.log), [0, 2, 3]);
            assert!(
                batches(&cleaned.log)
                    .all(|b| b.as_ref().is_ok_and(|b| b.magic == magic && b.codec() == Some(codec)))
            );
            let late = Cleaning { keep_legacy_tombstones: false, ..Cleaning::default() };
            assert_eq!(offsets(&late.run(&log, 0).log), [0, 3]);
        }
    }
}

fn producer(id: i64, epoch: i16, sequence: Option<i32>) -> Producer {
    Producer { id: ProducerId(id), epoch: ProducerEpoch(epoch), base_sequence: sequence.map(Sequence) }
}

fn data(base: i64, id: i64, records: &[Pair]) -> Vec<u8> {
    let producer = Some(producer(id, 3, Some(7)));
    build(BatchOptions { producer, transactional: true, ..options(base, Codec::None) }, records)
}

fn marker(offset: i64, id: i64, commit: bool) -> Vec<u8> {
    EndTransactionMarker { commit, coordinator_epoch: 0 }
        .batch(Offset(offset), Some(LeaderEpoch(5)), ProducerId(id), ProducerEpoch(3), Timestamp(NOW.0 - 500))
        .unwrap()
}

fn aborted(id: i64, first: i64, last: i64) -> AbortedTxn {
    AbortedTxn {
        producer_id: ProducerId(id),
        first_offset: Offset(first),
        last_offset: Offset(last),
        last_stable_offset: Offset(last + 1),
    }
}

#[test]
fn aborted_data_goes_and_its_marker_follows_later() {
    let log = [
        build(options(0, Codec::None), &[(0, Some("a"), Some("1"))]),
        data(1, 4, &[(1, Some("a"), Some("aborted")), (2, Some("b"), Some("aborted"))]),
        marker(3, 4, false),
        build(options(4, Codec::None), &[(4, Some("c"), Some("1"))]),
    ]
    .concat();
    let transactions = vec![aborted(4, 1, 3)];
    let first = Cleaning { aborted: transactions.clone(), ..Cleaning::default() }.run(&log, 0);
    assert_eq!(offsets(&first.log), [0, 3, 4]);
    assert_eq!(first.kept_aborts, transactions);
    // Nothing of the transaction is left: the marker gets a horizon, its index entry goes.
    let second = Cleaning { aborted: transactions.clone(), ..Cleaning::default() }.run(&first.log, 0);
    assert_eq!(offsets(&second.log), [0, 3, 4]);
    assert_eq!(second.kept_aborts, []);
    let marker = batches(&second.log).nth(1).unwrap().unwrap();
    assert!(marker.is_control());
    assert_eq!(marker.delete_horizon(), Some(Timestamp(NOW.0 + DAY_MS)));
    let late = Cleaning { now: Timestamp(NOW.0 + DAY_MS), ..Cleaning::default() };
    assert_eq!(offsets(&late.run(&second.log, 0).log), [0, 4]);
}

#[test]
fn committed_data_is_compacted_and_its_marker_stays_with_it() {
    let log = [
        data(0, 4, &[(0, Some("a"), Some("1"))]),
        marker(1, 4, true),
        data(2, 4, &[(2, Some("a"), Some("2"))]),
        marker(3, 4, true),
        build(options(4, Codec::None), &[(4, Some("c"), Some("1"))]),
    ]
    .concat();
    let first = Cleaning::default().run(&log, 0);
    assert_eq!(offsets(&first.log), [1, 2, 3, 4]);
    let second = Cleaning::default().run(&first.log, 0);
    let horizons: Vec<_> =
        batches(&second.log).map(|batch| batch.unwrap().delete_horizon().is_some()).collect();
    assert_eq!(horizons, [true, false, false, false]);
    let late = Cleaning { now: Timestamp(NOW.0 + DAY_MS), ..Cleaning::default() };
    assert_eq!(offsets(&late.run(&second.log, 0).log), [2, 3, 4]);
}

#[test]
fn the_last_batch_of_an_active_producer_stays_if_empty() {
    let log = [
        data(0, 4, &[(0, Some("a"), Some("1")), (1, Some("b"), Some("1"))]),
        marker(2, 4, true),
        build(options(3, Codec::None), &[(3, Some("a"), Some("2")), (4, Some("b"), Some("2"))]),
    ]
    .concat();
    let last = LastRecord { last_data_offset: Some(Offset(1)), epoch: ProducerEpoch(3) };
    let cleaning = Cleaning { active: HashMap::from([(ProducerId(4), last)]), ..Cleaning::default() };
    let cleaned = cleaning.run(&log, 0);
    let batch = BatchRef::first(&cleaned.log).unwrap();
    assert_eq!((batch.size_in_bytes, batch.record_count), (61, Some(0)));
    assert_eq!((batch.base_offset(), batch.last_offset()), (Offset(0), Offset(1)));
    assert_eq!((batch.base_sequence, batch.last_sequence()), (Some(Sequence(7)), Some(Sequence(8))));
    assert_eq!((batch.base_timestamp, batch.delete_horizon()), (-1, None));
    assert!(batch.is_transactional());
    assert_eq!(cleaning.run(&cleaned.log, 0).log[..61], cleaned.log[..61]);
    // When the producer has expired the batch goes.
    let expired = Cleaning::default().run(&cleaned.log, 0);
    assert_eq!(BatchRef::first(&expired.log).unwrap().base_offset(), Offset(2));
}

#[test]
fn the_marker_of_an_active_producer_without_data_stays() {
    let log = [marker(0, 4, false), build(options(1, Codec::None), &[(1, Some("a"), Some("2"))])].concat();
    let last = LastRecord { last_data_offset: None, epoch: ProducerEpoch(3) };
    let active = HashMap::from([(ProducerId(4), last)]);
    let first = Cleaning { active: active.clone(), ..Cleaning::default() }.run(&log, 0);
    let late = Cleaning { active, now: Timestamp(NOW.0 + DAY_MS), ..Cleaning::default() }.run(&first.log, 0);
    let batch = BatchRef::first(&late.log).unwrap();
    assert!(batch.is_control());
    assert_eq!((batch.base_offset(), batch.record_count), (Offset(0), Some(0)));
}

#[test]
fn the_last_batch_of_a_round_stays_if_empty() {
    let log = [
        build(options(0, Codec::None), &[(0, Some("a"), Some("1"))]),
        build(options(1, Codec::Gzip), &[(1, None, Some("x")), (2, None, Some("y"))]),
    ]
    .concat();
    let cleaned = Cleaning::default().run(&log, 0);
    assert_eq!(offsets(&cleaned.log), [0]);
    let last = batches(&cleaned.log).last().unwrap().unwrap();
    assert_eq!((last.base_offset(), last.last_offset(), last.record_count), (Offset(1), Offset(2), Some(0)));
    assert_eq!(last.codec(), Some(Codec::None));
}

/// A random log: what each step appends.
#[derive(Clone, Debug)]
enum Step {
    Plain { codec: Codec, records: Vec<(u8, Option<u8>)> },
    Transactional { producer: u8, records: Vec<(u8, Option<u8>)> },
    End { producer: u8, commit: bool },
}

fn records() -> impl Strategy<Value = Vec<(u8, Option<u8>)>> {
    proptest::collection::vec((0u8..6, proptest::option::weighted(0.8, any::<u8>())), 1..5)
}

fn step() -> impl Strategy<Value = Step> {
    let codec = proptest::sample::select(Codec::ALL.to_vec());
    prop_oneof![
        3 => (codec, records()).prop_map(|(codec, records)| Step::Plain { codec, records }),
        3 => (0u8..3, records()).prop_map(|(producer, records)| Step::Transactional { producer, records }),
        2 => (0u8..3, any::<bool>()).prop_map(|(producer, commit)| Step::End { producer, commit }),
    ]
}

/// Offset, key, value.
type Live = (i64, u8, Option<u8>);

/// The log, its aborted transactions, and the records that count: offset, key, value.
struct World {
    log: Vec<u8>,
    aborted: Vec<AbortedTxn>,
    live: Vec<Live>,
}

fn world(steps: &[Step]) -> World {
    let mut log = Vec::new();
    let mut offset = 0i64;
    let mut open: HashMap<u8, (i64, Vec<Live>)> = HashMap::new();
    let mut world = World { log: Vec::new(), aborted: Vec::new(), live: Vec::new() };
    let end =
        |producer: u8, commit: bool, offset: i64, open: &mut HashMap<_, (i64, Vec<_>)>, world: &mut World| {
            let Some((first, records)) = open.remove(&producer) else { return };
            if commit {
                world.live.extend(records);
            } else {
                world.aborted.push(aborted(i64::from(producer), first, offset));
            }
        };
    let mut all_steps = steps.to_vec();
    all_steps.extend((0..3).map(|producer| Step::End { producer, commit: true }));
    for step in &all_steps {
        let (options, records) = match step {
            Step::End { producer, commit } => {
                log.extend(marker(offset, i64::from(*producer), *commit));
                end(*producer, *commit, offset, &mut open, &mut world);
                offset += 1;
                continue;
            }
            Step::Plain { codec, records } => (options(offset, *codec), records),
            Step::Transactional { producer: id, records } => {
                let producer = Some(producer(i64::from(*id), 3, Some(0)));
                (BatchOptions { producer, transactional: true, ..options(offset, Codec::None) }, records)
            }
        };
        let mut builder = BatchBuilder::new(options).unwrap();
        for (key, value) in records {
            let value = value.map(|value| [value]);
            let value = value.as_ref().map(<[u8; 1]>::as_slice);
            builder.append(Offset(offset), Some(NOW), Some(&[*key]), value, &[]).unwrap();
            let record = (offset, *key, value.map(|value| value[0]));
            match step {
                Step::Transactional { producer, .. } => {
                    open.entry(*producer).or_insert((offset, Vec::new())).1.push(record);
                }
                _ => world.live.push(record),
            }
            offset += 1;
        }
        log.extend(builder.finish().unwrap());
    }
    world.live.sort_unstable();
    world.log = log;
    world
}

fn data_offsets(log: &[u8]) -> HashSet<i64> {
    let mut all = HashSet::new();
    for batch in batches(log).map(Result::unwrap).filter(|batch| !batch.is_control()) {
        let mut records = batch.records(Limits::for_batch(batch.header())).unwrap();
        while let Some(record) = records.next_record().unwrap() {
            all.insert(record.offset.0);
        }
    }
    all
}

/// What should be left: the last live record of each key up to `end`, and everything live beyond.
fn survivors(live: &[Live], end: i64, tombstones: bool) -> HashSet<i64> {
    let mut latest = HashMap::new();
    for &(offset, key, value) in live.iter().filter(|record| record.0 < end) {
        latest.insert(key, (offset, value));
    }
    let latest =
        latest.values().filter(|(_, value)| tombstones || value.is_some()).map(|&(offset, _)| offset);
    latest.chain(live.iter().map(|record| record.0).filter(|&offset| offset >= end)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn survivors_equal_the_model(steps in proptest::collection::vec(step(), 1..25), keys_max in 1usize..8) {
        let world = world(&steps);
        let cleaning = Cleaning { aborted: world.aborted.clone(), keys_max, ..Cleaning::default() };
        let first = cleaning.run(&world.log, 0);
        let end = first.end.0;
        prop_assert_eq!(data_offsets(&first.log), survivors(&world.live, end, true));
        // What the index says after the cleaning still tells every aborted record that is left.
        prop_assert!(first.kept_aborts.iter().all(|kept| world.aborted.contains(kept)));
        // Offsets do not change, batches stay in order and within the log.
        let bounds: Vec<_> = batches(&first.log).map(|b| b.unwrap()).map(|b| (b.base_offset(), b.last_offset())).collect();
        prop_assert!(bounds.windows(2).all(|pair| pair[0].1 < pair[1].0));
        // The next round goes on where this one stopped, and with time the tombstones go.
        let aborted = first.kept_aborts;
        let later = Cleaning { now: Timestamp(NOW.0 + DAY_MS), aborted, ..cleaning };
        let second = later.run(&first.log, end);
        prop_assert!(second.end.0 >= end);
        let aborted = second.kept_aborts;
        let last = Cleaning { now: Timestamp(NOW.0 + 2 * DAY_MS), aborted, keys_max: 1000, ..later };
        let third = last.run(&second.log, 0);
        let left = data_offsets(&third.log);
        let all = survivors(&world.live, i64::MAX, true);
        prop_assert!(left.is_subset(&all));
        prop_assert!(survivors(&world.live, i64::MAX, false).is_subset(&left));
    }
}
