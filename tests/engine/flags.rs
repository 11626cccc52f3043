//! Pause, hold, amendments, priorities, cancellation.

use heliograph::engine::effect::{Effect, WithdrawReason, WorkMessage};
use heliograph::engine::event::RefusalCode;
use heliograph::engine::request::{Priority, WorkRequest};
use heliograph::engine::roster::{Capacity, Team};
use heliograph::engine::task::{ClosedBecause, TaskState, WaitReason};
use heliograph::engine::update::{Amendment, Change, Sender};

use crate::world::*;

const MONDAY: &str = "2026-11-23T10:00:00Z";

fn one_seat() -> World {
    let mut world = World::new(MONDAY, roster(vec![Team { capacity: Capacity::Seats(1), ..london() }]));
    let _ = (world.send(request("a")), world.send(request("b")));
    world
}

fn pause() -> Change {
    Change::Pause { assignment: None, reason: term("client-question") }
}

fn resume() -> Change {
    Change::Resume { assignment: None }
}

fn amend(world: &mut World, id: &str, amendment: Amendment) {
    world.firm(id, Change::Amend(Box::new(amendment)));
}

#[test]
fn a_pause_takes_an_offer_back_and_gives_its_seat_to_the_next() {
    let mut world = one_seat();
    world.firm("a", pause());
    assert_eq!((world.place_of("a"), world.place_of("b")), ("waiting paused".into(), "offered london".into()));
    world.firm("a", resume());
    assert_eq!(world.place_of("a"), "waiting no_seat_free");
}

#[test]
fn a_paused_owner_keeps_the_task_without_a_seat_and_may_exceed_its_seats_afterwards() {
    let mut world = one_seat();
    world.accept("a");
    world.firm("a", pause());
    assert_eq!((world.place_of("a"), world.place_of("b")), ("active london".into(), "offered london".into()));
    world.firm("a", resume());
    let _ = world.send(request("c"));
    world.accept("b");
    world.complete("b");
    assert_eq!(world.place_of("c"), "waiting no_seat_free", "the resumed task has the seat");
    world.complete("a");
    assert_eq!(world.place_of("c"), "offered london");
}

#[test]
fn a_pause_is_set_and_ended_by_those_whom_the_roster_names() {
    let mut world = one_seat();
    let operator = || Sender::Operator("kim".into());
    let code = |result: Result<(), heliograph::engine::event::Refusal>| result.unwrap_err().code;
    assert_eq!(code(world.update(operator(), "a", pause())), RefusalCode::NotAllowed);
    let unknown = Change::Pause { assignment: None, reason: term("lunch") };
    assert_eq!(code(world.update(operator(), "a", unknown)), RefusalCode::InvalidField);
    assert_eq!(code(world.update(operator(), "a", resume())), RefusalCode::IllegalMove);
    world.firm("a", pause());
    assert_eq!(code(world.update(Sender::Client(client_id("acme")), "a", pause())), RefusalCode::IllegalMove);
    assert!(world.update(operator(), "a", resume()).is_ok());
}

#[test]
fn an_owner_that_resumes_in_the_night_keeps_the_task_with_a_reason() {
    let mut world = one_seat();
    world.accept("a");
    world.firm("a", pause());
    world.run_to("2026-11-23T20:00:00Z");
    let reason = |world: &World| match &world.task("a").state {
        TaskState::Active(active) => active.closed_because,
        state => panic!("{}", state.as_str()),
    };
    assert_eq!(reason(&world), Some(ClosedBecause::Paused));
    world.firm("a", resume());
    assert_eq!(reason(&world), Some(ClosedBecause::NoTaker), "there is no other team");
}

#[test]
fn a_held_task_is_not_offered_and_an_owner_keeps_it() {
    let mut world = one_seat();
    world.firm("a", Change::Hold);
    assert_eq!((world.place_of("a"), world.place_of("b")), ("waiting held".into(), "offered london".into()));
    let held = Effect::Withdraw { assignment: 1, reason: WithdrawReason::Held };
    assert!(world.log.iter().any(|it| it.effect == held));
    world.accept("b");
    world.firm("b", Change::Hold);
    assert_eq!(world.place_of("b"), "active london");
    world.firm("a", Change::Unhold);
    world.holder("b", |assignment| Change::Release { assignment, reason: "ill".into() });
    assert_eq!((world.place_of("a"), world.place_of("b")), ("offered london".into(), "waiting held".into()));
}

#[test]
fn an_amendment_that_the_team_fails_takes_the_offer_back() {
    let mut world = World::new(MONDAY, roster(vec![london(), always("zurich")]));
    let _ = world.send(WorkRequest { preferred_team: Some(team_id("london")), ..request("a") });
    amend(&mut world, "a", Amendment { excluded_teams: Some(vec![team_id("london")]), ..Amendment::default() });
    assert_eq!(world.place_of("a"), "offered zurich");
    let amended = Effect::Withdraw { assignment: 1, reason: WithdrawReason::Amended };
    assert!(world.log.iter().any(|it| it.effect == amended && it.addressed == Some(WorkMessage::Withdrawn)));
}

#[test]
fn an_amendment_that_an_owner_fails_on_consent_takes_the_task_away_at_once() {
    let mut world = World::new(MONDAY, roster(vec![london(), Team { country: place("AU"), ..always("zurich") }]));
    let _ = world.send(WorkRequest { preferred_team: Some(team_id("zurich")), ..request("a") });
    world.accept("a");
    amend(&mut world, "a", Amendment { denied_countries: Some(vec![place("AU")]), ..Amendment::default() });
    assert_eq!(world.place_of("a"), "offered london");
    let recall = world.log.iter().find(|it| matches!(it.effect, Effect::Recall { .. })).expect("a recall");
    assert_eq!((&recall.team, recall.addressed), (&Some(team_id("zurich")), Some(WorkMessage::Ended)));
}

#[test]
fn an_amended_effort_changes_what_is_left_by_as_much() {
    let mut world = one_seat();
    world.accept("a");
    world.holder("a", |assignment| Change::Progress { assignment, remaining_minutes: 20, note: None });
    amend(&mut world, "a", Amendment { effort_minutes: Some(100), ..Amendment::default() });
    assert_eq!(world.task("a").remaining_minutes(), 60);
    world.holder("a", |assignment| Change::Release { assignment, reason: "ill".into() });
    amend(&mut world, "a", Amendment { effort_minutes: Some(30), ..Amendment::default() });
    assert_eq!(world.task("a").remaining_minutes(), 0);
    let zero = Change::Amend(Box::new(Amendment { effort_minutes: Some(0), ..Amendment::default() }));
    let refusal = world.update(Sender::Client(client_id("acme")), "a", zero).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::InvalidField);
}

#[test]
fn an_offer_is_taken_back_when_the_earliest_start_moves_past_now() {
    let mut world = one_seat();
    let later = at("2026-11-23T15:00:00Z");
    amend(&mut world, "a", Amendment { not_before: Some(later), ..Amendment::default() });
    assert_eq!(world.wait_of("a"), (WaitReason::NotBefore, Some(later)));
    assert_eq!(world.place_of("b"), "offered london");
}

#[test]
fn an_amended_deadline_moves_a_task_up_among_those_that_wait() {
    let mut world = one_seat();
    let _ = world.send(request("c"));
    amend(&mut world, "c", Amendment { deadline: Some(at("2026-11-24T10:00:00Z")), ..Amendment::default() });
    world.accept("a");
    world.complete("a");
    assert_eq!((world.place_of("c"), world.place_of("b")), ("offered london".into(), "waiting no_seat_free".into()));
}

#[test]
fn a_new_priority_tells_the_holder_and_moves_the_task_among_those_that_wait() {
    let mut world = one_seat();
    let _ = world.send(request("c"));
    world.firm("c", Change::Reprioritise { priority: Priority::High });
    world.firm("a", Change::Reprioritise { priority: Priority::Low });
    assert_eq!(world.log.last().and_then(|it| it.addressed), Some(WorkMessage::Changed));
    world.accept("a");
    world.complete("a");
    assert_eq!(world.place_of("c"), "offered london");
}

#[test]
fn a_cancelled_task_ends_frees_its_seat_and_tells_who_had_it() {
    let mut world = one_seat();
    world.accept("a");
    world.firm("a", Change::Cancel { reason: "settled".into() });
    assert_eq!(world.place_of("b"), "offered london");
    assert!(matches!(world.ended[0].state, TaskState::Cancelled { .. }));
    assert_eq!(world.ended[0].holders[0].team, team_id("london"), "who worked on it is kept");
    let told = world.log.iter().find(|it| matches!(it.effect, Effect::Cancel { .. })).expect("a cancel");
    assert_eq!((&told.team, told.addressed), (&Some(team_id("london")), Some(WorkMessage::Ended)));
    let refusal = world.update(Sender::Client(client_id("acme")), "a", Change::Hold).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::TaskEnded);
}

#[test]
fn a_remaining_effort_beyond_any_effort_is_refused() {
    let mut world = one_seat();
    world.accept("a");
    let much = Change::Progress { assignment: 1, remaining_minutes: 525_601, note: None };
    let refusal = world.update(Sender::Team(team_id("london")), "a", much).unwrap_err();
    assert_eq!((refusal.code, refusal.field.as_deref()), (RefusalCode::InvalidField, Some("remaining_minutes")));
}

#[test]
fn a_move_that_the_state_does_not_allow_changes_nothing() {
    let mut world = one_seat();
    let before = world.task("a").clone();
    let complete = Change::Complete { assignment: 1, note: None };
    let refusal = world.update(Sender::Team(team_id("london")), "a", complete).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::IllegalMove);
    assert_eq!(*world.task("a"), before);
    assert!(matches!(world.log.last().map(|it| &it.effect), Some(Effect::RejectUpdate { .. })));
}
