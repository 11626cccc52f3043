//! Waiting: what it states, what wakes it, and in which order.

use std::sync::Arc;

use heliograph::engine::class::MAX_CLASSES_IN_USE;
use heliograph::engine::effect::{Answer, Effect};
use heliograph::engine::event::{Event, RefusalCode};
use heliograph::engine::explain::Filter;
use heliograph::engine::request::{Priority, WorkRequest};
use heliograph::engine::roster::{Basis, Capacity, Escalation, EscalationAction, Team};
use heliograph::engine::scheduler::Preview;
use heliograph::engine::task::{WaitReason, WakeCause};
use heliograph::engine::update::{Change, DeclineReason, Sender};

use crate::clocks::restarted;
use crate::world::*;

/// Only London may do it.
fn for_london(id: &str) -> WorkRequest {
    WorkRequest { allowed_countries: vec![place("GB")], ..request(id) }
}

fn sunrise(sent: &str, opens: &str) {
    let mut world = World::new(sent, roster(vec![london(), sydney()]));
    let _ = world.send(for_london("a"));
    assert_eq!(world.wait_of("a"), (WaitReason::NoTeamOpen, Some(at(opens))));
    assert!(world.waiting("a").woken_by.contains(&WakeCause::TeamOpens));
    world.run(at(opens) - minutes(1));
    assert_eq!(world.place_of("a"), "waiting no_team_open");
    world.run_to(opens);
    assert_eq!(world.place_of("a"), "offered london");
    assert_eq!(world.last_offer("a").0.at, at(opens));
    assert_eq!(world.story("a"), ["admit", "park", "offer"], "nothing looks at it before it wakes");
}

#[test]
fn a_request_for_london_sent_at_three_in_winter_is_offered_at_nine_local() {
    sunrise("2026-11-24T03:00:00Z", "2026-11-24T09:00:00Z");
}

#[test]
fn a_request_for_london_sent_at_three_in_summer_is_offered_at_nine_local() {
    sunrise("2027-07-06T02:00:00Z", "2027-07-06T08:00:00Z");
}

#[test]
fn a_request_follows_the_sun_to_the_team_that_is_open() {
    let teams = || vec![london(), sydney(), new_york()];
    for (sent, team) in [("2026-11-24T10:00:00Z", "london"), ("2026-11-24T00:30:00Z", "sydney")] {
        let mut world = World::new(sent, roster(teams()));
        let _ = world.send(request("a"));
        assert_eq!(world.place_of("a"), format!("offered {team}"));
    }
}

fn one_seat() -> Team {
    Team { capacity: Capacity::Seats(1), ..london() }
}

#[test]
fn a_freed_seat_goes_to_the_most_urgent_then_the_one_that_must_start_first_then_the_first_to_arrive() {
    let mut world = World::new("2026-11-23T10:00:00Z", roster(vec![one_seat()]));
    let _ = world.send(request("held"));
    world.accept("held");
    let due = |hours: i64| Some(at("2026-11-25T10:00:00Z") + minutes(60 * hours));
    let waiting = [
        request("no-date"),
        request("no-date-later"),
        WorkRequest { deadline: due(5), ..request("friday") },
        WorkRequest { deadline: due(4), effort_minutes: Some(30), ..request("short") },
        WorkRequest { deadline: due(4), effort_minutes: Some(90), ..request("long") },
        WorkRequest { priority: Some(Priority::Low), deadline: due(1), ..request("low") },
        WorkRequest { priority: Some(Priority::Urgent), ..request("urgent") },
    ];
    for request in waiting {
        let _ = world.send(request);
    }
    assert_eq!(world.wait_of("short").0, WaitReason::NoSeatFree);
    assert_eq!(world.waiting("short").woken_by.first(), Some(&WakeCause::SeatFrees));
    let mut done = vec!["held"];
    for next in ["urgent", "long", "short", "friday", "no-date", "no-date-later", "low"] {
        world.complete(done.last().unwrap());
        assert_eq!(world.place_of(next), "offered london", "after {done:?}");
        world.accept(next);
        done.push(next);
    }
}

#[test]
fn a_late_timer_does_not_let_a_new_request_overtake_those_that_waited_for_it() {
    let mut world = World::new("2026-11-24T03:00:00Z", roster(vec![one_seat()]));
    let _ = world.send(request("first"));
    world.now = at("2026-11-24T09:00:01Z");
    let _ = world.send(request("second"));
    assert_eq!(world.place_of("first"), "offered london");
    assert_eq!(world.place_of("second"), "waiting no_seat_free");
}

#[test]
fn an_earliest_start_at_the_opening_does_not_overtake_those_that_waited_for_it() {
    let mut world = World::new("2026-11-24T03:00:00Z", roster(vec![one_seat()]));
    let not_before = Some(at("2026-11-24T09:00:00Z"));
    let _ = world.send(WorkRequest { not_before, ..request("new") });
    let _ = world.send(request("old"));
    world.run_to("2026-11-24T09:00:00Z");
    assert_eq!(world.place_of("old"), "offered london");
    assert_eq!(world.place_of("new"), "waiting no_seat_free");
}

#[test]
fn urgent_reserve_seats_take_urgent_tasks_only() {
    let team = Team { capacity: Capacity::Seats(2), urgent_reserve: 1, ..london() };
    let mut world = World::new("2026-11-23T10:00:00Z", roster(vec![team]));
    for id in ["a", "b"] {
        let _ = world.send(request(id));
    }
    assert_eq!((world.place_of("a"), world.place_of("b")), ("offered london".into(), "waiting no_seat_free".into()));
    let _ = world.send(WorkRequest { priority: Some(Priority::Urgent), ..request("c") });
    assert_eq!(world.place_of("c"), "offered london");
    world.accept("c");
    world.complete("c");
    assert_eq!(world.place_of("b"), "waiting no_seat_free", "the reserve is for urgent work");
    world.firm("b", Change::Reprioritise { priority: Priority::Urgent });
    assert_eq!(world.place_of("b"), "offered london");
}

#[test]
fn a_team_sized_by_effort_takes_what_fits_and_a_larger_task_only_when_empty() {
    let team = Team { capacity: Capacity::EffortHours(4), ..london() };
    let mut world = World::new("2026-11-23T10:00:00Z", roster(vec![team]));
    let of = |id: &str, minutes| WorkRequest { effort_minutes: Some(minutes), ..request(id) };
    for (id, minutes) in [("huge", 600), ("three", 180), ("two", 120), ("one", 60)] {
        let _ = world.send(of(id, minutes));
    }
    assert_eq!(world.place_of("huge"), "offered london");
    world.accept("huge");
    world.holder("huge", |assignment| Change::Progress { assignment, remaining_minutes: 190, note: None });
    assert_eq!(world.place_of("one"), "waiting no_seat_free", "50 minutes are left");
    world.holder("huge", |assignment| Change::Progress { assignment, remaining_minutes: 110, note: None });
    assert_eq!(world.place_of("three"), "waiting no_seat_free", "it is larger than the 130 minutes that are left");
    assert_eq!(
        (world.place_of("two"), world.place_of("one")),
        ("offered london".into(), "waiting no_seat_free".into())
    );
    world.accept("two");
    world.complete("huge");
    assert_eq!(
        (world.place_of("three"), world.place_of("one")),
        ("waiting no_seat_free".into(), "offered london".into())
    );
}

#[test]
fn a_task_waits_for_a_better_team_when_nobody_open_finishes_in_time() {
    let slow = Team {
        calendar: calendar("Europe/London", &WEEKDAYS, &["15:30-16:00"], &[]),
        ..team("slow", "GB", "UTC", &[])
    };
    let mut world = World::new("2026-11-23T15:30:00Z", roster(vec![slow, sydney()]));
    // Two hours of work: slow needs four days, Sydney is done at 00:00 UTC.
    let deadline = Some(at("2026-11-24T06:00:00Z"));
    let _ = world.send(WorkRequest { deadline, effort_minutes: Some(120), ..request("a") });
    assert_eq!(world.wait_of("a"), (WaitReason::WaitsForBetter, Some(at("2026-11-23T22:00:00Z"))));
    world.run_to("2026-11-23T22:00:00Z");
    assert_eq!(world.place_of("a"), "offered sydney");
}

#[test]
fn a_task_that_waits_for_better_takes_a_freed_seat_that_is_good_enough() {
    let slow = Team {
        calendar: calendar("Europe/London", &WEEKDAYS, &["10:00-10:30"], &[]),
        ..team("slow", "GB", "UTC", &[])
    };
    let mut world = World::new("2026-11-23T09:00:00Z", roster(vec![slow, one_seat(), sydney()]));
    let _ = world.send(WorkRequest { preferred_team: Some(team_id("london")), ..request("first") });
    world.accept("first");
    world.run_to("2026-11-23T10:00:00Z");
    let deadline = Some(at("2026-11-24T06:00:00Z"));
    let _ = world.send(WorkRequest { deadline, effort_minutes: Some(120), ..request("a") });
    assert_eq!(world.place_of("a"), "waiting waits_for_better");
    world.complete("first");
    assert_eq!(world.place_of("a"), "offered london");
}

#[test]
fn a_turn_down_that_ends_while_nobody_looks_is_over_for_a_task_that_waits_for_better() {
    let slow = Team {
        calendar: calendar("Europe/London", &WEEKDAYS, &["10:00-12:00"], &[]),
        ..team("slow", "GB", "UTC", &[])
    };
    let roster = roster(vec![slow, london(), sydney()]);
    let mut world = World::new("2026-11-23T10:00:00Z", roster.clone());
    let _ = world.send(WorkRequest {
        preferred_team: Some(team_id("london")),
        deadline: Some(at("2026-11-24T06:00:00Z")),
        effort_minutes: Some(120),
        ..request("a")
    });
    world.run_to("2026-11-23T10:30:00Z");
    assert_eq!(world.place_of("a"), "waiting waits_for_better");
    let later = restarted(&world, None, roster, "2026-11-23T11:01:00Z");
    assert_eq!(later.place_of("a"), "offered london");
}

#[test]
fn a_task_that_waited_for_a_full_team_goes_to_the_next_best() {
    let tonight = Team { capacity: Capacity::Seats(1), ..sydney() };
    let slow = Team {
        calendar: calendar("Europe/London", &WEEKDAYS, &["15:30-16:00", "21:30-22:30"], &[]),
        ..team("slow", "GB", "UTC", &[])
    };
    let mut world = World::new("2026-11-23T15:30:00Z", roster(vec![slow, tonight]));
    // Too early for one after the other at Sydney's only seat.
    let deadline = Some(at("2026-11-24T01:30:00Z"));
    for id in ["a", "b"] {
        let _ = world.send(WorkRequest { deadline, effort_minutes: Some(120), ..request(id) });
        assert_eq!(world.place_of(id), "waiting waits_for_better");
    }
    world.run_to("2026-11-23T22:00:00Z");
    assert_eq!((world.place_of("a"), world.place_of("b")), ("offered sydney".into(), "offered slow".into()));
}

#[test]
fn nobody_eligible_is_said_loudly_once_and_kept() {
    let mut world = World::new("2026-11-23T10:00:00Z", roster(vec![london()]));
    let _ = world.send(WorkRequest { allowed_countries: vec![place("FR")], ..request("a") });
    assert_eq!(world.story("a"), ["admit", "park", "report_unroutable"]);
    assert_eq!(world.wait_of("a"), (WaitReason::NoTeamEligible, None));
    world.run_to("2026-11-30T10:00:00Z");
    assert_eq!(world.story("a").len(), 3);
    let amendment = heliograph::engine::update::Amendment { allowed_countries: Some(vec![]), ..Default::default() };
    world.firm("a", Change::Amend(Box::new(amendment)));
    assert_eq!(world.place_of("a"), "offered london");
}

#[test]
fn a_team_whose_vetting_ends_before_it_opens_is_no_hope() {
    let team = Team { vetted_until: Some(at("2026-11-24T08:00:00Z")), ..london() };
    let mut world = World::new("2026-11-23T20:00:00Z", roster(vec![team]));
    let _ = world.send(request("a"));
    assert_eq!(world.place_of("a"), "waiting no_team_eligible");
}

#[test]
fn a_step_before_a_deadline_and_a_second_one_at_it_do_nothing() {
    let mut world = World::new("2026-11-24T03:00:00Z", roster(vec![london()]));
    let _ = world.send(request("a"));
    world.now = at("2026-11-24T08:59:59Z");
    assert!(world.step(Event::DeadlineReached).recorded.is_empty());
    world.now = at("2026-11-24T09:00:00Z");
    let fired = world.step(Event::DeadlineReached).recorded;
    assert!(matches!(fired.as_slice(), [one] if matches!(one.effect, Effect::Offer(_))));
    assert!(world.step(Event::DeadlineReached).recorded.is_empty());
}

#[test]
fn time_that_goes_back_stands_still() {
    let mut world = World::new("2026-11-23T10:00:00Z", roster(vec![london()]));
    world.now = at("2026-11-23T09:00:00Z");
    let _ = world.send(request("a"));
    assert_eq!(world.log[0].at, at("2026-11-23T10:00:00Z"));
}

#[test]
fn the_census_counts_what_waits_and_who_has_what() {
    let mut world = World::new("2026-11-23T10:00:00Z", roster(vec![one_seat()]));
    for id in ["a", "b", "c"] {
        let _ = world.send(request(id));
        world.now += minutes(1);
    }
    let census = world.scheduler.census();
    assert_eq!(census.waiting.get(&(Priority::Normal, WaitReason::NoSeatFree)), Some(&2));
    assert_eq!(census.with_team.get(&(team_id("london"), "offered")), Some(&1));
    assert_eq!(census.oldest_waiting_since(Priority::Normal), Some(at("2026-11-23T10:01:00Z")));
}

#[test]
fn the_latest_start_walks_back_through_the_hours_of_those_who_may_do_it() {
    let mut world = World::new("2026-11-23T16:00:00Z", roster(vec![one_seat()]));
    let due = |id: &str, deadline, minutes| WorkRequest {
        deadline: Some(at(deadline)),
        effort_minutes: Some(minutes),
        ..request(id)
    };
    let _ = world.send(request("first"));
    world.accept("first");
    let _ = world.send(due("today", "2026-11-23T17:00:00Z", 15));
    // Due in the morning, but half of it has to be done before the close.
    let _ = world.send(due("tomorrow", "2026-11-24T09:30:00Z", 60));
    world.complete("first");
    assert_eq!(world.place_of("tomorrow"), "offered london");
}

#[test]
fn a_task_waits_for_the_seat_that_frees_in_time_and_looks_again_when_it_should_have() {
    let slow = Team {
        calendar: calendar("Europe/London", &WEEKDAYS, &["10:00-11:45"], &[]),
        ..team("slow", "GB", "UTC", &[])
    };
    let mut world = World::new("2026-11-23T10:00:00Z", roster(vec![slow, one_seat()]));
    let _ = world.send(WorkRequest { preferred_team: Some(team_id("london")), ..request("first") });
    world.accept("first");
    // London is expected to have a seat at 11:00 and to be done at 13:00; slow would be done tomorrow.
    let deadline = Some(at("2026-11-23T13:45:00Z"));
    let _ = world.send(WorkRequest { deadline, effort_minutes: Some(120), ..request("a") });
    assert_eq!(world.wait_of("a"), (WaitReason::WaitsForBetter, Some(at("2026-11-23T11:00:00Z"))));
    assert_eq!(world.waiting("a").waits_for, [team_id("london")]);
    world.run_to("2026-11-23T11:00:00Z");
    assert_eq!(world.wait_of("a"), (WaitReason::WaitsForBetter, Some(at("2026-11-23T11:30:00Z"))));
    // A seat at 12:00 would be too late too, so that there is nothing better to wait for.
    world.run_to("2026-11-23T11:30:00Z");
    assert_eq!(world.place_of("a"), "offered slow");
}

#[test]
fn a_full_team_that_opens_later_is_no_hope_before_it_has_room() {
    let tonight = Team { capacity: Capacity::Seats(1), ..sydney() };
    let slow = Team {
        calendar: calendar("Europe/London", &WEEKDAYS, &["15:30-16:00"], &[]),
        ..team("slow", "GB", "UTC", &[])
    };
    let mut world = World::new("2026-11-23T05:00:00Z", roster(vec![slow, tonight]));
    let _ = world.send(WorkRequest { effort_minutes: Some(480), ..request("first") });
    world.accept("first");
    world.run_to("2026-11-23T15:30:00Z");
    // Sydney opens at 22:00 and has seven hours of its task left, so it would be done at 07:00.
    let deadline = Some(at("2026-11-24T06:00:00Z"));
    let _ = world.send(WorkRequest { deadline, effort_minutes: Some(120), ..request("a") });
    assert_eq!(world.place_of("a"), "offered slow");
}

#[test]
fn a_refusal_of_an_open_team_is_the_reason_though_another_team_is_closed() {
    let mut world = World::new("2026-11-23T10:00:00Z", roster(vec![london(), sydney()]));
    let _ = world.send(request("a"));
    world.decline("a", DeclineReason::Busy);
    assert_eq!(world.wait_of("a"), (WaitReason::TurnedDown, Some(at("2026-11-23T10:30:00Z"))));
}

#[test]
fn an_amended_request_has_a_decision_of_its_own_though_it_waits_for_the_same_reason() {
    let mut world = World::new("2026-11-23T20:00:00Z", roster(vec![london(), new_york(), sydney()]));
    let _ = world.send(WorkRequest { allowed_countries: vec![place("GB")], ..request("a") });
    let last = |world: &World| world.log.iter().rev().find_map(|it| it.decision.clone()).expect("a decision");
    assert_eq!(last(&world).rejected, [(Filter::Consent, 2), (Filter::Open, 1)].into());
    let both = vec![place("AU"), place("GB")];
    let amendment = heliograph::engine::update::Amendment { allowed_countries: Some(both), ..Default::default() };
    world.firm("a", Change::Amend(Box::new(amendment)));
    assert_eq!(last(&world).rejected, [(Filter::Consent, 1), (Filter::Open, 2)].into());
}

#[test]
fn the_number_of_different_needs_has_a_limit() {
    let mut world = World::new("2026-11-23T10:00:00Z", roster(vec![london()]));
    world.checked_every = 100_000;
    let of = |number: usize| {
        let skills = (0..15).map(|bit| skill(&format!("s{bit}"), if number & 1 << bit == 0 { 1 } else { 2 }));
        WorkRequest { skills: skills.collect(), ..request(&format!("r{number}")) }
    };
    for number in 0..MAX_CLASSES_IN_USE {
        assert!(matches!(world.send(of(number)), Answer::Admitted(_)));
    }
    assert_eq!(world.refused(of(MAX_CLASSES_IN_USE)), RefusalCode::Full);
    let same = WorkRequest { id: "again".parse().unwrap(), ..of(7) };
    assert!(matches!(world.send(same), Answer::Admitted(_)), "needs that are there already are no more");
    let amendment =
        heliograph::engine::update::Amendment { denied_countries: Some(vec![place("FR")]), ..Default::default() };
    let acme = Sender::Client(client_id("acme"));
    let amended = world.update(acme, "r7", Change::Amend(Box::new(amendment)));
    assert_eq!(amended.unwrap_err().code, RefusalCode::Full);
    world.firm("r8", Change::Cancel { reason: "room".into() });
    assert!(matches!(world.send(of(MAX_CLASSES_IN_USE)), Answer::Admitted(_)));
}

#[test]
fn a_task_that_all_who_could_have_refused_for_good_is_said_loudly_to_have_nobody() {
    let expired = Team { vetted_until: Some(at("2026-11-01T00:00:00Z")), ..always("lapsed") };
    let mut world = World::new("2026-11-23T10:00:00Z", roster(vec![expired, always("oslo"), always("zurich")]));
    let _ = world.send(request("a"));
    for _ in 0..2 {
        let reason = DeclineReason::NotQualified;
        world.holder("a", |assignment| Change::Decline { assignment, reason, note: None });
    }
    assert_eq!(world.wait_of("a").0, WaitReason::NoTeamEligible);
    assert_eq!(world.story("a").last(), Some(&"report_unroutable"));
}

#[test]
fn a_dry_run_says_what_a_request_waits_for_whatever_the_teams_say() {
    let roster = Arc::new(roster(vec![always("oslo")]));
    let now = at("2026-11-23T10:00:00Z");
    let reason = |request| Preview::of(&request, Arc::clone(&roster), now).expect("valid").waiting.map(|it| it.reason);
    assert_eq!(reason(request("a")), None);
    let later = WorkRequest { not_before: Some(at("2026-11-30T00:00:00Z")), ..request("b") };
    assert_eq!(reason(later), Some(WaitReason::NotBefore));
    assert_eq!(reason(WorkRequest { after: vec![task_id("zz")], ..request("c") }), Some(WaitReason::Predecessor));
}

#[test]
fn a_team_at_lunch_gets_nothing_though_more_is_due_than_one_step_fires() {
    let calendar = calendar("Europe/London", &WEEKDAYS, &["09:00-17:00"], &["12:00-13:00"]);
    let mut world =
        World::new("2026-11-23T11:00:00Z", roster(vec![Team { capacity: Capacity::Seats(1), calendar, ..london() }]));
    world.checked_every = 1_000;
    let _ = world.send(request("x"));
    let _ = world.send(request("z"));
    // The offer of `x` lapses at 11:30; so many deadlines warn and are breached before lunch.
    for number in 0..=heliograph::engine::scheduler::MAX_TIMERS_PER_STEP {
        let deadline = Some(at("2026-11-23T11:50:00Z"));
        let excluded_teams = vec![team_id("london")];
        let _ = world.send(WorkRequest { excluded_teams, deadline, ..request(&format!("y{number}")) });
    }
    world.now = at("2026-11-23T12:20:00Z");
    world.run_to("2026-11-23T12:20:00Z");
    assert!(!world.story("z").contains(&"offer"), "{:?}", world.story("z"));
}

#[test]
fn a_priority_that_is_raised_late_offers_nothing_to_a_team_at_lunch() {
    let calendar = calendar("Europe/London", &WEEKDAYS, &["09:00-17:00"], &["12:00-13:00"]);
    let mut firm = roster(vec![Team { capacity: Capacity::Seats(1), calendar, ..london() }]);
    let mut policy = policy(Basis::Wall, 45);
    policy.clocks[0].escalations =
        vec![Escalation { at_percent: 100, action: EscalationAction::RaisePriority(Priority::High) }];
    firm.sla.insert(policy.id.clone(), policy);
    let mut world = World::new("2026-11-23T11:00:00Z", firm);
    let _ = world.send(request("x"));
    let _ = world.send(WorkRequest { sla: Some("gold".parse().expect("a policy")), ..request("z") });
    // The offer of `x` lapses at 11:30, the priority of `z` is raised at 11:45, and nobody fires timers before 12:20.
    world.now = at("2026-11-23T12:20:00Z");
    world.run_to("2026-11-23T12:20:00Z");
    assert!(
        world.story("z").contains(&"reprioritise") && !world.story("z").contains(&"offer"),
        "{:?}",
        world.story("z")
    );
}
