//! Where a consumer stands in each partition it reads (`SubscriptionState`). Pure.
//!
//! Invariant: what is buffered for a partition follows its position, and fetching goes on behind it.

use std::collections::VecDeque;
use std::time::Instant;

use gregor_model::{BrokerId, Offset, TopicPartition};

use super::chunk::Chunk;
use crate::config::OffsetReset;

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At this offset.
    Offset(Offset),
    /// At the oldest record.
    Earliest,
    /// Behind the newest.
    Latest,
}

/// One partition.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) partition: TopicPartition,
    /// The next record to give; none until it was found.
    pub(super) position: Option<Offset>,
    /// Where to look for the position instead of at what the group has committed.
    pub(super) reset: Option<OffsetReset>,
    /// The next record to fetch.
    fetch_from: Offset,
    buffered: VecDeque<Chunk>,
    buffered_bytes: usize,
    /// Answers of fetches that were sent before the position was moved are dropped.
    pub(super) term: u64,
    pub(super) fetching: bool,
    /// It is not asked for before.
    pub(super) not_before: Option<Instant>,
    /// A nearer replica to fetch from (KIP-392).
    pub(super) preferred: Option<BrokerId>,
}

/// What to fetch from a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) partition: TopicPartition,
    pub(super) from: Offset,
    pub(super) term: u64,
    pub(super) preferred: Option<BrokerId>,
}

/// All partitions of a consumer.
#[derive(Debug, Default)]
pub(super) struct Positions {
    places: Vec<Place>,
    terms: u64,
    /// Which partition gives first.
    turn: usize,
}

impl Positions {
    /// Reads these partitions and no others; their positions are not known yet.
    pub(super) fn assign(&mut self, partitions: impl IntoIterator<Item = TopicPartition>) {
        self.places.clear();
        for partition in partitions {
            self.terms += 1;
            self.places.push(Place {
                partition,
                position: None,
                reset: None,
                fetch_from: Offset::ZERO,
                buffered: VecDeque::new(),
                buffered_bytes: 0,
                term: self.terms,
                fetching: false,
                not_before: None,
                preferred: None,
            });
        }
    }

    pub(super) fn partitions(&self) -> Vec<TopicPartition> {
        self.places.iter().map(|place| place.partition.clone()).collect()
    }

    pub(super) fn get(&self, partition: &TopicPartition) -> Option<&Place> {
        self.places.iter().find(|place| place.partition == *partition)
    }

    fn get_mut(&mut self, partition: &TopicPartition) -> Option<&mut Place> {
        self.places.iter_mut().find(|place| place.partition == *partition)
    }

    /// The place, if it is still the one that was asked about.
    pub(super) fn current(&mut self, partition: &TopicPartition, term: u64) -> Option<&mut Place> {
        self.get_mut(partition).filter(|place| place.term == term)
    }

    /// Goes on at another offset.
    pub(super) fn seek(&mut self, partition: &TopicPartition, start: Start) {
        self.terms += 1;
        let term = self.terms;
        let Some(place) = self.get_mut(partition) else { return };
        place.term = term;
        place.fetching = false;
        place.buffered.clear();
        place.buffered_bytes = 0;
        place.not_before = None;
        match start {
            Start::Offset(offset) => place.locate(offset),
            Start::Earliest | Start::Latest => {
                place.position = None;
                place.reset =
                    Some(if start == Start::Earliest { OffsetReset::Earliest } else { OffsetReset::Latest });
            }
        }
    }

    /// Partitions whose position is not known, with where to look for it.
    pub(super) fn lost(&self) -> Vec<(TopicPartition, u64, Option<OffsetReset>)> {
        self.places
            .iter()
            .filter(|place| place.position.is_none())
            .map(|place| (place.partition.clone(), place.term, place.reset))
            .collect()
    }

    /// The positions known: what a commit stores.
    pub(super) fn known(&self) -> Vec<(TopicPartition, Offset)> {
        self.places.iter().filter_map(|place| Some((place.partition.clone(), place.position?))).collect()
    }

    /// What may be fetched now: partitions that have less than `ahead_bytes` left to give.
    pub(super) fn wanted(&self, now: Instant, ahead_bytes: usize) -> Vec<Wanted> {
        self.places
            .iter()
            .filter(|place| {
                place.position.is_some()
                    && !place.fetching
                    && place.buffered_bytes < ahead_bytes.max(1)
                    && place.not_before.is_none_or(|at| at <= now)
            })
            .map(|place| Wanted {
                partition: place.partition.clone(),
                from: place.fetch_from,
                term: place.term,
                preferred: place.preferred,
            })
            .collect()
    }

    /// When a partition that is kept back may be asked for again.
    pub(super) fn next_attempt(&self) -> Option<Instant> {
        self.places.iter().filter_map(|place| place.not_before).min()
    }

    /// Notes that a partition is being fetched, or not any more.
    pub(super) fn set_fetching(&mut self, partition: &TopicPartition, term: u64, fetching: bool) {
        if let Some(place) = self.current(partition, term) {
            place.fetching = fetching;
        }
    }

    /// Takes whole batches, about `records_max` records, from one partition after the other.
    pub(super) fn take(&mut self, records_max: usize) -> Vec<Chunk> {
        let mut taken = Vec::new();
        let mut records = 0;
        let count = self.places.len();
        for step in 0..count {
            let at = (self.turn + step) % count;
            let Some(place) = self.places.get_mut(at) else { continue };
            while records < records_max {
                let Some(chunk) = place.buffered.pop_front() else { break };
                records += chunk.record_count();
                place.buffered_bytes -= chunk.bytes().min(place.buffered_bytes);
                place.position = Some(chunk.next_offset());
                taken.push(chunk);
            }
            if place.buffered.is_empty() && place.position.is_some() {
                // What was fetched and holds nothing to see is behind us, too.
                place.position = Some(place.fetch_from);
            }
            if records >= records_max {
                self.turn = at;
                break;
            }
        }
        taken
    }
}

impl Place {
    /// The position was found.
    pub(super) fn locate(&mut self, offset: Offset) {
        self.position = Some(offset);
        self.fetch_from = offset;
        self.reset = None;
    }

    /// The position is no more: it is looked for again.
    pub(super) fn lose(&mut self, reset: OffsetReset) {
        self.position = None;
        self.reset = Some(reset);
        self.preferred = None;
    }

    /// Takes in what was fetched.
    pub(super) fn buffer(&mut self, chunks: Vec<Chunk>, next: Option<Offset>) {
        self.buffered_bytes += chunks.iter().map(Chunk::bytes).sum::<usize>();
        self.buffered.extend(chunks);
        if let Some(next) = next {
            self.fetch_from = self.fetch_from.max(next);
        }
        if self.buffered.is_empty() {
            self.position = Some(self.fetch_from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use gregor_records::{BatchBuilder, BatchOptions, BatchRef};

    fn chunk(partition: &TopicPartition, base: i64, count: i64) -> Chunk {
        let mut builder =
            BatchBuilder::new(BatchOptions { base_offset: Offset(base), ..BatchOptions::default() }).unwrap();
        for at in base..base + count {
            builder.append(Offset(at), None, None, None, &[]).unwrap();
        }
        let bytes = Bytes::from(builder.finish().unwrap());
        Chunk::new(partition.clone(), bytes.clone(), &BatchRef::first(&bytes).unwrap(), Offset(base))
    }

    #[test]
    fn positions_follow_what_was_given() {
        let (a, b) = (TopicPartition::new("a", 0), TopicPartition::new("b", 0));
        let now = Instant::now();
        let mut positions = Positions::default();
        positions.assign([a.clone(), b.clone()]);
        assert_eq!(positions.lost().len(), 2);
        assert!(positions.wanted(now, 1).is_empty());
        positions.seek(&a, Start::Offset(Offset(5)));
        positions.seek(&b, Start::Earliest);
        assert_eq!(positions.lost().len(), 1);
        let wanted = positions.wanted(now, 1);
        assert_eq!((wanted.len(), wanted[0].from), (1, Offset(5)));

        positions.set_fetching(&a, wanted[0].term, true);
        assert!(positions.wanted(now, 1).is_empty());
        let place = positions.current(&a, wanted[0].term).unwrap();
        place.buffer(vec![chunk(&a, 5, 3), chunk(&a, 8, 2)], Some(Offset(11)));
        positions.set_fetching(&a, wanted[0].term, false);
        assert!(positions.wanted(now, 1).is_empty(), "there is something to give");
        assert_eq!(positions.take(1).len(), 1);
        assert_eq!(positions.known(), [(a.clone(), Offset(8))]);
        assert_eq!(positions.take(100).len(), 1);
        // Offset 10 was there, but is not to be seen.
        assert_eq!(positions.known(), [(a.clone(), Offset(11))]);
        assert_eq!(positions.wanted(now, 1)[0].from, Offset(11));
    }

    #[test]
    fn what_was_asked_before_a_move_is_dropped() {
        let a = TopicPartition::new("a", 0);
        let mut positions = Positions::default();
        positions.assign([a.clone()]);
        positions.seek(&a, Start::Offset(Offset(0)));
        let term = positions.wanted(Instant::now(), 1)[0].term;
        positions.seek(&a, Start::Latest);
        assert!(positions.current(&a, term).is_none());
        assert_eq!(positions.lost()[0].2, Some(OffsetReset::Latest));
    }
}
