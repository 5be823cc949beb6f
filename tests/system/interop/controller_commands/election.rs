//! Preferred elections by request and by the old znode, and unclean ones: refused, then by the topic's configuration and by
//! request.

use super::site::{Site, Versions};
use anyhow::Result;
use gregor_harness::cluster::topic_name;
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::{ElectLeadersRequest, IncrementalAlterConfigsRequest};
use kafka_protocol::protocol::StrBytes;

const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

/// A broker leaves in good order and returns; its leaderships are given back.
pub async fn preferred(site: &mut Site) -> Result<()> {
    const TOPIC: &str = "preferred";
    site.create(TOPIC, &[&[1, 2, 3], &[2, 3, 1], &[3, 1, 2]]).await?;
    for by_znode in [false, true] {
        let moment = if by_znode { "preferred by znode" } else { "preferred by request" };
        site.cluster.broker(2)?.stop().await?;
        site.wait_for_brokers(&[0, 1, 3]).await?;
        site.wait_for(TOPIC, 1, "another leader", |state| state.leader == 3).await?;
        site.note_topic(&format!("{moment}, 2 left"), TOPIC, Versions::Free).await?;
        if !by_znode {
            // Who is preferred is not there.
            elect(site, moment, PREFERRED, Some((TOPIC, 1))).await?;
        }
        site.start_broker(2).await?;
        for partition in 0..3 {
            site.wait_for(TOPIC, partition, "a full ISR", |state| state.isr.len() == 3).await?;
        }
        site.note_topic(&format!("{moment}, 2 returned"), TOPIC, Versions::Free).await?;
        if by_znode {
            let node = br#"{"version":1,"partitions":[{"topic":"preferred","partition":1}]}"#;
            site.cluster.znodes.create("/admin/preferred_replica_election", node).await?;
            site.wait_until_gone("/admin/preferred_replica_election").await?;
        } else {
            elect(site, moment, PREFERRED, None).await?;
            elect(site, moment, PREFERRED, Some((TOPIC, 1))).await?;
        }
        site.wait_for(TOPIC, 1, "its preferred leader", |state| state.leader == 2).await?;
        site.note_topic(moment, TOPIC, Versions::Free).await?;
    }
    elect(site, "preferred of nothing", PREFERRED, Some(("absent", 0))).await
}

/// The only member of the ISR is gone; another replica is there.
pub async fn unclean(site: &mut Site) -> Result<()> {
    const CONFIGURED: &str = "unclean-configured";
    const REQUESTED: &str = "unclean-requested";
    for topic in [CONFIGURED, REQUESTED] {
        site.create(topic, &[&[2, 3]]).await?;
    }
    site.cluster.broker(3)?.kill();
    for topic in [CONFIGURED, REQUESTED] {
        site.wait_for(topic, 0, "an ISR without 3", |state| state.isr == [2]).await?;
    }
    note_both(site, "3 died").await?;
    site.cluster.broker(2)?.kill();
    for topic in [CONFIGURED, REQUESTED] {
        site.wait_for(topic, 0, "no leader", |state| state.leader == -1).await?;
    }
    site.start_broker(3).await?;
    note_both(site, "3 is back, clean elections only").await?;
    elect(site, "clean elections only", PREFERRED, Some((REQUESTED, 0))).await?;
    elect(site, "by request", UNCLEAN, Some((REQUESTED, 0))).await?;
    allow_unclean(site, CONFIGURED).await?;
    for topic in [CONFIGURED, REQUESTED] {
        site.wait_for(topic, 0, "an unclean leader", |state| state.leader == 3).await?;
    }
    note_both(site, "unclean").await?;
    elect(site, "there is a leader", UNCLEAN, Some((REQUESTED, 0))).await?;
    site.start_broker(2).await?;
    for topic in [CONFIGURED, REQUESTED] {
        site.wait_for(topic, 0, "a full ISR", |state| state.isr.len() == 2).await?;
    }
    note_both(site, "2 joined the unclean leader").await
}

async fn note_both(site: &mut Site, moment: &str) -> Result<()> {
    for topic in ["unclean-configured", "unclean-requested"] {
        // Also the recovered leader's own write is commanded by nobody.
        site.note_topic(moment, topic, Versions::Free).await?;
    }
    Ok(())
}

/// Elects, and notes the answers.
async fn elect(site: &mut Site, moment: &str, kind: i8, partition: Option<(&str, i32)>) -> Result<()> {
    let topics = partition.map(|(topic, partition)| {
        vec![TopicPartitions::default().with_topic(topic_name(topic)).with_partitions(vec![partition])]
    });
    let request = ElectLeadersRequest::default()
        .with_election_type(kind)
        .with_topic_partitions(topics)
        .with_timeout_ms(20_000);
    let answer = site.ask(2, &request).await?;
    let mut results: Vec<String> = answer
        .replica_election_results
        .iter()
        .flat_map(|topic| {
            let result = |partition: &kafka_protocol::messages::elect_leaders_response::PartitionResult| {
                format!("{}-{}: {}", topic.topic.as_str(), partition.partition_id, partition.error_code)
            };
            topic.partition_result.iter().map(result).collect::<Vec<_>>()
        })
        .collect();
    results.sort();
    site.note(format!("{moment}: ElectLeaders {kind} of {partition:?}: {} {results:?}", answer.error_code));
    Ok(())
}

async fn allow_unclean(site: &mut Site, topic: &str) -> Result<()> {
    let config = AlterableConfig::default()
        .with_name(StrBytes::from_static_str("unclean.leader.election.enable"))
        .with_config_operation(0)
        .with_value(Some(StrBytes::from_static_str("true")));
    let resource = AlterConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(StrBytes::from_string(topic.to_owned()))
        .with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    let answer = site.ask(1, &request).await?;
    let codes: Vec<i16> = answer.responses.iter().map(|response| response.error_code).collect();
    site.note(format!("unclean elections allowed: {codes:?}"));
    Ok(())
}
