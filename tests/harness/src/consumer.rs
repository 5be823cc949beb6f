//! A member of a consumer group with the consumer protocol (KIP-848), as bare requests: it joins, beats when it is told to,
//! and gives up at once what it must.

use crate::cluster::{Cluster, SETTLE, topic_name};
use crate::rpc::Rpc;
use crate::wait;
use anyhow::{Result, ensure};
use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, GroupId, OffsetCommitRequest,
    OffsetFetchRequest,
};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeSet;

/// Codes that tell to ask again, perhaps somebody else: loading, not available, not the coordinator.
const ASK_AGAIN: [i16; 3] = [14, 15, 16];

/// One member.
#[derive(Debug)]
pub struct ConsumerMember {
    addresses: Vec<String>,
    group: GroupId,
    topic: String,
    id: StrBytes,
    epoch: i32,
    owned: Vec<TopicPartitions>,
}

impl ConsumerMember {
    /// A member called `id` joins `group` to read `topic`.
    pub async fn join(cluster: &Cluster, group: &str, topic: &str, id: &str) -> Result<ConsumerMember> {
        let mut member = ConsumerMember {
            addresses: cluster.brokers.iter().map(|broker| broker.address()).collect(),
            group: GroupId(StrBytes::from_string(group.to_owned())),
            topic: topic.to_owned(),
            id: StrBytes::from_string(id.to_owned()),
            epoch: 0,
            owned: Vec::new(),
        };
        member.beat().await?;
        Ok(member)
    }

    /// What it would say now.
    pub fn heartbeat(&self) -> ConsumerGroupHeartbeatRequest {
        ConsumerGroupHeartbeatRequest::default()
            .with_group_id(self.group.clone())
            .with_member_id(self.id.clone())
            .with_member_epoch(self.epoch)
            .with_rebalance_timeout_ms(60_000)
            .with_subscribed_topic_names(Some(vec![topic_name(&self.topic)]))
            .with_topic_partitions(Some(self.owned.clone()))
    }

    /// Says that it is there and what it owns, and does what it is told.
    pub async fn beat(&mut self) -> Result<()> {
        let answer = self.send(self.heartbeat()).await?;
        ensure!(answer.error_code == 0, "refused: {answer:?}");
        self.epoch = answer.member_epoch;
        if let Some(assignment) = answer.assignment {
            let owned =
                |topic: kafka_protocol::messages::consumer_group_heartbeat_response::TopicPartitions| {
                    TopicPartitions::default().with_topic_id(topic.topic_id).with_partitions(topic.partitions)
                };
            self.owned = assignment.topic_partitions.into_iter().map(owned).collect();
        }
        Ok(())
    }

    /// Leaves the group.
    pub async fn leave(self) -> Result<()> {
        let answer = self.send(self.heartbeat().with_member_epoch(-1)).await?;
        ensure!(answer.error_code == 0, "refused: {answer:?}");
        Ok(())
    }

    async fn send(&self, request: ConsumerGroupHeartbeatRequest) -> Result<ConsumerGroupHeartbeatResponse> {
        wait::until("a coordinator that answers heartbeats", SETTLE, || async {
            for address in &self.addresses {
                let Ok(mut rpc) = Rpc::connect(address).await else { continue };
                let answer = rpc.call(0, &request).await?;
                if !ASK_AGAIN.contains(&answer.error_code) {
                    return Ok(Some(answer));
                }
                // Whoever is asked for a coordinator creates the topic of groups.
                let find = kafka_protocol::messages::FindCoordinatorRequest::default()
                    .with_coordinator_keys(vec![self.group.0.clone()]);
                rpc.call(4, &find).await?;
            }
            Ok(None)
        })
        .await
    }

    /// Its epoch.
    pub fn epoch(&self) -> i32 {
        self.epoch
    }

    /// The partitions it owns.
    pub fn owned(&self) -> BTreeSet<i32> {
        self.owned.iter().flat_map(|topic| topic.partitions.iter().copied()).collect()
    }

    /// Commits an offset of a partition, naming `epoch`; says with which code.
    pub async fn commit(&self, partition: i32, offset: i64, epoch: i32) -> Result<i16> {
        let committed = OffsetCommitRequestPartition::default()
            .with_partition_index(partition)
            .with_committed_offset(offset);
        let topic = OffsetCommitRequestTopic::default()
            .with_name(topic_name(&self.topic))
            .with_partitions(vec![committed]);
        let request = OffsetCommitRequest::default()
            .with_group_id(self.group.clone())
            .with_member_id(self.id.clone())
            .with_generation_id_or_member_epoch(epoch)
            .with_topics(vec![topic]);
        wait::until("a coordinator that takes commits", SETTLE, || async {
            for address in &self.addresses {
                let Ok(mut rpc) = Rpc::connect(address).await else { continue };
                let code = rpc.call(9, &request).await?.topics[0].partitions[0].error_code;
                if !ASK_AGAIN.contains(&code) {
                    return Ok(Some(code));
                }
            }
            Ok(None)
        })
        .await
    }

    /// Asks for all offsets of the group, naming `epoch`; says with which code, and how many there are.
    pub async fn fetch(&self, epoch: i32) -> Result<(i16, usize)> {
        let group = OffsetFetchRequestGroup::default()
            .with_group_id(self.group.clone())
            .with_member_id(Some(self.id.clone()))
            .with_member_epoch(epoch)
            .with_topics(None);
        let request = OffsetFetchRequest::default().with_groups(vec![group]);
        wait::until("a coordinator that tells offsets", SETTLE, || async {
            for address in &self.addresses {
                let Ok(mut rpc) = Rpc::connect(address).await else { continue };
                let answer = rpc.call(9, &request).await?.groups.remove(0);
                if !ASK_AGAIN.contains(&answer.error_code) {
                    let count = answer.topics.iter().map(|topic| topic.partitions.len()).sum();
                    return Ok(Some((answer.error_code, count)));
                }
            }
            Ok(None)
        })
        .await
    }
}

/// Lets the members beat in turn until they own all partitions between them, each partition by one.
pub async fn beat_until_balanced(members: &mut [ConsumerMember], partitions: i32) -> Result<()> {
    let start = std::time::Instant::now();
    loop {
        for member in members.iter_mut() {
            member.beat().await?;
        }
        let owned: Vec<i32> = members.iter().flat_map(ConsumerMember::owned).collect();
        let distinct: BTreeSet<i32> = owned.iter().copied().collect();
        if owned.len() == distinct.len() && distinct.len() == partitions as usize {
            return Ok(());
        }
        ensure!(start.elapsed() < SETTLE, "they own {owned:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
