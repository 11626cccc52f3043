//! Another roster: what it would change, and bringing it into force.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;

use crate::engine::difference::Difference;
use crate::engine::scheduler::Missing;

use super::backend::{Backend, Unavailable};
use super::input::{MAX_CURSOR, Params, text_body};
use super::problem::Problem;
use super::routes::{App, Operation};

/// What another roster would change, or has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RosterPlan {
    /// Rises with each change of the roster and of overrides; `apply` with it is refused when it has risen meanwhile.
    pub check_index: u64,
    /// Digest of the roster that was sent.
    pub digest: String,
    /// Digest of the roster that was in force before.
    pub in_force: String,
    /// Whether the one that was sent is in force now.
    pub applied: bool,
    /// Why it cannot come into force.
    pub refused: Option<RosterRefusal>,
    /// What differs, entry by entry.
    #[schemars(with = "Vec<serde_json::Value>")]
    pub changes: Vec<Difference>,
    /// What it would bring about at once; none when there are too many open tasks to try it, or when it was not asked for.
    pub consequences: Option<Consequences>,
    /// What is allowed in it but likely not meant.
    pub warnings: Vec<String>,
}

/// What a change brings about at once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Consequences {
    /// How many events of each type.
    pub events: BTreeMap<String, u64>,
    /// The first hundred that are about a task.
    pub tasks: Vec<Consequence>,
}

/// An event that a change would bring about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Consequence {
    /// The task.
    pub task: String,
    /// The type of the event.
    pub event: String,
    /// The team it concerns.
    pub team: Option<String>,
}

/// Why a roster cannot come into force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RosterRefusal {
    /// `in_use`, `earlier`, `moved`, `overrides` or `broker`.
    pub code: String,
    /// Why, and what to do.
    pub detail: String,
    /// What open tasks need and it lacks; the first twenty.
    #[schemars(with = "Vec<serde_json::Value>")]
    pub missing: Vec<Missing>,
}

/// A roster that was sent is not even looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoPlan {
    /// It has faults, one a line.
    Faults(String),
    /// Not now.
    Unavailable(Unavailable),
}

impl From<NoPlan> for Problem {
    fn from(none: NoPlan) -> Self {
        match none {
            NoPlan::Unavailable(why) => why.into(),
            NoPlan::Faults(faults) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "roster_faults", "The roster has faults", faults)
            }
        }
    }
}

/// `POST /api/v1/roster/plan`.
pub(super) async fn plan<B: Backend>(
    State(app): State<App<B>>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<RosterPlan>, Problem> {
    Params::of(Operation::PlanRoster, &uri)?;
    let _place = place(&app)?;
    let text = text_body(&headers, body, &app.options).await?;
    Ok(Json(app.backend.plan_roster(text).await?))
}

/// `POST /api/v1/roster/apply`.
pub(super) async fn apply<B: Backend>(
    State(app): State<App<B>>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<RosterPlan>, Problem> {
    let params = Params::of(Operation::ApplyRoster, &uri)?;
    let check_index = params.number("check_index", MAX_CURSOR)?;
    let check_index = check_index.ok_or_else(|| Problem::parameter("check_index", "is missing; plan gives it"))?;
    let forced = params.parsed::<bool>("force")?.unwrap_or(false);
    let _place = place(&app)?;
    let text = text_body(&headers, body, &app.options).await?;
    let plan = app.backend.apply_roster(text, check_index, forced).await?;
    match plan.refused {
        None => Ok(Json(plan)),
        Some(refusal) => Err(refused(refusal)),
    }
}

/// The one place for a roster in memory: they are long.
fn place<B>(app: &App<B>) -> Result<OwnedSemaphorePermit, Problem> {
    app.places
        .rosters
        .clone()
        .try_acquire_owned()
        .map_err(|_| Problem::busy("roster_busy", "another roster is being looked at; try again in a second"))
}

fn refused(refusal: RosterRefusal) -> Problem {
    let code = match refusal.code.as_str() {
        "in_use" => "roster_in_use",
        "earlier" => "roster_earlier",
        "moved" => "state_moved",
        "broker" => "roster_broker",
        _ => "roster_overrides",
    };
    let lines = refusal.missing.iter().map(|it| format!("\n{} needs {}", it.task, it.needs)).collect::<String>();
    Problem::new(StatusCode::CONFLICT, code, "The roster cannot come into force", refusal.detail + &lines)
}
