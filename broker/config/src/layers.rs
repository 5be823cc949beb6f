//! The layers of a broker's static configuration, lowest first: the properties file, environment variables
//! `GREGOR_<KEY>`, `--override key=value`.
//!
//! The `config` crate puts them together. It takes dots for nesting, and Kafka's keys nest nowhere (`broker.id` beside
//! `broker.id.generation.enable`), so our sources mark their keys in a way that is no path of nested tables.

use std::path::Path;

use config::{Config, Map, Source, Value};

use crate::definition::Table;
use crate::error::ConfigError;
use crate::properties::Properties;

/// Put before a key so that the `config` crate, which cannot read it as a path, takes it whole.
const WHOLE: char = '=';

/// What environment variables for the broker start with.
const ENVIRONMENT_PREFIX: &str = "GREGOR_";

/// Puts the layers together. `overrides` are texts `key=value`; `environment` may hold variables that are not ours.
pub(crate) fn load(
    file: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
    overrides: &[String],
    table: &Table,
) -> Result<Properties, ConfigError> {
    let overrides = overrides.iter().map(|text| parse_override(text)).collect::<Result<Properties, _>>()?;
    let merged = Config::builder()
        .add_source(Flat(Properties::load(file)?))
        .add_source(Flat(from_environment(environment, table)))
        .add_source(Flat(overrides))
        .build()?;
    let unmarked = |key: String| key.strip_prefix(WHOLE).map(str::to_owned).unwrap_or(key);
    merged.collect()?.into_iter().map(|(key, value)| Ok((unmarked(key), value.into_string()?))).collect()
}

/// A layer whose keys are taken whole.
#[derive(Clone, Debug)]
struct Flat(Properties);

impl Source for Flat {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        Ok(self.0.iter().map(|(key, value)| (format!("{WHOLE}{key}"), Value::from(value))).collect())
    }
}

fn parse_override(text: &str) -> Result<(String, String), ConfigError> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err(ConfigError::MalformedOverride(text.to_owned())),
    }
}

/// The keys that environment variables set. A known key is its name in upper case with `_` for `.`; for others
/// (`listener.name.internal.max.connections`) `_` stands for `.`, `__` for `_` and `___` for `-`.
fn from_environment(environment: impl IntoIterator<Item = (String, String)>, table: &Table) -> Properties {
    let known = |variable: &str| {
        table.iter().map(|key| key.name).find(|name| name.replace('.', "_").eq_ignore_ascii_case(variable))
    };
    environment
        .into_iter()
        .filter_map(|(variable, value)| {
            let variable = variable.strip_prefix(ENVIRONMENT_PREFIX)?;
            let key = known(variable).map_or_else(|| spell_out(variable), str::to_owned);
            Some((key, value))
        })
        .collect()
}

fn spell_out(variable: &str) -> String {
    variable.to_ascii_lowercase().replace("___", "-").replace("__", "\0").replace('_', ".").replace('\0', "_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::broker_table;

    #[test]
    fn later_layers_win_and_keys_stay_flat() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("server.properties");
        std::fs::write(
            &file,
            "log.dir=/a\nlog.dirs=/b\nnum.partitions=1\nbroker.id=1\nbroker.id.x=1\nX.y=Z\n=a[0].b=c\n",
        )
        .expect("written");
        let environment = [("GREGOR_NUM_PARTITIONS", "2"), ("GREGOR_BROKER_ID", "2"), ("PATH", "/bin")];
        let environment = environment.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let overrides = ["broker.id = 3".to_owned()];
        let merged = load(&file, environment, &overrides, broker_table()).expect("good layers");
        let expected = [
            ("", "a[0].b=c"),
            ("X.y", "Z"),
            ("broker.id", "3"),
            ("broker.id.x", "1"),
            ("log.dir", "/a"),
            ("log.dirs", "/b"),
            ("num.partitions", "2"),
        ];
        assert_eq!(merged, expected.into_iter().collect());
    }

    #[test]
    fn environment_names() {
        #[track_caller]
        fn check(variable: &str, key: &str) {
            let found = from_environment([(variable.to_owned(), "v".to_owned())], broker_table());
            assert_eq!(found.iter().collect::<Vec<_>>(), [(key, "v")]);
        }
        check("GREGOR_ZOOKEEPER_CLIENTCNXNSOCKET", "zookeeper.clientCnxnSocket");
        check("GREGOR_LISTENER_NAME_A__B_SSL_KEYSTORE_LOCATION", "listener.name.a_b.ssl.keystore.location");
        check(
            "GREGOR_LISTENER_NAME_SASL__SSL_SCRAM___SHA___256_SASL_JAAS_CONFIG",
            "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config",
        );
    }

    #[test]
    fn overrides_are_pairs() {
        assert!(parse_override("a=b=c").is_ok_and(|pair| pair == ("a".to_owned(), "b=c".to_owned())));
        for wrong in ["a", "", "=b"] {
            assert!(parse_override(wrong).is_err(), "{wrong:?}");
        }
    }
}
