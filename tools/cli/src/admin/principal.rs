//! Who is authenticated, as flags name him and as requests do. Pure.

use crate::command_line::Given;

/// Who is authenticated (`KafkaPrincipal`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// `User`, mostly.
    pub kind: String,
    /// The name.
    pub name: String,
}

/// Not `type:name`; the text is what Kafka's tools print.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a string in format principalType:principalName but got {0}")]
pub struct NoPrincipal(String);

impl Principal {
    /// From `type:name`.
    pub fn parse(text: &str) -> Result<Principal, NoPrincipal> {
        let (kind, name) = text.split_once(':').ok_or_else(|| NoPrincipal(text.to_owned()))?;
        Ok(Principal { kind: kind.to_owned(), name: name.to_owned() })
    }

    /// Everyone whom a flag names.
    pub fn given(given: &Given, flag: &str) -> Result<Vec<Principal>, NoPrincipal> {
        given.values(flag).into_iter().map(|text| Principal::parse(text.trim())).collect()
    }
}

impl std::fmt::Display for Principal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.kind, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for text in ["User:alice", "User:b:c", "User:"] {
            assert_eq!(Principal::parse(text).map(|principal| principal.to_string()), Ok(text.to_owned()));
        }
        assert_eq!(
            Principal::parse("alice").unwrap_err().to_string(),
            "expected a string in format principalType:principalName but got alice"
        );
    }
}
