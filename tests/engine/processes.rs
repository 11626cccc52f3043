//! Processes: admission in whole, derived deadlines by hand-checked figures, their end, and what firms may say of them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use heliograph::engine::effect::{Answer, DerivedBecause, Effect, EscalationReason, Recorded};
use heliograph::engine::event::{EndedTask, Event, RefusalCode};
use heliograph::engine::process::{MAX_STEPS, Process, ProcessState};
use heliograph::engine::request::{Consent, Priority, RequestDigest, Step, WorkRequest};
use heliograph::engine::roster::{self, Offshoring, Roster};
use heliograph::engine::scheduler::{Limits, Restored, Scheduler};
use heliograph::engine::sla::Outcome;
use heliograph::engine::update::{Amendment, Change, DeclineReason, Sender, Update};

use crate::world::*;

const MONDAY: &str = "2026-11-23T10:00:00Z";

/// A step of so many minutes behind others.
fn step(id: &str, minutes: u32, after: &[&str]) -> Step {
    Step {
        id: id.parse().expect("a step id"),
        work_type: "review".parse().expect("a work type"),
        jurisdiction: None,
        specialty: None,
        effort_minutes: Some(minutes),
        after: after.iter().map(|name| name.parse().expect("a step id")).collect(),
    }
}

fn process_of(id: &str, steps: Vec<Step>) -> WorkRequest {
    WorkRequest { work_type: None, effort_minutes: None, steps, ..request(id) }
}

/// Draft (4 h), review (6 h), file (2 h), each behind the one before; due on Wednesday noon.
fn filing() -> WorkRequest {
    let steps = vec![step("draft", 240, &[]), step("review", 360, &["draft"]), step("file", 120, &["review"])];
    WorkRequest { deadline: Some(at("2026-11-25T12:00:00Z")), ..process_of("p", steps) }
}

fn world() -> World {
    World::new(MONDAY, roster(vec![london()]))
}

fn with_filing() -> World {
    let mut world = world();
    assert_eq!(world.send(filing()), Answer::Admitted(task_id("p")));
    world
}

fn derived(world: &World, id: &str) -> Option<DateTime<Utc>> {
    world.task(id).derived_deadline()
}

fn process(world: &World) -> &Process {
    world.scheduler.process(&task_id("p")).expect("it is open")
}

fn refusal(world: &mut World, request: WorkRequest) -> (RefusalCode, String, String) {
    match world.send(request) {
        Answer::Refused(refusal) => (refusal.code, refusal.field.unwrap_or_default().into(), refusal.message.into()),
        answer => panic!("{answer:?}"),
    }
}

/// What the roster has as `filing`: the same three steps.
fn with_template(mut roster: Roster) -> Roster {
    let id: heliograph::engine::id::ProcessId = "filing".parse().expect("an id");
    let template = roster::Process { id: id.clone(), steps: filing().steps };
    roster.processes.insert(id, template);
    roster
}

/// From when to when a derived deadline moved, and why.
type Move = (Option<DateTime<Utc>>, Option<DateTime<Utc>>, DerivedBecause);

fn moves(world: &World, id: &str) -> Vec<Move> {
    let about = |it: &&Recorded| it.task.as_ref().is_some_and(|(task, _)| *task == task_id(id));
    let moved = world.log.iter().filter(about).filter_map(|it| match &it.effect {
        Effect::MoveDerived(it) => Some((it.from, it.to, it.because)),
        _ => None,
    });
    moved.collect()
}

/// Another scheduler goes on from what is stored.
fn started_again(world: &World) -> World {
    started_after(world, None, world.now)
}

/// Another scheduler goes on from what is stored at an instant, maybe with what was sent in an outage not read yet.
fn started_after(world: &World, outage_since: Option<DateTime<Utc>>, now: DateTime<Utc>) -> World {
    let json = |process: &Process| serde_json::to_string(process).expect("JSON");
    let restored = Restored {
        open: world.stored.values().cloned().collect(),
        processes: world.processes.values().map(|it| serde_json::from_str(&json(it)).expect("a process")).collect(),
        ended: world.ended.clone(),
        next_arrival: world.scheduler.next_arrival(),
        marks: world.marks.clone(),
        kept: world.scheduler.kept_updates().cloned().collect(),
        outage_since,
        ..Restored::default()
    };
    let roster = Arc::clone(world.scheduler.base_roster());
    let mut later = World::around(Scheduler::restore(roster, Limits::default(), restored, now), now);
    later.segments.clone_from(&world.segments);
    later
}

#[test]
fn a_request_with_steps_is_a_process_and_a_task_for_each_step() {
    let world = with_filing();
    assert_eq!(world.story("p"), ["admit_process"]);
    assert_eq!(world.place_of("p/draft"), "offered london");
    assert_eq!(world.place_of("p/review"), "waiting predecessor");
    assert_eq!(world.place_of("p/file"), "waiting predecessor");
    let rows: Vec<_> = process(&world).steps.iter().map(|it| (it.task.clone(), it.after.clone())).collect();
    let wanted = [("p/draft", vec![]), ("p/review", vec![0]), ("p/file", vec![1])];
    assert_eq!(rows, wanted.map(|(id, after)| (task_id(id), after)));
    let numbers: Vec<_> = world.log.iter().filter_map(|it| it.task.clone()).collect();
    assert_eq!(numbers[0], (task_id("p"), 1));
    assert_eq!(numbers[1], (task_id("p/draft"), 1));
    assert!(world.task("p/draft").clocks.is_empty(), "the deadline's clock is the process's");
}

#[test]
fn deadlines_are_walked_back_through_the_open_hours_of_the_teams_over_the_night() {
    let world = with_filing();
    // File: two hours before Wednesday noon. Review: an hour of Wednesday and five of Tuesday before that. Draft: three
    // hours of Tuesday, and one of Monday.
    assert_eq!(derived(&world, "p/file"), Some(at("2026-11-25T12:00:00Z")));
    assert_eq!(derived(&world, "p/review"), Some(at("2026-11-25T10:00:00Z")));
    assert_eq!(derived(&world, "p/draft"), Some(at("2026-11-24T12:00:00Z")));
    let latest = world.scheduler.process_forecast(&task_id("p")).expect("it is open").latest;
    let starts: Vec<_> = latest.iter().map(|it| it.expect("a deadline").start_at).collect();
    assert_eq!(starts, ["2026-11-23T16:00:00Z", "2026-11-24T12:00:00Z", "2026-11-25T10:00:00Z"].map(at));
    let (_, brief) = world.last_offer("p/draft");
    assert_eq!((brief.due_at, brief.derived), (Some(at("2026-11-24T12:00:00Z")), true));
}

#[test]
fn a_step_that_two_wait_for_is_due_before_the_earlier_of_them() {
    let mut world = world();
    let steps = vec![step("sort", 60, &[]), step("long", 480, &["sort"]), step("short", 60, &["sort"])];
    let request = WorkRequest { deadline: Some(at("2026-11-25T12:00:00Z")), ..process_of("p", steps) };
    let _ = world.send(request);
    assert_eq!(derived(&world, "p/long"), Some(at("2026-11-25T12:00:00Z")));
    assert_eq!(derived(&world, "p/short"), Some(at("2026-11-25T12:00:00Z")));
    assert_eq!(
        derived(&world, "p/sort"),
        Some(at("2026-11-24T12:00:00Z")),
        "eight hours of work before Wednesday noon"
    );
}

#[test]
fn steps_are_placed_behind_those_that_they_wait_for_whatever_their_order_in_the_request() {
    let mut world = world();
    let steps = vec![step("c", 60, &["a", "b"]), step("b", 60, &["a"]), step("a", 60, &[])];
    let _ = world.send(process_of("p", steps));
    let order: Vec<_> = process(&world).steps.iter().map(|it| it.id.to_string()).collect();
    assert_eq!(order, ["a", "b", "c"]);
    assert_eq!(derived(&world, "p/a"), None, "a process without a deadline asks for nothing");
    assert_eq!(world.place_of("p/a"), "offered london");
}

#[test]
fn each_step_starts_when_those_before_it_are_done_and_the_last_one_completes_the_process() {
    let mut world = with_filing();
    for step in ["p/draft", "p/review", "p/file"] {
        assert_eq!(world.place_of(step), "offered london", "{step}");
        world.accept(step);
        world.complete(step);
    }
    assert_eq!(world.story("p"), ["admit_process", "complete_process", "stop_sla"]);
    let ended = world.ended_processes.last().expect("it ended");
    assert_eq!(ended.state, ProcessState::Completed { at: at(MONDAY) });
    assert_eq!((ended.completed_steps(), ended.cancelled_steps()), (3, 0));
    assert!(matches!(&world.log.last().expect("a record").effect,
        Effect::StopSla(stopped) if stopped.outcome == Outcome::Met && stopped.clock.as_str() == "deadline"));
    assert_eq!(world.scheduler.open_processes().count(), 0);
    assert_eq!(world.send(filing()), Answer::Duplicate(task_id("p")), "it is known after its end");
}

#[test]
fn a_late_step_is_told_of_once_and_eats_the_slack_of_those_behind_it() {
    let mut world = with_filing();
    world.accept("p/draft");
    let before = world.scheduler.process_forecast(&task_id("p")).expect("open");
    let finish =
        |forecast: &heliograph::engine::scheduler::ProcessForecast| forecast.expected[2].expect("known").finish_at;
    assert_eq!(finish(&before), at("2026-11-24T14:00:00Z"));
    assert_eq!(before.critical, [0, 1, 2]);
    world.run_to("2026-11-24T11:59:00Z");
    let late = |world: &World| {
        let is_late =
            |it: &&Recorded| matches!(it.effect, Effect::RaiseEscalation { reason: EscalationReason::StepLate, .. });
        world.log.iter().filter(is_late).map(|it| (it.at, it.task.clone().expect("a step").0)).collect::<Vec<_>>()
    };
    assert_eq!(late(&world), []);
    world.run_to("2026-11-24T13:00:00Z");
    assert_eq!(late(&world), [(at("2026-11-24T12:00:00Z"), task_id("p/draft"))]);
    world.holder("p/draft", |assignment| Change::Progress { assignment, remaining_minutes: 60, note: None });
    // An hour of drafting, three of reviewing on Tuesday and three on Wednesday, two of filing.
    let after = world.scheduler.process_forecast(&task_id("p")).expect("open");
    assert_eq!(finish(&after), at("2026-11-25T14:00:00Z"), "two hours after the deadline");
    assert_eq!(late(&world).len(), 1);
    world.complete("p/draft");
    assert_eq!(late(&world).len(), 1);
    assert!(world.log.iter().all(|it| !matches!(it.effect, Effect::BreachSla(_))), "no promise was broken yet");
}

#[test]
fn a_step_that_cannot_be_in_time_any_more_is_said_to_be_infeasible_when_its_turn_comes() {
    let mut world = with_filing();
    world.accept("p/draft");
    world.run_to("2026-11-25T08:59:00Z");
    assert!(!world.story("p/review").contains(&"report_infeasible"), "nobody knows before its turn");
    world.complete("p/draft");
    assert!(world.story("p/review").contains(&"report_infeasible"));
}

#[test]
fn the_deadline_of_a_process_warns_and_is_breached_once() {
    let mut world = with_filing();
    world.run_to("2026-11-25T13:00:00Z");
    let told: Vec<_> = world
        .log
        .iter()
        .filter_map(|it| match &it.effect {
            Effect::WarnSla(notice) => Some((it.task.clone().expect("a task").0, it.at, notice.percent)),
            Effect::BreachSla(notice) => Some((it.task.clone().expect("a task").0, it.at, notice.percent)),
            _ => None,
        })
        .collect();
    // Three quarters of the 50 hours from Monday ten to Wednesday noon.
    let wanted = [("2026-11-24T23:30:00Z", 75), ("2026-11-25T12:00:00Z", 100)];
    assert_eq!(told, wanted.map(|(when, percent)| (task_id("p"), at(when), percent)));
}

#[test]
fn a_deadline_that_is_past_at_the_admission_is_breached_with_it() {
    let mut world = world();
    let request = WorkRequest { deadline: Some(at("2026-11-23T09:00:00Z")), ..filing() };
    let _ = world.send(request);
    assert_eq!(world.story("p"), ["admit_process", "breach_sla"]);
    world.run_to("2026-11-24T12:00:00Z");
    assert_eq!(world.story("p"), ["admit_process", "breach_sla"]);
}

#[test]
fn more_effort_of_a_step_moves_those_before_it_and_each_move_is_told() {
    let mut world = with_filing();
    world.decline("p/draft", DeclineReason::Busy);
    let amendment = Amendment { effort_minutes: Some(180), ..Amendment::default() };
    world.firm("p/file", Change::Amend(Box::new(amendment)));
    let because = DerivedBecause::StepAmended;
    assert_eq!(derived(&world, "p/file"), Some(at("2026-11-25T12:00:00Z")));
    let (noon, nine) = (Some(at("2026-11-25T10:00:00Z")), Some(at("2026-11-25T09:00:00Z")));
    assert_eq!(moves(&world, "p/review"), [(noon, nine, because)]);
    // Six hours back from Wednesday nine are Tuesday eleven.
    let (before, after) = (Some(at("2026-11-24T12:00:00Z")), Some(at("2026-11-24T11:00:00Z")));
    assert_eq!(moves(&world, "p/draft"), [(before, after, because)]);
    assert_eq!(process(&world).steps[2].effort_minutes, 180);
}

#[test]
fn a_step_that_a_team_has_keeps_its_derived_deadline_until_it_waits_again() {
    let mut world = with_filing();
    let amendment = Amendment { effort_minutes: Some(180), ..Amendment::default() };
    world.firm("p/file", Change::Amend(Box::new(amendment)));
    assert_eq!(derived(&world, "p/draft"), Some(at("2026-11-24T12:00:00Z")));
    world.decline("p/draft", DeclineReason::Busy);
    assert_eq!(derived(&world, "p/draft"), Some(at("2026-11-24T11:00:00Z")));
    assert_eq!(moves(&world, "p/draft").last().expect("a move").2, DerivedBecause::StepReturned);
}

#[test]
fn other_hours_move_derived_deadlines_once() {
    let mut world = with_filing();
    let mut longer = roster(vec![london(), sydney()]);
    longer.digest = heliograph::engine::roster::RosterDigest("1".repeat(64).into());
    let _ = world.step(Event::RosterChanged(Arc::new(longer)));
    // Sydney is open from 22:00 to 06:00: file needs Wednesday 10 to 12, review 9 to 10 and 01 to 06 at night.
    assert_eq!(derived(&world, "p/review"), Some(at("2026-11-25T10:00:00Z")));
    let latest = world.scheduler.process_forecast(&task_id("p")).expect("open").latest;
    assert_eq!(latest[1].expect("a deadline").start_at, at("2026-11-25T01:00:00Z"));
    world.decline("p/draft", DeclineReason::Busy);
    assert_eq!(derived(&world, "p/draft"), Some(at("2026-11-25T01:00:00Z")));
}

#[test]
fn another_deadline_moves_every_open_step_and_warns_anew() {
    let mut world = with_filing();
    let amendment = Amendment { deadline: Some(at("2026-11-26T12:00:00Z")), ..Amendment::default() };
    world.firm("p", Change::Amend(Box::new(amendment)));
    assert_eq!(derived(&world, "p/file"), Some(at("2026-11-26T12:00:00Z")));
    assert_eq!(derived(&world, "p/draft"), Some(at("2026-11-25T12:00:00Z")), "though it is offered");
    assert_eq!(world.story("p"), ["admit_process", "amend_process", "move_due"]);
    // Three quarters of the 74 hours from Monday ten to Thursday noon.
    world.run_to("2026-11-25T18:00:00Z");
    let last = world.log.iter().rfind(|it| matches!(it.effect, Effect::WarnSla(_) | Effect::BreachSla(_)));
    let last = last.map(|it| (it.at, it.effect.event_type()));
    assert_eq!(last, Some((at("2026-11-25T17:30:00Z"), "sla.warned")), "nothing is breached on Wednesday");
}

#[test]
fn cancelling_a_process_cancels_its_open_steps_and_tells_their_teams() {
    let mut world = with_filing();
    world.accept("p/draft");
    world.complete("p/draft");
    world.accept("p/review");
    world.firm("p", Change::Cancel { reason: "settled".into() });
    assert_eq!(world.story("p"), ["admit_process", "cancel_process", "stop_sla"]);
    let ends: Vec<_> = world.log.iter().filter(|it| matches!(it.effect, Effect::Cancel { .. })).collect();
    let ended: Vec<_> = ends.iter().map(|it| (it.task.clone().expect("a task").0, it.addressed.is_some())).collect();
    assert_eq!(ended, [(task_id("p/file"), false), (task_id("p/review"), true)]);
    assert!(!world.story("p/file").contains(&"mark_ready"));
    let ended = world.ended_processes.last().expect("it ended");
    assert_eq!((ended.completed_steps(), ended.cancelled_steps()), (1, 2));
    assert_eq!(ended.state.as_str(), "cancelled");
    assert_eq!(world.scheduler.open_count(), 0);
}

#[test]
fn an_operator_cancels_a_process_with_author_and_reason() {
    let mut world = with_filing();
    let operator = Sender::Operator("local".into());
    world.update(operator, "p", Change::Cancel { reason: "sent twice".into() }).expect("an operator may");
    let last = world.log.iter().rfind(|it| matches!(it.effect, Effect::CancelProcess { .. })).expect("told");
    assert_eq!(last.order, Some(order()));
}

#[test]
fn behind_a_cancelled_step_the_firm_lets_go_on_or_cancels() {
    let mut world = with_filing();
    world.firm("p/draft", Change::Cancel { reason: "we have one".into() });
    assert_eq!(world.place_of("p/review"), "waiting predecessor_cancelled");
    world.firm("p/review", Change::Resume { assignment: None });
    assert_eq!(world.place_of("p/review"), "offered london");
    world.firm("p/review", Change::Cancel { reason: "done elsewhere".into() });
    assert_eq!(world.place_of("p/file"), "waiting predecessor_cancelled");
    world.firm("p/file", Change::Cancel { reason: "all done".into() });
    let ended = world.ended_processes.last().expect("it ended");
    assert_eq!(ended.state.as_str(), "cancelled", "no step of it was completed");
}

#[test]
fn a_process_with_a_cancelled_step_is_completed_by_the_others() {
    let mut world = with_filing();
    world.accept("p/draft");
    world.complete("p/draft");
    world.firm("p/review", Change::Cancel { reason: "waived".into() });
    world.firm("p/file", Change::Resume { assignment: None });
    world.accept("p/file");
    world.complete("p/file");
    let ended = world.ended_processes.last().expect("it ended");
    assert_eq!((ended.state.as_str(), ended.completed_steps(), ended.cancelled_steps()), ("completed", 2, 1));
}

#[test]
fn a_plain_task_behind_a_cancelled_one_goes_on_when_the_firm_says_so() {
    let mut world = world();
    let _ = world.send(request("a"));
    let _ = world.send(WorkRequest { after: vec![task_id("a")], ..request("b") });
    world.firm("a", Change::Cancel { reason: "settled".into() });
    assert_eq!(world.place_of("b"), "waiting predecessor_cancelled");
    world.firm("b", Change::Resume { assignment: None });
    assert_eq!(world.place_of("b"), "offered london");
}

#[test]
fn the_same_request_is_one_process_and_other_content_is_a_conflict() {
    let mut world = with_filing();
    assert_eq!(world.send(filing()), Answer::Duplicate(task_id("p")));
    let other = WorkRequest { digest: RequestDigest("other".into()), ..filing() };
    assert_eq!(world.refused(other), RefusalCode::Conflict);
    let plain = WorkRequest { digest: RequestDigest("plain".into()), ..request("p") };
    assert_eq!(world.refused(plain.clone()), RefusalCode::Conflict, "a plain request of the id of a process");
    let mut later = started_again(&world);
    assert_eq!(later.send(filing()), Answer::Duplicate(task_id("p")), "after a start");
    later.firm("p", Change::Cancel { reason: "settled".into() });
    let ended = EndedTask { id: task_id("p"), digest: filing().digest, state: "cancelled".into(), team: None };
    let mut last = started_again(&later);
    let event = |request| Event::RequestReceived {
        request: Box::new(request),
        ended: Some(ended.clone()),
        predecessors: Vec::new(),
    };
    assert_eq!(last.step(event(filing())).answer, Some(Answer::Duplicate(task_id("p"))), "as the store tells");
    assert!(matches!(last.step(event(plain)).answer, Some(Answer::Refused(_))));
}

#[test]
fn a_process_of_the_roster_is_copied_at_its_admission() {
    let mut world = World::new(MONDAY, with_template(roster(vec![london()])));
    let request = WorkRequest {
        process: Some("filing".parse().expect("an id")),
        deadline: filing().deadline,
        ..process_of("p", Vec::new())
    };
    assert_eq!(world.send(request), Answer::Admitted(task_id("p")));
    assert_eq!(process(&world).template.as_ref().map(|id| id.as_str()), Some("filing"));
    let mut without = roster(vec![london()]);
    without.digest = heliograph::engine::roster::RosterDigest("1".repeat(64).into());
    let _ = world.step(Event::RosterChanged(Arc::new(without)));
    assert_eq!(world.task("p/file").effort_minutes, 120);
    assert_eq!(derived(&world, "p/review"), Some(at("2026-11-25T10:00:00Z")));
}

#[test]
fn a_step_may_ask_for_its_own_and_else_has_what_the_request_says() {
    let mut world = world();
    let own = Step { jurisdiction: Some(place("US-NY")), ..step("own", 60, &[]) };
    let all = Step { effort_minutes: None, ..step("all", 60, &["own"]) };
    let request = WorkRequest {
        jurisdiction: Some(place("GB")),
        effort_minutes: Some(90),
        priority: Some(Priority::High),
        not_before: Some(at("2026-11-23T12:00:00Z")),
        ..process_of("p", vec![own, all])
    };
    let _ = world.send(request);
    let (own, all) = (world.task("p/own"), world.task("p/all"));
    assert_eq!((own.needs.jurisdiction.clone(), own.effort_minutes), (Some(place("US-NY")), 60));
    assert_eq!((all.needs.jurisdiction.clone(), all.effort_minutes), (Some(place("GB")), 90));
    assert_eq!((own.priority, all.priority), (Priority::High, Priority::High));
    assert_eq!(
        (own.not_before, all.not_before),
        (Some(at("2026-11-23T12:00:00Z")), None),
        "only the first waits for it"
    );
}

#[test]
fn a_fault_in_any_step_takes_nothing_in_and_names_the_step() {
    let mut world = World::new(MONDAY, with_template(roster(vec![london()])));
    let unknown = Step { work_type: "juggling".parse().expect("a work type"), ..step("b", 60, &["a"]) };
    let (code, field, _) = refusal(&mut world, process_of("p", vec![step("a", 60, &[]), unknown]));
    assert_eq!((code, &*field), (RefusalCode::UnknownWorkType, "steps[1].work_type"));
    let mut without = with_template(roster(vec![london()]));
    without.work_types.values_mut().for_each(|kind| kind.effort_minutes = None);
    let silent = Step { effort_minutes: None, ..step("b", 60, &[]) };
    let mut other = World::new(MONDAY, without);
    let (code, field, _) = refusal(&mut other, process_of("p", vec![step("a", 60, &[]), silent]));
    assert_eq!((code, &*field), (RefusalCode::MissingField, "steps[1].effort_minutes"));
    let (code, field, _) = refusal(&mut world, WorkRequest { sla: Some("iron".parse().expect("an id")), ..filing() });
    assert_eq!((code, &*field), (RefusalCode::UnknownSla, "sla"));
    let long = "s".repeat(128);
    let request =
        WorkRequest { id: "r".repeat(125).parse().expect("an id"), ..process_of("p", vec![step(&long, 60, &[])]) };
    let (code, field, message) = refusal(&mut world, request);
    assert_eq!((code, &*field), (RefusalCode::InvalidField, "steps[0].id"));
    assert!(message.contains("259 bytes, and 255 are the limit"), "{message}");
    assert_eq!((world.scheduler.open_count(), world.scheduler.open_processes().count()), (0, 0));
}

#[test]
fn a_process_is_taken_in_only_when_there_is_room_for_all_of_its_steps() {
    let roster = roster(vec![london()]);
    let limits = Limits { max_open_tasks: 3 };
    let mut world = World::around(Scheduler::new(Arc::new(roster), limits, at(MONDAY)), at(MONDAY));
    let _ = world.send(request("a"));
    let (code, _, message) = refusal(&mut world, filing());
    assert_eq!(code, RefusalCode::Full);
    assert!(message.contains("has 3 steps, and 3 are the limit"), "{message}");
    assert_eq!(world.scheduler.open_count(), 1);
    world.firm("a", Change::Cancel { reason: "settled".into() });
    assert_eq!(world.send(filing()), Answer::Admitted(task_id("p")));
}

#[test]
fn two_hundred_steps_in_a_row_are_derived_to_the_minute() {
    let mut world = World::new(MONDAY, roster(vec![always("always")]));
    let names: Vec<_> = (0..MAX_STEPS).map(|number| format!("s{number}")).collect();
    let steps = names.iter().enumerate().map(|(at, name)| match at.checked_sub(1) {
        None => step(name, 10, &[]),
        Some(before) => step(name, 10, &[names[before].as_str()]),
    });
    let deadline = at(MONDAY) + minutes(10 * 200 + 5);
    let _ = world.send(WorkRequest { deadline: Some(deadline), ..process_of("p", steps.collect()) });
    for (number, name) in names.iter().enumerate() {
        let left = i64::try_from(MAX_STEPS - 1 - number).expect("a number");
        assert_eq!(derived(&world, &format!("p/{name}")), Some(deadline - minutes(10 * left)), "{name}");
    }
}

#[test]
fn a_request_may_come_after_a_process_and_waits_for_the_whole_of_it() {
    let mut world = world();
    let _ = world.send(WorkRequest { after: vec![task_id("p")], ..request("later") });
    let _ = world.send(filing());
    world.run_to("2026-11-23T12:00:00Z");
    assert!(!world.story("later").contains(&"raise_escalation"), "the process is known");
    world.firm("p", Change::Cancel { reason: "settled".into() });
    assert_eq!(world.place_of("later"), "waiting predecessor_cancelled");

    let mut world = self::world();
    let _ = world.send(WorkRequest { after: vec![task_id("p")], ..request("later") });
    let _ = world.send(process_of("p", vec![step("a", 60, &[]), step("b", 60, &["a"])]));
    for id in ["p/a", "p/b"] {
        assert_eq!(world.place_of("later"), "waiting predecessor");
        world.accept(id);
        world.complete(id);
    }
    assert_eq!(world.place_of("later"), "offered london");
    let _ = world.send(WorkRequest { after: vec![task_id("p")], ..request("after-the-end") });
    assert_eq!(world.place_of("after-the-end"), "offered london", "one that has ended is waited for no more");
}

#[test]
fn the_first_steps_of_a_process_wait_for_what_the_request_waits_for() {
    let mut world = world();
    let _ = world.send(request("a"));
    let _ = world.send(WorkRequest { after: vec![task_id("a")], ..filing() });
    assert_eq!(world.task("p/draft").after, [task_id("a")]);
    assert_eq!(world.task("p/review").after, [task_id("p/draft")]);
    world.accept("a");
    world.complete("a");
    assert_eq!(world.place_of("p/draft"), "offered london");
}

#[test]
fn a_cycle_through_a_process_is_refused_with_the_path() {
    let mut world = world();
    let _ = world.send(WorkRequest { after: vec![task_id("p")], ..request("x") });
    let (code, field, message) = refusal(&mut world, WorkRequest { after: vec![task_id("x")], ..filing() });
    assert_eq!((code, &*field), (RefusalCode::InvalidField, "after"));
    assert!(message.contains("acme/p after acme/x after acme/p"), "{message}");
    let _ = world.send(WorkRequest { after: vec![task_id("z")], ..filing() });
    let (code, _, message) = refusal(&mut world, WorkRequest { after: vec![task_id("x")], ..request("z") });
    assert_eq!(code, RefusalCode::InvalidField);
    assert!(message.contains("acme/z after acme/x after acme/p after acme/z"), "{message}");
}

#[test]
fn a_cycle_through_a_step_is_refused_too() {
    let refused = |world: &mut World, request: WorkRequest| {
        let (code, _, message) = refusal(world, request);
        assert_eq!(code, RefusalCode::InvalidField, "{message}");
        message
    };
    let draft = || task_id("p/draft");
    // Somebody waits for a step of a process that waits for it.
    let mut one = world();
    let _ = one.send(WorkRequest { after: vec![draft()], ..request("x") });
    let message = refused(&mut one, WorkRequest { after: vec![task_id("x")], ..filing() });
    assert!(message.contains("acme/p after acme/x after acme/p/draft"), "{message}");
    // A process waits for a step of its own.
    let _ = refused(&mut world(), WorkRequest { after: vec![draft()], ..filing() });
    // Two processes wait for each other, one of them for a step.
    let mut two = world();
    let _ = two.send(WorkRequest { after: vec![draft()], ..process_of("q", vec![step("only", 60, &[])]) });
    let _ = refused(&mut two, WorkRequest { after: vec![task_id("q")], ..filing() });
}

#[test]
fn amending_a_process_derives_its_deadlines_once() {
    let mut world = with_filing();
    let before = world.log.len();
    let denied = Amendment { denied_countries: Some(vec![place("IN")]), ..Amendment::default() };
    world.firm("p", Change::Amend(Box::new(denied)));
    let told = &world.log[before..];
    let moves = told.iter().filter(|it| matches!(it.effect, Effect::MoveDerived(_))).count();
    assert!(moves <= 3, "{moves} moves of three steps");
}

#[test]
fn what_is_said_of_a_process_goes_for_its_open_steps() {
    let mut world = with_filing();
    world.firm("p", Change::Hold);
    assert_eq!(world.place_of("p/draft"), "waiting held");
    assert!(world.task("p/file").held);
    world.firm("p", Change::Unhold);
    assert_eq!(world.place_of("p/draft"), "offered london");
    world.firm("p", Change::Reprioritise { priority: Priority::Urgent });
    assert_eq!(world.task("p/file").priority, Priority::Urgent);
    assert_eq!(process(&world).priority, Priority::Urgent);
}

#[test]
fn consent_that_comes_for_a_process_lets_every_step_go_abroad() {
    let mut firm = roster(vec![sydney()]);
    firm.clients.values_mut().for_each(|client| client.offshoring = Offshoring::Consent);
    let mut world = World::new("2026-11-23T23:00:00Z", firm);
    let _ = world.send(filing());
    assert_eq!(world.place_of("p/draft"), "waiting no_team_eligible");
    let consent = Consent { offshore: true, reference: Some("C-1".into()) };
    world.firm("p", Change::Amend(Box::new(Amendment { consent: Some(consent), ..Amendment::default() })));
    assert_eq!(world.place_of("p/draft"), "offered sydney");
    assert!(world.task("p/file").needs.consent.is_some());
}

#[test]
fn what_cannot_be_said_of_a_whole_process_is_refused_with_what_to_do() {
    let mut world = with_filing();
    let client = || Sender::Client(client_id("acme"));
    let change = Change::Pause { assignment: None, reason: term("client-question") };
    let refused = world.update(client(), "p", change).expect_err("a step pauses");
    assert_eq!(refused.code, RefusalCode::IllegalMove);
    assert!(refused.message.contains("name the step, such as acme/p/draft"), "{refused}");
    let effort = Amendment { effort_minutes: Some(5), ..Amendment::default() };
    let refused = world.update(client(), "p", Change::Amend(Box::new(effort))).expect_err("of a step");
    assert_eq!((refused.code, refused.field.as_deref()), (RefusalCode::InvalidField, Some("effort_minutes")));
    let deadline = Amendment { deadline: Some(at("2026-11-26T12:00:00Z")), ..Amendment::default() };
    let refused = world.update(client(), "p/draft", Change::Amend(Box::new(deadline))).expect_err("derived");
    assert_eq!(refused.field.as_deref(), Some("deadline"));
    assert!(refused.message.contains("amend the deadline of acme/p"), "{refused}");
    let team = Sender::Team(team_id("london"));
    let refused = world.update(team, "p", Change::Accept { assignment: 1 }).expect_err("no team knows of it");
    assert_eq!(refused.code, RefusalCode::UnknownTask);
    let stranger = Sender::Client(client_id("bolt"));
    let refused = world.update(stranger, "p", Change::Hold).expect_err("it is another firm's");
    assert_eq!(refused.code, RefusalCode::UnknownTask);
    world.firm("p", Change::Cancel { reason: "settled".into() });
    let refused = world.update(client(), "p", Change::Hold).expect_err("it has ended");
    assert_eq!(refused.code, RefusalCode::TaskEnded);
}

#[test]
fn updates_that_come_before_their_process_are_applied_at_its_admission() {
    let mut world = world();
    let deadline = Amendment { deadline: Some(at("2026-11-26T12:00:00Z")), ..Amendment::default() };
    world.firm("p", Change::Amend(Box::new(deadline)));
    world.firm("p/draft", Change::Hold);
    let _ = world.send(filing());
    assert_eq!(world.place_of("p/draft"), "waiting held", "it was never offered");
    assert_eq!(derived(&world, "p/file"), Some(at("2026-11-26T12:00:00Z")));
    assert!(!world.story("p/draft").contains(&"offer"));

    let mut world = self::world();
    world.firm("p", Change::Cancel { reason: "sent by mistake".into() });
    assert_eq!(world.send(filing()), Answer::Admitted(task_id("p")));
    assert_eq!(world.scheduler.open_count(), 0);
    assert!(world.log.iter().all(|it| !matches!(it.effect, Effect::Offer(_))));
}

#[test]
fn a_restored_process_goes_on_as_the_one_before_would_have() {
    let mut world = with_filing();
    world.accept("p/draft");
    world.complete("p/draft");
    let mut later = started_again(&world);
    let nothing = later.step(Event::DeadlineReached);
    assert!(nothing.recorded.is_empty(), "a start alone changes nothing: {:?}", nothing.recorded);
    for world in [&mut world, &mut later] {
        world.log.clear();
        world.accept("p/review");
        world.complete("p/review");
        world.run_to("2026-11-25T13:00:00Z");
        world.firm("p", Change::Cancel { reason: "settled".into() });
    }
    let told =
        |world: &World| world.log.iter().map(|it| (it.at, it.task.clone(), name_of(&it.effect))).collect::<Vec<_>>();
    assert_eq!(told(&later), told(&world));
}

/// Two steps at a team that never closes, both owned, due at noon; the outage begins at ten.
fn cut_off() -> World {
    let mut world = World::new(MONDAY, roster(vec![always("always")]));
    let steps = vec![step("a", 60, &[]), step("b", 60, &[])];
    let _ = world.send(WorkRequest { deadline: Some(at("2026-11-23T12:00:00Z")), ..process_of("p", steps) });
    world.accept("p/a");
    world.accept("p/b");
    started_after(&world, Some(world.now), at("2026-11-23T14:00:00Z"))
}

fn completes(world: &mut World, id: &str, sent_at: &str) {
    let update = Update {
        id: format!("done-{}", id.replace('/', "-")).parse().expect("an id"),
        task: task_id(id),
        sender: Sender::Team(team_id("always")),
        at: Some(at(sent_at)),
        order: None,
        change: Change::Complete { assignment: 1, note: None },
    };
    assert_eq!(world.step(received(update)).answer, Some(Answer::Applied));
}

#[test]
fn steps_that_were_done_in_an_outage_end_their_process_when_the_last_of_them_was_done() {
    for (first, last, story) in [
        ("2026-11-23T11:50:00Z", "2026-11-23T11:10:00Z", &["complete_process", "stop_sla"][..]),
        ("2026-11-23T12:30:00Z", "2026-11-23T11:10:00Z", &["warn_sla", "breach_sla", "complete_process", "stop_sla"]),
    ] {
        let mut world = cut_off();
        completes(&mut world, "p/a", first);
        completes(&mut world, "p/b", last);
        let _ = world.step(Event::OutageEnded);
        world.run(at("2026-11-23T15:00:00Z"));
        assert_eq!(world.story("p"), story);
        let ended = world.ended_processes.last().expect("it ended");
        assert_eq!(ended.state, ProcessState::Completed { at: at(first) }, "whichever was read last");
        let outcome = if story.len() == 2 { Outcome::Met } else { Outcome::Breached };
        let stopped = world.log.iter().find_map(|it| match &it.effect {
            Effect::StopSla(stopped) => Some((stopped.outcome, stopped.stopped_at)),
            _ => None,
        });
        assert_eq!(stopped, Some((outcome, at(first))));
    }
}
