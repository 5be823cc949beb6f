//! What DescribeLogDirs tells.

use std::path::PathBuf;
use std::sync::Arc;

use super::LogManager;
use crate::PartitionLog;

/// One log directory and what is in it.
#[derive(Clone, Debug)]
pub struct LogDirUsage {
    /// The directory, as configured.
    pub dir: PathBuf,
    /// Whether it is offline.
    pub offline: bool,
    /// Bytes of its file system; `None` if that cannot be told.
    pub total_bytes: Option<u64>,
    /// Bytes that can still be written there.
    pub usable_bytes: Option<u64>,
    /// The logs in it, future ones included.
    pub logs: Vec<Arc<PartitionLog>>,
}

impl LogManager {
    /// What DescribeLogDirs tells.
    pub fn usage(&self) -> Vec<LogDirUsage> {
        let all = self.all_with_future();
        let live = self.dirs.iter().map(|dir| {
            let path = dir.log_dir.path();
            let space = rustix::fs::statvfs(&**path).ok();
            let logs = all.iter().filter(|log| Arc::ptr_eq(log.partition_dir().log_dir(), &dir.log_dir));
            LogDirUsage {
                dir: path.to_path_buf(),
                offline: !dir.is_live(),
                total_bytes: space.as_ref().map(|space| space.f_blocks.saturating_mul(space.f_frsize)),
                usable_bytes: space.as_ref().map(|space| space.f_bavail.saturating_mul(space.f_frsize)),
                logs: logs.cloned().collect(),
            }
        });
        let never_live = self.config.initial_offline_dirs.iter().map(|dir| LogDirUsage {
            dir: dir.clone(),
            offline: true,
            total_bytes: None,
            usable_bytes: None,
            logs: Vec::new(),
        });
        live.chain(never_live).collect()
    }
}
