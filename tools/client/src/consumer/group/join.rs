//! Joining: JoinGroup, the division if this member is chosen to make it, SyncGroup.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use gregor_model::{TopicName, TopicPartition};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{JoinGroupRequest, JoinGroupResponse, SyncGroupRequest};
use kafka_protocol::protocol::StrBytes;

use super::protocol::{
    PROTOCOL_TYPE, decode_assignment, decode_subscription, encode_assignment, encode_subscription,
};
use super::{Generation, Membership, Subscriber, assign};
use crate::cluster::{Peer, Topics};
use crate::config::Assignor;
use crate::error::Error;
use crate::error_code::ErrorCode;

/// What a coordinator may take longer than it is asked to.
const JOIN_GRACE: Duration = Duration::from_secs(5);

/// A member of a new generation.
#[derive(Clone, Debug)]
pub(in crate::consumer) struct Joined {
    pub(in crate::consumer) generation: Generation,
    pub(in crate::consumer) partitions: Vec<TopicPartition>,
}

/// Joins the group, and again as long as the coordinator asks for that.
pub(in crate::consumer) async fn join(
    membership: &Membership,
    topics: &BTreeSet<TopicName>,
) -> Result<Joined, Error> {
    loop {
        let outcome = membership.with_coordinator(|peer| attempt(membership, peer, topics)).await;
        match outcome {
            Ok(joined) => return Ok(joined),
            Err(Error::Refused { code, .. })
                if matches!(
                    code,
                    ErrorCode::MEMBER_ID_REQUIRED
                        | ErrorCode::UNKNOWN_MEMBER_ID
                        | ErrorCode::ILLEGAL_GENERATION
                        | ErrorCode::REBALANCE_IN_PROGRESS
                ) =>
            {
                membership.forget(code);
                if code != ErrorCode::MEMBER_ID_REQUIRED {
                    tokio::time::sleep(membership.config.common.retry_backoff).await;
                }
            }
            Err(error) => return Err(error),
        }
    }
}

async fn attempt(membership: &Membership, peer: Peer, topics: &BTreeSet<TopicName>) -> Result<Joined, Error> {
    let subscription = encode_subscription(topics)?;
    let member = membership.member.lock().clone();
    let timeout = membership.config.max_poll_interval + JOIN_GRACE;
    let answer = peer
        .call_within(timeout, |version| join_request(membership, &member, &subscription, version))
        .await?;
    if !answer.member_id.is_empty() {
        *membership.member.lock() = answer.member_id.to_string();
    }
    ErrorCode::check(answer.error_code)?;
    let generation = Generation { id: answer.generation_id, member: answer.member_id.to_string() };
    let assignments = if answer.leader == answer.member_id && !answer.skip_assignment {
        divide(membership, &answer).await?
    } else {
        Vec::new()
    };
    let protocol = answer.protocol_name.clone();
    let synced = peer
        .call_within(timeout, |version| {
            let request = SyncGroupRequest::default()
                .with_group_id(membership.wire_group())
                .with_generation_id(generation.id)
                .with_member_id(StrBytes::from_string(generation.member.clone()))
                .with_assignments(assignments);
            let request = if version >= 3 {
                request.with_group_instance_id(wire_instance(membership))
            } else {
                request
            };
            if version >= 5 {
                let kind = StrBytes::from_static_str(PROTOCOL_TYPE);
                request.with_protocol_type(Some(kind)).with_protocol_name(protocol)
            } else {
                request
            }
        })
        .await?;
    ErrorCode::check(synced.error_code)?;
    Ok(Joined { generation, partitions: decode_assignment(synced.assignment)? })
}

fn wire_instance(membership: &Membership) -> Option<StrBytes> {
    membership.instance().map(|instance| StrBytes::from_string(instance.to_owned()))
}

fn join_request(
    membership: &Membership,
    member: &str,
    subscription: &Bytes,
    version: i16,
) -> JoinGroupRequest {
    let config = &membership.config;
    let protocol = |assignor: &Assignor| {
        JoinGroupRequestProtocol::default()
            .with_name(StrBytes::from_static_str(assignor.as_str()))
            .with_metadata(subscription.clone())
    };
    let milliseconds = |time: Duration| i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
    let request = JoinGroupRequest::default()
        .with_group_id(membership.wire_group())
        .with_session_timeout_ms(milliseconds(config.session_timeout))
        .with_member_id(StrBytes::from_string(member.to_owned()))
        .with_protocol_type(StrBytes::from_static_str(PROTOCOL_TYPE))
        .with_protocols(config.assignors.iter().map(protocol).collect());
    let request = if version >= 1 {
        request.with_rebalance_timeout_ms(milliseconds(config.max_poll_interval))
    } else {
        request
    };
    if version >= 5 { request.with_group_instance_id(wire_instance(membership)) } else { request }
}

/// What each member is to get, as its leader decides.
async fn divide(
    membership: &Membership,
    answer: &JoinGroupResponse,
) -> Result<Vec<SyncGroupRequestAssignment>, Error> {
    let chosen = answer.protocol_name.as_deref().unwrap_or_default();
    let assignor = membership.config.assignors.iter().find(|assignor| assignor.as_str() == chosen);
    let assignor = *assignor
        .ok_or_else(|| Error::Fatal(format!("the group divides by {chosen}, which this client cannot")))?;
    let mut subscribers = Vec::new();
    for member in &answer.members {
        subscribers.push(Subscriber {
            member: member.member_id.to_string(),
            instance: member.group_instance_id.as_ref().map(ToString::to_string),
            topics: decode_subscription(member.metadata.clone())?,
        });
    }
    let names: BTreeSet<TopicName> = subscribers.iter().flat_map(|one| one.topics.clone()).collect();
    let names: Vec<TopicName> = names.into_iter().collect();
    let create = membership.config.auto_create_topics;
    let view = membership.cluster.refresh(Topics::Named { names: &names, create }).await?;
    let counts: BTreeMap<TopicName, usize> = names
        .into_iter()
        .filter_map(|name| view.topics.get(&name).map(|topic| (name, topic.partitions.len())))
        .collect();
    let assigned = assign(assignor, &subscribers, &counts);
    assigned
        .iter()
        .map(|(member, partitions)| {
            Ok(SyncGroupRequestAssignment::default()
                .with_member_id(StrBytes::from_string(member.clone()))
                .with_assignment(encode_assignment(partitions)?))
        })
        .collect()
}
