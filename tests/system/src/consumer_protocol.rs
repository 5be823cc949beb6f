//! The consumer protocol (KIP-848): members are assigned to by the coordinator, over coordinators killed with -9, and beside
//! members of the classic protocol.

use anyhow::{Result, ensure};
use gregor_harness::cluster::SETTLE;
use gregor_harness::consumer::{ConsumerMember, beat_until_balanced};
use gregor_harness::group::wait_for_balance;
use gregor_harness::{BrokerKind, Cluster, ClusterBuilder, Group, Load, run, wait};

const TOPIC: &str = "orders";
const PARTITIONS: i32 = 6;
const OFFSETS: &str = "__consumer_offsets";
const GROUP: &str = "consumers";
/// STALE_MEMBER_EPOCH.
const STALE: i16 = 113;

/// Gregor's brokers, whatever others tests run on: Kafka has no such protocol beside ZooKeeper.
fn brokers(count: usize) -> ClusterBuilder {
    ClusterBuilder::of(&vec![BrokerKind::Gregor; count])
        .property("offsets.topic.replication.factor", &count.to_string())
        .property("group.consumer.migration.policy", "bidirectional")
        .property("group.initial.rebalance.delay.ms", "200")
}

async fn join(cluster: &Cluster, id: &str) -> Result<ConsumerMember> {
    ConsumerMember::join(cluster, GROUP, TOPIC, id).await
}

#[test]
fn consumers_keep_their_partitions_over_the_death_of_their_coordinator() {
    run(async |context| {
        let mut cluster = brokers(3).start(context).await?;
        cluster.create_topic(TOPIC, PARTITIONS, 3).await?;
        let mut members = Vec::new();
        for id in ["a", "b", "c"] {
            members.push(join(&cluster, id).await?);
            beat_until_balanced(&mut members, PARTITIONS).await?;
        }
        ensure!(members.iter().all(|member| member.owned().len() == 2), "{members:?}");
        let epoch = members[0].epoch();
        ensure!(members[0].commit(0, 42, epoch).await? == 0, "not committed");
        ensure!(members[0].commit(0, 43, epoch - 1).await? == STALE, "committed with an old epoch");
        for _ in 0..2 {
            let before: Vec<_> = members.iter().map(|member| (member.owned(), member.epoch())).collect();
            let coordinator = cluster.wait_for_state(OFFSETS, 0, "a leader", |s| s.leader >= 0).await?.leader;
            cluster.broker(coordinator)?.kill();
            cluster.wait_for_state(OFFSETS, 0, "another leader", |s| s.leader != coordinator).await?;
            for member in &mut members {
                member.beat().await?;
            }
            let after: Vec<_> = members.iter().map(|member| (member.owned(), member.epoch())).collect();
            ensure!(after == before, "{before:?} became {after:?}");
            let others: Vec<i32> = (0..3).filter(|id| *id != coordinator).collect();
            cluster.wait_for_registrations(&others).await?;
            cluster.broker(coordinator)?.start().await?;
            cluster.wait_for_topic(OFFSETS, 1, 3).await?;
        }
        ensure!(members[0].fetch(epoch).await? == (0, 1), "the commit is gone");
        ensure!(members[0].fetch(epoch - 1).await?.0 == STALE, "fetched with an old epoch");
        members.pop().into_iter().next().map(ConsumerMember::leave).expect("there are three").await?;
        beat_until_balanced(&mut members, PARTITIONS).await
    });
}

#[test]
fn a_classic_group_is_upgraded_and_downgraded_while_it_reads() {
    run(async |context| {
        let cluster = brokers(1).start(context).await?;
        cluster.create_topic(TOPIC, PARTITIONS, 1).await?;
        let load = Load::start(&cluster.bootstrap(), TOPIC, 300)?;
        let group = Group::new(&cluster.bootstrap(), GROUP, TOPIC, "cooperative-sticky");
        let classic = [group.join()?, group.join()?];
        wait_for_balance(&[&classic[0], &classic[1]], PARTITIONS, SETTLE).await?;
        group.wait_for_progress(200, SETTLE).await?;

        let mut consumer = join(&cluster, "consumer").await?;
        let share = || classic.iter().map(|member| member.assigned()).collect::<Vec<_>>();
        wait::until_true("the consumer to have a third", SETTLE, || async {
            let shares = share();
            ensure!(shares.iter().all(|owned| owned.len() == 2), "the classic members own {shares:?}");
            Ok(true)
        })
        .await?;
        while consumer.owned().len() < 2 {
            consumer.beat().await?;
        }
        let others: Vec<i32> = share().into_iter().flatten().collect();
        ensure!(others.iter().all(|partition| !consumer.owned().contains(partition)), "{others:?}");
        let epoch = consumer.epoch();
        ensure!(consumer.commit(0, 0, epoch).await? == 0, "the consumer cannot commit");

        consumer.leave().await?;
        wait_for_balance(&[&classic[0], &classic[1]], PARTITIONS, SETTLE).await?;
        group.wait_for_progress(200, SETTLE).await?;
        group.wait_for_all(&load.stop().await?, SETTLE).await?;
        for member in classic {
            member.leave().await?;
        }
        Ok(())
    });
}
