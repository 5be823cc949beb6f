//! The small files beside the segments, one module per format. Each has a pure parser and writer; reading and
//! writing them is done by those who own them.

pub mod clean_shutdown;
pub mod leader_epochs;
pub mod offsets;
pub mod partition_metadata;
mod text;

pub use text::BadCheckpoint;

/// No checkpoint is larger than this; a larger file is damaged.
pub(crate) const BYTES_MAX: u64 = 256 << 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{leader_epochs, offsets, partition_metadata};
    use crate::file_name::{DirName, FileName};
    use crate::producer_state::decode_snapshot;

    proptest! {
        #[test]
        fn no_bytes_make_a_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in "[0-9a-z \n:._-]{0,80}") {
            for bytes in [&bytes[..], text.as_bytes(), format!("0\n{text}").as_bytes()] {
                let _ = (offsets::parse(bytes), leader_epochs::parse(bytes), partition_metadata::parse(bytes));
                let _ = decode_snapshot(bytes);
            }
            let _ = (FileName::parse(&text), DirName::parse(&text));
        }

        #[test]
        fn checkpoints_round_trip(entries in proptest::collection::hash_map(("[a-zA-Z0-9._-]{1,30}", 0..i32::MAX), 0..i64::MAX, 0..20)) {
            let entries: Vec<_> = entries
                .into_iter()
                .map(|((topic, partition), offset)| {
                    (gregor_model::TopicPartition::new(topic.as_str(), partition), gregor_model::Offset(offset))
                })
                .collect();
            let parsed = offsets::parse(&offsets::format(&entries)).unwrap();
            prop_assert_eq!(parsed, entries.into_iter().collect());
        }
    }
}
