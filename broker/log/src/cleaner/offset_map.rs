//! The latest offset of each key in the dirty part of a log (`SkimpyOffsetMap`), in memory that is bounded beforehand.
//!
//! Keys are not stored, only 128 bits of hash, so two keys of equal hash would count as one. Kafka takes MD5; here two
//! SipHashes with keys drawn for the process do, which are several times faster and cannot be made to collide by whoever
//! chooses the keys of records. Invariant: never more entries than the load factor allows.

use std::hash::{BuildHasher, Hasher, RandomState};

use gregor_model::Offset;

/// Hash of a key, and its offset plus one: a slot of zeros is free.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    hash: [u64; 2],
    offset_plus_one: u64,
}

/// Bytes of a slot, as in Kafka: by these `log.cleaner.dedupe.buffer.size` is counted.
pub(crate) const SLOT_BYTES: usize = size_of::<Slot>();

/// The two hashes' keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyHash([RandomState; 2]);

impl KeyHash {
    fn of(&self, key: &[u8]) -> [u64; 2] {
        let KeyHash([first, second]) = self;
        [first, second].map(|state| {
            let mut hasher = state.build_hasher();
            hasher.write(key);
            hasher.finish()
        })
    }
}

/// The latest offset of each key.
#[derive(Debug)]
pub(crate) struct OffsetMap {
    hash: KeyHash,
    slots: Vec<Slot>,
    len: usize,
    len_max: usize,
    latest_offset: Offset,
}

impl OffsetMap {
    /// A map of at most `memory_bytes`, filled up to `load_factor`, for the offsets from `start` on, before `end`:
    /// there can be no more keys than offsets, so a short range takes less memory.
    pub(crate) fn new(
        hash: KeyHash,
        memory_bytes: usize,
        load_factor: f64,
        start: Offset,
        end: Offset,
    ) -> OffsetMap {
        let load_factor = load_factor.clamp(0.01, 0.99);
        let slots_max = (memory_bytes / SLOT_BYTES).max(2);
        let len_max = ((slots_max as f64 * load_factor) as usize).max(1);
        let keys_max = usize::try_from(end - start).unwrap_or(0);
        let slots = if keys_max < len_max {
            // Fits into `slots_max`, as it has fewer keys than that has room for.
            ((keys_max as f64 / load_factor) as usize + 2).min(slots_max)
        } else {
            slots_max
        };
        OffsetMap {
            hash,
            slots: vec![Slot::default(); slots],
            len: 0,
            len_max: len_max.min(keys_max.max(1)).min(slots - 1),
            latest_offset: Offset(start.0 - 1),
        }
    }

    /// Whether no other key fits.
    pub(crate) fn is_full(&self) -> bool {
        self.len >= self.len_max
    }

    /// How much of the memory is in use, from 0 to 1.
    pub(crate) fn utilization(&self) -> f64 {
        self.len as f64 / self.slots.len() as f64
    }

    /// The last offset the map knows about: records beyond it are not to be judged by it.
    pub(crate) fn latest_offset(&self) -> Offset {
        self.latest_offset
    }

    /// Notes that everything up to `offset` has been looked at.
    pub(crate) fn set_latest_offset(&mut self, offset: Offset) {
        self.latest_offset = offset;
    }

    /// Notes the offset of a key's record; offsets must come in order. Check [`OffsetMap::is_full`] before.
    pub(crate) fn put(&mut self, key: &[u8], offset: Offset) {
        let hash = self.hash.of(key);
        let place = self.place(hash);
        let Some(slot) = self.slots.get_mut(place) else { return };
        if slot.offset_plus_one == 0 {
            slot.hash = hash;
            self.len += 1;
        }
        slot.offset_plus_one = offset.0 as u64 + 1;
        self.latest_offset = offset;
    }

    /// The latest offset of the key's records that were put.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Offset> {
        let hash = self.hash.of(key);
        let slot = self.slots.get(self.place(hash))?;
        (slot.offset_plus_one != 0).then(|| Offset(slot.offset_plus_one as i64 - 1))
    }

    /// The slot of this hash, or the free one where it belongs. There is always a free one.
    fn place(&self, hash: [u64; 2]) -> usize {
        let slots = self.slots.len();
        // Scales the hash to the table without a division.
        let mut place = ((u128::from(hash[0]) * slots as u128) >> 64) as usize;
        while let Some(slot) = self.slots.get(place) {
            if slot.offset_plus_one == 0 || slot.hash == hash {
                break;
            }
            place = if place + 1 == slots { 0 } else { place + 1 };
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn map(memory_bytes: usize, load_factor: f64, offsets: i64) -> OffsetMap {
        OffsetMap::new(KeyHash::default(), memory_bytes, load_factor, Offset(0), Offset(offsets))
    }

    #[test]
    fn the_latest_offset_wins() {
        let mut map = map(1 << 20, 0.9, 1000);
        map.put(b"a", Offset(3));
        map.put(b"b", Offset(4));
        map.put(b"a", Offset(9));
        assert_eq!((map.get(b"a"), map.get(b"b"), map.get(b"c")), (Some(Offset(9)), Some(Offset(4)), None));
        assert_eq!((map.len, map.latest_offset()), (2, Offset(9)));
        map.set_latest_offset(Offset(20));
        assert_eq!(map.latest_offset(), Offset(20));
    }

    #[test]
    fn offset_zero_and_the_empty_key_are_entries() {
        let mut map = map(1 << 10, 0.9, 10);
        assert_eq!(map.latest_offset(), Offset(-1));
        map.put(b"", Offset(0));
        assert_eq!(map.get(b""), Some(Offset(0)));
    }

    #[test]
    fn it_is_full_at_its_load_factor() {
        #[track_caller]
        fn check(memory_bytes: usize, load_factor: f64, offsets: i64, expected: usize) {
            let mut map = map(memory_bytes, load_factor, offsets);
            let mut count = 0;
            while !map.is_full() {
                map.put(format!("{count}").as_bytes(), Offset(count as i64));
                count += 1;
            }
            assert_eq!(count, expected);
            assert!(map.slots.len() * SLOT_BYTES <= memory_bytes.max(2 * SLOT_BYTES));
            assert!((0..count).all(|key| map.get(format!("{key}").as_bytes()) == Some(Offset(key as i64))));
        }
        check(100 * SLOT_BYTES, 0.9, i64::MAX, 90);
        check(100 * SLOT_BYTES, 0.5, i64::MAX, 50);
        check(100 * SLOT_BYTES, 1.0, i64::MAX, 99);
        check(1 << 30, 0.9, 10, 10);
        check(0, 0.9, i64::MAX, 1);
    }

    #[test]
    fn a_short_range_takes_little_memory() {
        assert!(map(128 << 20, 0.9, 1000).slots.len() < 1200);
        assert_eq!(SLOT_BYTES, 24);
    }

    proptest! {
        #[test]
        fn it_is_a_map(keys in proptest::collection::vec("[a-d]{0,4}", 0..300)) {
            let mut map = map(1 << 20, 0.75, keys.len() as i64);
            let mut model = HashMap::new();
            for (offset, key) in keys.iter().enumerate() {
                map.put(key.as_bytes(), Offset(offset as i64));
                model.insert(key.clone(), Offset(offset as i64));
            }
            prop_assert_eq!(map.len, model.len());
            for (key, offset) in model {
                prop_assert_eq!(map.get(key.as_bytes()), Some(offset));
            }
        }
    }
}
