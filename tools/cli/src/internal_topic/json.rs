//! JSON values with their fields in order, printed as Kafka's tools print them (Jackson). Pure.

use std::fmt::{self, Display, Formatter, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    Null,
    Number(i64),
    Text(String),
    /// Printed as base64.
    Bytes(Vec<u8>),
    /// Printed as Kafka prints ids.
    Uuid([u8; 16]),
    Array(Vec<Json>),
    Object(Vec<(&'static str, Json)>),
}

impl Json {
    /// A field of an object.
    pub fn field_mut(&mut self, name: &str) -> Option<&mut Json> {
        match self {
            Json::Object(fields) => fields.iter_mut().find(|(key, _)| *key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// A field of an object.
    pub fn field(&self, name: &str) -> Option<&Json> {
        match self {
            Json::Object(fields) => fields.iter().find(|(key, _)| *key == name).map(|(_, value)| value),
            _ => None,
        }
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Json {
        Json::Text(text.to_owned())
    }
}

impl Display for Json {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Json::Null => out.write_str("null"),
            Json::Number(number) => write!(out, "{number}"),
            Json::Text(text) => write_text(text, out),
            Json::Bytes(bytes) => write_text(&STANDARD.encode(bytes), out),
            Json::Uuid(bytes) => write_text(&URL_SAFE_NO_PAD.encode(bytes), out),
            Json::Array(items) => {
                out.write_char('[')?;
                for (at, item) in items.iter().enumerate() {
                    write!(out, "{}{item}", comma(at))?;
                }
                out.write_char(']')
            }
            Json::Object(fields) => {
                out.write_char('{')?;
                for (at, (name, value)) in fields.iter().enumerate() {
                    out.write_str(comma(at))?;
                    write_text(name, out)?;
                    write!(out, ":{value}")?;
                }
                out.write_char('}')
            }
        }
    }
}

fn comma(at: usize) -> &'static str {
    if at == 0 { "" } else { "," }
}

fn write_text(text: &str, out: &mut Formatter<'_>) -> fmt::Result {
    out.write_char('"')?;
    for character in text.chars() {
        match character {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            '\u{8}' => out.write_str("\\b")?,
            '\u{c}' => out.write_str("\\f")?,
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            control @ '\0'..='\u{1f}' => write!(out, "\\u{:04X}", u32::from(control))?,
            other => out.write_char(other)?,
        }
    }
    out.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_as_jackson_does() {
        let value = Json::Object(vec![
            ("z", Json::Number(-1)),
            ("a", Json::Array(vec![Json::Null, Json::from("tab\t\"quote\" \u{1}é")])),
            ("b", Json::Bytes(vec![255, 254])),
            ("e", Json::Object(Vec::new())),
        ]);
        assert_eq!(value.to_string(), r#"{"z":-1,"a":[null,"tab\t\"quote\" \u0001é"],"b":"//4=","e":{}}"#);
    }
}
