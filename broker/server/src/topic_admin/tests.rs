use gregor_controller_machine::PlacementStart;
use gregor_model::BrokerId;

use super::assignment::{check, resolve};
use super::*;
use crate::metadata_cache::MetadataSnapshot;

const DEFAULTS: TopicDefaults = TopicDefaults { partitions: 1, replication_factor: 1 };

fn ids(ids: &[i32]) -> Vec<BrokerId> {
    ids.iter().copied().map(BrokerId).collect()
}

fn layout(partitions: Option<i32>, replication_factor: Option<i16>, assignments: &[(i32, &[i32])]) -> Layout {
    let assignments = assignments.iter().map(|(partition, replicas)| (*partition, ids(replicas))).collect();
    Layout { partitions, replication_factor, assignments }
}

#[test]
fn manual_assignments() {
    #[track_caller]
    fn check_manual(assignments: &[(i32, &[i32])], expected: Result<(), CreateTopicError>) {
        let layout = layout(None, None, assignments);
        let start = |_| PlacementStart { first: 0, shift: 0 };
        let resolved = resolve(&layout, DEFAULTS, &MetadataSnapshot::default(), start).expect("as listed");
        assert_eq!(check(&resolved), expected);
    }
    check_manual(&[(0, &[1, 2]), (1, &[2, 3])], Ok(()));
    check_manual(&[(1, &[1]), (0, &[9])], Ok(()));
    check_manual(&[(0, &[1, 2]), (1, &[2])], Err(CreateTopicError::UnequalReplicas));
    check_manual(
        &[(0, &[1, 1])],
        Err(CreateTopicError::DuplicateReplica([(0, vec![BrokerId(1); 2])].into())),
    );
    check_manual(&[(0, &[1]), (2, &[1])], Err(CreateTopicError::PartitionGaps));
    check_manual(&[(-1, &[1]), (0, &[1])], Err(CreateTopicError::PartitionGaps));
}

#[test]
fn counts_exclude_assignments_and_have_a_limit() {
    let resolve = |layout: &Layout| {
        resolve(layout, DEFAULTS, &MetadataSnapshot::default(), |_| PlacementStart { first: 0, shift: 0 })
    };
    let both = layout(Some(1), None, &[(0, &[1])]);
    assert_eq!(resolve(&both), Err(CreateTopicError::CountsAndAssignments));
    let many = layout(Some(i32::MAX), None, &[]);
    assert!(matches!(resolve(&many), Err(CreateTopicError::TooManyPartitions { .. })));
    let without_brokers = layout(None, None, &[]);
    assert!(matches!(resolve(&without_brokers), Err(CreateTopicError::Placement(_))));
}

#[test]
fn null_values_are_named() {
    let configs = [("a".to_owned(), Some("1".to_owned())), ("b".to_owned(), None)];
    assert_eq!(overrides(&configs), Err(CreateTopicError::NullConfigs(vec!["b".to_owned()])));
    assert_eq!(overrides(&configs[..1]).expect("no nulls").get("a"), Some("1"));
}
