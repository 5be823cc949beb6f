//! The applications that work during a swap, and what they may expect at its end.

use super::verdict::once_each;
use anyhow::{Context as _, Result, ensure};
use gregor_harness::cluster::SETTLE;
use gregor_harness::copier::{check_copies, wait_for_copies};
use gregor_harness::group::wait_for_balance;
use gregor_harness::java::client_program;
use gregor_harness::{
    Cluster, Copier, CopyJob, Group, Load, Member, Process, TestContext, TopicChurn, read_back, wait,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

const INPUT: &str = "orders";
const OUTPUT: &str = "copies";
const JAVA: &str = "java-orders";
const PARTITIONS: i32 = 3;
/// A group may have to wait for a member that died with its coordinator.
const PATIENCE: Duration = Duration::from_secs(60);

/// What they use.
pub const TOPICS: [super::Extent; 3] =
    [(INPUT, PARTITIONS, 3), (OUTPUT, PARTITIONS, 3), (JAVA, PARTITIONS, 3)];

/// All of them, running.
pub struct Applications {
    load: Load,
    copiers: [Copier; 1],
    group: Group,
    members: [Member; 2],
    churn: TopicChurn,
    java: Process,
    java_stop: PathBuf,
    java_log: PathBuf,
}

impl Applications {
    /// Creates their topics and starts them.
    pub async fn start(context: &TestContext, cluster: &Cluster) -> Result<Applications> {
        for (topic, partitions, replicas) in TOPICS {
            cluster.create_topic(topic, partitions, replicas).await?;
        }
        let bootstrap = cluster.bootstrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/Applications.java");
        let java_stop = context.dir().join("applications-stop");
        let line = client_program(context.dir(), &source).await?;
        let line = line.args([&bootstrap, JAVA, "java-readers", &java_stop.display().to_string()]);
        let java = Process::spawn(context, "applications", &line)?;
        let group = Group::new(&bootstrap, "readers", INPUT, "cooperative-sticky");
        let members = [group.join()?, group.join()?];
        let applications = Applications {
            load: Load::start(&bootstrap, INPUT, 300)?,
            copiers: [Copier::start(CopyJob {
                bootstrap: bootstrap.clone(),
                group: "copiers".to_owned(),
                transactional_id: "copier".to_owned(),
                from: INPUT.to_owned(),
                to: OUTPUT.to_owned(),
            })],
            group,
            members,
            churn: TopicChurn::start(&bootstrap)?,
            java,
            java_stop,
            java_log: context.log_file("applications")?,
        };
        applications.wait_for_progress().await?;
        Ok(applications)
    }

    /// Waits until every one of them gets on.
    pub async fn wait_for_progress(&self) -> Result<()> {
        let java = self.java_progress()?;
        self.load.wait_for_progress(200, PATIENCE).await?;
        wait_for_copies(&self.copiers, self.copiers[0].copied() + 100, PATIENCE).await?;
        self.group.wait_for_progress(100, PATIENCE).await?;
        wait_for_balance(&[&self.members[0], &self.members[1]], PARTITIONS, PATIENCE).await?;
        self.churn.wait_for_progress(PATIENCE).await?;
        wait::until_true("the Java applications to get on", PATIENCE, || async {
            let now = self.java_progress()?;
            Ok(now.0 > java.0 + 100 && now.1 > java.1 + 100)
        })
        .await
    }

    /// Records that the Java applications say are acknowledged, and read.
    fn java_progress(&self) -> Result<(u64, u64)> {
        let text = std::fs::read_to_string(&self.java_log)?;
        let failed = text.lines().find(|line| line.starts_with("failed"));
        ensure!(failed.is_none(), "the Java applications: {failed:?}");
        let last = text.lines().filter_map(|line| line.strip_prefix("progress ")).next_back();
        let Some((sent, read)) = last.and_then(|line| line.split_once(' ')) else { return Ok((0, 0)) };
        Ok((sent.parse()?, read.parse()?))
    }

    /// Stops them and holds what they were told against what is there. Gives the number of records sent.
    pub async fn finish(mut self, cluster: &Cluster) -> Result<usize> {
        let bootstrap = cluster.bootstrap();
        let rounds = self.churn.stop().await?;
        let acknowledged = self.load.stop().await?;
        std::fs::write(&self.java_stop, "")?;
        let status = self.java.wait_for_exit(2 * PATIENCE).await?;
        let said = std::fs::read_to_string(&self.java_log)?;
        ensure!(status.success(), "the Java applications ended with {status}: {said}");

        let input = read_back::read_topic(&bootstrap, INPUT, PARTITIONS).await?;
        read_back::check_acknowledged(&acknowledged, &input)?;
        self.group.wait_for_all(&acknowledged, PATIENCE).await?;
        let sent: usize = input.values().map(BTreeMap::len).sum();
        wait_for_copies(&self.copiers, sent, PATIENCE).await?;
        let aborted: usize = self.copiers.iter().map(Copier::aborted).sum();
        for copier in self.copiers {
            copier.stop().await?;
        }
        check_copies(&input, &read_back::read_topic(&bootstrap, OUTPUT, PARTITIONS).await?)?;
        for member in self.members {
            member.leave().await?;
        }
        self.group.check_commits(PARTITIONS).await?;

        let java_sent = said.lines().find_map(|line| line.strip_prefix("acknowledged "));
        let java_sent: usize = java_sent.context("it never said what was acknowledged")?.parse()?;
        once_each(&read_back::read_topic(&bootstrap, JAVA, PARTITIONS).await?, "java-", java_sent)?;
        wait::until_true("every fleeting topic to be gone", SETTLE, || async {
            let topics = cluster.znodes.children("/brokers/topics").await?;
            Ok(!topics.iter().any(|topic| topic.starts_with(gregor_harness::topic_churn::PREFIX)))
        })
        .await?;
        println!(
            "{sent} + {java_sent} records, {aborted} transactions aborted, {rounds} topics came and went"
        );
        Ok(sent + java_sent)
    }
}
