//! What LeaderAndIsr and StopReplica have in common: who may send them, their error codes, work on many partitions at once.

use gregor_log::LogError;
use gregor_model::ControllerEpoch;
use kafka_protocol::ResponseError;

use super::{ReplicaManager, StaleControllerEpoch};
use crate::partition::control_rules::ControlRefusal;

/// At most so many threads create or delete logs for one request.
const THREADS_MAX: usize = 16;

/// With fewer partitions per thread than this, starting a thread costs more than it saves.
const PARTITIONS_PER_THREAD: usize = 16;

impl ReplicaManager {
    /// Notes the epoch of a controller that sent a request (UpdateMetadata; the other two do it themselves).
    pub fn observe_controller_epoch(&self, epoch: ControllerEpoch) -> Result<(), StaleControllerEpoch> {
        observe(&mut self.control.lock(), epoch)
    }

    /// Whether a control request may be obeyed: it is meant for this registration of ours, and its controller is the newest.
    pub(super) fn admit(
        &self,
        latest: &mut ControllerEpoch,
        broker_epoch: i64,
        controller_epoch: i32,
    ) -> Result<(), ResponseError> {
        let own = self.shared.environment.broker_epoch();
        // A larger epoch is fine: the controller may learn of a re-registration before we do.
        if broker_epoch != -1 && own.is_some_and(|own| broker_epoch < own.0) {
            tracing::warn!(
                broker_epoch,
                ?own,
                "refusing a control request meant for an earlier registration"
            );
            return Err(ResponseError::StaleBrokerEpoch);
        }
        observe(latest, ControllerEpoch(controller_epoch)).map_err(|error| {
            tracing::warn!(%error, "refusing a control request");
            ResponseError::StaleControllerEpoch
        })
    }
}

fn observe(latest: &mut ControllerEpoch, epoch: ControllerEpoch) -> Result<(), StaleControllerEpoch> {
    if epoch < *latest {
        return Err(StaleControllerEpoch { sent: epoch, latest: *latest });
    }
    *latest = epoch;
    Ok(())
}

/// The code a partition of a control request is answered with. Responses of these requests are made here, not by the
/// server, so this is the one place of this crate that knows codes.
pub(super) fn refusal_code(refusal: ControlRefusal) -> i16 {
    let error = match refusal {
        ControlRefusal::InconsistentTopicId => ResponseError::InconsistentTopicId,
        ControlRefusal::NotAReplica => ResponseError::UnknownTopicOrPartition,
        ControlRefusal::StaleLeaderEpoch => ResponseError::StaleControllerEpoch,
        ControlRefusal::FencedLeaderEpoch => ResponseError::FencedLeaderEpoch,
    };
    error.code()
}

/// The code for a log that cannot be had.
pub(super) fn log_error_code(error: &LogError) -> i16 {
    let error = match error {
        LogError::InconsistentTopicId { .. } => ResponseError::InconsistentTopicId,
        LogError::MayBeOffline(_)
        | LogError::NoSuchDir(_)
        | LogError::NoSuchLog(_)
        | LogError::Storage(_) => ResponseError::KafkaStorageError,
        LogError::NameTooLong(_) => ResponseError::InvalidTopicException,
    };
    error.code()
}

/// Does `work` for every item, on several threads where there are many: most of it waits for the disk.
pub(super) fn for_all<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = (items.len() / PARTITIONS_PER_THREAD).min(THREADS_MAX);
    if threads <= 1 {
        return items.iter().map(work).collect();
    }
    let work = &work;
    std::thread::scope(|scope| {
        let chunks = items.chunks(items.len().div_ceil(threads));
        let running: Vec<_> =
            chunks.map(|chunk| scope.spawn(move || chunk.iter().map(work).collect::<Vec<R>>())).collect();
        running
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_their_order() {
        for count in [0, 1, 31, 32, 1000] {
            let items: Vec<usize> = (0..count).collect();
            assert_eq!(
                for_all(&items, |item| item * 2),
                items.iter().map(|item| item * 2).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn an_older_controller_is_refused() {
        let mut latest = ControllerEpoch(0);
        observe(&mut latest, ControllerEpoch(4)).unwrap();
        observe(&mut latest, ControllerEpoch(4)).unwrap();
        assert!(observe(&mut latest, ControllerEpoch(3)).is_err());
        assert_eq!(latest, ControllerEpoch(4));
    }
}
