//! Hand-offs: keep or pass at a shift end, the plan, the offer, and one owner at every instant.

use std::sync::Arc;

use heliograph::engine::effect::{Effect, WorkMessage};
use heliograph::engine::event::Event;
use heliograph::engine::handoff::KeepReason;
use heliograph::engine::request::WorkRequest;
use heliograph::engine::roster::{Acceptance, Capacity, HandoffRule, Roster, Team, Wall};
use heliograph::engine::scheduler::{Limits, Restored, Scheduler};
use heliograph::engine::task::{Active, ClosedBecause, Holder, TaskState};
use heliograph::engine::update::{Change, DeclineReason, Sender};

use crate::world::*;

/// Monday in London; its shift ends at 17:00.
const MONDAY: &str = "2026-11-23T10:00:00Z";

/// A brief of so many minutes that London is asked first and accepts at 10:00.
fn brief_in_london(teams: Vec<Team>, minutes: u32, deadline: Option<&str>) -> World {
    with_roster(roster(teams), minutes, deadline)
}

fn with_roster(roster: Roster, minutes: u32, deadline: Option<&str>) -> World {
    let mut world = World::new(MONDAY, roster);
    let preferred_team = Some(team_id("london"));
    let deadline = deadline.map(at);
    let _ = world.send(WorkRequest { effort_minutes: Some(minutes), preferred_team, deadline, ..request("a") });
    world.accept("a");
    world
}

fn active(world: &World) -> &Active {
    match &world.task("a").state {
        TaskState::Active(active) => active,
        state => panic!("{}", state.as_str()),
    }
}

fn kept_for(world: &World) -> Vec<KeepReason> {
    let reasons = world.log.iter().filter_map(|it| match &it.effect {
        Effect::Keep { reason, .. } => Some(*reason),
        _ => None,
    });
    reasons.collect()
}

/// The planned target and when it is offered.
fn plan(world: &World) -> Option<(String, String)> {
    let passing = active(world).handoff.passing.as_ref()?;
    Some((passing.to.to_string(), passing.offer_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)))
}

fn next_team(world: &mut World, id: &str, change: impl FnOnce(u32) -> Change) {
    let offer = world.task("a").handoff_offer().expect("an offer").clone();
    assert_eq!(offer.team, team_id(id));
    world.update(Sender::Team(offer.team), "a", change(offer.assignment)).expect("the next team may");
}

#[test]
fn a_brief_goes_round_the_world_from_shift_to_shift_with_one_owner_at_each_instant() {
    let deadline = Some("2026-11-24T06:00:00Z");
    let mut world = brief_in_london(vec![london(), new_york(), sydney()], 1_080, deadline);
    world.run_to("2026-11-23T16:29:59Z");
    assert_eq!(plan(&world), None, "nothing is decided before the notice");
    world.run_to("2026-11-23T16:30:00Z");
    assert_eq!(plan(&world), Some(("new-york".into(), "2026-11-23T17:00:00Z".into())), "New York is open at the close");
    let asked = world.log.iter().rev().find(|it| matches!(it.effect, Effect::RequestHandoff { .. })).expect("asked");
    assert_eq!((asked.team.clone(), asked.addressed), (Some(team_id("london")), Some(WorkMessage::HandoffRequested)));
    world.run_to("2026-11-23T17:00:00Z");
    assert_eq!(world.place_of("a"), "active london");
    assert_eq!(active(&world).closed_because, Some(ClosedBecause::Planned));
    next_team(&mut world, "new-york", |assignment| Change::Accept { assignment });
    assert_eq!((world.place_of("a").as_str(), world.task("a").handoffs), ("active new-york", 1));
    let ended = world.log.iter().rev().find(|it| it.addressed == Some(WorkMessage::Ended)).expect("told");
    assert_eq!(ended.team, Some(team_id("london")));
    world.holder("a", |assignment| Change::Progress { assignment, remaining_minutes: 660, note: None });
    world.run_to("2026-11-23T22:00:00Z");
    next_team(&mut world, "sydney", |assignment| Change::Accept { assignment });
    assert_eq!(world.place_of("a"), "active sydney");
    let holders: Vec<_> = world.task("a").holders.iter().map(|it| it.team.as_str()).collect();
    assert_eq!(holders, ["london", "new-york"]);
    let stamps = world.task("a").holders.iter().all(|it| it.from < it.until);
    assert!(stamps && world.task("a").holders[0].until <= world.task("a").holders[1].from);
}

#[test]
fn what_is_done_before_the_close_is_not_passed_and_what_is_nearly_done_has_a_grace() {
    let mut world = brief_in_london(vec![london(), new_york()], 120, None);
    world.run_to("2026-11-23T16:59:59Z");
    assert_eq!((plan(&world), kept_for(&world)), (None, vec![]));
    world.holder("a", |assignment| Change::Progress { assignment, remaining_minutes: 15, note: None });
    world.run_to("2026-11-23T17:10:00Z");
    assert_eq!(active(&world).closed_because, Some(ClosedBecause::Grace));
    world.run_to("2026-11-23T17:15:00Z");
    assert_ne!(active(&world).closed_because, Some(ClosedBecause::Grace), "then it is decided again");
    world.complete("a");
}

#[test]
fn a_pass_needs_a_gain_when_keeping_is_in_time_and_none_when_only_passing_is() {
    // Twelve hours: London alone is done on Tuesday at 14:00, with Sydney in between by 06:00.
    let passes = |deadline| {
        let mut world = brief_in_london(vec![london(), sydney()], 720, deadline);
        world.run_to("2026-11-23T17:00:00Z");
        (plan(&world).map(|(to, _)| to), kept_for(&world))
    };
    assert_eq!(passes(None), (Some("sydney".into()), vec![]), "it gains more than two hours");
    assert_eq!(passes(Some("2026-11-24T12:00:00Z")).0, Some("sydney".into()), "it saves the deadline");
    let tokyo_late = Team { calendar: calendar("Europe/London", &WEEKDAYS, &["08:00-20:00"], &[]), ..sydney() };
    let mut roster = roster(vec![Team { id: team_id("late"), ..tokyo_late }, london()]);
    roster.routing.handoff_min_gain_minutes = 600;
    let mut world = with_roster(roster, 440, None);
    world.run_to("2026-11-23T17:00:00Z");
    assert_eq!((plan(&world), kept_for(&world)), (Some(("late".into(), "2026-11-23T17:00:00Z".into())), vec![]));
    let near = Team { id: team_id("near"), calendar: calendar("UTC", &WEEKDAYS, &["08:00-09:30"], &[]), ..sydney() };
    let mut world = brief_in_london(vec![london(), near], 450, None);
    world.run_to("2026-11-23T17:00:00Z");
    assert_eq!((plan(&world), kept_for(&world)), (None, vec![KeepReason::NotBetter]), "half an hour is not worth it");
    assert_eq!(active(&world).closed_because, Some(ClosedBecause::Kept));
}

#[test]
fn work_that_is_never_handed_off_stays_and_work_that_always_is_goes() {
    let of_rule = |rule| {
        let mut roster = roster(vec![london(), new_york()]);
        roster.work_types.values_mut().for_each(|kind| kind.handoff = rule);
        let mut world = with_roster(roster, 450, None);
        world.run_to("2026-11-23T17:00:00Z");
        world
    };
    let never = of_rule(HandoffRule::Never);
    assert_eq!((plan(&never), kept_for(&never)), (None, vec![KeepReason::Never]));
    assert!(plan(&of_rule(HandoffRule::Always)).is_some());
}

#[test]
fn a_holder_that_answers_early_passes_the_task_at_once_with_its_notes() {
    let mut world = brief_in_london(vec![london(), new_york()], 900, None);
    world.run_to("2026-11-23T16:40:00Z");
    world.holder("a", |assignment| Change::Handoff {
        assignment,
        notes: Some("two boxes left".into()),
        done: None,
        next_step: None,
        remaining_minutes: Some(450),
    });
    let (offered, brief) = world.last_offer("a");
    assert_eq!((offered.at, brief.remaining_minutes), (at("2026-11-23T16:40:00Z"), 450));
    assert_eq!(brief.packet.last().and_then(|it| it.notes.notes.as_deref()), Some("two boxes left"));
    next_team(&mut world, "new-york", |assignment| Change::Accept { assignment });
    assert_eq!(world.task("a").holders[0].notes.notes.as_deref(), Some("two boxes left"));
}

#[test]
fn what_a_holder_says_later_adds_to_what_it_said_and_reaches_a_team_that_was_asked_already() {
    let says = |notes: Option<&str>, next_step: Option<&str>| {
        let (notes, next_step) = (notes.map(Into::into), next_step.map(Into::into));
        move |assignment| Change::Handoff { assignment, notes, done: None, next_step, remaining_minutes: None }
    };
    let mut world = brief_in_london(vec![london(), new_york()], 900, None);
    world.run_to("2026-11-23T16:40:00Z");
    world.holder("a", says(Some("two boxes left"), None));
    assert_eq!(world.task("a").handoff_offer().expect("an offer").team, team_id("new-york"));
    world.holder("a", says(None, Some("call the clerk")));
    let told = world.log.last().expect("told");
    assert_eq!((told.team.clone(), told.addressed), (Some(team_id("new-york")), Some(WorkMessage::Changed)));
    let notes = &told.effect.packet().expect("a packet").last().expect("London").notes;
    assert_eq!((notes.notes.as_deref(), notes.next_step.as_deref()), (Some("two boxes left"), Some("call the clerk")));
    next_team(&mut world, "new-york", |assignment| Change::Accept { assignment });
    assert_eq!(world.task("a").holders[0].notes.next_step.as_deref(), Some("call the clerk"));
}

#[test]
fn a_plan_is_told_once_before_its_offer_and_never_taken_back_for_it() {
    let mut world = brief_in_london(vec![london(), new_york(), sydney()], 900, None);
    world.run_to("2026-11-23T17:00:00Z");
    assert!(world.task("a").handoff_offer().is_some());
    assert_eq!(world.story("a")[3..], ["plan_handoff", "request_handoff", "offer"]);
}

#[test]
fn a_holder_that_has_less_time_than_it_was_told_is_asked_anew() {
    let asked = |world: &World| -> Vec<String> {
        let by = world.log.iter().filter_map(|it| match &it.effect {
            Effect::RequestHandoff { answer_by, .. } => Some(answer_by.format("%H:%M").to_string()),
            _ => None,
        });
        by.collect()
    };
    let mut world = brief_in_london(vec![london(), sydney()], 900, Some("2026-11-24T06:00:00Z"));
    world.run_to("2026-11-23T16:30:00Z");
    assert_eq!(asked(&world), ["22:00"], "Sydney opens then");
    let early = calendar("Australia/Sydney", &WEEKDAYS, &["07:00-17:00"], &[]);
    let sooner = roster(vec![london(), Team { calendar: early, ..sydney() }]);
    let _ = world.step(Event::RosterChanged(Arc::new(sooner)));
    assert_eq!(asked(&world), ["22:00", "20:00"]);
    assert_eq!(world.story("a").iter().filter(|it| **it == "drop_handoff").count(), 0, "it is the same target");
}

#[test]
fn a_holder_that_asks_to_keep_keeps_and_is_not_asked_again_in_this_shift() {
    let mut world = brief_in_london(vec![london(), new_york()], 900, None);
    world.run_to("2026-11-23T16:40:00Z");
    assert!(plan(&world).is_some());
    world.holder("a", |assignment| Change::Keep { assignment, reason: "the witness calls tonight".into() });
    world.run_to("2026-11-23T21:00:00Z");
    assert_eq!((plan(&world), world.place_of("a")), (None, "active london".into()));
    assert_eq!((kept_for(&world), active(&world).closed_because), (vec![KeepReason::Asked], Some(ClosedBecause::Kept)));
}

#[test]
fn a_team_that_declines_or_does_not_answer_leaves_it_to_another_or_to_the_holder() {
    let chicago = team("chicago", "US-IL", "America/Chicago", &["09:00-17:00"]);
    let mut world = brief_in_london(vec![chicago, london(), new_york()], 900, None);
    world.run_to("2026-11-23T17:00:00Z");
    let first = world.task("a").handoff_offer().expect("an offer").team.clone();
    next_team(&mut world, first.as_str(), |assignment| Change::Decline {
        assignment,
        reason: DeclineReason::Busy,
        note: None,
    });
    let second = world.task("a").handoff_offer().expect("another offer").clone();
    assert_ne!(second.team, first);
    world.run(second.until);
    let refused = world.log.iter().filter(|it| matches!(it.effect, Effect::DeclineHandoff { .. })).count();
    assert_eq!((refused, world.place_of("a")), (2, "active london".into()));
    world.run_to("2026-11-24T09:00:00Z");
    assert_eq!((plan(&world), active(&world).closed_because), (None, None), "its next shift has begun");
}

#[test]
fn a_planned_task_has_a_seat_at_its_target_before_those_that_wait() {
    let one = Team { capacity: Capacity::Seats(1), ..sydney() };
    let mut world = brief_in_london(vec![london(), one], 900, Some("2026-11-24T09:00:00Z"));
    world.run_to("2026-11-23T18:00:00Z");
    assert_eq!(plan(&world).map(|(to, _)| to), Some("sydney".into()));
    let _ = world.send(WorkRequest { allowed_countries: vec![place("AU")], ..request("waits") });
    world.run_to("2026-11-23T22:00:00Z");
    assert!(world.task("a").handoff_offer().is_some());
    assert!(world.place_of("waits").starts_with("waiting"));
}

#[test]
fn a_pause_a_hold_and_the_end_take_the_plan_back() {
    let planned = || {
        let mut world = brief_in_london(vec![london(), new_york()], 900, None);
        world.run_to("2026-11-23T17:00:00Z");
        assert!(world.task("a").handoff_offer().is_some());
        world
    };
    let mut world = planned();
    world.firm("a", Change::Pause { assignment: None, reason: term("client-question") });
    assert_eq!((plan(&world), active(&world).closed_because), (None, Some(ClosedBecause::Paused)));
    world.firm("a", Change::Resume { assignment: None });
    assert!(world.task("a").handoff_offer().is_some(), "its holder is closed, so it is decided at once");
    world.firm("a", Change::Hold);
    assert_eq!((plan(&world), kept_for(&world)), (None, vec![KeepReason::Held]));
    let withdrawn = |world: &World| world.story("a").iter().filter(|it| **it == "withdraw").count();
    assert_eq!(withdrawn(&world), 2);
    let mut world = planned();
    world.complete("a");
    assert_eq!(world.story_of_ended().last(), Some(&"complete"));
    let mut world = planned();
    world.firm("a", Change::Cancel { reason: "settled".into() });
    assert_eq!(world.story_of_ended().iter().filter(|it| **it == "withdraw").count(), 1);
}

#[test]
fn a_completion_that_was_on_its_way_counts_for_a_quarter_of_an_hour() {
    let passed = || {
        let mut world = brief_in_london(vec![london(), new_york()], 900, None);
        world.run_to("2026-11-23T17:00:00Z");
        next_team(&mut world, "new-york", |assignment| Change::Accept { assignment });
        world
    };
    let late = |world: &mut World| {
        world.update(Sender::Team(team_id("london")), "a", Change::Complete { assignment: 1, note: None })
    };
    let mut world = passed();
    world.run_to("2026-11-23T17:15:00Z");
    late(&mut world).expect("it counts");
    let ended = world.ended.last().expect("it ended");
    assert!(matches!(&ended.state, TaskState::Completed { team, .. } if *team == team_id("london")));
    assert_eq!(
        world.log.last().map(|it| (it.team.clone(), it.addressed)),
        Some((Some(team_id("new-york")), Some(WorkMessage::Ended)))
    );
    let mut world = passed();
    world.run_to("2026-11-23T17:15:01Z");
    late(&mut world).expect("it is attached");
    assert_eq!(world.place_of("a"), "active new-york", "too late");
    let mut world = passed();
    world.holder("a", |assignment| Change::Progress { assignment, remaining_minutes: 400, note: None });
    late(&mut world).expect("it is attached");
    assert_eq!(world.place_of("a"), "active new-york", "the next holder works on it already");
}

#[test]
fn a_completion_that_counts_no_more_stands_in_the_packet_and_both_teams_hear_of_it() {
    let mut world = brief_in_london(vec![london(), new_york()], 900, None);
    world.run_to("2026-11-23T17:00:00Z");
    next_team(&mut world, "new-york", |assignment| Change::Accept { assignment });
    world.run_to("2026-11-23T18:00:00Z");
    let before = world.log.len();
    let complete = Change::Complete { assignment: 1, note: Some("filed at five".into()) };
    world.update(Sender::Team(team_id("london")), "a", complete).expect("it is attached");
    let told: Vec<_> =
        world.log[before..].iter().map(|it| (name_of(&it.effect), it.team.clone(), it.addressed)).collect();
    let wanted = [
        ("attach_completion", Some(team_id("london")), Some(WorkMessage::UpdateResult)),
        ("tell_next", Some(team_id("new-york")), Some(WorkMessage::Changed)),
    ];
    assert_eq!(told, wanted);
    let part = &world.task("a").holders[0];
    assert_eq!((part.completed_late_at, part.notes.done.as_deref()), (Some(world.now), Some("filed at five")));
    let Effect::TellNext { packet, assignment: 2, .. } = &world.log[before + 1].effect else { panic!("{told:?}") };
    // What a part cost is never told to another team.
    assert_eq!(packet[0], Holder { cost_cents: 0, ..part.clone() });
    let stranger = Change::Complete { assignment: 9, note: None };
    assert!(world.update(Sender::Team(team_id("london")), "a", stranger).is_err(), "it never had that number");
}

#[test]
fn a_task_that_only_gains_by_it_is_passed_on_only_so_often() {
    let relay = || {
        let mut roster = roster(vec![
            Team { acceptance: Acceptance::Implicit, ..london() },
            Team { acceptance: Acceptance::Implicit, ..new_york() },
            Team { acceptance: Acceptance::Implicit, ..sydney() },
        ]);
        roster.routing.max_handoffs = 2;
        roster.work_types.values_mut().for_each(|kind| kind.handoff = HandoffRule::Always);
        let mut world = World::new(MONDAY, roster);
        let preferred_team = Some(team_id("london"));
        let _ = world.send(WorkRequest { effort_minutes: Some(6_000), preferred_team, ..request("a") });
        world.run_to("2026-11-26T12:00:00Z");
        (world.task("a").handoffs, kept_for(&world).contains(&KeepReason::LimitReached), world)
    };
    let (handoffs, limited, world) = relay();
    assert_eq!((handoffs, limited), (2, true));
    assert_eq!(world.story("a").iter().filter(|it| **it == "reach_handoff_limit").count(), 1, "told once");
}

#[test]
fn a_team_that_retires_or_loses_its_vetting_hands_off_whatever_the_rule() {
    let mut roster = roster(vec![london(), new_york()]);
    roster.work_types.values_mut().for_each(|kind| kind.handoff = HandoffRule::Never);
    roster.teams[0].vetted_until = Some(at("2026-11-23T15:00:00Z"));
    let mut world = World::new(MONDAY, roster);
    // More than can be done before that by far.
    let preferred_team = Some(team_id("london"));
    let _ = world.send(WorkRequest { effort_minutes: Some(240), preferred_team, ..request("a") });
    world.accept("a");
    world.holder("a", |assignment| Change::Progress { assignment, remaining_minutes: 600, note: None });
    world.run_to("2026-11-23T14:30:00Z");
    assert!(world.task("a").handoff_offer().is_some_and(|offer| offer.team == team_id("new-york")));
}

#[test]
fn a_team_that_is_walled_meanwhile_is_no_target() {
    let mut world = brief_in_london(vec![london(), new_york()], 900, None);
    world.run_to("2026-11-23T17:00:00Z");
    next_team(&mut world, "new-york", |assignment| Change::Decline {
        assignment,
        reason: DeclineReason::Conflict,
        note: None,
    });
    assert_eq!((plan(&world), active(&world).closed_because), (None, Some(ClosedBecause::NoTaker)));
}

#[test]
fn a_restart_between_the_notice_and_the_close_changes_nothing() {
    let mut world = brief_in_london(vec![london(), sydney()], 900, Some("2026-11-24T09:00:00Z"));
    let (roster, now) = (Arc::clone(world.scheduler.roster()), at("2026-11-23T16:45:00Z"));
    world.run(now);
    assert!(plan(&world).is_some());
    let restored = Restored { open: vec![world.task("a").clone()], next_arrival: 9, ..Restored::default() };
    let mut later = World::around(Scheduler::restore(roster, Limits::default(), restored, now), now);
    assert_eq!(later.step(Event::DeadlineReached).recorded, []);
    assert_eq!(later.task("a"), world.task("a"));
    for world in [&mut world, &mut later] {
        world.run_to("2026-11-23T22:00:00Z");
        next_team(world, "sydney", |assignment| Change::Accept { assignment });
    }
    assert_eq!(later.task("a"), world.task("a"));
}

#[test]
fn a_plan_of_a_shift_that_ended_while_nobody_ran_is_no_plan_in_the_next_one() {
    let mut world = brief_in_london(vec![london(), sydney()], 900, Some("2026-11-25T09:00:00Z"));
    world.run_to("2026-11-23T16:45:00Z");
    let (roster, morning) = (Arc::clone(world.scheduler.roster()), at("2026-11-24T10:00:00Z"));
    let restored = Restored { open: vec![world.task("a").clone()], next_arrival: 9, ..Restored::default() };
    let mut later = World::around(Scheduler::restore(roster, Limits::default(), restored, morning), morning);
    let _ = later.step(Event::DeadlineReached);
    assert_eq!((plan(&later), later.place_of("a")), (None, "active london".into()));
}

#[test]
fn a_holder_that_another_roster_walls_and_closes_is_told_nothing_more_than_the_end() {
    let mut world = brief_in_london(vec![london(), new_york()], 900, None);
    world.run_to("2026-11-23T15:00:00Z");
    let early = calendar("Europe/London", &WEEKDAYS, &["09:00-14:00"], &[]);
    let mut other = roster(vec![Team { calendar: early, ..london() }, new_york()]);
    other.walls = vec![Wall { team: team_id("london"), client: client_id("acme"), matter: None, reason: "r".into() }];
    let told = world.step(Event::RosterChanged(Arc::new(other))).recorded;
    let to_london: Vec<_> =
        told.iter().filter(|it| it.team == Some(team_id("london"))).filter_map(|it| it.addressed).collect();
    assert_eq!(to_london, [WorkMessage::Ended]);
    assert_eq!(world.place_of("a"), "offered new-york");
}

#[test]
fn plans_for_more_tasks_than_a_target_has_seats_do_not_keep_each_other_out() {
    let one = Team { capacity: Capacity::Seats(1), ..sydney() };
    let mut world = brief_in_london(vec![london(), one], 900, Some("2026-11-25T09:00:00Z"));
    let _ = world.send(WorkRequest {
        effort_minutes: Some(840),
        preferred_team: Some(team_id("london")),
        deadline: Some(at("2026-11-25T09:00:00Z")),
        ..request("b")
    });
    world.accept("b");
    world.run_to("2026-11-23T22:00:00Z");
    let offered = ["a", "b"].into_iter().filter(|id| world.task(id).handoff_offer().is_some()).count();
    assert_eq!(offered, 1, "one of them has the seat");
}

#[test]
fn a_declined_hand_off_is_tried_again_when_the_turn_down_ends() {
    let mut world = brief_in_london(vec![london(), always("zurich")], 900, None);
    world.run_to("2026-11-23T17:00:00Z");
    next_team(&mut world, "zurich", |assignment| Change::Decline {
        assignment,
        reason: DeclineReason::Busy,
        note: None,
    });
    assert_eq!((plan(&world), active(&world).closed_because), (None, Some(ClosedBecause::NoTaker)));
    world.run_to("2026-11-23T17:30:00Z");
    assert!(world.task("a").handoff_offer().is_some_and(|offer| offer.team == team_id("zurich")));
}

#[test]
fn a_plan_is_looked_at_again_when_its_holder_reports_how_much_is_left() {
    let progress = |left| move |assignment| Change::Progress { assignment, remaining_minutes: left, note: None };
    let planned = || {
        let mut world = brief_in_london(vec![london(), new_york()], 900, None);
        world.run_to("2026-11-23T16:40:00Z");
        assert!(plan(&world).is_some());
        world
    };
    let mut world = planned();
    world.holder("a", progress(15));
    assert_eq!(plan(&world), None, "it is within the grace");
    world.run_to("2026-11-23T17:05:00Z");
    assert_eq!(active(&world).closed_because, Some(ClosedBecause::Grace));
    let mut world = planned();
    world.holder("a", progress(18));
    assert_eq!(plan(&world), None, "it is done before the close");
    let mut world = planned();
    world.holder("a", progress(400));
    assert!(plan(&world).is_some());
}

#[test]
fn work_in_contact_with_the_client_is_passed_only_to_a_team_whose_shift_meets_the_clients_hours() {
    let retired = || Team { retired: true, ..london() };
    let passed_to = |other: fn() -> Team| {
        let mut world = World::new(MONDAY, roster(vec![london(), other()]));
        let call = WorkRequest { effort_minutes: Some(60), ..request_of("call", "a") };
        let _ = world.send(WorkRequest { preferred_team: Some(team_id("london")), ..call });
        world.accept("a");
        let _ = world.step(Event::RosterChanged(Arc::new(roster(vec![retired(), other()]))));
        world.run_to("2026-11-23T16:45:00Z");
        world.holder("a", |assignment| Change::Progress { assignment, remaining_minutes: 45, note: None });
        world.run_to("2026-11-23T17:00:00Z");
        (plan(&world).map(|(to, _)| to), kept_for(&world))
    };
    assert_eq!(passed_to(|| always("zurich")).0, Some("zurich".into()), "it has all of Tuesday");
    assert_eq!(passed_to(sydney), (None, vec![KeepReason::NoTaker]), "Sydney is open while London sleeps");
}

#[test]
fn a_busy_team_is_asked_again_as_soon_as_it_has_a_seat_free() {
    let mut world = brief_in_london(vec![london(), always("zurich")], 900, None);
    let _ = world.send(WorkRequest { excluded_teams: vec![team_id("london")], ..request("b") });
    world.accept("b");
    world.run_to("2026-11-23T17:00:00Z");
    next_team(&mut world, "zurich", |assignment| Change::Decline {
        assignment,
        reason: DeclineReason::Busy,
        note: None,
    });
    world.run_to("2026-11-23T17:10:00Z");
    assert_eq!(plan(&world), None);
    world.complete("b");
    assert!(world.task("a").handoff_offer().is_some_and(|offer| offer.team == team_id("zurich")));
}

#[test]
fn what_was_decided_for_one_shift_end_does_not_stand_when_the_next_is_near_before_anybody_looked() {
    let mut world = brief_in_london(vec![london(), new_york()], 1_800, None);
    world.run_to("2026-11-23T16:40:00Z");
    world.holder("a", |assignment| Change::Keep { assignment, reason: "the witness calls tonight".into() });
    let restored = Restored { open: vec![world.task("a").clone()], next_arrival: 9, ..Restored::default() };
    let now = at("2026-11-24T16:45:00Z");
    let roster = Arc::clone(world.scheduler.roster());
    let mut later = World::around(Scheduler::restore(roster, Limits::default(), restored, now), now);
    let _ = later.step(Event::DeadlineReached);
    assert_eq!(plan(&later).map(|(to, _)| to), Some("new-york".into()), "Tuesday's shift end is decided for itself");
}

#[test]
fn an_offer_to_a_next_team_that_another_roster_closes_is_taken_back_and_is_no_turn_down() {
    let mut world = brief_in_london(vec![london(), new_york()], 900, None);
    world.run_to("2026-11-23T17:00:00Z");
    assert!(world.task("a").handoff_offer().is_some());
    let at_night = calendar("America/New_York", &WEEKDAYS, &["20:00-23:00"], &[]);
    let other = roster(vec![london(), Team { calendar: at_night, ..new_york() }]);
    let _ = world.step(Event::RosterChanged(Arc::new(other)));
    assert_eq!(world.task("a").handoff_offer(), None);
    assert_eq!(world.task("a").turn_downs, []);
    let shorter = calendar("America/New_York", &WEEKDAYS, &["09:00-12:20"], &[]);
    let mut world = brief_in_london(vec![london(), new_york()], 900, None);
    world.run_to("2026-11-23T17:00:00Z");
    let other = roster(vec![london(), Team { calendar: shorter, ..new_york() }]);
    let _ = world.step(Event::RosterChanged(Arc::new(other)));
    let offer = world.task("a").handoff_offer().expect("it stands");
    assert_eq!((offer.until, offer.until_shift_end), (at("2026-11-23T17:20:00Z"), true));
}

#[test]
fn a_team_that_was_walled_meanwhile_cannot_complete_late() {
    let mut world =
        brief_in_london(vec![london(), Team { acceptance: Acceptance::Implicit, ..always("zurich") }], 60, None);
    let mut other = roster(vec![london(), Team { acceptance: Acceptance::Implicit, ..always("zurich") }]);
    other.walls = vec![Wall { team: team_id("london"), client: client_id("acme"), matter: None, reason: "r".into() }];
    let _ = world.step(Event::RosterChanged(Arc::new(other)));
    assert_eq!(world.place_of("a"), "active zurich");
    let late = world.update(Sender::Team(team_id("london")), "a", Change::Complete { assignment: 1, note: None });
    assert!(late.is_err());
}
