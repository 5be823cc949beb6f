//! Where offsets are reset to (`ConsumerGroupCommand.prepareOffsetsToReset`, `checkOffsetsRange`). Pure.

use std::collections::BTreeMap;

use gregor_model::TopicPartition;
use jiff::Timestamp;

use super::time::{TimeError, ago, date_time, duration};
use crate::command_line::{FlagError, Given};

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// The start of each partition.
    ToEarliest,
    /// The end of each partition.
    ToLatest,
    /// What is committed, or the end.
    ToCurrent,
    /// This offset.
    ToOffset(i64),
    /// What is committed, plus this.
    ShiftBy(i64),
    /// The first record at or after this time.
    ToTime(i64),
    /// The offsets in this file.
    FromFile(String),
}

/// Flags that name no scenario.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// A malformed flag.
    #[error(transparent)]
    Flag(#[from] FlagError),
    /// A malformed time.
    #[error(transparent)]
    Time(#[from] TimeError),
    /// None.
    #[error("no scenario is given")]
    None,
}

impl Scenario {
    /// From the flags.
    pub fn of(given: &Given, now: Timestamp) -> Result<Scenario, ScenarioError> {
        if let Some(offset) = given.number("to-offset")? {
            return Ok(Scenario::ToOffset(offset));
        }
        if let Some(shift) = given.number("shift-by")? {
            return Ok(Scenario::ShiftBy(shift));
        }
        if let Some(text) = given.value("to-datetime")? {
            return Ok(Scenario::ToTime(date_time(text)?));
        }
        if let Some(text) = given.value("by-duration")? {
            return Ok(Scenario::ToTime(ago(now, duration(text)?)));
        }
        if let Some(path) = given.value("from-file")? {
            return Ok(Scenario::FromFile(path.to_owned()));
        }
        let switches = [
            ("to-earliest", Scenario::ToEarliest),
            ("to-latest", Scenario::ToLatest),
            ("to-current", Scenario::ToCurrent),
        ];
        let given = switches.into_iter().find(|(name, _)| given.has(name));
        given.map(|(_, scenario)| scenario).ok_or(ScenarioError::None)
    }
}

/// A partition without a committed offset that is to be shifted; the text is what Kafka's tool prints.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Cannot shift offset for partition {0} since there is no current committed offset")]
pub struct NothingToShift(TopicPartition);

/// What is committed, moved by `shift`.
pub fn shifted(
    partitions: &[TopicPartition],
    committed: &BTreeMap<TopicPartition, i64>,
    shift: i64,
) -> Result<BTreeMap<TopicPartition, i64>, NothingToShift> {
    let shifted = |partition: &TopicPartition| {
        let current = committed.get(partition).ok_or_else(|| NothingToShift(partition.clone()))?;
        Ok((partition.clone(), current.saturating_add(shift)))
    };
    partitions.iter().map(shifted).collect()
}

/// An offset within a partition's start and end, and a warning if it is not the one asked for.
pub fn within(partition: &TopicPartition, offset: i64, start: i64, end: i64) -> (i64, Option<String>) {
    let warning = |side: &str, limit: i64| {
        format!(
            "New offset ({offset}) is {side} offset for topic partition {partition}. Value will be set to {limit}"
        )
    };
    if offset > end {
        (end, Some(warning("higher than latest", end)))
    } else if offset < start {
        (start, Some(warning("lower than earliest", start)))
    } else {
        (offset, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::parse;
    use crate::command_line::words;

    #[test]
    fn scenarios() {
        for (line, expected) in [
            ("--to-earliest", Ok(Scenario::ToEarliest)),
            ("--to-latest", Ok(Scenario::ToLatest)),
            ("--to-current", Ok(Scenario::ToCurrent)),
            ("--to-offset 5", Ok(Scenario::ToOffset(5))),
            ("--shift-by -5", Ok(Scenario::ShiftBy(-5))),
            ("--by-duration PT10S", Ok(Scenario::ToTime(90_000))),
            ("--to-datetime 1970-01-01T00:00:01.000", Ok(Scenario::ToTime(1_000))),
            ("--from-file f", Ok(Scenario::FromFile("f".to_owned()))),
            ("--to-offset five", Err("Cannot parse argument 'five' of option to-offset")),
            ("--by-duration soon", Err("'soon' is no duration: expected PnDTnHnMnS")),
        ] {
            let words = words(line);
            let given = parse(&crate::consumer_groups::flags::flags(), &words).unwrap();
            let answer = Scenario::of(&given, Timestamp::from_millisecond(100_000).unwrap());
            assert_eq!(answer.map_err(|error| error.to_string()), expected.map_err(str::to_owned), "{line}");
        }
    }

    #[test]
    fn offsets_stay_within_their_partition() {
        let partition = TopicPartition::new("t", 0);
        let low =
            "New offset (1) is lower than earliest offset for topic partition t-0. Value will be set to 2";
        let high =
            "New offset (10) is higher than latest offset for topic partition t-0. Value will be set to 9";
        for (offset, expected) in
            [(5, (5, None)), (2, (2, None)), (9, (9, None)), (1, (2, Some(low))), (10, (9, Some(high)))]
        {
            let expected = (expected.0, expected.1.map(str::to_owned));
            assert_eq!(within(&partition, offset, 2, 9), expected);
        }
    }

    #[test]
    fn shifts() {
        let partitions = [TopicPartition::new("t", 0), TopicPartition::new("t", 1)];
        let committed = BTreeMap::from([(partitions[0].clone(), 5)]);
        let moved = shifted(&partitions[..1], &committed, -2).unwrap();
        assert_eq!(moved[&partitions[0]], 3);
        let error = shifted(&partitions, &committed, 1).unwrap_err().to_string();
        assert_eq!(error, "Cannot shift offset for partition t-1 since there is no current committed offset");
        let far = shifted(&partitions[..1], &committed, i64::MAX).unwrap();
        assert_eq!(far[&partitions[0]], i64::MAX);
    }
}
