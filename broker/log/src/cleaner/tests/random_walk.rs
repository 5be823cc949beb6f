//! Appends, cleanings, truncations and restarts in any order, against a model.

use proptest::prelude::*;

use super::*;

/// What a random walk does to a log.
#[derive(Clone, Debug)]
enum Step {
    Append(Codec, Vec<Record>),
    Clean { keys_max: usize, segment_bytes: u32 },
    Truncate { back: i64 },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let record = (0u8..8, proptest::option::weighted(0.85, any::<u8>()));
    let records = proptest::collection::vec(record, 1..4);
    prop_oneof![
        12 => (proptest::sample::select(Codec::ALL.to_vec()), records)
            .prop_map(|(codec, records)| Step::Append(codec, records)),
        3 => (1usize..12, 300u32..3000)
            .prop_map(|(keys_max, segment_bytes)| Step::Clean { keys_max, segment_bytes }),
        1 => (0i64..12).prop_map(|back| Step::Truncate { back }),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn whatever_happens_the_last_record_of_each_key_is_there(steps in proptest::collection::vec(step(), 1..60)) {
        let (_root, dir) = partition_dir();
        let mut log = open(&dir);
        // What was appended and not truncated; of some of it nothing may be left.
        let mut written: BTreeMap<i64, Record> = BTreeMap::new();
        // Up to where cleanings have ever come.
        let mut touched = Offset(0);
        for step in steps {
            match step {
                Step::Append(codec, records) => {
                    let options = BatchOptions { compression: Compression::of(codec), ..BatchOptions::default() };
                    let first = append(&log, options, &records).unwrap();
                    written.extend(records.into_iter().enumerate().map(|(i, record)| (first.0 + i as i64, record)));
                }
                Step::Clean { keys_max, segment_bytes } => {
                    log.set_config(Arc::new(LogConfig { segment_bytes, ..compacted() }));
                    clean_log(&log, keys_max, NOW).unwrap();
                    touched = touched.max(clean_end(&log).unwrap_or_default());
                }
                Step::Truncate { back } => {
                    let at = Offset((log.log_end_offset().0 - back).max(0));
                    let data = log.read(at, 1, FetchIsolation::LogEnd, true).unwrap();
                    let Some(slice) = data.records else { continue };
                    let bytes = slice.read_to_bytes().unwrap();
                    let at = batches(&bytes).next().unwrap().unwrap().base_offset();
                    // As divergence does: at the start of a batch, beyond what compaction has touched.
                    if at >= touched {
                        log.truncate_to(at, NOW).unwrap();
                        written.split_off(&at.0);
                    }
                }
                Step::Reopen => {
                    log.flush(NOW).unwrap();
                    let end = log.log_end_offset();
                    drop(log);
                    log = open(&dir);
                    prop_assert_eq!(log.log_end_offset(), end);
                    log.set_high_watermark(end);
                }
            }
            let left = contents(&log);
            prop_assert!(left.iter().all(|(offset, record)| written.get(offset) == Some(record)));
            for (offset, record) in survivors(&written, touched.0) {
                prop_assert_eq!(left.get(&offset), Some(&record));
            }
        }
        check_look_ups(&log, &contents(&log));
        // With room for all keys one cleaning leaves only the last of each.
        append(&log, BatchOptions::default(), &[(200, Some(0))]).unwrap();
        let log_dir = dir.log_dir();
        log_dir.cleaner_checkpoint().remove(log_dir, log.topic_partition()).unwrap();
        if clean_log(&log, 100, NOW).unwrap().is_some() {
            let end = clean_end(&log).unwrap().0;
            let left: HashSet<i64> = contents(&log).into_keys().filter(|offset| *offset < end).collect();
            let expected = |upto| survivors(&written, upto).into_keys().filter(move |offset| *offset < end);
            prop_assert!(left.is_subset(&expected(end).collect()));
            prop_assert!(left.is_superset(&expected(end.max(touched.0)).collect()));
        }
    }
}
