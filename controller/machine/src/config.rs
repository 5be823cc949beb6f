//! What the controller takes from the broker's configuration.

use gregor_model::BrokerId;

/// Settings of the controller; the shell replaces them when a dynamic one changes (`Controller::set_config`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControllerConfig {
    /// This broker.
    pub broker_id: BrokerId,
    /// `delete.topic.enable`.
    pub delete_topic_enable: bool,
    /// `auto.leader.rebalance.enable`.
    pub auto_leader_rebalance_enable: bool,
    /// `leader.imbalance.check.interval.seconds`.
    pub leader_imbalance_check_interval_seconds: i64,
    /// `leader.imbalance.per.broker.percentage`.
    pub leader_imbalance_per_broker_percentage: i32,
}

impl ControllerConfig {
    /// Kafka's defaults.
    pub fn new(broker_id: BrokerId) -> ControllerConfig {
        ControllerConfig {
            broker_id,
            delete_topic_enable: true,
            auto_leader_rebalance_enable: true,
            leader_imbalance_check_interval_seconds: 300,
            leader_imbalance_per_broker_percentage: 10,
        }
    }
}
