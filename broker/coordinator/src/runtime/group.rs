//! The group coordinator as request handlers see it: the gate, then the task of the group's partition.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use gregor_model::{LeaderEpoch, Offset, ProducerId, TopicPartition};
use gregor_records::Compression;
use tokio_util::sync::CancellationToken;

use super::ownership::NotHere;
use super::partition::Handle;
use super::partitions::Partitions;
use super::topic_log::TopicLog;
use crate::group::consumer::Topics;
use crate::group::consumer::request::{ConsumerBeat, ConsumerHeartbeat, DescribedConsumerGroup, Refused};
use crate::group::request::{
    Claim, Commit, CommitResults, DescribedGroup, FetchedOffset, Join, Joined, Leaver, ListedGroup, Reply,
    Sync, Synced,
};
use crate::group::{GroupConfig, GroupError, GroupShard};
use crate::{GroupId, MemberId, partition_of};

/// What to fetch for one group.
#[derive(Clone, Debug)]
pub struct FetchGroup {
    /// The group.
    pub group: GroupId,
    /// The partitions; `None` for all that have an offset.
    pub partitions: Option<Vec<TopicPartition>>,
    /// Whether undecided commits are an error.
    pub require_stable: bool,
    /// Version 9: the member of a consumer group that asks.
    pub member: Option<MemberId>,
    /// Its epoch; -1 for none.
    pub epoch: i32,
}

/// All groups that this broker coordinates.
pub struct GroupCoordinator {
    partitions: Arc<Partitions<GroupShard>>,
    count: i32,
}

impl From<NotHere> for GroupError {
    fn from(why: NotHere) -> GroupError {
        match why {
            NotHere::Loading => GroupError::CoordinatorLoadInProgress,
            NotHere::NotOwned => GroupError::NotCoordinator,
        }
    }
}

impl GroupCoordinator {
    /// No partition yet; `count` is how many `__consumer_offsets` has, which stays until the broker restarts.
    pub fn new(log: Arc<dyn TopicLog>, config: GroupConfig, compression: Compression, count: i32) -> Self {
        let errands = Arc::new(|_, _, errand: std::convert::Infallible| match errand {});
        GroupCoordinator { partitions: Partitions::new(log, config, compression, errands, None), count }
    }

    /// The partition of `__consumer_offsets` that a group belongs to.
    pub fn partition_of(&self, group: &GroupId) -> i32 {
        partition_of(group.as_str(), self.count)
    }

    /// This broker leads the partition now.
    pub fn elect(&self, partition: i32, epoch: LeaderEpoch) {
        self.partitions.elect(partition, epoch);
    }

    /// This broker no longer leads the partition.
    pub fn resign(&self, partition: i32, epoch: Option<LeaderEpoch>) {
        self.partitions.resign(partition, epoch);
    }

    /// `validateGroupStatus`: an empty id is refused where Kafka refuses it.
    fn gate(&self, group: &GroupId, empty_allowed: bool) -> Result<Handle<GroupShard>, GroupError> {
        // Flexible versions can name groups that no record's key can.
        if group.as_str().len() > i16::MAX as usize || (group.is_empty() && !empty_allowed) {
            return Err(GroupError::InvalidGroupId);
        }
        Ok(self.partitions.find(self.partition_of(group))?)
    }

    /// JoinGroup; `topics` are those of the cluster now.
    pub async fn join(&self, join: Join, topics: Arc<dyn Topics>) -> Joined {
        let member = join.member.clone();
        let handle = match self.gate(&join.group, false) {
            Ok(handle) => handle,
            Err(error) => return Joined::refused(member, error),
        };
        let ask = move |shard: &mut GroupShard, request, now| {
            shard.see(topics);
            shard.join(request, &join, now)
        };
        match handle.ask(ask).await {
            Ok(Reply::Join(joined)) => joined,
            Ok(_) => Joined::refused(member, GroupError::UnknownServerError),
            Err(_) => Joined::refused(member, GroupError::NotCoordinator),
        }
    }

    /// ConsumerGroupHeartbeat; `topics` are those of the cluster now.
    ///
    /// # Errors
    /// The member is to join anew, or to go elsewhere.
    pub async fn consumer_heartbeat(
        &self,
        beat: ConsumerHeartbeat,
        topics: Arc<dyn Topics>,
    ) -> Result<ConsumerBeat, Refused> {
        // An empty id is refused with the other faults of the request.
        let handle = self.gate(&beat.group, true)?;
        let ask = move |shard: &mut GroupShard, request, now| {
            shard.see(topics);
            shard.consumer_heartbeat(request, &beat, now)
        };
        match handle.ask(ask).await {
            Ok(Reply::Consumer(beat)) => beat,
            Ok(_) => Err(GroupError::UnknownServerError.into()),
            Err(_) => Err(GroupError::NotCoordinator.into()),
        }
    }

    /// ConsumerGroupDescribe, one of them.
    ///
    /// # Errors
    /// There is no such consumer group, or it is not coordinated here.
    pub async fn describe_consumers(&self, group: GroupId) -> Result<DescribedConsumerGroup, GroupError> {
        let handle = self.gate(&group, false)?;
        let described = handle.call(move |shard, _| (shard.describe_consumers(&group), Vec::new())).await;
        described.unwrap_or(Err(GroupError::NotCoordinator))
    }

    /// SyncGroup: while the group is loading, members are to join again.
    pub async fn sync(&self, sync: Sync) -> Synced {
        let handle = match self.gate(&sync.claim.group, false) {
            Ok(handle) => handle,
            Err(GroupError::CoordinatorLoadInProgress) => {
                return Synced::refused(GroupError::RebalanceInProgress);
            }
            Err(error) => return Synced::refused(error),
        };
        match handle.ask(move |shard, request, now| shard.sync(request, sync, now)).await {
            Ok(Reply::Sync(synced)) => synced,
            Ok(_) => Synced::refused(GroupError::UnknownServerError),
            Err(_) => Synced::refused(GroupError::NotCoordinator),
        }
    }

    /// Heartbeat: while the group is loading, all is well.
    ///
    /// # Errors
    /// The member is to join again, or to go elsewhere.
    pub async fn heartbeat(&self, claim: Claim) -> Result<(), GroupError> {
        let handle = match self.gate(&claim.group, false) {
            Err(GroupError::CoordinatorLoadInProgress) => return Ok(()),
            gate => gate?,
        };
        let beat = handle.call(move |shard, now| shard.heartbeat(&claim, now)).await;
        beat.unwrap_or(Err(GroupError::NotCoordinator))
    }

    /// LeaveGroup: one result per leaver.
    ///
    /// # Errors
    /// The group is not coordinated here.
    pub async fn leave(
        &self,
        group: GroupId,
        leavers: Vec<Leaver>,
    ) -> Result<Vec<Result<(), GroupError>>, GroupError> {
        let handle = self.gate(&group, false)?;
        let left = handle.call(move |shard, now| shard.leave(&group, &leavers, now)).await;
        left.map_err(|_| GroupError::NotCoordinator)
    }

    /// OffsetCommit, and TxnOffsetCommit for which an empty group id is refused.
    ///
    /// # Errors
    /// The group is not coordinated here.
    pub fn commit(&self, commit: Commit) -> impl Future<Output = Result<CommitResults, GroupError>> + use<> {
        let asked = self.gate(&commit.claim.group, commit.producer.is_none());
        let asked =
            asked.map(|handle| handle.ask(move |shard, request, now| shard.commit(request, commit, now)));
        async move {
            match asked?.await {
                Ok(Reply::Commit(results)) => Ok(results),
                Ok(_) => Err(GroupError::UnknownServerError),
                Err(_) => Err(GroupError::NotCoordinator),
            }
        }
    }

    /// OffsetFetch.
    ///
    /// # Errors
    /// The group is not coordinated here, or has no such member.
    pub async fn fetch(&self, fetch: FetchGroup) -> Result<Vec<FetchedOffset>, GroupError> {
        let handle = self.gate(&fetch.group, true)?;
        let look = move |shard: &mut GroupShard, _| {
            let allowed = shard.check_fetch(&fetch.group, fetch.member.as_ref(), fetch.epoch);
            let partitions = fetch.partitions.as_deref();
            (allowed.map(|()| shard.fetch(&fetch.group, partitions, fetch.require_stable)), Vec::new())
        };
        handle.call(look).await.unwrap_or(Err(GroupError::NotCoordinator))
    }

    /// DescribeGroups.
    ///
    /// # Errors
    /// The group is not coordinated here.
    pub async fn describe(&self, group: GroupId) -> Result<DescribedGroup, GroupError> {
        let handle = self.gate(&group, true)?;
        let described = handle.call(move |shard, _| (shard.describe(&group), Vec::new())).await;
        described.map_err(|_| GroupError::NotCoordinator)
    }

    /// ListGroups: every group of the partitions that are loaded, and whether some are not.
    pub async fn list(&self) -> (Vec<ListedGroup>, bool) {
        let (active, loading) = self.partitions.all();
        let mut groups = Vec::new();
        for (_, handle) in active {
            let listed = handle.call(|shard, _| (shard.list().collect::<Vec<_>>(), Vec::new())).await;
            groups.extend(listed.unwrap_or_default());
        }
        (groups, loading)
    }

    /// How many offsets the groups of the partitions that are loaded have committed (`NumOffsets`).
    pub async fn offset_count(&self) -> usize {
        let mut count = 0;
        for (_, handle) in self.partitions.all().0 {
            let counted = handle.call(|shard, _| (shard.offset_count(), Vec::new())).await;
            count += counted.unwrap_or_default();
        }
        count
    }

    /// DeleteGroups, one of them.
    ///
    /// # Errors
    /// The group has members, does not exist, or is not coordinated here.
    pub async fn delete(&self, group: GroupId) -> Result<(), GroupError> {
        let handle = self.gate(&group, true)?;
        let deleted = handle.call(move |shard, now| shard.delete(&group, now)).await;
        deleted.unwrap_or(Err(GroupError::NotCoordinator))
    }

    /// OffsetDelete.
    ///
    /// # Errors
    /// The group as a whole does not allow it, or is not coordinated here.
    pub async fn delete_offsets(
        &self,
        group: GroupId,
        partitions: Vec<TopicPartition>,
    ) -> Result<CommitResults, GroupError> {
        let handle = self.gate(&group, false)?;
        let deleted = handle.call(move |shard, now| shard.delete_offsets(&group, partitions, now)).await;
        deleted.unwrap_or(Err(GroupError::NotCoordinator))
    }

    /// A producer's marker is in the partition at `marker` and acknowledged (`scheduleHandleTxnCompletion`). While
    /// the partition is loading this waits, as the marker may come too late to be read.
    pub async fn complete_transaction(
        &self,
        partition: i32,
        producer: ProducerId,
        committed: bool,
        marker: Offset,
    ) {
        if let Some(handle) = self.partitions.find_loading(partition) {
            let complete = move |shard: &mut GroupShard, _| {
                shard.complete_transaction(producer, committed, marker);
                ((), Vec::new())
            };
            // A partition that was unloaded reads the marker when it is loaded again.
            let _ = handle.call(complete).await;
        }
    }

    /// These partitions' topics are deleted: their offsets go too.
    pub async fn forget_partitions(&self, partitions: Vec<TopicPartition>) {
        for (_, handle) in self.partitions.all().0 {
            let partitions = partitions.clone();
            // An unloaded partition's new coordinator hears of the deletion itself.
            let _ = handle.call(move |shard, now| ((), shard.forget_partitions(&partitions, now))).await;
        }
    }

    /// Removes expired offsets at the given interval (`offsets.retention.check.interval.ms`) until stopped.
    pub async fn expire_periodically(&self, interval: Duration, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(interval);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            for (_, handle) in self.partitions.all().0 {
                // An unloaded partition is its new coordinator's to clean.
                let _ = handle.call(|shard, now| ((), shard.expire(now))).await;
            }
        }
    }

    /// Stops serving; whoever waits is sent elsewhere.
    pub async fn shutdown(&self) {
        self.partitions.shutdown().await;
    }
}
