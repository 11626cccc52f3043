//! What was sent in an outage counts before what fell due in it.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use heliograph::engine::effect::{Answer, Effect};
use heliograph::engine::event::Event;
use heliograph::engine::fairness::Mark;
use heliograph::engine::id::RequestId;
use heliograph::engine::request::WorkRequest;
use heliograph::engine::roster::{Basis, Roster, SlaClock};
use heliograph::engine::scheduler::{Limits, MAX_TIMERS_PER_STEP, Restored, Scheduler};
use heliograph::engine::task::TaskState;
use heliograph::engine::update::{Change, DeclineReason, Sender, Update};

use crate::clocks::{alone, clock, under};
use crate::world::*;

const MORNING: &str = "2026-11-23T10:00:00Z";

/// Another process that goes on at an instant, with what was sent since the last step not read yet.
fn after_outage(world: &World, now: &str) -> World {
    let restored = Restored {
        open: world.stored.values().cloned().collect(),
        next_arrival: world.scheduler.next_arrival(),
        marks: world.marks.clone(),
        outage_since: Some(world.now),
        ..Restored::default()
    };
    let roster = Arc::clone(world.scheduler.base_roster());
    let mut later = World::around(Scheduler::restore(roster, Limits::default(), restored, at(now)), at(now));
    later.segments.clone_from(&world.segments);
    later.marks.clone_from(&world.marks);
    later
}

fn ended(world: &mut World) {
    let _ = world.step(Event::OutageEnded);
    world.run(world.now);
}

/// An update of a team, sent at an instant.
fn sent(world: &mut World, team: &str, id: &str, sent_at: &str, change: Change) -> Answer {
    let update = Update {
        id: RequestId::new(&format!("{}-{id}", change.kind())).expect("an id"),
        task: task_id(id),
        sender: Sender::Team(team_id(team)),
        at: Some(at(sent_at)),
        order: None,
        change,
    };
    world.step(received(update)).answer.expect("an answer")
}

fn complete(assignment: u32) -> Change {
    Change::Complete { assignment, note: None }
}

/// A task that the team `a` has accepted, with a clock of a hundred minutes, and the outage that begins at 10:30.
fn under_way() -> World {
    let rule = SlaClock { warn_at_percent: vec![50], ..clock("finish", Basis::Holder, 100) };
    let mut world = World::new(MORNING, alone(rule));
    let _ = world.send(request("x"));
    world.accept("x");
    world.run_to("2026-11-23T10:30:00Z");
    world
}

#[test]
fn a_completion_that_was_sent_in_an_outage_counts_from_then_and_what_fell_due_after_it_does_not() {
    let mut world = after_outage(&under_way(), "2026-11-23T13:00:00Z");
    assert_eq!(world.scheduler.next_deadline(), None, "nothing fires before all is read");
    assert_eq!(sent(&mut world, "a", "x", "2026-11-23T11:20:00Z", complete(1)), Answer::Applied);
    ended(&mut world);
    assert_eq!(world.ledger("x", "finish"), ["23 10:00 to 23 11:20 a 80 stopped"]);
    // The warning was due at 10:50, before it was done.
    let told: Vec<_> = world.log.iter().map(|it| (name_of(&it.effect), it.at, it.claimed_at)).collect();
    let (now, claimed_at) = (world.now, Some(at("2026-11-23T11:20:00Z")));
    let wanted = [("complete", now, claimed_at), ("stop_sla", now, claimed_at), ("end_outage", now, None)];
    assert_eq!(told, wanted);
    let Some(Effect::EndOutage { since, updates }) = world.log.last().map(|it| it.effect.clone()) else { panic!() };
    assert_eq!((since, updates), (at("2026-11-23T10:30:00Z"), 1));
}

#[test]
fn what_was_not_done_in_the_outage_is_warned_of_and_breached_after_it_and_says_how_late() {
    let mut world = after_outage(&under_way(), "2026-11-23T13:00:00Z");
    let progress = Change::Progress { assignment: 1, remaining_minutes: 10, note: None };
    assert_eq!(sent(&mut world, "a", "x", "2026-11-23T11:20:00Z", progress), Answer::Applied);
    ended(&mut world);
    let late = |effect: &Effect| match effect {
        Effect::WarnSla(notice) | Effect::BreachSla(notice) => notice.late_by.map(|late_by| late_by.num_minutes()),
        _ => None,
    };
    let late_by: Vec<_> = world.log.iter().filter_map(|it| late(&it.effect)).collect();
    assert_eq!(late_by, [130, 80]);
}

#[test]
fn a_start_while_the_link_is_lost_finds_the_beginning_of_that_though_something_was_decided_since() {
    let mut world = under_way();
    let _ = world.step(Event::OutageBegan);
    // The warning at 10:50 is told and stored while nothing is read.
    world.run_to("2026-11-23T11:00:00Z");
    assert_eq!(world.told("x"), ["23 10:50 finish warns at 50"]);
    let mut world = after_outage(&world, "2026-11-23T13:00:00Z");
    assert_eq!(sent(&mut world, "a", "x", "2026-11-23T10:55:00Z", complete(1)), Answer::Applied);
    ended(&mut world);
    assert_eq!(world.ledger("x", "finish"), ["23 10:00 to 23 10:55 a 55 stopped"]);
    let Some(Effect::EndOutage { since, .. }) = world.log.last().map(|it| it.effect.clone()) else { panic!() };
    assert_eq!(since, at("2026-11-23T10:30:00Z"));
    assert!(!world.scheduler.marks().contains_key(&Mark::CutOff), "it is over");
}

#[test]
fn another_crash_in_the_middle_of_the_reading_leaves_the_outage_its_beginning() {
    let mut world = after_outage(&under_way(), "2026-11-23T13:00:00Z");
    let progress = Change::Progress { assignment: 1, remaining_minutes: 10, note: None };
    assert_eq!(sent(&mut world, "a", "x", "2026-11-23T10:35:00Z", progress), Answer::Applied);
    let mut world = after_outage(&world, "2026-11-23T13:10:00Z");
    // It claims an instant before the second start; the outage is the one that the first start found.
    assert_eq!(sent(&mut world, "a", "x", "2026-11-23T10:45:00Z", complete(1)), Answer::Applied);
    ended(&mut world);
    assert_eq!(world.ledger("x", "finish"), ["23 10:00 to 23 10:45 a 45 stopped"]);
    assert_eq!(world.told("x"), ["23 13:10 finish stops met"], "no warning");
    let Some(Effect::EndOutage { since, .. }) = world.log.last().map(|it| it.effect.clone()) else { panic!() };
    assert_eq!(since, at("2026-11-23T10:30:00Z"));
}

#[test]
fn an_outage_begins_before_what_was_due_and_had_not_fired() {
    let world = under_way();
    let before = at("2026-11-23T10:49:59Z");
    assert_eq!(world.scheduler.decided_until(before), before, "nothing is due");
    for now in ["2026-11-23T10:50:00Z", "2026-11-23T11:00:00Z"] {
        assert_eq!(world.scheduler.decided_until(at(now)), at("2026-11-23T10:49:59.999Z"), "the warning has not fired");
    }
    let mut later = after_outage(&world, "2026-11-23T13:00:00Z");
    let progress = Change::Progress { assignment: 1, remaining_minutes: 10, note: None };
    assert_eq!(sent(&mut later, "a", "x", "2026-11-23T10:35:00Z", progress), Answer::Applied);
    assert_eq!(later.scheduler.decided_until(later.now), at("2026-11-23T10:30:00Z"), "what was sent is being read");
    ended(&mut later);
    assert_eq!(later.scheduler.decided_until(later.now), later.now);
}

#[test]
fn a_step_that_leaves_timers_to_the_next_one_has_not_decided_what_was_due() {
    let mut world = World::new(MORNING, roster(vec![always("a")]));
    world.checked_every = 1_000;
    for number in 0..=MAX_TIMERS_PER_STEP {
        let deadline = Some(at("2026-11-23T11:00:00Z"));
        let _ = world.send(WorkRequest { deadline, ..request(&format!("x{number}")) });
    }
    let now = at("2026-11-23T12:00:00Z");
    let mut steps = 0;
    while let Some(due_at) = world.scheduler.next_deadline().filter(|due_at| *due_at <= now) {
        assert!(world.scheduler.decided_until(now) < due_at, "after {steps} steps");
        let _ = world.scheduler.step(now, Event::DeadlineReached);
        steps += 1;
    }
    assert!(steps > 1);
    assert_eq!(world.scheduler.decided_until(now), now);
}

#[test]
fn a_completion_that_came_too_late_in_the_outage_is_a_breach() {
    let mut world = after_outage(&under_way(), "2026-11-23T13:00:00Z");
    assert_eq!(sent(&mut world, "a", "x", "2026-11-23T12:00:00Z", complete(1)), Answer::Applied);
    ended(&mut world);
    let told: Vec<_> = world.told("x").iter().map(|line| line[9..].to_owned()).collect();
    assert_eq!(told, ["finish warns at 50", "finish is breached", "finish stops breached"]);
    let breach = world.log.iter().find_map(|it| match &it.effect {
        Effect::BreachSla(notice) => Some((it.at, notice.reached_at, notice.late_by)),
        _ => None,
    });
    assert_eq!(breach, Some((world.now, at("2026-11-23T11:40:00Z"), Some(TimeDelta::minutes(80)))));
}

#[test]
fn a_claim_outside_the_outage_is_held_to_it() {
    for (sent_at, counted) in [("2026-11-23T09:00:00Z", 30), ("2026-11-23T23:00:00Z", 180)] {
        let mut world = after_outage(&under_way(), "2026-11-23T13:00:00Z");
        assert_eq!(sent(&mut world, "a", "x", sent_at, complete(1)), Answer::Applied);
        assert_eq!(world.ledger("x", "finish").len(), 1);
        let until = at(MORNING) + TimeDelta::minutes(counted);
        assert_eq!(world.segments.values().next().expect("a clock")[0].until, until, "{sent_at}");
    }
}

#[test]
fn without_an_outage_an_update_counts_when_it_is_read() {
    let mut world = under_way();
    assert_eq!(sent(&mut world, "a", "x", "2026-11-23T10:10:00Z", complete(1)), Answer::Applied);
    assert_eq!(world.ledger("x", "finish"), ["23 10:00 to 23 10:30 a 30 stopped"]);
    assert!(world.log.iter().all(|it| it.claimed_at.is_none()));
}

#[test]
fn updates_of_one_task_never_count_backwards_however_they_come() {
    let mut world = after_outage(&under_way(), "2026-11-23T13:00:00Z");
    let pause = Change::Pause { assignment: Some(1), reason: term("client-question") };
    let _ = sent(&mut world, "a", "x", "2026-11-23T11:10:00Z", pause);
    let _ = sent(&mut world, "a", "x", "2026-11-23T10:40:00Z", complete(1));
    ended(&mut world);
    assert_eq!(
        world.ledger("x", "finish"),
        ["23 10:30 to 23 11:10 a 70 paused"].map(|it| it.replace("10:30", "10:00"))
    );
}

#[test]
fn what_becomes_free_in_an_outage_is_given_away_after_it() {
    let teams = vec![always("a"), always("b")];
    let mut world = World::new(MORNING, roster(teams));
    let _ = world.send(WorkRequest { preferred_team: Some(team_id("a")), ..request("x") });
    let after = WorkRequest { after: vec![task_id("x")], ..request("y") };
    let _ = world.send(after);
    let mut later = after_outage(&world, "2026-11-23T10:20:00Z");
    let busy = Change::Decline { assignment: 1, reason: DeclineReason::Busy, note: None };
    assert_eq!(sent(&mut later, "a", "x", "2026-11-23T10:05:00Z", busy), Answer::Applied);
    assert!(matches!(later.task("x").state, TaskState::Waiting(_)), "nothing is offered before all is read");
    ended(&mut later);
    assert_eq!(later.place_of("x"), "offered b");
}

fn offered_for(world: &World) -> TimeDelta {
    world.offer_until("x") - world.now
}

#[test]
fn the_limit_of_an_offer_stands_still_in_an_outage() {
    let mut world = World::new(MORNING, roster(vec![always("a")]));
    let _ = world.send(request("x"));
    world.run_to("2026-11-23T10:10:00Z");
    let mut later = after_outage(&world, "2026-11-23T13:00:00Z");
    ended(&mut later);
    assert_eq!((later.place_of("x").as_str(), offered_for(&later)), ("offered a", TimeDelta::minutes(20)));
    later.run_to("2026-11-23T13:20:00Z");
    assert!(later.story("x").contains(&"lapse"));
}

#[test]
fn the_limit_of_an_offer_stands_still_while_the_link_is_lost_and_warnings_do_not() {
    let rule = SlaClock { warn_at_percent: vec![50], ..clock("finish", Basis::Wall, 100) };
    let mut world = World::new(MORNING, under(vec![rule], vec![always("a")]));
    let _ = world.send(request("x"));
    world.run_to("2026-11-23T10:10:00Z");
    let _ = world.step(Event::OutageBegan);
    world.run_to("2026-11-23T11:00:00Z");
    assert_eq!((world.place_of("x").as_str(), world.told("x").len()), ("offered a", 1));
    let _ = world.step(Event::DrainBegan);
    let accept = Change::Accept { assignment: 1 };
    assert_eq!(sent(&mut world, "a", "x", "2026-11-23T10:20:00Z", accept), Answer::Applied);
    ended(&mut world);
    let TaskState::Active(active) = &world.task("x").state else { panic!("{}", world.place_of("x")) };
    assert_eq!(active.at, at("2026-11-23T10:20:00Z"));
}

#[test]
fn an_offer_of_a_shift_that_ended_in_the_outage_is_taken_back_and_is_no_turn_down() {
    let mut world = World::new("2026-11-23T16:30:00Z", roster(vec![london()]));
    let _ = world.send(WorkRequest { effort_minutes: Some(10), ..request("x") });
    let mut later = after_outage(&world, "2026-11-23T18:00:00Z");
    ended(&mut later);
    assert_eq!(later.story("x"), ["withdraw", "park"]);
    assert_eq!(later.task("x").turn_downs, []);
}

#[test]
fn an_owner_whose_shift_ended_in_the_outage_is_heard_before_its_task_moves_on() {
    let mut world = World::new("2026-11-23T16:00:00Z", roster(vec![london(), new_york()]));
    let preferred_team = Some(team_id("london"));
    let _ = world.send(WorkRequest { effort_minutes: Some(240), preferred_team, ..request("x") });
    world.accept("x");
    let mut later = after_outage(&world, "2026-11-23T19:00:00Z");
    assert_eq!(sent(&mut later, "london", "x", "2026-11-23T16:50:00Z", complete(1)), Answer::Applied);
    ended(&mut later);
    assert!(later.log.iter().all(|it| !matches!(it.effect, Effect::Offer(_) | Effect::PlanHandoff { .. })));
    let mut silent = after_outage(&world, "2026-11-23T19:00:00Z");
    ended(&mut silent);
    assert_eq!(silent.task("x").handoff_offer().map(|offer| offer.team.as_str()), Some("new-york"));
}

#[test]
fn a_start_under_a_roster_with_a_wall_takes_back_first_and_reads_then() {
    let world = under_way();
    let mut walled: Roster = under(vec![clock("finish", Basis::Holder, 100)], vec![always("a"), always("b")]);
    walled.digest = heliograph::engine::roster::RosterDigest("1".repeat(64).into());
    walled.walls = vec![heliograph::engine::roster::Wall {
        team: team_id("a"),
        client: client_id("acme"),
        matter: None,
        reason: "r".into(),
    }];
    let walled = Arc::new(walled);
    let restored = Restored {
        open: world.stored.values().cloned().collect(),
        next_arrival: 1,
        roster_before: Some(Arc::clone(world.scheduler.base_roster())),
        outage_since: Some(world.now),
        ..Restored::default()
    };
    let now: DateTime<Utc> = at("2026-11-23T11:00:00Z");
    let mut later = World::around(Scheduler::restore(Arc::clone(&walled), Limits::default(), restored, now), now);
    let _ = later.step(Event::RosterChanged(walled));
    let late = sent(&mut later, "a", "x", "2026-11-23T10:50:00Z", complete(1));
    assert!(matches!(late, Answer::Refused(_)), "{late:?}");
    ended(&mut later);
    let told: Vec<_> = later.log.iter().map(|it| name_of(&it.effect)).collect();
    assert_eq!(told[..5], ["adopt_roster", "raise_wall", "recall", "reject_update", "end_outage"]);
    assert_eq!(later.place_of("x"), "offered b");
}

#[test]
fn a_request_ends_the_reading_of_an_outage() {
    let mut world = after_outage(&under_way(), "2026-11-23T11:00:00Z");
    let _ = world.send(request("y"));
    let told: Vec<_> = world.log.iter().map(|it| name_of(&it.effect)).collect();
    assert_eq!(told, ["end_outage", "warn_sla", "admit", "offer"]);
}

#[test]
fn a_late_accept_counts_while_the_task_waits_and_the_team_could_have_it() {
    let mut world = World::new(MORNING, roster(vec![always("a")]));
    let _ = world.send(request("x"));
    world.run_to("2026-11-23T10:35:00Z");
    assert!(world.place_of("x").starts_with("waiting"));
    assert_eq!(sent(&mut world, "a", "x", "2026-11-23T10:29:00Z", Change::Accept { assignment: 1 }), Answer::Applied);
    assert_eq!((world.place_of("x").as_str(), world.task("x").turn_downs.len()), ("active a", 0));
    world.complete("x");
}

#[test]
fn a_late_accept_is_refused_once_another_has_the_task_or_the_team_may_not_have_it() {
    let mut world = World::new(MORNING, roster(vec![always("a"), always("b")]));
    let _ = world.send(WorkRequest { preferred_team: Some(team_id("a")), ..request("x") });
    world.run_to("2026-11-23T10:35:00Z");
    assert_eq!(world.place_of("x"), "offered b");
    let late = sent(&mut world, "a", "x", "2026-11-23T10:29:00Z", Change::Accept { assignment: 1 });
    assert!(matches!(late, Answer::Refused(_)));
    let mut world = World::new("2026-11-23T16:00:00Z", roster(vec![london()]));
    let _ = world.send(WorkRequest { effort_minutes: Some(10), ..request("x") });
    world.run_to("2026-11-23T16:50:00Z");
    let late = sent(&mut world, "london", "x", "2026-11-23T16:29:00Z", Change::Accept { assignment: 1 });
    assert!(matches!(late, Answer::Refused(_)), "London closes in ten minutes");
    let mut world = World::new(MORNING, roster(vec![always("a")]));
    let _ = world.send(request("x"));
    world.run_to("2026-11-23T10:35:00Z");
    world.firm("x", Change::Hold);
    let late = sent(&mut world, "a", "x", "2026-11-23T10:29:00Z", Change::Accept { assignment: 1 });
    assert!(matches!(late, Answer::Refused(_)), "the firm holds it");
}

/// An update of the client, sent at an instant.
fn sent_by_firm(world: &mut World, id: &str, sent_at: &str, change: Change) -> Answer {
    let update = Update {
        id: RequestId::new(&format!("{}-{id}", change.kind())).expect("an id"),
        task: task_id(id),
        sender: Sender::Client(client_id("acme")),
        at: Some(at(sent_at)),
        order: None,
        change,
    };
    world.step(received(update)).answer.expect("an answer")
}

#[test]
fn claims_inside_one_millisecond_leave_no_segment_without_length() {
    let mut world = World::new(MORNING, alone(clock("finish", Basis::Holder, 100)));
    let _ = world.send(request("x"));
    let mut later = after_outage(&world, "2026-11-23T10:20:00Z");
    let _ = sent(&mut later, "a", "x", "2026-11-23T10:05:00.123400Z", Change::Accept { assignment: 1 });
    let _ = sent(&mut later, "a", "x", "2026-11-23T10:05:00.123700Z", complete(1));
    ended(&mut later);
    let whole = |it: DateTime<Utc>| it.timestamp_subsec_nanos().is_multiple_of(1_000_000);
    let segments: Vec<_> = later.segments.values().flatten().collect();
    assert!(segments.iter().all(|it| whole(it.from) && whole(it.until) && it.from < it.until), "{segments:?}");
    assert_eq!(segments.len(), 1, "from its admission to its accept");
}

#[test]
fn a_conflict_that_was_declared_before_another_task_was_accepted_takes_that_back_when_it_is_read() {
    let mut world = World::new(MORNING, alone(clock("finish", Basis::Holder, 600)));
    let _ = world.send(request("x"));
    let _ = world.send(request("y"));
    let mut later = after_outage(&world, "2026-11-23T10:20:00Z");
    let _ = sent(&mut later, "a", "y", "2026-11-23T10:15:00Z", Change::Accept { assignment: 1 });
    let conflict = Change::Decline { assignment: 1, reason: DeclineReason::Conflict, note: None };
    let _ = sent(&mut later, "a", "x", "2026-11-23T10:05:00Z", conflict);
    ended(&mut later);
    assert!(later.place_of("y").starts_with("waiting"), "{}", later.place_of("y"));
    let wanted = ["23 10:00 to 23 10:15 - 15 holder_changed", "23 10:15 to 23 10:20 a 5 holder_changed"];
    assert_eq!(later.ledger("y", "finish"), wanted);
}

#[test]
fn a_cancel_that_was_sent_in_an_outage_waits_for_its_request_behind_it() {
    let mut world = after_outage(&under_way(), "2026-11-23T13:00:00Z");
    let cancel = Change::Cancel { reason: "settled".into() };
    assert_eq!(sent_by_firm(&mut world, "late", "2026-11-23T11:00:00Z", cancel), Answer::Applied);
    ended(&mut world);
    let _ = world.send(request("late"));
    assert_eq!(world.story_of_ended().last(), Some(&"cancel"));
}

#[test]
fn what_was_put_off_is_decided_after_another_crash_in_the_middle_of_the_reading() {
    let mut world = World::new(MORNING, roster(vec![always("a")]));
    let _ = world.send(request("x"));
    world.accept("x");
    let _ = world.send(WorkRequest { after: vec![task_id("x")], ..request("behind") });
    let _ = world.send(request("held"));
    world.firm("held", Change::Hold);
    let mut first = after_outage(&world, "2026-11-23T10:20:00Z");
    let _ = sent(&mut first, "a", "x", "2026-11-23T10:05:00Z", complete(1));
    let _ = sent_by_firm(&mut first, "held", "2026-11-23T10:06:00Z", Change::Unhold);
    first.now = world.now;
    let mut second = after_outage(&first, "2026-11-23T10:25:00Z");
    ended(&mut second);
    assert_eq!((second.place_of("behind").as_str(), second.place_of("held").as_str()), ("offered a", "offered a"));
}

#[test]
fn what_was_put_off_is_decided_under_another_roster_too() {
    let mut world = World::new(MORNING, roster(vec![always("a")]));
    let _ = world.send(request("held"));
    world.firm("held", Change::Hold);
    let mut other = roster(vec![always("a"), always("b")]);
    other.digest = heliograph::engine::roster::RosterDigest("1".repeat(64).into());
    let other = Arc::new(other);
    let restored = Restored {
        open: world.stored.values().cloned().collect(),
        next_arrival: 1,
        roster_before: Some(Arc::clone(world.scheduler.base_roster())),
        outage_since: Some(world.now),
        ..Restored::default()
    };
    let now = at("2026-11-23T10:20:00Z");
    let mut later = World::around(Scheduler::restore(Arc::clone(&other), Limits::default(), restored, now), now);
    let _ = later.step(Event::RosterChanged(other));
    let _ = sent_by_firm(&mut later, "held", "2026-11-23T10:06:00Z", Change::Unhold);
    ended(&mut later);
    assert!(later.place_of("held").starts_with("offered"), "{}", later.place_of("held"));
}

#[test]
fn an_exposure_does_not_end_the_reading() {
    let mut world = after_outage(&under_way(), "2026-11-23T13:00:00Z");
    let exposure = heliograph::engine::effect::Exposure {
        team: team_id("a"),
        client: client_id("acme"),
        matter: None,
        wall: 1,
        count: 0,
        messages: Vec::new(),
    };
    let _ = world.step(Event::WallExposed(Box::new(exposure)));
    assert!(world.scheduler.drains());
}

#[test]
fn a_reading_that_breaks_off_lets_all_go_on_but_the_limits_of_offers() {
    let rule = SlaClock { warn_at_percent: vec![50], ..clock("finish", Basis::Wall, 100) };
    let mut world = World::new(MORNING, under(vec![rule], vec![always("a")]));
    let _ = world.send(request("x"));
    let mut later = after_outage(&world, "2026-11-23T11:00:00Z");
    let _ = later.step(Event::DrainBroken);
    later.run_to("2026-11-23T12:00:00Z");
    assert_eq!((later.place_of("x").as_str(), later.told("x").len()), ("offered a", 2), "a warning and a breach");
    let _ = later.step(Event::DrainBegan);
    let _ = sent(&mut later, "a", "x", "2026-11-23T10:10:00Z", Change::Accept { assignment: 1 });
    ended(&mut later);
    let Some(Effect::EndOutage { since, .. }) =
        later.log.iter().find_map(|it| matches!(it.effect, Effect::EndOutage { .. }).then_some(&it.effect))
    else {
        panic!("no end")
    };
    assert_eq!((*since, later.place_of("x").as_str()), (at(MORNING), "active a"));
}

#[test]
fn a_limit_that_stood_still_is_not_set_back_by_another_roster() {
    let mut world = World::new(MORNING, roster(vec![always("a")]));
    let _ = world.send(request("x"));
    world.run_to("2026-11-23T10:10:00Z");
    let mut later = after_outage(&world, "2026-11-23T13:00:00Z");
    ended(&mut later);
    let mut other = roster(vec![always("a"), always("b")]);
    other.digest = heliograph::engine::roster::RosterDigest("1".repeat(64).into());
    let _ = later.step(Event::RosterChanged(Arc::new(other)));
    assert_eq!((later.place_of("x").as_str(), offered_for(&later)), ("offered a", TimeDelta::minutes(20)));
}

#[test]
fn a_resume_that_was_sent_in_an_outage_ends_no_pause_past_its_cap() {
    let mut capped = alone(clock("finish", Basis::Holder, 100));
    capped.pauses.values_mut().for_each(|rule| rule.cap_minutes = Some(60));
    let mut world = World::new(MORNING, capped);
    let _ = world.send(request("x"));
    world.accept("x");
    world.holder("x", |assignment| Change::Pause { assignment: Some(assignment), reason: term("client-question") });
    let mut later = after_outage(&world, "2026-11-23T14:00:00Z");
    let resume = Change::Resume { assignment: Some(1) };
    let _ = sent(&mut later, "a", "x", "2026-11-23T13:00:00Z", resume);
    ended(&mut later);
    assert_eq!(later.ledger("x", "finish"), ["23 10:00 to 23 11:00 client-question 0 pause_capped"]);
    assert!(later.told("x").iter().any(|line| line.ends_with("finish is breached")), "{:?}", later.told("x"));
}

#[test]
fn words_that_claim_back_and_forth_count_no_work_twice() {
    let mut world = after_outage(&under_way(), "2026-11-23T13:00:00Z");
    for (number, sent_at) in ["12:00", "10:35", "12:30", "10:40"].iter().enumerate() {
        let update = Update {
            id: RequestId::new(&format!("p{number}")).expect("an id"),
            task: task_id("x"),
            sender: Sender::Team(team_id("a")),
            at: Some(at(&format!("2026-11-23T{sent_at}:00Z"))),
            order: None,
            change: Change::Progress { assignment: 1, remaining_minutes: 5, note: None },
        };
        assert_eq!(world.step(received(update)).answer, Some(Answer::Applied));
    }
    ended(&mut world);
    world.complete("x");
    let part = world.ended.last().and_then(|task| task.holders.last()).expect("a part");
    assert_eq!(part.worked_seconds, 180 * 60, "from 10:00 to 13:00");
}

#[test]
fn a_deadline_that_is_amended_in_an_outage_was_passed_before_that_all_the_same() {
    let mut world = World::new(MORNING, roster(vec![always("a")]));
    let _ = world.send(WorkRequest { deadline: Some(at("2026-11-23T10:20:00Z")), ..request("x") });
    world.accept("x");
    let mut later = after_outage(&world, "2026-11-23T11:00:00Z");
    let amended =
        heliograph::engine::update::Amendment { deadline: Some(at("2026-11-23T18:00:00Z")), ..Default::default() };
    let _ = sent_by_firm(&mut later, "x", "2026-11-23T10:30:00Z", Change::Amend(Box::new(amended)));
    ended(&mut later);
    assert!(later.told("x").iter().any(|line| line.ends_with("deadline is breached")), "{:?}", later.told("x"));
}
