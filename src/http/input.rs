//! What a caller sends: ids in the path, parameters behind the question mark, a body.

use std::fmt::Display;
use std::str::FromStr;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _};

use crate::engine::event::{Refusal, RefusalCode};
use crate::engine::id::{Id, IdKind};
use crate::roster::MAX_TEXT_BYTES;
use crate::wire::{invalid, named, shown};

use super::guard::only;
use super::limits::{DEFAULT_PAGE, MAX_PAGE, Options};
use super::problem::Problem;
use super::routes::Operation;

/// The id in a path.
#[derive(Debug)]
pub(super) struct InPath<K>(pub(super) Id<K>);

impl<K: IdKind, S: Send + Sync> FromRequestParts<S> for InPath<K> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|rejection| {
            Problem::new(StatusCode::BAD_REQUEST, "invalid_id", "The address has no valid id", rejection.body_text())
        })?;
        Id::new(&text).map(Self).map_err(|error| Problem::id(&error))
    }
}

/// The parameters behind the question mark: those of the operation, each at most once.
#[derive(Debug)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    pub(super) fn of(operation: Operation, uri: &Uri) -> Result<Self, Problem> {
        let Query(given) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|rejection| Problem::parameter("?", rejection.body_text()))?;
        let known: Vec<&str> = operation.query().iter().map(|parameter| parameter.name).collect();
        for (position, (name, _)) in given.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let known = if known.is_empty() { "none".into() } else { known.join(", ") };
                return Err(Problem::parameter(name, format!("is not known here; known are: {known}")));
            }
            if given[..position].iter().any(|(earlier, _)| earlier == name) {
                return Err(Problem::parameter(name, "stands twice; give it once"));
            }
        }
        Ok(Self(given))
    }

    /// The text of a parameter.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that is read from its text.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>, Problem> {
        let read = |text: &str| text.parse().map_err(|error: T::Err| Problem::parameter(name, error.to_string()));
        self.text(name).map(read).transpose()
    }

    /// A whole number of 0 to `most`.
    pub(super) fn number(&self, name: &str, most: u64) -> Result<Option<u64>, Problem> {
        self.text(name).map(|text| whole_number(name, text, 0, most)).transpose()
    }

    /// A place in the sequence of facts or arrivals.
    pub(super) fn cursor(&self, name: &str) -> Result<Option<u64>, Problem> {
        self.number(name, MAX_CURSOR)
    }

    /// How many entries an answer may have.
    pub(super) fn limit(&self) -> Result<usize, Problem> {
        let given = self.text("limit").map(|text| whole_number("limit", text, 1, MAX_PAGE as u64)).transpose()?;
        Ok(given.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(DEFAULT_PAGE))
    }
}

/// What a list is asked for: what the caller asks, else the one thing that the caller may see. A caller that asks for
/// another one is given nothing of it, since what is not for the caller is left out.
pub(super) fn one_of_both<T: Clone>(asked: Option<T>, own: Option<&T>) -> Option<T> {
    asked.or_else(|| own.cloned())
}

/// The highest number that a fact or an arrival can have: the store's integers are signed, of 64 bits.
pub(super) const MAX_CURSOR: u64 = i64::MAX.unsigned_abs();

/// A number of a parameter or a header.
pub(super) fn whole_number(name: &str, text: &str, least: u64, most: u64) -> Result<u64, Problem> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| is_digits && (least..=most).contains(number));
    number.ok_or_else(|| Problem::parameter(name, format!("is not a whole number of {least} to {most}; give one")))
}

/// A body of JSON, whole, within the limits of size and time.
pub(super) async fn json_body(headers: &HeaderMap, body: Body, options: &Options) -> Result<Bytes, Problem> {
    whole_body("application/json", options.max_body_bytes, headers, body, options).await
}

/// What a body says, field by field.
///
/// # Errors
/// [`Problem`] that names the field, what was sent there, and what is wrong with it.
pub(super) fn object<T: DeserializeOwned>(body: &[u8], what: &str) -> Result<T, Problem> {
    let sent: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(body).map_err(|error| invalid(&error, what))?;
    let refused = |code, field: &str, message: String| Problem::from(Refusal::of_field(code, named(field), message));
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(body)).map_err(|error| {
        let path = error.path().to_string();
        let said = error.into_inner().to_string();
        // The place in the body is of no use beside the field.
        let said = said.rsplit_once(" at line ").map_or(&*said, |(said, _)| said);
        let quoted = |prefix: &str| said.strip_prefix(prefix).and_then(|rest| rest.split('`').next());
        if let Some(field) = quoted("missing field `") {
            return refused(RefusalCode::MissingField, field, "is missing".into());
        }
        if let Some(field) = quoted("duplicate field `") {
            return refused(RefusalCode::DuplicateKey, field, "is there twice; send it once".into());
        }
        if let Some((_, known)) = said.strip_prefix("unknown field `").and_then(|rest| rest.split_once("`, expected "))
        {
            return refused(RefusalCode::UnknownField, &path, format!("is no field of {what}; there are {known}"));
        }
        // What was sent is quoted once, and only in part.
        let wanted = said.strip_prefix("invalid ").and_then(|rest| rest.rsplit_once(", expected "));
        let advice = wanted.map_or_else(|| said.to_owned(), |(_, wanted)| format!("give {wanted}"));
        let value = sent.get(&path).map_or_else(String::new, quote);
        refused(RefusalCode::InvalidField, &path, format!("{value} cannot be used: {advice}"))
    })
}

/// A value as a problem quotes it.
fn quote(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => shown(text),
        serde_json::Value::Array(_) => "a list".into(),
        serde_json::Value::Object(_) => "an object".into(),
        scalar => scalar.to_string(),
    }
}

/// An instant of a body, with what is wanted when it is none.
pub(super) fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| D::Error::custom(format!("give {AN_INSTANT}")))
}

/// An instant of a body that may be absent or null.
pub(super) fn instant_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(|_| D::Error::custom(format!("give {AN_INSTANT}")))).transpose()
}

/// What is wanted where an instant is.
pub(super) const AN_INSTANT: &str = "an instant such as 2026-11-01T00:00:00Z";

/// A roster as one text, whole, within its limit of size and that of time.
pub(super) async fn text_body(headers: &HeaderMap, body: Body, options: &Options) -> Result<String, Problem> {
    let body = whole_body("application/toml", MAX_TEXT_BYTES, headers, body, options).await?;
    String::from_utf8(body.into()).map_err(|error| {
        let detail = format!("is not UTF-8 text at byte {}: save it as UTF-8", error.utf8_error().valid_up_to());
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "roster_faults", "The roster has faults", detail)
    })
}

async fn whole_body(
    wanted: &'static str,
    max_bytes: usize,
    headers: &HeaderMap,
    body: Body,
    options: &Options,
) -> Result<Bytes, Problem> {
    let within = options.body_within;
    let media_type = only(headers, &header::CONTENT_TYPE).and_then(|text| text.split(';').next()).unwrap_or_default();
    if !media_type.trim().eq_ignore_ascii_case(wanted) {
        let detail = format!("the content type must be {wanted}");
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "wrong_content_type", "Wrong type", detail));
    }
    let announced = only(headers, &header::CONTENT_LENGTH).and_then(|text| text.parse::<usize>().ok());
    if announced.is_some_and(|length| length > max_bytes) {
        return Err(too_large(max_bytes));
    }
    tokio::time::timeout(within, collected(body, max_bytes)).await.unwrap_or_else(|_| {
        let detail = format!("the body was not there within {} s", within.as_secs_f32());
        Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", "The body came too slowly", detail))
    })
}

async fn collected(body: Body, max_bytes: usize) -> Result<Bytes, Problem> {
    let mut whole = Vec::new();
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| {
            Problem::new(StatusCode::BAD_REQUEST, "broken_body", "The body broke off", error.to_string())
        })?;
        if whole.len() + piece.len() > max_bytes {
            return Err(too_large(max_bytes));
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.into())
}

fn too_large(max_bytes: usize) -> Problem {
    Refusal::new(RefusalCode::TooLarge, format!("the body has more than {max_bytes} bytes; send less at once")).into()
}
