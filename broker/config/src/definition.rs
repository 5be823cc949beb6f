//! What is known of one configuration key, and the tables keys are looked up in.
//!
//! A key's facts (type, default, range, importance, whether it may change while the broker runs) mirror Kafka's
//! `ConfigDef.ConfigKey` and `DynamicBrokerConfig`; the treatment is ours: whether Gregor honours the key, accepts it
//! without effect, or refuses to start with it. The parser, DescribeConfigs and AlterConfigs read the same tables.

use std::collections::HashMap;

use crate::validator::Validator;

/// The type of a key's value (`ConfigDef.Type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// `true` or `false` in any case.
    Boolean,
    /// Text.
    String,
    /// 32-bit integer.
    Int,
    /// 16-bit integer.
    Short,
    /// 64-bit integer.
    Long,
    /// 64-bit float.
    Double,
    /// Comma-separated texts.
    List,
    /// The name of a Java class.
    Class,
    /// Text that is never shown.
    Password,
}

impl ValueType {
    /// Kafka's name of the type, as its messages print it.
    pub fn as_str(self) -> &'static str {
        match self {
            ValueType::Boolean => "BOOLEAN",
            ValueType::String => "STRING",
            ValueType::Int => "INT",
            ValueType::Short => "SHORT",
            ValueType::Long => "LONG",
            ValueType::Double => "DOUBLE",
            ValueType::List => "LIST",
            ValueType::Class => "CLASS",
            ValueType::Password => "PASSWORD",
        }
    }

    /// The type's id in DescribeConfigs answers (`DescribeConfigsResponse.ConfigType`).
    pub fn wire_id(self) -> i8 {
        match self {
            ValueType::Boolean => 1,
            ValueType::String => 2,
            ValueType::Int => 3,
            ValueType::Short => 4,
            ValueType::Long => 5,
            ValueType::Double => 6,
            ValueType::List => 7,
            ValueType::Class => 8,
            ValueType::Password => 9,
        }
    }
}

/// How much a key matters to an operator (`ConfigDef.Importance`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Importance {
    /// Most installations set it.
    High,
    /// Worth knowing.
    Medium,
    /// Rarely touched.
    Low,
}

/// Where a key may be changed while brokers run (`DynamicBrokerConfig.dynamicConfigUpdateModes`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Only by a restart.
    ReadOnly,
    /// For one broker at a time.
    PerBroker,
    /// For one broker, or for all as the cluster's default.
    ClusterWide,
}

/// What Gregor does with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// It has the meaning it has in Kafka.
    Honoured,
    /// Checked as Kafka checks it, then without effect, for this reason.
    Accepted(&'static str),
    /// A value other than the default (or those listed) stops the start, for this reason.
    Refused {
        /// Why it cannot be honoured.
        reason: &'static str,
        /// Values that Gregor can honour besides the default.
        unless: &'static [&'static str],
    },
}

/// One configuration key; tables of these are built with the `const` functions below.
#[derive(Clone, Copy, Debug)]
pub struct ConfigKey {
    /// The name, as in `server.properties`.
    pub name: &'static str,
    /// The type of its value.
    pub value_type: ValueType,
    /// The default as text; `None` is Kafka's null.
    pub default: Option<&'static str>,
    /// Which values are legal beside the type.
    pub validator: Validator,
    /// How much it matters.
    pub importance: Importance,
    /// Where it may be changed at run time.
    pub scope: Scope,
    /// What Gregor does with it.
    pub treatment: Treatment,
    /// Internal keys are described only when set.
    pub internal: bool,
    /// One or two sentences for the operator.
    pub doc: &'static str,
}

const fn key(
    name: &'static str,
    value_type: ValueType,
    default: &'static str,
    doc: &'static str,
) -> ConfigKey {
    ConfigKey {
        name,
        value_type,
        default: Some(default),
        validator: Validator::Any,
        importance: Importance::Medium,
        scope: Scope::ReadOnly,
        treatment: Treatment::Honoured,
        internal: false,
        doc,
    }
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $function:ident => $value_type:ident),* $(,)?) => {$(
        $(#[$doc])*
        pub(crate) const fn $function(name: &'static str, default: &'static str, doc: &'static str) -> ConfigKey {
            key(name, ValueType::$value_type, default, doc)
        }
    )*};
}

constructors! {
    /// A `true`/`false` key of medium importance, read-only and honoured until a method says otherwise.
    boolean => Boolean,
    /// A text key.
    string => String,
    /// A 32-bit integer key.
    int => Int,
    /// A 16-bit integer key.
    short => Short,
    /// A 64-bit integer key.
    long => Long,
    /// A floating-point key.
    double => Double,
    /// A comma-separated list key.
    list => List,
    /// A key that names a Java class.
    class => Class,
    /// A secret key.
    password => Password,
}

impl ConfigKey {
    /// The default is null.
    pub(crate) const fn null(mut self) -> ConfigKey {
        self.default = None;
        self
    }

    pub(crate) const fn high(mut self) -> ConfigKey {
        self.importance = Importance::High;
        self
    }

    pub(crate) const fn low(mut self) -> ConfigKey {
        self.importance = Importance::Low;
        self
    }

    pub(crate) const fn per_broker(mut self) -> ConfigKey {
        self.scope = Scope::PerBroker;
        self
    }

    pub(crate) const fn cluster_wide(mut self) -> ConfigKey {
        self.scope = Scope::ClusterWide;
        self
    }

    pub(crate) const fn internal(mut self) -> ConfigKey {
        self.internal = true;
        self
    }

    pub(crate) const fn valid(mut self, validator: Validator) -> ConfigKey {
        self.validator = validator;
        self
    }

    pub(crate) const fn at_least(self, min: i64) -> ConfigKey {
        self.valid(Validator::AtLeast(min))
    }

    pub(crate) const fn between(self, min: i64, max: i64) -> ConfigKey {
        self.valid(Validator::Between(min, max))
    }

    pub(crate) const fn one_of(self, values: &'static [&'static str]) -> ConfigKey {
        self.valid(Validator::OneOf(values))
    }

    pub(crate) const fn accepted(mut self, reason: &'static str) -> ConfigKey {
        self.treatment = Treatment::Accepted(reason);
        self
    }

    pub(crate) const fn refused(self, reason: &'static str) -> ConfigKey {
        self.refused_unless(reason, &[])
    }

    pub(crate) const fn refused_unless(
        mut self,
        reason: &'static str,
        unless: &'static [&'static str],
    ) -> ConfigKey {
        self.treatment = Treatment::Refused { reason, unless };
        self
    }

    /// Whether the value must never be shown.
    pub fn is_sensitive(&self) -> bool {
        self.value_type == ValueType::Password
    }
}

/// A set of keys, found by name.
#[derive(Debug)]
pub struct Table {
    keys: HashMap<&'static str, &'static ConfigKey>,
    names: Vec<&'static str>,
}

impl Table {
    pub(crate) fn new(groups: &[&'static [ConfigKey]]) -> Table {
        let keys: HashMap<_, _> =
            groups.iter().flat_map(|group| group.iter()).map(|key| (key.name, key)).collect();
        let mut names: Vec<_> = keys.keys().copied().collect();
        names.sort_unstable();
        Table { keys, names }
    }

    /// The key of that name.
    pub fn get(&self, name: &str) -> Option<&'static ConfigKey> {
        self.keys.get(name).copied()
    }

    /// Every key, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = &'static ConfigKey> + '_ {
        self.names.iter().filter_map(|name| self.get(name))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}
