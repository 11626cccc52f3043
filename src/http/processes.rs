//! Processes as they are committed, with the forecast of those that are open.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use schemars::JsonSchema;
use serde::Serialize;

use crate::engine::id::{TaskId, TaskKind};
use crate::engine::process::Process;
use crate::engine::scheduler::ProcessForecast;
use crate::engine::task::{Arrival, Task};
use crate::wire::fact::FactSeq;
use crate::wire::process_view::{ProcessBrief, ProcessView};

use super::answer::{FactView, HistoryPage};
use super::backend::{Backend, ProcessFilter};
use super::caller::Caller;
use super::input::{InPath, Params, one_of_both};
use super::problem::Problem;
use super::routes::{App, Operation};

/// The states that processes can be listed by.
const STATES: [&str; 3] = ["open", "completed", "cancelled"];

/// A process, the tasks of its steps, and its forecast while it is open.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessReport {
    /// The process.
    pub process: Process,
    /// The tasks of its steps, in their order.
    pub tasks: Vec<Task>,
    /// When its steps are expected to be done.
    pub forecast: Option<ProcessForecast>,
}

/// A page of processes.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ProcessPage {
    /// The processes, in order of arrival.
    processes: Vec<ProcessBrief>,
    /// The `cursor` of the next page; none when this is the last.
    next: Option<String>,
}

/// `GET /api/v1/processes`.
pub(super) async fn list<B: Backend>(
    State(app): State<App<B>>,
    caller: Caller,
    uri: Uri,
) -> Result<Json<ProcessPage>, Problem> {
    let params = Params::of(Operation::Processes, &uri)?;
    let limit = params.limit()?;
    let filter = ProcessFilter {
        client: one_of_both(params.parsed("client")?, caller.sight().0),
        matter: params.parsed("matter")?,
        state: params.text("state").map(state).transpose()?,
        after: params.cursor("cursor")?.map(Arrival),
        limit,
    };
    let found = app.backend.processes(filter).await?;
    let next = found.last().filter(|_| found.len() >= limit).map(|process| process.arrival.0.to_string());
    let processes = found.iter().filter(|process| caller.may_see_process(process));
    Ok(Json(ProcessPage { processes: processes.map(ProcessBrief::from).collect(), next }))
}

fn state(text: &str) -> Result<&'static str, Problem> {
    let known = STATES.into_iter().find(|state| *state == text);
    known.ok_or_else(|| Problem::parameter("state", format!("is none of {}", STATES.join(", "))))
}

/// `GET /api/v1/processes/{id}`.
pub(super) async fn show<B: Backend>(
    State(app): State<App<B>>,
    caller: Caller,
    InPath(id): InPath<TaskKind>,
    uri: Uri,
) -> Result<Json<ProcessView>, Problem> {
    Params::of(Operation::Process, &uri)?;
    let ProcessReport { process, tasks, forecast } = visible(&app, &caller, &id).await?;
    Ok(Json(ProcessView::of(&process, &tasks, forecast.as_ref())))
}

/// `GET /api/v1/processes/{id}/history`.
pub(super) async fn history<B: Backend>(
    State(app): State<App<B>>,
    caller: Caller,
    InPath(id): InPath<TaskKind>,
    uri: Uri,
) -> Result<Json<HistoryPage>, Problem> {
    let params = Params::of(Operation::ProcessHistory, &uri)?;
    let limit = params.limit()?;
    let after = FactSeq(params.cursor("after")?.unwrap_or(0));
    visible(&app, &caller, &id).await?;
    let facts = app.backend.history(&id, after, limit).await?;
    let next = facts.last().filter(|_| facts.len() >= limit).map(|fact| fact.seq.0);
    Ok(Json(HistoryPage { facts: facts.iter().map(FactView::from).collect(), next }))
}

/// The process, when there is one and the caller may know of it.
pub(super) async fn visible<B: Backend>(app: &App<B>, caller: &Caller, id: &TaskId) -> Result<ProcessReport, Problem> {
    let found = app.backend.process(id).await?.filter(|found| caller.may_see_process(&found.process));
    found.ok_or_else(|| Problem::not_found(format!("there is no process {id}")))
}
