//! A parsed value and how text becomes one (`ConfigDef.parseType`).

use std::fmt;

use crate::definition::{ConfigKey, ValueType};
use crate::error::InvalidValue;

/// A secret: neither `Debug` nor `Display` shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// What is printed instead of a secret.
    pub const HIDDEN: &'static str = "[hidden]";

    /// Wraps a secret.
    pub fn new(secret: &str) -> Password {
        Password(secret.to_owned())
    }

    /// The secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::HIDDEN)
    }
}

/// The value of a key, in the key's type.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Not set, and no default.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// Text, or the name of a class.
    String(String),
    /// 32-bit integer.
    Int(i32),
    /// 16-bit integer.
    Short(i16),
    /// 64-bit integer.
    Long(i64),
    /// 64-bit float.
    Double(f64),
    /// Texts, trimmed.
    List(Vec<String>),
    /// A secret.
    Password(Password),
}

impl Value {
    /// Parses `text` for `key` and checks it against the key's rule.
    pub fn parse(key: &ConfigKey, text: &str) -> Result<Value, InvalidValue> {
        let invalid = |reason: String| {
            let shown = if key.is_sensitive() { Password::HIDDEN } else { text };
            InvalidValue { name: key.name.to_owned(), value: shown.to_owned(), reason }
        };
        let value = Self::parse_type(key.value_type, text.trim()).map_err(invalid)?;
        key.validator.check(key.name, &value).map_err(|reason| InvalidValue {
            name: key.name.to_owned(),
            value: key.validator.offender(&value),
            reason,
        })?;
        Ok(value)
    }

    /// The key's default.
    pub(crate) fn default_of(key: &ConfigKey) -> Value {
        match key.default {
            None => Value::Null,
            Some(text) => Self::parse_type(key.value_type, text).unwrap_or(Value::Null),
        }
    }

    /// The key's default as Kafka prints it; `None` for null.
    pub fn default_text(key: &ConfigKey) -> Option<String> {
        match Value::default_of(key) {
            Value::Null => None,
            Value::Password(password) => Some(password.reveal().to_owned()),
            value => Some(value.to_string()),
        }
    }

    fn parse_type(value_type: ValueType, text: &str) -> Result<Value, String> {
        let not_a_number = || format!("Not a number of type {}", value_type.as_str());
        match value_type {
            ValueType::Boolean if text.eq_ignore_ascii_case("true") => Ok(Value::Boolean(true)),
            ValueType::Boolean if text.eq_ignore_ascii_case("false") => Ok(Value::Boolean(false)),
            ValueType::Boolean => Err("Expected value to be either true or false".to_owned()),
            ValueType::String | ValueType::Class => Ok(Value::String(text.to_owned())),
            ValueType::Int => text.parse().map(Value::Int).map_err(|_| not_a_number()),
            ValueType::Short => text.parse().map(Value::Short).map_err(|_| not_a_number()),
            ValueType::Long => text.parse().map(Value::Long).map_err(|_| not_a_number()),
            ValueType::Double => text.parse().map(Value::Double).map_err(|_| not_a_number()),
            ValueType::List if text.is_empty() => Ok(Value::List(Vec::new())),
            ValueType::List => Ok(Value::List(text.split(',').map(|item| item.trim().to_owned()).collect())),
            ValueType::Password => Ok(Value::Password(Password::new(text))),
        }
    }

    /// The value as DescribeConfigs gives it: `None` for null and for secrets.
    pub fn to_text(&self) -> Option<String> {
        match self {
            Value::Null | Value::Password(_) => None,
            other => Some(other.to_string()),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Boolean(value) => value.fmt(f),
            Value::String(value) => f.write_str(value),
            Value::Int(value) => value.fmt(f),
            Value::Short(value) => value.fmt(f),
            Value::Long(value) => value.fmt(f),
            Value::Double(value) => fmt_java_double(*value, f),
            Value::List(values) => f.write_str(&values.join(",")),
            Value::Password(_) => f.write_str(Password::HIDDEN),
        }
    }
}

/// As Java's `Double.toString`: always a fraction, and an exponent outside 10^-3 to 10^7.
fn fmt_java_double(value: f64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let magnitude = value.abs();
    if value.is_nan() {
        f.write_str("NaN")
    } else if value.is_infinite() {
        f.write_str(if value < 0.0 { "-Infinity" } else { "Infinity" })
    } else if magnitude != 0.0 && !(1e-3..1e7).contains(&magnitude) {
        let text = format!("{value:E}");
        match text.split_once('E') {
            Some((digits, exponent)) if !digits.contains('.') => write!(f, "{digits}.0E{exponent}"),
            _ => f.write_str(&text),
        }
    } else {
        write!(f, "{value:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::{boolean, double, int, list, long, password, string};

    #[test]
    fn parses_as_kafka_does() {
        #[track_caller]
        fn check(key: &ConfigKey, text: &str, expected: Result<Value, &str>) {
            let found = Value::parse(key, text).map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(str::to_owned));
        }
        let texts = |items: &[&str]| Value::List(items.iter().map(|&item| item.to_owned()).collect());
        check(&boolean("b", "true", ""), " TRUE ", Ok(Value::Boolean(true)));
        check(
            &boolean("b", "true", ""),
            "yes",
            Err("Invalid value yes for configuration b: Expected value to be either true or false"),
        );
        check(&int("i", "1", ""), "+7", Ok(Value::Int(7)));
        check(
            &int("i", "1", ""),
            "2147483648",
            Err("Invalid value 2147483648 for configuration i: Not a number of type INT"),
        );
        check(&int("i", "1", ""), "", Err("Invalid value  for configuration i: Not a number of type INT"));
        check(
            &long("l", "1", "").at_least(1),
            "0",
            Err("Invalid value 0 for configuration l: Value must be at least 1"),
        );
        check(
            &int("i", "1", "").between(1, 17),
            "18",
            Err("Invalid value 18 for configuration i: Value must be no more than 17"),
        );
        check(&double("d", "1", ""), "1.7976931348623157E308", Ok(Value::Double(f64::MAX)));
        check(&list("l", "", ""), "", Ok(texts(&[])));
        check(&list("l", "", ""), "a , b,", Ok(texts(&["a", "b", ""])));
        check(
            &string("s", "a", "").one_of(&["a", "b"]),
            "c",
            Err("Invalid value c for configuration s: String must be one of: a, b"),
        );
        check(
            &list("s", "a", "").one_of(&["a", "b"]),
            "a,c",
            Err("Invalid value c for configuration s: String must be one of: a, b"),
        );
    }

    #[test]
    fn throttled_replicas() {
        let key = list("leader.replication.throttled.replicas", "", "")
            .valid(crate::validator::Validator::ThrottledReplicas);
        for legal in ["", "*", "0:1", "0:1,12:3", "0:1,"] {
            assert!(Value::parse(&key, legal).is_ok(), "{legal:?}");
        }
        for illegal in ["*,0:1", "0", "0:", ":1", "a:b", "0:1:2"] {
            assert!(Value::parse(&key, illegal).is_err(), "{illegal:?}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let value = Value::parse(&password("p", "", ""), "hush").expect("a password");
        assert_eq!(format!("{value:?} {value}"), "Password([hidden]) [hidden]");
        assert_eq!(value.to_text(), None);
    }

    #[test]
    fn doubles_print_as_in_java() {
        for (value, expected) in [
            (0.5, "0.5"),
            (1.0, "1.0"),
            (0.0, "0.0"),
            (f64::MAX, "1.7976931348623157E308"),
            (1e7, "1.0E7"),
            (0.0001, "1.0E-4"),
        ] {
            assert_eq!(Value::Double(value).to_string(), expected);
        }
    }
}
