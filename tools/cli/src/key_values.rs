//! Properties on the command line, `key=value` (`CommandLineUtils.parseKeyValueArgs`), and in files that flags name.

use std::path::Path;

use gregor_config::Properties;

use crate::command_line::{Given, Refusal};

/// The properties that a flag was given with, once for each; one without a value has an empty one.
pub fn key_values(given: &Given, name: &str) -> Properties {
    let mut properties = Properties::new();
    for argument in given.values(name) {
        let (key, value) = argument.split_once('=').unwrap_or((argument, ""));
        properties.set(key, value);
    }
    properties
}

/// The properties in the file that a flag names, if it was given.
pub fn from_file(given: &Given, name: &'static str) -> Result<Properties, Refusal> {
    let Some(path) = given.value(name)? else { return Ok(Properties::new()) };
    Properties::load(Path::new(path)).map_err(|error| Refusal::Plain(error.to_string()))
}

/// Adds `others`, which win.
pub fn merge(properties: &mut Properties, others: &Properties) {
    for (key, value) in others.iter() {
        properties.set(key, value);
    }
}

/// Sets a property from a flag: if the flag was given, or else to `default` if nothing set the property before
/// (`maybeMergeOptions`).
pub fn set_from_flag(
    properties: &mut Properties,
    key: &str,
    given: &Given,
    flag: &'static str,
    default: &str,
) -> Result<(), Refusal> {
    match given.value(flag)? {
        Some(value) => properties.set(key, value),
        None if !properties.contains(key) => properties.set(key, default),
        None => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::{Flag, parse};

    #[test]
    fn values_may_hold_anything_and_flags_win_over_files() {
        let flags = [Flag::valued("property", "prop", ""), Flag::valued("acks", "n", "")];
        let words = ["--property", "key.separator==", "--property", "a", "--property", "b=c=d"];
        let given = parse(&flags, &words.map(str::to_owned)).unwrap();
        let mut properties = key_values(&given, "property");
        let shown: Vec<_> = properties.iter().collect();
        assert_eq!(shown, [("a", ""), ("b", "c=d"), ("key.separator", "=")]);

        set_from_flag(&mut properties, "a", &given, "acks", "-1").unwrap();
        set_from_flag(&mut properties, "acks", &given, "acks", "-1").unwrap();
        assert_eq!((properties.get("a"), properties.get("acks")), (Some(""), Some("-1")));
        let given = parse(&flags, &["--acks=1".to_owned()]).unwrap();
        set_from_flag(&mut properties, "acks", &given, "acks", "-1").unwrap();
        assert_eq!(properties.get("acks"), Some("1"));
    }
}
