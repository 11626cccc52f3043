//! How the daemon is, for supervisors and for Prometheus.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::IntoResponse;

use super::answer::{Liveness, Readiness};
use super::backend::{Backend, Role};
use super::caller::Caller;
use super::input::Params;
use super::problem::Problem;
use super::routes::{App, Operation};

/// The media type of the metrics.
pub(super) const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `GET /livez`: whether the loop ticked lately.
pub(super) async fn live<B: Backend>(State(app): State<App<B>>) -> impl IntoResponse {
    let live = app.backend.health().live;
    (status(live), Json(Liveness { live }))
}

/// `GET /readyz`: every check, and 503 when one fails, or when an active daemon is asked for and this one stands by.
///
/// Details may name tasks and files, so they are for those who may read everything.
pub(super) async fn ready<B: Backend>(
    State(app): State<App<B>>,
    caller: Caller,
    uri: Uri,
) -> Result<impl IntoResponse, Problem> {
    let wants_active = wants_active(&uri)?;
    let health = app.backend.health();
    let ready = health.checks.iter().all(|check| check.ok) && (health.role == Role::Active || !wants_active);
    let mut checks = health.checks;
    if !caller.reads_all() {
        checks.iter_mut().for_each(|check| check.detail.clear());
    }
    Ok((status(ready), Json(Readiness { ready, role: health.role, checks })))
}

/// Whether only an active daemon counts as ready.
pub(super) fn wants_active(uri: &Uri) -> Result<bool, Problem> {
    match Params::of(Operation::Ready, uri)?.text("role") {
        None => Ok(false),
        Some("active") => Ok(true),
        Some(_) => Err(Problem::parameter("role", "can only be active")),
    }
}

/// `GET /metrics`.
pub(super) async fn metrics<B: Backend>(State(app): State<App<B>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, PROMETHEUS_TEXT)], app.backend.metrics())
}

fn status(good: bool) -> StatusCode {
    if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}
