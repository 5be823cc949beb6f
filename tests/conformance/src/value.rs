//! Any answer as a tree of named fields, without what may differ between two clusters in the same state.
//!
//! Every message type of the protocol crate prints itself field by field (`{:#?}`); that text is what is read here, so a field
//! can neither be forgotten nor need code of its own. Pure.

use std::fmt::Write as _;

/// A field's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// What has no parts, as printed.
    Leaf(String),
    /// Named parts.
    Fields(Vec<(String, Value)>),
    /// Elements.
    List(Vec<Value>),
}

/// Reads what `{:#?}` printed.
pub fn parse(text: &str) -> Value {
    let mut lines = text.lines().map(str::trim);
    let first = lines.next().unwrap_or_default();
    value_of(first, &mut lines)
}

/// The value that begins with `line` (a field's name taken off) and goes on in `lines`.
fn value_of<'a>(line: &'a str, lines: &mut impl Iterator<Item = &'a str>) -> Value {
    let line = line.trim_end_matches(',');
    match line.chars().last() {
        Some('[') => Value::List(elements(lines)),
        Some('{') => {
            let mut fields = Vec::new();
            while let Some(line) = lines.next() {
                if line.starts_with('}') {
                    break;
                }
                // A map's key may be any value; none that is compared has one with parts.
                let (name, rest) = line.split_once(": ").unwrap_or(("", line));
                fields.push((name.to_owned(), value_of(rest, lines)));
            }
            Value::Fields(fields)
        }
        // Some(...), BrokerId(...): one unnamed part each, which stands for the whole.
        Some('(') => elements(lines).into_iter().next().unwrap_or(Value::Leaf(String::new())),
        _ => Value::Leaf(line.to_owned()),
    }
}

fn elements<'a>(lines: &mut impl Iterator<Item = &'a str>) -> Vec<Value> {
    let mut elements = Vec::new();
    while let Some(line) = lines.next() {
        if line.starts_with([']', ')']) {
            break;
        }
        elements.push(value_of(line, lines));
    }
    elements
}

impl Value {
    /// Applies `stand_in` to each leaf with its field's name, and puts lists of structures into one order: where they come
    /// from hash maps neither cluster promises one.
    pub fn settle(self, field: &str, stand_in: &impl Fn(&str, String) -> String) -> Value {
        match self {
            Value::Leaf(text) => Value::Leaf(stand_in(field, text)),
            Value::Fields(fields) => {
                let settled = fields.into_iter().map(|(name, value)| {
                    let value = value.settle(&name, stand_in);
                    (name, value)
                });
                Value::Fields(settled.collect())
            }
            Value::List(elements) => {
                let mut settled: Vec<Value> =
                    elements.into_iter().map(|element| element.settle(field, stand_in)).collect();
                if settled.iter().any(|element| matches!(element, Value::Fields(_))) {
                    settled.sort_by_cached_key(Value::text);
                }
                Value::List(settled)
            }
        }
    }

    /// The value in one line.
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) {
        // Writing to a String cannot fail.
        match self {
            Value::Leaf(leaf) => text.push_str(leaf),
            Value::Fields(fields) => {
                text.push('{');
                for (name, value) in fields {
                    let _ = write!(text, "{name}: ");
                    value.write(text);
                    text.push_str(", ");
                }
                text.push('}');
            }
            Value::List(elements) => {
                text.push('[');
                for element in elements {
                    element.write(text);
                    text.push_str(", ");
                }
                text.push(']');
            }
        }
    }
}

/// Where two values differ: path, ours, theirs.
pub type Difference = (String, String, String);

/// Adds where two values differ.
pub fn differences(path: &str, ours: &Value, theirs: &Value, found: &mut Vec<Difference>) {
    match (ours, theirs) {
        (Value::Fields(ours), Value::Fields(theirs)) if ours.len() == theirs.len() => {
            for ((name, one), (_, other)) in ours.iter().zip(theirs) {
                differences(&format!("{path}.{name}"), one, other, found);
            }
        }
        (Value::List(ours), Value::List(theirs)) if ours.len() == theirs.len() => {
            for (index, (one, other)) in ours.iter().zip(theirs).enumerate() {
                differences(&format!("{path}[{index}]"), one, other, found);
            }
        }
        (ours, theirs) if ours == theirs => {}
        (ours, theirs) => found.push((path.to_owned(), ours.text(), theirs.text())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::metadata_response::MetadataResponseBroker;
    use kafka_protocol::messages::{BrokerId, MetadataResponse, ResponseKind};
    use kafka_protocol::protocol::StrBytes;

    fn keep(_: &str, text: String) -> String {
        text
    }

    fn metadata(ids: &[i32]) -> ResponseKind {
        let broker = |id: &i32| {
            MetadataResponseBroker::default()
                .with_node_id(BrokerId(*id))
                .with_host(StrBytes::from_static_str("h, {odd}"))
        };
        ResponseKind::Metadata(
            MetadataResponse::default()
                .with_brokers(ids.iter().map(broker).collect())
                .with_controller_id(BrokerId(7)),
        )
    }

    fn settled(answer: &ResponseKind) -> Value {
        parse(&format!("{answer:#?}")).settle("", &keep)
    }

    #[test]
    fn answers_become_fields() {
        let Value::Fields(fields) = settled(&metadata(&[1])) else { panic!("no fields") };
        let controller = fields.iter().find(|(name, _)| name == "controller_id");
        assert_eq!(controller.map(|(_, value)| value.text()), Some("7".to_owned()));
    }

    #[test]
    fn the_order_of_structures_does_not_count() {
        assert_eq!(settled(&metadata(&[1, 2])), settled(&metadata(&[2, 1])));
    }

    #[test]
    fn a_difference_says_where_it_is() {
        let mut found = Vec::new();
        differences("", &settled(&metadata(&[1])), &settled(&metadata(&[2])), &mut found);
        assert_eq!(found, [(".brokers[0].node_id".to_owned(), "1".to_owned(), "2".to_owned())]);
    }
}
