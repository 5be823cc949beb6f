//! Which topics a command means (`TopicFilter.IncludeList`, `TopicCommand.doGetTopics`). Pure.

use gregor_model::TopicName;
use regex::Regex;

/// A regular expression that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is an invalid regex.")]
pub struct InvalidRegex(String);

/// The names among `all` (sorted) that `include` means, all if it is not given; internal ones unless left out.
pub fn select(
    all: &[String],
    include: Option<&str>,
    exclude_internal: bool,
) -> Result<Vec<String>, InvalidRegex> {
    let pattern = include.map(compile).transpose()?;
    let wanted = |name: &String| {
        pattern.as_ref().is_none_or(|pattern| pattern.is_match(name))
            && !(exclude_internal && TopicName::new(name).is_internal())
    };
    Ok(all.iter().filter(|name| wanted(name)).cloned().collect())
}

/// The names that `raw` means (`IncludeList`): a comma is an alternative; blanks and outer quotes do not count; the whole
/// name must match.
pub fn compile(raw: &str) -> Result<Regex, InvalidRegex> {
    let text = raw.trim().replace(',', "|").replace(' ', "");
    let text = text.trim_matches(['"', '\'']);
    Regex::new(&format!("^(?:{text})$")).map_err(|_| InvalidRegex(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selections() {
        let all = ["__consumer_offsets", "orders", "orders-eu", "payments"].map(str::to_owned);
        for (include, exclude_internal, expected) in [
            (None, false, vec!["__consumer_offsets", "orders", "orders-eu", "payments"]),
            (None, true, vec!["orders", "orders-eu", "payments"]),
            (Some("orders"), false, vec!["orders"]),
            (Some("orders.*"), false, vec!["orders", "orders-eu"]),
            (Some("'orders, payments'"), false, vec!["orders", "payments"]),
            (Some("__.*"), true, vec![]),
        ] {
            assert_eq!(select(&all, include, exclude_internal).unwrap(), expected, "{include:?}");
        }
        assert_eq!(select(&all, Some("["), false).unwrap_err().to_string(), "[ is an invalid regex.");
    }
}
