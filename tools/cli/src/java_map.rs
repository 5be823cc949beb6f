//! The order in which Java's `HashMap` walks over strings. Kafka's tools print topics and configs in that order, so a tool
//! whose output is to be the same must know it. Pure.

/// `String.hashCode`, over UTF-16 units.
fn hash_code(text: &str) -> i32 {
    text.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// Sorts `entries` as a `HashMap` created with `initial_capacity` (16 if Java's default) and filled in the given order would
/// give them back.
pub fn sort_as_hash_map<T>(entries: &mut [T], initial_capacity: usize, key: impl Fn(&T) -> &str) {
    let mut capacity = initial_capacity.max(1).next_power_of_two();
    // It doubles when more than three quarters are taken.
    while entries.len() > capacity - capacity.div_ceil(4) {
        capacity *= 2;
    }
    // Stable: within a bucket entries keep the order they came in.
    entries.sort_by_key(|entry| {
        let hash = hash_code(key(entry)) as u32;
        (hash ^ (hash >> 16)) as usize & (capacity - 1)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_codes_are_javas() {
        for (text, expected) in
            [("", 0), ("a", 97), ("retention.ms", -1_339_220_362), ("cleanup.policy", -537_988_164)]
        {
            assert_eq!(hash_code(text), expected, "{text}");
        }
    }

    /// Expectations printed by OpenJDK 17.
    #[test]
    fn the_order_is_javas() {
        #[track_caller]
        fn check(capacity: usize, given: &[&str], expected: &[&str]) {
            let mut sorted = given.to_vec();
            sort_as_hash_map(&mut sorted, capacity, |text| text);
            assert_eq!(sorted, expected);
        }
        check(
            5,
            &["orders", "payments", "orders-eu", "audit", "zeta"],
            &["zeta", "orders", "orders-eu", "audit", "payments"],
        );
        check(
            16,
            &[
                "retention.ms",
                "cleanup.policy",
                "min.insync.replicas",
                "segment.bytes",
                "compression.type",
                "flush.ms",
                "flush.messages",
                "index.interval.bytes",
                "max.message.bytes",
                "preallocate",
                "file.delete.delay.ms",
                "segment.ms",
                "segment.jitter.ms",
                "unclean.leader.election.enable",
            ],
            &[
                "compression.type",
                "file.delete.delay.ms",
                "max.message.bytes",
                "min.insync.replicas",
                "preallocate",
                "segment.jitter.ms",
                "index.interval.bytes",
                "unclean.leader.election.enable",
                "cleanup.policy",
                "flush.ms",
                "retention.ms",
                "segment.bytes",
                "segment.ms",
                "flush.messages",
            ],
        );
    }
}
