//! Whether a rolling restart may go on to the next broker. Pure.

/// A partition with a replica on this broker, as the controller last told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaState {
    /// Members of the ISR.
    pub in_sync: usize,
    /// All replicas.
    pub replicas: usize,
    /// `min.insync.replicas`, at most the number of replicas.
    pub min_in_sync: usize,
    /// Whether this broker is in the ISR.
    pub is_in_sync: bool,
}

/// What is known of this broker's replicas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Partitions with fewer replicas in sync than they must have: producers with acks=all are refused.
    pub under_min_isr: usize,
    /// Partitions that this broker is still catching up with, and that the loss of one more replica would stop.
    pub at_min_isr_without_us: usize,
    /// Partitions that lack a replica in the ISR.
    pub under_replicated: usize,
}

impl Readiness {
    /// Looks at every partition.
    pub fn of(partitions: impl IntoIterator<Item = ReplicaState>) -> Readiness {
        let mut readiness = Readiness::default();
        for partition in partitions {
            let ReplicaState { in_sync, replicas, min_in_sync, is_in_sync } = partition;
            readiness.under_min_isr += usize::from(in_sync < min_in_sync);
            readiness.at_min_isr_without_us += usize::from(in_sync == min_in_sync && !is_in_sync);
            readiness.under_replicated += usize::from(in_sync < replicas);
        }
        readiness
    }

    /// Whether another broker may be stopped without stopping a partition of ours.
    pub fn may_go_on(&self) -> bool {
        self.under_min_isr == 0 && self.at_min_isr_without_us == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_restart_may_go_on() {
        let state =
            |in_sync, min_in_sync, is_in_sync| ReplicaState { in_sync, replicas: 3, min_in_sync, is_in_sync };
        for (states, expected) in [
            (&[][..], true),
            (&[state(3, 2, true)], true),
            (&[state(2, 2, true)], true),
            (&[state(2, 2, false)], false),
            (&[state(2, 1, false)], true),
            (&[state(1, 2, true)], false),
            (&[state(0, 1, false)], false),
            (&[state(3, 2, true), state(1, 2, true)], false),
        ] {
            assert_eq!(Readiness::of(states.iter().copied()).may_go_on(), expected, "{states:?}");
        }
    }
}
