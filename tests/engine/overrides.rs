//! Overrides: teams closed, opened, drained or sized for a time, by somebody, with a reason.

use chrono::{DateTime, TimeDelta, Utc};
use heliograph::engine::effect::{Effect, Effects, OverrideChange, WithdrawReason};
use heliograph::engine::event::{Event, OverrideWish, Refusal};
use heliograph::engine::forecast;
use heliograph::engine::overrides::{NewOverride, OverrideKind};
use heliograph::engine::request::{Priority, WorkRequest};
use heliograph::engine::roster::{Basis, Capacity, HandoffRule, Team};
use heliograph::engine::task::{ClosedBecause, TaskState, WaitReason};
use heliograph::engine::update::Change;

use crate::world::*;

const MONDAY: &str = "2026-11-23T10:00:00Z";

pub fn wish(team: &str, kind: OverrideKind, from: Option<&str>, until: &str) -> NewOverride {
    NewOverride {
        team: team_id(team),
        kind,
        from: from.map(at),
        until: at(until),
        author: "Ann".into(),
        reason: "a flood".into(),
    }
}

pub fn set(world: &mut World, new: NewOverride) -> (Result<u64, Refusal>, Effects) {
    let effects = world.step(Event::OverrideWished(OverrideWish::Set(Box::new(new))));
    (effects.overridden.clone().expect("an answer"), effects)
}

fn close(world: &mut World, team: &str, until: &str) -> Effects {
    let (answer, effects) = set(world, wish(team, OverrideKind::Close, None, until));
    answer.expect("set");
    effects
}

/// When a task is due for the team that has it.
fn due(world: &World, id: &str) -> Option<DateTime<Utc>> {
    let (task, roster) = (world.task(id), world.scheduler.roster());
    let team = task.state.team().and_then(|team| roster.team_index(team)).map(|team| roster.team(team));
    forecast::due_at(task, roster, team, None, world.now)
}

fn two() -> World {
    World::new(MONDAY, roster(vec![london(), always("zurich")]))
}

fn to_london(id: &str) -> WorkRequest {
    WorkRequest { preferred_team: Some(team_id("london")), ..request(id) }
}

#[test]
fn a_close_that_begins_now_withdraws_offers_and_hands_work_on_at_once() {
    let mut world = two();
    let _ = (world.send(to_london("offered")), world.send(to_london("owned")));
    world.accept("owned");
    let effects = close(&mut world, "london", "2026-11-24T09:00:00Z");
    assert!(
        effects
            .recorded
            .iter()
            .any(|it| matches!(it.effect, Effect::Withdraw { reason: WithdrawReason::ClosedByOverride, .. }))
    );
    assert_eq!(world.place_of("offered"), "offered zurich");
    assert!(effects.recorded.iter().any(|it| matches!(it.effect, Effect::PlanHandoff { .. })), "{effects:?}");
    assert!(world.task("offered").turn_downs.is_empty(), "it turned nothing down");
}

#[test]
fn a_team_that_is_closed_by_an_override_gets_no_grace_to_finish() {
    let mut world = two();
    let _ = world.send(WorkRequest { effort_minutes: Some(10), ..to_london("a") });
    world.accept("a");
    let _ = close(&mut world, "london", "2026-11-24T09:00:00Z");
    let task = world.task("a");
    let TaskState::Active(active) = &task.state else { panic!("{:?}", task.state) };
    assert_ne!(active.closed_because, Some(ClosedBecause::Grace));
    assert!(active.closed_because.is_some());
}

#[test]
fn an_override_ends_by_itself_and_says_so() {
    let mut world = two();
    let _ = close(&mut world, "london", "2026-11-23T13:00:00Z");
    assert!(!world.is_open("london"));
    world.run_to("2026-11-23T13:00:00Z");
    let ended = world.log.iter().find_map(|it| match &it.effect {
        Effect::ChangeOverride { change: OverrideChange::Expired, it, .. } => Some(it.ended_at),
        _ => None,
    });
    assert_eq!(ended, Some(Some(at("2026-11-23T13:00:00Z"))));
    assert!(world.is_open("london"));
    assert_eq!(world.scheduler.overrides().standing().count(), 0);
}

#[test]
fn a_removed_override_gives_the_team_back_its_hours_and_keeps_what_has_been() {
    let mut world = two();
    let _ = close(&mut world, "london", "2026-11-24T09:00:00Z");
    world.run_to("2026-11-23T12:00:00Z");
    let wish = OverrideWish::Remove { id: 1, author: "Bo".into(), reason: "dry again".into() };
    let effects = world.step(Event::OverrideWished(wish));
    assert_eq!(effects.overridden, Some(Ok(1)));
    assert!(world.is_open("london"));
    let roster = world.scheduler.roster();
    let calendar = &roster.team(roster.team_index(&team_id("london")).unwrap()).calendar;
    let open = calendar.elapsed(at("2026-11-23T09:30:00Z"), at("2026-11-23T12:30:00Z"), &[]).unwrap();
    assert_eq!(open, TimeDelta::hours(1), "half an hour before it, and half an hour after its end");
    let again =
        world.step(Event::OverrideWished(OverrideWish::Remove { id: 1, author: "Bo".into(), reason: "again".into() }));
    assert!(again.overridden.unwrap().is_err());
}

#[test]
fn nobody_ends_an_override_without_a_name_and_a_reason() {
    let mut world = two();
    let _ = close(&mut world, "london", "2026-11-24T09:00:00Z");
    for (author, reason, field) in [("", "dry", "author"), ("Bo", " ", "reason"), ("Bo", "a\nb", "reason")] {
        let wish = OverrideWish::Remove { id: 1, author: author.into(), reason: reason.into() };
        let refused = world.step(Event::OverrideWished(wish)).overridden.expect("an answer").expect_err("unsigned");
        assert_eq!(refused.field.as_deref(), Some(field));
        assert!(!world.is_open("london"));
    }
}

#[test]
fn an_open_override_lets_a_closed_team_take_work() {
    let mut world = World::new("2026-11-22T10:00:00Z", roster(vec![london()]));
    let _ = world.send(request("a"));
    assert_eq!(world.place_of("a"), "waiting no_team_open");
    set(&mut world, wish("london", OverrideKind::Open, None, "2026-11-22T16:00:00Z")).0.expect("set");
    assert_eq!(
        (world.place_of("a"), world.offer_until("a") <= at("2026-11-22T16:00:00Z")),
        ("offered london".into(), true)
    );
}

#[test]
fn a_drained_team_takes_nothing_new_and_hands_off_at_its_shift_end() {
    let mut world = two();
    let _ = world.send(WorkRequest { effort_minutes: Some(900), ..to_london("held") });
    world.accept("held");
    set(&mut world, wish("london", OverrideKind::Drain, None, "2026-11-25T09:00:00Z")).0.expect("set");
    let _ = world.send(to_london("new"));
    assert_eq!((world.place_of("held"), world.place_of("new")), ("active london".into(), "offered zurich".into()));
    world.run_to("2026-11-23T18:00:00Z");
    let rule = world.log.iter().find_map(|it| match &it.effect {
        Effect::PlanHandoff { comparison, .. } => Some(comparison.rule),
        _ => None,
    });
    assert_eq!(rule, Some(HandoffRule::Always));
}

#[test]
fn seats_are_set_for_a_time_and_come_back() {
    let mut world = World::new(MONDAY, roster(vec![Team { capacity: Capacity::Seats(1), ..london() }]));
    let _ = (world.send(request("a")), world.send(request("b")));
    assert_eq!(world.place_of("b"), "waiting no_seat_free");
    let seats = OverrideKind::Seats { seats: 2 };
    set(&mut world, wish("london", seats, Some("2026-11-23T10:05:00Z"), "2026-11-23T10:30:00Z")).0.expect("set");
    assert_eq!(world.place_of("b"), "waiting no_seat_free", "it has not begun");
    world.run_to("2026-11-23T10:05:00Z");
    assert_eq!(world.place_of("b"), "offered london");
    world.accept("a");
    world.accept("b");
    world.run_to("2026-11-23T10:30:00Z");
    let _ = world.send(request("c"));
    assert_eq!((world.place_of("b"), world.place_of("c")), ("active london".into(), "waiting no_seat_free".into()));
}

#[test]
fn an_override_that_begins_at_an_instant_counts_for_what_comes_at_that_instant() {
    let mut world = World::new(MONDAY, roster(vec![london()]));
    let close = wish("london", OverrideKind::Close, Some("2026-11-23T11:00:00Z"), "2026-11-23T16:00:00Z");
    set(&mut world, close).0.expect("set");
    world.now = at("2026-11-23T11:00:00Z");
    let _ = world.send(request("a"));
    assert_eq!(world.place_of("a"), "waiting no_team_open");
}

#[test]
fn an_override_moves_no_clock_that_counts_by_a_calendar_of_the_roster() {
    for (basis, moves) in [(Basis::Calendar("office".parse().unwrap()), false), (Basis::Holder, true)] {
        let mut firm = roster(vec![london()]);
        let policy = policy(basis, 120);
        firm.sla.insert(policy.id.clone(), policy);
        let mut world = World::new(MONDAY, firm);
        let _ = world.send(WorkRequest { sla: Some("gold".parse().unwrap()), ..request("a") });
        world.accept("a");
        let before = due(&world, "a");
        let _ = close(&mut world, "london", "2026-11-24T09:00:00Z");
        assert_eq!(due(&world, "a") != before, moves);
    }
}

#[test]
fn what_cannot_be_set_is_refused_with_its_field() {
    let mut world = World::new(MONDAY, roster(vec![london(), Team { capacity: Capacity::EffortHours(3), ..sydney() }]));
    let until = "2026-11-24T09:00:00Z";
    let cases = [
        (wish("atlantis", OverrideKind::Close, None, until), "team"),
        (wish("london", OverrideKind::Close, None, MONDAY), "until"),
        (wish("london", OverrideKind::Close, None, "2028-11-24T09:00:00Z"), "until"),
        (wish("sydney", OverrideKind::Seats { seats: 1 }, None, until), "kind"),
        (NewOverride { author: " ".into(), ..wish("london", OverrideKind::Close, None, until) }, "author"),
        (NewOverride { reason: "a\nb".into(), ..wish("london", OverrideKind::Close, None, until) }, "reason"),
    ];
    for (new, field) in cases {
        let refusal = set(&mut world, new).0.expect_err("refused");
        assert_eq!(refusal.field.as_deref(), Some(field), "{refusal}");
    }
    assert_eq!(world.scheduler.overrides().standing().count(), 0);
}

#[test]
fn a_task_that_waits_for_a_drain_to_end_says_when_it_is_looked_at_again() {
    let mut world = World::new(MONDAY, roster(vec![london()]));
    for (until, wakes) in
        [("2026-11-23T11:00:00Z", "2026-11-23T11:00:00Z"), ("2026-11-23T20:00:00Z", "2026-11-24T09:00:00Z")]
    {
        set(&mut world, wish("london", OverrideKind::Drain, None, until)).0.expect("set");
        let _ = world.send(request(until));
        assert_eq!(world.wait_of(until), (WaitReason::Drained, Some(at(wakes))));
    }
}

#[test]
fn more_seats_than_a_team_can_have_are_refused() {
    let mut world = two();
    let kind = OverrideKind::Seats { seats: 10_001 };
    let refusal = set(&mut world, wish("london", kind, None, "2026-11-24T09:00:00Z")).0.expect_err("too many");
    assert_eq!(refusal.field.as_deref(), Some("seats"));
    assert!(refusal.message.contains("10001 is more than 10000"), "{refusal}");
}

#[test]
fn an_offer_keeps_the_limit_it_was_made_with_when_hours_change_after_its_priority() {
    let mut world = two();
    let _ = world.send(to_london("a"));
    assert_eq!(world.offer_until("a"), at("2026-11-23T10:30:00Z"));
    world.firm("a", Change::Reprioritise { priority: Priority::Urgent });
    let _ = close(&mut world, "zurich", "2026-11-24T09:00:00Z");
    assert_eq!(world.offer_until("a"), at("2026-11-23T10:30:00Z"));
}

#[test]
fn overrides_stay_on_a_roster_that_comes_after_them() {
    let mut world = two();
    let _ = close(&mut world, "london", "2026-11-24T09:00:00Z");
    let _ = world.step(Event::RosterChanged(roster(vec![london(), always("zurich"), sydney()]).into()));
    assert!(!world.is_open("london"));
    let lacking = roster(vec![always("zurich")]);
    assert_eq!(world.scheduler.overrides().missing_in(&lacking).map(|it| it.id).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_trial_changes_nothing() {
    let mut world = two();
    let _ = world.send(to_london("a"));
    let new = Box::new(wish("london", OverrideKind::Close, None, "2026-11-24T09:00:00Z"));
    let tried = world.scheduler.trial(world.now, Event::OverrideWished(OverrideWish::Set(new)));
    assert!(tried.recorded.iter().any(|it| matches!(it.effect, Effect::Withdraw { .. })));
    assert_eq!((world.place_of("a"), world.is_open("london")), ("offered london".into(), true));
    world.accept("a");
}
