//! Committed offsets never go back: what the coordinator tells is at least what was acknowledged or told before.
//!
//! Unless the owner itself goes back, which it may without knowing: a commit that timed out is in the log all the same, and shows
//! when another coordinator has read it. Whoever took it for failed commits less afterwards (seed 9032). So what the owner in the
//! newest generation offered last may be told as well; nobody else lowers anything.

use std::collections::BTreeMap;

#[derive(Debug, Default)]
struct Known {
    /// Acknowledged, or told.
    floor: i64,
    /// What the owner in the newest generation offered last.
    offered: Option<i64>,
}

/// The highest offsets known to be committed.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    inputs: BTreeMap<(String, i32), Known>,
}

impl Offsets {
    fn known(&mut self, group: &str, input: i32) -> &mut Known {
        self.inputs.entry((group.to_owned(), input)).or_default()
    }

    /// The owner in the newest generation sends a commit. What it sent before is overtaken by it, or was carried out.
    pub(super) fn offered(&mut self, group: &str, input: i32, offset: i64) {
        let known = self.known(group, input);
        known.floor = known.floor.min(known.offered.unwrap_or(offset)).min(offset);
        known.offered = Some(offset);
    }

    pub(super) fn acknowledged(&mut self, group: &str, input: i32, offset: i64) {
        let known = self.known(group, input);
        known.floor = offset.max(known.floor);
    }

    pub(super) fn floor(&self, group: &str, input: i32) -> i64 {
        self.inputs.get(&(group.to_owned(), input)).map_or(0, |known| known.floor)
    }

    pub(super) fn fetched(&mut self, group: &str, input: i32, offset: i64) -> Result<(), String> {
        let known = self.known(group, input);
        if offset >= known.floor.min(known.offered.unwrap_or(i64::MAX)) {
            known.floor = offset;
            return Ok(());
        }
        let floor = known.floor;
        Err(format!("{group}: {offset} is told for partition {input}, but {floor} was committed"))
    }
}
