//! The controller's log of state changes (`state.change.logger`): at INFO how many partitions change and what is told to whom,
//! at DEBUG each partition with its new leader and ISR.

use gregor_controller_machine::{ControlRequest, LeaderIsrAndControllerEpoch, Operation};
use gregor_model::{BrokerId, ControllerEpoch, TopicPartition};
use tracing::{debug, info};

/// The controller begins to write states.
pub(crate) fn writing(epoch: ControllerEpoch, operation: &Operation) {
    match operation {
        Operation::CreatePartitionStates(states) => {
            states.iter().for_each(|state| partition("created", &state.partition, &state.leadership));
            info!(target: "state.change.logger", controller_epoch = %epoch, partitions = states.len(), "creating partitions");
        }
        Operation::WritePartitionStates(states) => {
            states.iter().for_each(|state| partition("changed", &state.partition, &state.leadership));
            info!(target: "state.change.logger", controller_epoch = %epoch, partitions = states.len(), "changing partitions");
        }
        _ => {}
    }
}

fn partition(change: &str, partition: &TopicPartition, leadership: &LeaderIsrAndControllerEpoch) {
    let state = &leadership.leader_and_isr;
    debug!(
        target: "state.change.logger",
        %partition,
        leader = state.leader.map_or(-1, |leader| leader.0),
        leader_epoch = %state.leader_epoch,
        isr = ?state.isr.iter().map(|broker| broker.0).collect::<Vec<_>>(),
        change,
        "partition state"
    );
}

/// The controller tells a broker.
pub(crate) fn telling(broker: BrokerId, request: &ControlRequest) {
    let (name, epoch) = match request {
        ControlRequest::LeaderAndIsr(request) => ("LeaderAndIsr", request.controller_epoch),
        ControlRequest::UpdateMetadata(request) => ("UpdateMetadata", request.controller_epoch),
        ControlRequest::StopReplica(request) => ("StopReplica", request.controller_epoch),
    };
    debug!(target: "state.change.logger", %broker, controller_epoch = %epoch, request = name, "telling a broker");
}
