//! Every request of an administrator, sent to a Gregor and to an Apache Kafka 3.9 cluster in the same state: the answers are
//! compared field by field, and so is what is left in ZooKeeper. What may differ is in `differences`.

mod answer;
mod configs;
mod differences;
mod pair;
mod quotas;
mod refusals;
mod topics;

use gregor_harness::run_within;
use pair::Pair;
use std::time::Duration;

/// Two clusters of JVM-like weight start, and a few hundred questions are asked.
const DEADLINE: Duration = Duration::from_secs(120);

/// What both clusters are started with: some of each kind of key.
const PROPERTIES: &[(&str, &str)] = &[
    ("auto.create.topics.enable", "false"),
    ("log.retention.hours", "100"),
    ("log.roll.hours", "50"),
    ("log.flush.scheduler.interval.ms", "60000"),
    ("num.recovery.threads.per.data.dir", "1"),
    ("plugin.static", "for a plugin"),
    ("ssl.truststore.password", "hush"),
    ("listener.name.plaintext.max.connections", "1000"),
    ("broker.rack", "rack-a"),
    ("password.encoder.secret", "hush"),
];

#[test]
fn administrators_are_answered_as_by_kafka() {
    run_within(DEADLINE, async |context| {
        let mut pair = Pair::start(context, 2, PROPERTIES).await?;
        topics::compare(&mut pair).await?;
        configs::compare(&mut pair).await?;
        quotas::compare(&mut pair).await?;
        topics::compare_deletion(&mut pair).await?;
        pair.finish()
    });
}
