//! A scheduler made from stored tasks goes on as the one before would have.

use std::sync::Arc;

use chrono::TimeDelta;
use heliograph::engine::effect::{Effects, Recorded};
use heliograph::engine::event::Event;
use heliograph::engine::roster::{Capacity, Roster, Team};
use heliograph::engine::scheduler::{Limits, Restored, Scheduler};
use heliograph::engine::task::{Task, WaitReason};

use crate::clocks::restarted;
use crate::random::{Walk, firm};
use crate::world::*;

/// The same tasks in another process: through JSON and back.
fn reborn(walk: &Walk, roster: Arc<Roster>) -> Scheduler {
    let stored = |task: &Task| serde_json::from_str(&serde_json::to_string(task).expect("JSON")).expect("a task");
    let restored = Restored {
        open: walk.world.stored.values().map(stored).collect(),
        processes: walk.world.processes.values().cloned().collect(),
        ended: walk.world.ended.iter().map(stored).collect(),
        conflicts: walk.world.scheduler.conflicts().to_vec(),
        walls: walk.world.scheduler.walls().clone(),
        kept: walk.world.scheduler.kept_updates().cloned().collect(),
        marks: walk.world.marks.clone(),
        next_arrival: walk.world.scheduler.next_arrival(),
        overrides: walk.world.scheduler.overrides().clone(),
        roster_before: None,
        outage_since: None,
    };
    Scheduler::restore(roster, Limits::default(), restored, walk.world.now)
}

/// What was recorded, without the number of the class, which counts from the start of a process.
fn told(effects: &Effects) -> Vec<String> {
    let told = |it: &Recorded| {
        let decision = it.decision.as_ref().map(|it| (it.winner.clone(), it.available.clone(), it.rejected.clone()));
        format!("{} {:?} {:?} {:?} {:?} {decision:?}", it.at, it.task, it.team, it.addressed, it.effect)
    };
    effects.recorded.iter().map(told).collect()
}

#[test]
fn a_restored_scheduler_decides_as_the_one_before_would_have() {
    for seed in 1..=12 {
        let mut walk = Walk::new(seed);
        for _ in 0..400 {
            walk.go();
        }
        let roster = Arc::clone(walk.world.scheduler.base_roster());
        let mut twin = reborn(&walk, roster);
        let first = twin.step(walk.world.now, Event::DeadlineReached);
        let here = walk.world.step(Event::DeadlineReached);
        assert_eq!(told(&first), told(&here), "seed {seed}: a restart alone changes nothing");
        twin.check_invariants().expect("invariants");
        for turn in 0..400 {
            let Some(event) = walk.next_event() else { continue };
            let (now, there) = (walk.world.now, twin.step(walk.world.now, event.clone()));
            let here = walk.world.step(event);
            assert_eq!(told(&there), told(&here), "seed {seed}, turn {turn}, at {now}");
            assert_eq!(there.answer, here.answer);
        }
        assert_eq!(twin.marks(), walk.world.scheduler.marks(), "seed {seed}");
        let open = |scheduler: &Scheduler| scheduler.open_tasks().cloned().collect::<Vec<_>>();
        assert_eq!(open(&twin), open(&walk.world.scheduler), "seed {seed}");
        assert!(twin.open_processes().eq(walk.world.scheduler.open_processes()), "seed {seed}");
        assert_eq!(twin.next_deadline(), walk.world.scheduler.next_deadline(), "seed {seed}");
    }
}

#[test]
fn the_same_events_at_the_same_times_give_the_same_effects() {
    let run = |seed| {
        let mut walk = Walk::new(seed);
        for _ in 0..1_500 {
            walk.go();
        }
        format!("{:?}", walk.world.log)
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn what_fell_due_while_nobody_ran_is_done_in_the_first_step() {
    let mut world = World::new("2026-11-23T10:00:00Z", firm());
    let _ = world.send(request("a"));
    assert!(world.place_of("a").starts_with("offered"));
    let open = world.scheduler.open_tasks().cloned().collect();
    let now = at("2026-11-23T13:00:00Z");
    let restored = Restored { open, next_arrival: 1, ..Restored::default() };
    let scheduler = Scheduler::restore(firm().into(), Limits::default(), restored, now);
    let mut later = World::around(scheduler, now);
    let _ = later.step(Event::DeadlineReached);
    assert_eq!(later.story("a").first(), Some(&"lapse"));
}

#[test]
fn a_turn_down_that_ended_while_nobody_ran_is_no_reason_to_wait_any_more_though_its_team_is_full() {
    let only = || crate::world::roster(vec![Team { capacity: Capacity::Seats(1), ..always("a") }]);
    let mut world = World::new("2026-11-23T10:00:00Z", only());
    let _ = world.send(request("x"));
    let lapses_at = world.offer_until("x");
    world.run_to(&lapses_at.to_rfc3339());
    let _ = world.send(request("y"));
    world.accept("y");
    let until = world.task("x").turn_downs[0].until.expect("it ends");
    assert_eq!(world.wait_of("x"), (WaitReason::TurnedDown, Some(until)));
    assert_eq!(world.scheduler.next_due_at(world.task("x")), Some(until));
    let later = restarted(&world, None, only(), &(until + TimeDelta::minutes(1)).to_rfc3339());
    assert_eq!(later.wait_of("x"), (WaitReason::NoSeatFree, None));
    assert_eq!(later.scheduler.next_due_at(later.task("x")), None);
}
