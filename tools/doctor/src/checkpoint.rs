//! The checkpoints of a log directory, held against the logs in it. Pure.

use std::collections::HashMap;
use std::path::Path;

use gregor_log::stored::{CLEANER_CHECKPOINT, offsets};
use gregor_model::{Offset, TopicPartition};

use crate::finding::{Finding, Kind, Repair};
use crate::loss::Loss;
use crate::step::Step;

/// The files, with what an offset says in each, and what is lost when a file has to be dropped.
const FILES: [(&str, &str, &str); 4] = [
    (
        offsets::RECOVERY_POINT,
        "is written to disk up to",
        "nothing: every segment is read through at the next start after a crash",
    ),
    (
        offsets::HIGH_WATERMARK,
        "has its high watermark at",
        "the high watermarks: consumers wait until leaders have told them anew",
    ),
    (
        offsets::LOG_START,
        "starts at",
        "the starts of logs whose records were deleted: such records that are still stored are seen again",
    ),
    (
        CLEANER_CHECKPOINT,
        "has been cleaned up to",
        "where cleaning stands: compacted logs are cleaned from their start again",
    ),
];

/// The names of the files.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, ..)| *name)
}

/// Checks the files that there are. `ends` says where logs end, once they are repaired.
pub(crate) fn check(
    dir: &Path,
    files: &HashMap<&'static str, Vec<u8>>,
    ends: &HashMap<TopicPartition, Offset>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, says, lost) in FILES {
        let Some(bytes) = files.get(name) else { continue };
        let path = dir.join(name);
        let place = path.display().to_string();
        let entries = match offsets::parse(bytes) {
            Ok(entries) => entries,
            Err(error) => {
                let repair = Repair {
                    does: "removes it: a broker writes it anew".to_owned(),
                    loses: Loss::Other(lost.to_owned()),
                    steps: vec![Step::Unlink { path }],
                };
                findings
                    .push(Finding::new(place, Kind::BrokenCheckpoint, error.to_string()).repaired_by(repair));
                continue;
            }
        };
        let mut sorted: Vec<(TopicPartition, Offset)> = entries.into_iter().collect();
        sorted.sort();
        let unknown: Vec<String> = sorted
            .iter()
            .filter(|(one, _)| !ends.contains_key(one))
            .map(|(one, _)| one.to_string())
            .collect();
        if !unknown.is_empty() {
            let what = format!("{} not here: the next writing leaves them out", are(&unknown));
            findings.push(Finding::new(place.clone(), Kind::CheckpointOfNothing, what));
        }
        let beyond: Vec<String> = sorted
            .iter()
            .filter_map(|(one, offset)| {
                let end = ends.get(one).filter(|end| *offset > **end)?;
                Some(format!("{one} {says} {offset}, and ends at {end}"))
            })
            .collect();
        if !beyond.is_empty() {
            for (one, offset) in &mut sorted {
                *offset = ends.get(one).map_or(*offset, |end| (*offset).min(*end));
            }
            let step = Step::Write { path, bytes: offsets::format(&sorted) };
            let repair = Repair::lossless("lowers these offsets to the ends of the logs", vec![step]);
            findings
                .push(Finding::new(place, Kind::CheckpointBeyondEnd, beyond.join("; ")).repaired_by(repair));
        }
    }
    findings
}

fn are(names: &[String]) -> String {
    let verb = if names.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_held_against_logs() {
        let ends: HashMap<_, _> =
            [(TopicPartition::new("a", 0), Offset(10)), (TopicPartition::new("b", 0), Offset(5))].into();
        #[track_caller]
        fn run(
            name: &'static str,
            text: &str,
            ends: &HashMap<TopicPartition, Offset>,
            expected: &[(Kind, &str)],
        ) {
            let files = HashMap::from([(name, text.as_bytes().to_vec())]);
            let found = check(Path::new("/d"), &files, ends);
            let shown: Vec<_> = found.iter().map(|finding| (finding.kind, finding.what.as_str())).collect();
            assert_eq!(shown, expected);
        }
        run(offsets::RECOVERY_POINT, "0\n2\na 0 10\nb 0 0\n", &ends, &[]);
        run(
            offsets::HIGH_WATERMARK,
            "0\n2\na 0 11\nb 0 0\n",
            &ends,
            &[(Kind::CheckpointBeyondEnd, "a-0 has its high watermark at 11, and ends at 10")],
        );
        run(
            CLEANER_CHECKPOINT,
            "0\n1\nc 3 11\n",
            &ends,
            &[(Kind::CheckpointOfNothing, "c-3 is not here: the next writing leaves them out")],
        );
        run(
            offsets::LOG_START,
            "0\n2\na 0 1\n",
            &ends,
            &[(Kind::BrokenCheckpoint, "it says 2 entries and has 1")],
        );
    }

    #[test]
    fn offsets_are_lowered_and_nothing_else() {
        let ends = HashMap::from([
            (TopicPartition::new("a", 0), Offset(10)),
            (TopicPartition::new("b", 0), Offset(5)),
        ]);
        let files = HashMap::from([(offsets::RECOVERY_POINT, b"0\n3\nb 0 5\na 0 99\nc 0 7\n".to_vec())]);
        let found = check(Path::new("/d"), &files, &ends);
        let repair = found.iter().find_map(|finding| finding.repair.clone()).unwrap();
        let bytes = b"0\n3\na 0 10\nb 0 5\nc 0 7\n".to_vec();
        assert_eq!(repair.steps, [Step::Write { path: "/d/recovery-point-offset-checkpoint".into(), bytes }]);
    }
}
