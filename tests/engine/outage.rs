//! What fell due while nobody ran, when something else turned the same clocks or took the same tasks back.

use std::sync::Arc;

use chrono::TimeDelta;
use heliograph::engine::effect::{Effect, Recorded};
use heliograph::engine::event::Event;
use heliograph::engine::request::{Priority, WorkRequest};
use heliograph::engine::roster::{
    Basis, Capability, Escalation, EscalationAction, Moment, Roster, RosterDigest, SlaClock, Team, Wall,
};
use heliograph::engine::scheduler::{Limits, Restored, Scheduler};
use heliograph::engine::update::Change;

use crate::clocks::{alone, clock, restarted, under};
use crate::world::*;

const MORNING: &str = "2026-11-23T10:00:00Z";

/// A team that never closes and is admitted until an instant.
fn admitted_until(id: &str, until: &str) -> Team {
    let capability = Capability { admitted_until: Some(at(until)), ..capability(None, None) };
    Team { capabilities: vec![capability], ..always(id) }
}

/// Another roster than the one before it.
fn next(mut roster: Roster) -> Roster {
    roster.digest = RosterDigest("1".repeat(64).into());
    roster
}

/// A start under another roster that walls the team `a`; two hours after the task was sent.
fn started_behind_a_wall(rule: &SlaClock) -> World {
    let mut world = World::new(MORNING, alone(rule.clone()));
    let _ = world.send(request("x"));
    world.accept("x");
    let mut walled = next(under(vec![rule.clone()], vec![always("a"), always("b")]));
    walled.walls = vec![Wall { team: team_id("a"), client: client_id("acme"), matter: None, reason: "r".into() }];
    let walled = Arc::new(walled);
    let restored = Restored {
        open: world.stored.values().cloned().collect(),
        next_arrival: world.scheduler.next_arrival(),
        roster_before: Some(Arc::clone(world.scheduler.base_roster())),
        ..Restored::default()
    };
    let now = at("2026-11-23T12:00:00Z");
    let scheduler = Scheduler::restore(Arc::clone(&walled), Limits::default(), restored, now);
    let mut later = World::around(scheduler, now);
    let _ = later.step(Event::RosterChanged(walled));
    later
}

#[test]
fn a_start_that_walls_an_owner_tells_it_nothing_of_what_was_overdue() {
    let action = EscalationAction::RaisePriority(Priority::Urgent);
    let escalations = vec![Escalation { at_percent: 50, action }];
    let mut world = started_behind_a_wall(&SlaClock { escalations, ..clock("finish", Basis::Wall, 100) });
    let told: Vec<_> = world.log.iter().map(|it| name_of(&it.effect)).collect();
    assert_eq!(told[..3], ["adopt_roster", "raise_wall", "recall"], "{told:?}");
    let raised = world.log.iter().find(|it| matches!(it.effect, Effect::Reprioritise { .. })).expect("an escalation");
    assert_eq!((raised.addressed, raised.team.as_ref()), (None, None));
    let _ = world.step(Event::DeadlineReached);
    assert_eq!(world.place_of("x"), "offered b");
}

#[test]
fn a_breach_that_nobody_saw_is_told_with_its_instant_though_a_wall_turns_the_clock_first() {
    let world = started_behind_a_wall(&clock("finish", Basis::Holder, 100));
    let breach = world.log.iter().find_map(|it| match &it.effect {
        Effect::BreachSla(notice) => Some((notice.reached_at, notice.late_by)),
        _ => None,
    });
    assert_eq!(breach, Some((at("2026-11-23T11:40:00Z"), Some(TimeDelta::minutes(20)))));
}

#[test]
fn a_cap_that_was_reached_behind_a_recall_counts_no_time_twice() {
    let teams = || vec![admitted_until("a", "2026-11-23T12:00:00Z")];
    let mut first = under(vec![clock("finish", Basis::Wall, 600)], vec![always("a")]);
    first.pauses.values_mut().for_each(|rule| rule.cap_minutes = Some(60));
    let mut world = World::new(MORNING, first.clone());
    let _ = world.send(request("x"));
    world.accept("x");
    let _ = world.step(Event::RosterChanged(Roster { teams: teams(), ..next(first) }.into()));
    world.run_to("2026-11-23T11:30:00Z");
    world.firm("x", Change::Pause { assignment: None, reason: term("client-question") });
    // The admission ends at 12:00 and the cap is at 12:30; nobody looks before 14:00.
    world.now = at("2026-11-23T14:00:00Z");
    let _ = world.step(Event::DeadlineReached);
    assert!(world.story("x").contains(&"recall"));
    let wanted = [
        "23 10:00 to 23 11:30 a 90 paused",
        "23 11:30 to 23 12:30 client-question 0 pause_capped",
        "23 12:30 to 23 14:00 a 90 holder_changed",
    ];
    assert_eq!(world.ledger("x", "finish"), wanted);
    world.run_to("2026-11-23T15:00:00Z");
    world.firm("x", Change::Cancel { reason: "settled".into() });
    assert_eq!(world.ledger("x", "finish").last().map(String::as_str), Some("23 14:00 to 23 15:00 - 60 stopped"));
}

#[test]
fn a_cap_that_was_reached_while_nobody_ran_counts_from_its_own_instant_under_another_roster_too() {
    let office = |hours: &str| {
        let mut roster = alone(clock("finish", Basis::Calendar("office".parse().expect("an id")), 600));
        let hours = calendar("UTC", &WEEKDAYS, &[hours], &[]);
        roster.calendars.values_mut().for_each(|calendar| *calendar = hours.clone());
        roster.pauses.values_mut().for_each(|rule| rule.cap_minutes = Some(60));
        roster
    };
    let mut world = World::new(MORNING, office("09:00-17:00"));
    let _ = world.send(request("x"));
    world.accept("x");
    world.firm("x", Change::Pause { assignment: None, reason: term("client-question") });
    let (before, after) = (office("09:00-17:00"), next(office("13:00-17:00")));
    let later = restarted(&world, Some(before), after, "2026-11-23T14:00:00Z");
    let wanted = ["23 10:00 to 23 11:00 client-question 0 pause_capped", "23 11:00 to 23 14:00 a 180 hours_changed"];
    assert_eq!(later.ledger("x", "finish"), wanted);
}

#[test]
fn warnings_and_a_breach_keep_their_instants_though_another_roster_turns_the_clock_first() {
    let office = |hours: &str| {
        let rule = SlaClock {
            warn_at_percent: vec![50, 75],
            escalations: vec![Escalation { at_percent: 90, action: EscalationAction::Notify("duty".into()) }],
            ..clock("finish", Basis::Calendar("office".parse().expect("an id")), 240)
        };
        let mut roster = alone(rule);
        let hours = calendar("UTC", &WEEKDAYS, &[hours], &[]);
        roster.calendars.values_mut().for_each(|calendar| *calendar = hours.clone());
        roster
    };
    let mut world = World::new(MORNING, office("10:00-17:00"));
    let _ = world.send(request("x"));
    world.accept("x");
    let (before, after) = (office("10:00-17:00"), next(office("15:30-17:00")));
    let mut later = restarted(&world, Some(before), after, "2026-11-23T15:00:00Z");
    later.run_to("2026-11-24T12:00:00Z");
    let late = |it: &Recorded| match &it.effect {
        Effect::WarnSla(notice) | Effect::BreachSla(notice) => {
            Some((notice.percent, notice.reached_at, notice.late_by))
        }
        Effect::RaiseEscalation { step: Some(step), .. } => Some((step.percent, step.reached_at, step.late_by)),
        _ => None,
    };
    let told: Vec<_> = later.log.iter().filter_map(late).collect();
    let wanted = [(50, "12:00:00", 180), (75, "13:00:00", 120), (90, "13:36:00", 84), (100, "14:00:00", 60)];
    let line = |(percent, time, late)| (percent, at(&format!("2026-11-23T{time}Z")), Some(TimeDelta::minutes(late)));
    assert_eq!(told, wanted.map(line));
}

#[test]
fn a_clock_that_stops_when_its_task_is_ready_counts_to_that_instant() {
    let rule = SlaClock { start: Moment::Admitted, stop: Moment::Ready, ..clock("intake", Basis::Wall, 600) };
    let mut world = World::new(MORNING, alone(rule));
    let not_before = Some(at("2026-11-23T10:30:00Z"));
    let _ = world.send(WorkRequest { not_before, ..request("x") });
    world.now = at("2026-11-23T11:00:00Z");
    let _ = world.step(Event::DeadlineReached);
    assert_eq!(world.ledger("x", "intake"), ["23 10:00 to 23 10:30 - 30 stopped"]);
}

#[test]
fn an_offer_of_a_hand_off_is_taken_back_when_the_admission_of_its_team_ended_while_nobody_ran() {
    let teams = || vec![london(), admitted_until("zurich", "2026-11-23T10:20:00Z")];
    let mut world = World::new(MORNING, roster(teams()));
    let _ = world.send(WorkRequest { preferred_team: Some(team_id("london")), ..request("x") });
    world.accept("x");
    let notes = |assignment| Change::Handoff {
        assignment,
        notes: Some("half done".into()),
        done: None,
        next_step: None,
        remaining_minutes: Some(15),
    };
    world.holder("x", notes);
    assert_eq!(world.task("x").handoff_offer().map(|offer| offer.team.as_str()), Some("zurich"));
    let later = restarted(&world, None, roster(teams()), "2026-11-23T10:25:00Z");
    assert_eq!(later.task("x").handoff_offer(), None);
    assert!(later.story("x").contains(&"withdraw"));
}

#[test]
fn an_early_wish_to_keep_outlives_a_restart() {
    let mut world = World::new(MORNING, roster(vec![london(), new_york()]));
    let preferred_team = Some(team_id("london"));
    let _ = world.send(WorkRequest { effort_minutes: Some(900), preferred_team, ..request("x") });
    world.accept("x");
    world.holder("x", |assignment| Change::Keep { assignment, reason: "the witness calls tonight".into() });
    let mut later = restarted(&world, None, roster(vec![london(), new_york()]), "2026-11-23T13:00:00Z");
    later.run_to("2026-11-23T21:00:00Z");
    assert_eq!(later.place_of("x"), "active london");
    assert!(!later.story("x").contains(&"plan_handoff"), "{:?}", later.story("x"));
}
