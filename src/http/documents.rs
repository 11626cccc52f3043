//! Documents about the API itself.

use axum::Json;
use axum::extract::Path;
use axum::http::header;
use axum::response::{Html, IntoResponse};

use crate::roster;
use crate::wire::schema::{self, SchemaKind};

use super::openapi::document;
use super::problem::Problem;
use super::routes::{Method, ROUTES};

/// The name of the one schema that is not of a message.
const ROSTER: &str = "roster";

/// `GET /schemas/{kind}`.
pub(super) async fn schema(Path(kind): Path<String>) -> Result<impl IntoResponse, Problem> {
    let text = match SchemaKind::ALL.into_iter().find(|known| known.as_str() == kind) {
        Some(known) => schema::print(known),
        None if kind == ROSTER => format!("{:#}\n", roster::schema()),
        None => {
            let words = SchemaKind::ALL.map(SchemaKind::as_str).join(", ");
            return Err(Problem::not_found(format!("there is no schema of this name; there are: {words}, {ROSTER}")));
        }
    };
    Ok(([(header::CONTENT_TYPE, "application/json")], text))
}

/// `GET /openapi.json`.
pub(super) async fn openapi() -> Json<serde_json::Value> {
    Json(document())
}

/// `GET /`: these addresses.
pub(super) async fn index() -> Html<String> {
    let rows: Vec<String> = ROUTES.iter().map(|route| row(route.method, route.path, route.summary)).collect();
    Html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Heliograph</title><h1>Heliograph</h1>\n\
         <p>Follow-the-sun task scheduler. Addresses of this daemon:</p>\n<dl>\n{}</dl>\n</html>\n",
        rows.concat()
    ))
}

fn row(method: Method, path: &str, summary: &str) -> String {
    let name = format!("<code>{} {path}</code>", method.as_str().to_uppercase());
    let is_link = method == Method::Get && !path.contains('{');
    let term = if is_link { format!("<a href=\"{path}\">{name}</a>") } else { name };
    format!("<dt>{term}</dt><dd>{summary}</dd>\n")
}
