//! No partition is owned by two members of one generation.

use std::collections::BTreeMap;

/// Who owns what: by group, generation and input partition.
#[derive(Debug, Default)]
pub(super) struct Ownership {
    owners: BTreeMap<(usize, i32, u8), String>,
}

impl Ownership {
    /// A static member is the same under every member id, as its former self is fenced.
    pub(super) fn assigned(
        &mut self,
        group: usize,
        generation: i32,
        owner: &str,
        inputs: &[u8],
    ) -> Result<(), String> {
        for input in inputs {
            let known = self.owners.entry((group, generation, *input)).or_insert_with(|| owner.to_owned());
            if known != owner {
                return Err(format!(
                    "group {group}, generation {generation}: partition {input} is owned by {known} and by {owner}"
                ));
            }
        }
        Ok(())
    }

    /// Whether no assignment of a later generation was taken over.
    pub(super) fn is_newest(&self, group: usize, generation: i32) -> bool {
        let later = (group, generation.saturating_add(1), u8::MIN)..=(group, i32::MAX, u8::MAX);
        self.owners.range(later).next().is_none()
    }
}
