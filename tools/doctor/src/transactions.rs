//! The transaction index of a segment, held against its markers. Pure.

use std::collections::BTreeMap;

use gregor_log::stored::AbortedTxn;
use gregor_model::{Offset, ProducerId};

/// Reads and checks a `.txnindex`. `expected` are the transactions that the batches say were aborted here, `committed` the
/// markers of those that were not, by offset. Returns what is wrong, and the entries that it should hold.
pub(crate) fn check(
    base: Offset,
    end: Offset,
    bytes: Option<&[u8]>,
    expected: &[AbortedTxn],
    committed: &BTreeMap<Offset, ProducerId>,
) -> (Option<String>, Vec<AbortedTxn>) {
    let mut problem = None;
    let mut sound: BTreeMap<Offset, AbortedTxn> = BTreeMap::new();
    let (entries, torn) = bytes.unwrap_or_default().as_chunks::<{ AbortedTxn::SIZE }>();
    if !torn.is_empty() {
        problem.get_or_insert(format!("its last {} bytes are no whole entry", torn.len()));
    }
    for (at, entry) in entries.iter().enumerate() {
        let entry = match AbortedTxn::decode(entry) {
            Ok(entry) => entry,
            Err(version) => {
                problem.get_or_insert(format!("entry {at} has version {version}, which no broker can read"));
                continue;
            }
        };
        let wrong = if entry.last_offset < base || entry.last_offset >= end {
            Some(format!("entry {at} ends at offset {}, which is not in this segment", entry.last_offset))
        } else if committed.get(&entry.last_offset) == Some(&entry.producer_id) {
            Some(format!(
                "entry {at} says that the transaction was aborted that ended at {}, and it was committed",
                entry.last_offset
            ))
        } else if sound.last_key_value().is_some_and(|(last, _)| *last >= entry.last_offset) {
            Some(format!("entry {at} does not follow the one before it"))
        } else {
            None
        };
        match wrong {
            Some(wrong) => drop(problem.get_or_insert(wrong)),
            None => drop(sound.insert(entry.last_offset, entry)),
        }
    }
    for entry in expected {
        let known = sound.insert(entry.last_offset, *entry);
        let same = known.is_some_and(|known| {
            known.producer_id == entry.producer_id && known.first_offset == entry.first_offset
        });
        if !same {
            problem.get_or_insert(format!(
                "the transaction of producer {} that was aborted at offset {} is missing",
                entry.producer_id, entry.last_offset
            ));
        }
    }
    (problem, sound.into_values().collect())
}

/// The bytes of a `.txnindex`.
pub(crate) fn encode(entries: &[AbortedTxn]) -> Vec<u8> {
    entries.iter().flat_map(AbortedTxn::encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aborted(producer: i64, first: i64, last: i64) -> AbortedTxn {
        AbortedTxn {
            producer_id: ProducerId(producer),
            first_offset: Offset(first),
            last_offset: Offset(last),
            last_stable_offset: Offset(last + 1),
        }
    }

    #[test]
    fn every_kind_of_damage_is_told_and_mended() {
        let all = [aborted(1, 10, 12), aborted(2, 11, 15)];
        let good = encode(&all);
        let committed = BTreeMap::from([(Offset(17), ProducerId(3))]);
        #[track_caller]
        fn run(
            bytes: Option<&[u8]>,
            expected: &[AbortedTxn],
            committed: &BTreeMap<Offset, ProducerId>,
            problem: Option<&str>,
        ) {
            let (found, mended) = check(Offset(10), Offset(20), bytes, expected, committed);
            match (&found, problem) {
                (None, None) => {}
                (Some(found), Some(problem)) => assert!(found.contains(problem), "{found}"),
                _ => panic!("{found:?}"),
            }
            assert_eq!(mended, expected);
        }
        let with = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = good.clone();
            change(&mut bytes);
            bytes
        };
        run(Some(&good), &all, &committed, None);
        run(None, &[], &committed, None);
        run(None, &all, &committed, Some("producer 1 that was aborted at offset 12 is missing"));
        run(Some(&good[..34]), &all, &committed, Some("producer 2"));
        run(Some(&good[..40]), &all, &committed, Some("its last 6 bytes"));
        run(Some(&with(&|b| b[0] = 1)), &all, &committed, Some("entry 0 has version 256"));
        run(Some(&with(&|b| b[34 + 25] = 99)), &all, &committed, Some("entry 1 ends at offset 99"));
        run(Some(&with(&|b| b.rotate_left(34))), &all, &committed, Some("entry 1 does not follow"));
        let committed_too = encode(&[all[0], all[1], aborted(3, 13, 17)]);
        run(Some(&committed_too), &all, &committed, Some("and it was committed"));
        // An entry whose transaction began before the log does is kept.
        let (problem, mended) = check(Offset(10), Offset(20), Some(&good), &[], &committed);
        assert_eq!((problem, mended.as_slice()), (None, &all[..]));
    }
}
