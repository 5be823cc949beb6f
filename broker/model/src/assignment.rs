//! Replica assignments: who holds a partition, and who is coming and going.

use crate::BrokerId;

/// Which brokers hold a partition (`ReplicaAssignment`), and, while it is reassigned, which are coming and going.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicaAssignment {
    /// All replicas, the preferred leader first.
    pub replicas: Vec<BrokerId>,
    /// Members of `replicas` being added.
    pub adding: Vec<BrokerId>,
    /// Members of `replicas` being removed.
    pub removing: Vec<BrokerId>,
}

impl ReplicaAssignment {
    /// An assignment at rest.
    pub fn new(replicas: Vec<BrokerId>) -> ReplicaAssignment {
        ReplicaAssignment { replicas, adding: Vec::new(), removing: Vec::new() }
    }

    /// Whether a reassignment is under way.
    pub fn is_being_reassigned(&self) -> bool {
        !self.adding.is_empty() || !self.removing.is_empty()
    }

    /// What the replicas will be when the reassignment is done.
    pub fn target(&self) -> Vec<BrokerId> {
        self.replicas.iter().copied().filter(|replica| !self.removing.contains(replica)).collect()
    }

    /// What the replicas were before the reassignment began.
    pub fn origin(&self) -> Vec<BrokerId> {
        self.replicas.iter().copied().filter(|replica| !self.adding.contains(replica)).collect()
    }
}
