//! Problem documents (RFC 9457): what is wrong, where, and what to do.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::engine::event::{Refusal, RefusalCode};
use crate::engine::id::InvalidId;
use crate::settings::tokens::RoleKind;

use super::backend::{NoSuchTeam, Unavailable};

/// The media type.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// Seconds after which a caller may try again what was not possible now.
const RETRY_AFTER_SECONDS: &str = "1";

/// An error as callers get it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem {
    /// `urn:heliograph:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The same words for each problem of the code.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong this time, with the value and the limit, and what to do.
    pub detail: String,
    /// The code, for programs.
    pub code: &'static str,
    /// The field or the parameter at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl Problem {
    /// A problem without a field.
    pub(super) fn new(status: StatusCode, code: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:heliograph:problem:{code}"),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            code,
            field: None,
        }
    }

    /// A parameter of the address that cannot be used.
    pub(super) fn parameter(name: &str, detail: impl Into<String>) -> Self {
        Self {
            field: Some(name.into()),
            ..Self::new(StatusCode::BAD_REQUEST, "invalid_parameter", "A parameter cannot be used", detail)
        }
    }

    /// An id in the address that cannot exist.
    pub(super) fn id(error: &InvalidId) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_id", "The address has no valid id", error.to_string())
    }

    /// No such thing, or none that the caller may know of.
    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Not found", detail)
    }

    /// Nobody knows who calls.
    pub(super) fn unknown_caller(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unknown_caller", "Who calls is not known", detail)
    }

    /// The caller is known and may not do this.
    pub(super) fn not_allowed(roles: &[RoleKind]) -> Self {
        let words: Vec<_> = roles.iter().map(|role| role.as_str()).collect();
        let detail = format!("the token has none of the roles for this address: {}", words.join(", "));
        Self::new(StatusCode::FORBIDDEN, "not_allowed", "Not allowed", detail)
    }

    /// The caller calls too often.
    pub(super) fn too_often(detail: &str) -> Self {
        let detail = format!("{detail}; wait, and look at http.requests_per_second");
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_often", "Too often", detail)
    }

    /// A limit on how many do the same at once is reached.
    pub(super) fn busy(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, "Too many at once", detail)
    }

    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl From<Unavailable> for Problem {
    fn from(Unavailable(why): Unavailable) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The daemon cannot answer now", why)
    }
}

impl From<NoSuchTeam> for Problem {
    fn from(error: NoSuchTeam) -> Self {
        Self::not_found(error.to_string())
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = status_of(refusal.code);
        let problem = Self::new(status, refusal.code.as_str(), "The message was refused", refusal.message);
        Self { field: refusal.field.map(String::from), ..problem }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status_code();
        let mut response = (status, Json(self)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
        }
        response
    }
}

/// The status that says a refusal best.
fn status_of(code: RefusalCode) -> StatusCode {
    match code {
        RefusalCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        RefusalCode::InvalidJson | RefusalCode::TooDeep | RefusalCode::DuplicateKey => StatusCode::BAD_REQUEST,
        RefusalCode::UnknownField
        | RefusalCode::MissingField
        | RefusalCode::InvalidField
        | RefusalCode::UnknownClient
        | RefusalCode::UnknownWorkType
        | RefusalCode::UnknownTeam
        | RefusalCode::UnknownSla
        | RefusalCode::UnknownProcess
        | RefusalCode::Retired
        | RefusalCode::Poison => StatusCode::UNPROCESSABLE_ENTITY,
        RefusalCode::Conflict | RefusalCode::TaskEnded | RefusalCode::StaleAssignment | RefusalCode::IllegalMove => {
            StatusCode::CONFLICT
        }
        RefusalCode::Identity | RefusalCode::NotAllowed => StatusCode::FORBIDDEN,
        RefusalCode::Full => StatusCode::SERVICE_UNAVAILABLE,
        RefusalCode::UnknownTask => StatusCode::NOT_FOUND,
    }
}
