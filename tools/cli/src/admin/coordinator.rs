//! Calls that only the coordinator of a group or of a transactional id answers: found, asked, and found anew when it has
//! moved (`CoordinatorStrategy`).

use std::time::Instant;

use kafka_protocol::messages::{ApiKey, FindCoordinatorRequest};
use kafka_protocol::protocol::Request;

use super::{Admin, AdminError, Target, text};

/// What is coordinated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoordinatorKind {
    /// A consumer group.
    Group = 0,
    /// A transactional id.
    Transaction = 1,
}

const NOT_COORDINATOR: i16 = 16;

impl Admin {
    /// The broker that coordinates `key`.
    pub async fn coordinator(&mut self, kind: CoordinatorKind, key: &str) -> Result<i32, AdminError> {
        // From version 4 on many keys are asked for at once.
        let build = |version| {
            let request = FindCoordinatorRequest::default().with_key_type(kind as i8);
            match version {
                0..=3 => request.with_key(text(key)),
                _ => request.with_coordinator_keys(vec![text(key)]),
            }
        };
        let answer = self
            .call("findCoordinator", ApiKey::FindCoordinator, Target::Any, build, |answer| {
                answer.coordinators.first().map_or(answer.error_code, |found| found.error_code)
            })
            .await?;
        match answer.coordinators.first() {
            Some(found) => {
                AdminError::check(found.error_code, found.error_message.as_deref())?;
                Ok(found.node_id.0)
            }
            None => {
                AdminError::check(answer.error_code, answer.error_message.as_deref())?;
                Ok(answer.node_id.0)
            }
        }
    }

    /// [`Admin::call`] to the coordinator of `id`, found again as long as brokers say that they are not. Gives the broker
    /// that answered, too.
    pub async fn call_coordinator<R: Request>(
        &mut self,
        call: &'static str,
        key: ApiKey,
        (kind, id): (CoordinatorKind, &str),
        build: impl Fn(i16) -> R,
        code_of: impl Fn(&R::Response) -> i16,
    ) -> Result<(i32, R::Response), AdminError> {
        let deadline = Instant::now() + self.api_timeout;
        loop {
            let coordinator = self.coordinator(kind, id).await?;
            let answer = self.call(call, key, Target::Broker(coordinator), &build, &code_of).await?;
            if code_of(&answer) != NOT_COORDINATOR || Instant::now() >= deadline {
                return Ok((coordinator, answer));
            }
            tokio::time::sleep(super::RETRY_BACKOFF).await;
        }
    }
}
