//! Processes with their steps, their payload and their end.

use std::sync::Arc;

use chrono::TimeDelta;
use heliograph::engine::id::TaskId;
use heliograph::engine::process::{Process, ProcessState, ProcessStep, StepEnd, StepOf};
use heliograph::engine::request::{Priority, RequestDigest};
use heliograph::engine::sla::Clock;
use heliograph::engine::task::{Arrival, Task};
use heliograph::store::{Batch, ProcessQuery, ProcessRow};
use heliograph::wire::fact::FactSeq;

use super::{Backend, Sealed, by, commit, forget_all, recovered, refused};
use crate::samples::{at, cancelled, client, completed, request, task, tasks, waiting};

/// An open process of `acme` with one step, whose arrival is the one behind its own.
fn process(name: &str, arrival: u64) -> Process {
    let id = TaskId::of(&client("acme"), &request(name));
    Process {
        arrival: Arrival(arrival),
        request: request(name),
        client: client("acme"),
        matter: "M-1".parse().expect("a matter"),
        digest: RequestDigest("ab".into()),
        template: None,
        priority: Priority::Normal,
        deadline: Some(at(60)),
        clock: Some(Clock::running_to(at(60), at(0))),
        admitted_at: at(0),
        steps: vec![ProcessStep {
            id: request("draft"),
            task: format!("{id}/draft").parse().expect("a task id"),
            arrival: Arrival(arrival + 1),
            work_type: "document_review".parse().expect("a work type"),
            effort_minutes: 60,
            after: Vec::new(),
            ended: None,
        }],
        state: ProcessState::Open,
        task_seq: 0,
        id,
    }
}

fn step_of(process: &Process) -> Task {
    let step = &process.steps[0];
    Task {
        id: step.task.clone(),
        request: process.request.clone(),
        process: Some(Box::new(StepOf {
            process: process.id.clone(),
            process_arrival: process.arrival,
            step: step.id.clone(),
            derived: Some(at(60) - TimeDelta::minutes(1)),
            late_told: false,
        })),
        ..task(step.arrival.0, waiting())
    }
}

fn row_of(process: &Process) -> ProcessRow {
    ProcessRow { process: Arc::new(process.clone()), next_due_at: process.deadline }
}

fn only(process: &Process) -> Batch {
    Batch { processes: vec![row_of(process)], ..Batch::default() }
}

fn admitted(process: &Process) -> Batch {
    let payloads = vec![(process.id.clone(), Arc::from(&b"{\"secret\":1}"[..]))];
    Batch { processes: vec![row_of(process)], payloads, ..tasks(&[step_of(process)]) }
}

fn ended(process: &Process) -> Process {
    let mut ended = Process { state: ProcessState::Completed { at: at(5) }, ..process.clone() };
    ended.steps[0].ended = Some(StepEnd { at: at(5), completed_by: "sydney".parse().ok() });
    ended
}

pub fn a_process_comes_back_with_its_steps_and_one_payload_for_all_of_them<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let process = process("p", 4);
    commit(&mut *backend.open(), &admitted(&process));
    let found = recovered(&backend);
    assert_eq!((&found.processes[..], &found.open[..]), (&[process.clone()][..], &[step_of(&process)][..]));
    assert_eq!(found.next_arrival, 6);
    let writer = backend.open();
    let mut reader = writer.reader().expect("a reader");
    let known = reader.process(&process.id).expect("an answer");
    assert_eq!(known, Some((process.clone(), vec![step_of(&process)])));
    let payload = reader.payload(&process.steps[0].task).expect("an answer");
    assert_eq!(payload.as_deref(), Some(&b"{\"secret\":1}"[..]));
    assert_eq!(reader.process(&process.steps[0].task).expect("an answer"), None, "a step is no process");
}

pub fn an_ended_process_answers_for_its_id_and_is_never_changed_again<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let process = process("p", 4);
    commit(&mut *backend.open(), &admitted(&process));
    let last = Task { state: completed("sydney", 5), ..step_of(&process) };
    commit(&mut *backend.open(), &Batch { tasks: tasks(std::slice::from_ref(&last)).tasks, ..only(&ended(&process)) });
    assert!(recovered(&backend).processes.is_empty());
    let writer = backend.open();
    let known = writer.reader().expect("a reader").ended(&[last.id, process.id.clone()]).expect("an answer");
    let states: Vec<_> = known.into_iter().map(|it| it.expect("it is known")).collect();
    assert_eq!((&states[1].id, &states[1].digest), (&process.id, &process.digest));
    assert_eq!((&*states[0].state, &*states[1].state), ("completed", "completed"));
    drop(writer);
    refused(&mut *backend.open(), &only(&process), "a process that has ended is never changed");
}

pub fn a_request_is_a_task_or_a_process_and_a_step_has_one<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let process = process("p", 4);
    commit(&mut *backend.open(), &admitted(&process));
    let plain = Task { id: process.id.clone(), process: None, ..step_of(&process) };
    let plain = Task { arrival: Arrival(9), ..plain };
    refused(&mut *backend.open(), &tasks(std::slice::from_ref(&plain)), "a process has the id of the task");
    let stray = Task { arrival: Arrival(30), ..step_of(&self::process("q", 20)) };
    refused(&mut *backend.open(), &tasks(&[stray]), "a step has no process");
    let other = Process { digest: RequestDigest("cd".into()), ..process };
    refused(&mut *backend.open(), &only(&other), "unique");
    let alone = Task { id: "acme/alone".parse().expect("an id"), request: request("alone"), ..plain };
    commit(&mut *backend.open(), &tasks(&[alone]));
    refused(&mut *backend.open(), &only(&self::process("alone", 40)), "a task has the id of the process");
}

pub fn processes_are_listed_by_client_matter_and_state<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut writer = backend.open();
    for (name, arrival) in [("p", 4), ("q", 6), ("r", 8)] {
        commit(&mut *writer, &admitted(&process(name, arrival)));
    }
    commit(&mut *writer, &only(&ended(&process("q", 6))));
    let mut reader = writer.reader().expect("a reader");
    let mut names = |query: ProcessQuery| -> Vec<String> {
        let found = reader.processes(&query).expect("an answer");
        found.iter().map(|process| process.request.to_string()).collect()
    };
    let all = ProcessQuery { limit: 10, ..ProcessQuery::default() };
    assert_eq!(names(all.clone()), ["p", "q", "r"]);
    assert_eq!(names(ProcessQuery { state: Some("open".into()), ..all.clone() }), ["p", "r"]);
    let matter = "M-1".parse().ok();
    assert_eq!(names(ProcessQuery { client: Some(client("acme")), matter, limit: 1, ..all.clone() }), ["p"]);
    assert_eq!(names(ProcessQuery { matter: "M-2".parse().ok(), ..all.clone() }), Vec::<String>::new());
    assert_eq!(names(ProcessQuery { after_arrival: Some(4), ..all }), ["q", "r"]);
}

pub fn a_process_is_emptied_after_its_steps_and_forgotten_with_its_last_fact<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut writer = backend.open();
    let process = process("p", 4);
    let fact_of = |id: &TaskId, sealed: &mut Sealed, note| {
        let subject = Task { id: id.clone(), ..step_of(&process) };
        sealed.fact(&subject, 1, 1, Some(note))
    };
    let mut sealed = Sealed::default();
    let facts =
        vec![fact_of(&process.id, &mut sealed, "of it"), fact_of(&process.steps[0].task, &mut sealed, "of a step")];
    commit(&mut *writer, &Batch { watermark: Some(FactSeq(2)), facts, ..admitted(&process) });
    let step = Task { state: cancelled(4), ..step_of(&process) };
    commit(&mut *writer, &tasks(std::slice::from_ref(&step)));
    let done = forget_all(&mut *writer, &by(5, -1));
    assert_eq!((done.payloads, done.words), (0, 2), "the step, while the process is open: {done:?}");

    let reason = "the client settled".to_owned();
    let over = Process { state: ProcessState::Cancelled { at: at(5), reason }, ..ended(&process) };
    commit(&mut *writer, &only(&over));
    let mut reader = writer.reader().expect("a reader");
    assert_eq!(reader.process(&process.id).expect("an answer").map(|found| found.0).as_ref(), Some(&over));
    let done = forget_all(&mut *writer, &by(6, -1));
    assert_eq!((done.payloads, done.words), (1, 2), "its payload, its reason and its fact: {done:?}");
    let left = reader.process(&process.id).expect("an answer").expect("its row stays");
    assert_eq!(left.0.state, ProcessState::Cancelled { at: at(5), reason: String::new() });
    assert_eq!(reader.payload(&process.steps[0].task).expect("an answer"), None);

    let last = sealed.fact(&task(99, waiting()), 1, 9, None);
    commit(&mut *writer, &Batch { facts: vec![last], watermark: Some(FactSeq(3)), ..Batch::default() });
    let done = forget_all(&mut *writer, &by(6, 6));
    assert_eq!((done.facts, done.tasks), (2, 2), "{done:?}");
    assert_eq!(reader.process(&process.id).expect("an answer"), None);
}
