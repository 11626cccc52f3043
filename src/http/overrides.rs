//! Overrides: set with a preview before, listed, removed.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine::event::{OverrideWish, Refusal};
use crate::engine::id::TeamId;
use crate::engine::overrides::{NewOverride, Override, OverrideKind};

use super::backend::{Backend, Unavailable};
use super::caller::Caller;
use super::input::{Params, json_body, object, whole_number};
use super::problem::Problem;
use super::roster::Consequences;
use super::routes::{App, Operation};
use super::writes::place;

/// How a wish about an override is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OverrideAnswer {
    /// It is done: the number of the override.
    Done(u64),
    /// What it would bring about at once; `None` when too many tasks are open to try it.
    Previewed(Option<Consequences>),
    /// It is not done.
    Refused(Refusal),
    /// Whether it is done is not known; look before it is sent again.
    Unavailable(Unavailable),
}

/// An override as it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OverrideRequest {
    /// The team.
    #[schemars(with = "String")]
    pub team: TeamId,
    /// `close`, `open`, `seats` or `drain`.
    pub kind: String,
    /// How many seats, for `seats`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seats: Option<u32>,
    /// From when on; now when absent.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::input::instant_or_none")]
    #[schemars(with = "Option<String>")]
    pub from: Option<DateTime<Utc>>,
    /// When it ends by itself.
    #[serde(deserialize_with = "super::input::instant")]
    #[schemars(with = "String")]
    pub until: DateTime<Utc>,
    /// Who sets it; a caller with a token is its name, whatever stands here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Why.
    pub reason: String,
    /// Only say what it would bring about at once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub preview: bool,
}

impl OverrideRequest {
    fn wish(self, caller: &Caller) -> Result<OverrideWish, Problem> {
        let kind = match (self.kind.as_str(), self.seats) {
            ("close", None) => OverrideKind::Close,
            ("open", None) => OverrideKind::Open,
            ("drain", None) => OverrideKind::Drain,
            ("seats", Some(seats)) => OverrideKind::Seats { seats },
            ("seats", None) => return Err(invalid("seats", "is missing; say how many")),
            ("close" | "open" | "drain", Some(_)) => return Err(invalid("seats", "is for the kind `seats` only")),
            _ => return Err(invalid("kind", "can only be close, open, seats or drain")),
        };
        let Self { team, from, until, author, reason, .. } = self;
        let author = caller.author(author).ok_or_else(missing_author)?;
        Ok(OverrideWish::Set(Box::new(NewOverride { team, kind, from, until, author, reason })))
    }
}

fn missing_author() -> Problem {
    let message = "is missing; say who sets it";
    Refusal::of_field(crate::engine::event::RefusalCode::MissingField, "author", message).into()
}

fn invalid(field: &str, message: &str) -> Problem {
    Refusal::of_field(crate::engine::event::RefusalCode::InvalidField, field, message).into()
}

/// What was done, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OverrideOutcome {
    /// The number of the override; none for a preview.
    pub id: Option<u64>,
    /// What it would bring about at once; none when it is done, or when too many tasks are open to try it.
    pub consequences: Option<Consequences>,
}

/// All overrides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OverrideList {
    /// Those that stand or are to come, by number.
    #[schemars(with = "Vec<serde_json::Value>")]
    pub overrides: Vec<Override>,
    /// Rises with each change of the roster and of overrides.
    pub check_index: u64,
}

/// `GET /api/v1/overrides`.
pub(super) async fn list<B: Backend>(State(app): State<App<B>>, uri: Uri) -> Result<Json<OverrideList>, Problem> {
    Params::of(Operation::Overrides, &uri)?;
    let (overrides, check_index) = app.backend.overrides().await?;
    Ok(Json(OverrideList { overrides, check_index }))
}

/// `POST /api/v1/overrides`.
pub(super) async fn set<B: Backend>(
    State(app): State<App<B>>,
    caller: Caller,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    Params::of(Operation::SetOverride, &uri)?;
    let _place = place(&app)?;
    let body = json_body(&headers, body, &app.options).await?;
    let request: OverrideRequest = object(&body, "an override")?;
    let preview = request.preview;
    answered(app.backend.override_team(request.wish(&caller)?, preview).await, StatusCode::CREATED)
}

/// `DELETE /api/v1/overrides/{id}`.
pub(super) async fn remove<B: Backend>(
    State(app): State<App<B>>,
    caller: Caller,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, Problem> {
    let params = Params::of(Operation::RemoveOverride, &uri)?;
    let id = whole_number("id", &id, 1, super::input::MAX_CURSOR)?;
    let given = |name: &str| params.text(name).map(str::to_owned);
    let missing = |name| Problem::parameter(name, format!("is missing; give ?{name}=TEXT"));
    let author = caller.author(given("author")).ok_or_else(|| missing("author"))?;
    let wish = OverrideWish::Remove { id, author, reason: given("reason").ok_or_else(|| missing("reason"))? };
    let preview = params.parsed::<bool>("preview")?.unwrap_or(false);
    answered(app.backend.override_team(wish, preview).await, StatusCode::OK)
}

fn answered(answer: OverrideAnswer, done: StatusCode) -> Result<Response, Problem> {
    let (status, outcome) = match answer {
        OverrideAnswer::Done(id) => (done, OverrideOutcome { id: Some(id), consequences: None }),
        OverrideAnswer::Previewed(consequences) => (StatusCode::OK, OverrideOutcome { id: None, consequences }),
        OverrideAnswer::Refused(refusal) if refusal.field.as_deref() == Some("id") => {
            return Err(Problem::not_found(refusal.message.to_string()));
        }
        OverrideAnswer::Refused(refusal) => return Err(refusal.into()),
        OverrideAnswer::Unavailable(why) => return Err(why.into()),
    };
    Ok((status, Json(outcome)).into_response())
}
