//! What was worked, and what it cost.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::wire::cost::{Cost, CostBy, CostQuery};

use crate::settings::tokens::RoleKind;

use super::backend::Backend;
use super::caller::Caller;
use super::input::{AN_INSTANT, Params};
use super::problem::Problem;
use super::routes::{App, Operation};

/// What was worked for a client or by a team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CostView {
    /// The client or the team.
    pub of: String,
    /// On how many tasks that ended.
    pub tasks: u64,
    /// Open time of the teams that held them, pauses aside, in whole minutes.
    pub worked_minutes: u64,
    /// What that cost by the rates of then, in cents.
    pub cost_cents: u64,
}

/// Costs in the order of the names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CostList {
    /// One entry for each client or team.
    pub costs: Vec<CostView>,
}

impl From<Cost> for CostView {
    fn from(cost: Cost) -> Self {
        let Cost { of, tasks, worked_seconds, cost_cents } = cost;
        Self { of: of.to_string(), tasks, worked_minutes: worked_seconds / 60, cost_cents }
    }
}

/// `GET /api/v1/costs`.
pub(super) async fn costs<B: Backend>(
    State(app): State<App<B>>,
    caller: Caller,
    uri: Uri,
) -> Result<Json<CostList>, Problem> {
    let params = Params::of(Operation::Costs, &uri)?;
    let by = match params.text("by") {
        None | Some("client") => CostBy::Client,
        Some("team") if caller.reads_all() => CostBy::Team,
        // What a team worked is worked for all its clients.
        Some("team") => return Err(Problem::not_allowed(&[RoleKind::Read])),
        Some(_) => return Err(Problem::parameter("by", "is neither client nor team")),
    };
    let instant = |name| {
        let text =
            params.text(name).ok_or_else(|| Problem::parameter(name, format!("is missing; give {AN_INSTANT}")))?;
        let wrong = |_| Problem::parameter(name, format!("{text:?} cannot be used: give {AN_INSTANT}"));
        text.parse::<DateTime<Utc>>().map_err(wrong)
    };
    let (from, until) = (instant("from")?, instant("until")?);
    if until <= from {
        return Err(Problem::parameter("until", "is not after from; give a later instant"));
    }
    let mut costs = app.backend.costs(CostQuery { by, from, until }).await?;
    costs.retain(|cost| caller.reads_all() || cost.of.parse().is_ok_and(|client| caller.reads_client(&client)));
    Ok(Json(CostList { costs: costs.into_iter().map(CostView::from).collect() }))
}
