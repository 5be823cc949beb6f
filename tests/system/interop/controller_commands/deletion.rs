//! DeleteTopics while a broker with a replica is gone: the topic waits for it, and goes when it returns.

use super::site::{Site, Versions};
use anyhow::Result;
use gregor_harness::cluster::topic_name;
use kafka_protocol::messages::DeleteTopicsRequest;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;

const TOPIC: &str = "deleted";

/// Broker 3 is killed, and started again at the end.
pub async fn during_broker_loss(site: &mut Site) -> Result<()> {
    site.create(TOPIC, &[&[1, 3], &[3, 1]]).await?;
    site.cluster.broker(3)?.kill();
    for partition in 0..2 {
        site.wait_for(TOPIC, partition, "an ISR without 3", |state| state.isr == [1] && state.leader == 1)
            .await?;
    }
    site.note_topic("3 died", TOPIC, Versions::Told).await?;
    delete(site, TOPIC).await?;
    for partition in 0..2 {
        site.wait_for(TOPIC, partition, "no leader", |state| state.leader == -1).await?;
    }
    site.note_topic("deletion waits", TOPIC, Versions::Told).await?;
    site.start_broker(3).await?;
    site.wait_until_gone(&format!("/admin/delete_topics/{TOPIC}")).await?;
    site.note_topic("3 returned", TOPIC, Versions::Told).await?;
    let config = site.cluster.znodes.data(&format!("/config/topics/{TOPIC}")).await?;
    site.note(format!("its configuration is there: {}", config.is_some()));
    Ok(())
}

/// Asks for a deletion, and notes the answer.
pub async fn delete(site: &mut Site, topic: &str) -> Result<()> {
    let state = DeleteTopicState::default().with_name(Some(topic_name(topic)));
    let request = DeleteTopicsRequest::default().with_topics(vec![state]).with_timeout_ms(20_000);
    let answer = site.ask(6, &request).await?;
    let codes: Vec<i16> = answer.responses.iter().map(|response| response.error_code).collect();
    site.note(format!("DeleteTopics of {topic}: {codes:?}"));
    Ok(())
}
