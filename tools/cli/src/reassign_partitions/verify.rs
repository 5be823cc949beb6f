//! `--verify`: says how far a reassignment is, and lifts throttles when nothing is under way any more.

use std::collections::{BTreeMap, BTreeSet};

use gregor_model::TopicPartition;

use super::plan::{Plan, Replica};
use super::state::{self, MoveState};
use super::{Failure, clear_throttles};
use crate::admin::Admin;
use crate::admin::log_dirs::LogDir;

const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;

/// Verifies a plan.
pub async fn run(admin: &mut Admin, plan: &Plan, preserve_throttles: bool) -> Result<(), Failure> {
    let under_way = admin.list_reassignments(None).await?;
    let topics: BTreeSet<String> = plan
        .partitions
        .keys()
        .filter(|partition| !under_way.contains_key(*partition))
        .map(|partition| partition.topic.to_string())
        .collect();
    let current = existing_replicas(admin, topics).await?;
    print!("{}", state::show_partitions(&state::partition_states(&plan.partitions, &under_way, &current)));
    let moves = moves(admin, &plan.log_dirs).await?;
    print!("{}", state::show_moves(&moves, &plan.log_dirs));
    let is_over = under_way.is_empty() && moves.values().all(MoveState::is_done);
    if is_over && !preserve_throttles {
        clear_throttles(admin, plan).await?;
    }
    Ok(())
}

/// The replicas of the topics that exist.
async fn existing_replicas(
    admin: &mut Admin,
    topics: BTreeSet<String>,
) -> Result<BTreeMap<TopicPartition, Vec<i32>>, Failure> {
    let mut found = BTreeMap::new();
    let topics: Vec<String> = topics.into_iter().collect();
    for (name, described) in admin.look_up_topics(&topics).await? {
        match described {
            Ok(described) => {
                for partition in described.partitions {
                    found.insert(TopicPartition::new(name.as_str(), partition.partition), partition.replicas);
                }
            }
            Err(error) if error.code() == Some(UNKNOWN_TOPIC_OR_PARTITION) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// How far moves between log directories are.
pub async fn moves(
    admin: &mut Admin,
    targets: &BTreeMap<Replica, String>,
) -> Result<BTreeMap<Replica, MoveState>, Failure> {
    let brokers: BTreeSet<i32> = targets.keys().map(|replica| replica.broker).collect();
    Ok(state::move_states(targets, &log_dirs(admin, brokers).await?))
}

/// What is in brokers' log directories.
pub async fn log_dirs(
    admin: &mut Admin,
    brokers: BTreeSet<i32>,
) -> Result<BTreeMap<i32, Vec<LogDir>>, Failure> {
    let mut dirs = BTreeMap::new();
    for broker in brokers {
        dirs.insert(broker, admin.describe_log_dirs(broker).await?);
    }
    Ok(dirs)
}
