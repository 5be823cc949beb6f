use super::*;

const MINIMAL: &[(&str, &str)] = &[("zookeeper.connect", "localhost:2181")];

fn load(extra: &[(&str, &str)]) -> Result<BrokerConfig, ConfigError> {
    BrokerConfig::from_properties(MINIMAL.iter().chain(extra).copied().collect())
}

fn good(extra: &[(&str, &str)]) -> BrokerConfig {
    load(extra).expect("a good configuration")
}

#[track_caller]
fn refused(extra: &[(&str, &str)], message: &str) {
    let error = load(extra).expect_err("a bad configuration").to_string();
    assert!(error.contains(message), "{error:?} does not say {message:?}");
    assert!(!error.contains('\n'), "{error:?} is more than a line");
}

#[test]
fn the_least_configuration_has_kafkas_defaults() {
    let config = good(&[]);
    assert_eq!(config.identity.broker_id, None);
    assert_eq!(config.log_dirs, [PathBuf::from("/tmp/kafka-logs")]);
    assert_eq!(config.inter_broker_protocol.as_str(), "3.9-IV0");
    assert_eq!(config.zookeeper.session_timeout.as_millis(), 18_000);
    assert_eq!(config.zookeeper.connection_timeout.as_millis(), 18_000);
    let listener = &config.listeners.listeners[0];
    assert_eq!((listener.listener.as_str(), listener.host.as_str(), listener.port), ("PLAINTEXT", "", 9092));
    assert!(config.warnings().is_empty());
}

#[test]
fn node_id_and_broker_id_are_one() {
    assert_eq!(good(&[("node.id", "4")]).identity.broker_id, Some(BrokerId(4)));
    refused(
        &[("node.id", "4"), ("broker.id", "5")],
        "You must set `node.id` to the same value as `broker.id`",
    );
}

#[test]
fn what_cannot_work_is_refused_in_a_line() {
    let missing = BrokerConfig::from_properties(Properties::new()).expect_err("no ZooKeeper").to_string();
    assert_eq!(missing, "Missing required configuration \"zookeeper.connect\" which has no default value.");
    let rows: &[(&[(&str, &str)], &str)] = &[
        (&[("broker.id", "1001")], "not greater than reserved.broker.max.id"),
        (&[("broker.id", "-2")], "greater than or equal to -1"),
        (&[("broker.id.generation.enable", "false")], "broker.id must be greater than or equal to 0"),
        (&[("log.dirs", " , ")], "At least one log directory"),
        (&[("log.retention.ms", "0")], "log.retention.ms must be unlimited (-1)"),
        (&[("log.roll.ms", "0")], "log.roll.ms must be greater"),
        (&[("log.roll.jitter.ms", "-1")], "log.roll.jitter.ms must be"),
        (&[("log.cleaner.threads", "200")], "at least 1MB per cleaner thread"),
        (&[("log.cleaner.threads", "0")], "at least 1MB per cleaner thread"),
        (&[("replica.fetch.wait.max.ms", "30001")], "replica.socket.timeout.ms should always"),
        (&[("offsets.commit.required.acks", "4")], "offsets.commit.required.acks must be"),
        (&[("queued.max.request.bytes", "5")], "queued.max.request.bytes must be larger"),
        (&[("max.connections.per.ip", "0")], "can be set to zero only if"),
        (&[("max.connections.per.ip.overrides", "a")], "max.connections.per.ip.overrides"),
        (&[("max.connections.per.ip.overrides", "a b:3")], "contains invalid addresses"),
        (&[("connections.max.idle.ms", "100")], "should always be less than connections.max.idle.ms=100"),
        (&[("controller.listener.names", "C")], "controller.listener.names must be empty"),
        (&[("group.coordinator.rebalance.protocols", "classic,consumer")], "only supported in KRaft"),
        (
            &[("group.consumer.session.timeout.ms", "44999")],
            "group.consumer.session.timeout.ms must be greater",
        ),
        (
            &[("group.consumer.heartbeat.interval.ms", "15001")],
            "must be less than or equals to group.consumer.max",
        ),
        (
            &[("group.consumer.max.heartbeat.interval.ms", "4999")],
            "group.consumer.max.heartbeat.interval.ms must be",
        ),
        (&[("group.consumer.assignors", "")], "group.consumer.assignors must name an assignor"),
        (&[("group.consumer.assignors", "com.example.A")], "group.consumer.assignors"),
        (&[("num.io.threads", "none")], "num.io.threads: Not a number of type INT"),
        (&[("listener.name.a.max.connections", "x")], "listener.name.a.max.connections: Not a number"),
        (&[("inter.broker.protocol.version", "9.9")], "Version 9.9 is not a valid version"),
        (&[("zookeeper.connect", "/kafka")], "zookeeper.connect: no server named"),
        (&[("zookeeper.session.timeout.ms", "0")], "zookeeper.session.timeout.ms: Value must be at least 1"),
    ];
    for (extra, message) in rows {
        refused(extra, message);
    }
}

#[test]
fn java_classes_are_refused_by_name_unless_they_are_the_default() {
    refused(
        &[("create.topic.policy.class.name", "com.example.Policy")],
        "configuration create.topic.policy.class.name=com.example.Policy cannot be honoured: Java classes",
    );
    refused(&[("process.roles", "broker")], "ZooKeeper mode only");
    refused(&[("remote.log.storage.system.enable", "true")], "no tiered storage");
    for (name, value) in [
        (
            "principal.builder.class",
            "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder",
        ),
        ("metric.reporters", "org.apache.kafka.common.metrics.JmxReporter"),
        ("authorizer.class.name", ""),
        ("remote.log.storage.system.enable", "false"),
    ] {
        good(&[(name, value)]);
    }
}

#[test]
fn listeners_fit_together() {
    let map = ("listener.security.protocol.map", "IN:PLAINTEXT,OUT:PLAINTEXT,S:SASL_SSL");
    let rows: &[(&[(&str, &str)], &str)] = &[
        (&[("listeners", "PLAINTEXT://a")], "Unable to parse PLAINTEXT://a to a broker endpoint"),
        (&[("listeners", "PLAINTEXT://a b:1")], "Unable to parse"),
        (&[("listeners", "PLAINTEXT://a:70000")], "outside 0 to 65535"),
        (&[("listeners", "X://a:1")], "No security protocol defined for listener X"),
        (&[("listeners", "PLAINTEXT://:1,PLAINTEXT://:2")], "must have a different name"),
        (&[("listeners", "PLAINTEXT://:1,SSL://:1")], "must have a different port"),
        (&[("listeners", "")], "at least one broker advertised listener"),
        (&[("advertised.listeners", "PLAINTEXT://0.0.0.0:1")], "nonroutable meta-address"),
        (&[("advertised.listeners", "SSL://h:1")], "inter.broker.listener.name must be a listener name"),
        (&[("advertised.listeners", "PLAINTEXT://h:1,SSL://h:1")], "must be equal to or a subset"),
        (&[("inter.broker.listener.name", "X")], "not found in listener.security.protocol.map"),
        (
            &[("inter.broker.listener.name", "PLAINTEXT"), ("security.inter.broker.protocol", "PLAINTEXT")],
            "Only one of inter.broker.listener.name and security.inter.broker.protocol",
        ),
        (&[map, ("listeners", "IN://:1")], "inter.broker.listener.name must be"),
        (&[("listener.security.protocol.map", "A:B")], "Invalid security protocol `B`"),
        (&[("listener.security.protocol.map", "A")], "is not NAME:PROTOCOL"),
        (&[("control.plane.listener.name", "PLAINTEXT")], "should have a different value"),
        (&[("control.plane.listener.name", "SSL")], "control.plane.listener.name must be a listener name"),
        (
            &[
                map,
                ("listeners", "S://:1"),
                ("inter.broker.listener.name", "S"),
                ("sasl.enabled.mechanisms", "PLAIN"),
            ],
            "sasl.mechanism.inter.broker.protocol must be included",
        ),
    ];
    for (extra, message) in rows {
        refused(extra, message);
    }
    let config = good(&[
        map,
        ("listeners", "in://[::1]:9092, OUT://0.0.0.0:0"),
        ("advertised.listeners", "IN://:9092,OUT://h.example:0"),
        ("inter.broker.listener.name", "in"),
    ]);
    let bound = std::collections::HashMap::from([(ListenerName::new("OUT"), 4242)]);
    let advertised = config.listeners.advertised_endpoints("me", &bound);
    let shown: Vec<_> =
        advertised.iter().map(|end| format!("{}://{}:{}", end.listener, end.host, end.port)).collect();
    assert_eq!(shown, ["IN://me:9092", "OUT://h.example:4242"]);
    assert_eq!(config.listeners.listeners[0].host, "::1");
    good(&[("listeners", "PLAINTEXT://127.0.0.1:1,SSL://[::1]:1")]);
    good(&[("advertised.listeners", "PLAINTEXT://h:1,SSL://h:1"), ("listeners", "PLAINTEXT://:1,SSL://:2")]);
}

#[test]
fn a_listener_overrides_what_all_have() {
    let config = good(&[("max.connections", "10"), ("listener.name.plaintext.max.connections", "3")]);
    assert_eq!(config.values.i32("max.connections"), 10);
    assert_eq!(config.for_listener(&ListenerName::new("PLAINTEXT")).i32("max.connections"), 3);
    assert_eq!(config.for_listener(&ListenerName::new("SSL")).i32("max.connections"), 10);
}

#[test]
fn what_has_no_effect_is_said() {
    let config = good(&[
        ("my.plugin.key", "1"),
        ("background.threads", "12"),
        ("num.network.threads", "3"),
        ("super.users", "User:a"),
        ("listener.name.a.b.sasl.jaas.config", "x"),
        ("listener.name.a.nonsense", "x"),
    ]);
    assert_eq!(
        config.warnings(),
        [
            "configuration background.threads has no effect: tasks share one pool as large as the machine",
            "configuration listener.name.a.nonsense is not known and has no effect",
            "configuration my.plugin.key is not known and has no effect",
        ]
    );
}

#[test]
fn secrets_are_not_described() {
    let description = good(&[("password.encoder.secret", "hush")]).describe();
    assert!(description.contains("\tpassword.encoder.secret = [hidden]"));
    assert!(!description.contains("hush"));
}
