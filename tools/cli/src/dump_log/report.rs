//! What kafka-dump-log says at its end, on stderr, of indexes that do not fit and offsets that do not follow. Pure.

use std::fmt::{self, Display, Formatter};

use gregor_model::Offset;

/// Findings by file, in the order of the files.
#[derive(Debug)]
struct ByFile<T>(Vec<(String, Vec<T>)>);

impl<T> Default for ByFile<T> {
    fn default() -> ByFile<T> {
        ByFile(Vec::new())
    }
}

impl<T> ByFile<T> {
    fn add(&mut self, file: String, finding: T) {
        match self.0.iter_mut().find(|(known, _)| *known == file) {
            Some((_, findings)) => findings.push(finding),
            None => self.0.push((file, vec![finding])),
        }
    }
}

/// Everything found.
#[derive(Debug, Default)]
pub(super) struct Report {
    index_mismatches: ByFile<(Offset, Offset)>,
    time_mismatches: ByFile<(i64, i64)>,
    times_out_of_order: ByFile<(i64, i64)>,
    offsets_not_found: ByFile<(Offset, Offset)>,
    not_consecutive: ByFile<(Offset, Offset)>,
}

impl Report {
    /// An index entry's offset, and the last offset of the batch it points to.
    pub(super) fn index_mismatch(&mut self, file: String, found: (Offset, Offset)) {
        self.index_mismatches.add(file, found);
    }

    /// A time index entry's timestamp, and the largest in its batch.
    pub(super) fn time_mismatch(&mut self, file: String, found: (i64, i64)) {
        self.time_mismatches.add(file, found);
    }

    /// A time index entry's timestamp, and that of the entry before.
    pub(super) fn time_out_of_order(&mut self, file: String, found: (i64, i64)) {
        self.times_out_of_order.add(file, found);
    }

    /// A time index entry's offset, and the last offset of the batch found instead.
    pub(super) fn offset_not_found(&mut self, file: String, found: (Offset, Offset)) {
        self.offsets_not_found.add(file, found);
    }

    /// Offsets of two records that stand together.
    pub(super) fn not_consecutive(&mut self, file: String, found: (Offset, Offset)) {
        self.not_consecutive.add(file, found);
    }
}

impl Display for Report {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        for (file, found) in &self.index_mismatches.0 {
            writeln!(out, "Mismatches in :{file}")?;
            // Kafka has the last one first.
            for (index, log) in found.iter().rev() {
                writeln!(out, "  Index offset: {index}, log offset: {log}")?;
            }
        }
        for (file, found) in &self.time_mismatches.0 {
            writeln!(out, "Found timestamp mismatch in :{file}")?;
            for (index, log) in found {
                writeln!(out, "  Index timestamp: {index}, log timestamp: {log}")?;
            }
        }
        for (file, found) in &self.times_out_of_order.0 {
            writeln!(out, "Found out of order timestamp in :{file}")?;
            for (index, previous) in found {
                writeln!(out, "  Index timestamp: {index}, Previously indexed timestamp: {previous}")?;
            }
        }
        for (_, found) in &self.offsets_not_found.0 {
            writeln!(out, "The following indexed offsets are not found in the log.")?;
            for (index, log) in found {
                writeln!(out, "Indexed offset: {index}, found log offset: {log}")?;
            }
        }
        for (file, found) in &self.not_consecutive.0 {
            writeln!(out, "Non-consecutive offsets in {file}")?;
            for (first, second) in found.iter().rev() {
                writeln!(out, "  {first} is followed by {second}")?;
            }
        }
        Ok(())
    }
}
