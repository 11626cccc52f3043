//! `schema`: the documents of the contract, always as JSON.

use super::failure::Failure;
use super::output::Output;
use crate::http;
use crate::roster;
use crate::wire::schema::{self, SchemaKind};

/// Arguments of `schema`.
#[derive(Debug, clap::Args)]
pub(super) struct SchemaArguments {
    /// Which document
    #[arg(value_enum)]
    document: Document,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Document {
    /// JSON Schema of a work request
    Request,
    /// JSON Schema of an update
    Update,
    /// JSON Schema of an event
    Event,
    /// JSON Schema of a roster
    Roster,
    /// Exchanges, queues and messages
    Asyncapi,
    /// The HTTP API
    Openapi,
}

pub(super) fn run(arguments: &SchemaArguments, output: &mut Output) -> Result<(), Failure> {
    let text = match arguments.document {
        Document::Request => schema::print(SchemaKind::Request),
        Document::Update => schema::print(SchemaKind::Update),
        Document::Event => schema::print(SchemaKind::Event),
        Document::Roster => return output.json(&roster::schema()),
        Document::Asyncapi => schema::print(SchemaKind::AsyncApi),
        Document::Openapi => return output.json(&http::openapi()),
    };
    output.raw(&text)
}
