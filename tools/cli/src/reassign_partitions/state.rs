//! How far a reassignment is, and how that is said (`PartitionReassignmentState`, `LogDirMoveState`). Pure.

use std::collections::BTreeMap;

use gregor_model::TopicPartition;

use super::plan::Replica;
use crate::admin::log_dirs::LogDir;
use crate::admin::reassignments::Reassignments;

/// How far the reassignment of a partition is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionState {
    /// The replicas it has.
    pub current: Vec<i32>,
    /// The replicas it is to have.
    pub target: Vec<i32>,
    /// Whether no reassignment of it is under way.
    pub is_done: bool,
}

/// The states of the partitions in a plan, by what is under way and what replicas there are. A partition that does not exist
/// has none.
pub fn partition_states(
    targets: &BTreeMap<TopicPartition, Vec<i32>>,
    under_way: &Reassignments,
    current: &BTreeMap<TopicPartition, Vec<i32>>,
) -> BTreeMap<TopicPartition, PartitionState> {
    let state = |(partition, target): (&TopicPartition, &Vec<i32>)| {
        let reassignment = under_way.get(partition);
        let replicas =
            reassignment.map(|reassignment| &reassignment.replicas).or_else(|| current.get(partition));
        let state = PartitionState {
            current: replicas.cloned().unwrap_or_default(),
            target: target.clone(),
            is_done: reassignment.is_none(),
        };
        (partition.clone(), state)
    };
    targets.iter().map(state).collect()
}

/// A line per partition below a heading.
pub fn show_partitions(states: &BTreeMap<TopicPartition, PartitionState>) -> String {
    let mut text = "Status of partition reassignment:\n".to_owned();
    for (partition, PartitionState { current, target, is_done }) in states {
        let line = match is_done {
            false => format!("Reassignment of partition {partition} is still in progress."),
            true if current == target => format!("Reassignment of partition {partition} is completed."),
            true => format!(
                "There is no active reassignment of partition {partition}, but replica set is {} rather than {}.",
                join(current),
                join(target)
            ),
        };
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn join(ids: &[i32]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// How far a move between log directories is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MoveState {
    /// The replica is in no directory that works.
    Missing,
    /// It is where it is to be.
    Completed,
    /// It stays elsewhere.
    NotMoving {
        /// Where it is.
        current: String,
    },
    /// It is on its way.
    Active {
        /// Where it is.
        current: String,
        /// Where it is going.
        future: String,
    },
}

impl MoveState {
    /// Whether nothing is on its way.
    pub fn is_done(&self) -> bool {
        !matches!(self, MoveState::Active { .. })
    }
}

/// The states of the replicas in a plan, by what is in brokers' directories.
pub fn move_states(
    targets: &BTreeMap<Replica, String>,
    dirs: &BTreeMap<i32, Vec<LogDir>>,
) -> BTreeMap<Replica, MoveState> {
    let state = |(replica, target): (&Replica, &String)| {
        let found = |is_future: bool| {
            let mut dirs = dirs.get(&replica.broker).into_iter().flatten().filter(|dir| dir.error_code == 0);
            let dir = dirs.find(|dir| {
                dir.replicas
                    .iter()
                    .any(|one| one.partition == replica.partition && one.is_future == is_future)
            });
            dir.map(|dir| dir.path.clone())
        };
        let state = match (found(false), found(true)) {
            (None, _) => MoveState::Missing,
            (Some(current), Some(future)) => MoveState::Active { current, future },
            (Some(current), None) if current == *target => MoveState::Completed,
            (Some(current), None) => MoveState::NotMoving { current },
        };
        (replica.clone(), state)
    };
    targets.iter().map(state).collect()
}

/// A line per replica.
pub fn show_moves(states: &BTreeMap<Replica, MoveState>, targets: &BTreeMap<Replica, String>) -> String {
    let line = |(replica, state): (&Replica, &MoveState)| {
        let Replica { broker, partition } = replica;
        let target = targets.get(replica).map_or("", String::as_str);
        match state {
            MoveState::Missing => format!(
                "Partition {partition} is not found in any live log dir on broker {broker}. There is likely an offline log \
                 directory on the broker."
            ),
            MoveState::Completed => format!("Reassignment of replica {replica} completed successfully."),
            MoveState::Active { future, .. } if future == target => {
                format!("Reassignment of replica {replica} is still in progress.")
            }
            MoveState::Active { future, .. } => format!(
                "Partition {partition} on broker {broker} is being moved to log dir {future} instead of {target}."
            ),
            MoveState::NotMoving { current } => format!(
                "Partition {partition} on broker {broker} is not being moved from log dir {current} to {target}."
            ),
        }
    };
    states.iter().map(line).collect::<Vec<_>>().join("\n") + "\n"
}

/// `--list`.
pub fn show_under_way(under_way: &Reassignments) -> String {
    if under_way.is_empty() {
        return "No partition reassignments found.\n".to_owned();
    }
    let part = |what: &str, ids: &[i32]| match ids {
        [] => String::new(),
        ids => format!(" {what}: {}.", join(ids)),
    };
    let lines = under_way.iter().map(|(partition, one)| {
        let (adding, removing) = (part("adding", &one.adding), part("removing", &one.removing));
        format!("{partition}: replicas: {}.{adding}{removing}\n", join(&one.replicas))
    });
    format!("Current partition reassignments:\n{}", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::log_dirs::ReplicaInfo;
    use crate::admin::reassignments::Reassignment;

    fn partition(index: i32) -> TopicPartition {
        TopicPartition::new("t", index)
    }

    #[test]
    fn partitions() {
        let targets = (0..4).map(|index| (partition(index), vec![1, 2])).collect();
        let moving = Reassignment { replicas: vec![1, 2, 3], adding: vec![1], removing: vec![3] };
        let under_way = Reassignments::from([(partition(0), moving)]);
        let current = BTreeMap::from([(partition(1), vec![1, 2]), (partition(2), vec![2, 1])]);
        let states = partition_states(&targets, &under_way, &current);
        assert_eq!(
            show_partitions(&states),
            "Status of partition reassignment:\n\
             Reassignment of partition t-0 is still in progress.\n\
             Reassignment of partition t-1 is completed.\n\
             There is no active reassignment of partition t-2, but replica set is 2,1 rather than 1,2.\n\
             There is no active reassignment of partition t-3, but replica set is  rather than 1,2.\n"
        );
        assert_eq!(
            show_under_way(&under_way),
            "Current partition reassignments:\nt-0: replicas: 1,2,3. adding: 1. removing: 3.\n"
        );
        assert_eq!(show_under_way(&Reassignments::new()), "No partition reassignments found.\n");
    }

    #[test]
    fn moves() {
        let dir = |path: &str, replicas: &[(i32, bool)]| LogDir {
            path: path.to_owned(),
            error_code: 0,
            replicas: replicas
                .iter()
                .map(|(index, is_future)| ReplicaInfo {
                    partition: partition(*index),
                    size: 0,
                    offset_lag: 0,
                    is_future: *is_future,
                })
                .collect(),
        };
        let all = [
            dir("/a", &[(0, false), (1, false), (2, false), (4, false)]),
            dir("/b", &[(0, true), (1, true)]),
        ];
        let dirs = BTreeMap::from([(1, all.to_vec())]);
        let replica = |index| Replica { broker: 1, partition: partition(index) };
        let targets = [(0, "/b"), (1, "/c"), (2, "/b"), (3, "/b"), (4, "/a")];
        let targets = targets.map(|(index, dir)| (replica(index), dir.to_owned())).into();
        let states = move_states(&targets, &dirs);
        assert_eq!(
            show_moves(&states, &targets),
            "Reassignment of replica t-0-1 is still in progress.\n\
             Partition t-1 on broker 1 is being moved to log dir /b instead of /c.\n\
             Partition t-2 on broker 1 is not being moved from log dir /a to /b.\n\
             Partition t-3 is not found in any live log dir on broker 1. There is likely an offline log directory on the \
             broker.\n\
             Reassignment of replica t-4-1 completed successfully.\n"
        );
        assert_eq!(states.values().filter(|state| state.is_done()).count(), 3);
    }
}
