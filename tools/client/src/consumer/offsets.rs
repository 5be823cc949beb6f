//! Offsets that brokers keep: where logs begin and end, and what a group has committed.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use gregor_model::{BrokerId, LeaderEpoch, Offset, TopicPartition};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::{
    GroupId, ListOffsetsRequest, OffsetCommitRequest, OffsetFetchRequest, TopicName as WireTopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::group::{Generation, Membership};
use crate::cluster::{Cluster, Peer, Topics};
use crate::config::{ConsumerConfig, Isolation, OffsetReset};
use crate::error::Error;
use crate::error_code::ErrorCode;

const EARLIEST: i64 = -2;
const LATEST: i64 = -1;
const OFFSET_NOT_AVAILABLE: i16 = 78;

/// A partition whose position is looked for.
pub(super) type Lost = (TopicPartition, u64, Option<OffsetReset>);

/// Finds positions: what the group has committed, else where the reset policy says.
pub(super) async fn locate(
    cluster: &Cluster,
    config: &ConsumerConfig,
    membership: Option<&Membership>,
    lost: Vec<Lost>,
) -> Result<Vec<(TopicPartition, u64, Offset)>, Error> {
    let mut found = Vec::new();
    let (fresh, resetting): (Vec<Lost>, Vec<Lost>) =
        lost.into_iter().partition(|(.., reset)| reset.is_none());
    let partitions: Vec<TopicPartition> = fresh.iter().map(|(partition, ..)| partition.clone()).collect();
    let committed = match membership {
        Some(membership) if !partitions.is_empty() => committed(membership, &partitions).await?,
        _ => HashMap::new(),
    };
    let mut earliest = Vec::new();
    let mut latest = Vec::new();
    for (partition, term, reset) in fresh.into_iter().chain(resetting) {
        if let Some(offset) = committed.get(&partition) {
            found.push((partition, term, *offset));
            continue;
        }
        match reset.unwrap_or(config.offset_reset) {
            OffsetReset::Earliest => earliest.push((partition, term)),
            OffsetReset::Latest => latest.push((partition, term)),
            OffsetReset::None => return Err(Error::NoOffset(partition)),
        }
    }
    for (timestamp, asked) in [(EARLIEST, earliest), (LATEST, latest)] {
        let partitions: Vec<TopicPartition> = asked.iter().map(|(partition, _)| partition.clone()).collect();
        let offsets = list(cluster, config, &partitions, timestamp).await?;
        found.extend(asked.into_iter().filter_map(|(partition, term)| {
            let offset = offsets.get(&partition).copied()?;
            Some((partition, term, offset))
        }));
    }
    Ok(found)
}

/// Where partitions begin or end; tried again until every leader has answered, up to `default.api.timeout.ms`.
async fn list(
    cluster: &Cluster,
    config: &ConsumerConfig,
    partitions: &[TopicPartition],
    timestamp: i64,
) -> Result<HashMap<TopicPartition, Offset>, Error> {
    let deadline = Instant::now() + config.api_timeout;
    let mut offsets = HashMap::new();
    loop {
        let missing: Vec<TopicPartition> =
            partitions.iter().filter(|partition| !offsets.contains_key(*partition)).cloned().collect();
        if missing.is_empty() {
            return Ok(offsets);
        }
        let view = cluster.view();
        let mut by_leader: HashMap<BrokerId, Vec<TopicPartition>> = HashMap::new();
        for partition in &missing {
            if let Some(leader) = view.leader(&partition.topic, partition.partition) {
                by_leader.entry(leader).or_default().push(partition.clone());
            }
        }
        for (leader, asked) in by_leader {
            match list_at(cluster, config, leader, &asked, timestamp).await {
                Ok(found) => offsets.extend(found),
                Err(Error::Network(_)) => {}
                Err(error) => return Err(error),
            }
        }
        if offsets.len() == partitions.len() {
            continue;
        }
        if Instant::now() + config.common.retry_backoff >= deadline {
            return Err(Error::Timeout("Failed to get offsets by times in time".to_owned()));
        }
        tokio::time::sleep(config.common.retry_backoff).await;
        let names: Vec<_> = missing.into_iter().map(|partition| partition.topic).collect();
        // The next round finds out.
        let _ = cluster.refresh(Topics::Named { names: &names, create: false }).await;
    }
}

async fn list_at(
    cluster: &Cluster,
    config: &ConsumerConfig,
    leader: BrokerId,
    partitions: &[TopicPartition],
    timestamp: i64,
) -> Result<HashMap<TopicPartition, Offset>, Error> {
    let peer = cluster.peer(leader).await?;
    let view = cluster.view();
    let answer = peer
        .call(|version| {
            let topics = by_topic(partitions).into_iter().map(|(name, partitions)| {
                let row = |partition: &&TopicPartition| {
                    let known = view.partition(&partition.topic, partition.partition);
                    let epoch = LeaderEpoch::to_wire(known.and_then(|known| known.leader_epoch));
                    let row = ListOffsetsPartition::default()
                        .with_partition_index(partition.partition)
                        .with_timestamp(timestamp);
                    if version >= 4 { row.with_current_leader_epoch(epoch) } else { row }
                };
                ListOffsetsTopic::default()
                    .with_name(name)
                    .with_partitions(partitions.iter().map(row).collect())
            });
            let request =
                ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(topics.collect());
            let committed = i8::from(config.isolation == Isolation::ReadCommitted);
            if version >= 2 { request.with_isolation_level(committed) } else { request }
        })
        .await?;
    let mut offsets = HashMap::new();
    for topic in answer.topics {
        for row in topic.partitions {
            let partition = TopicPartition::new(topic.name.0.as_str(), row.partition_index);
            match ErrorCode::from_wire(row.error_code) {
                None => {
                    offsets.insert(partition, Offset(row.offset.max(0)));
                }
                Some(code) if code.is_stale_metadata() || code.is_retriable() => {}
                Some(ErrorCode(OFFSET_NOT_AVAILABLE)) => {}
                Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED) => {
                    return Err(Error::not_authorized(&partition.topic));
                }
                Some(code) => return Err(code.into()),
            }
        }
    }
    Ok(offsets)
}

/// Partitions topic by topic.
fn by_topic(partitions: &[TopicPartition]) -> Vec<(WireTopicName, Vec<&TopicPartition>)> {
    let mut topics: Vec<(WireTopicName, Vec<&TopicPartition>)> = Vec::new();
    for partition in partitions {
        match topics.iter_mut().find(|(name, _)| name.0.as_str() == partition.topic.as_str()) {
            Some((_, rows)) => rows.push(partition),
            None => {
                let name = WireTopicName(StrBytes::from_string(partition.topic.as_str().to_owned()));
                topics.push((name, vec![partition]));
            }
        }
    }
    topics
}

/// What the group has committed for these partitions; tried again while transactions are open on them.
async fn committed(
    membership: &Membership,
    partitions: &[TopicPartition],
) -> Result<HashMap<TopicPartition, Offset>, Error> {
    membership.with_coordinator(|peer| fetch_committed(membership, peer, partitions)).await
}

async fn fetch_committed(
    membership: &Membership,
    peer: Peer,
    partitions: &[TopicPartition],
) -> Result<HashMap<TopicPartition, Offset>, Error> {
    let group = GroupId(StrBytes::from_string(membership.group().to_owned()));
    let indexes = |rows: &[&TopicPartition]| rows.iter().map(|row| row.partition).collect::<Vec<_>>();
    let answer = peer
        .call(|version| {
            let topics = by_topic(partitions);
            let request = OffsetFetchRequest::default();
            let request = if version >= 8 {
                let topics = topics.iter().map(|(name, rows)| {
                    let indexes = indexes(rows);
                    OffsetFetchRequestTopics::default()
                        .with_name(name.clone())
                        .with_partition_indexes(indexes)
                });
                let of_group = OffsetFetchRequestGroup::default()
                    .with_group_id(group)
                    .with_topics(Some(topics.collect()));
                let of_group = if version >= 9 { of_group.with_member_epoch(-1) } else { of_group };
                request.with_groups(vec![of_group])
            } else {
                let topics = topics.iter().map(|(name, rows)| {
                    let indexes = indexes(rows);
                    OffsetFetchRequestTopic::default().with_name(name.clone()).with_partition_indexes(indexes)
                });
                request.with_group_id(group).with_topics(Some(topics.collect()))
            };
            if version >= 7 { request.with_require_stable(true) } else { request }
        })
        .await?;
    let mut rows = Vec::new();
    match answer.groups.first() {
        Some(of_group) => {
            ErrorCode::check(of_group.error_code)?;
            for topic in &of_group.topics {
                rows.extend(topic.partitions.iter().map(|row| {
                    (topic.name.clone(), row.partition_index, row.committed_offset, row.error_code)
                }));
            }
        }
        None => {
            ErrorCode::check(answer.error_code)?;
            for topic in &answer.topics {
                rows.extend(topic.partitions.iter().map(|row| {
                    (topic.name.clone(), row.partition_index, row.committed_offset, row.error_code)
                }));
            }
        }
    }
    let mut offsets = HashMap::new();
    for (name, partition, offset, code) in rows {
        ErrorCode::check(code)?;
        if let Some(offset) = Offset::from_wire(offset) {
            offsets.insert(TopicPartition::new(name.0.as_str(), partition), offset);
        }
    }
    Ok(offsets)
}

/// Commits offsets for the group, as this member of this generation.
pub(super) async fn commit(
    membership: &Membership,
    generation: &Generation,
    offsets: &[(TopicPartition, Offset)],
) -> Result<(), Error> {
    if offsets.is_empty() {
        return Ok(());
    }
    membership
        .with_coordinator(async |peer| {
            let answer =
                peer.call(|version| commit_request(membership, generation, offsets, version)).await?;
            let mut rows = answer.topics.iter().flat_map(|topic| &topic.partitions);
            let code = rows.find_map(|row| ErrorCode::from_wire(row.error_code));
            code.map_or(Ok(()), |code| Err(Error::from(code)))
        })
        .await
}

fn commit_request(
    membership: &Membership,
    generation: &Generation,
    offsets: &[(TopicPartition, Offset)],
    version: i16,
) -> OffsetCommitRequest {
    let mut topics: Vec<OffsetCommitRequestTopic> = Vec::new();
    for (partition, offset) in offsets {
        let row = OffsetCommitRequestPartition::default()
            .with_partition_index(partition.partition)
            .with_committed_offset(offset.0)
            .with_committed_metadata(Some(StrBytes::default()));
        match topics.iter_mut().find(|topic| topic.name.0.as_str() == partition.topic.as_str()) {
            Some(topic) => topic.partitions.push(row),
            None => {
                let name = WireTopicName(StrBytes::from_string(partition.topic.as_str().to_owned()));
                topics.push(OffsetCommitRequestTopic::default().with_name(name).with_partitions(vec![row]));
            }
        }
    }
    let request = OffsetCommitRequest::default()
        .with_group_id(GroupId(StrBytes::from_string(membership.group().to_owned())))
        .with_topics(topics);
    let request = if version >= 1 {
        request
            .with_generation_id_or_member_epoch(generation.id)
            .with_member_id(StrBytes::from_string(generation.member.clone()))
    } else {
        request
    };
    let instance = membership.instance().map(|instance| StrBytes::from_string(instance.to_owned()));
    if version >= 7 { request.with_group_instance_id(instance) } else { request }
}

/// How long a close waits for its last commit.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);
