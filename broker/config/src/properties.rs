//! Java's properties: the syntax of `server.properties`, and the map that comes out of it.

use std::collections::BTreeMap;
use std::path::Path;

use java_properties::PropertiesIter;

use crate::error::ConfigError;

/// Keys and their texts, sorted by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties(BTreeMap<String, String>);

impl Properties {
    /// No keys.
    pub fn new() -> Properties {
        Properties::default()
    }

    /// Reads `text` in Java's properties syntax: `=`, `:` or blanks between key and value, `\` at a line's end joins
    /// the next line, `#` and `!` begin comments, `\uXXXX` escapes. The last of several equal keys wins. The error
    /// says what is wrong.
    pub fn parse(text: &[u8]) -> Result<Properties, String> {
        let mut properties = BTreeMap::new();
        PropertiesIter::new(text)
            .read_into(|key, value| {
                properties.insert(key, value);
            })
            .map_err(|error| match error.line_number() {
                Some(line) => format!("line {line}: {error}"),
                None => error.to_string(),
            })?;
        Ok(Properties(properties))
    }

    /// Reads a file.
    pub fn load(path: &Path) -> Result<Properties, ConfigError> {
        let text = std::fs::read(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        Properties::parse(&text).map_err(|reason| ConfigError::Malformed { path: path.to_owned(), reason })
    }

    /// The text of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Whether the key is there, even with an empty text.
    pub fn contains(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Sets a key.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.insert(key.into(), value.into());
    }

    /// Takes a key away.
    pub fn remove(&mut self, key: &str) -> Option<String> {
        self.0.remove(key)
    }

    /// Keys and texts in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Properties {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Properties {
        Properties(pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}

impl<K: Into<String>, V: Into<String>> Extend<(K, V)> for Properties {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, pairs: I) {
        self.0.extend(pairs.into_iter().map(|(key, value)| (key.into(), value.into())));
    }
}

impl IntoIterator for Properties {
    type Item = (String, String);
    type IntoIter = std::collections::btree_map::IntoIter<String, String>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syntax() {
        let text = b"# comment\n! comment\na=1\nb : 2\nc 3\nd=x\\\n   y\ne\\ f=\\u0041\\t\na=4\ntrailing=v  \nempty=\n";
        let found = Properties::parse(text).expect("well formed");
        let expected: Properties = [
            ("a", "4"),
            ("b", "2"),
            ("c", "3"),
            ("d", "xy"),
            ("e f", "A\t"),
            ("empty", ""),
            ("trailing", "v  "),
        ]
        .into_iter()
        .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_bad_escape_names_its_line() {
        let error = Properties::parse(b"a=1\nb=\\uzzzz\n").expect_err("bad escape");
        assert!(error.starts_with("line 2: "), "{error}");
    }
}
