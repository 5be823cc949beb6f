//! Which partition of `__consumer_offsets` or `__transaction_state` a key belongs to. Every broker of a cluster must
//! agree on this, or one group has two coordinators.

/// The partition of a group id or transactional id among `partitions` (`GroupMetadataManager.partitionFor`):
/// Java's string hash over UTF-16 code units, its absolute value with `i32::MIN` as 0, modulo the count.
pub fn partition_of(key: &str, partitions: i32) -> i32 {
    let hash =
        key.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    hash.checked_abs().unwrap_or(0) % partitions.max(1)
}

#[cfg(test)]
mod tests {
    use super::partition_of;

    #[test]
    fn keys_as_kafka_places_them() {
        #[track_caller]
        fn check(key: &str, partition: i32) {
            assert_eq!(partition_of(key, 50), partition, "{key}");
        }
        check("", 0);
        check("test", 48);
        check("group1", 40);
        check("my-group", 12);
        check("my-txn", 45);
        check("polygenelubricants", 0);
        check("größe", 7);
        check("gruppe-😀", 11);
        check("группа", 8);
        check("消费者组", 38);
        check("payments-é", 7);
        check("𝔘", 19);
        check("connect-cluster", 13);
    }
}
