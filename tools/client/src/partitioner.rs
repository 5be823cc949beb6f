//! Which partition a record goes to, as Java's producer decides by default (`BuiltInPartitioner`). Pure.

/// murmur2 as Java's client computes it (`Utils.murmur2`).
pub fn murmur2(key: &[u8]) -> i32 {
    const M: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    let mut hash = SEED ^ key.len() as u32;
    let (words, rest) = key.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k = (k ^ (k >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    if !rest.is_empty() {
        for (at, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * at);
        }
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    (hash ^ (hash >> 15)) as i32
}

/// The partition of a record with this key; `None` if there are no partitions.
pub fn partition_of_key(key: &[u8], partitions: usize) -> Option<usize> {
    let hash = (murmur2(key) & i32::MAX) as usize;
    hash.checked_rem(partitions)
}

/// Where records without a key go: to one partition until so many bytes went there, then to another by chance (KIP-794).
#[derive(Clone, Debug)]
pub struct Sticky {
    switch_bytes: usize,
    current: Option<usize>,
    bytes: usize,
}

impl Sticky {
    /// Changes partitions after this many bytes (`batch.size`).
    pub fn new(switch_bytes: usize) -> Sticky {
        Sticky { switch_bytes: switch_bytes.max(1), current: None, bytes: 0 }
    }

    /// The partition for a record of `bytes`, among those that have a leader. `random` is asked for a number below its
    /// argument when another is to be chosen.
    pub fn partition(
        &mut self,
        bytes: usize,
        available: &[usize],
        random: impl FnOnce(usize) -> usize,
    ) -> Option<usize> {
        let stays = self.current.filter(|current| {
            self.bytes < self.switch_bytes
                && (available.is_empty() || available.binary_search(current).is_ok())
        });
        let partition = match stays {
            Some(current) => current,
            None => {
                self.bytes = 0;
                *available.get(random(available.len().max(1)))?
            }
        };
        self.current = Some(partition);
        self.bytes += bytes;
        Some(partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expectations are those of Kafka's own test of this function.
    #[test]
    fn hashes_are_javas() {
        for (key, expected) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()), expected, "{key}");
        }
        assert_eq!(partition_of_key(b"21", 0), None);
        assert_eq!(partition_of_key(b"abc", 10), Some(7));
    }

    #[test]
    fn keyless_records_stay_for_a_batch_and_move_on() {
        let mut sticky = Sticky::new(100);
        let mut choices = [2, 0, 1].into_iter();
        let mut next = |bytes| sticky.partition(bytes, &[0, 3, 5], |_| choices.next().unwrap_or(0));
        assert_eq!(
            [next(60), next(60), next(60), next(60), next(1)],
            [Some(5), Some(5), Some(0), Some(0), Some(3)]
        );
        assert_eq!(Sticky::new(100).partition(1, &[], |_| 0), None);
    }

    #[test]
    fn a_partition_that_lost_its_leader_is_left() {
        let mut sticky = Sticky::new(100);
        assert_eq!(sticky.partition(1, &[0, 1], |_| 0), Some(0));
        assert_eq!(sticky.partition(1, &[1], |_| 0), Some(1));
    }
}
