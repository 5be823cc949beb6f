//! One member's next step towards its target (`CurrentAssignmentBuilder`).
//!
//! ```text
//! Stable ──► UnrevokedPartitions ──► UnreleasedPartitions ──► Stable
//!   │ (something to give up)  (given up)      ▲ (free now)
//!   └─────────────────────────────────────────┘
//! ```

use gregor_model::TopicId;

use super::super::GroupError;
use crate::Assignment;
use crate::schema::consumer_group::{CurrentAssignment, MemberState};

/// The target of a member.
pub(super) struct Target<'a> {
    /// The group epoch it was made for.
    pub(super) epoch: i32,
    /// What the member is to own.
    pub(super) partitions: &'a Assignment,
}

/// Where the member stands next. `owned` is what it says that it owns, if it does; `is_free` tells which partitions
/// nobody owns.
///
/// # Errors
/// The member's state is not known here: it has to join anew.
pub(super) fn next(
    current: &CurrentAssignment,
    target: &Target<'_>,
    owned: Option<&Assignment>,
    is_free: impl Fn(TopicId, i32) -> bool,
) -> Result<CurrentAssignment, GroupError> {
    let epoch = match current.state {
        MemberState::Stable if current.epoch == target.epoch => return Ok(current.clone()),
        MemberState::Stable | MemberState::UnreleasedPartitions => current.epoch,
        // Given up is what the member no longer says that it owns.
        MemberState::UnrevokedPartitions if still_owns(owned, &current.revoking) => {
            return Ok(current.clone());
        }
        MemberState::UnrevokedPartitions => current.epoch + 1,
        MemberState::Unknown if owned.is_some_and(Assignment::is_empty) => target.epoch,
        MemberState::Unknown => return Err(GroupError::FencedMemberEpoch),
    };
    let mut assigned = current.assigned.intersection(target.partitions);
    let revoking = current.assigned.difference(target.partitions);
    if !revoking.is_empty() && still_owns(owned, &revoking) {
        return Ok(CurrentAssignment {
            epoch,
            previous_epoch: current.epoch,
            state: MemberState::UnrevokedPartitions,
            assigned,
            revoking,
        });
    }
    let missing = target.partitions.difference(&assigned);
    let free: Vec<(TopicId, i32)> =
        missing.iter().filter(|(topic, partition)| is_free(*topic, *partition)).collect();
    let all_free = free.len() == missing.len();
    assigned.extend(free);
    Ok(CurrentAssignment {
        epoch: target.epoch,
        previous_epoch: current.epoch,
        state: if all_free { MemberState::Stable } else { MemberState::UnreleasedPartitions },
        assigned,
        revoking: Assignment::new(),
    })
}

/// Whether the member owns any of these, as far as it says; it does while it says nothing.
fn still_owns(owned: Option<&Assignment>, revoking: &Assignment) -> bool {
    owned.is_none_or(|owned| owned.intersects(revoking))
}

#[cfg(test)]
#[path = "reconcile_tests.rs"]
mod tests;
