//! Which replica a consumer should read from (KIP-392, `ReplicaSelector`, `RackAwareReplicaSelector`).
//!
//! Pure. The leader decides for each consumer fetch; choosing itself means answering.

use gregor_model::{BrokerId, Offset};

/// `replica.selector.class`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplicaSelector {
    /// Not set, or `LeaderSelector`: everybody reads from the leader.
    #[default]
    Leader,
    /// `RackAwareReplicaSelector`: a replica in the consumer's rack, where there is one.
    RackAware,
}

impl ReplicaSelector {
    /// The selector of that Java class; `None` for a class Gregor does not have.
    pub fn from_class(class: &str) -> Option<ReplicaSelector> {
        match class {
            "" | "org.apache.kafka.common.replica.LeaderSelector" => Some(ReplicaSelector::Leader),
            "org.apache.kafka.common.replica.RackAwareReplicaSelector" => Some(ReplicaSelector::RackAware),
            _ => None,
        }
    }
}

/// A replica that could serve the fetch: the leader, or an in-sync follower that has the offset asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// The broker.
    pub id: BrokerId,
    /// Its `broker.rack`.
    pub rack: Option<&'a str>,
    /// Its log end offset, as last reported.
    pub log_end_offset: Offset,
    /// Milliseconds since it last had everything; 0 for the leader.
    pub caught_up_ms_ago: i64,
}

/// The replica to read from; `None` stands for the leader.
pub fn select(
    selector: ReplicaSelector,
    client_rack: &str,
    leader: BrokerId,
    candidates: &[Candidate<'_>],
) -> Option<BrokerId> {
    if selector == ReplicaSelector::Leader || client_rack.is_empty() {
        return None;
    }
    let in_rack = || candidates.iter().filter(|candidate| candidate.rack == Some(client_rack));
    if in_rack().any(|candidate| candidate.id == leader) {
        return None;
    }
    in_rack()
        .max_by_key(|candidate| {
            (candidate.log_end_offset, std::cmp::Reverse(candidate.caught_up_ms_ago), candidate.id)
        })
        .map(|candidate| candidate.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rack: &str, replicas: &[(i32, &str, i64, i64)], expected: Option<i32>) {
        let candidates: Vec<Candidate<'_>> = replicas
            .iter()
            .map(|&(id, rack, end, ago)| Candidate {
                id: BrokerId(id),
                rack: (!rack.is_empty()).then_some(rack),
                log_end_offset: Offset(end),
                caught_up_ms_ago: ago,
            })
            .collect();
        let selected = select(ReplicaSelector::RackAware, rack, BrokerId(1), &candidates);
        assert_eq!(selected, expected.map(BrokerId));
        assert_eq!(select(ReplicaSelector::Leader, rack, BrokerId(1), &candidates), None);
    }

    #[test]
    fn replicas_in_the_rack_of_the_consumer() {
        let leader = (1, "a", 10, 0);
        check("a", &[leader, (2, "a", 10, 0)], None);
        check("b", &[leader, (2, "b", 9, 5)], Some(2));
        check("c", &[leader, (2, "b", 9, 5)], None);
        check("", &[leader, (2, "b", 9, 5)], None);
        check("b", &[leader, (2, "b", 9, 5), (3, "b", 10, 900)], Some(3));
        check("b", &[leader, (2, "b", 9, 5), (3, "b", 9, 6)], Some(2));
        check("b", &[leader, (2, "b", 9, 5), (3, "b", 9, 5)], Some(3));
        check("b", &[leader, (2, "", 9, 5)], None);
    }
}
