//! AlterReplicaLogDirs: have replicas lie in other log directories (`ReplicaManager.alterReplicaLogDirs`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gregor_model::{Timestamp, TopicPartition};

use super::{Hosted, ReplicaManager};
use crate::error::PartitionError;
use crate::hosted_partition::{HostedPartition, MoveRefusal};
use crate::log_dir_moves::task::Worker;

impl ReplicaManager {
    /// Has each partition's log moved to its directory, in the background; a move elsewhere that is under way ends. Where
    /// there is no log yet the directory is remembered, and the answer an error all the same, as in Kafka.
    pub async fn alter_replica_log_dirs(
        self: &Arc<Self>,
        moves: Vec<(TopicPartition, PathBuf)>,
    ) -> Vec<(TopicPartition, Result<(), MoveRefusal>)> {
        let manager = Arc::clone(self);
        let partitions: Vec<_> = moves.iter().map(|(partition, _)| partition.clone()).collect();
        let altered = tokio::task::spawn_blocking(move || {
            let _control = manager.control.lock();
            let now = manager.shared.now();
            let alter = |(partition, dir): (TopicPartition, PathBuf)| {
                let result = manager.alter_replica_log_dir(&partition, &dir, now);
                if let Err(error) = &result {
                    tracing::warn!(%partition, dir = %dir.display(), %error, "cannot move the log");
                }
                (partition, result)
            };
            moves.into_iter().map(alter).collect()
        });
        altered.await.unwrap_or_else(|error| {
            tracing::error!(%error, "moving logs failed");
            let failed = |partition: TopicPartition| {
                let error = PartitionError::Offline(partition.clone());
                (partition, Err(error.into()))
            };
            partitions.into_iter().map(failed).collect()
        })
    }

    fn alter_replica_log_dir(
        &self,
        partition: &TopicPartition,
        dir: &Path,
        now: Timestamp,
    ) -> Result<(), MoveRefusal> {
        self.logs.check_move(partition, dir)?;
        match self.partitions.get(partition) {
            Some(Hosted::Online(hosted)) => hosted.cancel_move_elsewhere(&self.logs, dir, now)?,
            Some(Hosted::Offline) => return Err(PartitionError::Offline(partition.clone()).into()),
            None => {}
        }
        if self.logs.log(partition).is_none() {
            self.logs.set_preferred_dir(partition, dir)?;
        }
        if self.hosted(partition)?.begin_move(&self.logs, dir, now)? {
            tracing::info!(%partition, dir = %dir.display(), "moving to another log directory");
            self.moves.add(partition.clone(), now);
        }
        Ok(())
    }

    /// Takes up the move of a partition whose role was just announced, if it was under way when the broker stopped.
    pub(super) fn resume_move(&self, hosted: &HostedPartition, partition: &TopicPartition, now: Timestamp) {
        if hosted.resume_move(&self.logs) {
            self.moves.add(partition.clone(), now);
        }
    }

    /// The tasks that copy.
    pub(super) fn start_moving(&self) {
        for _ in 0..self.shared.config.num_replica_alter_log_dirs_threads.max(1) {
            let worker = Worker {
                moves: Arc::clone(&self.moves),
                shared: Arc::clone(&self.shared),
                partitions: Arc::clone(&self.partitions),
                logs: Arc::clone(&self.logs),
                cancel: self.cancel.clone(),
            };
            self.tasks.spawn(worker.run());
        }
    }

    /// `replica.alter.log.dirs.io.max.bytes.per.second`; `None`: unlimited.
    pub fn set_move_throttle(&self, bytes_per_second: Option<u64>) {
        self.shared.move_throttle.set_limit(bytes_per_second);
    }

    /// The directory of these partitions' copies failed: the logs themselves stay.
    pub(super) fn forget_moves(&self, partitions: &[TopicPartition]) {
        for hosted in partitions.iter().filter_map(|partition| self.partitions.online(partition)) {
            hosted.forget_move();
        }
    }
}
