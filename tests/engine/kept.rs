//! Updates of a firm that overtake their request.

use std::sync::Arc;

use heliograph::engine::effect::Effect;
use heliograph::engine::event::RefusalCode;
use heliograph::engine::scheduler::{KEPT_FOR, Limits, MAX_KEPT, Restored, Scheduler};
use heliograph::engine::task::TaskState;
use heliograph::engine::update::{Amendment, Change, Sender};

use crate::world::*;

const MONDAY: &str = "2026-11-23T10:00:00Z";

fn cancel() -> Change {
    Change::Cancel { reason: "settled".into() }
}

fn world() -> World {
    World::new(MONDAY, roster(vec![london()]))
}

#[test]
fn a_cancel_that_comes_first_cancels_the_task_at_admission() {
    let mut world = world();
    world.firm("a", cancel());
    let _ = world.send(request("a"));
    assert!(world.scheduler.task(&task_id("a")).is_none());
    assert!(matches!(world.ended.last().map(|task| &task.state), Some(TaskState::Cancelled { .. })));
    assert!(!world.log.iter().any(|it| matches!(it.effect, Effect::Offer(_))), "it was never offered");
}

#[test]
fn a_hold_and_an_amendment_that_come_first_are_applied_in_their_order() {
    let mut world = world();
    world.firm("a", Change::Amend(Box::new(Amendment { effort_minutes: Some(240), ..Amendment::default() })));
    world.firm("a", Change::Hold);
    let _ = world.send(request("a"));
    assert_eq!(world.place_of("a"), "waiting held");
    assert_eq!(world.task("a").effort_minutes, 240);
    world.firm("a", Change::Unhold);
    assert_eq!(world.place_of("a"), "offered london");
}

#[test]
fn an_update_without_a_request_is_refused_after_ten_minutes() {
    let mut world = world();
    world.firm("a", cancel());
    world.run(at(MONDAY) + KEPT_FOR - minutes(1));
    assert!(!world.log.iter().any(|it| matches!(it.effect, Effect::RejectUpdate { .. })));
    world.run(at(MONDAY) + KEPT_FOR);
    let refused = world.log.iter().filter_map(|it| match &it.effect {
        Effect::RejectUpdate { refusal, .. } => Some(refusal.code),
        _ => None,
    });
    assert_eq!(refused.collect::<Vec<_>>(), [RefusalCode::UnknownTask]);
    let _ = world.send(request("a"));
    assert_eq!(world.place_of("a"), "offered london", "what ran out is not applied");
}

#[test]
fn only_a_firms_own_task_and_only_some_updates_are_kept() {
    let mut world = world();
    let bolt = Sender::Client(client_id("bolt"));
    let code = |result: Result<(), heliograph::engine::event::Refusal>| result.unwrap_err().code;
    assert_eq!(code(world.update(bolt, "a", cancel())), RefusalCode::UnknownTask);
    let acme = || Sender::Client(client_id("acme"));
    assert_eq!(code(world.update(acme(), "a", Change::Unhold)), RefusalCode::UnknownTask);
    assert_eq!(code(world.update(Sender::Operator("kim".into()), "a", cancel())), RefusalCode::UnknownTask);
}

#[test]
fn kept_updates_have_a_limit() {
    let mut world = world();
    for number in 0..MAX_KEPT {
        world.firm(&format!("r{number}"), Change::Hold);
    }
    let one_more = world.update(Sender::Client(client_id("acme")), "late", Change::Hold);
    assert_eq!(one_more.unwrap_err().code, RefusalCode::UnknownTask);
}

#[test]
fn a_kept_update_outlives_a_restart_and_another_roster() {
    let mut world = world();
    world.firm("a", cancel());
    let kept = world.scheduler.kept_updates().cloned().collect();
    let restored = Restored { kept, ..Restored::default() };
    let scheduler = Scheduler::restore(Arc::new(roster(vec![london()])), Limits::default(), restored, at(MONDAY));
    let mut twin = World::around(scheduler, at(MONDAY));
    let other = Arc::new(roster(vec![london(), sydney()]));
    let _ = twin.step(heliograph::engine::event::Event::RosterChanged(other));
    let _ = twin.send(request("a"));
    assert!(twin.scheduler.task(&task_id("a")).is_none());
    assert_eq!(twin.scheduler.kept_updates().count(), 0);
}
