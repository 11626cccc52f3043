//! Tasks and teams as they are committed.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;

use crate::engine::coverage::{Coverage, MAX_DAYS};
use crate::engine::id::{TaskId, TaskKind};
use crate::engine::outlook::Outlook;
use crate::engine::task::{Arrival, Task};
use crate::wire::fact::FactSeq;
use crate::wire::view::TaskView;

use super::answer::{ExplanationView, FactView, HistoryPage, TaskPage, TeamList};
use super::backend::{Backend, TaskFilter};
use super::caller::Caller;
use super::input::{InPath, Params, one_of_both, whole_number};
use super::problem::Problem;
use super::processes;
use super::routes::{App, Operation};

/// The states that tasks can be listed by.
const STATES: [&str; 5] = ["waiting", "offered", "active", "completed", "cancelled"];

/// `GET /api/v1/tasks`.
pub(super) async fn tasks<B: Backend>(
    State(app): State<App<B>>,
    caller: Caller,
    uri: Uri,
) -> Result<Json<TaskPage>, Problem> {
    let params = Params::of(Operation::Tasks, &uri)?;
    let limit = params.limit()?;
    let (client, team) = caller.sight();
    let filter = TaskFilter {
        client: one_of_both(params.parsed("client")?, client),
        team: one_of_both(params.parsed("team")?, team),
        state: params.text("state").map(state).transpose()?,
        after: params.cursor("cursor")?.map(Arrival),
        limit,
    };
    let tasks = app.backend.tasks(filter).await?;
    let next = tasks.last().filter(|_| tasks.len() >= limit).map(|task| task.arrival.0.to_string());
    let seen = tasks.iter().filter(|task| caller.may_see(task, &app.backend));
    let tasks = seen.map(|task| shown(TaskView::from(task), task, &caller)).collect();
    Ok(Json(TaskPage { tasks, next }))
}

fn state(text: &str) -> Result<&'static str, Problem> {
    let known = STATES.into_iter().find(|state| *state == text);
    known.ok_or_else(|| Problem::parameter("state", format!("is none of {}", STATES.join(", "))))
}

/// `GET /api/v1/tasks/{id}`.
pub(super) async fn task<B: Backend>(
    State(app): State<App<B>>,
    caller: Caller,
    InPath(id): InPath<TaskKind>,
    uri: Uri,
) -> Result<Json<TaskView>, Problem> {
    Params::of(Operation::Task, &uri)?;
    let task = visible(&app, &caller, &id).await?;
    let view = TaskView::with_ledger(&task, &app.backend.segments(&id).await?);
    Ok(Json(shown(view, &task, &caller)))
}

/// A task as a caller may see it: a team is told nothing of what other teams said to it.
fn shown(mut view: TaskView, task: &Task, caller: &Caller) -> TaskView {
    if !caller.reads_client(&task.client) {
        view.turn_downs.retain(|it| caller.teams().any(|own| own.as_str() == it.team));
    }
    view
}

/// `GET /api/v1/tasks/{id}/explanation`.
pub(super) async fn explanation<B: Backend>(
    State(app): State<App<B>>,
    caller: Caller,
    InPath(id): InPath<TaskKind>,
    uri: Uri,
) -> Result<Json<ExplanationView>, Problem> {
    let team = Params::of(Operation::Explanation, &uri)?.parsed("team")?;
    visible(&app, &caller, &id).await?;
    team.as_ref().map_or(Ok(()), |team| app.backend.has_team(team))?;
    let explanation = app.backend.explanation(&id, team.as_ref()).await?.ok_or_else(|| unknown(&id))?;
    Ok(Json(explanation.into()))
}

/// `GET /api/v1/tasks/{id}/history`.
pub(super) async fn history<B: Backend>(
    State(app): State<App<B>>,
    caller: Caller,
    InPath(id): InPath<TaskKind>,
    uri: Uri,
) -> Result<Json<HistoryPage>, Problem> {
    let params = Params::of(Operation::History, &uri)?;
    let limit = params.limit()?;
    let after = FactSeq(params.cursor("after")?.unwrap_or(0));
    let task = visible(&app, &caller, &id).await?;
    let facts = app.backend.history(&id, after, limit).await?;
    let next = facts.last().filter(|_| facts.len() >= limit).map(|fact| fact.seq.0);
    let seen = facts.iter().filter(|fact| caller.may_see_step(fact, &task.client));
    Ok(Json(HistoryPage { facts: seen.map(FactView::from).collect(), next }))
}

/// `GET /api/v1/teams`.
pub(super) async fn teams<B: Backend>(
    State(app): State<App<B>>,
    caller: Caller,
    uri: Uri,
) -> Result<Json<TeamList>, Problem> {
    Params::of(Operation::Teams, &uri)?;
    let mut teams = app.backend.teams().await?;
    teams.retain(|team| caller.reads_all() || caller.is_team(&team.id));
    Ok(Json(TeamList { teams }))
}

/// The task, when there is one and the caller may know of it.
async fn visible<B: Backend>(app: &App<B>, caller: &Caller, id: &TaskId) -> Result<Task, Problem> {
    let task = app.backend.task(id).await?.filter(|task| caller.may_see(task, &app.backend));
    match task {
        Some(task) => Ok(task),
        None if processes::visible(app, caller, id).await.is_ok() => Err(Problem::not_found(format!(
            "{id} is a process, not a task; see /api/v1/processes, or name a step of it"
        ))),
        None => Err(unknown(id)),
    }
}

fn unknown(id: &TaskId) -> Problem {
    Problem::not_found(format!("there is no task {id}"))
}

/// `GET /api/v1/forecast`.
pub(super) async fn forecast<B: Backend>(State(app): State<App<B>>, uri: Uri) -> Result<Json<Outlook>, Problem> {
    Params::of(Operation::Forecast, &uri)?;
    Ok(Json(app.backend.outlook().await?))
}

/// Days of coverage when the caller does not say.
const DEFAULT_DAYS: u32 = 14;

/// `GET /api/v1/coverage`.
pub(super) async fn coverage<B: Backend>(State(app): State<App<B>>, uri: Uri) -> Result<Json<Coverage>, Problem> {
    let params = Params::of(Operation::Coverage, &uri)?;
    let given = params.text("days").map(|text| whole_number("days", text, 1, MAX_DAYS.into())).transpose()?;
    let days = given.and_then(|days| u32::try_from(days).ok()).unwrap_or(DEFAULT_DAYS);
    Ok(Json(app.backend.coverage(days).await?))
}
