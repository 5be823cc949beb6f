use super::*;

fn properties(pairs: &[(&str, &str)]) -> Properties {
    pairs.iter().copied().collect()
}

fn fixed(pairs: &[(&str, &str)]) -> BrokerConfig {
    let mut all =
        properties(&[("zookeeper.connect", "z"), ("log.dir", "/a"), ("listeners", "PLAINTEXT://:1")]);
    all.extend(properties(pairs));
    BrokerConfig::from_properties(all).expect("a configuration")
}

#[test]
fn what_may_change() {
    #[track_caller]
    fn check(level: Level, pair: (&str, &str), expected: Result<(), &str>) {
        let found = validate(&properties(&[pair]), level).map_err(|error| error.to_string());
        assert_eq!(found, expected.map_err(str::to_owned));
    }
    check(Level::Cluster, ("log.retention.ms", "5"), Ok(()));
    check(Level::Cluster, ("leader.replication.throttled.rate", "5"), Ok(()));
    check(Level::Cluster, ("plugin.key", "5"), Ok(()));
    check(Level::Broker, ("listener.name.in.max.connections", "5"), Ok(()));
    check(Level::Cluster, ("listener.name.in.max.connections", "5"), Ok(()));
    check(Level::Broker, ("log.dirs", "/a"), Err("Cannot update these configs dynamically: Set(log.dirs)"));
    check(
        Level::Broker,
        ("ssl.keystore.location", "/a"),
        Err(
            "These security configs can be dynamically updated only per-listener using the listener prefix: HashSet(ssl.keystore.location)",
        ),
    );
    check(Level::Broker, ("listener.name.in.ssl.keystore.location", "/a"), Ok(()));
    check(
        Level::Cluster,
        ("advertised.listeners", "A://a:1"),
        Err(
            "Cannot update these configs at default cluster level, broker id must be specified: Set(advertised.listeners)",
        ),
    );
    check(
        Level::Cluster,
        ("num.io.threads", "0"),
        Err("Invalid value 0 for configuration num.io.threads: Value must be at least 1"),
    );
}

#[test]
fn the_whole_is_checked() {
    let fixed = fixed(&[]);
    #[track_caller]
    fn check(fixed: &BrokerConfig, level: Level, pair: (&str, &str), expected: Result<(), &str>) {
        let current = LayeredConfig::fixed(fixed);
        let validated = current.validate(fixed, level, &properties(&[pair]));
        let found = validated.map(drop).map_err(|error| match error {
            DynamicConfigError::Reconfiguration(reason) => reason.to_string(),
            other => other.to_string(),
        });
        assert_eq!(found, expected.map_err(str::to_owned), "{pair:?}");
    }
    use Level::{Broker, Cluster};
    check(&fixed, Cluster, ("num.io.threads", "16"), Ok(()));
    check(
        &fixed,
        Cluster,
        ("num.io.threads", "17"),
        Err(
            "Dynamic thread count update validation failed for num.io.threads=17, value should not be greater than double the current value 8",
        ),
    );
    check(
        &fixed,
        Broker,
        ("listener.name.plaintext.num.network.threads", "50"),
        Err(
            "Dynamic thread count update validation failed for num.network.threads=50, value should not be greater than double the current value 3",
        ),
    );
    check(
        &fixed,
        Cluster,
        ("log.cleaner.threads", "3"),
        Err("Log cleaner threads cannot be increased to more than double the current value 1"),
    );
    check(
        &fixed,
        Cluster,
        ("log.retention.ms", "0"),
        Err("log.retention.ms must be unlimited (-1) or, greater than or equal to 1"),
    );
    check(
        &fixed,
        Cluster,
        ("log.local.retention.ms", "999999999999"),
        Err(
            "Invalid value 999999999999 for configuration log.local.retention.ms: Value must not be more than log.retention.ms property value: 604800000",
        ),
    );
    check(
        &fixed,
        Broker,
        ("listener.security.protocol.map", "PLAINTEXT:SSL"),
        Err("Security protocol cannot be updated for existing listener ListenerName(PLAINTEXT)"),
    );
    check(&fixed, Broker, ("listeners", "PLAINTEXT://:1,SSL://:2"), Ok(()));
    check(
        &fixed,
        Broker,
        ("listener.name.plaintext.ssl.client.auth", "required"),
        Err(
            "Configs cannot be updated dynamically for existing listener ListenerName(PLAINTEXT), restart broker or create a new listener for update",
        ),
    );
}

#[test]
fn a_refused_reconfiguration_is_told_in_the_place_of_a_value() {
    let refused = reconfiguration::may_resize("x", 4, 9).map_err(DynamicConfigError::from);
    assert_eq!(
        refused.map_err(|error| error.to_string()),
        Err("Invalid value org.apache.kafka.common.config.ConfigException: Dynamic thread count update validation failed for x=9, value should not be greater than double the current value 4 for configuration Invalid dynamic configuration".to_owned())
    );
}

#[test]
fn thread_pools_at_most_double_or_halve() {
    for (current, new, fits) in
        [(8, 4, true), (8, 16, true), (8, 3, false), (8, 17, false), (1, 0, false), (0, 0, true)]
    {
        assert_eq!(reconfiguration::may_resize("x", current, new).is_ok(), fits, "{current} {new}");
    }
}

#[test]
fn stored_nonsense_is_left_out_and_passwords_are_decoded() {
    let stored = properties(&[
        ("log.dirs", "/b"),
        ("log.segment.bytes", "x"),
        ("num.io.threads", "4"),
        ("plugin.key", "5"),
        ("ssl.keystore.location", "/a"),
        ("listener.name.in.ssl.keystore.password", "good"),
        ("listener.name.in.ssl.truststore.password", "bad"),
    ]);
    let decode = |text: &str| (text == "good").then(|| "hush".to_owned());
    let (accepted, refused) = accept(&stored, Level::Broker, decode);
    let expected =
        [("listener.name.in.ssl.keystore.password", "hush"), ("num.io.threads", "4"), ("plugin.key", "5")];
    assert_eq!(accepted, properties(&expected));
    assert_eq!(refused.len(), 4, "{refused:?}");
    let (accepted, _) = accept(&stored, Level::Cluster, decode);
    assert_eq!(accepted, properties(&[("num.io.threads", "4"), ("plugin.key", "5")]));
}

#[test]
fn broker_beats_cluster_beats_file_and_units_give_way() {
    let fixed = fixed(&[("log.retention.hours", "2"), ("num.io.threads", "3"), ("plugin.key", "file")]);
    let cluster =
        properties(&[("num.io.threads", "4"), ("message.max.bytes", "7"), ("log.retention.ms", "60")]);
    let broker = properties(&[("num.io.threads", "5"), ("plugin.key", "broker")]);
    let merged = merge(&fixed, &cluster, &broker).expect("a configuration");
    let values = &merged.values;
    assert_eq!((values.i32("num.io.threads"), values.i32("message.max.bytes")), (5, 7));
    assert_eq!(values.source("message.max.bytes"), Source::DynamicDefaultBroker);
    assert_eq!(values.source("num.io.threads"), Source::DynamicBroker);
    assert_eq!(values.opt_i64("log.retention.ms"), Some(60));
    assert_eq!(values.source("log.retention.hours"), Source::Default);
    assert_eq!(merged.properties().get("plugin.key"), Some("broker"));
    assert_eq!(merged.properties().get("log.retention.hours"), None);
}
