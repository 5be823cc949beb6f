//! Logs that were compacted once and are not any more, or are not known to be: `__consumer_offsets` is opened before the
//! configurations of topics are read.

use crate::disk::OsDisk;

use super::*;

const DELETE: CleanupPolicy = CleanupPolicy { delete: true, compact: false };

/// What the cleaner left has holes, also between segments; none of them is taken for one that the crash has made.
#[test]
fn a_log_that_was_compacted_survives_a_crash() {
    for (cleaned_segments, appended) in [(2, 0), (2, 3), (8, 0), (8, 40)] {
        let root = temporary_dir();
        let log = open(&partition_dir_on(root.path(), Arc::new(OsDisk)));
        // Keys that come once only, then one key all the time: whole segments are emptied, others are not touched.
        for n in 0..30 {
            append(&log, BatchOptions::default(), &[(if n % 10 == 0 { n } else { 200 }, Some(n))]).unwrap();
        }
        let keys_max = if cleaned_segments == 2 { 3 } else { 100 };
        clean_log(&log, keys_max, NOW).unwrap().unwrap();
        log.set_config(Arc::new(LogConfig { cleanup_policy: DELETE, ..compacted() }));
        for n in 0..appended {
            append(&log, BatchOptions::default(), &[(n, Some(n))]).unwrap();
        }
        let (end, left) = (log.log_end_offset(), contents(&log));
        assert!(left.len() < 30 + usize::from(appended), "something was compacted away");
        drop(log);
        let dir = partition_dir_on(root.path(), Arc::new(OsDisk));
        let log = load_crashed(&dir, LogConfig { cleanup_policy: DELETE, ..compacted() }).unwrap();
        assert_eq!((log.log_end_offset(), contents(&log)), (end, left));
    }
}
