//! Updates of a firm that overtake their request.

use std::sync::Arc;

use heliograph::engine::effect::{Answer, Effect};
use heliograph::engine::event::{Event, RefusalCode};
use heliograph::engine::id::TaskId;
use heliograph::engine::scheduler::{KEPT_FOR, Limits, MAX_KEPT, MAX_KEPT_BY_CLIENT, Restored, Scheduler};
use heliograph::engine::task::TaskState;
use heliograph::engine::update::{Amendment, Change, Sender, Update};

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
fn nothing_is_offered_before_all_that_came_first_is_applied() {
    let stop = [
        ("a", Change::Hold),
        ("b", Change::Amend(Box::new(Amendment { denied_countries: Some(vec![place("GB")]), ..Amendment::default() }))),
        ("c", cancel()),
    ];
    for (id, change) in stop {
        let mut world = world();
        world.firm(id, Change::Amend(Box::new(Amendment { effort_minutes: Some(240), ..Amendment::default() })));
        world.firm(id, change);
        let _ = world.send(request(id));
        assert!(!world.log.iter().any(|it| matches!(it.effect, Effect::Offer(_))), "{id} was offered on the way");
    }
}

/// A hold of a request of a client, with an id of its own.
fn hold(client: &str, number: usize) -> Event {
    let update = Update {
        id: format!("u-{number}").parse().unwrap(),
        task: TaskId::of(&client_id(client), &format!("r{number}").parse().unwrap()),
        sender: Sender::Client(client_id(client)),
        at: None,
        order: None,
        change: Change::Hold,
    };
    received(update)
}

#[test]
fn kept_updates_have_a_limit_and_no_client_takes_all_of_it() {
    let mut world = world();
    world.checked_every = 1_000;
    for client in 0..MAX_KEPT / MAX_KEPT_BY_CLIENT {
        for number in 0..=MAX_KEPT_BY_CLIENT {
            let answer = world.step(hold(&format!("c{client}"), number)).answer;
            assert_eq!(answer == Some(Answer::Applied), number < MAX_KEPT_BY_CLIENT, "{client}, {number}: {answer:?}");
        }
    }
    let late = world.step(hold("late", 1)).answer;
    assert!(matches!(late, Some(Answer::Refused(refusal)) if refusal.code == RefusalCode::UnknownTask));
    world.run(at(MONDAY) + KEPT_FOR);
    assert_eq!(world.step(hold("late", 2)).answer, Some(Answer::Applied), "there is room again");
}

#[test]
fn a_repeat_of_a_kept_update_is_told_what_became_of_it() {
    let mut world = world();
    let early = |world: &mut World| world.step(hold("acme", 7)).answer;
    assert_eq!(early(&mut world), Some(Answer::Applied));
    world.run(at(MONDAY) + KEPT_FOR);
    assert!(matches!(early(&mut world), Some(Answer::Refused(refusal)) if refusal.code == RefusalCode::UnknownTask));
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
    let _ = twin.step(Event::RosterChanged(other));
    let _ = twin.send(request("a"));
    assert!(twin.scheduler.task(&task_id("a")).is_none());
    assert_eq!(twin.scheduler.kept_updates().count(), 0);
}
