//! Groups and transactions as CI runs them: two thousand lives, some of them twice, and every mutant caught.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use gregor_simulation::CoordinationMutant;
use gregor_simulation::coordination::live;

/// How many seeds; `GREGOR_SIMULATION_SEEDS` asks for more.
const SEEDS: u64 = 2_000;

/// Every mutant must be caught within so many.
const MUTANT_SEEDS: u64 = 3_000;

/// Lives the lives of these seeds on every processor, until `stop` says that it has seen enough.
fn live_all(
    seeds: u64,
    mutant: Option<CoordinationMutant>,
    stop: impl Fn(&[String]) -> bool + Sync,
) -> Vec<String> {
    let next = AtomicU64::new(0);
    let violations = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds || stop(&violations.lock().expect("no thread panicked")) {
                        break;
                    }
                    if let Some(violation) = live(seed, mutant, false).violation {
                        violations
                            .lock()
                            .expect("no thread panicked")
                            .push(format!("seed {seed}: {violation}"));
                    }
                }
            });
        }
    });
    violations.into_inner().expect("no thread panicked")
}

#[test]
fn no_life_of_a_coordinator_violates_an_invariant() {
    let seeds = std::env::var("GREGOR_SIMULATION_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    let violations = live_all(seeds.unwrap_or(SEEDS), None, |_| false);
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn a_seed_lives_the_same_life_twice() {
    for seed in 0..40 {
        let first = live(seed, None, false);
        assert_eq!(first, live(seed, None, false), "seed {seed}");
        assert!(first.lasted_ms > 30_000, "seed {seed}: a life is long");
    }
}

#[test]
fn groups_have_up_to_fifty_members_and_everything_is_at_work() {
    let reports: Vec<_> = (0..60).map(|seed| live(seed, None, false)).collect();
    assert!(reports.iter().map(|report| report.members).max() >= Some(50));
    let sum =
        |figure: fn(&gregor_simulation::coordination::Report) -> u64| reports.iter().map(figure).sum::<u64>();
    assert!(sum(|report| report.assignments) > 1_000);
    assert!(sum(|report| report.commits) > 10_000);
    assert!(sum(|report| report.transactions) > 1_000);
}

#[test]
fn every_mutant_is_caught() {
    let mut missed = Vec::new();
    for mutant in CoordinationMutant::ALL {
        match live_all(MUTANT_SEEDS, Some(mutant), |violations| !violations.is_empty()).first() {
            Some(violation) => println!("{mutant:?} is caught by {violation}"),
            None => missed.push(mutant),
        }
    }
    assert!(missed.is_empty(), "not caught in {MUTANT_SEEDS} seeds: {missed:?}");
}
