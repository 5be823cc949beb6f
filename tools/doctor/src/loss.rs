//! What a repair loses. Pure.

use std::fmt::{self, Display, Formatter};

use gregor_model::Offset;

/// What is gone after a repair.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Loss {
    /// Nothing that the data do not say elsewhere.
    #[default]
    Nothing,
    /// Records.
    Records(LostRecords),
    /// Something else, in words.
    Other(String),
}

/// Records that are gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LostRecords {
    /// The first offset that may be gone.
    pub from: Offset,
    /// The offset behind the last one that is known to be gone; none if nothing behind the damage could be read.
    pub to: Option<Offset>,
    /// How many records are gone that could still be read.
    pub readable_records: u64,
    /// Bytes of batches that could not be read, whatever they held.
    pub damaged_bytes: u64,
    /// All bytes that go.
    pub bytes: u64,
}

impl Display for Loss {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Loss::Nothing => out.write_str("nothing"),
            Loss::Other(what) => out.write_str(what),
            Loss::Records(lost) => lost.fmt(out),
        }
    }
}

impl Display for LostRecords {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self.to {
            Some(to) if to.0 == self.from.0 + 1 => write!(out, "offset {}", self.from)?,
            Some(to) => write!(out, "offsets {} to {}", self.from, to.0 - 1)?,
            None => write!(out, "offsets from {} on", self.from)?,
        }
        write!(out, " ({} bytes: ", self.bytes)?;
        match (self.readable_records, self.damaged_bytes) {
            (0, damaged) => write!(out, "{damaged} damaged")?,
            (records, 0) => write!(out, "{records} readable records")?,
            (records, damaged) => write!(out, "{records} readable records, and {damaged} damaged")?,
        }
        out.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_in_words() {
        let lost = LostRecords {
            from: Offset(5),
            to: Some(Offset(9)),
            readable_records: 3,
            damaged_bytes: 70,
            bytes: 200,
        };
        #[track_caller]
        fn check(lost: &LostRecords, expected: &str) {
            assert_eq!(Loss::Records(lost.clone()).to_string(), expected);
        }
        check(&lost, "offsets 5 to 8 (200 bytes: 3 readable records, and 70 damaged)");
        let one =
            LostRecords { to: Some(Offset(6)), readable_records: 0, damaged_bytes: 200, ..lost.clone() };
        check(&one, "offset 5 (200 bytes: 200 damaged)");
        let unknown = LostRecords { to: None, readable_records: 0, damaged_bytes: 200, ..lost.clone() };
        check(&unknown, "offsets from 5 on (200 bytes: 200 damaged)");
        check(&LostRecords { damaged_bytes: 0, ..lost }, "offsets 5 to 8 (200 bytes: 3 readable records)");
        assert_eq!(Loss::Nothing.to_string(), "nothing");
    }
}
