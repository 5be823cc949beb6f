//! CreatePartitions: where new partitions go by themselves, and where they are told to go.

use super::site::{Site, Versions};
use anyhow::{Result, ensure};
use gregor_harness::cluster::topic_name;
use kafka_protocol::messages::CreatePartitionsRequest;
use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};

const TOPIC: &str = "grown";

pub async fn run(site: &mut Site) -> Result<()> {
    site.create(TOPIC, &[&[2, 0]]).await?;
    site.note_topic("created", TOPIC, Versions::Told).await?;
    grow(site, 4, None).await?;
    grow(site, 6, Some(&[&[3, 1], &[1, 2]])).await?;
    for partition in 0..6 {
        site.wait_for(TOPIC, partition, "a full ISR", |state| state.isr.len() == 2).await?;
    }
    site.note_topic("grown", TOPIC, Versions::Told).await
}

async fn grow(site: &mut Site, count: i32, assignments: Option<&[&[i32]]>) -> Result<()> {
    let assignments = assignments.map(|lists| {
        let ids = |list: &&[i32]| list.iter().map(|id| (*id).into()).collect();
        lists.iter().map(|list| CreatePartitionsAssignment::default().with_broker_ids(ids(list))).collect()
    });
    let topic = CreatePartitionsTopic::default()
        .with_name(topic_name(TOPIC))
        .with_count(count)
        .with_assignments(assignments);
    let request = CreatePartitionsRequest::default().with_topics(vec![topic]).with_timeout_ms(20_000);
    let answer = site.ask(3, &request).await?;
    ensure!(answer.results.iter().all(|result| result.error_code == 0), "{:?}", answer.results);
    Ok(())
}
