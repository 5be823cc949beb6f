//! Leader epochs of a log, kept in memory and in `leader-epoch-checkpoint`.

use gregor_model::{LeaderEpoch, Offset};

use super::PartitionLog;
use crate::StorageError;
use crate::checkpoint::leader_epochs;
use crate::fetch::EpochEndOffset;
use crate::leader_epochs::LeaderEpochs;

impl PartitionLog {
    /// The newest leader epoch in the log.
    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        self.epochs.read().latest()
    }

    /// The largest epoch at or below `epoch`, and where the next one starts (`endOffsetForEpoch`). `None`: unknown.
    pub fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> Option<EpochEndOffset> {
        // The log end first: epochs noted later start at or after it.
        let log_end = self.log_end_offset();
        self.epochs.read().end_offset_for(epoch, log_end)
    }

    /// Notes that `epoch` starts at `offset`, on disk too: what a new leader does before its first append.
    pub fn assign_epoch_start(&self, epoch: LeaderEpoch, offset: Offset) -> Result<(), StorageError> {
        let writer = self.writer.lock();
        self.check_open(&writer)?;
        self.note_epoch(epoch, offset)
    }

    /// Where `epoch` starts, if it is in the log.
    pub fn epoch_start_offset(&self, epoch: LeaderEpoch) -> Option<Offset> {
        self.epochs.read().start_of(epoch)
    }

    /// All epochs that the file has, oldest first: what a copy of the log in another directory takes over.
    pub fn epoch_entries(&self) -> Vec<(LeaderEpoch, Offset)> {
        self.epochs.read().stored()
    }

    /// The log start offset, if the file keeps epochs until it is on disk.
    pub(crate) fn log_start_that_epochs_await(&self) -> Option<Offset> {
        self.epochs.read().stores_more().then(|| self.log_start_offset())
    }

    /// Takes epochs out of the file that were kept for a log start offset below `start`, which is on disk now.
    pub(crate) fn forget_epochs_below(&self, start: Offset) -> Result<(), StorageError> {
        let writer = self.writer.lock();
        self.check_open(&writer)?;
        self.forget_epochs(start)
    }

    /// The same of a log that was closed, and whose log start offset is on disk with all others.
    pub(crate) fn forget_epochs_after_close(&self) -> Result<(), StorageError> {
        let _writer = self.writer.lock();
        match self.log_start_that_epochs_await() {
            Some(start) => self.forget_epochs(start),
            None => Ok(()),
        }
    }

    fn forget_epochs(&self, start: Offset) -> Result<(), StorageError> {
        // A truncation may have lowered it meanwhile.
        let start = start.min(self.log_start_offset());
        // Where segments were removed, the next start must not find them again.
        self.dir.sync()?;
        self.change_epochs(|epochs| epochs.forget_below(start))
    }

    /// The oldest epoch, if it starts at or before the log start.
    pub(super) fn epoch_of_log_start(&self, log_start: Offset) -> Option<LeaderEpoch> {
        self.epochs.read().earliest().filter(|&(_, start)| start <= log_start).map(|(epoch, _)| epoch)
    }

    pub(super) fn note_epoch(&self, epoch: LeaderEpoch, offset: Offset) -> Result<(), StorageError> {
        self.change_epochs(|epochs| epochs.assign(epoch, offset))
    }

    pub(super) fn clear_epochs(&self) -> Result<(), StorageError> {
        self.change_epochs(|epochs| {
            let had_any = !epochs.is_empty();
            epochs.clear();
            had_any
        })
    }

    /// Changes the epochs and writes them if `change` says that they did. Called by the writer only.
    pub(super) fn change_epochs(
        &self,
        change: impl FnOnce(&mut LeaderEpochs) -> bool,
    ) -> Result<(), StorageError> {
        let changed = {
            let mut epochs = self.epochs.write();
            if !change(&mut epochs) {
                return Ok(());
            }
            leader_epochs::format(&epochs.stored())
        };
        self.dir.run("write", leader_epochs::NAME, |disk, path| disk.replace(path, &changed))
    }
}
