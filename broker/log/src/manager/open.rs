//! Starting on the log directories: lock, list, load every log in parallel (`LogManager.loadLogs`).

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use gregor_model::{Offset, Timestamp, TopicName, TopicPartition};
use parking_lot::{Mutex, RwLock};

use super::dir_lock::DirLock;
use super::progress::LoadProgress;
use super::{LogManager, Logs, ManagedDir};
use crate::background::{Background, Doomed};
use crate::checkpoint::{self, clean_shutdown, offsets};
use crate::disk::{Disk, OsDisk};
use crate::file_name::DirName;
use crate::log_dir::{FailureChannel, LogDir};
use crate::open_files::OpenFiles;
use crate::partition_dir::PartitionDir;
use crate::partition_log::Shared;
use crate::recovery::{Checkpoint, load_log};
use crate::{LogConfig, LogManagerConfig, OpenError, PartitionLog, StorageError};

/// Progress is logged every so many logs.
const LOG_EVERY: usize = 1000;

/// What the files of one log directory say of its logs.
struct DirCheckpoints {
    clean: bool,
    /// `None`: there are none, or they are damaged.
    recovery_points: Option<HashMap<TopicPartition, Offset>>,
    log_starts: HashMap<TopicPartition, Offset>,
    high_watermarks: HashMap<TopicPartition, Offset>,
}

/// One log to load.
struct Job {
    path: PathBuf,
    partition: TopicPartition,
    is_future: bool,
}

impl LogManager {
    /// Locks every directory, loads every log (recovering those not closed cleanly), in parallel.
    /// Directories that fail go offline; without a live one this is an error.
    pub fn open(
        config: LogManagerConfig,
        topic_configs: HashMap<TopicName, LogConfig>,
        now: Timestamp,
    ) -> Result<LogManager, OpenError> {
        LogManager::open_observed(config, topic_configs, now, &LoadProgress::default())
    }

    /// The same, with the progress of loading for others to look at.
    pub fn open_observed(
        config: LogManagerConfig,
        topic_configs: HashMap<TopicName, LogConfig>,
        now: Timestamp,
        progress: &LoadProgress,
    ) -> Result<LogManager, OpenError> {
        let failures = Arc::new(FailureChannel::default());
        let dirs = open_dirs(&config, &failures)?;
        let manager = LogManager {
            shared: Arc::new(Shared {
                background: Background::default(),
                producer_id_expiration_ms: AtomicI64::new(config.producer_id_expiration_ms),
                transaction_verification: AtomicBool::new(config.transaction_verification_enable),
                transaction_max_timeout_ms: config.transaction_max_timeout_ms,
                flush_time: Default::default(),
            }),
            failures,
            dirs,
            logs: RwLock::default(),
            future_logs: RwLock::default(),
            creation: Mutex::new(()),
            preferred_dirs: Mutex::default(),
            defaults: RwLock::new(Arc::new(config.defaults.clone())),
            topic_configs: RwLock::new(topic_configs.into_iter().map(|(t, c)| (t, Arc::new(c))).collect()),
            checkpointed_high_watermarks: Mutex::default(),
            config,
        };
        manager.load_all(now, progress)?;
        Ok(manager)
    }

    fn load_all(&self, now: Timestamp, progress: &LoadProgress) -> Result<(), OpenError> {
        // All names first, so that a start that is refused has changed nothing.
        let mut surveyed = Vec::new();
        for dir in self.dirs.iter().filter(|dir| dir.is_live()) {
            surveyed.extend(self.survey(dir, now)?.map(|jobs| (dir, jobs)));
        }
        refuse_duplicates(surveyed.iter().flat_map(|(_, jobs)| jobs))?;
        std::thread::scope(|scope| {
            for (dir, jobs) in &surveyed {
                scope.spawn(move || self.load_dir(dir, jobs, now, progress));
            }
        });
        self.future_logs.read().keys().for_each(|partition| self.set_moving(partition, true));
        for dir in self.dirs.iter().filter(|dir| !dir.is_live()) {
            if let Some(failed) = self.drop_failed_dir(dir.log_dir.path()) {
                failed.close_logs();
            }
        }
        if self.dirs.iter().any(ManagedDir::is_live) {
            return Ok(());
        }
        let reasons: Vec<_> = self.dirs.iter().filter_map(|dir| dir.log_dir.failure()).collect();
        Err(OpenError::NoLiveDirs(reasons.join("; ")))
    }

    /// Loads the logs of one directory. Its failure is no error, but is noted in the directory.
    fn load_dir(&self, dir: &ManagedDir, jobs: &[Job], now: Timestamp, progress: &LoadProgress) {
        let Ok(checkpoints) = read_checkpoints(&dir.log_dir) else { return };
        progress.found(jobs.len());
        let path = dir.log_dir.path().display();
        tracing::info!(dir = %path, logs = jobs.len(), clean = checkpoints.clean, "loading logs");
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let load = || {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    self.load_one(dir, &checkpoints, job, now);
                    let loaded = progress.one_loaded();
                    if loaded.is_multiple_of(LOG_EVERY) {
                        tracing::info!(loaded, total = progress.total(), "loading logs");
                    }
                }
            };
            for _ in 1..self.config.recovery_threads_per_data_dir.max(1) {
                scope.spawn(load);
            }
            load();
        });
        // From now on what the file says holds; a hole left by compaction is not taken for a crash's any more.
        if checkpoints.recovery_points.is_none() || !self.recovery_points_are_written(dir) {
            // A failure has taken the directory offline, and was logged there.
            let _ = self.write_recovery_points(dir);
        }
    }

    /// Lists the logs of a directory; `None` if that fails, which the directory has noted.
    fn survey(&self, dir: &ManagedDir, now: Timestamp) -> Result<Option<Vec<Job>>, OpenError> {
        let log_dir = &dir.log_dir;
        let listed = log_dir.run("list", log_dir.path(), |disk| disk.list(log_dir.path(), &|_| false));
        let Ok(entries) = listed else { return Ok(None) };
        let mut jobs = Vec::new();
        for entry in entries.iter().filter(|entry| entry.is_dir) {
            let path = log_dir.path().join(&entry.name);
            match DirName::parse(&entry.name) {
                DirName::Current(partition) => jobs.push(Job { path, partition, is_future: false }),
                DirName::Future(partition) => jobs.push(Job { path, partition, is_future: true }),
                DirName::Delete => {
                    let dir =
                        PartitionDir::new(TopicPartition::new(&*entry.name, 0), Arc::clone(log_dir), path);
                    self.shared
                        .background
                        .delete_at(now + self.config.segment_delete_delay_ms, Doomed::Directory(dir));
                }
                DirName::Stray => tracing::warn!(path = %path.display(), "a stray log is left alone"),
                DirName::Skipped => {}
                DirName::Foreign => return Err(OpenError::ForeignDirectory(path)),
            }
        }
        Ok(Some(jobs))
    }

    fn load_one(&self, dir: &ManagedDir, checkpoints: &DirCheckpoints, job: &Job, now: Timestamp) {
        let of = |offsets: &HashMap<TopicPartition, Offset>| offsets.get(&job.partition).copied();
        let partition_dir =
            PartitionDir::new(job.partition.clone(), Arc::clone(&dir.log_dir), job.path.clone());
        let config = self.topic_config(&job.partition.topic);
        let checkpoint = Checkpoint {
            clean: checkpoints.clean,
            recovery_point: checkpoints.recovery_points.as_ref().and_then(of),
            log_start: of(&checkpoints.log_starts).unwrap_or_default(),
            now,
            producer_expiration_ms: self.config.producer_id_expiration_ms,
            index_interval_bytes: config.index_interval_bytes,
        };
        // The directory has noted the failure; the others of its logs are given up with it.
        let Ok(loaded) = load_log(&partition_dir, &checkpoint) else { return };
        let shared = Arc::clone(&self.shared);
        let log = Arc::new(PartitionLog::new(partition_dir, shared, config, loaded, job.is_future, now));
        if let Some(high_watermark) = of(&checkpoints.high_watermarks) {
            log.set_high_watermark(high_watermark);
            if !job.is_future {
                self.checkpointed_high_watermarks.lock().insert(job.partition.clone(), high_watermark);
            }
        }
        let logs: &RwLock<Logs> = if job.is_future { &self.future_logs } else { &self.logs };
        logs.write().insert(job.partition.clone(), log);
    }
}

/// A log may be in one directory only; beside it there may be one future log.
fn refuse_duplicates<'a>(jobs: impl Iterator<Item = &'a Job>) -> Result<(), OpenError> {
    let mut known = HashMap::new();
    for job in jobs {
        if let Some(first) = known.insert((&job.partition, job.is_future), &job.path) {
            let (partition, second) = (job.partition.clone(), job.path.clone());
            return Err(OpenError::DuplicateLog { partition, first: first.clone(), second });
        }
    }
    Ok(())
}

/// Creates what is absent, refuses what is there twice or is in use, and notes what cannot be used.
fn open_dirs(
    config: &LogManagerConfig,
    failures: &Arc<FailureChannel>,
) -> Result<Vec<ManagedDir>, OpenError> {
    let files = OpenFiles::new(config.open_files_max);
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let mut canonical = BTreeSet::new();
    let mut dirs = Vec::new();
    for path in &config.log_dirs {
        let log_dir = LogDir::new(path, Arc::clone(&disk), Arc::clone(&files), Arc::clone(failures));
        let lock = match prepare(path) {
            Ok(real) => {
                if !canonical.insert(real) {
                    return Err(OpenError::DuplicateDir(path.clone()));
                }
                match DirLock::acquire(path) {
                    Ok(Some(lock)) => Some(lock),
                    Ok(None) => return Err(OpenError::Locked(path.clone())),
                    Err(error) => {
                        log_dir.fail("lock", path, error);
                        None
                    }
                }
            }
            Err(error) => {
                log_dir.fail("open", path, error);
                None
            }
        };
        dirs.push(ManagedDir { log_dir, lock: Mutex::new(lock) });
    }
    Ok(dirs)
}

/// Creates the directory if it is absent; returns its canonical path.
fn prepare(path: &Path) -> io::Result<PathBuf> {
    let disk = OsDisk;
    if !path.try_exists()? {
        disk.create_dir_all(path)?;
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            disk.sync_dir(parent)?;
        }
    }
    // Unreadable, or not a directory.
    std::fs::read_dir(path)?;
    path.canonicalize()
}

/// Reads what the directory says of its logs. The clean marker goes at once: from here on a crash is one.
fn read_checkpoints(dir: &LogDir) -> Result<DirCheckpoints, StorageError> {
    let marker = dir.path().join(clean_shutdown::NAME);
    let clean = dir.run_if_exists("unlink", &marker, |disk| disk.remove_file(&marker))?.is_some();
    let recovery_points = read_offsets(dir, offsets::RECOVERY_POINT)?;
    dir.recovery_points().assume(recovery_points.clone().unwrap_or_default());
    Ok(DirCheckpoints {
        clean,
        recovery_points,
        log_starts: read_offsets(dir, offsets::LOG_START)?.unwrap_or_default(),
        high_watermarks: read_offsets(dir, offsets::HIGH_WATERMARK)?.unwrap_or_default(),
    })
}

/// A damaged checkpoint is as good as none: more is recovered then, or the log start is found anew.
fn read_offsets(dir: &LogDir, name: &str) -> Result<Option<HashMap<TopicPartition, Offset>>, StorageError> {
    let path = dir.path().join(name);
    let bytes = dir.run_if_exists("read", &path, |disk| match disk.read(&path, checkpoint::BYTES_MAX) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(b"too long".to_vec()),
        other => other,
    })?;
    // Kafka creates the file empty, and a file system may leave it so.
    let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) else { return Ok(None) };
    Ok(offsets::parse(&bytes)
        .inspect_err(|problem| {
            tracing::error!(path = %path.display(), %problem, "damaged checkpoint, taken as empty");
        })
        .ok())
}
