//! What a daemon answers that stands by: how it is, its few metrics, and for everything else who leads.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::answer::{Liveness, Readiness};
use super::backend::{Check, Role};
use super::caller::Caller;
use super::gate::{Door, Gate, admit};
use super::guard;
use super::health::{PROMETHEUS_TEXT, wants_active};
use super::limits::Options;
use super::problem::Problem;
use super::server::{accept_all, end_all};

/// A daemon that stands by, as HTTP sees it.
pub trait Standby: Clone + Send + Sync + 'static {
    /// Its checks; it stands ready when all are well.
    fn checks(&self) -> Vec<Check>;

    /// Whether it looked at the lease lately.
    fn is_live(&self) -> bool;

    /// Who leads, in words.
    fn leader(&self) -> String;

    /// Its metrics, in Prometheus' text format.
    fn metrics(&self) -> String;
}

/// Serves until `stop`; the listener goes on to be there for whoever serves next.
pub async fn serve_standby<S: Standby>(listener: &TcpListener, standby: S, options: Options, stop: CancellationToken) {
    let options = Arc::new(options);
    let gate = Arc::new(Gate::new(options.tokens.clone(), options.requests_per_second));
    let router = Router::new()
        .route("/livez", get(live::<S>))
        .route("/readyz", get(ready::<S>))
        .route("/metrics", get(metrics::<S>))
        .fallback(elsewhere::<S>)
        .layer(middleware::from_fn_with_state(Door { gate, roles: &[] }, admit))
        .with_state(standby);
    let served = accept_all(listener, guard::around(router, &options), &options, &stop).await;
    end_all(served, &options).await;
}

async fn live<S: Standby>(State(standby): State<S>) -> impl IntoResponse {
    let live = standby.is_live();
    (if live { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(Liveness { live }))
}

async fn ready<S: Standby>(State(standby): State<S>, caller: Caller, uri: Uri) -> Result<impl IntoResponse, Problem> {
    let wants_active = wants_active(&uri)?;
    let mut checks = standby.checks();
    let ready = !wants_active && checks.iter().all(|check| check.ok);
    if !caller.reads_all() {
        checks.iter_mut().for_each(|check| check.detail.clear());
    }
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok((status, Json(Readiness { ready, role: Role::Standby, checks })))
}

async fn metrics<S: Standby>(State(standby): State<S>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, PROMETHEUS_TEXT)], standby.metrics())
}

async fn elsewhere<S: Standby>(State(standby): State<S>, caller: Caller) -> Problem {
    let leader = if caller.reads_all() { standby.leader() } else { "another one leads".into() };
    let detail = format!("this daemon stands by; {leader}: ask that one");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "standby", "This daemon stands by", detail)
}
