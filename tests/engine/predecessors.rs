//! Predecessors that nobody has sent are told of.

use std::sync::Arc;

use heliograph::engine::effect::{Effect, EscalationReason, MAX_UNKNOWN_NAMED};
use heliograph::engine::id::TaskId;
use heliograph::engine::request::WorkRequest;
use heliograph::engine::scheduler::{Limits, Restored, Scheduler, UNKNOWN_FOR};
use heliograph::engine::update::Change;

use crate::world::*;

const MONDAY: &str = "2026-11-23T10:00:00Z";

fn world() -> World {
    World::new(MONDAY, roster(vec![london()]))
}

fn after(id: &str, before: &[&str]) -> WorkRequest {
    WorkRequest { after: before.iter().map(|id| task_id(id)).collect(), ..request(id) }
}

/// What was told of unknown predecessors, as (when, task, which).
fn told(world: &World) -> Vec<(String, TaskId, Vec<TaskId>)> {
    let told = world.log.iter().filter_map(|it| match (&it.effect, &it.task) {
        (
            Effect::RaiseEscalation { reason: EscalationReason::UnknownPredecessor, step: None, unknown },
            Some((task, _)),
        ) => Some((it.at.format("%H:%M").to_string(), task.clone(), unknown.clone())),
        _ => None,
    });
    told.collect()
}

/// The scheduler that a start makes of what is stored, at another time.
fn started_again(world: &World, now: &str) -> World {
    let open: Vec<_> = world.stored.values().cloned().collect();
    let restored = Restored { open, next_arrival: world.scheduler.next_arrival(), ..Restored::default() };
    let roster = Arc::clone(world.scheduler.base_roster());
    World::around(Scheduler::restore(roster, Limits::default(), restored, at(now)), at(now))
}

#[test]
fn a_predecessor_that_nobody_has_sent_is_told_of_once_after_an_hour() {
    let mut world = world();
    let _ = world.send(request("known"));
    let _ = world.send(after("c", &["typo", "known"]));
    world.run(at(MONDAY) + UNKNOWN_FOR - minutes(1));
    assert_eq!(told(&world), []);
    world.run(at(MONDAY) + UNKNOWN_FOR);
    let once = [("11:00".to_owned(), task_id("c"), vec![task_id("typo")])];
    assert_eq!(told(&world), once, "the one that is known is not named");
    world.firm("c", Change::Hold);
    world.firm("c", Change::Unhold);
    world.run_to("2026-11-23T16:00:00Z");
    assert_eq!(told(&world), once);
    assert_eq!(world.place_of("c"), "waiting predecessor", "it goes on waiting");
}

#[test]
fn a_predecessor_that_comes_within_the_hour_is_not_told_of() {
    let mut world = world();
    let _ = world.send(after("c", &["later"]));
    world.run(at(MONDAY) + minutes(59));
    let _ = world.send(request("later"));
    world.run_to("2026-11-23T16:00:00Z");
    assert_eq!(told(&world), []);
}

#[test]
fn a_task_that_is_cancelled_within_the_hour_tells_nothing() {
    let mut world = world();
    let _ = world.send(after("c", &["typo"]));
    world.firm("c", Change::Cancel { reason: "settled".into() });
    world.run_to("2026-11-23T16:00:00Z");
    assert_eq!(told(&world), []);
}

#[test]
fn an_unknown_predecessor_is_told_of_after_a_start_when_it_was_not_before_and_never_twice() {
    let mut world = world();
    let _ = world.send(after("c", &["typo"]));
    let _ = world.send(after("d", &["later"]));
    let _ = world.send(request("later"));
    let mut second = started_again(&world, "2026-11-23T12:30:00Z");
    second.run_to("2026-11-23T12:31:00Z");
    assert_eq!(told(&second), [("12:30".to_owned(), task_id("c"), vec![task_id("typo")])]);
    let mut third = started_again(&second, "2026-11-23T13:00:00Z");
    third.run_to("2026-11-23T16:00:00Z");
    assert_eq!(told(&third), []);
}

#[test]
fn of_many_unknown_predecessors_the_first_are_named() {
    let mut world = world();
    let before: Vec<_> = (0..40).map(|number| format!("typo-{number}")).collect();
    let before: Vec<_> = before.iter().map(String::as_str).collect();
    let _ = world.send(after("c", &before));
    world.run_to("2026-11-23T11:00:00Z");
    let told = told(&world);
    let named: Vec<_> = before.iter().take(MAX_UNKNOWN_NAMED).map(|id| task_id(id)).collect();
    assert_eq!(told[0].2, named);
}
