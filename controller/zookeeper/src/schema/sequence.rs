//! Names of persistent-sequential znodes: a prefix and the parent's counter, ten digits, zero-padded.

/// The number at the end of a sequential child's name, when it has that prefix and a number.
pub fn parse(child: &str, prefix: &str) -> Option<i64> {
    let digits = child.strip_prefix(prefix)?;
    // A counter past i32::MAX is printed negative by old servers; Kafka would not read it either.
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_counter_only_behind_its_prefix() {
        for (child, prefix, expected) in [
            ("isr_change_0000000042", "isr_change_", Some(42)),
            ("isr_change_", "isr_change_", None),
            ("isr_change_-000000001", "isr_change_", None),
            ("log_dir_event_0000000001", "isr_change_", None),
            ("config_change_99999999999999999999", "config_change_", None),
        ] {
            assert_eq!(parse(child, prefix), expected, "{child}");
        }
    }
}
