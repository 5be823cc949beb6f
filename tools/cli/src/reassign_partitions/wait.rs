//! `--wait`: until nothing of a plan is under way, with a line of progress where stderr is a terminal.

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use super::plan::Plan;
use super::progress::{progress, sizes};
use super::state::MoveState;
use super::{Failure, verify};
use crate::admin::Admin;

/// How often brokers are asked.
const INTERVAL: Duration = Duration::from_millis(500);

/// Waits.
pub async fn run(admin: &mut Admin, plan: &Plan) -> Result<(), Failure> {
    let is_shown = std::io::stderr().is_terminal();
    loop {
        let wanted = plan.partitions.keys().cloned().collect();
        let under_way = admin.list_reassignments(Some(wanted)).await?;
        let moves = verify::moves(admin, &plan.log_dirs).await?;
        if is_shown {
            let brokers: BTreeSet<i32> =
                under_way.values().flat_map(|one| one.replicas.iter().copied()).collect();
            // Sizes only decorate the line: a broker that cannot say them does not end the waiting.
            let dirs = verify::log_dirs(admin, brokers).await.unwrap_or_default();
            let progress = progress(plan.partitions.len(), &under_way, &sizes(&dirs));
            eprint!("\r{progress}\x1b[K");
            let _ = std::io::stderr().flush();
        }
        if under_way.is_empty() && moves.values().all(MoveState::is_done) {
            if is_shown {
                eprintln!();
            }
            return Ok(());
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
