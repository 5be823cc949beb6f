//! Replicas on disk: in Kafka every replica of a partition holds the same bytes.

use crate::wait;
use anyhow::{Result, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The `.log` files of a partition directory: name and content.
pub fn segments(partition_dir: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(partition_dir)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".log") {
            found.insert(name, fs::read(&path)?);
        }
    }
    Ok(found)
}

/// Waits until partition `topic-partition` has the same segment files with the same bytes in all `log_dirs`, and at least
/// one byte. Call it when nobody produces: followers may still be catching up, and high watermarks are not in these files.
pub async fn wait_until_equal(
    log_dirs: &[PathBuf],
    topic: &str,
    partition: i32,
    deadline: Duration,
) -> Result<()> {
    wait_until_copies_equal(log_dirs, topic, partition, log_dirs.len(), deadline).await
}

/// `wait_until_equal` where brokers have several log directories: `copies` of all these hold the partition.
pub async fn wait_until_copies_equal(
    log_dirs: &[PathBuf],
    topic: &str,
    partition: i32,
    copies: usize,
    deadline: Duration,
) -> Result<()> {
    let what = format!("equal replicas of {topic}-{partition}");
    wait::until_true(&what, deadline, || async {
        let name = format!("{topic}-{partition}");
        let dirs: Vec<PathBuf> =
            log_dirs.iter().map(|dir| dir.join(&name)).filter(|dir| dir.exists()).collect();
        ensure!(dirs.len() == copies, "{copies} replicas are wanted; there are {dirs:?}");
        let replicas = dirs.iter().map(|dir| segments(dir)).collect::<Result<Vec<_>>>()?;
        for (dir, replica) in dirs.iter().zip(&replicas) {
            ensure!(
                replica == &replicas[0],
                "{} has {:?}, {} has {:?}",
                dirs[0].display(),
                sizes(&replicas[0]),
                dir.display(),
                sizes(replica)
            );
        }
        Ok(replicas[0].values().any(|bytes| !bytes.is_empty()))
    })
    .await
}

fn sizes(replica: &BTreeMap<String, Vec<u8>>) -> Vec<(&str, usize)> {
    replica.iter().map(|(name, bytes)| (name.as_str(), bytes.len())).collect()
}
