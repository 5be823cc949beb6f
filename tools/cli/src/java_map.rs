//! The order in which Java's `HashMap` walks over strings. Kafka's tools print topics and configs in that order, so a tool
//! whose output is to be the same must know it. Pure.

use gregor_model::TopicPartition;

use crate::admin::quotas::EntityQuotas;

/// `String.hashCode`, over UTF-16 units.
fn hash_code(text: &str) -> i32 {
    text.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// `TopicPartition.hashCode`.
fn partition_hash_code(TopicPartition { topic, partition }: &TopicPartition) -> i32 {
    partition.wrapping_add(31).wrapping_mul(31).wrapping_add(hash_code(topic.as_str()))
}

/// Java's `new HashMap<>()`.
pub const DEFAULT_CAPACITY: usize = 16;

/// Sorts `entries` as a `HashMap` created with `initial_capacity` and filled in the given order would give them back.
pub fn sort_as_hash_map<T>(entries: &mut [T], initial_capacity: usize, key: impl Fn(&T) -> &str) {
    sort_by_hash(entries, initial_capacity, |entry| hash_code(key(entry)));
}

/// As [`sort_as_hash_map`], for a map by partition of Java's default capacity.
pub fn sort_partitions_as_hash_map<T>(entries: &mut [T], key: impl Fn(&T) -> &TopicPartition) {
    sort_by_hash(entries, DEFAULT_CAPACITY, |entry| partition_hash_code(key(entry)));
}

/// Sorts entities with quotas as Kafka's client gives them back (`DescribeClientQuotasResponse`): a map by the hash code of a
/// map, created for their count.
pub fn sort_quota_entities_as_hash_map(entities: &mut [EntityQuotas]) {
    let count = entities.len();
    sort_by_hash(entities, count, |(entity, _)| {
        let name_hash = |name: &Option<String>| name.as_deref().map_or(0, hash_code);
        let parts = entity.iter().map(|(kind, name)| hash_code(kind) ^ name_hash(name));
        parts.fold(0_i32, i32::wrapping_add).wrapping_add(31)
    });
}

fn sort_by_hash<T>(entries: &mut [T], initial_capacity: usize, hash: impl Fn(&T) -> i32) {
    let mut capacity = initial_capacity.max(1).next_power_of_two();
    // It doubles when more than three quarters are taken.
    while entries.len() > capacity - capacity.div_ceil(4) {
        capacity *= 2;
    }
    // Stable: within a bucket entries keep the order they came in.
    entries.sort_by_key(|entry| {
        let hash = hash(entry) as u32;
        (hash ^ (hash >> 16)) as usize & (capacity - 1)
    });
}

/// Sorts partitions as Scala's mutable `HashSet` gives them back, which kafka-dump-log prints.
pub fn sort_as_scala_set(partitions: &mut [(&str, i32)]) {
    let mut capacity = 16;
    while partitions.len() >= capacity / 4 * 3 {
        capacity *= 2;
    }
    partitions.sort_by_key(|(topic, partition)| {
        // `TopicPartition.hashCode`.
        let hash = 31_i32.wrapping_add(*partition).wrapping_mul(31).wrapping_add(hash_code(topic)) as u32;
        let improved = hash ^ (hash >> 16);
        // Within a bucket they stand by their hash, which is signed.
        (improved as usize & (capacity - 1), improved as i32)
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
