//! Updates from bytes: what teams, firms and operators say about a task.
//!
//! Each kind has its own fields; those of another kind are unknown to it. Whether the sender may say it, and whether it
//! applies, is the scheduler's to decide.

mod kinds;

use chrono::{DateTime, Utc};
use schemars::{Schema, json_schema};
use sha2::{Digest as _, Sha256};

use crate::engine::event::{Refusal, RefusalCode};
use crate::engine::id::{ClientId, RequestId, TaskId, TeamId};
use crate::engine::update::{Amendment, Change, Order, Sender, Update, UpdateDigest};

use self::kinds::{KINDS, Kind, Said};
use super::form::{At, Fielded, Form, Line, fields, form};
use super::json::{self, Fields, Node};
use super::request::sent_text;
use super::rules::{MAX_DEPTH, MAX_LINE_CHARS, Rules};

/// Name of an operator in the audit log when nothing but the machine is known.
pub const LOCAL_OPERATOR: &str = "local";

/// What is known of the sender before the body is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SenderHint {
    /// The body names it, by exactly one of `team` and `client`.
    InBody,
    /// It is known, from a token or a validated user id; a body that names another one is refused. Operators come only
    /// this way.
    Known(Sender),
}

/// Bytes that are no valid update, and who sent them as far as that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{refusal}")]
pub struct RefusedUpdate {
    /// Why.
    pub refusal: Refusal,
    /// The team that the body names.
    pub team: Option<TeamId>,
    /// The client that the body names.
    pub client: Option<ClientId>,
    /// The sender's id of the update.
    pub id: Option<RequestId>,
}

/// Reads an update.
///
/// # Errors
/// [`RefusedUpdate`] with the first fault: size, encoding, nesting, syntax, then the fields.
pub fn parse(body: &[u8], sender: &SenderHint, rules: &Rules) -> Result<Update, RefusedUpdate> {
    let unknown = |refusal| RefusedUpdate { refusal, team: None, client: None, id: None };
    let text = json::check(body, rules.max_body_bytes, MAX_DEPTH).map_err(unknown)?;
    let node: Node<'_> = serde_json::from_str(text).map_err(|error| unknown(json::invalid(&error, "an update")))?;
    let Node::Object(all) = node else {
        return Err(unknown(Refusal::new(RefusalCode::InvalidJson, "an update is one JSON object; send an object")));
    };
    let (head, rest): (Fields<'_>, Fields<'_>) = all.into_iter().partition(|(key, _)| Head::NAMES.contains(&&**key));
    let (head, rest) = (Node::Object(head), Node::Object(rest));
    read(&head, &rest, sender, &At::root(rules)).map_err(|refusal| RefusedUpdate {
        refusal,
        team: sent_text(&head, "team").and_then(|text| TeamId::new(text).ok()),
        client: sent_text(&head, "client").and_then(|text| ClientId::new(text).ok()),
        id: sent_text(&head, "id").and_then(|text| RequestId::new(text).ok()),
    })
}

/// The digest of what an update says: everything but who sends it and under which id.
#[must_use]
pub fn digest(update: &Update) -> UpdateDigest {
    let mut hash = Sha256::new_with_prefix(b"heliograph.update.v1\0");
    let said = (&update.task, &update.at, &update.change);
    hash.update(serde_json::to_vec(&said).expect("ids, texts and numbers are JSON"));
    if let Some(order) = &update.order {
        hash.update(serde_json::to_vec(order).expect("texts are JSON"));
    }
    UpdateDigest(hash.finalize().into())
}

fn read(head: &Node<'_>, rest: &Node<'_>, hint: &SenderHint, at: &At<'_>) -> Result<Update, Refusal> {
    let head = Head::read(head, at)?;
    let sender = sender(&head, hint, at)?;
    let Some(kind) = KINDS.iter().find(|kind| kind.word == head.kind.0) else {
        let words: Vec<&str> = KINDS.iter().map(|kind| kind.word).collect();
        return Err(at.field("kind").not_a_word(&head.kind.0, &words));
    };
    if let Some((key, _)) = fields(rest, at)?.iter().find(|(key, _)| !kind.names.contains(&&**key)) {
        let known: Vec<&str> = Head::NAMES.iter().chain(kind.names).copied().collect();
        return Err(at.field(key).unknown(&known));
    }
    let Said { change, reason } = (kind.read)(rest, at)?;
    if matches!(&change, Change::Amend(amendment) if **amendment == Amendment::default()) {
        let message = format!(
            "amend changes nothing here; give at least one of {}",
            kind.names.iter().filter(|name| **name != "reason").copied().collect::<Vec<_>>().join(", ")
        );
        return Err(at.field("kind").refuse(RefusalCode::MissingField, message));
    }
    let assignment_missing = match &change {
        Change::Pause { assignment, .. } | Change::Resume { assignment } => assignment.is_none(),
        _ => false,
    };
    if assignment_missing && matches!(sender, Sender::Team(_)) {
        return Err(at.field("assignment").missing());
    }
    let needs_reason = kind.names.contains(&"reason");
    let order = order(head.by, reason, needs_reason, &sender, at)?;
    Ok(Update { id: head.id, task: head.task, sender, at: head.at, order, change })
}

/// What an operator may send is an order, and says why; one that names nobody is its sender's.
fn order(
    by: Option<Line<MAX_LINE_CHARS>>,
    reason: Option<String>,
    needs_reason: bool,
    sender: &Sender,
    at: &At<'_>,
) -> Result<Option<Order>, Refusal> {
    match (sender, by, reason) {
        (Sender::Operator(name), by, Some(reason)) => {
            let by = match by {
                None => name.clone(),
                Some(by) if name == LOCAL_OPERATOR => by.0,
                // Anybody can be named here; who names them stays on record.
                Some(by) => format!("{} (by {name})", by.0),
            };
            Ok(Some(Order { by, reason }))
        }
        (Sender::Operator(_), _, None) if needs_reason => Err(at
            .field("reason")
            .refuse(RefusalCode::MissingField, "is required from an operator; say why, it goes on record")),
        (Sender::Team(_) | Sender::Client(_), Some(_), _) => {
            Err(at.field("by").refuse(RefusalCode::NotAllowed, "is for operators; leave it out"))
        }
        (Sender::Operator(_), _, None) | (Sender::Team(_) | Sender::Client(_), None, _) => Ok(None),
    }
}

/// Who sends it: as the body says, and as is known.
fn sender(head: &Head, hint: &SenderHint, at: &At<'_>) -> Result<Sender, Refusal> {
    let named = match (&head.team, &head.client) {
        (Some(team), None) => Some(Sender::Team(team.clone())),
        (None, Some(client)) => Some(Sender::Client(client.clone())),
        (None, None) => None,
        (Some(_), Some(_)) => return Err(at.field("client").invalid("stands beside team; give the one that sends it")),
    };
    match (named, hint) {
        (Some(named), SenderHint::InBody) => Ok(named),
        (None, SenderHint::InBody) => Err(at
            .field("team")
            .refuse(RefusalCode::MissingField, "is required without client; add the one that sends it")),
        (None, SenderHint::Known(known)) => Ok(known.clone()),
        (Some(named), SenderHint::Known(known)) if named == *known => Ok(named),
        (Some(named), SenderHint::Known(_)) => {
            let field = if matches!(named, Sender::Team(_)) { "team" } else { "client" };
            Err(at
                .field(field)
                .refuse(RefusalCode::Identity, "is not the sender of this message; name yourself or leave it out"))
        }
    }
}

/// The schema of an update: one of the kinds, each with the fields that all have.
pub(super) fn schema() -> Schema {
    let kinds: Vec<Schema> = KINDS.iter().map(kind_schema).collect();
    json_schema!({ "title": "Update", "description": "What a team or a firm says about a task.", "oneOf": kinds })
}

fn kind_schema(kind: &Kind) -> Schema {
    let mut whole = Head::schema();
    let own = (kind.schema)();
    whole.insert("description".into(), own.get("description").cloned().unwrap_or_default());
    for part in ["properties", "required"] {
        match (whole.get_mut(part), own.get(part)) {
            (Some(serde_json::Value::Object(all)), Some(serde_json::Value::Object(more))) => {
                all.extend(more.iter().map(|(name, schema)| (name.clone(), schema.clone())));
            }
            (Some(serde_json::Value::Array(all)), Some(serde_json::Value::Array(more))) => all.extend_from_slice(more),
            _ => {}
        }
    }
    whole.ensure_object()["properties"]["kind"] = serde_json::json!({ "const": kind.word });
    whole
}

form! {
    /// What all updates have.
    struct Head {
        /// The sender's id of the update; unique per sender.
        id: RequestId,
        /// The task it is about: `<client>/<request id>`.
        task: TaskId,
        /// What it says.
        kind: Line<MAX_LINE_CHARS>,
        /// When the sender says it happened.
        at: Option<DateTime<Utc>>,
        /// The team that sends it; exactly one of team and client.
        team: Option<TeamId>,
        /// The client that sends it; exactly one of team and client.
        client: Option<ClientId>,
        /// Who has an operator send it, for the record; the operator when absent.
        by: Option<Line<MAX_LINE_CHARS>>,
    }
}
