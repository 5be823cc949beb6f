//! Looks into log directories and feeds what it finds to what decides. Reads only.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gregor_log::stored::{
    DirName, FileKind, FileName, FileState, clean_shutdown, leader_epochs, partition_metadata,
};
use gregor_model::{Offset, TopicPartition};

use crate::finding::{Finding, Kind};
use crate::partition::{Examined, Listing, PartitionFold, Policy};
use crate::scan::{Scan, Scanned};
use crate::segment::SideFiles;
use crate::{checkpoint, lock, meta};

/// Files beside logs are small; one that is larger is not read.
const SMALL_FILE_BYTES_MAX: u64 = 256 << 20;

/// How an examination goes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// What is to be done about damage inside logs.
    pub policy: Policy,
    /// Read the records of every batch, not only of internal topics.
    pub deep: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Examination {
    /// What is wrong, or worth knowing.
    pub findings: Vec<Finding>,
    /// Partitions, with where they are.
    pub(crate) partitions: Vec<Examined>,
    /// What `meta.properties` say.
    pub(crate) identities: Vec<meta::Identity>,
    /// A broker has a directory open: nothing may be changed.
    pub in_use: bool,
}

impl Examination {
    /// How many partitions were read.
    pub fn partition_count(&self) -> usize {
        self.partitions.len()
    }

    /// How many records sound batches hold.
    pub fn records(&self) -> u64 {
        self.partitions.iter().map(|partition| partition.records).sum()
    }

    /// How many bytes of logs were read.
    pub fn bytes(&self) -> u64 {
        self.partitions.iter().map(|partition| partition.bytes).sum()
    }
}

/// Examines log directories of one broker. `progress` is told the bytes read, now and then.
pub fn examine(dirs: &[PathBuf], options: Options, progress: &mut dyn FnMut(u64)) -> Examination {
    let mut examination = Examination::default();
    let mut metas = Vec::new();
    for dir in dirs {
        match examine_dir(dir, options, &mut examination, progress) {
            Ok(meta) => metas.push((dir.as_path(), meta)),
            Err(error) => {
                let place = dir.display().to_string();
                examination.findings.push(Finding::new(place, Kind::Unreadable, error.to_string()));
            }
        }
    }
    let files: Vec<_> = metas.iter().map(|(dir, bytes)| (*dir, bytes.as_deref())).collect();
    examination.findings.extend(meta::check(&files));
    examination.identities =
        metas.iter().filter_map(|(_, bytes)| meta::parse(bytes.as_deref()?).ok()).collect();
    examination.findings.extend(twice(&examination.partitions));
    examination
}

/// Partitions that stand in more than one directory.
fn twice(partitions: &[Examined]) -> Vec<Finding> {
    let mut by_name: BTreeMap<&TopicPartition, Vec<&Examined>> = BTreeMap::new();
    for one in partitions.iter().filter(|one| !one.is_future) {
        by_name.entry(&one.partition).or_default().push(one);
    }
    let twice = by_name.into_iter().filter(|(_, places)| places.len() > 1);
    twice
        .map(|(partition, places)| {
            let ends: Vec<String> =
                places.iter().map(|one| format!("{} (ends at {})", one.dir.display(), one.end)).collect();
            let what = format!("it stands here more than once, and no broker starts so: {}", ends.join(", "));
            Finding::new(partition.to_string(), Kind::PartitionTwice, what)
        })
        .collect()
}

/// Examines one directory. Returns its `meta.properties`.
fn examine_dir(
    dir: &Path,
    options: Options,
    examination: &mut Examination,
    progress: &mut dyn FnMut(u64),
) -> io::Result<Option<Vec<u8>>> {
    let place = dir.display().to_string();
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(dir)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    if lock::is_in_use(dir)? {
        examination.in_use = true;
        let what = "a broker has it open: what is found may be in the middle of being written";
        examination.findings.push(Finding::new(place.clone(), Kind::BrokerRunning, what));
    }
    let clean = names.iter().any(|name| name == clean_shutdown::NAME);
    let has_logs = names.iter().any(|name| matches!(DirName::parse(name), DirName::Current(_)));
    if !clean && has_logs && !examination.in_use {
        let what = "its broker did not stop in order: it reads the newest segments through when it starts";
        examination.findings.push(Finding::new(place, Kind::UncleanShutdown, what));
    }
    let mut ends = HashMap::new();
    for name in &names {
        let path = dir.join(name);
        if !path.is_dir() {
            continue;
        }
        let (partition, is_future) = match DirName::parse(name) {
            DirName::Current(partition) => (partition, false),
            DirName::Future(partition) => (partition, true),
            other => {
                examination.findings.extend(note_of(&other, &path));
                continue;
            }
        };
        match examine_partition(&path, partition, options, clean, progress) {
            Ok(examined) => {
                let examined = Examined { is_future, ..examined };
                if is_future {
                    let what = "a copy on its way from another log directory";
                    examination.findings.push(Finding::new(
                        path.display().to_string(),
                        Kind::UnfinishedMove,
                        what,
                    ));
                } else {
                    ends.insert(examined.partition.clone(), examined.end);
                }
                examination.partitions.push(examined);
            }
            Err(error) => {
                let place = path.display().to_string();
                examination.findings.push(Finding::new(place, Kind::Unreadable, error.to_string()));
            }
        }
    }
    for examined in &mut examination.partitions {
        examination.findings.append(&mut examined.findings);
    }
    let mut checkpoints = HashMap::new();
    for name in checkpoint::names() {
        checkpoints.extend(read_small(&dir.join(name))?.map(|bytes| (name, bytes)));
    }
    examination.findings.extend(checkpoint::check(dir, &checkpoints, &ends));
    read_small(&dir.join(meta::NAME))
}

fn note_of(name: &DirName, path: &Path) -> Option<Finding> {
    let (kind, what) = match name {
        DirName::Delete => (Kind::WaitingDeletion, "waits to be deleted: a broker removes it when it starts"),
        DirName::Stray => (Kind::StrayPartition, "was found not to belong here: brokers leave it alone"),
        DirName::Foreign => {
            (Kind::ForeignDirectory, "no directory of a broker: it does not start as long as this is here")
        }
        DirName::Current(_) | DirName::Future(_) | DirName::Skipped => return None,
    };
    Some(Finding::new(path.display().to_string(), kind, what))
}

fn read_small(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() > SMALL_FILE_BYTES_MAX => {
            Err(io::Error::other(format!("{} is larger than such a file can be", path.display())))
        }
        Ok(_) => fs::read(path).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn list(dir: &Path) -> io::Result<Listing> {
    let mut listing = Listing::default();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        match FileName::parse(&name) {
            Some(parsed) => {
                listing.files.push((parsed, entry.metadata()?.len()));
                if (parsed.kind, parsed.state) == (FileKind::Snapshot, FileState::Plain) {
                    listing.snapshots.extend(read_small(&entry.path())?.map(|bytes| (parsed.base, bytes)));
                }
            }
            None if name == leader_epochs::NAME => listing.epochs = read_small(&entry.path())?,
            None if name == partition_metadata::NAME => listing.metadata = read_small(&entry.path())?,
            None => listing.others.push(name),
        }
    }
    listing.files.sort_by_key(|(name, _)| (name.base, name.kind, name.state.suffix()));
    listing.others.sort();
    Ok(listing)
}

fn examine_partition(
    dir: &Path,
    partition: TopicPartition,
    options: Options,
    clean: bool,
    progress: &mut dyn FnMut(u64),
) -> io::Result<Examined> {
    let listing = list(dir)?;
    let bases = listing.bases();
    let mut fold = PartitionFold::new(dir, partition, listing, options.policy, clean, options.deep);
    for (at, base) in bases.iter().enumerate() {
        let next = bases.get(at + 1).copied();
        examine_segment(&mut fold, dir, *base, next, progress)?;
    }
    Ok(fold.finish())
}

fn examine_segment(
    fold: &mut PartitionFold,
    dir: &Path,
    base: Offset,
    next: Option<Offset>,
    progress: &mut dyn FnMut(u64),
) -> io::Result<()> {
    let file = |kind: FileKind| dir.join(kind.name(base, FileState::Plain));
    let files = SideFiles {
        offset_index: read_small(&file(FileKind::OffsetIndex))?,
        time_index: read_small(&file(FileKind::TimeIndex))?,
        transaction_index: read_small(&file(FileKind::TransactionIndex))?,
    };
    fold.begin_segment(base, files, next.is_none());
    let mut scan = Scan::open(&file(FileKind::Log))?;
    let mut told = 0;
    loop {
        let position = scan.position();
        match scan.next()? {
            None => break,
            Some(Scanned::Batch(batch)) => fold.batch(base, position, &batch, next),
            Some(Scanned::Damaged(damaged)) => fold.damaged(base, position, &damaged),
        }
        if position - told > 1 << 22 {
            progress(position - told);
            told = position;
        }
    }
    progress(scan.size() - told);
    fold.end_segment(base, scan.size());
    Ok(())
}
