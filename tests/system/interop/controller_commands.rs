//! What a controller leaves in ZooKeeper: the same commands to a cluster of Gregor brokers and to one of Apache Kafka 3.9, and
//! then the znodes side by side. Broker 0 is the controller throughout, and is never stopped.
//!
//! Equal must be: topic nodes (but for the random id), leaders, leader epochs, members of the ISR, recovery state, controller
//! epoch, the nodes below `/admin`, and every answer's error code. Two things are free:
//! - the order of an ISR, which is the order in which followers happened to catch up;
//! - a state's version (the partition epoch) after followers joined on their own, as their joining may be written together
//!   or one by one. It is compared where nobody joins.

mod deletion;
mod election;
mod growth;
mod reassignment;
mod site;

use anyhow::{Result, ensure};
use gregor_harness::{BrokerKind, TestContext, run_within};
use site::Site;
use std::time::{Duration, Instant};

/// Four brokers of each kind start, stop and are killed; a machine of two slow cores takes a while.
const DEADLINE: Duration = Duration::from_secs(300);

/// What is commanded together.
#[derive(Clone, Copy)]
enum Commands {
    GrowthAndElections,
    Moves,
    Losses,
}

#[test]
fn growth_and_preferred_elections_leave_the_same_znodes() {
    check(Commands::GrowthAndElections);
}

#[test]
fn reassignments_leave_the_same_znodes() {
    check(Commands::Moves);
}

#[test]
fn deletions_and_unclean_elections_leave_the_same_znodes() {
    check(Commands::Losses);
}

fn check(commands: Commands) {
    run_within(DEADLINE, async |context| {
        let gregor = remains(context, BrokerKind::Gregor, commands).await?;
        let kafka = remains(context, BrokerKind::Kafka, commands).await?;
        compare(&gregor, &kafka)
    });
}

/// Gives the commands to a cluster of that kind, and tells what they left.
async fn remains(context: &TestContext, kind: BrokerKind, commands: Commands) -> Result<Vec<String>> {
    let context = TestContext::in_directory(context.create_dir(&format!("{kind:?}"))?);
    let start = Instant::now();
    let mut site = Site::start(&context, kind).await?;
    match commands {
        Commands::GrowthAndElections => {
            growth::run(&mut site).await?;
            election::preferred(&mut site).await?;
        }
        Commands::Moves => {
            reassignment::refusals(&mut site).await?;
            reassignment::reordered(&mut site).await?;
            reassignment::under_load(&mut site).await?;
        }
        Commands::Losses => {
            reassignment::cancelled_and_deleted(&mut site).await?;
            deletion::during_broker_loss(&mut site).await?;
            election::unclean(&mut site).await?;
        }
    }
    println!("{kind:?} took {:?}", start.elapsed());
    Ok(site.lines())
}

fn compare(gregor: &[String], kafka: &[String]) -> Result<()> {
    let mut different = String::new();
    for index in 0..gregor.len().max(kafka.len()) {
        let (ours, theirs) = (gregor.get(index), kafka.get(index));
        if ours != theirs {
            let show = |line: Option<&String>| line.map_or("(nothing)", String::as_str).to_owned();
            different.push_str(&format!("\n  Gregor {}\n  Kafka  {}", show(ours), show(theirs)));
        }
    }
    println!("compared {} lines", kafka.len());
    ensure!(different.is_empty(), "the znodes differ:{different}");
    Ok(())
}
