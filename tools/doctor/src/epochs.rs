//! `leader-epoch-checkpoint`, held against the epochs in batches. Pure.

use gregor_log::LeaderEpochs;
use gregor_log::stored::leader_epochs;
use gregor_model::{LeaderEpoch, Offset};

/// Checks the file. `seen` are the epochs of batches, each with its first offset, ascending; `end` is where the log ends.
pub(crate) fn check(bytes: &[u8], seen: &[(LeaderEpoch, Offset)], end: Offset) -> Option<String> {
    let entries = match leader_epochs::parse(bytes) {
        Ok(entries) => entries,
        Err(error) => return Some(error.to_string()),
    };
    let out_of_order = entries.windows(2).any(|pair| match pair {
        [(epoch, start), (next_epoch, next_start)] => epoch >= next_epoch || start >= next_start,
        _ => false,
    });
    if out_of_order {
        return Some("epochs or their offsets do not rise".to_owned());
    }
    if let Some((epoch, start)) = entries.last().filter(|(_, start)| *start > end) {
        return Some(format!("epoch {epoch} starts at {start}, and the log ends at {end}"));
    }
    for (epoch, first) in seen {
        let Some(at) = entries.iter().position(|(known, _)| known == epoch) else {
            return Some(format!("epoch {epoch} of offset {first} is missing"));
        };
        let start = entries.get(at).map_or(*first, |(_, start)| *start);
        let next = entries.get(at + 1).map(|(_, start)| *start);
        if start > *first || next.is_some_and(|next| next <= *first) {
            return Some(format!("epoch {epoch} starts at {start}, and a batch at {first} has it"));
        }
    }
    None
}

/// The bytes of the file that batches alone give.
pub(crate) fn rebuilt(seen: &[(LeaderEpoch, Offset)]) -> Vec<u8> {
    leader_epochs::format(LeaderEpochs::from_entries(seen.to_vec()).entries())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_what_is_wrong_with_them() {
        let seen = [(LeaderEpoch(2), Offset(10)), (LeaderEpoch(5), Offset(30))];
        #[track_caller]
        fn check_text(text: &str, seen: &[(LeaderEpoch, Offset)], expected: Option<&str>) {
            let problem = check(text.as_bytes(), seen, Offset(40));
            match (&problem, expected) {
                (None, None) => {}
                (Some(problem), Some(expected)) => assert!(problem.contains(expected), "{text:?}: {problem}"),
                _ => panic!("{text:?}: {problem:?}"),
            }
        }
        check_text("0\n2\n2 10\n5 30\n", &seen, None);
        // A leader without records has an entry, too; a log's start may lie behind an epoch's.
        check_text("0\n4\n1 3\n2 10\n4 20\n5 25\n", &seen, None);
        check_text("0\n3\n2 10\n5 30\n6 40\n", &seen, None);
        check_text("", &[], None);
        check_text("", &seen, Some("epoch 2 of offset 10 is missing"));
        check_text("0\n1\n5 30\n", &seen, Some("epoch 2 of offset 10 is missing"));
        check_text("0\n2\n2 11\n5 30\n", &seen, Some("epoch 2 starts at 11"));
        check_text("0\n3\n2 5\n3 9\n5 30\n", &seen, Some("epoch 2 starts at 5"));
        check_text("0\n2\n5 10\n2 30\n", &seen, Some("do not rise"));
        check_text("0\n3\n2 10\n5 30\n7 41\n", &seen, Some("the log ends at 40"));
        check_text("0\n7\n2 10\n", &seen, Some("7 entries"));
        assert_eq!(check(&rebuilt(&seen), &seen, Offset(40)), None);
    }
}
