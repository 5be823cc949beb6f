//! `gregor doctor DIR...`: examines data directories that no broker has open, alone and against ZooKeeper; says what is
//! wrong, what repairing would do and lose; and does it, when asked to and after it has been said.

mod output;

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{CommandFactory as _, Parser};
use gregor_doctor::{
    DirectoryLocks, Examination, Finding, Kind, Options, Policy, compare, examine, zookeeper,
};
use gregor_model::BrokerId;
use uuid::Uuid;

use crate::command_line::clap_arguments;
use crate::report;

/// How often progress is shown.
const PROGRESS: Duration = Duration::from_millis(200);

/// Examines data directories offline, and repairs them.
///
/// Prints what is wrong, what repairing would do, and what would be lost. Changes nothing without --repair, and then only
/// after asking. Ends with 0 if nothing is damaged.
#[derive(Clone, Debug, Parser)]
#[command(name = "gregor doctor")]
struct Flags {
    /// Every log directory of one broker
    #[arg(required = true, value_name = "DIR")]
    dirs: Vec<PathBuf>,
    /// Hold the directories against the topics in ZooKeeper, too: host:port,.../chroot
    #[arg(long, value_name = "CONNECT")]
    zookeeper: Option<String>,
    /// Whose directories they are, if they do not say so
    #[arg(long, value_name = "ID")]
    broker_id: Option<i32>,
    /// Do what is said to be done, after asking
    #[arg(long)]
    repair: bool,
    /// Do not ask
    #[arg(long, requires = "repair")]
    yes: bool,
    /// Take only damaged batches out of a log, instead of cutting it there: less is lost on the only replica; elsewhere a
    /// follower fetches again what a cut loses
    #[arg(long)]
    drop_damaged: bool,
    /// Read the records in every batch, not only those of internal topics
    #[arg(long)]
    records: bool,
    /// Print a JSON document instead, for scripts
    #[arg(long)]
    json: bool,
}

/// This tool's flags.
pub fn command() -> clap::Command {
    Flags::command()
}

/// Runs the tool.
pub async fn run(arguments: &[String]) -> ExitCode {
    let flags: Flags = match clap_arguments(arguments) {
        Ok(flags) => flags,
        Err(code) => return code,
    };
    match perform(&flags).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => report::failure(format!("{error:#}")),
    }
}

/// True if nothing is damaged, or not any more.
async fn perform(flags: &Flags) -> anyhow::Result<bool> {
    let examination = look(flags).await?;
    let findings = &examination.findings;
    if flags.json {
        println!("{}", output::json(&examination)?);
    } else {
        print!("{}", output::text(&examination));
    }
    let sound = findings.iter().all(|finding| finding.kind.is_note());
    let repairable = findings.iter().filter(|finding| finding.repair.is_some()).count();
    if !flags.repair || repairable == 0 {
        return Ok(sound);
    }
    anyhow::ensure!(!examination.in_use, "a broker has these directories open: stop it first");
    let locks = DirectoryLocks::take(&flags.dirs)?;
    if !flags.yes && !asked_and_answered(repairable)? {
        eprintln!("nothing was changed");
        return Ok(false);
    }
    repair(findings)?;
    drop(locks);
    let after = look(flags).await?;
    let left: Vec<&Finding> = after.findings.iter().filter(|finding| !finding.kind.is_note()).collect();
    eprintln!("repaired {repairable}; examined again: {} damages left", left.len());
    left.iter().for_each(|finding| eprintln!("{finding}"));
    Ok(left.is_empty())
}

async fn look(flags: &Flags) -> anyhow::Result<Examination> {
    let policy = if flags.drop_damaged { Policy::Drop } else { Policy::Cut };
    let mut progress = Progress::new();
    let options = Options { policy, deep: flags.records };
    let mut examination = examine(&flags.dirs, options, &mut |bytes| progress.read(bytes));
    progress.end();
    if let Some(connect) = &flags.zookeeper {
        let session = zookeeper::connect(connect).await?;
        let nodes = zookeeper::read(&session).await;
        session.close().await;
        let broker = flags.broker_id.map(BrokerId);
        let found = compare(&examination, &nodes?, broker, || Uuid::from_bytes(rand::random()));
        examination.findings.extend(found);
    }
    Ok(examination)
}

/// Asks whether to go on. Whoever cannot answer has said no.
fn asked_and_answered(repairs: usize) -> io::Result<bool> {
    eprint!("Do these {repairs} repairs? (y/n) ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn repair(findings: &[Finding]) -> anyhow::Result<()> {
    use anyhow::Context as _;
    // Directories are put aside last: what else is repaired in them has to be found.
    let (renames, others): (Vec<_>, Vec<_>) = findings
        .iter()
        .filter_map(|finding| finding.repair.as_ref().map(|repair| (finding.kind, repair)))
        .partition(|(kind, _)| matches!(kind, Kind::UnknownTopic | Kind::NotAssigned));
    for (_, repair) in others.into_iter().chain(renames) {
        for step in &repair.steps {
            step.perform().with_context(|| format!("repairing {}", step.path().display()))?;
        }
    }
    Ok(())
}

/// Shows on a terminal how far reading has come.
struct Progress {
    shown: bool,
    bytes: u64,
    last: Instant,
}

impl Progress {
    fn new() -> Progress {
        Progress { shown: io::stderr().is_terminal(), bytes: 0, last: Instant::now() }
    }

    fn read(&mut self, bytes: u64) {
        self.bytes += bytes;
        if self.shown && self.last.elapsed() >= PROGRESS {
            self.last = Instant::now();
            eprint!("\r{} MB read", self.bytes >> 20);
        }
    }

    fn end(&self) {
        if self.shown {
            eprint!("\r                         \r");
        }
    }
}
