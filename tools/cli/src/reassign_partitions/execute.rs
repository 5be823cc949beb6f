//! `--execute`: sets throttles, starts the reassignment, and moves replicas between log directories.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use gregor_model::TopicPartition;

use super::plan::{Plan, Replica};
use super::{Failure, replicas_of, throttle};
use crate::admin::configs::ConfigResource;
use crate::admin::reassignments::Reassignments;
use crate::admin::{Admin, AdminError, error::java_class};
use crate::command_line::Given;

/// `--timeout`, if it is not given.
const TIMEOUT_MS: u64 = 10_000;
/// How often moves that could not begin are tried again.
const MOVE_RETRY: Duration = Duration::from_millis(100);
const REPLICA_NOT_AVAILABLE: i16 = 9;

const EXISTING: &str = "Cannot execute because there is an existing partition assignment.  Use --additional to override \
                        this and create a new partition assignment in addition to the existing one. The --additional \
                        flag can also be used to change the throttle by resubmitting the current reassignment.";
const VERIFY: &str = "Warning: You must run --verify periodically, until the reassignment completes, to ensure the \
                      throttle is removed.";

/// Carries the plan out.
pub async fn run(admin: &mut Admin, given: &Given, plan: &Plan) -> Result<(), Failure> {
    if plan.partitions.is_empty() {
        return Err(Failure::Other("Partition reassignment list cannot be empty".to_owned()));
    }
    let rates = Rates {
        between_brokers: given.number("throttle")?.filter(|rate| *rate >= 0),
        between_log_dirs: given.number("replica-alter-log-dirs-throttle")?.filter(|rate| *rate >= 0),
    };
    let timeout = Duration::from_millis(given.number("timeout")?.unwrap_or(TIMEOUT_MS));
    let under_way = admin.list_reassignments(None).await?;
    if !given.has("additional") && !under_way.is_empty() {
        return Err(Failure::Terse(EXISTING.to_owned()));
    }
    let alive: BTreeSet<i32> = admin.live_brokers().await?.into_iter().collect();
    if let Some(unknown) = plan.brokers().difference(&alive).next() {
        return Err(Failure::Other(format!("Unknown broker id {unknown}")));
    }
    let current = current_replicas(admin, plan).await?;
    println!(
        "Current partition replica assignment\n\n{}\n\nSave this to use as the --reassignment-json-file option during \
         rollback",
        super::plan::write(&current)
    );
    set_throttles(admin, &rates, plan, &under_way, &current).await?;
    start(admin, plan).await?;
    start_moves(admin, plan.log_dirs.clone(), timeout).await
}

/// Throttles in bytes a second.
struct Rates {
    between_brokers: Option<i64>,
    between_log_dirs: Option<i64>,
}

/// The replicas that the plan's partitions have, all of which must exist.
async fn current_replicas(
    admin: &mut Admin,
    plan: &Plan,
) -> Result<BTreeMap<TopicPartition, Vec<i32>>, Failure> {
    let mut current = replicas_of(admin, plan.topics()).await?;
    current.retain(|partition, _| plan.partitions.contains_key(partition));
    let missing: Vec<String> = plan
        .partitions
        .keys()
        .filter(|partition| !current.contains_key(*partition))
        .map(ToString::to_string)
        .collect();
    if missing.is_empty() {
        return Ok(current);
    }
    let message = format!("Unable to find partition: {}", missing.join(", "));
    Err(AdminError::refused(3, Some(&message)).into())
}

async fn set_throttles(
    admin: &mut Admin,
    rates: &Rates,
    plan: &Plan,
    under_way: &Reassignments,
    current: &BTreeMap<TopicPartition, Vec<i32>>,
) -> Result<(), Failure> {
    if rates.between_brokers.is_some() || rates.between_log_dirs.is_some() {
        println!("{VERIFY}");
    }
    if let Some(rate) = rates.between_brokers {
        let moves = throttle::moves(under_way, &plan.partitions, current);
        for (topic, changes) in throttle::topic_changes(&moves) {
            admin.change_configs(&ConfigResource::topic(topic), &changes).await?;
        }
        for broker in throttle::brokers(&moves) {
            admin.change_configs(&ConfigResource::broker(broker), &throttle::broker_changes(rate)).await?;
        }
        println!("The inter-broker throttle limit was set to {rate} B/s");
    }
    if let Some(rate) = rates.between_log_dirs {
        let brokers: BTreeSet<i32> = plan.log_dirs.keys().map(|replica| replica.broker).collect();
        for broker in brokers {
            admin.change_configs(&ConfigResource::broker(broker), &throttle::log_dirs_changes(rate)).await?;
        }
        println!("The replica-alter-dir throttle limit was set to {rate} B/s");
    }
    Ok(())
}

async fn start(admin: &mut Admin, plan: &Plan) -> Result<(), Failure> {
    let targets =
        plan.partitions.iter().map(|(partition, replicas)| (partition.clone(), Some(replicas.clone())));
    let outcomes = admin.alter_reassignments(targets.collect()).await?;
    let failed: Vec<String> = outcomes
        .iter()
        .filter_map(|(partition, outcome)| Some(format!("{partition}: {}", outcome.as_ref().err()?)))
        .collect();
    if !failed.is_empty() {
        return Err(Failure::Terse(format!("Error reassigning partition(s):\n{}", failed.join("\n"))));
    }
    let plural = if plan.partitions.len() == 1 { "" } else { "s" };
    let list: Vec<String> = plan.partitions.keys().map(ToString::to_string).collect();
    println!("Successfully started partition reassignment{plural} for {}", list.join(","));
    Ok(())
}

/// Starts moves between log directories. A replica that is still on its way to its broker is waited for.
pub async fn start_moves(
    admin: &mut Admin,
    mut pending: BTreeMap<Replica, String>,
    timeout: Duration,
) -> Result<(), Failure> {
    let deadline = Instant::now() + timeout;
    while !pending.is_empty() {
        for replica in start_moves_once(admin, &pending).await? {
            if let Some(dir) = pending.remove(&replica) {
                let Replica { broker, partition } = replica;
                println!(
                    "Successfully started moving log directory to {dir} for replica {partition} with broker {broker} "
                );
            }
        }
        if pending.is_empty() {
            break;
        }
        if Instant::now() >= deadline {
            let plural = if pending.len() == 1 { "" } else { "s" };
            let list: Vec<String> = pending.keys().map(ToString::to_string).collect();
            return Err(Failure::Terse(format!(
                "Timed out before log directory move{plural} could be started for: {}",
                list.join(",")
            )));
        }
        tokio::time::sleep(MOVE_RETRY).await;
    }
    Ok(())
}

/// The replicas whose move has begun, by broker.
async fn start_moves_once(
    admin: &mut Admin,
    pending: &BTreeMap<Replica, String>,
) -> Result<Vec<Replica>, Failure> {
    let mut by_broker: BTreeMap<i32, Vec<(TopicPartition, String)>> = BTreeMap::new();
    for (Replica { broker, partition }, dir) in pending {
        by_broker.entry(*broker).or_default().push((partition.clone(), dir.clone()));
    }
    let mut started = Vec::new();
    for (broker, moves) in by_broker {
        for (partition, outcome) in admin.alter_replica_log_dirs(broker, &moves).await? {
            let replica = Replica { broker, partition };
            match outcome {
                Ok(()) => started.push(replica),
                Err(AdminError::Refused { code: REPLICA_NOT_AVAILABLE, .. }) => {}
                Err(error) => {
                    let class = error.code().map(java_class).unwrap_or_default();
                    return Err(Failure::Other(format!(
                        "Failed to alter dir for {replica}: {class}: {error}"
                    )));
                }
            }
        }
    }
    Ok(started)
}
