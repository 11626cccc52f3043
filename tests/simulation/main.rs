//! The whole engine on virtual time, driven from a seed, against a second reading of the rules that shares no code with it.
//!
//! `SEED` and `EVENTS` say what is run; a failure names its seed, and the same seed is the same run, byte for byte.

#[path = "simulated.rs"]
mod simulated;

use simulated::{Load, World, simulate};

fn from_environment(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty());
    text.map_or(default, |text| text.replace('_', "").parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Each of the events that a run of some length must meet, so that none is left out by chance.
fn meets(world: &World, steps: u64) {
    let figures = world.figures();
    let mut wanted =
        vec!["task.offered", "task.accepted", "task.lapsed", "handoff.planned", "handoff.passed", "sla.warned"];
    if steps >= 100_000 {
        wanted.extend([
            "sla.breached",
            "wall.raised",
            "roster.changed",
            "override.changed",
            "crashes",
            "sleeps",
            "clock set back",
            "repeats",
        ]);
        wanted.extend(["handoff.kept", "task.recalled", "task.unroutable", "task.infeasible", "task.directed"]);
    }
    let missing: Vec<_> = wanted.into_iter().filter(|it| !figures.contains_key(it)).collect();
    assert!(missing.is_empty(), "never met {missing:?}");
    assert!(figures["offers checked"] > steps / 100 && figures["waits checked"] > steps / 100, "{figures:?}");
}

/// Runs a quarter of `EVENTS` from a seed beside `SEED`, or less when `DAYS` end before. Several shorter runs meet more than
/// a long one.
fn keeps_to_the_rules(beside: u64, all_seats: bool) {
    let (seed, events) = (from_environment("SEED", 1), from_environment("EVENTS", 4_000));
    let days = from_environment("DAYS", 365);
    let hourly = i64::try_from(from_environment("HOURLY", 25)).expect("a rate");
    let load = Load { hourly, all_seats };
    let world = simulate(seed + beside, events / 4, i64::try_from(days).expect("days"), load);
    meets(&world, world.steps);
}

#[test]
fn months_of_work_keep_to_the_rules() {
    keeps_to_the_rules(0, false);
}

#[test]
fn a_second_seed_keeps_to_the_rules() {
    keeps_to_the_rules(1, false);
}

#[test]
fn a_third_seed_keeps_to_the_rules() {
    keeps_to_the_rules(2, false);
}

#[test]
fn the_whole_sample_roster_keeps_to_the_rules() {
    keeps_to_the_rules(0, true);
}

#[test]
fn the_same_seed_is_the_same_run_byte_for_byte() {
    let run = || simulate(77, 1_500, 365, Load { hourly: 25, all_seats: false }).digest();
    assert_eq!(run(), run());
}
