//! SLA clocks: what each basis counts, what closes a segment, and that warnings, breaches and steps come once and on time.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use heliograph::engine::calendar::Minutes;
use heliograph::engine::effect::{Effect, Recorded};
use heliograph::engine::event::Event;
use heliograph::engine::id::{TeamId, Term};
use heliograph::engine::request::{Priority, WorkRequest};
use heliograph::engine::roster::{
    Basis, Escalation, EscalationAction, HandoffRule, Moment, Roster, RosterDigest, SlaClock, Team,
};
use heliograph::engine::scheduler::{Limits, Restored, Scheduler};
use heliograph::engine::sla::{Clock, Segment};
use heliograph::engine::update::{Amendment, Change};

use crate::world::*;

impl World {
    /// The closed segments of a clock: from, until, holder or why it stood, minutes counted, and what closed it.
    pub fn ledger(&self, id: &str, clock: &str) -> Vec<String> {
        let arrivals = self.stored.values().chain(&self.ended);
        let task = arrivals.into_iter().find(|task| task.id == task_id(id)).expect("a task");
        let segments = self.segments.get(&(task.arrival, term(clock))).map(Vec::as_slice).unwrap_or_default();
        let line = |it: &Segment| {
            let holder = it.standing.as_ref().map(Term::as_str).or(it.holder.as_ref().map(TeamId::as_str));
            let minutes = Minutes(TimeDelta::milliseconds(it.counted_ms));
            let (from, until) = (it.from.format("%d %H:%M"), it.until.format("%d %H:%M"));
            format!("{from} to {until} {} {minutes} {}", holder.unwrap_or("-"), it.closed_by.as_str())
        };
        segments.iter().map(line).collect()
    }

    /// What was told of a task's clocks, in order: when, what, which clock.
    pub fn told(&self, id: &str) -> Vec<String> {
        let about = |it: &&Recorded| it.task.as_ref().is_some_and(|(task, _)| *task == task_id(id));
        let line = |it: &Recorded| {
            let told = match &it.effect {
                Effect::WarnSla(notice) => format!("{} warns at {}", notice.clock, notice.percent),
                Effect::BreachSla(notice) => format!("{} is breached", notice.clock),
                Effect::MoveDue(moved) => {
                    let to = moved.to.map_or("none".into(), |to| to.format("%d %H:%M").to_string());
                    format!("{} moves to {to}, {}", moved.clock, moved.because.as_str())
                }
                Effect::StopSla(stopped) => format!("{} stops {}", stopped.clock, stopped.outcome.as_str()),
                Effect::RaiseEscalation { step: Some(step), .. } => {
                    format!("{} escalates at {}: {}", step.clock, step.percent, step.action)
                }
                _ => return None,
            };
            Some(format!("{} {told}", it.at.format("%d %H:%M")))
        };
        self.log.iter().filter(about).filter_map(line).collect()
    }
}

pub fn clock(name: &str, basis: Basis, target_minutes: u32) -> SlaClock {
    SlaClock { name: term(name), ..policy(basis, target_minutes).clocks.remove(0) }
}

/// A roster whose requests run these clocks; no task of it is handed off.
pub fn under(clocks: Vec<SlaClock>, teams: Vec<Team>) -> Roster {
    let mut roster = roster(teams);
    let mut policy = policy(Basis::Wall, 1);
    policy.clocks = clocks;
    roster.sla.insert(policy.id.clone(), policy);
    roster.clients.values_mut().for_each(|client| client.sla = Some("gold".parse().expect("an id")));
    roster.work_types.values_mut().for_each(|kind| kind.handoff = HandoffRule::Never);
    roster
}

pub fn alone(clock: SlaClock) -> Roster {
    under(vec![clock], vec![always("a")])
}

fn clock_of(world: &World, id: &str) -> Clock {
    world.task(id).clocks[0].clone()
}

fn due_at(world: &World, id: &str) -> Option<DateTime<Utc>> {
    clock_of(world, id).due_at
}

fn pause(assignment: u32) -> Change {
    Change::Pause { assignment: Some(assignment), reason: term("client-question") }
}

/// Another process goes on from what is stored, under a roster, at an instant.
pub fn restarted(world: &World, before: Option<Roster>, roster: Roster, now: &str) -> World {
    let restored = Restored {
        open: world.stored.values().cloned().collect(),
        next_arrival: world.scheduler.next_arrival(),
        roster_before: before.map(Arc::new),
        ..Restored::default()
    };
    let mut later = World::around(Scheduler::restore(roster.into(), Limits::default(), restored, at(now)), at(now));
    later.segments.clone_from(&world.segments);
    let _ = later.step(Event::DeadlineReached);
    later
}

#[test]
fn each_basis_counts_its_own_time_and_every_segment_names_the_holder() {
    let bases = [
        ("all", Basis::Wall),
        ("office", Basis::Calendar("office".parse().expect("an id"))),
        ("client", Basis::Client),
        ("holder", Basis::Holder),
        ("covered", Basis::Coverage),
    ];
    let clocks = bases.iter().map(|(name, basis)| clock(name, basis.clone(), 6_000)).collect();
    let mut roster = under(clocks, vec![london(), always("zurich")]);
    let hours = calendar("Europe/London", &WEEKDAYS, &["10:00-16:00"], &[]);
    roster.clients.values_mut().for_each(|client| client.calendar = Some(hours.clone()));
    let mut world = World::new("2026-11-23T16:00:00Z", roster);
    let _ = world.send(WorkRequest { preferred_team: Some(team_id("london")), ..request("x") });
    world.run_to("2026-11-23T16:20:00Z");
    world.accept("x");
    world.run_to("2026-11-24T11:00:00Z");
    world.complete("x");
    // Nobody holds it for twenty minutes in which Zurich could: that covers it. London holds it over its night.
    for (name, waiting, held) in
        [("all", 20, 1_120), ("office", 20, 160), ("client", 0, 60), ("holder", 20, 160), ("covered", 20, 1_120)]
    {
        let wanted = [
            format!("23 16:00 to 23 16:20 - {waiting} holder_changed"),
            format!("23 16:20 to 24 11:00 london {held} stopped"),
        ];
        assert_eq!(world.ledger("x", name), wanted, "{name}");
    }
}

#[test]
fn a_pause_stops_a_clock_until_its_cap_and_then_the_clock_runs_again() {
    let mut roster = alone(clock("finish", Basis::Wall, 240));
    roster.pauses.values_mut().for_each(|rule| rule.cap_minutes = Some(60));
    let mut world = World::new("2026-11-23T10:00:00Z", roster);
    let _ = world.send(request("x"));
    world.accept("x");
    world.run_to("2026-11-23T10:30:00Z");
    world.holder("x", pause);
    world.run_to("2026-11-23T12:00:00Z");
    assert!(world.task("x").paused.is_some(), "the task is paused all the same");
    world.firm("x", Change::Resume { assignment: None });
    world.run_to("2026-11-23T15:00:00Z");
    assert_eq!(
        world.ledger("x", "finish"),
        ["23 10:00 to 23 10:30 a 30 paused", "23 10:30 to 23 11:30 client-question 0 pause_capped"]
    );
    let told = [
        "23 10:30 finish moves to none, paused",
        "23 11:30 finish moves to 23 15:00, pause_capped",
        "23 15:00 finish is breached",
    ];
    assert_eq!(world.told("x"), told);
}

#[test]
fn a_cap_that_was_reached_while_nobody_ran_counts_from_its_own_instant() {
    let mut roster = alone(clock("finish", Basis::Wall, 240));
    roster.pauses.values_mut().for_each(|rule| rule.cap_minutes = Some(60));
    let mut world = World::new("2026-11-23T10:00:00Z", roster);
    let _ = world.send(request("x"));
    world.accept("x");
    world.holder("x", pause);
    // Nobody looks before 13:00.
    world.now = at("2026-11-23T13:00:00Z");
    let _ = world.step(Event::DeadlineReached);
    assert_eq!(world.ledger("x", "finish"), ["23 10:00 to 23 11:00 client-question 0 pause_capped"]);
    world.run_to("2026-11-23T15:00:00Z");
    assert_eq!(world.told("x").last().map(String::as_str), Some("23 15:00 finish is breached"));
}

#[test]
fn a_pause_that_ends_before_its_cap_is_capped_no_more() {
    let mut roster = alone(clock("finish", Basis::Wall, 240));
    roster.pauses.values_mut().for_each(|rule| rule.cap_minutes = Some(60));
    let mut world = World::new("2026-11-23T10:00:00Z", roster);
    let _ = world.send(request("x"));
    world.accept("x");
    world.holder("x", pause);
    world.run_to("2026-11-23T10:30:00Z");
    world.firm("x", Change::Resume { assignment: None });
    world.run_to("2026-11-23T10:45:00Z");
    world.holder("x", pause);
    world.run_to("2026-11-23T11:44:00Z");
    assert!(clock_of(&world, "x").is_standing(), "the cap of the first pause would have been 11:00");
    world.run_to("2026-11-23T11:45:00Z");
    assert!(!clock_of(&world, "x").is_standing());
}

#[test]
fn a_clock_warns_escalates_and_is_breached_once_each_and_never_early() {
    let step = |at_percent, action| Escalation { at_percent, action };
    let rule = SlaClock {
        warn_at_percent: vec![50, 75],
        escalations: vec![
            step(120, EscalationAction::Notify("duty-manager".into())),
            step(80, EscalationAction::RaisePriority(Priority::Urgent)),
            step(100, EscalationAction::Notify("desk".into())),
        ],
        ..clock("finish", Basis::Wall, 100)
    };
    let mut world = World::new("2026-11-23T10:00:00Z", alone(rule));
    let _ = world.send(request("x"));
    world.accept("x");
    world.run_to("2026-11-23T11:39:59.999Z");
    let until_then = [
        "23 10:50 finish warns at 50",
        "23 11:15 finish warns at 75",
        "23 11:20 finish escalates at 80: raise_priority",
    ];
    assert_eq!(world.told("x"), until_then, "a millisecond before it is due");
    assert_eq!(world.task("x").priority, Priority::Urgent);
    world.run_to("2026-11-23T12:10:00Z");
    world.complete("x");
    let at_last = [
        "23 11:40 finish is breached",
        "23 11:40 finish escalates at 100: notify",
        "23 12:00 finish escalates at 120: notify",
        "23 12:10 finish stops breached",
    ];
    assert_eq!(world.told("x")[3..], at_last);
}

#[test]
fn a_step_raises_a_priority_and_never_lowers_it() {
    let action = EscalationAction::RaisePriority(Priority::High);
    let escalations = vec![Escalation { at_percent: 50, action }];
    let mut world =
        World::new("2026-11-23T10:00:00Z", alone(SlaClock { escalations, ..clock("finish", Basis::Wall, 100) }));
    let _ = world.send(WorkRequest { priority: Some(Priority::Urgent), ..request("x") });
    world.accept("x");
    world.run_to("2026-11-23T11:00:00Z");
    assert_eq!(world.task("x").priority, Priority::Urgent);
}

#[test]
fn a_step_routes_an_offer_anew_when_another_team_can_have_it() {
    let acceptance = SlaClock {
        start: Moment::Offered,
        stop: Moment::Accepted,
        escalations: vec![Escalation { at_percent: 50, action: EscalationAction::Reroute }],
        ..clock("acceptance", Basis::Wall, 20)
    };
    for (teams, wanted) in [(vec![always("a"), always("b")], "offered b"), (vec![always("a")], "offered a")] {
        let mut world = World::new("2026-11-23T10:00:00Z", under(vec![acceptance.clone()], teams));
        let _ = world.send(WorkRequest { preferred_team: Some(team_id("a")), ..request("x") });
        world.run_to("2026-11-23T10:10:00Z");
        assert_eq!(world.place_of("x"), wanted);
    }
}

#[test]
fn a_step_takes_no_offer_back_from_a_team_that_has_turned_it_down_before() {
    let acceptance = SlaClock {
        start: Moment::Offered,
        stop: Moment::Accepted,
        escalations: vec![Escalation { at_percent: 50, action: EscalationAction::Reroute }],
        ..clock("acceptance", Basis::Wall, 130)
    };
    let mut world = World::new("2026-11-23T10:00:00Z", under(vec![acceptance], vec![always("a")]));
    let _ = world.send(request("x"));
    // The offer lapses at 10:30 and comes again half an hour later.
    world.run_to("2026-11-23T11:05:00Z");
    assert_eq!(world.place_of("x"), "offered a");
    assert!(!world.story("x").contains(&"withdraw"), "{:?}", world.story("x"));
}

#[test]
fn what_fell_due_while_nobody_ran_is_told_once_and_how_late() {
    let rule = || SlaClock { warn_at_percent: vec![50], ..clock("finish", Basis::Wall, 100) };
    let mut world = World::new("2026-11-23T10:00:00Z", alone(rule()));
    let _ = world.send(request("x"));
    world.accept("x");
    let mut later = restarted(&world, None, alone(rule()), "2026-11-23T12:00:00Z");
    let late_by: Vec<_> = (later.log.iter())
        .filter_map(|it| match &it.effect {
            Effect::WarnSla(notice) | Effect::BreachSla(notice) => Some(notice.late_by),
            _ => None,
        })
        .collect();
    assert_eq!(late_by, [Some(TimeDelta::minutes(70)), Some(TimeDelta::minutes(20))]);
    later.run_to("2026-11-25T12:00:00Z");
    let mut again = restarted(&later, None, alone(rule()), "2026-11-26T12:00:00Z");
    again.run_to("2026-11-27T12:00:00Z");
    assert_eq!(again.told("x"), [""; 0], "both were told before");
}

#[test]
fn a_clock_that_a_late_offer_stops_is_breached_first_though_more_is_due_than_one_step_fires() {
    let rule = SlaClock { stop: Moment::Offered, ..clock("first", Basis::Wall, 150) };
    let mut world = World::new("2026-11-23T07:00:00Z", under(vec![rule], vec![london()]));
    world.checked_every = 1_000;
    let _ = world.send(request("x"));
    // Their warnings are due before London opens at 09:00, their breaches before that of the clock at 09:30.
    for number in 0..=heliograph::engine::scheduler::MAX_TIMERS_PER_STEP {
        let deadline = Some(at("2026-11-23T09:20:00Z"));
        let _ = world.send(WorkRequest {
            excluded_teams: vec![team_id("london")],
            deadline,
            ..request(&format!("y{number}"))
        });
    }
    world.now = at("2026-11-23T11:00:00Z");
    world.run_to("2026-11-23T11:00:00Z");
    assert_eq!(world.story("x"), ["admit", "park", "breach_sla", "offer", "stop_sla"]);
}

/// The office is open from 09:00 to 17:00 in the roster of the tests.
fn office(hours: &str) -> Roster {
    let mut roster = alone(clock("finish", Basis::Calendar("office".parse().expect("an id")), 240));
    let hours = calendar("Europe/London", &WEEKDAYS, &[hours], &[]);
    roster.calendars.values_mut().for_each(|calendar| *calendar = hours.clone());
    roster.digest = RosterDigest("1".repeat(64).into());
    roster
}

#[test]
fn another_calendar_counts_from_the_change_on_and_the_past_is_frozen() {
    let mut world = World::new("2026-11-23T09:00:00Z", office("09:00-17:00"));
    let _ = world.send(request("x"));
    world.accept("x");
    world.run_to("2026-11-23T12:00:00Z");
    let _ = world.step(Event::RosterChanged(office("13:00-17:00").into()));
    assert_eq!(world.ledger("x", "finish"), ["23 09:00 to 23 12:00 a 180 hours_changed"]);
    assert_eq!(due_at(&world, "x"), Some(at("2026-11-23T14:00:00Z")), "an hour is left");
    world.run_to("2026-11-23T14:00:00Z");
    let told = ["23 12:00 finish moves to 23 14:00, hours_changed", "23 14:00 finish is breached"];
    assert_eq!(world.told("x"), told);
}

#[test]
fn a_calendar_that_counts_the_past_alike_closes_no_segment() {
    let mut world = World::new("2026-11-23T09:00:00Z", office("09:00-17:00"));
    let _ = world.send(request("x"));
    world.accept("x");
    world.run_to("2026-11-23T12:00:00Z");
    let _ = world.step(Event::RosterChanged(office("09:00-12:30").into()));
    assert_eq!(world.ledger("x", "finish"), [""; 0]);
    assert_eq!(world.told("x"), ["23 12:00 finish moves to 24 09:30, hours_changed"]);
}

#[test]
fn a_start_under_another_roster_counts_what_ran_before_by_the_one_before() {
    let mut world = World::new("2026-11-23T09:00:00Z", office("09:00-17:00"));
    let _ = world.send(request("x"));
    world.accept("x");
    let (before, after) = (office("09:00-17:00"), office("13:00-17:00"));
    let mut later = restarted(&world, Some(before), after, "2026-11-23T12:00:00Z");
    assert_eq!(later.ledger("x", "finish"), ["23 09:00 to 23 12:00 a 180 hours_changed"]);
    later.run_to("2026-11-23T14:00:00Z");
    let told = ["23 12:00 finish moves to 23 14:00, hours_changed", "23 14:00 finish is breached"];
    assert_eq!(later.told("x"), told);
}

#[test]
fn a_breached_clock_is_left_alone_by_another_calendar() {
    let mut world = World::new("2026-11-23T09:00:00Z", office("09:00-17:00"));
    let _ = world.send(request("x"));
    world.accept("x");
    world.run_to("2026-11-23T15:00:00Z");
    let _ = world.step(Event::RosterChanged(office("20:00-21:00").into()));
    world.run_to("2026-11-27T15:00:00Z");
    assert_eq!(world.told("x"), ["23 13:00 finish is breached"]);
    assert_eq!(due_at(&world, "x"), Some(at("2026-11-23T13:00:00Z")));
}

#[test]
fn another_priority_keeps_spent_time_and_pauses() {
    let mut world = World::new("2026-11-23T10:00:00Z", alone(clock("finish", Basis::Wall, 240)));
    let _ = world.send(request("x"));
    world.accept("x");
    world.run_to("2026-11-23T11:00:00Z");
    world.holder("x", pause);
    world.run_to("2026-11-23T12:00:00Z");
    let before = clock_of(&world, "x");
    world.firm("x", Change::Reprioritise { priority: Priority::Urgent });
    assert_eq!(clock_of(&world, "x"), before);
    world.firm("x", Change::Resume { assignment: None });
    assert_eq!(due_at(&world, "x"), Some(at("2026-11-23T15:00:00Z")));
}

#[test]
fn cancelling_stops_a_clock_as_neither_met_nor_breached() {
    let mut world = World::new("2026-11-23T10:00:00Z", alone(clock("finish", Basis::Wall, 60)));
    let _ = world.send(request("x"));
    world.accept("x");
    world.run_to("2026-11-23T10:30:00Z");
    world.firm("x", Change::Cancel { reason: "settled".into() });
    world.run_to("2026-11-24T10:30:00Z");
    assert_eq!(world.told("x"), ["23 10:30 finish stops cancelled"]);
    assert_eq!(world.ledger("x", "finish"), ["23 10:00 to 23 10:30 a 30 stopped"]);
}

#[test]
fn done_at_the_due_instant_is_met() {
    let mut world = World::new("2026-11-23T10:00:00Z", alone(clock("finish", Basis::Wall, 60)));
    let _ = world.send(request("x"));
    world.accept("x");
    world.now = at("2026-11-23T11:00:00Z");
    world.complete("x");
    assert_eq!(world.told("x"), ["23 11:00 finish stops met"]);
}

#[test]
fn a_deadline_warns_and_is_breached_as_one_more_clock() {
    let mut world = World::new("2026-11-23T10:00:00Z", roster(vec![always("a")]));
    let _ = world.send(WorkRequest { deadline: Some(at("2026-11-23T14:00:00Z")), ..request("x") });
    world.accept("x");
    world.run_to("2026-11-24T10:00:00Z");
    assert_eq!(world.told("x"), ["23 13:00 deadline warns at 75", "23 14:00 deadline is breached"]);
}

#[test]
fn a_deadline_that_is_past_is_breached_once_with_the_admission() {
    let mut world = World::new("2026-11-23T10:00:00Z", roster(vec![always("a")]));
    let _ = world.send(WorkRequest { deadline: Some(at("2026-11-23T09:00:00Z")), ..request("x") });
    assert_eq!(world.story("x")[..2], ["admit", "breach_sla"]);
    world.accept("x");
    world.run_to("2026-11-24T10:00:00Z");
    world.complete("x");
    let told = |name| world.story_of_ended().iter().filter(|it| **it == name).count();
    assert_eq!((told("breach_sla"), told("warn_sla")), (1, 0), "there is nothing left to warn of");
}

#[test]
fn another_deadline_is_another_promise_and_warns_for_itself() {
    let mut world = World::new("2026-11-23T10:00:00Z", roster(vec![always("a")]));
    let _ = world.send(WorkRequest { deadline: Some(at("2026-11-23T14:00:00Z")), ..request("x") });
    world.accept("x");
    world.run_to("2026-11-23T15:00:00Z");
    let deadline = Some(at("2026-11-23T18:00:00Z"));
    world.firm("x", Change::Amend(Box::new(Amendment { deadline, ..Amendment::default() })));
    world.run_to("2026-11-23T17:00:00Z");
    world.complete("x");
    let told = [
        "23 13:00 deadline warns at 75",
        "23 14:00 deadline is breached",
        "23 15:00 deadline moves to 23 18:00, amended",
        "23 16:00 deadline warns at 75",
        "23 17:00 deadline stops met",
    ];
    assert_eq!(world.told("x"), told);
    assert_eq!(world.ledger("x", "deadline")[0], "23 10:00 to 23 15:00 a 300 amended");
}

#[test]
fn a_deadline_that_is_stated_later_counts_from_then_on() {
    let mut world = World::new("2026-11-23T10:00:00Z", roster(vec![always("a")]));
    let _ = world.send(request("x"));
    world.accept("x");
    world.run_to("2026-11-23T12:00:00Z");
    let deadline = Some(at("2026-11-23T16:00:00Z"));
    world.firm("x", Change::Amend(Box::new(Amendment { deadline, ..Amendment::default() })));
    world.run_to("2026-11-23T16:00:00Z");
    assert_eq!(world.told("x"), ["23 15:00 deadline warns at 75", "23 16:00 deadline is breached"]);
}

#[test]
fn at_one_instant_an_offer_lapses_before_a_breach_and_a_breach_comes_before_an_opening() {
    let rule = || SlaClock { start: Moment::Admitted, ..clock("finish", Basis::Wall, 60) };
    let mut world = World::new("2026-11-23T08:00:00Z", under(vec![rule()], vec![london()]));
    let _ = world.send(request("x"));
    world.run_to("2026-11-23T09:00:00Z");
    assert_eq!(world.story("x"), ["admit", "report_infeasible", "park", "breach_sla", "offer"]);
    let half = SlaClock { target_minutes: 30, ..rule() };
    let mut world = World::new("2026-11-23T10:00:00Z", under(vec![half], vec![always("a")]));
    let _ = world.send(request("x"));
    world.run_to("2026-11-23T10:30:00Z");
    assert_eq!(world.story("x")[..5], ["admit", "report_infeasible", "offer", "lapse", "breach_sla"]);
}

#[test]
fn a_next_holder_is_told_what_the_clocks_counted_so_far() {
    let mut world = World::new(
        "2026-11-23T10:00:00Z",
        under(vec![clock("finish", Basis::Wall, 240)], vec![always("a"), always("b")]),
    );
    let _ = world.send(WorkRequest { preferred_team: Some(team_id("a")), ..request("x") });
    world.accept("x");
    world.run_to("2026-11-23T11:00:00Z");
    world.holder("x", |assignment| Change::Release { assignment, reason: "ill".into() });
    let brief = &world.last_offer("x").1.clocks[0];
    assert_eq!((brief.clock.as_str(), brief.counted_ms, brief.target_ms), ("finish", 3_600_000, 14_400_000));
    assert_eq!((brief.due_at, brief.breached), (Some(at("2026-11-23T14:00:00Z")), false));
}

#[test]
fn zone_rules_that_changed_while_nobody_ran_move_the_due_time_and_say_so() {
    let mut world = World::new("2026-11-23T09:00:00Z", office("09:00-17:00"));
    let _ = world.send(request("x"));
    world.accept("x");
    // The same roster: only the rules that its hours are worked out by are others.
    let later = restarted(&world, None, office("10:00-17:00"), "2026-11-23T12:00:00Z");
    assert_eq!(later.told("x"), ["23 12:00 finish moves to 23 14:00, hours_changed"]);
    assert_eq!(
        later.ledger("x", "finish"),
        [""; 0],
        "what the segment has counted is not known by the old rules any more"
    );
}

#[test]
fn a_clock_that_is_noticed_late_counts_from_the_instant_of_its_start() {
    let mut world = World::new("2026-11-23T10:00:00Z", alone(clock("finish", Basis::Wall, 60)));
    let _ = world.send(WorkRequest { not_before: Some(at("2026-11-23T11:00:00Z")), ..request("x") });
    world.now = at("2026-11-23T11:20:00Z");
    let _ = world.step(Event::DeadlineReached);
    world.accept("x");
    assert_eq!(world.ledger("x", "finish"), ["23 11:00 to 23 11:20 - 20 holder_changed"]);
    assert_eq!(due_at(&world, "x"), Some(at("2026-11-23T12:00:00Z")));
}

#[test]
fn a_turn_down_that_ends_while_nobody_fires_timers_is_not_lost_to_a_warning_before_it() {
    let rule = SlaClock { warn_at_percent: vec![50], ..clock("finish", Basis::Wall, 100) };
    let mut world = World::new("2026-11-23T10:00:00Z", alone(rule));
    let _ = world.send(request("x"));
    world.run_to("2026-11-23T10:30:00Z");
    assert_eq!(world.place_of("x"), "waiting turned_down");
    world.now = at("2026-11-23T11:10:00Z");
    let _ = world.step(Event::DeadlineReached);
    assert_eq!(world.place_of("x"), "offered a");
}
