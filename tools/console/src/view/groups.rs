//! Consumer groups: a line each with its lag, and one with its members and offsets.

use std::collections::{BTreeMap, HashMap};

use futures::future::join_all;
use kafka_protocol::messages::describe_groups_response::DescribedGroup;
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::{
    DescribeGroupsRequest, GroupId, ListGroupsRequest, MetadataResponse, OffsetFetchRequest,
};
use kafka_protocol::protocol::{StrBytes, VersionRange};
use serde::Serialize;

use super::check;
use super::member_assignment;
use super::offsets;
use super::topics::{led, total};
use crate::ConsoleError;
use crate::cluster::{Broker, Cluster, brokers};

/// Groups per request: the answer stays far below every limit.
const GROUPS_PER_REQUEST: usize = 100;

type Committed = BTreeMap<(String, i32), i64>;

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct GroupLine {
    id: String,
    state: String,
    /// The assignor that was chosen, or the protocol type of who is no consumer.
    protocol: String,
    coordinator: Option<i32>,
    members: Option<usize>,
    /// Records between what is committed and the HW; none where nothing is committed.
    lag: Option<i64>,
    error: Option<String>,
}

impl GroupLine {
    /// Asks for all, by id.
    pub(crate) async fn load_all(cluster: &Cluster) -> Result<Vec<GroupLine>, ConsoleError> {
        let metadata = cluster.metadata(None).await?;
        let brokers = brokers(&metadata);
        let found = join_all(brokers.iter().map(|broker| of_coordinator(cluster, broker))).await;
        let (mut lines, mut unknown) = (Vec::new(), Vec::new());
        for (broker, groups) in brokers.iter().zip(found) {
            match groups {
                Ok(groups) => lines.extend(groups.into_iter().map(|group| (broker.id, group))),
                Err(error) => unknown.push(GroupLine::of_silent(broker, &error)),
            }
        }
        let ends =
            ends(cluster, &brokers, &metadata, lines.iter().flat_map(|(_, group)| group.committed.keys()))
                .await;
        let mut lines: Vec<_> = lines
            .into_iter()
            .map(|(coordinator, group)| GroupLine {
                id: group.id,
                state: group.state,
                protocol: group.protocol,
                coordinator: Some(coordinator),
                members: group.members,
                lag: total(
                    group.committed.iter().map(|(key, committed)| Some(lag(*ends.get(key)?, *committed))),
                ),
                error: None,
            })
            .collect();
        lines.extend(unknown);
        lines.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(lines)
    }

    /// Stands for the groups of a coordinator that does not answer.
    fn of_silent(broker: &Broker, error: &ConsoleError) -> GroupLine {
        GroupLine {
            id: format!("groups of broker {}", broker.id),
            state: "Unknown".to_owned(),
            protocol: String::new(),
            coordinator: Some(broker.id),
            members: None,
            lag: None,
            error: Some(error.to_string()),
        }
    }
}

struct Group {
    id: String,
    state: String,
    protocol: String,
    members: Option<usize>,
    committed: Committed,
}

/// The groups that a broker coordinates.
async fn of_coordinator(cluster: &Cluster, broker: &Broker) -> Result<Vec<Group>, ConsoleError> {
    let listed = cluster.ask(broker, ListGroupsRequest::default(), VersionRange { min: 0, max: 5 }).await?;
    check("ListGroups", listed.error_code)?;
    let ids: Vec<GroupId> = listed.groups.iter().map(|group| group.group_id.clone()).collect();
    let mut described: HashMap<String, DescribedGroup> = HashMap::new();
    let mut committed: HashMap<String, Committed> = HashMap::new();
    for some in ids.chunks(GROUPS_PER_REQUEST) {
        let (groups, offsets) =
            tokio::join!(describe(cluster, broker, some), committed_offsets(cluster, broker, some));
        described.extend(groups?.into_iter().map(|group| (group.group_id.to_string(), group)));
        committed.extend(offsets?);
    }
    Ok(listed
        .groups
        .iter()
        .map(|group| {
            let id = group.group_id.to_string();
            // A group of the newer protocol is Dead to DescribeGroups; the list knows its state.
            let told =
                described.get(&id).filter(|told| told.error_code == 0 && told.group_state.as_str() != "Dead");
            let state = told.map(|told| &told.group_state).filter(|_| group.group_state.is_empty());
            Group {
                state: state.unwrap_or(&group.group_state).to_string(),
                protocol: told
                    .map(|told| {
                        if told.protocol_data.is_empty() { &told.protocol_type } else { &told.protocol_data }
                    })
                    .unwrap_or(&group.protocol_type)
                    .to_string(),
                members: told.map(|told| told.members.len()),
                committed: committed.remove(&id).unwrap_or_default(),
                id,
            }
        })
        .collect())
}

async fn describe(
    cluster: &Cluster,
    broker: &Broker,
    ids: &[GroupId],
) -> Result<Vec<DescribedGroup>, ConsoleError> {
    let request = DescribeGroupsRequest::default().with_groups(ids.to_vec());
    Ok(cluster.ask(broker, request, VersionRange { min: 0, max: 5 }).await?.groups)
}

/// What each group has committed.
async fn committed_offsets(
    cluster: &Cluster,
    broker: &Broker,
    ids: &[GroupId],
) -> Result<HashMap<String, Committed>, ConsoleError> {
    let of_all =
        |id: &GroupId| OffsetFetchRequestGroup::default().with_group_id(id.clone()).with_topics(None);
    let request = OffsetFetchRequest::default().with_groups(ids.iter().map(of_all).collect());
    let answer = cluster.ask(broker, request, VersionRange { min: 8, max: 9 }).await?;
    let mut found = HashMap::new();
    for group in &answer.groups {
        let mut committed = Committed::new();
        for topic in &group.topics {
            for partition in topic.partitions.iter().filter(|partition| partition.committed_offset >= 0) {
                committed
                    .insert((topic.name.to_string(), partition.partition_index), partition.committed_offset);
            }
        }
        found.insert(group.group_id.to_string(), committed);
    }
    Ok(found)
}

/// The HWs of these partitions.
async fn ends<'a>(
    cluster: &Cluster,
    brokers: &[Broker],
    metadata: &MetadataResponse,
    partitions: impl Iterator<Item = &'a (String, i32)>,
) -> HashMap<(String, i32), i64> {
    let leaders: HashMap<(String, i32), i32> =
        led(metadata).map(|(topic, partition, leader)| ((topic, partition), leader)).collect();
    let wanted: std::collections::HashSet<&(String, i32)> = partitions.collect();
    let led = wanted.into_iter().filter_map(|key| Some((key.0.clone(), key.1, *leaders.get(key)?)));
    offsets::at(cluster, brokers, led, offsets::LATEST).await
}

fn lag(end: i64, committed: i64) -> i64 {
    end.saturating_sub(committed).max(0)
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct GroupView {
    id: String,
    state: String,
    coordinator: Option<i32>,
    members: Vec<MemberLine>,
    offsets: Vec<OffsetLine>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct MemberLine {
    id: String,
    client: String,
    host: String,
    /// How many it has; none if its protocol is not a consumer's.
    partitions: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct OffsetLine {
    topic: String,
    partition: i32,
    committed: Option<i64>,
    /// The HW.
    end: Option<i64>,
    lag: Option<i64>,
    /// The client id of the member that has the partition now.
    member: Option<String>,
}

impl GroupView {
    /// Asks for it.
    pub(crate) async fn load(cluster: &Cluster, id: &str) -> Result<GroupView, ConsoleError> {
        let metadata = cluster.metadata(None).await?;
        let brokers = brokers(&metadata);
        let key = GroupId(StrBytes::from_string(id.to_owned()));
        let coordinator = coordinator(cluster, &brokers, id).await?;
        let ids = [key];
        let (described, committed) =
            tokio::join!(describe(cluster, coordinator, &ids), committed_offsets(cluster, coordinator, &ids));
        let described = described?.pop().unwrap_or_default();
        check("DescribeGroups", described.error_code)?;
        let committed = committed?.remove(id).unwrap_or_default();
        let owners = owners(&described);
        let partitions = committed.keys().chain(owners.keys());
        let ends = ends(cluster, &brokers, &metadata, partitions).await;
        Ok(GroupView {
            id: id.to_owned(),
            state: described.group_state.to_string(),
            coordinator: Some(coordinator.id),
            members: described.members.iter().map(MemberLine::of).collect(),
            offsets: offset_lines(&committed, &owners, &ends),
        })
    }
}

/// The broker that lists the group.
async fn coordinator<'a>(
    cluster: &Cluster,
    brokers: &'a [Broker],
    id: &str,
) -> Result<&'a Broker, ConsoleError> {
    let asked = brokers
        .iter()
        .map(|broker| cluster.ask(broker, ListGroupsRequest::default(), VersionRange { min: 0, max: 5 }));
    let answers = join_all(asked).await;
    let lists = |groups: &kafka_protocol::messages::ListGroupsResponse| {
        groups.groups.iter().any(|group| group.group_id.as_str() == id)
    };
    let found = brokers.iter().zip(&answers).find(|(_, answer)| answer.as_ref().is_ok_and(lists));
    found.map(|(broker, _)| broker).ok_or_else(|| ConsoleError::NotFound(format!("there is no group {id}")))
}

impl MemberLine {
    fn of(member: &kafka_protocol::messages::describe_groups_response::DescribedGroupMember) -> MemberLine {
        MemberLine {
            id: member.member_id.to_string(),
            client: member.client_id.to_string(),
            host: member.client_host.to_string(),
            partitions: member_assignment::partitions(&member.member_assignment).map(|found| found.len()),
        }
    }
}

/// Which client has which partition.
fn owners(group: &DescribedGroup) -> BTreeMap<(String, i32), String> {
    let mut owners = BTreeMap::new();
    for member in &group.members {
        for partition in member_assignment::partitions(&member.member_assignment).unwrap_or_default() {
            owners.insert(partition, member.client_id.to_string());
        }
    }
    owners
}

fn offset_lines(
    committed: &Committed,
    owners: &BTreeMap<(String, i32), String>,
    ends: &HashMap<(String, i32), i64>,
) -> Vec<OffsetLine> {
    let keys: std::collections::BTreeSet<_> = committed.keys().chain(owners.keys()).collect();
    let line = |key: &(String, i32)| {
        let (committed, end) = (committed.get(key).copied(), ends.get(key).copied());
        OffsetLine {
            topic: key.0.clone(),
            partition: key.1,
            committed,
            end,
            lag: end.zip(committed).map(|(end, committed)| lag(end, committed)),
            member: owners.get(key).cloned(),
        }
    };
    keys.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_join_offsets_and_owners() {
        let key = |partition| ("t".to_owned(), partition);
        let lines = offset_lines(
            &Committed::from([(key(0), 5), (key(1), 9)]),
            &BTreeMap::from([(key(0), "a".to_owned()), (key(2), "b".to_owned())]),
            &HashMap::from([(key(0), 8), (key(1), 7)]),
        );
        let shown: Vec<_> = lines
            .iter()
            .map(|line| (line.partition, line.committed, line.lag, line.member.as_deref()))
            .collect();
        let expected =
            [(0, Some(5), Some(3), Some("a")), (1, Some(9), Some(0), None), (2, None, None, Some("b"))];
        assert_eq!(shown, expected);
    }
}
