//! Thousands of topics: what watches them must survive the loss of one ZooKeeper connection.

use anyhow::{Context as _, Result, ensure};
use gregor_harness::cluster::SETTLE;
use gregor_harness::rpc::Rpc;
use gregor_harness::{Cluster, ClusterBuilder, run_within, wait};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::{CreateTopicsRequest, MetadataRequest};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const TOPICS: usize = 5_000;
const TOPICS_PER_REQUEST: usize = 250;

#[test]
fn a_controller_of_5000_topics_outlives_its_zookeeper_server() {
    run_within(Duration::from_secs(300), async |context| {
        let mut cluster = ClusterBuilder::new(2)?
            .zookeepers(3)
            .property("zookeeper.session.timeout.ms", "6000")
            .start(context)
            .await?;
        let start = Instant::now();
        create_topics(&cluster).await?;
        println!("{TOPICS} topics were created in {:?}", start.elapsed());
        wait_until_served(&cluster, TOPICS).await?;
        println!("and served after {:?}", start.elapsed());

        let session = cluster.znodes.owner("/controller").await?.context("no controller")?;
        let server = cluster.ensemble.server_of_session(session).await?;
        cluster.ensemble.server(server).kill();
        // Written behind the controller's back, as kafka-topics --zookeeper used to: only a watch tells.
        cluster
            .znodes
            .create("/brokers/topics/added-meanwhile", br#"{"partitions":{"0":[1,0]},"version":1}"#)
            .await?;
        cluster.znodes.create("/admin/delete_topics/topic-00007", b"").await?;
        cluster.ensemble.server(server).start().await?;

        cluster.wait_for_state("added-meanwhile", 0, "a leader", |state| state.leader >= 0).await?;
        wait::until_true("the deleted topic to be gone", SETTLE, || async {
            Ok(cluster.znodes.data("/brokers/topics/topic-00007").await?.is_none())
        })
        .await?;
        ensure!(
            cluster.znodes.owner("/controller").await? == Some(session),
            "the controller lost its session"
        );
        println!("changes made meanwhile were seen after {:?}", start.elapsed());
        // And again, now that every watch was set anew.
        cluster
            .znodes
            .create("/brokers/topics/added-later", br#"{"partitions":{"0":[0,1]},"version":1}"#)
            .await?;
        cluster.wait_for_state("added-later", 0, "a leader", |state| state.leader >= 0).await?;
        wait_until_served(&cluster, TOPICS + 1).await
    });
}

async fn create_topics(cluster: &Cluster) -> Result<()> {
    let controller = cluster.wait_for_controller().await?;
    let mut rpc = Rpc::connect(&cluster.brokers[controller as usize].address()).await?;
    let names: Vec<String> = (0..TOPICS).map(|number| format!("topic-{number:05}")).collect();
    for names in names.chunks(TOPICS_PER_REQUEST) {
        let topics = names.iter().map(|name| {
            CreatableTopic::default()
                .with_name(gregor_harness::cluster::topic_name(name))
                .with_num_partitions(1)
                .with_replication_factor(1)
        });
        let request = CreateTopicsRequest::default().with_topics(topics.collect()).with_timeout_ms(30_000);
        let answer = rpc.call(5, &request).await?;
        let errors: BTreeSet<i16> = answer.topics.iter().map(|topic| topic.error_code).collect();
        ensure!(errors == BTreeSet::from([0]), "creating {}...: errors {errors:?}", names[0]);
    }
    Ok(())
}

/// Waits until every broker's metadata has `count` topics, each with a leader.
async fn wait_until_served(cluster: &Cluster, count: usize) -> Result<()> {
    for broker in &cluster.brokers {
        wait::until_true("every topic to have a leader", SETTLE, || async {
            let request = MetadataRequest::default().with_topics(None);
            let metadata = Rpc::connect(&broker.address()).await?.call(5, &request).await?;
            let led = metadata
                .topics
                .iter()
                .flat_map(|topic| &topic.partitions)
                .filter(|partition| partition.leader_id.0 >= 0);
            let led = led.count();
            ensure!(led == count, "broker {} knows {led} leaders of {count}", broker.id());
            Ok(true)
        })
        .await?;
    }
    Ok(())
}
