//! Which values of a key are legal, beyond its type, with Kafka's messages (`ConfigDef.Validator` and the few special
//! ones of the broker).

use crate::inter_broker_protocol;
use crate::value::Value;

/// A rule for the value of one key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Validator {
    /// Every value of the type.
    Any,
    /// A number not below this (`Range.atLeast`).
    AtLeast(i64),
    /// A number within these, both included (`Range.between`).
    Between(i64, i64),
    /// As `Between`, for fractions.
    BetweenFractions(f64, f64),
    /// A text out of these, or a list of only these (`ValidString`, `ValidList`).
    OneOf(&'static [&'static str]),
    /// A text out of these in any case (`CaseInsensitiveValidString`).
    OneOfAnyCase(&'static [&'static str]),
    /// A text that is not null (`NonNullValidator`).
    NonNull,
    /// A text that is not empty when it is set (`NonEmptyString`).
    NonEmpty,
    /// 1 to 9, or -1 for the library's default (`GzipCompression.LevelValidator`).
    GzipLevel,
    /// -1 for "as another key says", or at least 1.
    MinusOneOrAtLeastOne,
    /// `*` or a list of `partition:broker` (`ThrottledReplicaListValidator`).
    ThrottledReplicas,
    /// A release of Kafka: `3.9`, `3.9-IV0`, `0.10.2` (`MetadataVersionValidator`).
    KafkaVersion,
}

impl Validator {
    /// Why this value is not legal, in Kafka's words; `name` is the key's.
    pub(crate) fn check(&self, name: &str, value: &Value) -> Result<(), String> {
        match *self {
            Validator::Any => Ok(()),
            Validator::AtLeast(min) => check_number(value, Some(min as f64), None),
            Validator::Between(min, max) => check_number(value, Some(min as f64), Some(max as f64)),
            Validator::BetweenFractions(min, max) => check_number(value, Some(min), Some(max)),
            Validator::OneOf(allowed) => check_texts(value, |text| allowed.contains(&text))
                .map_err(|()| format!("String must be one of: {}", allowed.join(", "))),
            Validator::OneOfAnyCase(allowed) => {
                check_texts(value, |text| allowed.iter().any(|legal| legal.eq_ignore_ascii_case(text)))
                    .map_err(|()| format!("String must be one of (case insensitive): {}", allowed.join(", ")))
            }
            Validator::NonNull => match value {
                Value::Null => Err("entry must be non null".to_owned()),
                _ => Ok(()),
            },
            Validator::NonEmpty => check_texts(value, |text| !text.is_empty())
                .map_err(|()| "String must be non-empty".to_owned()),
            Validator::GzipLevel => match value {
                Value::Int(-1 | 1..=9) => Ok(()),
                _ => Err("Value must be between 1 and 9 or equal to -1".to_owned()),
            },
            Validator::MinusOneOrAtLeastOne => match value {
                Value::Int(-1 | 1..) => Ok(()),
                _ => Err("Value can be at least 1 or must be equal to -1".to_owned()),
            },
            Validator::ThrottledReplicas => check_throttled_replicas(name, value),
            Validator::KafkaVersion => {
                check_texts(value, |text| inter_broker_protocol::parse(text).is_some())
                    .map_err(|()| format!("Version {value} is not a valid version"))
            }
        }
    }

    /// What of an illegal value Kafka's message shows: of a list the first wrong text, or all in brackets.
    pub(crate) fn offender(&self, value: &Value) -> String {
        match (self, value) {
            (Validator::OneOf(allowed), Value::List(texts)) => {
                let wrong = texts.iter().find(|text| !allowed.contains(&text.as_str()));
                wrong.cloned().unwrap_or_default()
            }
            (Validator::ThrottledReplicas, Value::List(texts)) => format!("[{}]", texts.join(", ")),
            _ => value.to_string(),
        }
    }

    /// The rule as one line of documentation, as Kafka's generated pages print it.
    pub fn describe(&self) -> String {
        match *self {
            Validator::Any => String::new(),
            Validator::AtLeast(min) => format!("[{min},...]"),
            Validator::Between(min, max) => format!("[{min},...,{max}]"),
            Validator::BetweenFractions(min, max) => format!("[{min},...,{max}]"),
            Validator::OneOf(allowed) => format!("[{}]", allowed.join(", ")),
            Validator::OneOfAnyCase(allowed) => format!("(case insensitive) [{}]", allowed.join(", ")),
            Validator::NonNull => "non-null string".to_owned(),
            Validator::NonEmpty => "non-empty string".to_owned(),
            Validator::GzipLevel => "[1,...,9] or -1".to_owned(),
            Validator::MinusOneOrAtLeastOne => "[1,...] or -1".to_owned(),
            Validator::ThrottledReplicas => {
                "[partitionId]:[brokerId],[partitionId]:[brokerId],...".to_owned()
            }
            Validator::KafkaVersion => "a release of Kafka such as 3.9".to_owned(),
        }
    }
}

fn check_number(value: &Value, min: Option<f64>, max: Option<f64>) -> Result<(), String> {
    let number = match *value {
        Value::Short(number) => f64::from(number),
        Value::Int(number) => f64::from(number),
        Value::Long(number) => number as f64,
        Value::Double(number) => number,
        _ => return Err("Value must be non-null".to_owned()),
    };
    match (min, max) {
        (Some(min), _) if number < min => Err(format!("Value must be at least {min}")),
        (_, Some(max)) if number > max => Err(format!("Value must be no more than {max}")),
        _ => Ok(()),
    }
}

/// Null passes: Kafka's text rules are put on keys whose null means "not set".
fn check_texts(value: &Value, legal: impl Fn(&str) -> bool) -> Result<(), ()> {
    let all_legal = match value {
        Value::String(text) => legal(text),
        Value::List(texts) => texts.iter().all(|text| legal(text)),
        _ => true,
    };
    if all_legal { Ok(()) } else { Err(()) }
}

fn check_throttled_replicas(name: &str, value: &Value) -> Result<(), String> {
    let Value::List(entries) = value else { return Ok(()) };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_replica = |entry: &String| {
        entry.is_empty()
            || entry
                .split_once(':')
                .is_some_and(|(partition, broker)| is_number(partition) && is_number(broker))
    };
    if entries.iter().all(is_replica) || entries.concat() == "*" {
        return Ok(());
    }
    Err(format!(
        "{name} must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],..."
    ))
}
