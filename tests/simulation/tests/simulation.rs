//! The simulation as CI runs it: two thousand lives, one of them twice, and every mutant caught.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use gregor_simulation::{Mutant, live};

/// How many seeds; `GREGOR_SIMULATION_SEEDS` asks for more.
const SEEDS: u64 = 2_000;

/// Every mutant must be caught within so many.
const MUTANT_SEEDS: u64 = 500;

#[test]
fn no_life_violates_an_invariant() {
    let seeds = std::env::var("GREGOR_SIMULATION_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    let seeds = seeds.unwrap_or(SEEDS);
    let next = AtomicU64::new(0);
    let violations = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        break;
                    }
                    if let Some(violation) = live(seed, None, false).violation {
                        violations.lock().unwrap().push(format!("seed {seed}: {violation}"));
                    }
                }
            });
        }
    });
    let violations = violations.into_inner().unwrap();
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn a_seed_lives_the_same_life_twice() {
    for seed in 0..20 {
        let first = live(seed, None, false);
        assert_eq!(first, live(seed, None, false), "seed {seed}");
        assert!(first.lasted_ms > 60_000, "seed {seed}: a life is minutes long");
    }
}

#[track_caller]
fn is_caught(mutant: Mutant) {
    let caught = (0..MUTANT_SEEDS).find_map(|seed| Some((seed, live(seed, Some(mutant), false).violation?)));
    let Some((seed, violation)) = caught else { panic!("{mutant:?} is not caught in {MUTANT_SEEDS} seeds") };
    println!("{mutant:?} is caught by seed {seed}: {violation}");
}

#[test]
fn truncating_to_the_high_watermark_is_caught() {
    is_caught(Mutant::TruncateToHighWatermark);
}

#[test]
fn an_isr_that_is_not_frozen_is_caught() {
    is_caught(Mutant::IsrNotFrozen);
}

#[test]
fn a_high_watermark_past_a_joining_replica_is_caught() {
    is_caught(Mutant::HighWatermarkPastJoining);
}

#[test]
fn missing_controller_fencing_is_caught() {
    is_caught(Mutant::NoControllerFencing);
}

#[test]
fn a_stale_leader_and_isr_is_caught() {
    is_caught(Mutant::StaleLeaderAndIsr);
}

#[test]
fn positions_kept_over_a_missed_term_are_caught() {
    is_caught(Mutant::PositionsKept);
}

#[test]
fn duplicates_appended_again_are_caught() {
    is_caught(Mutant::DuplicatesAppended);
}
