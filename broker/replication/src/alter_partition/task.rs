//! The task that sends ISR proposals to the controller, and the queue before it.
//!
//! Owner: the replica manager. The queue holds at most one proposal per partition. One task per broker.

use std::sync::Arc;
use std::time::Duration;

use gregor_model::{BrokerId, Timestamp};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::machine::{AlreadyProposed, AlterPartitionMachine, IsrChange, Outcome};
use super::message;
use crate::environment::{IsrAuthority, ReplicaEnvironment};
use crate::partition::isr::IsrAnswer;

/// Proposals on their way to the controller.
#[derive(Debug, Default)]
pub(crate) struct IsrChangeQueue {
    machine: Mutex<AlterPartitionMachine>,
    changed: Notify,
}

impl IsrChangeQueue {
    /// Takes a proposal in and wakes the task.
    pub(crate) fn submit(&self, change: IsrChange) -> Result<(), AlreadyProposed> {
        self.machine.lock().submit(change)?;
        self.changed.notify_one();
        Ok(())
    }

    /// What to send, or else how long to wait at most.
    fn next(&self, now: Timestamp) -> Result<Vec<IsrChange>, Option<Duration>> {
        let mut machine = self.machine.lock();
        let request = machine.next_request(now);
        if !request.is_empty() {
            return Ok(request);
        }
        let wait_ms = machine.retry_at().map(|at| u64::try_from(at - now).unwrap_or(0));
        Err(wait_ms.map(Duration::from_millis))
    }
}

/// Sends proposals until the future is dropped; `deliver` hands an answer to its partition.
pub(crate) async fn run(
    broker: BrokerId,
    queue: Arc<IsrChangeQueue>,
    authority: Arc<dyn IsrAuthority>,
    environment: Arc<dyn ReplicaEnvironment>,
    deliver: impl Fn(IsrChange, IsrAnswer),
) {
    loop {
        let sent = match queue.next(environment.now()) {
            Ok(sent) => sent,
            Err(None) => {
                queue.changed.notified().await;
                continue;
            }
            Err(Some(wait)) => {
                // Nothing new can be sent before the retry, so only time is awaited.
                tokio::time::sleep(wait).await;
                continue;
            }
        };
        let (request, by_name) = message::request(broker, environment.broker_epoch(), &sent);
        tracing::debug!(partitions = sent.len(), by_name, "sending AlterPartition");
        let outcome = match authority.alter_partition(request, by_name).await {
            Ok((response, version)) => {
                if response.error_code != 0 {
                    tracing::warn!(
                        error_code = response.error_code,
                        "the controller refused AlterPartition, will retry"
                    );
                }
                message::outcome(&response, version, &sent)
            }
            Err(error) => {
                tracing::warn!(%error, "AlterPartition was not answered, will retry");
                Outcome::Failed
            }
        };
        let answers = queue.machine.lock().on_outcome(&sent, outcome, environment.now());
        for (change, answer) in answers {
            deliver(change, answer);
        }
    }
}
