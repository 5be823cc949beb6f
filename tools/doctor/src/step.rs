//! The steps of repairs, and doing them: the only code here that changes anything.
//!
//! Each file is replaced as a whole (written beside, synced, renamed) or cut, and its directory synced. A step that fails
//! ends the repair; what was done before it stays done, and the next examination finds what is left.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Cut a file to so many bytes.
    Truncate {
        /// The file.
        path: PathBuf,
        /// Its length afterwards.
        length: u64,
    },
    /// Take parts out of a file.
    RemoveRanges {
        /// The file.
        path: PathBuf,
        /// Which bytes, in order.
        ranges: Vec<Range<u64>>,
    },
    /// Write a small file anew.
    Write {
        /// The file.
        path: PathBuf,
        /// All of its bytes.
        bytes: Vec<u8>,
    },
    /// Remove a file.
    Unlink {
        /// The file.
        path: PathBuf,
    },
    /// Give a directory another name.
    Rename {
        /// Its name.
        from: PathBuf,
        /// The name afterwards.
        to: PathBuf,
    },
}

impl Step {
    /// What it changes.
    pub fn path(&self) -> &Path {
        match self {
            Step::Truncate { path, .. }
            | Step::RemoveRanges { path, .. }
            | Step::Write { path, .. }
            | Step::Unlink { path }
            | Step::Rename { from: path, .. } => path,
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// The system's.
    pub fn perform(&self) -> io::Result<()> {
        match self {
            Step::Truncate { path, length } => {
                let file = OpenOptions::new().write(true).open(path)?;
                file.set_len(*length)?;
                file.sync_all()?;
            }
            Step::RemoveRanges { path, ranges } => remove_ranges(path, ranges)?,
            Step::Write { path, bytes } => {
                let beside = beside(path);
                let mut file = File::create(&beside)?;
                file.write_all(bytes)?;
                file.sync_all()?;
                fs::rename(&beside, path)?;
            }
            Step::Unlink { path } => fs::remove_file(path)?,
            Step::Rename { from, to } => fs::rename(from, to)?,
        }
        sync_parent(self.path())
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    PathBuf::from(name)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

fn remove_ranges(path: &Path, ranges: &[Range<u64>]) -> io::Result<()> {
    let beside = beside(path);
    let mut source = BufReader::with_capacity(1 << 20, File::open(path)?);
    let length = source.get_ref().metadata()?.len();
    let mut target = File::create(&beside)?;
    let mut at = 0;
    let ends = ranges.iter().map(|range| (range.start, range.end)).chain([(length, length)]);
    for (start, end) in ends {
        source.seek(SeekFrom::Start(at))?;
        io::copy(&mut source.by_ref().take(start.saturating_sub(at)), &mut target)?;
        at = end;
    }
    target.sync_all()?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_changed_as_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, b"0123456789").unwrap();
        Step::RemoveRanges { path: path.clone(), ranges: vec![2..4, 7..9] }.perform().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"014569");
        Step::Truncate { path: path.clone(), length: 3 }.perform().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"014");
        Step::Write { path: path.clone(), bytes: b"new".to_vec() }.perform().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        let other = dir.path().join("other");
        Step::Rename { from: path.clone(), to: other.clone() }.perform().unwrap();
        Step::Unlink { path: other }.perform().unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(Step::Unlink { path }.perform().is_err());
    }
}
