//! The text format of checkpoints (`CheckpointFile`): version 0, the number of entries, an entry per line.

/// Why a checkpoint cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCheckpoint {
    /// Not text at all.
    #[error("it is not UTF-8")]
    NotText,
    /// Of another version.
    #[error("its version is {0:?}, not 0")]
    Version(String),
    /// The second line.
    #[error("its number of entries {0:?} is not a number")]
    Count(String),
    /// Lines are missing, or too many.
    #[error("it says {expected} entries and has {found}")]
    CountMismatch {
        /// By the second line.
        expected: usize,
        /// In the file.
        found: usize,
    },
    /// A line that is no entry.
    #[error("line {0:?} is malformed")]
    Line(String),
}

/// Parses a checkpoint; `entry` is given the fields of one line, and `None` from it refuses the line.
/// No bytes, or the version alone, are no entries.
pub(super) fn parse<T>(
    bytes: &[u8],
    mut entry: impl FnMut(&[&str]) -> Option<T>,
) -> Result<Vec<T>, BadCheckpoint> {
    let text = std::str::from_utf8(bytes).map_err(|_| BadCheckpoint::NotText)?;
    let mut lines = text.lines();
    let Some(version) = lines.next() else { return Ok(Vec::new()) };
    if version.trim() != "0" {
        return Err(BadCheckpoint::Version(version.to_owned()));
    }
    let Some(count) = lines.next() else { return Ok(Vec::new()) };
    let expected: usize = count.trim().parse().map_err(|_| BadCheckpoint::Count(count.to_owned()))?;
    let mut entries = Vec::new();
    for line in lines {
        if line.starts_with(char::is_whitespace) {
            return Err(BadCheckpoint::Line(line.to_owned()));
        }
        let fields: Vec<&str> = line.split_whitespace().collect();
        entries.push(entry(&fields).ok_or_else(|| BadCheckpoint::Line(line.to_owned()))?);
    }
    if entries.len() == expected {
        Ok(entries)
    } else {
        Err(BadCheckpoint::CountMismatch { expected, found: entries.len() })
    }
}

/// The file of `lines`, none of which ends with a newline.
pub(super) fn format(lines: impl ExactSizeIterator<Item = String>) -> Vec<u8> {
    let mut text = format!("0\n{}\n", lines.len());
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
    text.into_bytes()
}
