//! A disk that stops at a chosen operation and then shows what a crash would have left: of a killed process all that
//! was written, with the last write torn; of a power loss what was synced, and of the rest some, torn or in part.
//!
//! The files are real ones, so that readers need no detour; beside them a model keeps what is durable.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::random::Random;
use crate::disk::{Disk, DiskFile, Open};

/// What kind of crash it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    /// kill -9: the page cache survives.
    Kill,
    /// Power loss: what was not synced is dropped or torn.
    PowerLoss,
}

type FileId = usize;

#[derive(Clone, Debug)]
enum Change {
    Write { position: u64, bytes: Vec<u8> },
    SetLen(u64),
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Change::SetLen(len) => content.resize(*len as usize, 0),
            Change::Write { position, bytes } => {
                let end = *position as usize + bytes.len();
                content.resize(content.len().max(end), 0);
                content[*position as usize..end].copy_from_slice(bytes);
            }
        }
    }
}

/// Content of a file: what is durable, and what came after.
#[derive(Debug, Default)]
struct Model {
    durable: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Clone, Debug)]
enum NameChange {
    Create(PathBuf, FileId),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
}

impl NameChange {
    fn dir(&self) -> PathBuf {
        match self {
            NameChange::Create(path, _) | NameChange::Remove(path) | NameChange::Rename(path, _) => {
                path.parent().unwrap().to_path_buf()
            }
        }
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, FileId>) {
        match self {
            NameChange::Create(path, file) => drop(names.insert(path.clone(), *file)),
            NameChange::Remove(path) => drop(names.remove(path)),
            NameChange::Rename(from, to) => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
        }
    }
}

#[derive(Debug, Default)]
struct State {
    operations: u64,
    crash_at: Option<u64>,
    crashed: bool,
    files: Vec<Model>,
    names: BTreeMap<PathBuf, FileId>,
    durable_names: BTreeMap<PathBuf, FileId>,
    unsynced_names: Vec<NameChange>,
}

impl State {
    /// Counts an operation. An error: the crash was before it, or is now.
    fn step(&mut self) -> io::Result<()> {
        self.operations += 1;
        if self.crashed || self.crash_at.is_some_and(|at| self.operations > at) {
            self.crashed = true;
            return Err(io::Error::other("crashed"));
        }
        Ok(())
    }

    fn rename_all(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.unsynced_names.push(change);
    }
}

/// The faulty disk.
#[derive(Debug)]
pub(crate) struct FaultyDisk {
    state: Arc<Mutex<State>>,
    random: Mutex<Random>,
}

#[derive(Debug)]
struct FaultyFile {
    id: FileId,
    file: Arc<File>,
    state: Arc<Mutex<State>>,
    tear: u64,
}

impl FaultyDisk {
    /// Works for `crash_at` operations (for ever if `None`), then fails.
    pub(crate) fn new(crash_at: Option<u64>, seed: u64) -> Arc<FaultyDisk> {
        let state = State { crash_at, ..State::default() };
        Arc::new(FaultyDisk { state: Arc::new(Mutex::new(state)), random: Mutex::new(Random::new(seed)) })
    }

    /// How many operations there were.
    pub(crate) fn operations(&self) -> u64 {
        self.state.lock().operations
    }

    /// Writes into `to` what the crash has left of the files under `from`.
    pub(crate) fn after_crash(&self, crash: Crash, from: &Path, to: &Path) {
        let state = self.state.lock();
        let mut random = self.random.lock();
        let names = match crash {
            Crash::Kill => state.names.clone(),
            Crash::PowerLoss => surviving_names(&state, &mut random),
        };
        let mut contents = HashMap::new();
        for (path, id) in names {
            let content =
                contents.entry(id).or_insert_with(|| surviving_content(&state.files[id], crash, &mut random));
            let target = to.join(path.strip_prefix(from).unwrap());
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::write(target, content).unwrap();
        }
    }
}

/// Of each directory's changes since its last sync, the first few.
fn surviving_names(state: &State, random: &mut Random) -> BTreeMap<PathBuf, FileId> {
    let mut names = state.durable_names.clone();
    let mut by_dir: BTreeMap<PathBuf, Vec<&NameChange>> = BTreeMap::new();
    for change in &state.unsynced_names {
        by_dir.entry(change.dir()).or_default().push(change);
    }
    for changes in by_dir.values() {
        let survive = random.below(changes.len() as u64 + 1) as usize;
        changes.iter().take(survive).for_each(|change| change.apply(&mut names));
    }
    names
}

fn surviving_content(file: &Model, crash: Crash, random: &mut Random) -> Vec<u8> {
    let mut content = file.durable.clone();
    for change in &file.unsynced {
        match (crash, random.below(4)) {
            (Crash::Kill, _) | (_, 0 | 1) => change.apply(&mut content),
            (_, 2) => {}
            _ => match change {
                Change::SetLen(_) => {}
                Change::Write { position, bytes } => {
                    let kept = random.below(bytes.len() as u64 + 1) as usize;
                    Change::Write { position: *position, bytes: bytes[..kept].to_vec() }.apply(&mut content);
                }
            },
        }
    }
    content
}

impl DiskFile for FaultyFile {
    fn std(&self) -> &Arc<File> {
        &self.file
    }

    fn write_all_at(&self, parts: &[&[u8]], position: u64) -> io::Result<()> {
        let mut bytes = parts.concat();
        let mut state = self.state.lock();
        let step = if state.crashed { Err(io::Error::other("crashed")) } else { state.step() };
        if step.is_err() {
            // The write during which the crash comes may have been done in part.
            if state.crash_at.is_some_and(|at| state.operations == at + 1) {
                bytes.truncate((self.tear % (bytes.len() as u64 + 1)) as usize);
            } else {
                return step;
            }
        }
        self.file.write_all_at(&bytes, position)?;
        state.files[self.id].unsynced.push(Change::Write { position, bytes });
        step
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        state.step()?;
        self.file.set_len(len)?;
        state.files[self.id].unsynced.push(Change::SetLen(len));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        state.step()?;
        let model = &mut state.files[self.id];
        for change in std::mem::take(&mut model.unsynced) {
            change.apply(&mut model.durable);
        }
        Ok(())
    }

    fn reserve(&self, _len: u64) {}
}

impl Disk for FaultyDisk {
    fn open(&self, path: &Path, open: Open) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state.lock();
        if state.crashed {
            return Err(io::Error::other("crashed"));
        }
        let id = match state.names.get(path) {
            Some(&id) => id,
            None if open == Open::Existing => return Err(io::ErrorKind::NotFound.into()),
            None => {
                state.step()?;
                state.files.push(Model::default());
                let id = state.files.len() - 1;
                state.rename_all(NameChange::Create(path.to_path_buf(), id));
                id
            }
        };
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let tear = self.random.lock().next();
        Ok(Arc::new(FaultyFile { id, file: Arc::new(file), state: Arc::clone(&self.state), tear }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        if !state.names.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.step()?;
        fs::rename(from, to)?;
        state.rename_all(NameChange::Rename(from.to_path_buf(), to.to_path_buf()));
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        if !state.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.step()?;
        fs::remove_file(path)?;
        state.rename_all(NameChange::Remove(path.to_path_buf()));
        Ok(())
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.step()?;
        let (synced, rest) =
            std::mem::take(&mut state.unsynced_names).into_iter().partition(|c| c.dir() == path);
        state.unsynced_names = rest;
        let synced: Vec<NameChange> = synced;
        synced.iter().for_each(|change| change.apply(&mut state.durable_names));
        Ok(())
    }
}
