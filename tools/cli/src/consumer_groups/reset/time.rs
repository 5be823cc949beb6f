//! Points in time as `--to-datetime` and `--by-duration` take them (`Utils.getDateTime`, `java.time.Duration.parse`). Pure.

use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use regex::Regex;

/// A time that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Of `--to-datetime`.
    #[error(
        "'{0}' is no date and time: expected YYYY-MM-DDTHH:mm:SS.sss, then Z, +HH, +HHmm, +HH:mm or nothing for UTC"
    )]
    DateTime(String),
    /// Of `--by-duration`.
    #[error("'{0}' is no duration: expected PnDTnHnMnS")]
    Duration(String),
}

/// Milliseconds since 1970 of a date and time with milliseconds, in UTC unless it has a zone.
pub fn date_time(text: &str) -> Result<i64, TimeError> {
    let refused = || TimeError::DateTime(text.to_owned());
    let pattern =
        r"^(\d{4,}-\d{1,2}-\d{1,2})T(\d{1,2}:\d{1,2}:\d{1,2})\.(\d{1,3})(Z|([+-])(\d{2})(?::?(\d{2}))?)?$";
    let pattern = Regex::new(pattern).map_err(|_| refused())?;
    let parts = pattern.captures(text).ok_or_else(refused)?;
    let numbers = |text: &str, separator| -> Option<Vec<i16>> {
        text.split(separator).map(|part| part.parse().ok()).collect()
    };
    let date = numbers(&parts[1], '-').ok_or_else(refused)?;
    let time = numbers(&parts[2], ':').ok_or_else(refused)?;
    let ([year, month, day], [hour, minute, second]) = (&date[..], &time[..]) else { return Err(refused()) };
    let small = |number: i16| i8::try_from(number).map_err(|_| refused());
    // As Java reads it: the digits are a count of milliseconds, however few.
    let millisecond: i32 = parts[3].parse().map_err(|_| refused())?;
    let civil = DateTime::new(
        *year,
        small(*month)?,
        small(*day)?,
        small(*hour)?,
        small(*minute)?,
        small(*second)?,
        millisecond * 1_000_000,
    )
    .map_err(|_| refused())?;
    let part = |index: usize| parts.get(index).map_or("", |part| part.as_str());
    let seconds = |text: &str, unit: i32| match text {
        "" => Ok(0),
        digits => digits.parse::<i32>().map(|number| number * unit).map_err(|_| refused()),
    };
    let sign = if part(5) == "-" { -1 } else { 1 };
    let offset = sign * (seconds(part(6), 3600)? + seconds(part(7), 60)?);
    let offset = Offset::from_seconds(offset).map_err(|_| refused())?;
    offset.to_timestamp(civil).map(Timestamp::as_millisecond).map_err(|_| refused())
}

/// A duration of days, hours, minutes and seconds.
pub fn duration(text: &str) -> Result<SignedDuration, TimeError> {
    let refused = || TimeError::Duration(text.to_owned());
    let pattern = r"(?i)^([-+]?)P(?:([-+]?\d+)D)?(T(?:([-+]?\d+)H)?(?:([-+]?\d+)M)?(?:([-+]?\d+)(?:[.,](\d{0,9}))?S)?)?$";
    let pattern = Regex::new(pattern).map_err(|_| refused())?;
    let parts = pattern.captures(text).ok_or_else(refused)?;
    let part = |index: usize| parts.get(index).map_or("", |part| part.as_str());
    if part(3).eq_ignore_ascii_case("t") || [2, 4, 5, 6].iter().all(|index| part(*index).is_empty()) {
        return Err(refused());
    }
    let mut seconds = 0_i64;
    for (index, unit) in [(2, 86_400), (4, 3_600), (5, 60), (6, 1)] {
        let number: i64 = match part(index) {
            "" => 0,
            digits => digits.parse().map_err(|_| refused())?,
        };
        seconds = number.checked_mul(unit).and_then(|more| seconds.checked_add(more)).ok_or_else(refused)?;
    }
    let fraction: i32 = format!("{:0<9}", part(7)).parse().map_err(|_| refused())?;
    let nanoseconds = if part(6).starts_with('-') { -fraction } else { fraction };
    let total =
        SignedDuration::from_secs(seconds).checked_add(SignedDuration::from_nanos(nanoseconds.into()));
    let total = total.ok_or_else(refused)?;
    if part(1) == "-" { total.checked_neg().ok_or_else(refused) } else { Ok(total) }
}

/// Milliseconds since 1970, so long before `now`.
pub fn ago(now: Timestamp, duration: SignedDuration) -> i64 {
    now.saturating_sub(duration).map_or(0, Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (text, expected) in [
            ("1970-01-01T00:00:00.000", Some(0)),
            ("1970-01-01T00:00:01.5", Some(1_005)),
            ("2020-11-10T16:51:38.198", Some(1_605_027_098_198)),
            ("2020-11-10T16:51:38.198Z", Some(1_605_027_098_198)),
            ("2020-11-10T16:51:38.198+08", Some(1_604_998_298_198)),
            ("2020-11-10T16:51:38.198+0800", Some(1_604_998_298_198)),
            ("2020-11-10T16:51:38.198-02:30", Some(1_605_036_098_198)),
            ("2020-13-10T16:51:38.198", None),
            ("2020-02-30T16:51:38.198", None),
            ("2020-11-10T16:51:38", None),
            ("2020-11-10 16:51:38.198", None),
            ("99999999-11-10T16:51:38.198", None),
            ("", None),
        ] {
            assert_eq!(date_time(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn durations() {
        for (text, expected) in [
            ("P1D", Some(86_400_000)),
            ("PT1H30M", Some(5_400_000)),
            ("P1DT1M0.5S", Some(86_460_500)),
            ("-PT10S", Some(-10_000)),
            ("PT-1.5S", Some(-1_500)),
            ("pt0s", Some(0)),
            ("P", None),
            ("PT", None),
            ("P1DT", None),
            ("P1Y", None),
            ("1D", None),
            ("P99999999999999999D", None),
        ] {
            let milliseconds = duration(text).ok().map(|duration| duration.as_millis());
            assert_eq!(milliseconds, expected, "{text}");
        }
        let now = Timestamp::from_millisecond(100_000).unwrap();
        assert_eq!(ago(now, duration("PT30S").unwrap()), 70_000);
    }
}
