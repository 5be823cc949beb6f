//! Topics: create, delete, add partitions. Names carry the version, so that each version finds the same state.

use crate::case::{Case, case, ids, text, topic};
use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::{ApiKey, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest};
use uuid::Uuid;

pub fn cases() -> Vec<Case> {
    [create(), add_partitions(), delete()].into_iter().flatten().collect()
}

fn new(name: &str, partitions: i32, replicas: i16) -> CreatableTopic {
    CreatableTopic::default()
        .with_name(topic(name))
        .with_num_partitions(partitions)
        .with_replication_factor(replicas)
}

fn placed(name: &str, replicas: &[(i32, &[i32])]) -> CreatableTopic {
    let assignment = |(index, brokers): &(i32, &[i32])| {
        CreatableReplicaAssignment::default().with_partition_index(*index).with_broker_ids(ids(brokers))
    };
    new(name, -1, -1).with_assignments(replicas.iter().map(assignment).collect())
}

fn config(topic: CreatableTopic, key: &str, value: Option<&str>) -> CreatableTopic {
    let config = CreatableTopicConfig::default().with_name(text(key)).with_value(value.map(text));
    topic.with_configs(vec![config])
}

fn create() -> Vec<Case> {
    let of = |name: &'static str, topics: fn(&str) -> Vec<CreatableTopic>| {
        case(ApiKey::CreateTopics, name, move |version, _| {
            let topics = topics(&format!("new-{version}"));
            Some(CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(10_000).into())
        })
    };
    let validate = |name: &'static str, topics: fn(&str) -> Vec<CreatableTopic>| {
        case(ApiKey::CreateTopics, name, move |version, _| {
            let request = CreateTopicsRequest::default().with_topics(topics(&format!("valid-{version}")));
            Some(request.with_timeout_ms(10_000).with_validate_only(true).into())
        })
    };
    vec![
        of("placed by hand", |n| vec![placed(n, &[(0, &[0, 1]), (1, &[1])])]),
        of("exists", |n| vec![new(n, 1, 1)]),
        of("brokers' defaults", |n| vec![new(&format!("{n}-defaults"), -1, -1)]),
        of("illegal names", |_| {
            vec![
                new("", 1, 1),
                new(".", 1, 1),
                new("..", 1, 1),
                new("a b", 1, 1),
                new(&"x".repeat(250), 1, 1),
            ]
        }),
        of("a name with a period", |n| vec![placed(&format!("{n}.c_d"), &[(0, &[0])])]),
        of("a name that collides with it", |n| vec![placed(&format!("{n}_c.d"), &[(0, &[0])])]),
        of("the same twice", |n| vec![new(&format!("{n}-twice"), 1, 1), new(&format!("{n}-twice"), 2, 1)]),
        of("too many replicas", |n| vec![new(&format!("{n}-a"), 1, 3)]),
        of("no replicas", |n| vec![new(&format!("{n}-a"), 1, 0)]),
        of("no partitions", |n| vec![new(&format!("{n}-a"), 0, 1)]),
        of("a hole in the partitions", |n| vec![placed(&format!("{n}-a"), &[(0, &[0]), (2, &[0])])]),
        of("a partition twice", |n| vec![placed(&format!("{n}-a"), &[(0, &[0]), (0, &[1])])]),
        of("a replica twice", |n| vec![placed(&format!("{n}-a"), &[(0, &[0, 0])])]),
        of("uneven replicas", |n| vec![placed(&format!("{n}-a"), &[(0, &[0, 1]), (1, &[0])])]),
        of("an unknown broker", |n| vec![placed(&format!("{n}-a"), &[(0, &[9])])]),
        of("a negative broker", |n| vec![placed(&format!("{n}-a"), &[(0, &[-1])])]),
        of("placed and counted", |n| {
            vec![placed(&format!("{n}-a"), &[(0, &[0])]).with_num_partitions(1).with_replication_factor(1)]
        }),
        of("an unknown config", |n| vec![config(new(&format!("{n}-a"), 1, 1), "no.such.key", Some("1"))]),
        of("a config of another type", |n| {
            vec![config(new(&format!("{n}-a"), 1, 1), "retention.ms", Some("soon"))]
        }),
        of("a config out of range", |n| {
            vec![config(new(&format!("{n}-a"), 1, 1), "min.insync.replicas", Some("0"))]
        }),
        of("a null config", |n| vec![config(new(&format!("{n}-a"), 1, 1), "retention.ms", None)]),
        of("configs that contradict", |n| {
            vec![config(new(&format!("{n}-a"), 1, 1), "remote.storage.enable", Some("true"))]
        }),
        of("with a config", |n| {
            vec![config(placed(&format!("{n}-config"), &[(0, &[0])]), "retention.ms", Some("1000"))]
        }),
        of("nothing", |_| vec![]),
        validate("only validates", |n| vec![placed(n, &[(0, &[0])])]),
        validate("only validates what exists", |_| vec![new("plain", 1, 1)]),
        validate("only validates too many replicas", |n| vec![new(n, 1, 5)]),
        of("internal", |_| vec![new("__consumer_offsets", 1, 1)]),
        case(ApiKey::CreateTopics, "not the controller", |version, _| {
            let topics = vec![new(&format!("other-{version}"), 1, 1)];
            Some(CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(5_000).into())
        })
        .of_broker_1(),
    ]
}

fn add_partitions() -> Vec<Case> {
    let of = |name: &'static str,
              topic_name: Option<&'static str>,
              more: i32,
              assignments: Option<&'static [&'static [i32]]>| {
        case(ApiKey::CreatePartitions, name, move |version, _| {
            let assignment =
                |brokers: &&[i32]| CreatePartitionsAssignment::default().with_broker_ids(ids(brokers));
            // Each version adds to a topic of its own: those that CreateTopics made.
            let name = topic_name.map_or_else(|| format!("new-{version}"), str::to_owned);
            let topic = CreatePartitionsTopic::default()
                .with_name(topic(&name))
                .with_count(more)
                .with_assignments(assignments.map(|all| all.iter().map(assignment).collect()));
            let request = CreatePartitionsRequest::default().with_topics(vec![topic]);
            Some(request.with_timeout_ms(10_000).into())
        })
    };
    vec![
        of("placed by hand", None, 3, Some(&[&[0, 1]])),
        of("as many as there are", None, 3, None),
        of("fewer than there are", None, 1, None),
        of("none", None, 0, None),
        of("too few placed", None, 6, Some(&[&[0, 1]])),
        of("too many placed", None, 4, Some(&[&[0, 1], &[1, 0]])),
        of("another number of replicas", None, 4, Some(&[&[0]])),
        of("a replica twice", None, 4, Some(&[&[0, 0]])),
        of("an unknown broker", None, 4, Some(&[&[0, 9]])),
        of("an unknown topic", Some("nowhere"), 4, None),
        of("an illegal topic", Some("a b"), 4, None),
        case(ApiKey::CreatePartitions, "only validates", |_, _| {
            let topic = CreatePartitionsTopic::default()
                .with_name(topic("plain"))
                .with_count(5)
                .with_assignments(None);
            let request = CreatePartitionsRequest::default().with_topics(vec![topic]).with_timeout_ms(5_000);
            Some(request.with_validate_only(true).into())
        }),
        case(ApiKey::CreatePartitions, "the same topic twice", |_, _| {
            let topic = CreatePartitionsTopic::default()
                .with_name(topic("plain"))
                .with_count(5)
                .with_assignments(None);
            let request = CreatePartitionsRequest::default().with_topics(vec![topic.clone(), topic]);
            Some(request.with_timeout_ms(5_000).into())
        }),
        of("not the controller", Some("plain"), 5, None).of_broker_1(),
    ]
}

fn delete() -> Vec<Case> {
    let named = |name: &'static str, topics: fn(i16) -> Vec<String>| {
        case(ApiKey::DeleteTopics, name, move |version, _| {
            let request = DeleteTopicsRequest::default().with_timeout_ms(10_000);
            let names = topics(version);
            Some(if version >= 6 {
                let state = |name: &String| DeleteTopicState::default().with_name(Some(topic(name)));
                request.with_topics(names.iter().map(state).collect()).into()
            } else {
                request.with_topic_names(names.iter().map(|name| topic(name)).collect()).into()
            })
        })
    };
    let by_id = |name: &'static str, id: Uuid, with_name: bool| {
        case(ApiKey::DeleteTopics, name, move |version, _| {
            let state = DeleteTopicState::default().with_topic_id(id);
            let state = if with_name { state.with_name(Some(topic("plain"))) } else { state.with_name(None) };
            let request = DeleteTopicsRequest::default().with_timeout_ms(5_000).with_topics(vec![state]);
            (version >= 6).then(|| request.into())
        })
    };
    vec![
        named("one that exists", |version| vec![format!("doomed-{version}")]),
        named("an unknown topic", |_| vec!["nowhere".to_owned()]),
        named("an illegal name", |_| vec!["a b".to_owned()]),
        named("the same twice", |_| vec!["nowhere".to_owned(), "nowhere".to_owned()]),
        named("nothing", |_| vec![]),
        by_id("an unknown id", Uuid::from_u128(5), false),
        by_id("an id and a name", Uuid::from_u128(5), true),
        by_id("neither id nor name", Uuid::nil(), false),
        named("not the controller", |version| vec![format!("doomed-{version}")]).of_broker_1(),
    ]
}
