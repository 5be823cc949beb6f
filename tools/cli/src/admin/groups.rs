//! Consumer groups: listed, described, deleted. Their offsets are in [`super::group_offsets`].

use std::collections::BTreeSet;

use bytes::Buf as _;
use gregor_model::TopicPartition;
use gregor_wire::decode_prefix;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::{
    ApiKey, ConsumerProtocolAssignment, DeleteGroupsRequest, DescribeGroupsRequest, GroupId,
    ListGroupsRequest,
};

use super::coordinator::CoordinatorKind;
use super::{Admin, AdminError, Target, text};

/// What consumers call their protocol.
const CONSUMER: &str = "consumer";
const GROUP_ID_NOT_FOUND: i16 = 69;
/// The newest layout of an assignment that we know.
const ASSIGNMENT_VERSION_MAX: i16 = 3;

/// A consumer group, as its coordinator lists it (`ConsumerGroupListing`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupListing {
    /// Its id.
    pub id: String,
    /// Its state; empty if the broker is too old to say.
    pub state: String,
    /// `classic` or `consumer`; empty if the broker is too old to say.
    pub group_type: String,
}

/// A consumer group (`ConsumerGroupDescription`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDescription {
    /// Its id.
    pub id: String,
    /// `Stable`, `Empty`, `Dead` and so on.
    pub state: String,
    /// How partitions are assigned.
    pub assignor: String,
    /// The broker that coordinates it.
    pub coordinator: i32,
    /// Its members.
    pub members: Vec<Member>,
}

/// A member of a group (`MemberDescription`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: String,
    /// The id it keeps over restarts, if it has one.
    pub instance_id: Option<String>,
    /// What its client calls itself.
    pub client_id: String,
    /// Where it is, as the coordinator stored it.
    pub host: String,
    /// The partitions assigned to it, without repetitions.
    pub assignment: Vec<TopicPartition>,
}

impl Admin {
    /// Every consumer group of the cluster; only those in these states and of these types, unless none is named.
    pub async fn list_consumer_groups(
        &mut self,
        states: &[String],
        types: &[String],
    ) -> Result<Vec<GroupListing>, AdminError> {
        let brokers = self.live_brokers().await?;
        let mut found: Vec<GroupListing> = Vec::new();
        for broker in brokers {
            let build = |version| {
                let strings = |list: &[String]| list.iter().map(|one| text(one)).collect();
                // Older versions have no filters.
                let request = ListGroupsRequest::default();
                let request =
                    if version >= 4 { request.with_states_filter(strings(states)) } else { request };
                if version >= 5 { request.with_types_filter(strings(types)) } else { request }
            };
            let target = Target::Broker(broker);
            let answer = self
                .call("listConsumerGroups", ApiKey::ListGroups, target, build, |answer| answer.error_code)
                .await?;
            AdminError::check(answer.error_code, None)?;
            let consumers =
                answer.groups.iter().filter(|group| [CONSUMER, ""].contains(&group.protocol_type.as_str()));
            found.extend(consumers.map(|group| GroupListing {
                id: group.group_id.to_string(),
                state: group.group_state.to_string(),
                group_type: group.group_type.to_string(),
            }));
        }
        found.dedup_by(|a, b| a.id == b.id);
        Ok(found)
    }

    /// Describes a group; one that does not exist is `Dead`.
    pub async fn describe_consumer_group(&mut self, group: &str) -> Result<GroupDescription, AdminError> {
        let build = |_| DescribeGroupsRequest::default().with_groups(vec![GroupId(text(group))]);
        let (coordinator, answer) = self
            .call_coordinator(
                "describeConsumerGroups",
                ApiKey::DescribeGroups,
                (CoordinatorKind::Group, group),
                build,
                |answer| answer.groups.first().map_or(0, |group| group.error_code),
            )
            .await?;
        let described = answer.groups.first().ok_or(AdminError::Incomplete("DESCRIBE_GROUPS"))?;
        if described.error_code != GROUP_ID_NOT_FOUND {
            AdminError::check(described.error_code, None)?;
        }
        if ![CONSUMER, ""].contains(&described.protocol_type.as_str()) {
            let protocol = &described.protocol_type;
            let message = format!("GroupId {group} is not a consumer group ({protocol}).");
            return Err(AdminError::refused(GROUP_ID_NOT_FOUND, Some(&message)));
        }
        description(coordinator, described)
    }

    /// Deletes a group.
    pub async fn delete_consumer_group(&mut self, group: &str) -> Result<(), AdminError> {
        let build = |_| DeleteGroupsRequest::default().with_groups_names(vec![GroupId(text(group))]);
        let (_, answer) = self
            .call_coordinator(
                "deleteConsumerGroups",
                ApiKey::DeleteGroups,
                (CoordinatorKind::Group, group),
                build,
                |answer| answer.results.first().map_or(0, |group| group.error_code),
            )
            .await?;
        let result = answer.results.first().ok_or(AdminError::Incomplete("DELETE_GROUPS"))?;
        AdminError::check(result.error_code, None)
    }
}

fn description(coordinator: i32, group: &DescribedGroup) -> Result<GroupDescription, AdminError> {
    Ok(GroupDescription {
        id: group.group_id.to_string(),
        state: group.group_state.to_string(),
        assignor: group.protocol_data.to_string(),
        coordinator,
        members: group.members.iter().map(member).collect::<Result<_, _>>()?,
    })
}

fn member(member: &DescribedGroupMember) -> Result<Member, AdminError> {
    Ok(Member {
        id: member.member_id.to_string(),
        instance_id: member.group_instance_id.as_ref().map(ToString::to_string),
        client_id: member.client_id.to_string(),
        host: member.client_host.to_string(),
        assignment: assignment(member.member_assignment.clone())?,
    })
}

/// The partitions in an assignment as consumers write it: a version, then its layout; nothing while the group rebalances.
fn assignment(mut bytes: bytes::Bytes) -> Result<Vec<TopicPartition>, AdminError> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let malformed = || AdminError::Incomplete("DESCRIBE_GROUPS");
    let version = bytes.try_get_i16().map_err(|_| malformed())?.min(ASSIGNMENT_VERSION_MAX);
    if version < 0 {
        return Err(malformed());
    }
    let decoded: ConsumerProtocolAssignment = decode_prefix(&mut bytes, version).map_err(|_| malformed())?;
    let partitions = decoded.assigned_partitions.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| TopicPartition::new(topic.topic.as_str(), *partition))
    });
    Ok(partitions.collect::<BTreeSet<_>>().into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::{BufMut as _, Bytes, BytesMut};
    use kafka_protocol::messages::TopicName;
    use kafka_protocol::messages::consumer_protocol_assignment::TopicPartition as Assigned;
    use kafka_protocol::protocol::Encodable as _;

    #[test]
    fn assignments_are_read_whatever_their_version() {
        let topic = Assigned::default().with_topic(TopicName(text("t"))).with_partitions(vec![1, 0, 1]);
        for version in [0_i16, 1, 3, 9] {
            let mut bytes = BytesMut::new();
            bytes.put_i16(version);
            let written = ConsumerProtocolAssignment::default().with_assigned_partitions(vec![topic.clone()]);
            written.encode(&mut bytes, version.min(ASSIGNMENT_VERSION_MAX)).unwrap();
            let expected = vec![TopicPartition::new("t", 0), TopicPartition::new("t", 1)];
            assert_eq!(assignment(bytes.freeze()).unwrap(), expected, "version {version}");
        }
        assert_eq!(assignment(Bytes::new()).unwrap(), []);
    }

    #[test]
    fn damaged_assignments_are_errors() {
        let damaged: [&[u8]; 3] = [&[0], &[0xff, 0xff, 0], &[0, 0, 0x7f, 0xff, 0xff, 0xff]];
        for bytes in damaged {
            assert!(assignment(Bytes::from_static(bytes)).is_err(), "{bytes:?}");
        }
    }
}
