//! Consumer groups: offsets without members, a life with one member, and the ways to get it wrong.

use crate::case::{Case, case, group, plain, text, topic};
use crate::side::Side;
use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    ApiKey, ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, DeleteGroupsRequest,
    DescribeGroupsRequest, FindCoordinatorRequest, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest,
    ListGroupsRequest, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, ResponseKind,
    SyncGroupRequest,
};

pub fn cases() -> Vec<Case> {
    [find(), commit(), fetch(), membership(), describe(), delete(), newer_protocol()]
        .into_iter()
        .flatten()
        .collect()
}

fn find() -> Vec<Case> {
    let of = |name: &'static str, key: &'static str, kind: i8| {
        case(ApiKey::FindCoordinator, name, move |version, _| {
            let request = FindCoordinatorRequest::default();
            let request = if version >= 4 {
                request.with_coordinator_keys(vec![text(key)])
            } else {
                request.with_key(text(key))
            };
            Some(if kind == 0 { request } else { request.with_key_type(kind) }.into())
        })
    };
    vec![
        of("of a group", "g", 0),
        of("of a transaction", "t", 1),
        of("of an empty transactional id", "", 1),
        of("of an empty group", "", 0),
        of("no such kind", "x", 7),
    ]
}

fn commit_to(topic_name: &str, partition: i32, offset: i64) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default()
        .with_partition_index(partition)
        .with_committed_offset(offset)
        .with_committed_metadata(Some(text("note")));
    let topic =
        OffsetCommitRequestTopic::default().with_name(topic(topic_name)).with_partitions(vec![partition]);
    OffsetCommitRequest::default().with_generation_id_or_member_epoch(-1).with_topics(vec![topic])
}

fn commit() -> Vec<Case> {
    let of = |name: &'static str, change: fn(OffsetCommitRequest) -> OffsetCommitRequest| {
        // Version 0 went to ZooKeeper; no client in use sends it.
        case(ApiKey::OffsetCommit, name, move |version, _| {
            let request = commit_to("plain", 0, 4).with_group_id(group("simple"));
            (version >= 1).then(|| change(request).into())
        })
    };
    vec![
        of("without members", |request| request),
        of("an unknown partition", |request| commit_to("plain", 9, 1).with_group_id(request.group_id)),
        of("an unknown topic", |request| commit_to("nowhere", 0, 1).with_group_id(request.group_id)),
        of("an unknown member", |request| {
            request.with_generation_id_or_member_epoch(3).with_member_id(text("stranger"))
        }),
        of("an empty group", |request| request.with_group_id(group(""))),
        of("too long a note", |mut request| {
            request.topics[0].partitions[0].committed_metadata = Some(text(&"n".repeat(5_000)));
            request
        }),
        of("no topics", |request| request.with_topics(vec![])),
    ]
}

fn fetch() -> Vec<Case> {
    let of = |name: &'static str,
              id: &'static str,
              topics: Option<&'static [(&'static str, &'static [i32])]>| {
        case(ApiKey::OffsetFetch, name, move |version, _| {
            let request = OffsetFetchRequest::default();
            if version == 0 {
                return None;
            }
            if version >= 8 {
                let of = |(name, partitions): &(&str, &[i32])| {
                    OffsetFetchRequestTopics::default()
                        .with_name(topic(name))
                        .with_partition_indexes(partitions.to_vec())
                };
                let topics = topics.map(|all| all.iter().map(of).collect());
                let wanted = OffsetFetchRequestGroup::default().with_group_id(group(id)).with_topics(topics);
                return Some(request.with_groups(vec![wanted]).into());
            }
            let of = |(name, partitions): &(&str, &[i32])| {
                OffsetFetchRequestTopic::default()
                    .with_name(topic(name))
                    .with_partition_indexes(partitions.to_vec())
            };
            let topics = topics.map(|all| all.iter().map(of).collect());
            Some(request.with_group_id(group(id)).with_topics(topics).into())
        })
    };
    vec![
        of("what was committed", "simple", Some(&[("plain", &[0, 1])])),
        of("everything", "simple", None),
        of("an unknown group", "nobody", Some(&[("plain", &[0])])),
        of("everything of an unknown group", "nobody", None),
        of("an unknown topic", "simple", Some(&[("nowhere", &[0])])),
        of("no topics", "simple", Some(&[])),
    ]
}

fn join(id: &str) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text("range"))
        .with_metadata(Bytes::from_static(&[0, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]));
    JoinGroupRequest::default()
        .with_group_id(group(id))
        .with_session_timeout_ms(30_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

/// Joins in a version; `rebalance_timeout_ms` is there from version 1 on.
fn joins(name: &'static str, change: fn(JoinGroupRequest, &Side) -> JoinGroupRequest) -> Case {
    case(ApiKey::JoinGroup, name, move |version, side: &Side| {
        let request = join(&format!("joined-{version}"));
        let request = if version >= 1 { request.with_rebalance_timeout_ms(30_000) } else { request };
        Some(change(request, side).into())
    })
}

fn remember_member(answer: &ResponseKind, side: &mut Side) {
    if let ResponseKind::JoinGroup(answer) = answer {
        side.remembered.insert("member", answer.member_id.to_string());
    }
}

fn membership() -> Vec<Case> {
    let with_member = |id: &'static str, generation: i32| {
        move |_: i16, side: &Side| {
            let request = HeartbeatRequest::default().with_group_id(group(id)).with_generation_id(generation);
            Some(request.with_member_id(side.recall("member")).into())
        }
    };
    vec![
        joins("a stranger's member id", |request, _| request.with_member_id(text("stranger"))),
        joins("an empty group", |request, _| request.with_group_id(group(""))),
        joins("too short a session", |request, _| request.with_session_timeout_ms(1)),
        joins("too long a session", |request, _| request.with_session_timeout_ms(100_000_000)),
        joins("no protocols", |request, _| request.with_protocols(vec![])),
        // The last version's member stays for what follows.
        case(ApiKey::JoinGroup, "a new member", |version, _| {
            let request = join("lived").with_rebalance_timeout_ms(30_000);
            (version == 3).then(|| request.into())
        })
        .remember(remember_member),
        case(ApiKey::SyncGroup, "the leader", |version, side: &Side| {
            let assignment = SyncGroupRequestAssignment::default()
                .with_member_id(side.recall("member"))
                .with_assignment(Bytes::from_static(b"anything"));
            let request = SyncGroupRequest::default()
                .with_group_id(group("lived"))
                .with_generation_id(1)
                .with_member_id(side.recall("member"))
                .with_assignments(vec![assignment]);
            Some(if version >= 5 {
                request
                    .with_protocol_type(Some(text("consumer")))
                    .with_protocol_name(Some(text("range")))
                    .into()
            } else {
                request.into()
            })
        }),
        case(ApiKey::SyncGroup, "another generation", |_, side: &Side| {
            let request = SyncGroupRequest::default().with_group_id(group("lived")).with_generation_id(9);
            Some(request.with_member_id(side.recall("member")).into())
        }),
        case(ApiKey::SyncGroup, "another protocol", |version, side: &Side| {
            let request = SyncGroupRequest::default().with_group_id(group("lived")).with_generation_id(1);
            let request =
                request.with_protocol_type(Some(text("connect"))).with_protocol_name(Some(text("range")));
            (version >= 5).then(|| request.with_member_id(side.recall("member")).into())
        }),
        plain(
            ApiKey::SyncGroup,
            "an unknown group",
            SyncGroupRequest::default().with_group_id(group("nobody")),
        ),
        plain(ApiKey::SyncGroup, "an empty group", SyncGroupRequest::default().with_group_id(group(""))),
        case(ApiKey::Heartbeat, "a member", with_member("lived", 1)),
        case(ApiKey::Heartbeat, "another generation", with_member("lived", 7)),
        case(ApiKey::Heartbeat, "an unknown group", with_member("nobody", 1)),
        case(ApiKey::Heartbeat, "an empty group", with_member("", 1)),
        plain(
            ApiKey::Heartbeat,
            "a stranger",
            HeartbeatRequest::default()
                .with_group_id(group("lived"))
                .with_generation_id(1)
                .with_member_id(text("x")),
        ),
        case(ApiKey::OffsetCommit, "a member", |version, side: &Side| {
            let request = commit_to("plain", 0, 7).with_group_id(group("lived"));
            let request = request.with_generation_id_or_member_epoch(1).with_member_id(side.recall("member"));
            (version >= 1).then(|| request.into())
        }),
        case(ApiKey::OffsetCommit, "another generation", |version, side: &Side| {
            let request = commit_to("plain", 0, 7).with_group_id(group("lived"));
            let request = request.with_generation_id_or_member_epoch(8).with_member_id(side.recall("member"));
            (version >= 1).then(|| request.into())
        }),
    ]
}

fn describe() -> Vec<Case> {
    let of = |name: &'static str, id: &str| {
        plain(ApiKey::DescribeGroups, name, DescribeGroupsRequest::default().with_groups(vec![group(id)]))
    };
    let list = |name: &'static str, states: &[&str], types: &[&str]| {
        let request = ListGroupsRequest::default()
            .with_states_filter(states.iter().map(|state| text(state)).collect())
            .with_types_filter(types.iter().map(|kind| text(kind)).collect());
        plain(ApiKey::ListGroups, name, request)
    };
    vec![
        of("a group with a member", "lived"),
        of("a group without members", "simple"),
        of("an unknown group", "nobody"),
        of("an empty id", ""),
        plain(
            ApiKey::DescribeGroups,
            "with authorized operations",
            DescribeGroupsRequest::default()
                .with_groups(vec![group("lived")])
                .with_include_authorized_operations(true),
        ),
        list("all", &[], &[]),
        list("stable ones", &["Stable"], &[]),
        list("no such state", &["Happy"], &[]),
        list("classic ones", &[], &["classic"]),
        list("those of the newer protocol", &[], &["consumer"]),
        list("no such type", &[], &["modern"]),
    ]
}

fn delete() -> Vec<Case> {
    let groups = |name: &'static str, all: &[&str]| {
        let request =
            DeleteGroupsRequest::default().with_groups_names(all.iter().map(|id| group(id)).collect());
        plain(ApiKey::DeleteGroups, name, request)
    };
    let offsets = |name: &'static str, id: &str, topic_name: &str| {
        let partition = OffsetDeleteRequestPartition::default().with_partition_index(0);
        let topic =
            OffsetDeleteRequestTopic::default().with_name(topic(topic_name)).with_partitions(vec![partition]);
        let request = OffsetDeleteRequest::default().with_group_id(group(id)).with_topics(vec![topic]);
        plain(ApiKey::OffsetDelete, name, request)
    };
    let leave = |name: &'static str, id: &'static str, member: Option<&'static str>| {
        case(ApiKey::LeaveGroup, name, move |version, side: &Side| {
            let member = member.map_or_else(|| side.recall("member"), text);
            let request = LeaveGroupRequest::default().with_group_id(group(id));
            Some(if version >= 3 {
                request.with_members(vec![MemberIdentity::default().with_member_id(member)]).into()
            } else {
                request.with_member_id(member).into()
            })
        })
    };
    vec![
        groups("with a member", &["lived"]),
        groups("an unknown group", &["nobody"]),
        groups("an empty id", &[""]),
        offsets("a subscribed topic", "lived", "plain"),
        offsets("without members", "simple", "plain"),
        offsets("again", "simple", "plain"),
        offsets("an unknown topic", "simple", "nowhere"),
        offsets("an unknown group", "nobody", "plain"),
        offsets("an empty group", "", "plain"),
        leave("a stranger", "lived", Some("stranger")),
        leave("an unknown group", "nobody", Some("stranger")),
        leave("an empty group", "", Some("stranger")),
        leave("the member, then nobody", "lived", None),
        groups("without members", &["simple"]),
    ]
}

fn newer_protocol() -> Vec<Case> {
    vec![
        plain(
            ApiKey::ConsumerGroupHeartbeat,
            "joins",
            ConsumerGroupHeartbeatRequest::default()
                .with_group_id(group("newer"))
                .with_rebalance_timeout_ms(30_000)
                .with_subscribed_topic_names(Some(vec![topic("plain")]))
                .with_topic_partitions(Some(vec![])),
        ),
        plain(
            ApiKey::ConsumerGroupDescribe,
            "an unknown group",
            ConsumerGroupDescribeRequest::default().with_group_ids(vec![group("newer")]),
        ),
    ]
}
