//! What holders work is counted by their hours, and travels with the task.

use heliograph::engine::event::Event;
use heliograph::engine::request::WorkRequest;
use heliograph::engine::roster::{Capacity, Team};
use heliograph::engine::task::TaskState;
use heliograph::engine::update::Change;

use crate::world::*;

fn one_team() -> World {
    let mut world = World::new("2026-11-23T09:00:00Z", roster(vec![london()]));
    world.send(request("a"));
    world.accept("a");
    world
}

fn worked_minutes(world: &World) -> Vec<u64> {
    world.ended.last().expect("an ended task").holders.iter().map(|it| it.worked_seconds / 60).collect()
}

#[test]
fn a_part_counts_the_open_time_of_its_team_without_pauses() {
    let mut world = one_team();
    world.run_to("2026-11-23T10:00:00Z");
    world.firm("a", Change::Pause { assignment: None, reason: term("client-question") });
    world.run_to("2026-11-23T12:00:00Z");
    world.firm("a", Change::Resume { assignment: None });
    // Overnight: an hour is left of Monday, and half an hour of Tuesday.
    world.run_to("2026-11-23T16:00:00Z");
    world.firm("a", Change::Pause { assignment: None, reason: term("client-question") });
    world.run_to("2026-11-23T16:30:00Z");
    world.firm("a", Change::Resume { assignment: None });
    world.run_to("2026-11-24T09:30:00Z");
    world.complete("a");
    assert_eq!(worked_minutes(&world), [60 + 240 + 30 + 30]);
    assert_eq!(world.ended[0].holders[0].remaining_minutes, 0, "it is done");
    assert_eq!(world.ended[0].holders[0].cost_cents, 6 * 5_000, "six hours at the rate of the team");
}

#[test]
fn a_plan_that_needs_less_effort_frees_the_rest_for_others() {
    let small = Team { capacity: Capacity::EffortHours(2), ..team("sydney", "AU", "Europe/London", &["16:00-23:00"]) };
    let mut world = World::new("2026-11-23T16:00:00Z", roster(vec![london(), small]));
    let preferred_team = Some(team_id("london"));
    world.send(WorkRequest { effort_minutes: Some(110), preferred_team, ..request("a") });
    world.accept("a");
    // The plan for the close keeps 110 of the 120 minutes that the other team can have.
    world.run_to("2026-11-23T16:40:00Z");
    world.send(WorkRequest { excluded_teams: vec![team_id("london")], ..request("b") });
    assert_eq!(world.place_of("b"), "waiting no_seat_free");
    world.holder("a", |assignment| Change::Handoff {
        assignment,
        notes: None,
        done: None,
        next_step: None,
        remaining_minutes: Some(30),
    });
    assert_eq!(world.place_of("b"), "offered sydney");
}

#[test]
fn a_holder_that_says_nothing_for_long_is_told_of_once_until_it_is_heard_of() {
    let mut world = one_team();
    let stalled = |world: &World| world.story("a").iter().filter(|it| **it == "report_stalled").count();
    // Twice an hour of work, which is two hours.
    world.run_to("2026-11-23T10:00:00Z");
    world.firm("a", Change::Pause { assignment: None, reason: term("client-question") });
    world.run_to("2026-11-23T10:30:00Z");
    world.firm("a", Change::Resume { assignment: None });
    world.run_to("2026-11-23T11:29:59Z");
    assert_eq!((stalled(&world), world.scheduler.census().stalled), (0, 0), "the pause does not count");
    world.run_to("2026-11-23T11:30:00Z");
    assert_eq!((stalled(&world), world.scheduler.census().stalled), (1, 1));
    world.run_to("2026-11-23T15:00:00Z");
    world.holder("a", |assignment| Change::Progress { assignment, remaining_minutes: 90, note: None });
    assert_eq!(world.scheduler.census().stalled, 0);
    world.run_to("2026-11-25T15:00:00Z");
    assert_eq!(stalled(&world), 1, "once in an ownership");
}

#[test]
fn every_word_of_the_holder_counts_and_only_its_open_time_does() {
    let mut world = one_team();
    let told = |world: &World| world.story("a").contains(&"report_stalled");
    world.run_to("2026-11-23T10:30:00Z");
    world.holder("a", |assignment| Change::Progress { assignment, remaining_minutes: 150, note: None });
    // Five hours from then on: until 15:30, but it is heard of at 13:30, and 90 minutes are left on Tuesday at 17:00.
    world.run_to("2026-11-23T13:30:00Z");
    world.holder("a", |assignment| Change::Keep { assignment, reason: "nearly done".into() });
    world.run_to("2026-11-24T10:29:59Z");
    assert!(!told(&world));
    world.run_to("2026-11-24T10:30:00Z");
    assert!(told(&world));
}

#[test]
fn each_holder_has_its_own_part() {
    let mut world = one_team();
    world.run_to("2026-11-23T10:15:00Z");
    world.holder("a", |assignment| Change::Release { assignment, reason: "ill".into() });
    world.run_to("2026-11-23T11:00:00Z");
    world.accept("a");
    world.run_to("2026-11-23T11:45:00Z");
    world.complete("a");
    let (_, brief) = world.last_offer("a");
    assert_eq!(
        (brief.packet[0].worked_seconds, brief.packet[0].cost_cents),
        (75 * 60, 0),
        "no team hears another's cost"
    );
    assert_eq!(worked_minutes(&world), [75, 45]);
}

#[test]
fn hours_that_change_count_from_then_on() {
    let mut world = one_team();
    world.run_to("2026-11-23T11:00:00Z");
    let mut later = roster(vec![team("london", "GB", "Europe/London", &["14:00-17:00"])]);
    later.digest = heliograph::engine::roster::RosterDigest("1".repeat(64).into());
    let _ = world.step(Event::RosterChanged(later.into()));
    world.run_to("2026-11-23T15:00:00Z");
    assert!(matches!(&world.task("a").state, TaskState::Active(active) if active.worked.counted_ms == 7_200_000));
    world.complete("a");
    assert_eq!(worked_minutes(&world), [120 + 60]);
}
