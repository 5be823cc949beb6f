//! `leader-epoch-checkpoint` (`LeaderEpochCheckpointFile`): where each leader epoch of a partition starts.

use gregor_model::{LeaderEpoch, Offset};

use super::text::{self, BadCheckpoint};

/// The file, one in each partition's directory.
pub const NAME: &str = "leader-epoch-checkpoint";

/// Parses the file.
///
/// # Errors
/// What Kafka does not read either.
pub fn parse(bytes: &[u8]) -> Result<Vec<(LeaderEpoch, Offset)>, BadCheckpoint> {
    text::parse(bytes, |fields| match fields {
        [epoch, start] => {
            Some((LeaderEpoch::from_wire(epoch.parse().ok()?)?, Offset::from_wire(start.parse().ok()?)?))
        }
        _ => None,
    })
}

/// The file of `entries`, in ascending order.
pub fn format(entries: &[(LeaderEpoch, Offset)]) -> Vec<u8> {
    text::format(entries.iter().map(|(epoch, start)| format!("{epoch} {start}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_in_kafkas_bytes() {
        let entries = vec![(LeaderEpoch(0), Offset(0)), (LeaderEpoch(3), Offset(120))];
        assert_eq!(format(&entries), b"0\n2\n0 0\n3 120\n");
        assert_eq!(parse(b"0\n2\n0 0\n3 120\n"), Ok(entries));
        assert!(parse(b"0\n1\n0 0 0\n").is_err());
    }
}
