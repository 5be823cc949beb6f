//! Who a broker is, and what concerns it as a whole (`ServerConfigs`).

use crate::definition::{ConfigKey, boolean, class, int, long, string};
use crate::validator::Validator;

pub(super) const KEYS: &[ConfigKey] = &[
    int("broker.id", "-1", "The id of this broker in the cluster. -1 lets ZooKeeper hand out an id above `reserved.broker.max.id`.").high(),
    int("node.id", "-1", "Another name of `broker.id`; both must be equal when both are set.").high(),
    boolean("broker.id.generation.enable", "true", "Whether a broker without an id gets one from ZooKeeper."),
    int("reserved.broker.max.id", "1000", "The highest id that may be given by hand; generated ids lie above it.").at_least(0),
    string("broker.rack", "", "The rack or zone of this broker, for spreading replicas and for fetching from the nearest one.").null(),
    boolean("delete.topic.enable", "true", "Whether topics may be deleted by an admin request.").high(),
    boolean("auto.create.topics.enable", "true", "Whether asking for a topic that does not exist creates it.").high(),
    class("create.topic.policy.class.name", "", "A Java class that may refuse the creation of topics.").null().low().refused("Java classes cannot be loaded"),
    class("alter.config.policy.class.name", "", "A Java class that may refuse changes of configurations.").null().low().refused("Java classes cannot be loaded"),
    boolean("alter.config.policy.kraft.compatibility.enable", "false", "Whether that class is asked about taking from lists and deleting as in KRaft.").low().accepted("Java classes cannot be loaded"),
    int("background.threads", "10", "How many threads do background work.").at_least(1).high().cluster_wide().accepted("tasks share one pool as large as the machine"),
    int("num.io.threads", "8", "How many threads handle requests; it is also the 100 percent of the request quotas.").at_least(1).high().cluster_wide().accepted("tasks share one pool as large as the machine"),
    int("request.timeout.ms", "30000", "How long this broker waits for an answer to its own requests, in milliseconds.").high(),
    boolean("controlled.shutdown.enable", "true", "Whether a broker that stops first hands its leaderships over."),
    int("controlled.shutdown.max.retries", "3", "How often a controlled shutdown is tried before the broker stops regardless."),
    long("controlled.shutdown.retry.backoff.ms", "5000", "The pause between two tries of a controlled shutdown, in milliseconds."),
    int("message.max.bytes", "1048588", "The largest record batch a topic takes, in bytes, unless the topic says otherwise.").at_least(0).high().cluster_wide(),
    string("compression.type", "producer", "How topics store records: in one codec, uncompressed, or as producers sent them.").one_of(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]).high().cluster_wide(),
    int("compression.gzip.level", "-1", "The level used where the broker itself compresses with gzip.").valid(Validator::GzipLevel).cluster_wide(),
    int("compression.lz4.level", "9", "The level used where the broker itself compresses with lz4.").between(1, 17).cluster_wide(),
    int("compression.zstd.level", "3", "The level used where the broker itself compresses with zstd.").between(-131072, 22).cluster_wide(),
    int("fetch.max.bytes", "57671680", "The most bytes one fetch request is answered with; a first batch larger than this is still sent whole.").at_least(1024),
    int("max.incremental.fetch.session.cache.slots", "1000", "How many incremental fetch sessions are remembered.").at_least(0),
    int("max.request.partition.size.limit", "2000", "The most partitions one answer of DescribeTopicPartitions holds.").at_least(1).accepted("DescribeTopicPartitions exists only in KRaft"),
    long("server.max.startup.time.ms", "9223372036854775807", "How long a KRaft server may take to start, in milliseconds.").at_least(0).internal().accepted("only KRaft has a use for it"),
    boolean("unstable.api.versions.enable", "false", "Whether versions of requests still in development are offered.").high().internal().accepted("every version served is stable"),
    boolean("unstable.feature.versions.enable", "false", "Whether feature versions still in development are offered.").high().internal().accepted("every version served is stable"),
];
