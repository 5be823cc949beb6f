//! Dates by the patterns of Java's `SimpleDateFormat`, in the time zone of the machine: the letters that figures need.

use jiff::Zoned;
use jiff::tz::TimeZone;

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DateFormat(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// A letter, and how often it stands there.
    Field(char, usize),
}

impl DateFormat {
    /// Reads a pattern.
    ///
    /// # Errors
    /// A letter that is not known here, or a quote that does not end.
    pub(super) fn new(pattern: &str) -> Result<DateFormat, String> {
        let mut parts = Vec::new();
        let mut letters = pattern.chars().peekable();
        while let Some(letter) = letters.next() {
            if letter == '\'' {
                let mut text = String::new();
                loop {
                    match letters.next() {
                        Some('\'') if letters.peek() == Some(&'\'') && !text.is_empty() => {
                            letters.next();
                            text.push('\'');
                        }
                        Some('\'') => break,
                        Some(other) => text.push(other),
                        None => return Err("Unterminated quote".to_owned()),
                    }
                }
                parts.push(Part::Text(if text.is_empty() { "'".to_owned() } else { text }));
            } else if letter.is_ascii_alphabetic() {
                if !"yMdHmsS".contains(letter) {
                    return Err(format!("Illegal pattern character '{letter}'"));
                }
                let mut count = 1;
                while letters.next_if_eq(&letter).is_some() {
                    count += 1;
                }
                parts.push(Part::Field(letter, count));
            } else {
                parts.push(Part::Text(letter.to_string()));
            }
        }
        Ok(DateFormat(parts))
    }

    /// A time in ms since 1970.
    pub(super) fn text(&self, milliseconds: i64) -> String {
        let time = jiff::Timestamp::from_millisecond(milliseconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        self.text_of(&time.to_zoned(TimeZone::system()))
    }

    fn text_of(&self, time: &Zoned) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Field('y', 2) => format!("{:02}", time.year().rem_euclid(100)),
            Part::Field(letter, width) => {
                let number = match letter {
                    'y' => i64::from(time.year()),
                    'M' => i64::from(time.month()),
                    'd' => i64::from(time.day()),
                    'H' => i64::from(time.hour()),
                    'm' => i64::from(time.minute()),
                    's' => i64::from(time.second()),
                    _ => i64::from(time.millisecond()),
                };
                format!("{number:0width$}")
            }
        });
        parts.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_javas() {
        let time = jiff::Timestamp::from_millisecond(1_700_000_000_042).unwrap().to_zoned(TimeZone::UTC);
        for (pattern, expected) in [
            ("yyyy-MM-dd HH:mm:ss:SSS", Ok("2023-11-14 22:13:20:042")),
            ("yy/M/d", Ok("23/11/14")),
            ("HH'h' ''mm''", Ok("22h '13'")),
            ("yyyy-MM-dd'T'HH", Ok("2023-11-14T22")),
            ("Q", Err("Illegal pattern character 'Q'")),
            ("'open", Err("Unterminated quote")),
        ] {
            let shown = DateFormat::new(pattern).map(|format| format.text_of(&time));
            assert_eq!(shown, expected.map(str::to_owned).map_err(str::to_owned), "{pattern}");
        }
    }
}
