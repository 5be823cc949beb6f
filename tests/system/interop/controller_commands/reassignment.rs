//! AlterPartitionReassignments: what is refused, 100 partitions that move under load, a list put in another order, and a
//! reassignment that cannot end, cancelled and (another one) overtaken by the deletion of its topic.

use super::deletion;
use super::site::{PATIENCE, Site, Versions};
use anyhow::{Result, ensure};
use gregor_harness::cluster::{SETTLE, topic_name};
use gregor_harness::{Load, read_back, replicas, wait};
use kafka_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use kafka_protocol::messages::{AlterPartitionReassignmentsRequest, ListPartitionReassignmentsRequest};

const MOVED: &str = "moved";
const PARTITIONS: i32 = 100;

/// A partition's new replicas; `None` cancels.
type Target<'a> = (i32, Option<&'a [i32]>);

fn request(topic: &str, targets: &[Target]) -> AlterPartitionReassignmentsRequest {
    let partition = |(index, replicas): &Target| {
        ReassignablePartition::default()
            .with_partition_index(*index)
            .with_replicas(replicas.map(|ids| ids.iter().map(|id| (*id).into()).collect()))
    };
    let partitions = targets.iter().map(partition).collect();
    let topic = ReassignableTopic::default().with_name(topic_name(topic)).with_partitions(partitions);
    AlterPartitionReassignmentsRequest::default().with_topics(vec![topic]).with_timeout_ms(20_000)
}

/// Asks, and notes code and message of every answer.
async fn reassign(site: &mut Site, moment: &str, topic: &str, targets: &[Target<'_>]) -> Result<()> {
    let answer = site.ask(0, &request(topic, targets)).await?;
    let mut results = Vec::new();
    for topic in &answer.responses {
        for partition in &topic.partitions {
            let message = partition.error_message.as_ref().map(|message| message.to_string());
            results.push((partition.partition_index, partition.error_code, message));
        }
    }
    results.sort();
    let of_all = (answer.error_code, answer.error_message.as_ref().map(|message| message.to_string()));
    site.note(format!("{moment}: answered {of_all:?} {results:?}"));
    Ok(())
}

/// Notes what is being reassigned.
async fn list(site: &mut Site, moment: &str) -> Result<()> {
    let line = listed(site).await?;
    site.note(format!("{moment}: being reassigned {line:?}"));
    Ok(())
}

async fn listed(site: &Site) -> Result<Vec<String>> {
    let request = ListPartitionReassignmentsRequest::default().with_topics(None).with_timeout_ms(20_000);
    let answer = site.ask(0, &request).await?;
    ensure!(answer.error_code == 0, "{answer:?}");
    let mut lines = Vec::new();
    for topic in &answer.topics {
        for partition in &topic.partitions {
            let ids = |ids: &[kafka_protocol::messages::BrokerId]| -> Vec<i32> {
                ids.iter().map(|id| id.0).collect()
            };
            lines.push(format!(
                "{}-{} {:?} +{:?} -{:?}",
                topic.name.as_str(),
                partition.partition_index,
                ids(&partition.replicas),
                ids(&partition.adding_replicas),
                ids(&partition.removing_replicas)
            ));
        }
    }
    lines.sort();
    Ok(lines)
}

/// What is not done is refused in the same words.
pub async fn refusals(site: &mut Site) -> Result<()> {
    const TOPIC: &str = "refused";
    site.create(TOPIC, &[&[1, 2]]).await?;
    let wrong: [(&str, Target); 6] = [
        ("no replicas", (0, Some(&[]))),
        ("a broker twice", (0, Some(&[1, 1]))),
        ("a negative id", (0, Some(&[1, -2]))),
        ("an unknown broker", (0, Some(&[1, 9]))),
        ("nothing to cancel", (0, None)),
        ("an unknown partition", (7, Some(&[1, 3]))),
    ];
    for (moment, target) in wrong {
        reassign(site, moment, TOPIC, &[target]).await?;
    }
    reassign(site, "an unknown topic", "absent", &[(0, Some(&[1, 3]))]).await?;
    reassign(site, "cancelling in an unknown topic", "absent", &[(0, None)]).await?;
    list(site, "nothing done").await?;
    site.note_topic("nothing done", TOPIC, Versions::Told).await
}

/// 100 partitions with data move from brokers 1 and 2 to 3 and 1, while messages come in.
pub async fn under_load(site: &mut Site) -> Result<()> {
    let before: [&[i32]; 2] = [&[1, 2], &[2, 1]];
    let after: [&[i32]; 2] = [&[3, 1], &[1, 3]];
    let lists: Vec<&[i32]> = (0..100).map(|index: usize| before[index % 2]).collect();
    site.create(MOVED, &lists).await?;
    let load = Load::start(&site.cluster.bootstrap(), MOVED, 1_000)?;
    load.wait_for_progress(3_000, SETTLE).await?;
    let targets: Vec<Target> =
        (0..PARTITIONS).map(|index| (index, Some(after[(index % 2) as usize]))).collect();
    reassign(site, "100 partitions", MOVED, &targets).await?;
    wait::until_true("100 partitions to be moved", PATIENCE, || async {
        let left = listed(site).await?;
        ensure!(left.is_empty(), "{} are left", left.len());
        Ok(true)
    })
    .await?;
    load.wait_for_progress(1_000, SETTLE).await?;
    let acknowledged = load.stop().await?;
    for index in 0..PARTITIONS {
        site.wait_for(MOVED, index, "both replicas in sync", |state| state.isr.len() == 2).await?;
    }
    site.note_topic("moved", MOVED, Versions::Free).await?;
    let found = read_back::read_topic(&site.cluster.bootstrap(), MOVED, PARTITIONS).await?;
    read_back::check_acknowledged(&acknowledged, &found)?;
    let dirs = site.cluster.data_dirs();
    for index in [0, 1, 50, 99] {
        let now = [dirs[1].clone(), dirs[3].clone()];
        replicas::wait_until_equal(&now, MOVED, index, SETTLE).await?;
    }
    // Whoever holds it no longer has deleted its logs, or marked them for it.
    wait::until_true("broker 2 to have no log of it", PATIENCE, || async {
        Ok((0..PARTITIONS).all(|index| !dirs[2].join(format!("{MOVED}-{index}")).exists()))
    })
    .await
}

/// Nothing comes and nothing goes: only the preferred leader is another.
pub async fn reordered(site: &mut Site) -> Result<()> {
    const TOPIC: &str = "reordered";
    site.create(TOPIC, &[&[1, 2, 3]]).await?;
    reassign(site, "another order", TOPIC, &[(0, Some(&[3, 1, 2]))]).await?;
    wait::until_true("the new order", PATIENCE, || async { Ok(listed(site).await?.is_empty()) }).await?;
    site.note_topic("another order", TOPIC, Versions::Told).await
}

/// Broker 3 stands still when it is asked to become a replica, and dies: the reassignment waits for it.
pub async fn cancelled_and_deleted(site: &mut Site) -> Result<()> {
    const CANCELLED: &str = "cancelled";
    const OVERTAKEN: &str = "overtaken";
    for topic in [CANCELLED, OVERTAKEN] {
        site.create(topic, &[&[1, 2]]).await?;
    }
    site.cluster.broker(3)?.pause();
    reassign(site, "one to be cancelled", CANCELLED, &[(0, Some(&[3, 1]))]).await?;
    reassign(site, "one to be overtaken", OVERTAKEN, &[(0, Some(&[3, 2]))]).await?;
    site.cluster.broker(3)?.kill();
    site.wait_for_brokers(&[0, 1, 2]).await?;
    list(site, "3 died").await?;
    for topic in [CANCELLED, OVERTAKEN] {
        site.note_topic("3 died", topic, Versions::Told).await?;
    }
    reassign(site, "cancelled", CANCELLED, &[(0, None)]).await?;
    list(site, "cancelled").await?;
    site.note_topic("cancelled", CANCELLED, Versions::Told).await?;
    // A deletion does not wait for a reassignment, only for the broker that is gone.
    deletion::delete(site, OVERTAKEN).await?;
    // One epoch for the reassignment, and one for each replica that is taken out of the ISR.
    site.wait_for(OVERTAKEN, 0, "no leader", |state| state.leader == -1 && state.leader_epoch == 3).await?;
    site.note_topic("overtaken", OVERTAKEN, Versions::Told).await?;
    site.start_broker(3).await?;
    site.wait_until_gone(&format!("/admin/delete_topics/{OVERTAKEN}")).await?;
    site.note_topic("3 returned", OVERTAKEN, Versions::Told).await?;
    list(site, "3 returned").await
}
