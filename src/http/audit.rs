//! The chain of facts as records, for whoever checks it elsewhere.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::wire::audit::{Record, Start};
use crate::wire::fact::FactSeq;

use super::backend::Backend;
use super::input::Params;
use super::problem::Problem;
use super::routes::{App, Operation};

/// A page of the chain.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct AuditPage {
    /// Where the chain that is kept begins.
    pub start: Start,
    /// The facts, in sequence.
    pub records: Vec<Record>,
    /// The `after` of the next page; none when this is the last.
    pub next: Option<u64>,
}

/// `GET /api/v1/audit`.
pub(super) async fn page<B: Backend>(State(app): State<App<B>>, uri: Uri) -> Result<Json<AuditPage>, Problem> {
    let params = Params::of(Operation::Audit, &uri)?;
    let limit = params.limit()?;
    let after = FactSeq(params.cursor("after")?.unwrap_or(0));
    let (start, facts) = app.backend.chain(after, limit).await?;
    let next = facts.last().filter(|_| facts.len() >= limit).map(|fact| fact.seq.0);
    Ok(Json(AuditPage { start: start.into(), records: facts.iter().map(Record::from).collect(), next }))
}
