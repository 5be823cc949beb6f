//! Runs seeds: `gregor-simulation --seeds A..B [--minutes M] [--threads T]`, or one of them with its trace:
//! `gregor-simulation --seed S --trace`. With `--coordinators` those of groups and transactions instead of those of replication.
//! With `--twice` every seed is lived twice, and must be the same life.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gregor_simulation::{CoordinationMutant, Mutant, coordination, live};

const USAGE: &str =
    "usage: gregor-simulation [--coordinators] [--seeds A..B] [--minutes M] [--threads T] [--mutant NAME] [--twice]
       gregor-simulation [--coordinators] --seed S [--trace] [--mutant NAME]";

/// What `--twice` finds.
const ANOTHER_LIFE: &str = "the seed lives another life the second time";

struct Arguments {
    seeds: std::ops::Range<u64>,
    minutes: Option<u64>,
    threads: usize,
    trace: bool,
    coordinators: bool,
    twice: bool,
    mutant: Option<String>,
}

fn parse(arguments: impl Iterator<Item = String>) -> Option<Arguments> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut parsed = Arguments {
        seeds: 0..2_000,
        minutes: None,
        threads,
        trace: false,
        coordinators: false,
        twice: false,
        mutant: None,
    };
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--trace" => parsed.trace = true,
            "--seed" => {
                let seed: u64 = arguments.next()?.parse().ok()?;
                parsed.seeds = seed..seed + 1;
            }
            "--seeds" => {
                let range = arguments.next()?;
                let (first, end) = range.split_once("..")?;
                parsed.seeds = first.parse().ok()?..end.parse().ok()?;
            }
            "--minutes" => parsed.minutes = Some(arguments.next()?.parse().ok()?),
            "--threads" => parsed.threads = arguments.next()?.parse().ok()?,
            "--coordinators" => parsed.coordinators = true,
            "--twice" => parsed.twice = true,
            "--mutant" => parsed.mutant = Some(arguments.next()?),
            _ => return None,
        }
    }
    Some(parsed)
}

/// What the lives came to together.
#[derive(Default)]
struct Totals {
    done: AtomicU64,
    failed: AtomicU64,
    cluster_ms: AtomicU64,
    events: AtomicU64,
    /// Figures of one kind of life, by name.
    figures: [AtomicU64; 3],
}

/// One life: how long, how many events, three figures, and what was violated.
type Life = (i64, u64, [u64; 3], Option<String>);

/// Lives a seed.
type Lives<'a> = Box<dyn Fn(u64) -> Life + Sync + 'a>;

impl Arguments {
    /// The lives that are asked for, and what their figures are.
    fn lives(&self) -> Option<(Lives<'_>, [&'static str; 3])> {
        let named = |name: &dyn std::fmt::Debug| Some(format!("{name:?}")) == self.mutant;
        if self.coordinators {
            let mutant = CoordinationMutant::ALL.into_iter().find(|mutant| named(mutant));
            if mutant.is_some() != self.mutant.is_some() {
                return None;
            }
            let life = move |seed| {
                let mut report = coordination::live(seed, mutant, self.trace);
                if self.twice && coordination::live(seed, mutant, false) != report {
                    report.violation.get_or_insert_with(|| ANOTHER_LIFE.to_owned());
                }
                let figures = [report.assignments, report.commits, report.transactions];
                (report.lasted_ms, report.events, figures, report.violation)
            };
            return Some((Box::new(life), ["assignments", "commits", "transactions"]));
        }
        let mutant = Mutant::ALL.into_iter().find(|mutant| named(mutant));
        if mutant.is_some() != self.mutant.is_some() {
            return None;
        }
        let life = move |seed| {
            let mut report = live(seed, mutant, self.trace);
            if self.twice && live(seed, mutant, false) != report {
                report.violation.get_or_insert_with(|| ANOTHER_LIFE.to_owned());
            }
            let figures = [report.acknowledged, report.absolutions, report.forks];
            (report.lasted_ms, report.events, figures, report.violation)
        };
        Some((Box::new(life), ["records acknowledged", "losses absolved", "forks"]))
    }
}

fn main() -> ExitCode {
    let arguments = parse(std::env::args().skip(1));
    let Some((arguments, (life, names))) =
        arguments.as_ref().and_then(|arguments| Some((arguments, arguments.lives()?)))
    else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let started = Instant::now();
    let deadline = arguments.minutes.map(|minutes| started + Duration::from_secs(minutes * 60));
    let next = AtomicU64::new(arguments.seeds.start);
    let totals = Totals::default();
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= arguments.seeds.end || deadline.is_some_and(|at| Instant::now() > at) {
                        break;
                    }
                    let (lasted_ms, events, figures, violation) = life(seed);
                    totals.done.fetch_add(1, Ordering::Relaxed);
                    totals.cluster_ms.fetch_add(lasted_ms.unsigned_abs(), Ordering::Relaxed);
                    totals.events.fetch_add(events, Ordering::Relaxed);
                    for (total, figure) in totals.figures.iter().zip(figures) {
                        total.fetch_add(figure, Ordering::Relaxed);
                    }
                    if let Some(violation) = violation {
                        totals.failed.fetch_add(1, Ordering::Relaxed);
                        let which = if arguments.coordinators { " --coordinators" } else { "" };
                        println!("seed {seed} FAILED after {lasted_ms} ms: {violation}");
                        println!("  again: gregor-simulation{which} --seed {seed} --trace");
                    }
                }
            });
        }
    });
    let done = totals.done.into_inner();
    let figures =
        names.iter().zip(totals.figures).map(|(name, figure)| format!("{} {name}", figure.into_inner()));
    println!(
        "{done} seeds, {} failed; {:.1} minutes of cluster time each; {} events, {}; {:.1} s",
        totals.failed.load(Ordering::Relaxed),
        totals.cluster_ms.into_inner() as f64 / 60_000.0 / done.max(1) as f64,
        totals.events.into_inner(),
        figures.collect::<Vec<_>>().join(", "),
        started.elapsed().as_secs_f64()
    );
    if totals.failed.into_inner() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
