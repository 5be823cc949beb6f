//! `.index` (`OffsetIndex`): from offsets to positions in the `.log`.

use gregor_model::Offset;

use crate::sparse_index::{IndexEntry, SparseIndex};

/// The batch at `position`, or one of those appended with it, ends at `offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetEntry {
    /// The last offset of what was appended.
    pub offset: Offset,
    /// Where it begins, in bytes.
    pub position: u32,
}

/// The offset index of one segment.
pub(crate) type OffsetIndex = SparseIndex<OffsetEntry>;

impl IndexEntry for OffsetEntry {
    const SIZE: usize = 8;
    const RESERVED: u32 = 0;

    fn encode(&self, base: Offset, into: &mut Vec<u8>) {
        into.extend_from_slice(&((self.offset - base) as u32).to_be_bytes());
        into.extend_from_slice(&self.position.to_be_bytes());
    }

    fn decode(base: Offset, bytes: &[u8]) -> OffsetEntry {
        let field =
            |at: usize| bytes.get(at..at + 4).and_then(|f| f.try_into().ok()).map_or(0, u32::from_be_bytes);
        OffsetEntry { offset: base + i64::from(field(0)), position: field(4) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file_name::{FileKind, FileState};
    use crate::segment_file::SegmentFile;
    use crate::testing::partition_dir;
    use crate::testing::random::Random;

    #[test]
    fn golden_bytes() {
        let entry = OffsetEntry { offset: Offset(1234), position: 4711 };
        let mut bytes = Vec::new();
        entry.encode(Offset(1000), &mut bytes);
        assert_eq!(bytes, [0, 0, 0, 0xea, 0, 0, 0x12, 0x67]);
        assert_eq!(OffsetEntry::decode(Offset(1000), &bytes), entry);
    }

    #[test]
    fn look_ups_agree_with_a_list_whether_stored_or_kept_back() {
        let (_root, dir) = partition_dir();
        let open = || {
            let file = SegmentFile::new(
                std::sync::Arc::clone(&dir),
                Offset(7),
                FileKind::OffsetIndex,
                FileState::Plain,
            );
            OffsetIndex::new(Offset(7), file)
        };
        let mut index = open();
        let mut random = Random::new(1);
        let mut list: Vec<OffsetEntry> = Vec::new();
        for n in 0..1500u32 {
            let last = list.last().copied().unwrap_or(OffsetEntry { offset: Offset(7), position: 0 });
            let entry = OffsetEntry {
                offset: last.offset + 1 + random.below(5) as i64,
                position: last.position + 1 + random.below(9000) as u32,
            };
            index.append(entry).unwrap();
            list.push(entry);
            if n % 100 == 99 {
                for _ in 0..50 {
                    let target = Offset(random.below(list[list.len() - 1].offset.0 as u64 + 10) as i64);
                    let floor = list.iter().rev().find(|entry| entry.offset <= target).copied();
                    assert_eq!(index.floor(|entry| entry.offset <= target).unwrap(), floor);
                    let above = list.iter().find(|entry| entry.offset > target).copied();
                    assert_eq!(index.first_not(|entry| entry.offset <= target).unwrap(), above);
                }
            }
            if n % 400 == 399 {
                index.trim().unwrap();
                index = open();
                let keep = list[list.len() - 1 - random.below(300) as usize].offset;
                index.truncate(|entry| entry.offset < keep).unwrap();
                list.retain(|entry| entry.offset < keep);
                assert_eq!(index.count().unwrap() as usize, list.len());
            }
        }
    }

    #[test]
    fn preallocated_zeros_and_torn_tails_are_no_entries() {
        let (_root, dir) = partition_dir();
        let path = dir.path().join("00000000000000000000.index");
        let mut bytes = Vec::new();
        for n in 1..=3 {
            OffsetEntry { offset: Offset(n), position: n as u32 * 10 }.encode(Offset(0), &mut bytes);
        }
        for tail in [vec![], vec![0; 5], vec![0; 8], vec![0; 10_000], vec![9; 3]] {
            std::fs::write(&path, [&bytes[..], &tail].concat()).unwrap();
            let file = SegmentFile::new(
                std::sync::Arc::clone(&dir),
                Offset(0),
                FileKind::OffsetIndex,
                FileState::Plain,
            );
            let index = OffsetIndex::new(Offset(0), file);
            assert_eq!(index.count().unwrap(), 3, "{} bytes of tail", tail.len());
            assert_eq!(index.last().unwrap(), Some(OffsetEntry { offset: Offset(3), position: 30 }));
            index.append(OffsetEntry { offset: Offset(4), position: 40 }).unwrap();
            index.trim().unwrap();
            assert_eq!(std::fs::metadata(&path).unwrap().len(), 32);
        }
    }
}
