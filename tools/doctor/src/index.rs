//! The two sparse indexes of a segment: held against its batches, and built anew as recovery builds them. Pure.

use gregor_log::stored::{IndexEntry, OffsetEntry, TimeEntry};
use gregor_model::{Offset, Timestamp};
use gregor_records::BatchRef;

/// `index.interval.bytes` by default; any other only makes an index longer or shorter.
const INTERVAL_BYTES: u64 = 4096;

/// An index as it was found.
#[derive(Debug)]
pub(crate) struct StoredIndex<E> {
    entries: Vec<E>,
    /// What is wrong with it as a whole.
    problem: Option<String>,
    /// How many bytes of zeros stand at its end.
    zeros: usize,
    /// The next entry to be held against batches.
    next: usize,
}

impl<E: IndexEntry> StoredIndex<E> {
    /// Reads the bytes of an index of the segment that starts at `base`.
    pub(crate) fn read(base: Offset, bytes: &[u8], ascending: impl Fn(&E, &E) -> bool) -> StoredIndex<E> {
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        let used = used.div_ceil(E::SIZE) * E::SIZE;
        let (entries, zeros) = (bytes.get(..used).unwrap_or(bytes), bytes.len().saturating_sub(used));
        let entries: Vec<E> = entries.chunks_exact(E::SIZE).map(|entry| E::decode(base, entry)).collect();
        let problem = if !bytes.len().is_multiple_of(E::SIZE) {
            Some(format!("{} bytes are no whole number of entries", bytes.len()))
        } else {
            let out_of_order = entries.windows(2).position(|pair| match pair {
                [first, second] => !ascending(first, second),
                _ => false,
            });
            out_of_order.map(|at| format!("entry {} does not follow the one before it", at + 1))
        };
        StoredIndex { entries, problem, zeros, next: 0 }
    }

    fn note(&mut self, problem: String) {
        self.problem.get_or_insert(problem);
    }

    /// The first thing that is wrong. Zeros at the end are not, if `zeros_allowed`.
    pub(crate) fn problem(&self, zeros_allowed: bool) -> Option<String> {
        let zeros =
            (self.zeros > 0 && !zeros_allowed).then(|| format!("{} bytes of zeros at its end", self.zeros));
        self.problem.clone().or(zeros)
    }
}

impl StoredIndex<OffsetEntry> {
    /// Reads a `.index`.
    pub(crate) fn offsets(base: Offset, bytes: &[u8]) -> StoredIndex<OffsetEntry> {
        StoredIndex::read(base, bytes, |a: &OffsetEntry, b| a.offset < b.offset && a.position < b.position)
    }

    /// Holds the entries up to a batch against it.
    pub(crate) fn meet(&mut self, position: u64, batch: &BatchRef<'_>) {
        while let Some(entry) =
            self.entries.get(self.next).filter(|entry| u64::from(entry.position) <= position)
        {
            let entry = *entry;
            if u64::from(entry.position) < position {
                self.note(format!(
                    "entry {} points to byte {}, where no batch begins",
                    self.next, entry.position
                ));
            } else if entry.offset < batch.base_offset() && batch.magic == gregor_records::Magic::V2 {
                self.note(format!(
                    "entry {} says offset {} of byte {}, where offset {} begins",
                    self.next,
                    entry.offset,
                    entry.position,
                    batch.base_offset()
                ));
            }
            self.next += 1;
        }
    }

    /// The segment ends: `next_offset` is the offset behind its last batch.
    pub(crate) fn end(&mut self, next_offset: Offset) {
        if let Some(entry) = self.entries.get(self.next) {
            let text =
                format!("entry {} points to byte {}, behind the last batch", self.next, entry.position);
            self.note(text);
        } else if let Some(last) = self.entries.last().filter(|last| last.offset >= next_offset) {
            self.note(format!(
                "its last entry says offset {}, and the segment ends before {next_offset}",
                last.offset
            ));
        }
    }
}

impl StoredIndex<TimeEntry> {
    /// Reads a `.timeindex`.
    pub(crate) fn times(base: Offset, bytes: &[u8]) -> StoredIndex<TimeEntry> {
        StoredIndex::read(base, bytes, |a: &TimeEntry, b| a.timestamp < b.timestamp && a.offset <= b.offset)
    }

    /// Holds the entries up to a batch against it; `largest` is the largest timestamp up to and with the batch.
    pub(crate) fn meet(&mut self, batch: &BatchRef<'_>, largest: Option<Timestamp>) {
        while let Some(entry) =
            self.entries.get(self.next).filter(|entry| entry.offset <= batch.last_offset())
        {
            let entry = *entry;
            if largest.is_some_and(|largest| largest > entry.timestamp) {
                self.note(format!(
                    "entry {} says that nothing up to offset {} is later than {}, and something is",
                    self.next, entry.offset, entry.timestamp.0
                ));
            } else if largest != Some(entry.timestamp) {
                self.note(format!(
                    "entry {} says time {} of offset {}, and no batch up to there has it",
                    self.next, entry.timestamp.0, entry.offset
                ));
            }
            self.next += 1;
        }
    }

    /// The segment ends.
    pub(crate) fn end(&mut self) {
        if let Some(entry) = self.entries.get(self.next) {
            let text = format!("entry {} is about offset {}, behind the last batch", self.next, entry.offset);
            self.note(text);
        }
    }
}

/// Both indexes of a segment as recovery builds them (`LogSegment.recover`).
#[derive(Debug)]
pub(crate) struct IndexBuilder {
    base: Offset,
    last_indexed: u64,
    largest: Option<TimeEntry>,
    last_time: Option<Timestamp>,
    offsets: Vec<u8>,
    times: Vec<u8>,
}

impl IndexBuilder {
    pub(crate) fn new(base: Offset) -> IndexBuilder {
        IndexBuilder {
            base,
            last_indexed: 0,
            largest: None,
            last_time: None,
            offsets: Vec::new(),
            times: Vec::new(),
        }
    }

    /// The largest timestamp so far.
    pub(crate) fn largest(&self) -> Option<Timestamp> {
        self.largest.map(|entry| entry.timestamp)
    }

    /// Adds the next batch, at `position`.
    pub(crate) fn add(&mut self, position: u64, batch: &BatchRef<'_>) {
        let offset = batch.last_offset();
        if let Some(timestamp) = batch.max_timestamp
            && self.largest.is_none_or(|largest| timestamp > largest.timestamp)
        {
            self.largest = Some(TimeEntry { timestamp, offset });
        }
        if position - self.last_indexed > INTERVAL_BYTES
            && let Ok(position_field) = u32::try_from(position)
        {
            OffsetEntry { offset, position: position_field }.encode(self.base, &mut self.offsets);
            self.add_time();
            self.last_indexed = position;
        }
    }

    fn add_time(&mut self) {
        if let Some(entry) = self.largest
            && self.last_time.is_none_or(|last| entry.timestamp > last)
        {
            entry.encode(self.base, &mut self.times);
            self.last_time = Some(entry.timestamp);
        }
    }

    /// The bytes of `.index` and `.timeindex`.
    pub(crate) fn finish(mut self) -> (Vec<u8>, Vec<u8>) {
        self.add_time();
        (self.offsets, self.times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gregor_records::{BatchBuilder, BatchOptions};

    /// Batches of about 3 KiB, each with one offset and a timestamp of ten times that.
    fn batches() -> Vec<Vec<u8>> {
        (100..106)
            .map(|at| {
                let options = BatchOptions { base_offset: Offset(at), ..BatchOptions::default() };
                let mut builder = BatchBuilder::new(options).unwrap();
                builder.append(Offset(at), Some(Timestamp(at * 10)), None, Some(&[0; 3000]), &[]).unwrap();
                builder.finish().unwrap()
            })
            .collect()
    }

    fn built() -> (Vec<u8>, Vec<u8>) {
        let mut builder = IndexBuilder::new(Offset(100));
        let mut position = 0;
        for batch in batches() {
            builder.add(position, &BatchRef::first(&batch).unwrap());
            position += batch.len() as u64;
        }
        builder.finish()
    }

    fn problems(offsets: &[u8], times: &[u8]) -> [Option<String>; 2] {
        let base = Offset(100);
        let mut offsets = StoredIndex::offsets(base, offsets);
        let mut times = StoredIndex::times(base, times);
        let mut builder = IndexBuilder::new(base);
        let mut position = 0;
        for bytes in batches() {
            let batch = BatchRef::first(&bytes).unwrap();
            builder.add(position, &batch);
            offsets.meet(position, &batch);
            times.meet(&batch, builder.largest());
            position += bytes.len() as u64;
        }
        offsets.end(Offset(106));
        times.end();
        [offsets.problem(false), times.problem(false)]
    }

    #[test]
    fn what_is_built_is_sound() {
        let (offsets, times) = built();
        assert_eq!((offsets.len(), times.len()), (16, 36));
        assert_eq!(problems(&offsets, &times), [None, None]);
        assert_eq!(problems(&[], &[]), [None, None]);
        assert_eq!(StoredIndex::offsets(Offset(0), &[0; 80]).problem(true), None);
    }

    #[test]
    fn every_kind_of_damage_is_told() {
        let (offsets, times) = built();
        let with = |bytes: &[u8], change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = bytes.to_vec();
            change(&mut bytes);
            bytes
        };
        #[track_caller]
        fn check(problem: &Option<String>, expected: &str) {
            assert!(problem.as_ref().is_some_and(|text| text.contains(expected)), "{problem:?}");
        }
        let [problem, _] = problems(&with(&offsets, &|b| b.push(1)), &times);
        check(&problem, "no whole number of entries");
        let [problem, _] = problems(&with(&offsets, &|b| b.rotate_left(8)), &times);
        check(&problem, "entry 1 does not follow");
        let [problem, _] = problems(&with(&offsets, &|b| b[7] += 1), &times);
        check(&problem, "where no batch begins");
        let [problem, _] = problems(&with(&offsets, &|b| b[3] -= 1), &times);
        check(&problem, "entry 0 says offset 101");
        let [problem, _] = problems(&with(&offsets, &|b| b[12] = 1), &times);
        check(&problem, "behind the last batch");
        let [problem, _] = problems(&with(&offsets, &|b| b.extend([0; 16])), &times);
        check(&problem, "16 bytes of zeros");

        let [_, problem] = problems(&offsets, &with(&times, &|b| b[7] += 1));
        check(&problem, "no batch up to there has it");
        let [_, problem] = problems(&offsets, &with(&times, &|b| b[7] -= 1));
        check(&problem, "and something is");
        let [_, problem] = problems(&offsets, &with(&times, &|b| b[35] = 90));
        check(&problem, "is about offset 190");
        let [_, problem] = problems(&offsets, &with(&times, &|b| b.truncate(30)));
        check(&problem, "no whole number of entries");
    }
}
