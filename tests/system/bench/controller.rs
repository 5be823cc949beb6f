//! The controller's failover with very many partitions: from the deletion of `/controller` until the last LeaderAndIsr has
//! arrived, Gregor's and Apache Kafka's in the same run, on the same znodes.
//!
//! The controller measured is a whole broker that leads nothing; the brokers of the partitions are stubs in this process.
//! Between two measurements this program itself holds `/controller`, so that nobody acts on the znodes while it prepares
//! them.

mod seed;
mod shutdown;
mod stub;

use anyhow::{Result, ensure};
use gregor_harness::broker::BrokerOptions;
use gregor_harness::ensemble::EnsembleOptions;
use gregor_harness::{Broker, BrokerKind, Ensemble, Process, TestContext, java, ports, wait};
use seed::Seed;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use stub::{Received, Stubs};

const SIZES: &str = "50000,200000";
/// Names other sizes.
const SIZES_VARIABLE: &str = "GREGOR_BENCH_PARTITIONS";
/// `broker.id` of the controller that is measured; the stubs have 1 and up.
const CONTROLLER: i32 = 0;
const RUNS_OF_GREGOR: usize = 5;
/// It takes a minute at 200,000.
const RUNS_OF_KAFKA: usize = 1;
const KAFKAS_HEAP_MEBIBYTES: u32 = 4_096;
const PATIENCE: Duration = Duration::from_secs(240);
/// For so long nothing more may come for a failover to count as over.
const SILENCE: Duration = Duration::from_millis(500);
/// What issue and design ask of so many partitions.
const TARGET_SIZE: usize = 200_000;
const TARGETS: [(Situation, Duration); 2] =
    [(Situation::AllAlive, Duration::from_millis(1_500)), (Situation::OneDead, Duration::from_secs(3))];

/// What a new controller finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Situation {
    /// Every leader is alive.
    AllAlive,
    /// One broker of three is gone, and one third of the leaders with it.
    OneDead,
}

impl Situation {
    const ALL: [Situation; 2] = [Situation::AllAlive, Situation::OneDead];

    fn name(self) -> &'static str {
        match self {
            Situation::AllAlive => "no elections",
            Situation::OneDead => "1/3 of leaders move",
        }
    }
}

/// Runs the case and prints its tables.
pub async fn run(context: &TestContext, with_kafka: bool) -> Result<()> {
    println!(
        "controller: from the deletion of /controller to the last LeaderAndIsr; 2 replicas on 3 brokers"
    );
    println!("{:>10}  {:20} {:>10} {:>10} {:>8}", "partitions", "", "Gregor", "Kafka", "ratio");
    for size in sizes()? {
        let context = TestContext::in_directory(context.create_dir(&size.to_string())?);
        let gregor = measure(&context, BrokerKind::Gregor, size, RUNS_OF_GREGOR).await?;
        let kafka = match with_kafka {
            true => Some(measure(&context, BrokerKind::Kafka, size, RUNS_OF_KAFKA).await?),
            false => None,
        };
        for situation in Situation::ALL {
            print(size, situation, &gregor, kafka.as_deref());
        }
    }
    shutdown::run(context, with_kafka).await
}

fn sizes() -> Result<Vec<usize>> {
    let named = std::env::var(SIZES_VARIABLE).unwrap_or_else(|_| SIZES.to_owned());
    Ok(named.split(',').map(|size| size.trim().parse()).collect::<Result<_, _>>()?)
}

/// One failover.
#[derive(Clone, Copy, Debug)]
struct Failover {
    situation: Situation,
    first: Duration,
    /// When all was sent; if that was not waited for, how long was waited.
    last: Duration,
    ended: bool,
}

/// The quickest of several: what slows the others down is the machine.
fn best(failovers: &[Failover], situation: Situation) -> Option<Failover> {
    failovers.iter().copied().filter(|it| it.situation == situation).min_by_key(|it| it.last)
}

fn print(size: usize, situation: Situation, gregor: &[Failover], kafka: Option<&[Failover]>) {
    let Some(ours) = best(gregor, situation) else { return };
    let theirs = kafka.and_then(|kafka| best(kafka, situation));
    let at_least = |it: Failover| if it.ended { "" } else { ">" };
    let seconds = |it: Option<Failover>| {
        it.map_or("-".to_owned(), |it| format!("{}{:.2} s", at_least(it), it.last.as_secs_f64()))
    };
    let ratio = theirs.map(|it| {
        let ratio = it.last.as_secs_f64() / ours.last.as_secs_f64();
        format!("{}{ratio:.1}x", at_least(it))
    });
    let target = TARGETS.iter().find(|(of, _)| *of == situation && size == TARGET_SIZE);
    println!(
        "{size:>10}  {:20} {:>10} {:>10} {:>8}   first {:.2} s{}",
        situation.name(),
        seconds(Some(ours)),
        seconds(theirs),
        ratio.unwrap_or_else(|| "-".to_owned()),
        ours.first.as_secs_f64(),
        target.map_or(String::new(), |(_, target)| format!("   target {:.1} s, 10x", target.as_secs_f64())),
    );
}

async fn measure(
    context: &TestContext,
    kind: BrokerKind,
    partitions: usize,
    runs: usize,
) -> Result<Vec<Failover>> {
    let context = TestContext::in_directory(context.create_dir(&format!("{kind:?}"))?);
    let ensemble =
        Ensemble::start(&context, &EnsembleOptions { large: true, ..EnsembleOptions::default() }).await?;
    let connect = format!("{}/gregor/bench", ensemble.connect_string());
    let mut seed = Seed::plant(&connect, partitions).await?;
    seed.hold_controller().await?;
    let mut stubs = Stubs::start().await?;
    for id in seed::BROKERS {
        seed.register(id, stubs.port(id)).await?;
    }
    let (broker, _process) = start(&context, kind, &connect).await?;
    seed.wait_for_registration(broker.id()).await?;
    let mut failovers = Vec::new();
    for _ in 0..runs {
        for situation in Situation::ALL {
            let failover = fail_over(&mut seed, &mut stubs, kind, situation).await?;
            failovers.push(failover);
            if !failover.ended {
                // Whatever is still under way would be counted to the next.
                return Ok(failovers);
            }
        }
    }
    Ok(failovers)
}

/// Lets the broker under measurement become the controller of what the seed holds.
async fn fail_over(
    seed: &mut Seed,
    stubs: &mut Stubs,
    kind: BrokerKind,
    situation: Situation,
) -> Result<Failover> {
    seed.restore().await?;
    let dead = (situation == Situation::OneDead).then_some(seed::DEAD);
    match dead {
        Some(id) => seed.unregister(id).await?,
        None => seed.register(seed::DEAD, stubs.port(seed::DEAD)).await?,
    }
    let expected = seed.leader_and_isr_entries(kind, dead);
    stubs.reset();
    let start = Instant::now();
    seed.release_controller().await?;
    let all = wait::until_true("every LeaderAndIsr of a failover", PATIENCE, || async {
        let received = stubs.received();
        Ok(received.entries >= expected && received.last.is_some_and(|last| last.elapsed() > SILENCE))
    });
    let ended = all.await.is_ok();
    let Received { entries, first, last } = stubs.received();
    ensure!(
        !ended || entries == expected,
        "{entries} partitions in LeaderAndIsr requests instead of {expected}"
    );
    let since = |at: Option<Instant>| at.map_or(Duration::ZERO, |at| at - start);
    let last = if ended { since(last) } else { start.elapsed() };
    seed.hold_controller().await?;
    Ok(Failover { situation, first: since(first), last, ended })
}

/// Starts the broker that is to become the controller.
async fn start(context: &TestContext, kind: BrokerKind, connect: &str) -> Result<(Broker, Process)> {
    let properties = [
        // It would move leaders amid a measurement.
        ("auto.leader.rebalance.enable", "false"),
        ("zookeeper.session.timeout.ms", "30000"),
    ];
    let options = BrokerOptions {
        id: CONTROLLER,
        kind,
        host: "127.0.0.1".to_owned(),
        port: ports::free_port()?,
        namespace: None,
        zookeeper_connect: connect.to_owned(),
        log_dirs: 1,
        kafkas_heap: None,
        properties: BTreeMap::from(properties.map(|(key, value)| (key.to_owned(), value.to_owned()))),
    };
    let broker = Broker::prepare(context, options)?;
    let line = java::for_speed(broker.command_line()?, KAFKAS_HEAP_MEBIBYTES);
    let process = Process::spawn(context, &format!("{kind:?}"), &line)?;
    Ok((broker, process))
}
