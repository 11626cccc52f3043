//! The schemas of the contract: JSON Schema (draft 2020-12) of requests, updates and events, and the AsyncAPI document.
//!
//! Requests and updates come from the declarations that also read them; a name is in the schema when the reader knows
//! it, and only then.

use schemars::{Schema, json_schema};

use super::form::Form;
use super::request::{PAYLOAD, RequestForm};
use super::{asyncapi, event, update};

/// A document that `schema` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SchemaKind {
    /// A work request.
    Request,
    /// An update.
    Update,
    /// An event.
    Event,
    /// Exchanges, queues and messages.
    AsyncApi,
}

impl SchemaKind {
    /// All documents, in the order of the command line.
    pub const ALL: [Self; 4] = [Self::Request, Self::Update, Self::Event, Self::AsyncApi];

    /// The word on the command line and in URLs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Update => "update",
            Self::Event => "event",
            Self::AsyncApi => "asyncapi",
        }
    }
}

/// A document as JSON text, indented, ending in a line feed.
#[must_use]
pub fn print(kind: SchemaKind) -> String {
    let document = match kind {
        SchemaKind::Request => dialect(request()),
        SchemaKind::Update => dialect(update::schema()),
        SchemaKind::Event => dialect(event::schema()),
        SchemaKind::AsyncApi => asyncapi::document(),
    };
    let mut text = serde_json::to_string_pretty(&document).expect("a schema is plain data");
    text.push('\n');
    text
}

/// The schema of a request: what the form reads, and the payload beside it.
pub(super) fn request() -> Schema {
    let mut schema = RequestForm::schema();
    let payload = serde_json::json!({ "description": "Opaque: stored and forwarded, never looked into." });
    schema.ensure_object()["properties"][PAYLOAD] = payload;
    let work = ["work_type", "process", "steps"].map(|name| serde_json::json!({ "required": [name] }));
    schema.insert("anyOf".into(), work.to_vec().into());
    schema.insert("title".into(), "Work request".into());
    schema
}

fn dialect(schema: Schema) -> serde_json::Value {
    let mut whole = json_schema!({ "$schema": "https://json-schema.org/draft/2020-12/schema" });
    whole.ensure_object().extend(schema.as_object().cloned().unwrap_or_default());
    whole.to_value()
}
