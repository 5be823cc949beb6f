//! JSON files that people write (plans, lists of partitions), read so that an error says where: line and column for what is
//! no JSON, the path for what is of the wrong kind. Pure.

use gregor_model::TopicPartition;
use serde_json::Value;

/// Why a file cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// It is no JSON; the reason names line and column.
    #[error("invalid JSON: {0}")]
    Syntax(String),
    /// Something is of another kind than it should be.
    #[error("{place}: expected {expected}, found {found}")]
    Kind {
        /// Where.
        place: String,
        /// What should be there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// A field is missing.
    #[error("{place}: the field \"{field}\" is missing")]
    Missing {
        /// Where.
        place: String,
        /// Which.
        field: &'static str,
    },
    /// A version this program does not know.
    #[error("{place}: version {version} is not supported")]
    Version {
        /// Where.
        place: String,
        /// What it says.
        version: i32,
    },
    /// The right kind, but not right.
    #[error("{place}: {reason}")]
    Invalid {
        /// Where.
        place: String,
        /// Why.
        reason: String,
    },
}

/// Reads a document.
pub fn parse(text: &str) -> Result<Value, JsonError> {
    serde_json::from_str(text).map_err(|error| JsonError::Syntax(error.to_string()))
}

/// A value and where it is in its document.
#[derive(Clone, Debug)]
pub struct Json<'a> {
    value: &'a Value,
    place: String,
}

impl<'a> Json<'a> {
    /// The whole document.
    pub fn document(value: &'a Value) -> Json<'a> {
        Json { value, place: String::new() }
    }

    /// Where it is: `partitions[2].topic`.
    pub fn place(&self) -> String {
        if self.place.is_empty() { "the document".to_owned() } else { self.place.clone() }
    }

    fn kind(&self, expected: &'static str) -> JsonError {
        let found = match self.value {
            Value::Object(_) => "an object".to_owned(),
            Value::Array(_) => "an array".to_owned(),
            other => other.to_string(),
        };
        JsonError::Kind { place: self.place(), expected, found }
    }

    /// An error about this value.
    pub fn invalid(&self, reason: impl Into<String>) -> JsonError {
        JsonError::Invalid { place: self.place(), reason: reason.into() }
    }

    /// A field of an object, if it is there.
    pub fn get(&self, field: &'static str) -> Result<Option<Json<'a>>, JsonError> {
        let fields = self.value.as_object().ok_or_else(|| self.kind("an object"))?;
        let dot = if self.place.is_empty() { "" } else { "." };
        Ok(fields.get(field).map(|value| Json { value, place: format!("{}{dot}{field}", self.place) }))
    }

    /// A field that must be there.
    pub fn field(&self, field: &'static str) -> Result<Json<'a>, JsonError> {
        self.get(field)?.ok_or_else(|| JsonError::Missing { place: self.place(), field })
    }

    /// The elements of an array.
    pub fn elements(&self) -> Result<Vec<Json<'a>>, JsonError> {
        let elements = self.value.as_array().ok_or_else(|| self.kind("an array"))?;
        let element = |(index, value)| Json { value, place: format!("{}[{index}]", self.place) };
        Ok(elements.iter().enumerate().map(element).collect())
    }

    /// A string.
    pub fn string(&self) -> Result<&'a str, JsonError> {
        self.value.as_str().ok_or_else(|| self.kind("a string"))
    }

    /// A whole number of 64 bits.
    pub fn i64(&self) -> Result<i64, JsonError> {
        self.value.as_i64().ok_or_else(|| self.kind("a whole number"))
    }

    /// A whole number of 32 bits.
    pub fn i32(&self) -> Result<i32, JsonError> {
        i32::try_from(self.i64()?).map_err(|_| self.kind("a number of 32 bits"))
    }

    /// The fields `topic` and `partition`.
    pub fn topic_partition(&self) -> Result<TopicPartition, JsonError> {
        Ok(TopicPartition::new(self.field("topic")?.string()?, self.field("partition")?.i32()?))
    }

    /// Fails unless `version` is 1, or not there.
    pub fn check_version(&self) -> Result<(), JsonError> {
        match self.get("version")? {
            None => Ok(()),
            Some(version) => match version.i32()? {
                1 => Ok(()),
                other => Err(JsonError::Version { place: version.place(), version: other }),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(TopicPartition, i64)>, JsonError> {
        let value = parse(text)?;
        let document = Json::document(&value);
        document.check_version()?;
        let partitions = document.field("partitions")?.elements()?;
        partitions.iter().map(|one| Ok((one.topic_partition()?, one.field("offset")?.i64()?))).collect()
    }

    #[test]
    fn errors_say_where() {
        let good = r#"{"version":1,"partitions":[{"topic":"t","partition":3,"offset":9}]}"#;
        assert_eq!(read(good), Ok(vec![(TopicPartition::new("t", 3), 9)]));
        for (text, expected) in [
            ("{\n  \"a\": }", "invalid JSON: expected value at line 2 column 8"),
            ("[]", "the document: expected an object, found an array"),
            ("{}", "the document: the field \"partitions\" is missing"),
            (r#"{"partitions":7}"#, "partitions: expected an array, found 7"),
            (r#"{"version":2}"#, "version: version 2 is not supported"),
            (
                r#"{"partitions":[{"topic":"t","partition":"x"}]}"#,
                "partitions[0].partition: expected a whole number, found \"x\"",
            ),
            (
                r#"{"partitions":[{"topic":"t","partition":3000000000}]}"#,
                "partitions[0].partition: expected a number of 32 bits, found 3000000000",
            ),
            (
                r#"{"partitions":[{"topic":"t","partition":0,"offset":1},{"topic":{}}]}"#,
                "partitions[1].topic: expected a string, found an object",
            ),
            (
                r#"{"partitions":[{"topic":"t","partition":0}]}"#,
                "partitions[0]: the field \"offset\" is missing",
            ),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), expected);
        }
    }
}
