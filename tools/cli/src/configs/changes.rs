//! What `--add-config`, `--add-config-file` and `--delete-config` ask for (`ConfigCommand.parseConfigsToBeAdded`). Pure.

use gregor_config::Properties;

/// A change that cannot be read; the text is what Kafka's tool prints.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// Not `key=value`.
    #[error(
        "requirement failed: Invalid entity config: all configs to be added must be in the format \"key=val\"."
    )]
    Format,
    /// A letter no key has.
    #[error("Invalid character found for config key: {0}")]
    Key(String),
}

/// Configs in `--add-config`: pairs by commas, where brackets hold values with commas.
pub fn added(text: &str) -> Result<Properties, ChangeError> {
    let mut properties = Properties::new();
    for pair in split_outside_brackets(text, ',') {
        let parts: Vec<&str> = split_outside_brackets(pair, '=');
        let [key, value] = parts[..] else { return Err(ChangeError::Format) };
        properties.set(key.trim(), value.replace(['[', ']'], "").trim());
    }
    Ok(properties)
}

/// Splits at separators after which no bracket closes before one opens.
fn split_outside_brackets(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (index, _) in text.match_indices(separator) {
        let rest = &text[index + separator.len_utf8()..];
        let next_bracket = rest.chars().find(|letter| ['[', ']'].contains(letter));
        if next_bracket != Some(']') {
            parts.push(&text[start..index]);
            start = index + separator.len_utf8();
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Fails on a key with a letter that no key has.
pub fn check_keys(properties: &Properties) -> Result<(), ChangeError> {
    let is_legal = |key: &str| {
        key.chars().all(|letter| letter.is_ascii_alphanumeric() || ['.', '_', '-'].contains(&letter))
    };
    match properties.iter().find(|(key, _)| !is_legal(key)) {
        Some((key, _)) => Err(ChangeError::Key(key.to_owned())),
        None => Ok(()),
    }
}

/// The keys in `--delete-config`.
pub fn deleted(texts: &[&str]) -> Vec<String> {
    texts.iter().flat_map(|text| text.split(',')).map(|key| key.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs() {
        for (text, expected) in [
            ("a=b", Ok(vec![("a", "b")])),
            ("a=b,c=d", Ok(vec![("a", "b"), ("c", "d")])),
            ("a=[b,c],d=e", Ok(vec![("a", "b,c"), ("d", "e")])),
            ("a = [b=c,d] ", Ok(vec![("a", "b=c,d")])),
            (
                "SCRAM-SHA-256=[iterations=8192,password=pw]",
                Ok(vec![("SCRAM-SHA-256", "iterations=8192,password=pw")]),
            ),
            ("a=", Ok(vec![("a", "")])),
            ("a", Err(ChangeError::Format)),
            ("a=b=c", Err(ChangeError::Format)),
            ("a=b,", Err(ChangeError::Format)),
        ] {
            let answer = added(text).map(|found| {
                found.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect::<Vec<_>>()
            });
            let expected = expected.map(|list| {
                list.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
            });
            assert_eq!(answer, expected, "{text}");
        }
    }

    #[test]
    fn keys() {
        let with = |key: &str| {
            let mut properties = Properties::new();
            properties.set(key, "1");
            check_keys(&properties)
        };
        assert_eq!(with("retention.ms"), Ok(()));
        assert_eq!(with("a b").unwrap_err().to_string(), "Invalid character found for config key: a b");
        assert_eq!(deleted(&["a, b", "c"]), ["a", "b", "c"]);
    }
}
