//! Another roster in force, and qualifications that end.

use std::sync::Arc;

use heliograph::engine::effect::{Effect, WithdrawReason};
use heliograph::engine::event::Event;
use heliograph::engine::request::{Priority, WorkRequest};
use heliograph::engine::roster::{Basis, Capability, Capacity, Roster, Team, Wall};
use heliograph::engine::scheduler::{Limits, Restored, Scheduler};
use heliograph::engine::update::Change;

use crate::world::*;

const MONDAY: &str = "2026-11-23T10:00:00Z";

fn adopt(world: &mut World, roster: Roster) {
    let _ = world.step(Event::RosterChanged(roster.into()));
}

fn seats(seats: u32) -> Team {
    Team { capacity: Capacity::Seats(seats), ..london() }
}

#[test]
fn new_seats_go_to_waiting_tasks_in_their_order() {
    let mut world = World::new(MONDAY, roster(vec![seats(0)]));
    let _ =
        (world.send(request("first")), world.send(WorkRequest { priority: Some(Priority::High), ..request("high") }));
    adopt(&mut world, roster(vec![seats(1)]));
    assert_eq!(
        (world.place_of("high"), world.place_of("first")),
        ("offered london".into(), "waiting no_seat_free".into())
    );
}

#[test]
fn fewer_seats_take_nothing_back() {
    let mut world = World::new(MONDAY, roster(vec![seats(2)]));
    let _ = (world.send(request("a")), world.send(request("b")));
    world.accept("a");
    adopt(&mut world, roster(vec![seats(1)]));
    assert_eq!((world.place_of("a"), world.place_of("b")), ("active london".into(), "offered london".into()));
    let _ = world.send(request("c"));
    world.accept("b");
    world.complete("b");
    assert_eq!(world.place_of("c"), "waiting no_seat_free");
}

#[test]
fn a_new_team_takes_what_nobody_could_do() {
    let mut world = World::new(MONDAY, roster(vec![london()]));
    let _ = world.send(WorkRequest { allowed_countries: vec![place("IN")], ..request("a") });
    adopt(&mut world, roster(vec![london(), Team { country: place("IN"), ..always("mumbai") }]));
    assert_eq!(world.place_of("a"), "offered mumbai");
}

#[test]
fn a_new_wall_takes_offers_and_owned_tasks_away_at_once() {
    let mut world = World::new(MONDAY, roster(vec![london(), new_york()]));
    let _ = (world.send(request("a")), world.send(request("b")));
    world.accept("a");
    let mut walled = roster(vec![london(), new_york()]);
    let wall = Wall { team: team_id("london"), client: client_id("acme"), matter: None, reason: "r".into() };
    walled.walls = vec![wall];
    adopt(&mut world, walled);
    for id in ["a", "b"] {
        assert_eq!(world.place_of(id), "waiting no_team_open");
    }
    world.run_to("2026-11-23T14:00:00Z");
    assert_eq!((world.place_of("a"), world.place_of("b")), ("offered new-york".into(), "offered new-york".into()));
}

#[test]
fn an_offer_to_a_team_that_the_new_hours_close_is_taken_back() {
    let mut world = World::new(MONDAY, roster(vec![london()]));
    let _ = world.send(request("a"));
    let closed = Team { calendar: calendar("Europe/London", &WEEKDAYS, &["12:00-17:00"], &[]), ..london() };
    adopt(&mut world, roster(vec![closed]));
    assert_eq!(world.wait_of("a").1, Some(at("2026-11-23T12:00:00Z")));
    let withdrawn = Effect::Withdraw { assignment: 1, reason: WithdrawReason::ShiftEnd };
    assert!(world.log.iter().any(|it| it.effect == withdrawn));
}

#[test]
fn an_offer_ends_with_the_new_shift_when_that_is_shorter() {
    let mut world = World::new(MONDAY, roster(vec![london()]));
    let _ = world.send(request("a"));
    let short = Team { calendar: calendar("Europe/London", &WEEKDAYS, &["09:00-10:20"], &[]), ..london() };
    adopt(&mut world, roster(vec![short]));
    assert_eq!(world.offer_until("a"), at("2026-11-23T10:20:00Z"));
    world.run_to("2026-11-23T10:20:00Z");
    assert!(world.task("a").turn_downs.is_empty(), "the shift ended, the team turned nothing down");
}

#[test]
fn a_roster_without_what_open_tasks_need_is_told_apart() {
    let mut first = roster(vec![london(), always("zurich")]);
    let policy = policy(Basis::Calendar("office".parse().unwrap()), 60);
    first.sla.insert(policy.id.clone(), policy.clone());
    let mut world = World::new(MONDAY, first);
    let _ = world.send(WorkRequest { preferred_team: Some(team_id("zurich")), ..request("a") });
    let gold = Some("gold".parse().unwrap());
    let _ = world.send(WorkRequest { sla: gold, preferred_team: Some(team_id("london")), ..request("b") });
    let mut next = roster(vec![london()]);
    next.calendars.clear();
    let mut missing: Vec<_> = world.scheduler.missing_in(&next).into_iter().map(|it| it.needs).collect();
    missing.sort();
    missing.dedup();
    assert!(missing.contains(&"team zurich".to_owned()), "{missing:?}");
    world.accept("a");
    world.complete("a");
    let missing = world.scheduler.missing_in(&next);
    assert_eq!((missing.len(), missing[0].needs.as_str()), (1, "calendar office"));
    let mut without_policy = roster(vec![london(), always("zurich")]);
    let missing = world.scheduler.missing_in(&without_policy);
    assert_eq!((missing.len(), missing[0].needs.as_str()), (1, "sla policy gold"));
    without_policy.sla.insert(policy.id.clone(), policy);
    assert!(world.scheduler.missing_in(&without_policy).is_empty());
}

#[test]
fn a_vetting_that_ends_takes_offers_and_work_back_at_that_instant() {
    let until = at("2026-11-23T11:00:00Z");
    let vetted = Team { vetted_until: Some(until), ..london() };
    let mut world = World::new("2026-11-23T10:00:00Z", roster(vec![vetted]));
    let _ = world.send(WorkRequest { priority: Some(Priority::Low), ..request("a") });
    assert_eq!(world.place_of("a"), "offered london");
    world.accept("a");
    let _ = world.send(WorkRequest { priority: Some(Priority::Low), effort_minutes: Some(30), ..request("b") });
    world.run_to("2026-11-23T10:59:59Z");
    assert_eq!(world.place_of("b"), "offered london");
    world.run_to("2026-11-23T11:00:00Z");
    let nobody = "waiting no_team_eligible";
    assert_eq!((world.place_of("a"), world.place_of("b")), (nobody.into(), nobody.into()));
}

#[test]
fn an_admission_that_ends_takes_offers_back_at_that_instant() {
    let admitted_until = Some(at("2026-11-23T10:30:00Z"));
    let held = vec![Capability { admitted_until, ..capability(Some("US-NY"), None) }, capability(Some("GB"), None)];
    let mut world = World::new(MONDAY, roster(vec![Team { capabilities: held, ..london() }]));
    let of = |id: &str, country: &str| WorkRequest {
        jurisdiction: Some(place(country)),
        priority: Some(Priority::Low),
        effort_minutes: Some(10),
        ..request(id)
    };
    let _ = (world.send(of("ny", "US-NY")), world.send(of("gb", "GB")));
    world.run_to("2026-11-23T10:30:00Z");
    assert_eq!(
        (world.place_of("ny"), world.place_of("gb")),
        ("waiting no_team_eligible".into(), "offered london".into())
    );
}

#[test]
fn a_team_that_retires_gets_nothing_new_and_ends_what_it_has() {
    let mut world = World::new(MONDAY, roster(vec![london()]));
    let _ = world.send(request("a"));
    world.accept("a");
    adopt(&mut world, roster(vec![Team { retired: true, ..london() }]));
    let _ = world.send(request("b"));
    assert_eq!((world.place_of("a"), world.place_of("b")), ("active london".into(), "waiting drained".into()));
    world.holder("a", |assignment| Change::Complete { assignment, note: None });
    assert_eq!(world.place_of("b"), "waiting drained");
}

#[test]
fn what_a_start_decides_under_a_new_roster_comes_after_that_came_into_force() {
    let walled = |is_walled: bool| {
        let mut roster = roster(vec![london()]);
        let wall = Wall { team: team_id("london"), client: client_id("acme"), matter: None, reason: "r".into() };
        roster.walls = is_walled.then_some(wall).into_iter().collect();
        Arc::new(roster)
    };
    let mut world = World::around(Scheduler::new(walled(true), Limits::default(), at(MONDAY)), at(MONDAY));
    let _ = world.send(request("a"));
    let open = vec![world.task("a").clone()];
    let restored = Restored { open, walls: world.scheduler.walls().clone(), next_arrival: 9, ..Restored::default() };
    let (free, now) = (walled(false), at(MONDAY));
    let mut later = World::around(Scheduler::restore(Arc::clone(&free), Limits::default(), restored, now), now);
    let told = later.step(Event::RosterChanged(free)).recorded;
    assert!(matches!(told.first().map(|it| &it.effect), Some(Effect::AdoptRoster { .. })), "{told:?}");
    assert_eq!(later.place_of("a"), "offered london");
}
