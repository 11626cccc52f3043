//! From a request with steps to its process and the tasks of the steps. Everything is checked before anything is taken in.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::{Process, ProcessState, ProcessStep, StepOf};
use crate::engine::admission;
use crate::engine::event::{Refusal, RefusalCode};
use crate::engine::id::{Id, RequestId, TaskId};
use crate::engine::request::{Step, WorkRequest};
use crate::engine::roster::Roster;
use crate::engine::sla::Clock;
use crate::engine::task::{Arrival, Task};

/// Most steps of a process.
pub const MAX_STEPS: usize = 200;

/// Most bytes of the id of a step's task: AMQP carries no longer one as the correlation id of a message.
pub const MAX_STEP_ID_BYTES: usize = 255;

/// A process and the tasks of its steps, in the order of its steps.
#[derive(Debug)]
pub struct Planned {
    /// The process.
    pub process: Process,
    /// The tasks; the first has the arrival behind that of the process.
    pub tasks: Vec<Task>,
}

/// Makes a process of a request that names a template or carries steps.
///
/// # Errors
/// A [`Refusal`] that names the field, for a step as `steps[i].field` or with the template and the step.
pub fn plan(
    request: &WorkRequest,
    roster: &Roster,
    arrival: Arrival,
    now: DateTime<Utc>,
) -> Result<Planned, Box<Refusal>> {
    admission::client(request, roster)?;
    let steps = steps_of(request, roster)?;
    let id = TaskId::of(&request.client, &request.id);
    let (mut tasks, mut rows) = (Vec::with_capacity(steps.len()), Vec::with_capacity(steps.len()));
    let mut placed: BTreeMap<&RequestId, usize> = BTreeMap::new();
    for (number, position) in (arrival.0 + 1..).zip(in_order(steps)) {
        let step = &steps[position];
        let at_fault = |refusal| in_step(request, position, &step.id, refusal);
        let mut task = admission::admit(&request_of(request, step), roster, Arrival(number), now).map_err(at_fault)?;
        task.id = task_id(&id, &step.id).map_err(at_fault)?;
        task.after = match step.after.is_empty() {
            true => request.after.clone(),
            false => step.after.iter().map(|name| task_id(&id, name)).collect::<Result<_, _>>().map_err(at_fault)?,
        };
        rows.push(ProcessStep {
            id: step.id.clone(),
            task: task.id.clone(),
            arrival: task.arrival,
            work_type: step.work_type.clone(),
            effort_minutes: task.effort_minutes,
            after: step.after.iter().filter_map(|name| placed.get(name).copied()).collect(),
            ended: None,
        });
        task.process = Some(Box::new(StepOf {
            process: id.clone(),
            process_arrival: arrival,
            step: step.id.clone(),
            derived: None,
            late_told: false,
        }));
        placed.insert(&step.id, placed.len());
        tasks.push(task);
    }
    let process = Process {
        arrival,
        id,
        request: request.id.clone(),
        client: request.client.clone(),
        matter: request.matter.clone(),
        digest: request.digest.clone(),
        template: request.process.clone(),
        priority: request.priority.unwrap_or_default(),
        deadline: request.deadline,
        clock: request.deadline.map(|deadline| Clock::running_to(deadline, now)),
        admitted_at: now,
        steps: rows,
        state: ProcessState::Open,
        task_seq: 0,
    };
    Ok(Planned { process, tasks })
}

fn steps_of<'a>(request: &'a WorkRequest, roster: &'a Roster) -> Result<&'a [Step], Box<Refusal>> {
    let Some(id) = &request.process else { return Ok(&request.steps) };
    let unknown = || {
        let known: Vec<_> = roster.processes.keys().map(Id::as_str).collect();
        let message = format!("{id:?} is not a process of the roster; it has {}", known.join(", "));
        Box::new(Refusal::of_field(RefusalCode::UnknownProcess, "process", message))
    };
    Ok(&roster.processes.get(id).ok_or_else(unknown)?.steps)
}

/// The request of one step: what it says itself comes before what the request says for all. The deadline is the process's,
/// and only a first step waits for what the request waits for.
fn request_of(request: &WorkRequest, step: &Step) -> WorkRequest {
    WorkRequest {
        work_type: Some(step.work_type.clone()),
        jurisdiction: step.jurisdiction.clone().or_else(|| request.jurisdiction.clone()),
        specialty: step.specialty.clone().or_else(|| request.specialty.clone()),
        effort_minutes: step.effort_minutes.or(request.effort_minutes),
        not_before: request.not_before.filter(|_| step.after.is_empty()),
        deadline: None,
        process: None,
        steps: Vec::new(),
        ..request.clone()
    }
}

/// Positions of steps, each behind those that it waits for, else as they stand.
fn in_order(steps: &[Step]) -> Vec<usize> {
    let (mut order, mut placed) = (Vec::with_capacity(steps.len()), BTreeSet::new());
    let mut left: Vec<usize> = (0..steps.len()).collect();
    let is_next = |at: usize, placed: &BTreeSet<&RequestId>| steps[at].after.iter().all(|name| placed.contains(name));
    while let Some(next) = left.iter().position(|at| is_next(*at, &placed)) {
        let next = left.remove(next);
        placed.insert(&steps[next].id);
        order.push(next);
    }
    order
}

fn task_id(process: &TaskId, step: &RequestId) -> Result<TaskId, Box<Refusal>> {
    let text = format!("{process}/{step}");
    let refuse = |message| Box::new(Refusal::of_field(RefusalCode::InvalidField, "id", message));
    if text.len() > MAX_STEP_ID_BYTES {
        return Err(refuse(format!(
            "the task of the step would have an id of {} bytes, and {MAX_STEP_ID_BYTES} are the limit; shorten the id of \
             the request or of the step",
            text.len()
        )));
    }
    TaskId::new(&text).map_err(|error| refuse(error.to_string()))
}

/// What is refused of a step names the step; what the request says for all steps names the request's field.
fn in_step(request: &WorkRequest, position: usize, step: &RequestId, refusal: Box<Refusal>) -> Box<Refusal> {
    let field = refusal.field.as_deref().unwrap_or("id");
    let is_own = match field {
        "work_type" | "id" => true,
        "effort_minutes" => request.effort_minutes.is_none() || refusal.code == RefusalCode::MissingField,
        _ => false,
    };
    if !is_own {
        return refusal;
    }
    Box::new(match &request.process {
        Some(process) => {
            let message = format!("step {step} of {process}: {field} {}", refusal.message);
            Refusal::of_field(refusal.code, "process", message)
        }
        None => Refusal::of_field(refusal.code, format!("steps[{position}].{field}"), refusal.message),
    })
}
