//! Names of files and directories, and what they say (`LogFileUtils`, `LocalLog.parseTopicPartitionName`). Pure.

use gregor_model::{Offset, TopicPartition};
use uuid::Uuid;

/// Longest name of a directory.
const DIR_NAME_MAX: usize = 255;

/// What a file of a partition is, by the end of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileKind {
    /// Record batches.
    Log,
    /// From offsets to positions.
    OffsetIndex,
    /// From timestamps to offsets.
    TimeIndex,
    /// Aborted transactions.
    TransactionIndex,
    /// Producers' state.
    Snapshot,
}

impl FileKind {
    /// Every kind.
    pub const ALL: [FileKind; 5] = [
        FileKind::Log,
        FileKind::OffsetIndex,
        FileKind::TimeIndex,
        FileKind::TransactionIndex,
        FileKind::Snapshot,
    ];

    /// The kinds that a segment consists of.
    pub const OF_SEGMENT: [FileKind; 4] =
        [FileKind::Log, FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::TransactionIndex];

    /// What a name of this kind ends with.
    pub const fn suffix(self) -> &'static str {
        match self {
            FileKind::Log => ".log",
            FileKind::OffsetIndex => ".index",
            FileKind::TimeIndex => ".timeindex",
            FileKind::TransactionIndex => ".txnindex",
            FileKind::Snapshot => ".snapshot",
        }
    }

    /// The name of the file of this kind at `base`, with `state` behind it.
    pub fn name(self, base: Offset, state: FileState) -> String {
        format!("{:020}{}{}", base.0, self.suffix(), state.suffix())
    }
}

/// What a suffix behind the normal name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileState {
    /// In use.
    Plain,
    /// Waiting to be unlinked.
    Deleted,
    /// Output of the cleaner or of a split, incomplete.
    Cleaned,
    /// Such output, complete, on its way to replace other segments.
    Swap,
}

impl FileState {
    /// What the name ends with.
    pub const fn suffix(self) -> &'static str {
        match self {
            FileState::Plain => "",
            FileState::Deleted => ".deleted",
            FileState::Cleaned => ".cleaned",
            FileState::Swap => ".swap",
        }
    }
}

/// The parts of the name of a segment file or producer snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileName {
    /// The base offset of the segment; of a snapshot, the offset before which it holds the state.
    pub base: Offset,
    /// What the file is.
    pub kind: FileKind,
    /// What is being done with it.
    pub state: FileState,
}

impl FileName {
    /// Takes a name apart; `None` for all other files.
    pub fn parse(name: &str) -> Option<FileName> {
        let (plain, state) = [FileState::Deleted, FileState::Cleaned, FileState::Swap]
            .into_iter()
            .find_map(|state| Some((name.strip_suffix(state.suffix())?, state)))
            .unwrap_or((name, FileState::Plain));
        let (number, kind) =
            FileKind::ALL.into_iter().find_map(|kind| Some((plain.strip_suffix(kind.suffix())?, kind)))?;
        let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        let base = Offset(digits.then(|| number.parse().ok()).flatten()?);
        Some(FileName { base, kind, state })
    }
}

/// What a directory in a log directory is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DirName {
    /// A partition's current log.
    Current(TopicPartition),
    /// A copy on its way from another log directory.
    Future(TopicPartition),
    /// To be removed.
    Delete,
    /// Found by KRaft or a migration not to belong here: left alone.
    Stray,
    /// Kafka's own, left alone.
    Skipped,
    /// None of these: a broker does not start with such.
    Foreign,
}

impl DirName {
    /// Takes a name apart.
    pub fn parse(name: &str) -> DirName {
        if matches!(name, "remote-log-index-cache" | "__cluster_metadata-0") {
            return DirName::Skipped;
        }
        let suffixed = |suffix: &str| {
            let unique = name.strip_suffix(suffix)?;
            topic_partition(unique.rsplit_once('.')?.0)
        };
        if suffixed("-delete").is_some() {
            DirName::Delete
        } else if suffixed("-stray").is_some() {
            DirName::Stray
        } else if let Some(partition) = suffixed("-future") {
            DirName::Future(partition)
        } else if name.ends_with("-delete") || name.ends_with("-future") || name.ends_with("-stray") {
            // Kafka refuses these too: no partition number.
            DirName::Foreign
        } else {
            topic_partition(name).map_or(DirName::Foreign, DirName::Current)
        }
    }
}

fn topic_partition(name: &str) -> Option<TopicPartition> {
    let (topic, partition) = name.rsplit_once('-')?;
    let partition: i32 = partition.bytes().all(|b| b.is_ascii_digit()).then(|| partition.parse().ok())??;
    (!topic.is_empty()).then(|| TopicPartition::new(topic, partition))
}

/// `topic-partition.<id>-delete`, the topic cut so that the name is not too long (`logDeleteDirName`).
pub fn delete_dir_name(partition: &TopicPartition, id: Uuid) -> String {
    let rest = format!("-{}.{}-delete", partition.partition, id.simple());
    let topic = partition.topic.as_str();
    let mut keep = topic.len().min(DIR_NAME_MAX.saturating_sub(rest.len()));
    while !topic.is_char_boundary(keep) {
        keep -= 1;
    }
    format!("{}{rest}", &topic[..keep])
}

/// `topic-partition.<id>-future`; `None` if that is too long (`logFutureDirName`).
pub fn future_dir_name(partition: &TopicPartition, id: Uuid) -> Option<String> {
    let name = format!("{partition}.{}-future", id.simple());
    (name.len() <= DIR_NAME_MAX).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_round_trip() {
        for kind in FileKind::ALL {
            for state in [FileState::Plain, FileState::Deleted, FileState::Cleaned, FileState::Swap] {
                let expected = FileName { base: Offset(123), kind, state };
                assert_eq!(FileName::parse(&kind.name(Offset(123), state)), Some(expected));
            }
        }
        assert_eq!(FileKind::Log.name(Offset(0), FileState::Plain), "00000000000000000000.log");
        assert_eq!(
            FileKind::TimeIndex.name(Offset(i64::MAX), FileState::Swap),
            "09223372036854775807.timeindex.swap"
        );
        for other in
            ["leader-epoch-checkpoint", "x.log", ".log", "-1.log", "99999999999999999999.log", "1.log.tmp"]
        {
            assert_eq!(FileName::parse(other), None, "{other}");
        }
    }

    #[test]
    fn directory_names() {
        #[track_caller]
        fn check(name: &str, expected: DirName) {
            assert_eq!(DirName::parse(name), expected, "{name}");
        }
        let id = "0123456789abcdef0123456789abcdef";
        check("t-0", DirName::Current(TopicPartition::new("t", 0)));
        check("a-b-12", DirName::Current(TopicPartition::new("a-b", 12)));
        check("a.b-0", DirName::Current(TopicPartition::new("a.b", 0)));
        check(&format!("a.b-3.{id}-future"), DirName::Future(TopicPartition::new("a.b", 3)));
        check(&format!("t-0.{id}-delete"), DirName::Delete);
        check(&format!("t-0.{id}-stray"), DirName::Stray);
        check("lost+found", DirName::Foreign);
        check("t-", DirName::Foreign);
        check("-0", DirName::Foreign);
        check("t-0x", DirName::Foreign);
        check("t-delete", DirName::Foreign);
        check("remote-log-index-cache", DirName::Skipped);
        check("__cluster_metadata-0", DirName::Skipped);
    }

    #[test]
    fn names_of_long_topics_are_cut_for_deletion_and_refused_for_moves() {
        let id = Uuid::from_u128(7);
        let long = TopicPartition::new("x".repeat(249).as_str(), 12345);
        let name = delete_dir_name(&long, id);
        assert_eq!(name.len(), 255);
        assert_eq!(DirName::parse(&name), DirName::Delete);
        assert_eq!(future_dir_name(&long, id), None);
        let short = TopicPartition::new("t", 1);
        assert_eq!(future_dir_name(&short, id).unwrap(), format!("t-1.{}-future", id.simple()));
    }
}
