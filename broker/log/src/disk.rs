//! Storage behind a small trait: the real one here, a faulty one in tests (`faulty_disk`) that drops or tears what
//! was not synced. Owned by the log directories; nothing else in this crate opens, writes, renames or syncs a file.
//!
//! Reading needs no trait: it goes through the standard file that every [`DiskFile`] has.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use gregor_model::Timestamp;

/// Whether a file must exist when it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Open {
    /// It must; opened for reading and writing.
    Existing,
    /// It is created if absent.
    OrCreate,
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) is_dir: bool,
    /// Length in bytes, where it was asked for.
    pub(crate) len: u64,
}

/// An open file.
pub(crate) trait DiskFile: Debug + Send + Sync {
    /// The file, for reading and for sendfile.
    fn std(&self) -> &Arc<File>;

    /// Writes all of `parts`, one after the other, at `position`.
    fn write_all_at(&self, parts: &[&[u8]], position: u64) -> io::Result<()>;

    /// Cuts or extends the file.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes everything written so far durable.
    fn sync(&self) -> io::Result<()>;

    /// Length in bytes.
    fn len(&self) -> io::Result<u64> {
        Ok(self.std().metadata()?.len())
    }

    /// Reserves blocks for `len` bytes without changing the length; a hint.
    fn reserve(&self, len: u64);
}

/// A file system.
pub(crate) trait Disk: Debug + Send + Sync {
    /// Opens a file for reading and writing.
    fn open(&self, path: &Path, open: Open) -> io::Result<Arc<dyn DiskFile>>;

    /// Renames a file or directory, over an existing file if need be.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes a directory with all that is in it.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Creates a directory and its parents.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Makes creations, renames and removals in a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// The entries of a directory, sorted by name. Names that are not UTF-8 are given lossily. Lengths are looked up
    /// where `measure` says so for the name; a directory may hold tens of thousands of files.
    fn list(&self, path: &Path, measure: &dyn Fn(&str) -> bool) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type()?;
            if !kind.is_symlink() && !measure(&name) {
                entries.push(Entry { name, is_dir: kind.is_dir(), len: 0 });
                continue;
            }
            match entry.path().metadata() {
                Ok(metadata) if metadata.is_dir() => entries.push(Entry { name, is_dir: true, len: 0 }),
                Ok(metadata) => entries.push(Entry { name, is_dir: false, len: metadata.len() }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// Reads a small file whole; more than `max` bytes are an error (`InvalidData`).
    fn read(&self, path: &Path, max: u64) -> io::Result<Vec<u8>> {
        let file = File::open(path)?;
        let mut bytes = Vec::new();
        file.take(max + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > max {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("longer than {max} bytes")));
        }
        Ok(bytes)
    }

    /// When the file was last written.
    fn modified(&self, path: &Path) -> io::Result<Timestamp> {
        let since =
            fs::metadata(path)?.modified()?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Ok(Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Writes `bytes` as `path` so that after a crash either the old or the new content is there: through
    /// `<path>.tmp`, fsync, rename, fsync of the directory.
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".tmp");
        let temporary = Path::new(&temporary);
        let file = self.open(temporary, Open::OrCreate)?;
        file.set_len(0)?;
        file.write_all_at(&[bytes], 0)?;
        file.sync()?;
        self.rename(temporary, path)?;
        path.parent().map_or(Ok(()), |parent| self.sync_dir(parent))
    }
}

/// The operating system's file system.
#[derive(Debug)]
pub(crate) struct OsDisk;

#[derive(Debug)]
struct OsFile(Arc<File>);

impl DiskFile for OsFile {
    fn std(&self) -> &Arc<File> {
        &self.0
    }

    fn write_all_at(&self, parts: &[&[u8]], position: u64) -> io::Result<()> {
        let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let mut slices = slices.as_mut_slice();
        let mut position = position;
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            match rustix::io::pwritev(&*self.0, slices, position) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    position += written as u64;
                    IoSlice::advance_slices(&mut slices, written);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn reserve(&self, len: u64) {
        // A file system that cannot reserve is no error, and one that is full will say so at the write.
        let _ = rustix::fs::fallocate(&*self.0, rustix::fs::FallocateFlags::KEEP_SIZE, 0, len);
    }
}

impl Disk for OsDisk {
    fn open(&self, path: &Path, open: Open) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).create(open == Open::OrCreate).open(path)?;
        Ok(Arc::new(OsFile(Arc::new(file))))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}
