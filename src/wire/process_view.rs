//! A process as people and programs read it, over HTTP and on the command line.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine::id::Id;
use crate::engine::process::{Process, ProcessState, Span};
use crate::engine::scheduler::ProcessForecast;
use crate::engine::task::{Task, TaskState};

use super::instant;

/// A process in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessBrief {
    /// Its id: `<client>/<request id>`.
    pub id: String,
    /// The firm.
    pub client: String,
    /// The firm's id of the request.
    pub request: String,
    /// The firm's case.
    pub matter: String,
    /// The template of the roster; none when the request carried its steps.
    pub process: Option<String>,
    /// `open`, `completed` or `cancelled`.
    pub state: String,
    /// Why it was cancelled.
    pub reason: Option<String>,
    /// Priority as last asked for.
    pub priority: String,
    /// When all of it must be done.
    pub deadline: Option<String>,
    /// Whether that was passed first.
    pub breached: bool,
    /// How far it is.
    pub progress: Progress,
    /// When it was admitted.
    pub admitted_at: String,
    /// When it ended.
    pub ended_at: Option<String>,
    /// Sequence number of its last fact.
    pub task_seq: u64,
}

/// How far a process is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Progress {
    /// Steps in all.
    pub steps: usize,
    /// Steps that were completed.
    pub completed: usize,
    /// Steps that were cancelled.
    pub cancelled: usize,
    /// Effort of all steps that were not cancelled, in minutes.
    pub effort_minutes: u64,
    /// Effort of the completed ones, in minutes.
    pub completed_minutes: u64,
}

/// A process with its steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessView {
    /// The process.
    #[serde(flatten)]
    pub process: ProcessBrief,
    /// When the forecast was worked out; none of a process that has ended.
    pub as_of: Option<String>,
    /// When it is expected to be done; none is not within the horizon.
    pub expected_finish: Option<String>,
    /// Minutes from that to the deadline, less than 0 when it is late.
    pub slack_minutes: Option<i64>,
    /// The steps that decide when it is done, the first first.
    pub critical_path: Vec<String>,
    /// Its steps, each behind those that it waits for.
    pub steps: Vec<StepView>,
}

/// A step of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepView {
    /// Its name inside the request.
    pub step: String,
    /// Its task.
    pub task: String,
    /// Kind of work.
    pub work_type: String,
    /// The steps that must end first.
    pub after: Vec<String>,
    /// The state of its task.
    pub state: String,
    /// Why that waits.
    pub waits: Option<String>,
    /// The team that has it offered, owns it or completed it.
    pub team: Option<String>,
    /// Effort as last stated by the firm.
    pub effort_minutes: u32,
    /// Effort that is left; none when it has ended.
    pub remaining_minutes: Option<u32>,
    /// When it must be started at the latest for the process to be in time.
    pub latest_start: Option<String>,
    /// When it must be done for the process to be in time: derived, no promise of its own.
    pub derived_deadline: Option<String>,
    /// When it is expected to start.
    pub expected_start: Option<String>,
    /// When it is expected to be done.
    pub expected_finish: Option<String>,
    /// Minutes from that to the derived deadline, less than 0 when it is late.
    pub slack_minutes: Option<i64>,
    /// Whether it is on the critical path.
    pub critical: bool,
    /// When it ended.
    pub ended_at: Option<String>,
}

impl From<&Process> for ProcessBrief {
    fn from(process: &Process) -> Self {
        Self {
            id: text(&process.id),
            client: text(&process.client),
            request: text(&process.request),
            matter: text(&process.matter),
            process: process.template.as_ref().map(text),
            state: process.state.as_str().into(),
            reason: match &process.state {
                ProcessState::Cancelled { reason, .. } => Some(reason.clone()),
                ProcessState::Open | ProcessState::Completed { .. } => None,
            },
            priority: process.priority.as_str().into(),
            deadline: at(process.deadline),
            breached: process.clock.as_ref().is_some_and(|clock| clock.breached_at.is_some()),
            progress: Progress::of(process),
            admitted_at: instant::text(process.admitted_at),
            ended_at: at(process.state.ended_at()),
            task_seq: process.task_seq,
        }
    }
}

impl Progress {
    fn of(process: &Process) -> Self {
        let mut progress = Self {
            steps: process.steps.len(),
            completed: process.completed_steps(),
            cancelled: process.cancelled_steps(),
            effort_minutes: 0,
            completed_minutes: 0,
        };
        for step in &process.steps {
            let is_completed = step.ended.as_ref().map(|end| end.completed_by.is_some());
            let minutes = u64::from(step.effort_minutes);
            progress.effort_minutes += if is_completed == Some(false) { 0 } else { minutes };
            progress.completed_minutes += if is_completed == Some(true) { minutes } else { 0 };
        }
        progress
    }
}

impl ProcessView {
    /// A process with the tasks of its steps and, while it is open, its forecast.
    #[must_use]
    pub fn of(process: &Process, tasks: &[Task], forecast: Option<&ProcessForecast>) -> Self {
        let expected = |position: usize| forecast.and_then(|it| *it.expected.get(position)?);
        let last = (0..process.steps.len()).filter_map(expected).map(|span| span.finish_at).max();
        let is_known =
            (process.steps.iter().enumerate()).all(|(at, step)| step.ended.is_some() || expected(at).is_some());
        let finish = last.filter(|_| is_known);
        let critical = forecast.map_or(&[][..], |it| &it.critical);
        let view = |(position, task): (usize, Option<&Task>)| {
            let latest = forecast.and_then(|it| *it.latest.get(position)?);
            step_view(process, position, task, (expected(position), latest, critical.contains(&position)))
        };
        let task_of = |position: usize| tasks.iter().find(|task| task.id == process.steps[position].task);
        Self {
            process: ProcessBrief::from(process),
            as_of: forecast.map(|it| instant::text(it.at)),
            expected_finish: at(finish),
            slack_minutes: slack(process.deadline, finish),
            critical_path: critical.iter().map(|position| text(&process.steps[*position].id)).collect(),
            steps: (0..process.steps.len()).map(|position| view((position, task_of(position)))).collect(),
        }
    }
}

fn step_view(
    process: &Process,
    position: usize,
    task: Option<&Task>,
    (expected, latest, critical): (Option<Span>, Option<Span>, bool),
) -> StepView {
    let step = &process.steps[position];
    let open = task.filter(|task| !task.state.is_ended());
    let derived = open.and_then(Task::derived_deadline);
    let finish = expected.map(|span| span.finish_at);
    StepView {
        step: text(&step.id),
        task: text(&step.task),
        work_type: text(&step.work_type),
        after: process.names_before(step).iter().map(text).collect(),
        state: task.map_or("waiting", |task| task.state.as_str()).into(),
        waits: task.and_then(|task| match &task.state {
            TaskState::Waiting(waiting) => Some(waiting.reason.as_str().into()),
            _ => None,
        }),
        team: task.and_then(|task| task.state.team()).map(text),
        effort_minutes: step.effort_minutes,
        remaining_minutes: open.map(Task::remaining_minutes),
        latest_start: at(latest.map(|span| span.start_at)),
        derived_deadline: at(derived),
        expected_start: at(expected.map(|span| span.start_at)),
        expected_finish: at(finish),
        slack_minutes: slack(derived, finish),
        critical,
        ended_at: at(step.ended.as_ref().map(|end| end.at)),
    }
}

fn slack(due_at: Option<DateTime<Utc>>, finish: Option<DateTime<Utc>>) -> Option<i64> {
    Some((due_at? - finish?).num_minutes())
}

fn text<K>(id: &Id<K>) -> String {
    id.as_str().into()
}

fn at(at: Option<DateTime<Utc>>) -> Option<String> {
    at.map(instant::text)
}
