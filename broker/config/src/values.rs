//! Resolved values of all keys of one table, each with where it came from.
//!
//! Components build their own structs from these once, by name and type: `values.i32("num.io.threads")`. A name that
//! the table lacks, or another type than the table says, is a mistake in our code and panics at its first test.

use std::collections::HashMap;

use crate::definition::{ConfigKey, Table};
use crate::error::InvalidValue;
use crate::properties::Properties;
use crate::value::{Password, Value};

/// Where a value comes from, weakest first (`ConfigSource` of DescribeConfigs).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The key's default.
    Default,
    /// `server.properties`, the environment or `--override`.
    StaticBroker,
    /// `/config/brokers/<default>`.
    DynamicDefaultBroker,
    /// `/config/brokers/<id>`.
    DynamicBroker,
    /// `/config/topics/<topic>`.
    DynamicTopic,
    /// A log level, changed while the broker runs.
    DynamicBrokerLogger,
}

impl Source {
    /// The source's id in DescribeConfigs answers (`DescribeConfigsResponse.ConfigSource`).
    pub fn wire_id(self) -> i8 {
        match self {
            Source::DynamicTopic => 1,
            Source::DynamicBroker => 2,
            Source::DynamicDefaultBroker => 3,
            Source::StaticBroker => 4,
            Source::Default => 5,
            Source::DynamicBrokerLogger => 6,
        }
    }
}

/// The value of every key of a table.
#[derive(Clone, Debug)]
pub struct Values {
    table: &'static Table,
    explicit: HashMap<&'static str, (Source, Value)>,
}

impl Values {
    /// Resolves layers, weakest first; texts for keys that the table lacks are passed over.
    pub fn resolve(table: &'static Table, layers: &[(Source, &Properties)]) -> Result<Values, InvalidValue> {
        let mut explicit = HashMap::new();
        for (source, properties) in layers {
            for (name, text) in properties.iter() {
                if let Some(key) = table.get(name) {
                    explicit.insert(key.name, (*source, Value::parse(key, text)?));
                }
            }
        }
        Ok(Values { table, explicit })
    }

    /// Every key at its default.
    pub fn defaults(table: &'static Table) -> Values {
        Values { table, explicit: HashMap::new() }
    }

    /// The table these are the values of.
    pub fn table(&self) -> &'static Table {
        self.table
    }

    /// The value of a key; `None` when the table lacks it.
    pub fn get(&self, name: &str) -> Option<Value> {
        let key = self.table.get(name)?;
        Some(self.explicit.get(name).map_or_else(|| Value::default_of(key), |(_, value)| value.clone()))
    }

    /// Where a key's value comes from.
    pub fn source(&self, name: &str) -> Source {
        self.explicit.get(name).map_or(Source::Default, |(source, _)| *source)
    }

    /// Whether some layer sets the key, were it to its default (`originals.containsKey`).
    pub fn is_explicit(&self, name: &str) -> bool {
        self.explicit.contains_key(name)
    }

    /// Replaces a value that was computed from others (`log.roll.hours` into `segment.ms`).
    pub(crate) fn set(&mut self, name: &str, source: Source, value: Value) {
        if let Some(key) = self.table.get(name) {
            self.explicit.insert(key.name, (source, value));
        }
    }

    fn typed<T>(&self, name: &str, pick: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let key = self.key(name);
        let value = self.explicit.get(name).map(|(_, value)| value.clone());
        match value.unwrap_or_else(|| Value::default_of(key)) {
            Value::Null => None,
            value => match pick(&value) {
                Some(picked) => Some(picked),
                None => panic!("configuration key {name} is a {}", key.value_type.as_str()),
            },
        }
    }

    fn key(&self, name: &str) -> &'static ConfigKey {
        match self.table.get(name) {
            Some(key) => key,
            None => panic!("no configuration key {name} in the table"),
        }
    }

    fn never_null<T>(&self, name: &str, value: Option<T>) -> T {
        assert!(self.key(name).default.is_some(), "configuration key {name} may be null: ask with opt_*");
        value.unwrap_or_else(|| panic!("configuration key {name} has a default of another type"))
    }
}

macro_rules! getters {
    ($($variant:ident: $type:ty => $get:ident, $opt:ident;)*) => {
        /// Typed access. Every getter panics when the table has no such key of that type; those without `opt_` also
        /// panic for keys whose default is null.
        impl Values {$(
            #[doc = concat!("The value of a `", stringify!($variant), "` key that is never null.")]
            pub fn $get(&self, name: &str) -> $type {
                self.never_null(name, self.$opt(name))
            }

            #[doc = concat!("The value of a `", stringify!($variant), "` key, `None` for null.")]
            pub fn $opt(&self, name: &str) -> Option<$type> {
                self.typed(name, |value| match value {
                    Value::$variant(value) => Some(value.clone()),
                    _ => None,
                })
            }
        )*}
    };
}

getters! {
    Boolean: bool => bool, opt_bool;
    String: String => string, opt_string;
    Int: i32 => i32, opt_i32;
    Short: i16 => i16, opt_i16;
    Long: i64 => i64, opt_i64;
    Double: f64 => f64, opt_f64;
    List: Vec<String> => list, opt_list;
    Password: Password => password, opt_password;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::broker_table;

    fn properties(pairs: &[(&str, &str)]) -> Properties {
        pairs.iter().copied().collect()
    }

    #[test]
    fn stronger_layers_win_and_are_remembered() {
        let file = properties(&[("num.io.threads", "4"), ("log.retention.ms", "7"), ("not.ours", "x")]);
        let dynamic = properties(&[("num.io.threads", "6")]);
        let layers = [(Source::StaticBroker, &file), (Source::DynamicBroker, &dynamic)];
        let values = Values::resolve(broker_table(), &layers).expect("valid");
        assert_eq!(values.i32("num.io.threads"), 6);
        assert_eq!(values.source("num.io.threads"), Source::DynamicBroker);
        assert_eq!(values.opt_i64("log.retention.ms"), Some(7));
        assert_eq!(values.opt_i32("log.retention.minutes"), None);
        assert_eq!(values.i32("num.partitions"), 1);
        assert_eq!(values.source("num.partitions"), Source::Default);
        assert!(values.is_explicit("log.retention.ms") && !values.is_explicit("num.partitions"));
        assert_eq!(values.get("not.ours"), None);
    }

    #[test]
    #[should_panic(expected = "is a INT")]
    fn another_type_is_our_mistake() {
        let values = Values::resolve(broker_table(), &[]).expect("defaults");
        values.i64("num.io.threads");
    }

    #[test]
    #[should_panic(expected = "may be null")]
    fn a_nullable_key_is_asked_as_one() {
        let values = Values::resolve(broker_table(), &[]).expect("defaults");
        values.i64("log.retention.ms");
    }
}
