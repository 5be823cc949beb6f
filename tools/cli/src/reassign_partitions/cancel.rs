//! `--cancel`: ends what is under way of a plan, and moves replicas back to the log directories they come from.
//!
//! Kafka's tool leaves a reassignment alone that only adds replicas; ours cancels it, too.

use std::collections::BTreeMap;
use std::time::Duration;

use super::plan::{Plan, Replica};
use super::state::MoveState;
use super::{Failure, clear_throttles, execute, verify};
use crate::admin::Admin;
use crate::command_line::Given;

/// `--timeout`, if it is not given.
const TIMEOUT_MS: u64 = 10_000;

/// Cancels a plan.
pub async fn run(admin: &mut Admin, given: &Given, plan: &Plan) -> Result<(), Failure> {
    let timeout = Duration::from_millis(given.number("timeout")?.unwrap_or(TIMEOUT_MS));
    let wanted = plan.partitions.keys().cloned().collect();
    let under_way = admin.list_reassignments(Some(wanted)).await?;
    if under_way.is_empty() {
        println!("None of the specified partition reassignments are active.");
    } else {
        let targets = under_way.keys().map(|partition| (partition.clone(), None)).collect();
        let outcomes = admin.alter_reassignments(targets).await?;
        let failed: Vec<String> = outcomes
            .iter()
            .filter_map(|(partition, outcome)| Some(format!("{partition}: {}", outcome.as_ref().err()?)))
            .collect();
        if !failed.is_empty() {
            let plural = if failed.len() == 1 { "" } else { "s" };
            let list = failed.join("\n");
            return Err(Failure::Terse(format!(
                "Error cancelling partition reassignment{plural} for:\n{list}"
            )));
        }
        let plural = if under_way.len() == 1 { "" } else { "s" };
        let list: Vec<String> = under_way.keys().map(ToString::to_string).collect();
        println!("Successfully cancelled partition reassignment{plural} for: {}", list.join(","));
    }
    let back: BTreeMap<Replica, String> = verify::moves(admin, &plan.log_dirs)
        .await?
        .into_iter()
        .filter_map(|(replica, state)| match state {
            MoveState::Active { current, .. } => Some((replica, current)),
            _ => None,
        })
        .collect();
    if back.is_empty() {
        // Kafka's tool forgets the line break.
        println!("None of the specified partition moves are active.");
    } else {
        execute::start_moves(admin, back, timeout).await?;
    }
    if !given.has("preserve-throttles") {
        clear_throttles(admin, plan).await?;
    }
    Ok(())
}
