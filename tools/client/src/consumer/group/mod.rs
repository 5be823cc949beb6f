//! Membership in a consumer group by the classic protocol (`ConsumerCoordinator`): join, sync, heartbeats, leave.
//!
//! The consumer owns it and runs one join at a time; heartbeats have a task of their own, which ends with the generation.

mod assignor;
mod join;
mod protocol;

use std::time::Instant;

use gregor_model::BrokerId;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::{GroupId, HeartbeatRequest, LeaveGroupRequest};
use kafka_protocol::protocol::StrBytes;
use parking_lot::Mutex;

pub use assignor::{Subscriber, assign};
pub(super) use join::{Joined, join};

use crate::cluster::{Cluster, Lane, Peer};
use crate::config::ConsumerConfig;
use crate::error::Error;
use crate::error_code::ErrorCode;
use crate::producer::identity::find_coordinator;

const GROUP: i8 = 0;

/// As whom requests of a generation are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Generation {
    pub(super) id: i32,
    pub(super) member: String,
}

impl Generation {
    /// Outside of any generation.
    pub(super) fn none() -> Generation {
        Generation { id: -1, member: String::new() }
    }
}

/// What a member knows beside its generation.
pub(super) struct Membership {
    cluster: Cluster,
    config: ConsumerConfig,
    group: String,
    coordinator: Mutex<Option<BrokerId>>,
    member: Mutex<String>,
}

/// Why heartbeats ended.
#[derive(Clone, Debug)]
pub(super) enum Lost {
    /// The group rebalances: the member joins again.
    Rebalance,
    /// The coordinator has forgotten the member.
    Forgotten,
    /// It cannot be a member any more.
    Fatal(Error),
}

impl Membership {
    pub(super) fn new(cluster: Cluster, config: ConsumerConfig, group: String) -> Membership {
        Membership { cluster, config, group, coordinator: Mutex::default(), member: Mutex::default() }
    }

    pub(super) fn group(&self) -> &str {
        &self.group
    }

    pub(super) fn instance(&self) -> Option<&str> {
        self.config.group_instance.as_deref()
    }

    fn wire_group(&self) -> GroupId {
        GroupId(StrBytes::from_string(self.group.clone()))
    }

    async fn coordinator(&self) -> Result<Peer, Error> {
        let known = *self.coordinator.lock();
        if let Some(broker) = known
            && let Ok(peer) = self.cluster.peer_on(Lane::Coordinator, broker).await
        {
            return Ok(peer);
        }
        let broker = find_coordinator(&self.cluster, &self.group, GROUP).await?;
        *self.coordinator.lock() = Some(broker);
        self.cluster.peer_on(Lane::Coordinator, broker).await
    }

    /// Sends something to the coordinator: again, up to `default.api.timeout.ms`, while it moves or loads.
    pub(super) async fn with_coordinator<R, F: Future<Output = Result<R, Error>>>(
        &self,
        attempt: impl Fn(Peer) -> F,
    ) -> Result<R, Error> {
        let deadline = Instant::now() + self.config.api_timeout;
        loop {
            let outcome = match self.coordinator().await {
                Ok(peer) => attempt(peer).await,
                Err(error) => Err(error),
            };
            let error = match outcome {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let again = match &error {
                Error::Network(_) => true,
                Error::Refused { code, .. } => {
                    code.is_retriable() && *code != ErrorCode::REBALANCE_IN_PROGRESS
                }
                _ => false,
            };
            *self.coordinator.lock() = None;
            if !again || Instant::now() + self.config.common.retry_backoff >= deadline {
                return Err(error);
            }
            tokio::time::sleep(self.config.common.retry_backoff).await;
        }
    }

    /// Sends heartbeats until the coordinator says that this generation is over.
    pub(super) async fn keep_alive(&self, generation: Generation) -> Lost {
        loop {
            tokio::time::sleep(self.config.heartbeat_interval).await;
            let outcome = self.with_coordinator(|peer| self.beat(peer, &generation)).await;
            match outcome {
                Ok(()) => {}
                Err(Error::Refused { code, .. }) => match code {
                    ErrorCode::REBALANCE_IN_PROGRESS => return Lost::Rebalance,
                    ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::ILLEGAL_GENERATION => {
                        self.forget(code);
                        return Lost::Forgotten;
                    }
                    code => return Lost::Fatal(code.into()),
                },
                // The coordinator cannot be reached: it may be back before the session is over.
                Err(Error::Network(_) | Error::Timeout(_)) => {}
                Err(error) => return Lost::Fatal(error),
            }
        }
    }

    async fn beat(&self, peer: Peer, generation: &Generation) -> Result<(), Error> {
        let answer = peer
            .call(|version| {
                let request = HeartbeatRequest::default()
                    .with_group_id(self.wire_group())
                    .with_generation_id(generation.id)
                    .with_member_id(StrBytes::from_string(generation.member.clone()));
                let instance = self.instance().map(|instance| StrBytes::from_string(instance.to_owned()));
                if version >= 3 { request.with_group_instance_id(instance) } else { request }
            })
            .await?;
        Ok(ErrorCode::check(answer.error_code)?)
    }

    /// The coordinator does not know the member by its id.
    fn forget(&self, code: ErrorCode) {
        if code == ErrorCode::UNKNOWN_MEMBER_ID {
            self.member.lock().clear();
        }
    }

    /// Leaves the group; a member with an instance id stays, and may come back.
    pub(super) async fn leave(&self) {
        let member = self.member.lock().clone();
        if member.is_empty() || self.instance().is_some() {
            return;
        }
        let Ok(peer) = self.coordinator().await else { return };
        let member = StrBytes::from_string(member);
        // Without an answer the session ends on its own.
        let _ = peer
            .call(|version| {
                let request = LeaveGroupRequest::default().with_group_id(self.wire_group());
                if version >= 3 {
                    request.with_members(vec![MemberIdentity::default().with_member_id(member)])
                } else {
                    request.with_member_id(member)
                }
            })
            .await;
    }
}
