//! An answer as a flat table, field by field, so that two answers can be compared whatever their API.
//!
//! The table is made of the answer's `Debug` text: `results[1 orders].configs[retention.ms].value` -> `"604800000"`. The
//! elements of a list are named by what identifies them, as Kafka answers many lists in the order of a hash table.

use std::collections::BTreeMap;
use std::fmt::Debug;

/// Fields that name an element of a list.
const IDENTITY: &[&str] = &[
    "resource_type",
    "resource_name",
    "name",
    "topic",
    "partition_id",
    "broker_id",
    "feature",
    "user",
    "mechanism",
    "key",
    "entity_type",
    "entity_name",
    "entity",
];

/// Lists whose order means something.
const ORDERED: &[&str] = &["synonyms"];

/// Fields by path.
pub type Fields = BTreeMap<String, String>;

/// The fields of an answer, `replace`d names (addresses, directories) put in place of what differs between clusters.
pub fn fields(answer: &impl Debug, replace: &[(String, String)]) -> Fields {
    let mut text = format!("{answer:#?}");
    for (from, to) in replace {
        text = text.replace(from, to);
    }
    let mut lines = text.lines().map(str::trim).peekable();
    let mut fields = Fields::new();
    if let Some(first) = lines.next() {
        flatten(&parse(first, &mut lines), "", &mut fields);
    }
    fields
}

#[derive(Debug)]
struct Node {
    /// The field's name; empty for elements.
    name: String,
    /// The value of a leaf.
    leaf: Option<String>,
    is_list: bool,
    children: Vec<Node>,
}

fn parse<'a>(line: &str, rest: &mut impl Iterator<Item = &'a str>) -> Node {
    let line = line.strip_suffix(',').unwrap_or(line);
    let is_field = |name: &&str| {
        name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit())
    };
    let (name, value) = match line.split_once(": ").filter(|(name, _)| is_field(name)) {
        Some((name, value)) => (name.to_owned(), value),
        None => (String::new(), line),
    };
    let opens = !value.starts_with('"') && [" {", "[", "(", "{"].iter().any(|end| value.ends_with(end));
    if !opens {
        return Node { name, leaf: Some(value.to_owned()), is_list: false, children: Vec::new() };
    }
    let mut children = Vec::new();
    while let Some(line) = rest.next() {
        if matches!(line.trim_end_matches(','), "}" | "]" | ")") {
            break;
        }
        children.push(parse(line, rest));
    }
    Node { name, leaf: None, is_list: value.ends_with('['), children }
}

fn flatten(node: &Node, path: &str, fields: &mut Fields) {
    let path = match (path.is_empty(), node.name.is_empty()) {
        (_, true) => path.to_owned(),
        (true, false) => node.name.clone(),
        (false, false) => format!("{path}.{}", node.name),
    };
    if let Some(leaf) = &node.leaf {
        let id = leaf.parse().is_ok_and(|id: uuid::Uuid| !id.is_nil());
        fields.insert(path, if id { "ID".to_owned() } else { leaf.clone() });
        return;
    }
    if !node.is_list {
        node.children.iter().for_each(|child| flatten(child, &path, fields));
        return;
    }
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (index, child) in node.children.iter().enumerate() {
        let named =
            Some(identity(child)).filter(|name| !name.is_empty() && !ORDERED.contains(&node.name.as_str()));
        let mut name = named.unwrap_or_else(|| index.to_string());
        let count = seen.entry(name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            name = format!("{name} #{count}");
        }
        flatten(child, &format!("{path}[{name}]"), fields);
    }
}

/// What names an element, from the fields that do.
fn identity(node: &Node) -> String {
    let mut names: Vec<String> = Vec::new();
    for child in node.children.iter().filter(|child| IDENTITY.contains(&child.name.as_str())) {
        let mut part = Vec::new();
        leaves(child, &mut part);
        // The parts of an entity come in any order.
        if child.is_list {
            let mut parts: Vec<Vec<String>> = child.children.iter().map(leaves_of).collect();
            parts.sort();
            part = parts.concat();
        }
        names.extend(part);
    }
    names.join(" ")
}

fn leaves_of(node: &Node) -> Vec<String> {
    let mut found = Vec::new();
    leaves(node, &mut found);
    found
}

fn leaves(node: &Node, into: &mut Vec<String>) {
    match &node.leaf {
        Some(leaf) if leaf != "{}" => into.push(leaf.trim_matches('"').to_owned()),
        Some(_) => {}
        None => node.children.iter().for_each(|child| leaves(child, into)),
    }
}
