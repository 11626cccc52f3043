//! A matter's payloads and notes, forgotten before their time.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine::event::Refusal;
use crate::engine::id::{ClientId, MatterId, TaskId};

use super::backend::{Backend, Unavailable};
use super::caller::Caller;
use super::input::{Params, json_body, object};
use super::problem::Problem;
use super::routes::{App, Operation};
use super::writes::place;

/// Which matter is to be purged, on whose word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PurgeRequest {
    /// The client.
    #[schemars(with = "String")]
    pub client: ClientId,
    /// Its matter.
    #[schemars(with = "String")]
    pub matter: MatterId,
    /// Who asks for it; a caller with a token is its name, whatever stands here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Why.
    pub reason: String,
    /// Only say what would be emptied.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// What was purged, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct PurgeOutcome {
    /// The number of the fact that tells of it; none of a dry run.
    pub fact: Option<u64>,
    /// How many closed tasks are emptied of payload and notes.
    pub count: u64,
    /// The first hundred of them.
    #[schemars(with = "Vec<String>")]
    pub tasks: Vec<TaskId>,
    /// How many tasks are open and left as they are.
    pub open_count: u64,
    /// The first hundred of them.
    #[schemars(with = "Vec<String>")]
    pub left_open: Vec<TaskId>,
    /// Whether it is done: else it goes on by itself, also after a restart. Events that the broker has not taken are waited for.
    pub done: bool,
}

/// How a purge is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PurgeAnswer {
    /// It is recorded, or what a dry run found.
    Taken(PurgeOutcome),
    /// It is not done.
    Refused(Refusal),
    /// Whether it is recorded is not known; look before it is sent again.
    Unavailable(Unavailable),
}

/// `POST /api/v1/purges`.
pub(super) async fn purge<B: Backend>(
    State(app): State<App<B>>,
    caller: Caller,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    Params::of(Operation::Purge, &uri)?;
    let _place = place(&app)?;
    let body = json_body(&headers, body, &app.options).await?;
    let mut request: PurgeRequest = object(&body, "a purge")?;
    request.author = caller.author(request.author);
    let is_dry = request.dry_run;
    match app.backend.purge(request).await {
        PurgeAnswer::Taken(outcome) => {
            let status = if outcome.done || is_dry { StatusCode::OK } else { StatusCode::ACCEPTED };
            Ok((status, Json(outcome)).into_response())
        }
        PurgeAnswer::Refused(refusal) => Err(refusal.into()),
        PurgeAnswer::Unavailable(why) => Err(why.into()),
    }
}
