//! Consumer groups as applications use them: kcat and librdkafka members that join, leave and die, and coordinators that
//! are killed with -9 under them.

use anyhow::{Context as _, Result, ensure};
use gregor_harness::cluster::SETTLE;
use gregor_harness::group::wait_for_balance;
use gregor_harness::process::CommandLine;
use gregor_harness::{Cluster, ClusterBuilder, Group, Load, Member, Process, TestContext, run, wait};
use std::collections::BTreeSet;
use std::fs;

const TOPIC: &str = "orders";
const PARTITIONS: i32 = 4;
const OFFSETS: &str = "__consumer_offsets";

/// Brokers with a replicated offsets topic and quick rebalances.
fn brokers(count: usize) -> Result<ClusterBuilder> {
    Ok(ClusterBuilder::new(count)?
        .property("offsets.topic.replication.factor", &count.to_string())
        .property("group.initial.rebalance.delay.ms", "200"))
}

#[test]
fn kcat_members_join_leave_and_die() {
    run(async |context| {
        let cluster = brokers(2)?.start(context).await?;
        cluster.create_topic(TOPIC, PARTITIONS, 2).await?;
        let mut members = Vec::new();
        for number in 0..3 {
            members.push(KcatMember::join(context, &cluster, number)?);
            wait_for_shares(&members).await?;
        }
        let mut sent = send(&cluster, 0..2_000).await?;
        wait_for_lines(&members, &sent).await?;

        let leaving = members.remove(1);
        leaving.process.terminate();
        wait_for_shares(&members).await?;
        let mut dying = members.remove(1);
        dying.process.kill();
        sent.extend(send(&cluster, 2_000..4_000).await?);
        // Nobody misses a dead member before its session times out.
        wait_for_shares(&members).await?;
        members.extend([leaving, dying]);
        wait_for_lines(&members, &sent).await
    });
}

#[test]
fn groups_outlive_their_coordinator() {
    run(async |context| {
        let mut cluster = brokers(3)?.start(context).await?;
        cluster.create_topic(TOPIC, PARTITIONS, 3).await?;
        let load = Load::start(&cluster.bootstrap(), TOPIC, 300)?;
        let mut groups = Vec::new();
        for assignor in ["range", "roundrobin", "cooperative-sticky"] {
            let group = Group::new(&cluster.bootstrap(), assignor, TOPIC, assignor);
            let members = [group.join()?, group.join()?];
            groups.push((group, members));
        }
        let group = Group::new(&cluster.bootstrap(), "static", TOPIC, "range");
        let members = ["one", "two"].map(|instance| group.join_with(&[("group.instance.id", instance)]));
        let [first, second] = members;
        groups.push((group, [first?, second?]));
        for (_, [first, second]) in &groups {
            wait_for_balance(&[first, second], PARTITIONS, SETTLE).await?;
        }
        for _ in 0..2 {
            let coordinator = coordinator(&cluster).await?;
            cluster.broker(coordinator)?.kill();
            cluster.wait_for_state(OFFSETS, 0, "another leader", |state| state.leader != coordinator).await?;
            for (group, _) in &groups {
                group.wait_for_progress(200, SETTLE).await?;
            }
            cluster.broker(coordinator)?.start().await?;
            cluster.wait_for_topic(OFFSETS, 1, 3).await?;
        }
        let acknowledged = load.stop().await?;
        for (group, members) in groups {
            group.wait_for_all(&acknowledged, SETTLE).await?;
            let [first, second] = &members;
            wait_for_balance(&[first, second], PARTITIONS, SETTLE).await?;
            for member in members {
                member.leave().await?;
            }
            group.check_commits(PARTITIONS).await?;
        }
        Ok(())
    });
}

#[test]
fn commits_survive_the_coordinators_death() {
    run(async |context| {
        let mut cluster = brokers(2)?.start(context).await?;
        cluster.create_topic(TOPIC, PARTITIONS, 2).await?;
        let load = Load::start(&cluster.bootstrap(), TOPIC, 2_000)?;
        load.wait_for_progress(2_000, SETTLE).await?;
        let acknowledged = load.stop().await?;
        let group = Group::new(&cluster.bootstrap(), "auditors", TOPIC, "range");
        let member = group.join()?;
        group.wait_for_all(&acknowledged, SETTLE).await?;
        member.leave().await?;
        let before = group.committed(PARTITIONS).await?;
        let end: i64 = before.values().map(|offset| offset.unwrap_or_default()).sum();
        ensure!(end as usize >= acknowledged.len(), "{end} committed of {}", acknowledged.len());

        let coordinator = coordinator(&cluster).await?;
        cluster.broker(coordinator)?.kill();
        cluster.wait_for_state(OFFSETS, 0, "another leader", |state| state.leader != coordinator).await?;
        let after = group.committed(PARTITIONS).await?;
        ensure!(after == before, "committed before: {before:?}, after: {after:?}");
        Ok(())
    });
}

#[test]
fn a_static_member_returns_without_a_rebalance() {
    run(async |context| {
        let cluster = brokers(1)?.start(context).await?;
        cluster.create_topic(TOPIC, PARTITIONS, 1).await?;
        let group = Group::new(&cluster.bootstrap(), "static", TOPIC, "range");
        let join = |instance: &str| group.join_with(&[("group.instance.id", instance)]);
        let (staying, going) = (join("staying")?, join("going")?);
        wait_for_balance(&[&staying, &going], PARTITIONS, SETTLE).await?;
        let (owned, assignments) = (going.assigned(), staying.assignments());
        going.leave().await?;
        let back = join("going")?;
        wait::until_true("the static member to own what it owned", SETTLE, || async {
            Ok(back.assigned() == owned)
        })
        .await?;
        let load = Load::start(&cluster.bootstrap(), TOPIC, 1_000)?;
        load.wait_for_progress(500, SETTLE).await?;
        group.wait_for_all(&load.stop().await?, SETTLE).await?;
        ensure!(staying.assignments() == assignments, "the other member was rebalanced");
        Ok(())
    });
}

#[test]
fn a_cooperative_rebalance_moves_only_what_must_move() {
    run(async |context| {
        let cluster = brokers(1)?.start(context).await?;
        cluster.create_topic(TOPIC, PARTITIONS, 1).await?;
        let group = Group::new(&cluster.bootstrap(), "cooperative", TOPIC, "cooperative-sticky");
        let mut members: Vec<Member> = vec![group.join()?];
        wait_for_balance(&[&members[0]], PARTITIONS, SETTLE).await?;
        for _ in 0..3 {
            let before: Vec<BTreeSet<i32>> = members.iter().map(Member::assigned).collect();
            members.push(group.join()?);
            wait_for_balance(&members.iter().collect::<Vec<_>>(), PARTITIONS, SETTLE).await?;
            for (member, before) in members.iter().zip(&before) {
                ensure!(member.assigned().is_subset(before), "{:?} from {before:?}", member.assigned());
            }
        }
        while let Some(leaving) = members.pop() {
            leaving.leave().await?;
            if !members.is_empty() {
                wait_for_balance(&members.iter().collect::<Vec<_>>(), PARTITIONS, SETTLE).await?;
            }
        }
        Ok(())
    });
}

/// The leader of the only partition of the offsets topic: the coordinator of every group.
async fn coordinator(cluster: &Cluster) -> Result<i32> {
    Ok(cluster.wait_for_state(OFFSETS, 0, "a leader", |state| state.leader >= 0).await?.leader)
}

/// kcat as a member: what it reads and what it is assigned go to a log.
struct KcatMember {
    process: Process,
    log: std::path::PathBuf,
}

impl KcatMember {
    fn join(context: &TestContext, cluster: &Cluster, number: usize) -> Result<KcatMember> {
        let bootstrap = cluster.bootstrap();
        let name = format!("kcat-{number}");
        let line = CommandLine::new("kcat")
            .args(["-b", &bootstrap, "-G", "kcats", "-u", "-f", "%s\\n"])
            .args(["-X", "auto.offset.reset=earliest", "-X", "session.timeout.ms=6000"])
            .args(["-X", "heartbeat.interval.ms=500", TOPIC]);
        Ok(KcatMember { process: Process::spawn(context, &name, &line)?, log: context.log_file(&name)? })
    }

    fn text(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(&self.log)?).into_owned())
    }

    /// The partitions of its last rebalance, from "% Group kcats rebalanced (memberid ...): assigned: orders [0], orders [1]".
    fn assigned(&self) -> Result<BTreeSet<i32>> {
        let text = self.text()?;
        let last = text.lines().rfind(|line| line.contains("rebalanced")).unwrap_or_default();
        let Some((_, partitions)) = last.split_once("assigned: ") else { return Ok(BTreeSet::new()) };
        let numbers = partitions.split('[').skip(1).filter_map(|rest| rest.split(']').next());
        numbers.map(|number| number.parse().context("a partition that is no number")).collect()
    }
}

/// Waits until these members, and nobody else, own all partitions, each partition by one.
async fn wait_for_shares(members: &[KcatMember]) -> Result<()> {
    wait::until_true(&format!("{} kcats to share the partitions", members.len()), SETTLE, || async {
        let assigned = members.iter().map(KcatMember::assigned).collect::<Result<Vec<_>>>()?;
        let owned: usize = assigned.iter().map(BTreeSet::len).sum();
        let distinct: BTreeSet<&i32> = assigned.iter().flatten().collect();
        ensure!(distinct.len() == PARTITIONS as usize && owned == distinct.len(), "they own {assigned:?}");
        Ok(true)
    })
    .await
}

async fn send(cluster: &Cluster, numbers: std::ops::Range<usize>) -> Result<Vec<String>> {
    let lines: Vec<String> = numbers.map(|number| format!("line-{number:06}")).collect();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let settings = ["-X", "acks=all", "-X", "partitioner=random", "-X", "sticky.partitioning.linger.ms=0"];
    cluster.kcat().produce(TOPIC, &settings, &text).await?;
    Ok(lines)
}

async fn wait_for_lines(members: &[KcatMember], sent: &[String]) -> Result<()> {
    wait::until_true("the kcats to read every line", SETTLE, || async {
        let texts = members.iter().map(KcatMember::text).collect::<Result<Vec<_>>>()?;
        let read: BTreeSet<&str> = texts.iter().flat_map(|text| text.lines()).collect();
        let missing: Vec<_> = sent.iter().filter(|line| !read.contains(line.as_str())).collect();
        ensure!(missing.is_empty(), "{} not read, the first: {}", missing.len(), missing[0]);
        Ok(true)
    })
    .await
}
