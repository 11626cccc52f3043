//! Requests: admission, refusals, repeats, predecessors.

use std::sync::Arc;

use chrono::TimeDelta;
use heliograph::engine::effect::{Answer, Effect};
use heliograph::engine::event::{Event, RefusalCode};
use heliograph::engine::request::{RequestDigest, WorkRequest};
use heliograph::engine::scheduler::{Limits, MAX_BEFORE, Restored, Scheduler};
use heliograph::engine::task::WaitReason;
use heliograph::engine::update::{Change, Sender};

use crate::world::*;

const MONDAY: &str = "2026-11-23T10:00:00Z";

fn world() -> World {
    World::new(MONDAY, roster(vec![london()]))
}

#[test]
fn a_request_is_admitted_once_and_offered() {
    let mut world = world();
    assert_eq!(world.send(request("r1")), Answer::Admitted(task_id("r1")));
    assert_eq!(world.story("r1"), ["admit", "offer"]);
    assert_eq!(world.place_of("r1"), "offered london");
    let before = world.log.len();
    assert_eq!(world.send(request("r1")), Answer::Duplicate(task_id("r1")));
    assert_eq!(world.log.len(), before, "a repeat records nothing");
}

#[test]
fn the_same_id_with_other_content_is_a_conflict_while_open_and_after_the_end() {
    let mut world = world();
    let other = || WorkRequest { digest: RequestDigest("other".into()), ..request("r1") };
    let _ = world.send(request("r1"));
    assert_eq!(world.refused(other()), RefusalCode::Conflict);
    world.accept("r1");
    world.complete("r1");
    assert_eq!(world.refused(other()), RefusalCode::Conflict);
    assert_eq!(world.send(request("r1")), Answer::Duplicate(task_id("r1")));
    assert!(matches!(world.log.last().map(|it| &it.effect), Some(Effect::ReportConflict { .. })));
}

#[test]
fn what_the_roster_does_not_know_is_refused_by_name() {
    let mut world = world();
    let nobody = || client_id("nobody");
    let cases = [
        (WorkRequest { client: nobody(), ..request("a") }, RefusalCode::UnknownClient, "client"),
        (request_of("juggling", "b"), RefusalCode::UnknownWorkType, "work_type"),
        (WorkRequest { sla: Some("iron".parse().unwrap()), ..request("c") }, RefusalCode::UnknownSla, "sla"),
        (
            WorkRequest { preferred_team: Some(team_id("mars")), ..request("d") },
            RefusalCode::UnknownTeam,
            "preferred_team",
        ),
        (
            WorkRequest { excluded_teams: vec![team_id("mars")], ..request("e") },
            RefusalCode::UnknownTeam,
            "excluded_teams",
        ),
        (WorkRequest { work_type: None, ..request("f") }, RefusalCode::MissingField, "work_type"),
        (
            WorkRequest { process: Some("discovery".parse().unwrap()), ..request("i") },
            RefusalCode::UnknownProcess,
            "process",
        ),
        (WorkRequest { effort_minutes: Some(0), ..request("g") }, RefusalCode::InvalidField, "effort_minutes"),
        (WorkRequest { effort_minutes: Some(525_601), ..request("h") }, RefusalCode::InvalidField, "effort_minutes"),
    ];
    for (request, code, field) in cases {
        let Answer::Refused(refusal) = world.send(request) else { panic!("{field} was admitted") };
        assert_eq!((refusal.code, refusal.field.as_deref()), (code, Some(field)), "{refusal}");
        let last = world.log.last().expect("a record");
        assert!(matches!(last.effect, Effect::RejectRequest { .. }) && last.task.is_none());
    }
    assert_eq!(world.scheduler.open_count(), 0);
}

#[test]
fn an_effort_that_neither_request_nor_work_type_states_is_missing() {
    let mut roster = roster(vec![london()]);
    roster.work_types.values_mut().for_each(|kind| kind.effort_minutes = None);
    let mut world = World::new(MONDAY, roster);
    assert_eq!(world.refused(WorkRequest { effort_minutes: None, ..request("a") }), RefusalCode::MissingField);
}

#[test]
fn a_retired_client_gets_nothing_new() {
    let mut roster = roster(vec![london()]);
    roster.clients.values_mut().for_each(|client| client.retired = true);
    assert_eq!(World::new(MONDAY, roster).refused(request("a")), RefusalCode::Retired);
}

#[test]
fn the_request_past_the_limit_of_open_tasks_is_refused_as_full() {
    let scheduler = Scheduler::new(roster(vec![london()]).into(), Limits { max_open_tasks: 2 }, at(MONDAY));
    let mut world = World::around(scheduler, at(MONDAY));
    let _ = (world.send(request("a")), world.send(request("b")));
    assert_eq!(world.refused(request("c")), RefusalCode::Full);
    assert_eq!(world.send(request("a")), Answer::Duplicate(task_id("a")), "a repeat is no new task");
    world.accept("a");
    world.complete("a");
    assert_eq!(world.send(request("c")), Answer::Admitted(task_id("c")));
}

#[test]
fn a_task_waits_for_its_predecessors_and_goes_when_the_last_is_completed() {
    let mut world = world();
    let _ = (world.send(request("a")), world.send(request("b")));
    let _ = world.send(WorkRequest { after: vec![task_id("a"), task_id("b")], ..request("c") });
    assert_eq!(world.wait_of("c"), (WaitReason::Predecessor, None));
    world.accept("a");
    world.complete("a");
    assert_eq!(world.place_of("c"), "waiting predecessor");
    world.accept("b");
    world.complete("b");
    assert_eq!(world.place_of("c"), "offered london");
    assert_eq!(world.story("c"), ["admit", "park", "mark_ready", "offer"]);
}

#[test]
fn a_task_waits_for_a_predecessor_that_is_not_known_yet() {
    let mut world = world();
    let _ = world.send(WorkRequest { after: vec![task_id("later")], ..request("c") });
    assert_eq!(world.place_of("c"), "waiting predecessor");
    let _ = world.send(request("later"));
    world.accept("later");
    world.complete("later");
    assert_eq!(world.place_of("c"), "offered london");
}

#[test]
fn a_predecessor_that_has_ended_already_is_not_waited_for() {
    let mut world = world();
    let _ = world.send(request("a"));
    world.accept("a");
    world.complete("a");
    let _ = world.send(WorkRequest { after: vec![task_id("a")], ..request("c") });
    assert_eq!(world.place_of("c"), "offered london");
}

#[test]
fn a_cancelled_predecessor_leaves_its_dependants_to_the_firm() {
    let mut world = world();
    let _ = world.send(request("a"));
    let _ = world.send(WorkRequest { after: vec![task_id("a")], ..request("c") });
    world.firm("a", Change::Cancel { reason: "settled".into() });
    assert_eq!(world.wait_of("c"), (WaitReason::PredecessorCancelled, None));
    let _ = world.send(WorkRequest { after: vec![task_id("a")], ..request("d") });
    assert_eq!(world.place_of("d"), "waiting predecessor_cancelled");
    world.firm("c", Change::Resume { assignment: None });
    assert_eq!(world.place_of("c"), "offered london");
    world.firm("d", Change::Cancel { reason: "settled".into() });
    assert!(world.scheduler.task(&task_id("d")).is_none());
}

#[test]
fn letting_a_task_go_on_without_a_cancelled_predecessor_keeps_the_others() {
    let mut world = world();
    let _ = world.send(request("a"));
    let after = vec![task_id("a"), task_id("not-sent-yet")];
    let _ = world.send(WorkRequest { after, ..request("c") });
    world.firm("a", Change::Cancel { reason: "settled".into() });
    world.firm("c", Change::Resume { assignment: None });
    assert_eq!(world.place_of("c"), "waiting predecessor");
    let _ = world.send(request("not-sent-yet"));
    world.accept("not-sent-yet");
    world.complete("not-sent-yet");
    assert_eq!(world.place_of("c"), "offered london");
}

#[test]
fn a_hold_does_not_make_a_task_forget_that_its_predecessor_was_cancelled() {
    let mut world = world();
    let _ = world.send(request("a"));
    let _ = world.send(WorkRequest { after: vec![task_id("a")], ..request("c") });
    world.firm("a", Change::Cancel { reason: "settled".into() });
    world.firm("c", Change::Hold);
    world.firm("c", Change::Unhold);
    assert_eq!(world.place_of("c"), "waiting predecessor_cancelled");
}

#[test]
fn the_request_that_closes_a_cycle_is_refused_with_the_path() {
    let mut world = world();
    let after = |id: &str, before: &str| WorkRequest { after: vec![task_id(before)], ..request(id) };
    let _ = (world.send(after("a", "c")), world.send(after("b", "a")));
    let Answer::Refused(refusal) = world.send(after("c", "b")) else { panic!("admitted") };
    assert_eq!((refusal.code, refusal.field.as_deref()), (RefusalCode::InvalidField, Some("after")));
    assert!(refusal.message.contains("acme/c after acme/b after acme/a after acme/c"), "{refusal}");
    let Answer::Refused(refusal) = world.send(after("d", "d")) else { panic!("admitted") };
    assert!(refusal.message.contains("acme/d after acme/d;"), "{refusal}");
    assert!(matches!(world.send(after("e", "b")), Answer::Admitted(_)), "a chain is no cycle");
}

#[test]
fn the_refusal_of_a_long_cycle_is_short_and_a_longer_one_than_the_limit_is_refused_too() {
    let mut world = world();
    world.checked_every = 10_000;
    let after = |id: String, before: String| WorkRequest { after: vec![task_id(&before)], ..request(&id) };
    for number in 0..MAX_BEFORE {
        let _ = world.send(after(format!("r{number}"), format!("r{}", number + 1)));
    }
    let Answer::Refused(refusal) = world.send(after(format!("r{MAX_BEFORE}"), "r9900".into())) else {
        panic!("admitted")
    };
    assert!(refusal.message.contains(" after ... after "), "{refusal}");
    assert!(refusal.message.len() < 1_000, "{} bytes", refusal.message.len());
    let Answer::Refused(refusal) = world.send(after(format!("r{MAX_BEFORE}"), "r0".into())) else { panic!("admitted") };
    assert!(refusal.message.contains("closes a cycle"), "a cycle of just the limit: {refusal}");
    let _ = world.send(after(format!("r{MAX_BEFORE}"), "s0".into()));
    let _ = world.send(after("s0".into(), "s1".into()));
    let Answer::Refused(refusal) = world.send(after("s1".into(), "r0".into())) else { panic!("admitted") };
    assert!(refusal.message.contains("more than 10000 tasks come before it"), "{refusal}");
}

#[test]
fn an_earliest_start_that_passes_while_a_held_task_is_in_no_memory_is_not_lost() {
    let mut world = world();
    let not_before = Some(at("2026-11-23T11:00:00Z"));
    let _ = world.send(WorkRequest { not_before, ..request("a") });
    world.firm("a", Change::Hold);
    let (roster, noon) = (Arc::clone(world.scheduler.roster()), at("2026-11-23T12:00:00Z"));
    let restored = Restored { open: vec![world.task("a").clone()], next_arrival: 9, ..Restored::default() };
    let mut later = World::around(Scheduler::restore(roster, Limits::default(), restored, noon), noon);
    let _ = later.step(Event::DeadlineReached);
    assert_eq!(later.task("a").ready_at, not_before);
    assert_eq!(later.place_of("a"), "waiting held");
}

#[test]
fn a_task_does_not_start_before_its_earliest_start() {
    let mut world = world();
    let not_before = Some(at("2026-11-23T11:00:00Z"));
    let _ = world.send(WorkRequest { not_before, ..request("a") });
    assert_eq!(world.wait_of("a"), (WaitReason::NotBefore, not_before));
    world.run_to("2026-11-23T10:59:59Z");
    assert_eq!(world.place_of("a"), "waiting not_before");
    world.run_to("2026-11-23T11:00:00Z");
    assert_eq!(world.last_offer("a").0.at, at("2026-11-23T11:00:00Z"));
    assert_eq!(world.task("a").ready_at, not_before);
}

#[test]
fn a_task_becomes_ready_at_its_earliest_start_though_the_firm_holds_it() {
    let mut world = world();
    let not_before = Some(at("2026-11-23T11:00:00Z"));
    let _ = world.send(WorkRequest { not_before, ..request("a") });
    world.firm("a", Change::Hold);
    world.run_to("2026-11-23T12:00:00Z");
    assert_eq!(world.place_of("a"), "waiting held");
    assert_eq!(world.task("a").ready_at, not_before);
}

#[test]
fn an_update_is_answered_once_and_its_repeat_alike() {
    let mut world = world();
    let _ = world.send(request("a"));
    let update = |assignment| {
        let update = heliograph::engine::update::Update {
            id: "u".parse().unwrap(),
            task: task_id("a"),
            sender: Sender::Team(team_id("london")),
            at: None,
            order: None,
            change: Change::Accept { assignment },
        };
        received(update)
    };
    assert_eq!(world.step(update(1)).answer, Some(Answer::Applied));
    world.now += TimeDelta::minutes(1);
    let repeat = world.step(update(1));
    assert_eq!((repeat.answer, repeat.recorded.len()), (Some(Answer::Applied), 0));
    let reused = world.step(update(2));
    let Some(Answer::Refused(refusal)) = reused.answer else { panic!("{:?}", reused.answer) };
    assert_eq!((refusal.code, refusal.field.as_deref()), (RefusalCode::Conflict, Some("id")));
    assert_eq!(reused.recorded[0].effect.event_type(), "update.rejected");
    assert_eq!(world.step(update(1)).answer, Some(Answer::Applied), "the first answer stands");
}

#[test]
fn a_stranger_learns_nothing_of_a_task() {
    let mut world = World::new(MONDAY, roster(vec![london(), new_york()]));
    let _ = world.send(request("a"));
    for sender in [Sender::Team(team_id("new-york")), Sender::Client(client_id("bolt"))] {
        let refusal = world.update(sender, "a", Change::Cancel { reason: "mine".into() }).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::UnknownTask);
    }
    let stale = world.update(Sender::Team(team_id("london")), "a", Change::Accept { assignment: 7 }).unwrap_err();
    assert_eq!(stale.code, RefusalCode::StaleAssignment);
    assert!(stale.message.contains('1'), "it names the current one: {stale}");
    let cancel = world.update(Sender::Team(team_id("london")), "a", Change::Hold).unwrap_err();
    assert_eq!(cancel.code, RefusalCode::NotAllowed);
}
