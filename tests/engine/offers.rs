//! Offers: numbers, limits, answers, turn-downs.

use heliograph::engine::effect::{Effect, WithdrawReason, WorkMessage};
use heliograph::engine::event::Event;
use heliograph::engine::request::{Priority, WorkRequest};
use heliograph::engine::roster::{Acceptance, Capacity, PayloadOn, Roster, Team};
use heliograph::engine::task::{MAX_NOTES_BYTES, MAX_PACKET_HOLDERS, TaskState, WaitReason};
use heliograph::engine::update::{Change, DeclineReason};

use crate::clocks::restarted;
use crate::world::*;

const MONDAY: &str = "2026-11-23T10:00:00Z";

fn world(teams: Vec<Team>) -> World {
    World::new(MONDAY, roster(teams))
}

#[test]
fn an_offer_stands_as_long_as_its_priority_says() {
    let mut world = world(vec![london()]);
    let limits = [(Priority::Urgent, 5), (Priority::High, 15), (Priority::Normal, 30), (Priority::Low, 60)];
    for (priority, limit) in limits {
        let id = priority.as_str();
        let _ = world.send(WorkRequest { priority: Some(priority), ..request(id) });
        assert_eq!(world.offer_until(id), at(MONDAY) + minutes(limit));
    }
}

#[test]
fn the_limit_of_an_offer_stands_still_over_a_break() {
    let calendar = calendar("Europe/London", &WEEKDAYS, &["09:00-17:00"], &["12:00-13:00"]);
    let mut world = World::new("2026-11-23T11:50:00Z", roster(vec![Team { calendar, ..london() }]));
    let _ = world.send(request("a"));
    assert_eq!(world.offer_until("a"), at("2026-11-23T13:20:00Z"));
    world.run_to("2026-11-23T12:30:00Z");
    world.accept("a");
    world.run_to("2026-11-23T13:30:00Z");
    assert_eq!(world.place_of("a"), "active london");
}

#[test]
fn an_offer_that_meets_the_shift_end_is_withdrawn_and_is_no_turn_down() {
    let mut world = World::new("2026-11-23T16:40:00Z", roster(vec![london()]));
    let _ = world.send(request("a"));
    world.run_to("2026-11-23T17:00:00Z");
    let withdrawn = Effect::Withdraw { assignment: 1, reason: WithdrawReason::ShiftEnd };
    assert!(world.log.iter().any(|it| it.effect == withdrawn && it.addressed == Some(WorkMessage::Withdrawn)));
    assert!(world.task("a").turn_downs.is_empty());
    assert_eq!(world.wait_of("a"), (WaitReason::NoTeamOpen, Some(at("2026-11-24T09:00:00Z"))));
    world.run_to("2026-11-24T09:00:00Z");
    assert_eq!(world.last_offer("a").1.assignment, 2);
}

#[test]
fn an_unanswered_offer_lapses_and_goes_to_another_team() {
    let mut world = world(vec![london(), Team { cost_per_hour_cents: 9_000, ..always("zurich") }]);
    let _ = world.send(WorkRequest { preferred_team: Some(team_id("london")), ..request("a") });
    world.run_to("2026-11-23T10:30:00Z");
    assert_eq!(world.place_of("a"), "offered zurich");
    let lapse = world.log.iter().find(|it| matches!(it.effect, Effect::Lapse { .. })).expect("a lapse");
    assert_eq!(lapse.effect, Effect::Lapse { assignment: 1, due_at: at("2026-11-23T10:30:00Z") });
    assert_eq!((lapse.at, lapse.addressed), (at("2026-11-23T10:30:00Z"), Some(WorkMessage::Withdrawn)));
}

#[test]
fn a_lapsed_offer_at_a_change_of_shift_goes_to_the_team_that_opens_then() {
    let next = team("next", "GB", "Europe/London", &["10:30-18:30"]);
    let zurich = Team { cost_per_hour_cents: 50_000, capacity: Capacity::Seats(100), ..always("zurich") };
    let cheap = Team { cost_per_hour_cents: 1_000, ..next };
    let mut world = world(vec![london(), cheap, zurich]);
    let _ = world.send(WorkRequest { preferred_team: Some(team_id("london")), ..request("a") });
    world.run_to("2026-11-23T10:30:00Z");
    assert_eq!(world.place_of("a"), "offered next");
}

#[test]
fn a_turn_down_lasts_half_an_hour_and_doubles_each_time_up_to_eight_hours() {
    let mut world = world(vec![always("zurich")]);
    let _ = world.send(request("a"));
    for wanted in [30, 60, 120, 240, 480, 480] {
        world.decline("a", DeclineReason::Busy);
        let until = world.now + minutes(wanted);
        assert_eq!(world.wait_of("a"), (WaitReason::TurnedDown, Some(until)));
        world.run(until - minutes(1));
        assert_eq!(world.place_of("a"), "waiting turned_down");
        world.run(until);
        assert_eq!(world.place_of("a"), "offered zurich");
    }
}

#[test]
fn a_seat_that_frees_at_the_closing_instant_is_not_given_away_in_it() {
    let lunch = calendar("Europe/London", &WEEKDAYS, &["09:00-17:00"], &["12:00-13:00"]);
    let one_seat = Team { calendar: lunch, capacity: Capacity::Seats(1), ..london() };
    let mut world = world(vec![one_seat]);
    let _ = (world.send(request("first")), world.send(request("next")));
    world.accept("first");
    world.run_to("2026-11-23T11:59:00Z");
    world.now = at("2026-11-23T12:00:00Z");
    world.complete("first");
    let _ = world.send(request("new"));
    let after_lunch = at("2026-11-23T13:00:00Z");
    assert_eq!(world.wait_of("new"), (WaitReason::NoTeamOpen, Some(after_lunch)));
    assert_eq!(world.place_of("next"), "waiting no_seat_free");
    world.run(after_lunch);
    assert_eq!(world.place_of("next"), "offered london");
}

#[test]
fn a_lapse_that_is_noticed_in_a_break_is_asked_again_after_it() {
    let lunch = calendar("Europe/London", &WEEKDAYS, &["09:00-17:00"], &["11:00-12:00"]);
    let roster = roster(vec![Team { calendar: lunch, ..london() }]);
    let mut world = World::new("2026-11-23T09:00:00Z", roster.clone());
    let _ = world.send(WorkRequest { priority: Some(Priority::Urgent), ..request("a") });
    world.run_to("2026-11-23T10:44:00Z");
    // The third offer: it lapses at 10:45, and the next cooldown is two hours.
    assert_eq!(world.offer_until("a"), at("2026-11-23T10:45:00Z"));
    let late = "2026-11-23T11:10:00Z";
    let after_a_restart = restarted(&world, None, roster, late);
    world.now = at(late);
    let _ = world.step(Event::DeadlineReached);
    for world in [world, after_a_restart] {
        assert_eq!(world.task("a").turn_downs[0].until, Some(at("2026-11-23T12:00:00Z")));
    }
}

#[test]
fn a_busy_decline_is_not_offered_again_for_the_seat_that_it_gave_back() {
    let mut world = world(vec![Team { capacity: Capacity::Seats(2), ..london() }]);
    for id in ["a", "b"] {
        let _ = world.send(request(id));
    }
    world.accept("a");
    world.decline("b", DeclineReason::Busy);
    assert_eq!(world.place_of("b"), "waiting turned_down");
    world.holder("a", |assignment| Change::Progress { assignment, remaining_minutes: 5, note: None });
    assert_eq!(world.place_of("b"), "waiting turned_down", "progress frees no seat");
    world.complete("a");
    assert_eq!(world.place_of("b"), "offered london", "a freed seat ends it");
}

#[test]
fn a_freed_seat_does_not_end_a_lapse() {
    let mut world = world(vec![Team { capacity: Capacity::Seats(2), ..london() }]);
    for id in ["a", "b"] {
        let _ = world.send(request(id));
    }
    world.accept("a");
    world.run_to("2026-11-23T10:31:00Z");
    world.complete("a");
    assert_eq!(world.wait_of("b"), (WaitReason::TurnedDown, Some(at("2026-11-23T11:00:00Z"))));
}

#[test]
fn a_turn_down_ends_at_the_next_opening_when_that_comes_first() {
    let night = team("night", "GB", "Europe/London", &["09:00-17:00", "19:00-23:00"]);
    let mut world = World::new("2026-11-23T16:00:00Z", roster(vec![night]));
    let _ = world.send(request("a"));
    // 30 and 60 minutes first; the third would last to 19:30.
    world.decline("a", DeclineReason::Busy);
    world.run_to("2026-11-23T16:30:00Z");
    world.decline("a", DeclineReason::Busy);
    world.run_to("2026-11-23T19:00:00Z");
    assert_eq!(world.last_offer("a").0.at, at("2026-11-23T19:00:00Z"));
    world.decline("a", DeclineReason::Busy);
    assert_eq!(world.wait_of("a").1, Some(at("2026-11-23T21:00:00Z")));
}

#[test]
fn a_team_that_is_not_qualified_is_never_asked_again_for_the_task() {
    let mut world = world(vec![always("zurich")]);
    let _ = world.send(request("a"));
    world.decline("a", DeclineReason::NotQualified);
    assert_eq!(world.wait_of("a"), (WaitReason::NoTeamEligible, None));
    assert_eq!(world.story("a").last(), Some(&"report_unroutable"), "nobody is left, which is said loudly");
    world.run_to("2026-12-20T10:00:00Z");
    assert_eq!(world.place_of("a"), "waiting no_team_eligible");
    let _ = world.send(request("b"));
    assert_eq!(world.place_of("b"), "offered zurich", "other tasks of the matter are");
}

#[test]
fn a_conflict_is_a_wall_around_the_matter_at_once_and_for_good() {
    let mut world = world(vec![always("zurich")]);
    let other_matter = WorkRequest { matter: matter("M-2"), ..request("other") };
    for request in [request("owned"), request("offered"), request("a"), other_matter] {
        let _ = world.send(request);
    }
    let not_before = Some(at("2026-11-24T10:00:00Z"));
    let _ = world.send(WorkRequest { not_before, ..request("later") });
    world.accept("owned");
    world.decline("a", DeclineReason::Conflict);
    for id in ["owned", "offered", "a"] {
        assert_eq!(world.place_of(id), "waiting no_team_eligible", "{id}");
    }
    assert_eq!(world.place_of("other"), "offered zurich");
    assert!(world.story("a").contains(&"raise_escalation"));
    assert!(world.story("owned").contains(&"recall") && world.story("offered").contains(&"withdraw"));
    let _ = world.send(request("new"));
    assert_eq!(world.place_of("new"), "waiting no_team_eligible");
    world.run_to("2026-11-24T10:00:00Z");
    assert_eq!(world.place_of("later"), "waiting no_team_eligible");
    assert_eq!(world.scheduler.conflicts(), [(team_id("zurich"), client_id("acme"), matter("M-1"))]);
}

#[test]
fn a_conflict_tells_of_the_tasks_that_wait_and_lost_their_only_team() {
    let mut world = world(vec![Team { capacity: Capacity::Seats(1), ..always("zurich") }]);
    for id in ["a", "waits"] {
        let _ = world.send(request(id));
    }
    world.decline("a", DeclineReason::Conflict);
    assert_eq!(world.place_of("waits"), "waiting no_team_eligible");
    assert!(world.story("waits").contains(&"report_unroutable"));
}

#[test]
fn a_task_that_is_handed_on_carries_what_its_holders_said_and_left() {
    let mut world = world(vec![london(), always("zurich")]);
    let _ = world.send(WorkRequest { preferred_team: Some(team_id("london")), ..request("a") });
    world.accept("a");
    world.holder("a", |assignment| Change::Handoff {
        assignment,
        notes: Some("two boxes left".into()),
        done: None,
        next_step: None,
        remaining_minutes: Some(20),
    });
    assert_eq!(world.place_of("a"), "active london", "the old holder owns it until the next one accepts");
    let (offered, brief) = world.last_offer("a");
    assert_eq!((offered.team.as_ref(), brief.assignment), (Some(&team_id("zurich")), 2));
    assert_eq!((brief.remaining_minutes, brief.packet.len()), (20, 1));
    assert_eq!(brief.packet[0].notes.notes.as_deref(), Some("two boxes left"));
}

#[test]
fn an_undelivered_offer_is_withdrawn_and_another_team_gets_it() {
    let mut world = world(vec![london(), always("zurich")]);
    let _ = world.send(WorkRequest { preferred_team: Some(team_id("london")), ..request("a") });
    let undeliverable = |assignment| Event::OfferUndeliverable { task: task_id("a"), assignment };
    assert!(world.step(undeliverable(9)).recorded.is_empty(), "an old number means nothing");
    let _ = world.step(undeliverable(1));
    assert_eq!(world.place_of("a"), "offered zurich");
}

#[test]
fn a_team_with_implicit_acceptance_owns_what_it_is_offered() {
    let mut world = world(vec![Team { acceptance: Acceptance::Implicit, ..london() }]);
    let _ = world.send(request("a"));
    assert_eq!((world.place_of("a").as_str(), world.story("a").len()), ("active london", 3));
    assert!(world.last_offer("a").1.with_payload);
}

fn careful() -> Roster {
    let mut roster = roster(vec![london()]);
    roster.clients.values_mut().for_each(|client| client.payload_on = PayloadOn::Accept);
    roster
}

#[test]
fn the_payload_leaves_only_with_the_accept_when_the_client_says_so() {
    let accepted_with = |world: &World| {
        world.log.iter().find_map(|it| match &it.effect {
            Effect::Accept { with_payload, .. } => Some(*with_payload),
            _ => None,
        })
    };
    let mut world = World::new(MONDAY, careful());
    let _ = world.send(request("a"));
    assert!(!world.last_offer("a").1.with_payload);
    world.accept("a");
    assert_eq!(accepted_with(&world), Some(true));
    let mut world = World::new(MONDAY, roster(vec![london()]));
    let _ = world.send(request("a"));
    assert!(world.last_offer("a").1.with_payload);
    world.accept("a");
    assert_eq!(accepted_with(&world), Some(false));
}

#[test]
fn an_owner_keeps_its_task_over_the_break_and_the_night_with_a_stored_reason() {
    use heliograph::engine::task::ClosedBecause;
    let calendar = calendar("Europe/London", &WEEKDAYS, &["09:00-17:00"], &["12:00-13:00"]);
    let mut world = World::new(MONDAY, roster(vec![Team { calendar, ..london() }]));
    let _ = world.send(WorkRequest { effort_minutes: Some(600), ..request("a") });
    world.accept("a");
    let reason = |world: &World| match &world.task("a").state {
        TaskState::Active(active) => active.closed_because,
        state => panic!("{}", state.as_str()),
    };
    for (until, wanted) in [
        ("2026-11-23T11:00:00Z", None),
        ("2026-11-23T12:30:00Z", Some(ClosedBecause::Break)),
        ("2026-11-23T14:00:00Z", None),
        ("2026-11-23T20:00:00Z", Some(ClosedBecause::NoTaker)),
        ("2026-11-24T09:00:00Z", None),
    ] {
        world.run_to(until);
        assert_eq!(reason(&world), wanted, "at {until}");
    }
    assert_eq!(world.story("a").iter().filter(|it| **it == "keep").count(), 1, "a break is no news");
}

#[test]
fn a_second_conflict_leaves_the_matter_to_the_other_teams() {
    let mut world = world(vec![always("a"), always("b"), always("c")]);
    let _ = world.send(request("x"));
    for team in ["a", "b"] {
        assert_eq!(world.place_of("x"), format!("offered {team}"));
        world.decline("x", DeclineReason::Conflict);
    }
    assert_eq!(world.place_of("x"), "offered c");
}

#[test]
fn the_notes_of_a_task_have_a_limit_and_those_of_the_last_holders_stay() {
    let seats = |id| Team { acceptance: Acceptance::Implicit, ..always(id) };
    let mut roster = roster(vec![seats("oslo"), seats("zurich")]);
    roster.routing.max_handoffs = 100;
    roster.routing.decline_cooldown_minutes = 1;
    roster.routing.decline_cooldown_max_minutes = 1;
    let mut world = World::new("2026-11-23T10:00:00Z", roster);
    let _ = world.send(request("a"));
    for _ in 0..MAX_PACKET_HOLDERS + 8 {
        world.holder("a", |assignment| Change::Handoff {
            assignment,
            notes: Some("n".repeat(4_000)),
            done: None,
            next_step: None,
            remaining_minutes: None,
        });
        world.run(world.now + minutes(2));
    }
    let packet = &world.last_offer("a").1.packet;
    assert_eq!(packet.len(), MAX_PACKET_HOLDERS);
    let (kept, dropped): (Vec<_>, Vec<_>) = packet.iter().partition(|it| it.notes.notes.is_some());
    assert_eq!(kept.len(), MAX_NOTES_BYTES / 4_000 + 1, "and those of the holder of now");
    assert!(kept.iter().all(|it| !it.notes_dropped) && dropped.iter().all(|it| it.notes_dropped));
    assert!(packet.last().is_some_and(|it| it.notes.notes.is_some()), "the last holder is heard");
}
