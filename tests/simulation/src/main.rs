//! Runs seeds: `gregor-simulation --seeds A..B [--minutes M] [--threads T]`, or one of them with its trace:
//! `gregor-simulation --seed S --trace`.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gregor_simulation::{Mutant, live};

const USAGE: &str = "usage: gregor-simulation [--seeds A..B] [--minutes M] [--threads T] [--mutant NAME]
       gregor-simulation --seed S [--trace] [--mutant NAME]";

struct Arguments {
    seeds: std::ops::Range<u64>,
    minutes: Option<u64>,
    threads: usize,
    trace: bool,
    mutant: Option<Mutant>,
}

fn parse(arguments: impl Iterator<Item = String>) -> Option<Arguments> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut parsed = Arguments { seeds: 0..2_000, minutes: None, threads, trace: false, mutant: None };
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
            "--mutant" => {
                let name = arguments.next()?;
                parsed.mutant = Some(Mutant::ALL.into_iter().find(|mutant| format!("{mutant:?}") == name)?);
            }
            _ => return None,
        }
    }
    Some(parsed)
}

fn main() -> ExitCode {
    let Some(arguments) = parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let started = Instant::now();
    let deadline = arguments.minutes.map(|minutes| started + Duration::from_secs(minutes * 60));
    let next = AtomicU64::new(arguments.seeds.start);
    let (done, failed, cluster_ms) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let (events, acknowledged) = (AtomicU64::new(0), AtomicU64::new(0));
    let (absolutions, forks) = (AtomicU64::new(0), AtomicU64::new(0));
    let stopped = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads.max(1) {
            scope.spawn(|| {
                while !stopped.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= arguments.seeds.end || deadline.is_some_and(|at| Instant::now() > at) {
                        break;
                    }
                    let report = live(seed, arguments.mutant, arguments.trace);
                    done.fetch_add(1, Ordering::Relaxed);
                    cluster_ms.fetch_add(report.lasted_ms.unsigned_abs(), Ordering::Relaxed);
                    events.fetch_add(report.events, Ordering::Relaxed);
                    acknowledged.fetch_add(report.acknowledged, Ordering::Relaxed);
                    absolutions.fetch_add(report.absolutions, Ordering::Relaxed);
                    forks.fetch_add(report.forks, Ordering::Relaxed);
                    if let Some(violation) = report.violation {
                        failed.fetch_add(1, Ordering::Relaxed);
                        println!("seed {seed} FAILED after {} ms: {violation}", report.lasted_ms);
                        println!("  again: gregor-simulation --seed {seed} --trace");
                    }
                }
            });
        }
    });
    let done = done.into_inner();
    println!(
        "{done} seeds, {} failed; {:.1} minutes of cluster time each; {} events, {} records acknowledged, \
         {} losses absolved, {} forks; {:.1} s",
        failed.load(Ordering::Relaxed),
        cluster_ms.into_inner() as f64 / 60_000.0 / done.max(1) as f64,
        events.into_inner(),
        acknowledged.into_inner(),
        absolutions.into_inner(),
        forks.into_inner(),
        started.elapsed().as_secs_f64()
    );
    if failed.into_inner() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
