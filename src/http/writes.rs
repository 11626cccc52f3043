//! Work requests and updates in; each is answered after the commit that holds it.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::value::RawValue;
use tokio::sync::OwnedSemaphorePermit;

use crate::engine::event::{Refusal, RefusalCode};
use crate::engine::id::TaskKind;

use super::answer::{Applied, Submitted, path_of};
use super::backend::{Backend, SubmitAnswer, Unavailable, UpdateAnswer};
use super::caller::Caller;
use super::input::{InPath, Params, json_body};
use super::limits::MAX_ARRAY;
use super::problem::Problem;
use super::routes::{App, Operation};

/// `POST /api/v1/requests`.
pub(super) async fn submit<B: Backend>(
    State(app): State<App<B>>,
    caller: Caller,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    Params::of(Operation::Submit, &uri)?;
    let _place = place(&app)?;
    let body = json_body(&headers, body, &app.options).await?;
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return submit_array(&app, &caller, &body).await;
    }
    let answer = app.backend.submit(vec![body], caller.submits_for()).await.into_iter().next();
    match answer.ok_or_else(|| unanswered(0, 1))? {
        SubmitAnswer::Refused(refusal) => Err(refusal.into()),
        SubmitAnswer::Unavailable(unavailable) => Err(unavailable.into()),
        answer @ (SubmitAnswer::Admitted { .. } | SubmitAnswer::Duplicate { .. }) => Ok(submitted_one(answer)),
    }
}

fn submitted_one(answer: SubmitAnswer) -> Response {
    let (status, location) = match &answer {
        SubmitAnswer::Admitted { task, state, .. } => {
            (StatusCode::CREATED, HeaderValue::try_from(path_of(task, state)).ok())
        }
        _ => (StatusCode::OK, None),
    };
    let mut response = (status, Json(Submitted::from(answer))).into_response();
    if let Some(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

async fn submit_array<B: Backend>(app: &App<B>, caller: &Caller, body: &Bytes) -> Result<Response, Problem> {
    let requests = elements(body)?;
    let count = requests.len();
    let answers = if count == 0 { Vec::new() } else { app.backend.submit(requests, caller.submits_for()).await };
    if answers.len() != count {
        return Err(unanswered(answers.len(), count));
    }
    if let Some(SubmitAnswer::Unavailable(why)) = answers.first()
        && answers.iter().all(|answer| matches!(answer, SubmitAnswer::Unavailable(_)))
    {
        return Err(why.clone().into());
    }
    Ok(Json(answers.into_iter().map(Submitted::from).collect::<Vec<_>>()).into_response())
}

/// The bytes of each element, not copied.
fn elements(array: &Bytes) -> Result<Vec<Bytes>, Problem> {
    let elements: Vec<&RawValue> = serde_json::from_slice(array)
        .map_err(|error| Refusal::new(RefusalCode::InvalidJson, format!("{error}; send an array of requests")))?;
    if elements.len() > MAX_ARRAY {
        let message =
            format!("the array has {} requests, at most {MAX_ARRAY} go at once; send several", elements.len());
        return Err(Refusal::new(RefusalCode::TooLarge, message).into());
    }
    Ok(elements.into_iter().map(|element| array.slice_ref(element.get().as_bytes())).collect())
}

fn unanswered(answers: usize, requests: usize) -> Problem {
    let why = format!("{answers} of {requests} requests were answered; send them again");
    Unavailable(why).into()
}

/// `POST /api/v1/tasks/{id}/updates`.
pub(super) async fn update<B: Backend>(
    State(app): State<App<B>>,
    caller: Caller,
    InPath(task): InPath<TaskKind>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Applied>, Problem> {
    Params::of(Operation::Update, &uri)?;
    let _place = place(&app)?;
    let body = json_body(&headers, body, &app.options).await?;
    let sender = caller.sender(&body)?;
    match app.backend.update(task.clone(), body, sender).await {
        UpdateAnswer::Applied => Ok(Json(Applied::to(&task))),
        UpdateAnswer::Refused(refusal) => Err(refusal.into()),
        UpdateAnswer::Unavailable(unavailable) => Err(unavailable.into()),
    }
}

/// A place for a body in memory.
pub(super) fn place<B>(app: &App<B>) -> Result<OwnedSemaphorePermit, Problem> {
    app.places.bodies.clone().try_acquire_owned().map_err(|_| {
        let most = app.options.max_bodies;
        Problem::busy(
            "too_many_bodies",
            format!("{most} requests with a body are being handled; try again in a second"),
        )
    })
}
