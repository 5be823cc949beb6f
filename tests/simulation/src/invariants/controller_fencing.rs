//! The controller epoch only grows, and a deposed controller writes nothing.

use gregor_model::ControllerEpoch;

use super::Checker;
use crate::zookeeper::StateChange;

impl Checker {
    /// `/controller_epoch` as it is.
    pub fn on_controller_epoch(&mut self, epoch: ControllerEpoch) {
        if epoch < self.controller_epoch {
            let known = self.controller_epoch;
            self.violated("the controller epoch grows", || format!("from {} to {}", known.0, epoch.0));
        }
        self.controller_epoch = epoch;
    }

    /// A partition's state was written, with the controller epoch as it was then.
    pub(super) fn check_writer(&mut self, change: &StateChange) {
        if change.writer < self.controller_epoch {
            let current = self.controller_epoch;
            self.violated("a deposed controller writes nothing", || {
                format!(
                    "the controller of epoch {} wrote {} in epoch {}",
                    change.writer.0, change.partition, current.0
                )
            });
        }
        let Some(after) = &change.after else { return };
        if let Some(before) = &change.before
            && (after.leader_and_isr.leader_epoch < before.leader_and_isr.leader_epoch
                || after.controller_epoch < before.controller_epoch)
        {
            self.violated("epochs in ZooKeeper only grow", || format!("{change:?}"));
        }
    }
}
