//! Whether a control request is meant for this registration of this broker (`ZkSupport.isBrokerEpochStale`).
//! Controller epochs are the replica manager's business.

use gregor_model::BrokerEpoch;

/// Whether the request was sent to an earlier registration of this broker. A larger epoch is not stale: the controller
/// may learn of a new registration before we do. -1 on the wire is not checked.
pub fn is_broker_epoch_stale(requested: i64, own: Option<BrokerEpoch>) -> bool {
    matches!((BrokerEpoch::from_wire(requested), own), (Some(requested), Some(own)) if requested < own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_smaller_epochs_are_stale() {
        let stale = |requested, own: i64| is_broker_epoch_stale(requested, BrokerEpoch::from_wire(own));
        assert!(stale(9, 10));
        assert!(!stale(10, 10));
        assert!(!stale(11, 10));
        assert!(!stale(-1, 10));
        assert!(!stale(9, -1));
    }
}
