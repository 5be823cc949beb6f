use std::collections::HashMap;

use gregor_config::Properties;
use gregor_model::{BrokerId, Timestamp};
use gregor_records::{BatchRef, Limits};

use super::*;
use crate::cluster::{PartitionView, TopicView, View};
use crate::producer::drain::Drained;

const BROKER: BrokerId = BrokerId(1);

struct World {
    accumulator: Accumulator<u32>,
    view: View,
    topic: TopicName,
    now: Instant,
}

impl World {
    /// A producer of a topic with two partitions, led by the same broker.
    fn new(config: &str) -> World {
        let text = format!("bootstrap.servers=a:1\nbatch.size=200\n{config}");
        let properties = Properties::parse(text.as_bytes()).unwrap();
        let config = ProducerConfig::from_properties(&properties).unwrap();
        let mut accumulator = Accumulator::new(&config);
        if config.idempotence {
            accumulator.renew(ProducerId(9), ProducerEpoch(0));
        }
        let partition = PartitionView { leader: Some(BROKER), leader_epoch: None };
        let topic = TopicView { id: None, error: None, is_internal: false, partitions: vec![partition; 2] };
        let name = TopicName::new("t");
        let view = View { brokers: HashMap::new(), topics: [(name.clone(), topic)].into() };
        World { accumulator, view, topic: name, now: Instant::now() }
    }

    fn append(&mut self, partition: usize, token: u32) -> Result<bool, Refused<u32>> {
        let value = [b'v'; 50];
        let content = Content { timestamp: Timestamp(1), key: None, value: Some(&value), headers: &[] };
        self.accumulator.append(&self.topic, partition, &content, token, self.now)
    }

    fn append_all(&mut self, partition: usize, tokens: std::ops::Range<u32>) {
        for token in tokens {
            self.append(partition, token).unwrap();
        }
    }

    fn drain(&mut self) -> Drained<u32> {
        self.accumulator.drain(&self.view, self.now, |_| true)
    }

    /// The only batch that goes out now.
    #[track_caller]
    fn drain_one(&mut self) -> (TopicPartition, Batch<u32>) {
        let mut requests = self.drain().requests;
        assert_eq!(requests.len(), 1);
        let mut batches = requests.remove(0).1;
        assert_eq!(batches.len(), 1);
        batches.remove(0)
    }

    fn advance(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
    }
}

/// Sequence and records of a batch as a broker sees it.
fn sequence(batch: &Batch<u32>) -> (i32, i32) {
    let view = BatchRef::first(&batch.bytes).unwrap();
    view.check_crc().unwrap();
    (view.base_sequence.unwrap().0, view.record_count.unwrap())
}

#[test]
fn batches_go_when_full_or_when_they_have_lingered() {
    let mut world = World::new("linger.ms=10");
    assert!(matches!(world.append(0, 1), Ok(true)));
    assert!(matches!(world.append(0, 2), Ok(false)));
    let drained = world.drain();
    assert!(drained.requests.is_empty());
    assert_eq!(drained.look_again, Some(world.now + Duration::from_millis(10)));
    // The third does not fit: the batch is closed, and goes at once.
    assert!(matches!(world.append(0, 3), Ok(true)));
    let (partition, batch) = world.drain_one();
    assert_eq!((partition.partition, &batch.tokens[..]), (0, &[1, 2][..]));
    assert_eq!(sequence(&batch), (0, 2));
    world.advance(10);
    let (_, batch) = world.drain_one();
    assert_eq!(sequence(&batch), (2, 1));
    assert!(world.drain().requests.is_empty());
    assert!(!world.accumulator.is_empty());
}

#[test]
fn a_request_holds_a_batch_of_each_partition() {
    let mut world = World::new("");
    world.append_all(0, 0..4);
    world.append_all(1, 4..5);
    let drained = world.drain();
    let partitions: Vec<i32> =
        drained.requests[0].1.iter().map(|(partition, _)| partition.partition).collect();
    assert_eq!((drained.requests.len(), partitions), (1, vec![0, 1]));
    let drained = world.accumulator.drain(&world.view, world.now, |_| false);
    assert!(drained.requests.is_empty(), "the broker has enough requests");
}

#[test]
fn memory_is_bounded() {
    let mut world = World::new("buffer.memory=400\nlinger.ms=1000");
    world.append_all(0, 0..2);
    world.append_all(1, 2..4);
    assert!(matches!(world.append(0, 9), Err(Refused::Full(9))));
    world.accumulator.starved = true;
    let drained = world.drain();
    let batches: Vec<_> = drained.requests.into_iter().flat_map(|(_, batches)| batches).collect();
    assert_eq!(batches.len(), 2, "nothing lingers when memory is wanted");
    world.accumulator.finished(&batches[0].0, &batches[0].1);
    assert!(matches!(world.append(0, 9), Ok(true)));
}

#[test]
fn retried_batches_keep_their_place_and_sequences() {
    let mut world = World::new("");
    world.append_all(0, 0..2);
    let (partition, first) = world.drain_one();
    world.append_all(0, 2..4);
    let (_, second) = world.drain_one();
    world.append_all(0, 4..5);
    assert!(world.accumulator.attempt(&partition, &first, world.now).oldest);
    assert!(!world.accumulator.attempt(&partition, &second, world.now).oldest);

    // The second comes back first; nothing goes before the first one is known, and then one after the other.
    world.accumulator.retry(&partition, second, world.now);
    assert!(world.drain().requests.is_empty());
    world.accumulator.retry(&partition, first, world.now + Duration::from_millis(100));
    assert!(world.drain().requests.is_empty());
    world.advance(100);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let (partition, batch) = world.drain_one();
        if seen.is_empty() {
            assert!(world.drain().requests.is_empty(), "the second is not sent beside the first again");
        }
        seen.push(sequence(&batch));
        world.accumulator.finished(&partition, &batch);
    }
    assert_eq!(seen, [(0, 2), (2, 2), (4, 1)]);
    assert!(world.accumulator.is_empty());
}

#[test]
fn a_new_identity_numbers_anew() {
    let mut world = World::new("");
    world.append_all(0, 0..2);
    let (partition, first) = world.drain_one();
    world.append_all(0, 2..5);
    world.accumulator.retry(&partition, first, world.now);
    world.accumulator.lose_identity();
    assert!(world.accumulator.wants_identity());
    assert!(world.drain().requests.is_empty());
    assert!(matches!(world.append(0, 9), Err(Refused::NoIdentity(9))));
    world.accumulator.renew(ProducerId(10), ProducerEpoch(3));
    world.append_all(0, 5..6);
    let mut seen = Vec::new();
    while !world.accumulator.is_empty() {
        let (partition, batch) = world.drain_one();
        let view = BatchRef::first(&batch.bytes).unwrap();
        assert_eq!((view.producer_id, view.producer_epoch), (Some(ProducerId(10)), ProducerEpoch(3)));
        seen.push(sequence(&batch));
        world.accumulator.finished(&partition, &batch);
    }
    assert_eq!(seen, [(0, 2), (2, 2), (4, 1), (5, 1)]);
}

#[test]
fn a_batch_on_its_way_keeps_the_identity_it_has() {
    let mut world = World::new("");
    world.append_all(0, 0..1);
    let (partition, batch) = world.drain_one();
    world.accumulator.lose_identity();
    assert!(!world.accumulator.wants_identity(), "first everything must be back");
    world.accumulator.finished(&partition, &batch);
    assert!(world.accumulator.wants_identity());
}

#[test]
fn halves_of_a_batch_follow_each_other() {
    let mut world = World::new("batch.size=2000");
    world.append_all(0, 0..5);
    let (partition, batch) = world.drain_one();
    world.append_all(0, 5..6);
    world.accumulator.split(&partition, batch).map_err(|(error, _)| error).unwrap();
    let mut seen = Vec::new();
    while !world.accumulator.is_empty() {
        let (partition, batch) = world.drain_one();
        let view = BatchRef::first(&batch.bytes).unwrap();
        let mut records = view.records(Limits::for_batch(&view)).unwrap();
        let mut count = 0;
        while let Some(record) = records.next_record().unwrap() {
            assert_eq!(record.value.map(<[u8]>::len), Some(50));
            count += 1;
        }
        assert_eq!(count, batch.tokens.len());
        seen.push((sequence(&batch), batch.tokens.clone()));
        world.accumulator.finished(&partition, &batch);
    }
    assert_eq!(seen, [((0, 2), vec![0, 1]), ((2, 3), vec![2, 3, 4]), ((5, 1), vec![5])]);
}

#[test]
fn what_waits_for_too_long_expires() {
    let mut world = World::new("linger.ms=10\nrequest.timeout.ms=10\ndelivery.timeout.ms=100");
    world.append_all(0, 0..3);
    world.view.topics.clear();
    let drained = world.drain();
    assert_eq!(drained.leaderless, [world.topic.clone()]);
    world.advance(100);
    let drained = world.drain();
    let expired: Vec<usize> = drained.expired.iter().map(|(_, batch)| batch.tokens.len()).collect();
    assert_eq!(expired, [2, 1]);
    assert!(world.accumulator.is_empty());
    assert!(world.accumulator.wants_identity(), "sequences are missing now");
}

#[test]
fn attempts_are_counted() {
    let mut world = World::new("retries=1\nenable.idempotence=false");
    world.append_all(0, 0..1);
    let (partition, batch) = world.drain_one();
    assert!(world.accumulator.attempt(&partition, &batch, world.now).retries_left);
    world.accumulator.retry(&partition, batch, world.now);
    let (partition, batch) = world.drain_one();
    assert!(!world.accumulator.attempt(&partition, &batch, world.now).retries_left);
}
