//! Lines into records (`ConsoleProducer.LineMessageReader`): keys and headers in front of values, null markers. Pure.
//!
//! Unlike in Kafka's tool, bytes that are not UTF-8 are sent as they came.

use gregor_config::Properties;
use regex::bytes::Regex;

/// Key and value.
type Header<'a> = (&'a [u8], Option<&'a [u8]>);

/// What a line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) headers: Vec<Header<'a>>,
}

/// Why lines cannot be read as asked, in Kafka's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct LineError(String);

/// How lines are read.
#[derive(Debug)]
pub(super) struct LineReader {
    parse_key: bool,
    key_separator: String,
    parse_headers: bool,
    headers_delimiter: String,
    headers_separator: Regex,
    headers_key_separator: String,
    ignore_error: bool,
    null_marker: Option<String>,
}

impl LineReader {
    /// Reads the properties of the reader.
    pub(super) fn new(properties: &Properties) -> Result<LineReader, LineError> {
        let is =
            |key: &str| properties.get(key).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
        let text = |key: &str, default: &str| properties.get(key).unwrap_or(default).to_owned();
        let key_separator = text("key.separator", "\t");
        let delimiter = text("headers.delimiter", "\t");
        let separator = text("headers.separator", ",");
        let header_key = text("headers.key.separator", ":");
        let null_marker = properties.get("null.marker").map(str::to_owned);
        let marker = null_marker.as_deref();
        let different = [
            ("headers.delimiter and headers.separator", delimiter == separator),
            ("headers.delimiter and headers.key.separator", delimiter == header_key),
            ("headers.separator and headers.key.separator", separator == header_key),
            ("null.marker and key.separator", marker == Some(&key_separator)),
            ("null.marker and headers.separator", marker == Some(&separator)),
            ("null.marker and headers.delimiter", marker == Some(&delimiter)),
            ("null.marker and headers.key.separator", marker == Some(&header_key)),
        ];
        if let Some((names, _)) = different.iter().find(|(_, equal)| *equal) {
            return Err(LineError(format!("{names} may not be equal")));
        }
        let headers_separator = Regex::new(&separator).map_err(|error| LineError(error.to_string()))?;
        Ok(LineReader {
            parse_key: is("parse.key"),
            key_separator,
            parse_headers: is("parse.headers"),
            headers_delimiter: delimiter,
            headers_separator,
            headers_key_separator: header_key,
            ignore_error: is("ignore.error"),
            null_marker,
        })
    }

    /// Reads one line; lines are counted from 1.
    pub(super) fn read<'a>(&self, line: &'a [u8], number: u64) -> Result<Line<'a>, LineError> {
        let mut rest = line;
        let headers = match self.parse_headers {
            true => self.cut(&mut rest, line, &self.headers_delimiter, "headers delimiter", number)?,
            false => None,
        };
        let key = match self.parse_key {
            true => self.cut(&mut rest, line, &self.key_separator, "key separator", number)?,
            false => None,
        };
        let headers = headers.filter(|headers| !self.is_null(headers));
        Ok(Line {
            key: key.filter(|key| !self.is_null(key)),
            value: (!self.is_null(rest)).then_some(rest),
            headers: headers.map_or(Ok(Vec::new()), |headers| self.headers(headers, number))?,
        })
    }

    /// Takes what stands before `separator` off the front.
    fn cut<'a>(
        &self,
        rest: &mut &'a [u8],
        line: &[u8],
        separator: &str,
        name: &str,
        number: u64,
    ) -> Result<Option<&'a [u8]>, LineError> {
        let text: &'a [u8] = rest;
        match find(text, separator.as_bytes()) {
            Some(at) => {
                *rest = text.get(at + separator.len()..).unwrap_or_default();
                Ok(text.get(..at))
            }
            None if self.ignore_error => Ok(None),
            None => {
                let line = String::from_utf8_lossy(line);
                Err(LineError(format!("No {name} found on line number {number}: '{line}'")))
            }
        }
    }

    fn is_null(&self, text: &[u8]) -> bool {
        self.null_marker.as_deref().is_some_and(|marker| marker.as_bytes() == text)
    }

    fn headers<'a>(&self, text: &'a [u8], number: u64) -> Result<Vec<Header<'a>>, LineError> {
        let mut pairs: Vec<&[u8]> = self.headers_separator.split(text).collect();
        // As Java's split: nothing at the end is nothing, but for a text that is empty as a whole.
        while pairs.len() > 1 && pairs.last().is_some_and(|pair| pair.is_empty()) {
            pairs.pop();
        }
        let separator = self.headers_key_separator.as_bytes();
        let mut headers = Vec::with_capacity(pairs.len());
        for pair in pairs {
            let shown = String::from_utf8_lossy(pair);
            let Some(at) = find(pair, separator) else {
                if self.ignore_error {
                    headers.push((pair, None));
                    continue;
                }
                return Err(LineError(format!(
                    "No header key separator found in pair '{shown}' on line number {number}"
                )));
            };
            let (key, value) =
                (pair.get(..at).unwrap_or_default(), pair.get(at + separator.len()..).unwrap_or_default());
            if self.is_null(key) {
                let marker = self.null_marker.as_deref().unwrap_or_default();
                return Err(LineError(format!(
                    "Header keys should not be equal to the null marker '{marker}' as they can't be null"
                )));
            }
            headers.push((key, (!self.is_null(value)).then_some(value)));
        }
        Ok(headers)
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    if part.is_empty() {
        return Some(0);
    }
    text.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(properties: &str) -> Result<LineReader, String> {
        let properties = Properties::parse(properties.as_bytes()).expect("properties");
        LineReader::new(&properties).map_err(|error| error.to_string())
    }

    /// `key|value|name=value,name=value`, `-` for null.
    fn shown(line: &Line<'_>) -> String {
        let text =
            |bytes: Option<&[u8]>| bytes.map_or("-".to_owned(), |b| String::from_utf8_lossy(b).into_owned());
        let headers: Vec<_> =
            line.headers.iter().map(|(key, value)| format!("{}={}", text(Some(key)), text(*value))).collect();
        format!("{}|{}|{}", text(line.key), text(line.value), headers.join(","))
    }

    #[track_caller]
    fn check(properties: &str, line: &str, expected: Result<&str, &str>) {
        let reader = reader(properties).unwrap();
        let read =
            reader.read(line.as_bytes(), 7).map(|line| shown(&line)).map_err(|error| error.to_string());
        assert_eq!(read, expected.map(str::to_owned).map_err(str::to_owned), "{line:?}");
    }

    #[test]
    fn lines_are_read_as_by_kafka() {
        check("", "a\tb", Ok("-|a\tb|"));
        check("", "", Ok("-||"));
        check("parse.key=true", "k\tv\tw", Ok("k|v\tw|"));
        check("parse.key=true", "v", Err("No key separator found on line number 7: 'v'"));
        check("parse.key=true\nignore.error=true", "v", Ok("-|v|"));
        check("parse.key=TRUE\nkey.separator=::", "k::v", Ok("k|v|"));
        let both = "parse.key=true\nparse.headers=true";
        check(both, "h:1,g:2\tk\tv", Ok("k|v|h=1,g=2"));
        check(both, "h:1,,\tk\tv", Ok("k|v|h=1"));
        check(
            "parse.headers=true",
            "h\tv",
            Err("No header key separator found in pair 'h' on line number 7"),
        );
        check("parse.headers=true\nignore.error=true", "h\tv", Ok("-|v|h=-"));
        check("parse.headers=true", "v", Err("No headers delimiter found on line number 7: 'v'"));
        let null = &format!("{both}\nnull.marker=N");
        check(null, "N\tN\tN", Ok("-|-|"));
        check(null, "h:N\tk\tv", Ok("k|v|h=-"));
        check(
            null,
            "N:1\tk\tv",
            Err("Header keys should not be equal to the null marker 'N' as they can't be null"),
        );
    }

    #[test]
    fn separators_must_differ() {
        assert_eq!(
            reader("headers.delimiter=,").err().as_deref(),
            Some("headers.delimiter and headers.separator may not be equal")
        );
        assert_eq!(
            reader("null.marker=;\nkey.separator=;").err().as_deref(),
            Some("null.marker and key.separator may not be equal")
        );
    }
}
