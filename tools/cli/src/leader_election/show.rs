//! What `gregor leader-election` says of each partition. Pure.

use std::fmt::Write as _;

use gregor_model::TopicPartition;

use crate::admin::AdminError;
use crate::admin::election::ElectionType;
use crate::admin::leaders::PerPartition;
use crate::java_map::sort_partitions_as_hash_map;

const ELECTION_NOT_NEEDED: i16 = 84;

/// The text, and for how many partitions the election failed.
pub fn outcomes(election: ElectionType, outcomes: &PerPartition<()>) -> (String, usize) {
    let election = match election {
        ElectionType::Preferred => "PREFERRED",
        ElectionType::Unclean => "UNCLEAN",
    };
    let mut sorted: Vec<(&TopicPartition, &Result<(), AdminError>)> = outcomes.iter().collect();
    sort_partitions_as_hash_map(&mut sorted, |(partition, _)| partition);
    let (mut elected, mut unneeded, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for (partition, outcome) in sorted {
        match outcome {
            Ok(()) => elected.push(partition.to_string()),
            Err(AdminError::Refused { code: ELECTION_NOT_NEEDED, .. }) => {
                unneeded.push(partition.to_string())
            }
            Err(error) => failed.push((partition, error)),
        }
    }
    let mut text = String::new();
    // Writing to a String cannot fail.
    if !elected.is_empty() {
        let list = elected.join(", ");
        let _ = writeln!(text, "Successfully completed leader election ({election}) for partitions {list}");
    }
    if !unneeded.is_empty() {
        let _ = writeln!(text, "Valid replica already elected for partitions {}", unneeded.join(", "));
    }
    for (partition, error) in &failed {
        let error = error.java();
        let _ = writeln!(
            text,
            "Error completing leader election ({election}) for partition: {partition}: {error}"
        );
    }
    (text, failed.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_is_said() {
        let all = PerPartition::from([
            (TopicPartition::new("t", 0), Ok(())),
            (TopicPartition::new("t", 1), Ok(())),
            (TopicPartition::new("t", 2), Err(AdminError::refused(84, None))),
            (TopicPartition::new("t", 3), Err(AdminError::refused(80, None))),
        ]);
        let (text, failed) = outcomes(ElectionType::Preferred, &all);
        assert_eq!(failed, 1);
        assert_eq!(
            text,
            "Successfully completed leader election (PREFERRED) for partitions t-1, t-0\n\
             Valid replica already elected for partitions t-2\n\
             Error completing leader election (PREFERRED) for partition: t-3: org.apache.kafka.common.errors.\
             PreferredLeaderNotAvailableException: The preferred leader was not available.\n"
        );
        assert_eq!(outcomes(ElectionType::Unclean, &PerPartition::new()), (String::new(), 0));
    }
}
