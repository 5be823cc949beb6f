//! What to do with each file found in a partition's directory. Pure: a function of names, lengths and checkpoints.
//!
//! An interrupted replacement of segments (by the cleaner or a split) is discarded as long as its output is incomplete
//! (`.cleaned`), and finished once it is complete (`.swap`).

use std::collections::{BTreeMap, BTreeSet};

use gregor_model::Offset;

use crate::file_name::{FileKind, FileName, FileState};

/// What was seen in the directory.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// Segment files and snapshots; of `.log`s the length in bytes.
    pub(super) files: Vec<(FileName, u64)>,
    /// The offset after the last batch of each `.log.swap`, by base.
    pub(super) swap_ends: BTreeMap<Offset, Offset>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RecoveryStep {
    /// Remove a file that is not needed, or must not be taken for one that is.
    Unlink(FileName),
    /// Finish a replacement: give the file its plain name.
    Rename(FileName),
    /// The segment is taken as it is.
    Open { base: Offset, size: u64, has_transaction_index: bool },
    /// The segment is read through: bad batches are cut off, indexes and producer state built anew.
    Recover { base: Offset, size: u64, reason: Reason },
}

/// Why a segment is read through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// It may have been written to after the recovery point when the broker died.
    UncleanShutdown,
    /// There is no `.index`.
    NoOffsetIndex,
    /// Its `.txnindex` does not belong to it.
    BadTransactionIndex,
    /// It was split off from one before it.
    OffsetOverflow,
}

/// Decides. `recovery_point`: the segment that holds it and all later ones are recovered; `None` after a clean
/// shutdown. Steps are in the order in which they are to be done.
pub(super) fn plan(found: &Found, recovery_point: Option<Offset>) -> Vec<RecoveryStep> {
    let mut steps = Vec::new();
    let mut kept = Vec::new();
    let of = |state: FileState| found.files.iter().filter(move |(name, _)| name.state == state);
    steps.extend(of(FileState::Deleted).map(|&(name, _)| RecoveryStep::Unlink(name)));

    let incomplete_from = of(FileState::Cleaned).map(|(name, _)| name.base).min();
    let (incomplete, complete): (Vec<_>, Vec<_>) = of(FileState::Swap)
        .copied()
        .partition(|(name, _)| incomplete_from.is_some_and(|from| name.base >= from));
    steps.extend(incomplete.iter().map(|&(name, _)| RecoveryStep::Unlink(name)));
    steps.extend(of(FileState::Cleaned).map(|&(name, _)| RecoveryStep::Unlink(name)));

    let replaced = replaced_range(&complete, &found.swap_ends);
    for &(name, len) in of(FileState::Plain) {
        if replaced.as_ref().is_some_and(|range| range.contains(&name.base)) {
            steps.push(RecoveryStep::Unlink(name));
        } else {
            kept.push((name, len));
        }
    }
    for &(name, len) in &complete {
        steps.push(RecoveryStep::Rename(name));
        let plain = FileName { state: FileState::Plain, ..name };
        kept.retain(|(other, _)| *other != plain);
        kept.push((plain, len));
    }
    steps.extend(plan_segments(&kept, recovery_point));
    steps
}

/// The offsets whose segments the complete output replaces.
fn replaced_range(
    complete: &[(FileName, u64)],
    swap_ends: &BTreeMap<Offset, Offset>,
) -> Option<std::ops::Range<Offset>> {
    let logs = || complete.iter().filter(|(name, _)| name.kind == FileKind::Log).map(|(name, _)| name.base);
    let from = logs().min()?;
    let to = logs().map(|base| swap_ends.get(&base).copied().unwrap_or(base)).max()?;
    Some(from..to)
}

fn plan_segments(files: &[(FileName, u64)], recovery_point: Option<Offset>) -> Vec<RecoveryStep> {
    let of = |kind: FileKind| files.iter().filter(move |(name, _)| name.kind == kind);
    let bases = |kind: FileKind| of(kind).map(|(name, _)| name.base).collect::<BTreeSet<_>>();
    let (logs, offset_indexes) = (bases(FileKind::Log), bases(FileKind::OffsetIndex));
    let transaction_indexes = bases(FileKind::TransactionIndex);
    let mut steps: Vec<_> = files
        .iter()
        .filter(|(name, _)| {
            !matches!(name.kind, FileKind::Log | FileKind::Snapshot) && !logs.contains(&name.base)
        })
        .map(|&(name, _)| RecoveryStep::Unlink(name))
        .collect();
    let recover_from =
        recovery_point.map(|point| logs.range(..=point).next_back().copied().unwrap_or(Offset::ZERO));
    let mut segments: Vec<_> = of(FileKind::Log).map(|&(name, size)| (name.base, size)).collect();
    segments.sort_unstable();
    steps.extend(segments.into_iter().map(|(base, size)| {
        if recover_from.is_some_and(|from| base >= from) {
            RecoveryStep::Recover { base, size, reason: Reason::UncleanShutdown }
        } else if offset_indexes.contains(&base) {
            RecoveryStep::Open { base, size, has_transaction_index: transaction_indexes.contains(&base) }
        } else {
            RecoveryStep::Recover { base, size, reason: Reason::NoOffsetIndex }
        }
    }));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[&str], swap_ends: &[(i64, i64)]) -> Found {
        Found {
            files: files
                .iter()
                .map(|name| (FileName::parse(&full(name)).expect("a file of ours"), 10))
                .collect(),
            swap_ends: swap_ends.iter().map(|&(base, end)| (Offset(base), Offset(end))).collect(),
        }
    }

    /// `5.log` for `00000000000000000005.log`.
    fn full(name: &str) -> String {
        let (number, rest) = name.split_once('.').expect("a dot");
        format!("{number:0>20}.{rest}")
    }

    #[track_caller]
    fn check(files: &[&str], swap_ends: &[(i64, i64)], recovery_point: Option<i64>, expected: &[&str]) {
        let steps = plan(&found(files, swap_ends), recovery_point.map(Offset));
        let shown: Vec<String> = steps
            .iter()
            .map(|step| match step {
                RecoveryStep::Unlink(name) => format!("unlink {}", short(name)),
                RecoveryStep::Rename(name) => format!("rename {}", short(name)),
                RecoveryStep::Open { base, .. } => format!("open {base}"),
                RecoveryStep::Recover { base, reason, .. } => format!("recover {base} {reason:?}"),
            })
            .collect();
        assert_eq!(shown, expected);
    }

    fn short(name: &FileName) -> String {
        let full = name.kind.name(name.base, name.state);
        format!("{}{}", name.base, &full[20..])
    }

    #[test]
    fn clean_logs_are_opened_as_they_are() {
        check(&["0.log", "0.index", "0.timeindex", "7.log", "7.index"], &[], None, &["open 0", "open 7"]);
    }

    #[test]
    fn segments_from_the_recovery_point_on_are_recovered() {
        let files = &["0.log", "0.index", "7.log", "7.index", "9.log", "9.index"];
        check(files, &[], Some(8), &["open 0", "recover 7 UncleanShutdown", "recover 9 UncleanShutdown"]);
        check(files, &[], Some(100), &["open 0", "open 7", "recover 9 UncleanShutdown"]);
        let all = ["recover 0 UncleanShutdown", "recover 7 UncleanShutdown", "recover 9 UncleanShutdown"];
        check(files, &[], Some(0), &all);
    }

    #[test]
    fn indexes_are_nothing_without_their_log_and_the_reverse() {
        check(
            &["0.index", "3.timeindex", "3.txnindex", "5.log", "5.timeindex"],
            &[],
            None,
            &["unlink 0.index", "unlink 3.timeindex", "unlink 3.txnindex", "recover 5 NoOffsetIndex"],
        );
        check(&["4.snapshot", "5.log", "5.index"], &[], None, &["open 5"]);
    }

    #[test]
    fn deleted_files_go() {
        check(
            &["0.log.deleted", "0.snapshot.deleted", "5.log", "5.index"],
            &[],
            None,
            &["unlink 0.log.deleted", "unlink 0.snapshot.deleted", "open 5"],
        );
    }

    #[test]
    fn incomplete_output_is_discarded() {
        check(
            &["0.log", "0.index", "0.log.cleaned", "0.index.cleaned", "8.log.swap"],
            &[(8, 20)],
            None,
            &["unlink 8.log.swap", "unlink 0.log.cleaned", "unlink 0.index.cleaned", "open 0"],
        );
    }

    #[test]
    fn complete_output_replaces_what_it_covers() {
        let files = &[
            "0.log",
            "0.index",
            "5.log",
            "5.index",
            "5.snapshot",
            "9.log",
            "9.index",
            "0.log.swap",
            "0.index.swap",
        ];
        check(
            files,
            &[(0, 9)],
            None,
            &[
                "unlink 0.log",
                "unlink 0.index",
                "unlink 5.log",
                "unlink 5.index",
                "unlink 5.snapshot",
                "rename 0.log.swap",
                "rename 0.index.swap",
                "open 0",
                "open 9",
            ],
        );
    }

    #[test]
    fn output_renamed_in_part_is_finished() {
        check(
            &["0.log", "5.log", "5.index", "0.index.swap"],
            &[],
            None,
            &["rename 0.index.swap", "open 0", "open 5"],
        );
    }
}
