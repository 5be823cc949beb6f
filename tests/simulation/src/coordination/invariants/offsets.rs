//! Committed offsets never go back: what the coordinator tells is at least what was acknowledged or told before.

use std::collections::BTreeMap;

/// The highest offsets known to be committed.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    floors: BTreeMap<(String, i32), i64>,
}

impl Offsets {
    pub(super) fn acknowledged(&mut self, group: &str, input: i32, offset: i64) {
        let floor = self.floors.entry((group.to_owned(), input)).or_insert(0);
        *floor = offset.max(*floor);
    }

    pub(super) fn floor(&self, group: &str, input: i32) -> i64 {
        self.floors.get(&(group.to_owned(), input)).copied().unwrap_or(0)
    }

    pub(super) fn fetched(&mut self, group: &str, input: i32, offset: i64) -> Result<(), String> {
        let floor = self.floor(group, input);
        if offset >= floor {
            self.acknowledged(group, input, offset);
            return Ok(());
        }
        Err(format!("{group}: {offset} is told for partition {input}, but {floor} was committed"))
    }
}
