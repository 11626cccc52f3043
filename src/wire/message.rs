//! Messages out, as plain data: events, messages to teams, receipts, and messages that are set aside.
//!
//! A message of a fact has the same id and the same bytes each time it is made, so that a second copy can be told.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::engine::effect::Answer;
use crate::engine::event::Refusal;
use crate::engine::id::{ClientId, RequestId, TaskId};

use super::digest::hex;
use super::fact::{Fact, FactSeq};

/// Header with the original properties and headers of a rejected message.
pub const ORIGINAL_HEADER: &str = "x-heliograph-original";
/// Header with the reason of a rejection.
pub const REASON_HEADER: &str = "x-heliograph-reason";
/// Most bytes of an AMQP routing key, and so of a `reply_to`.
const MAX_ROUTING_KEY_BYTES: usize = 255;

/// A message to be published: persistent, JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Where to.
    pub exchange: ExchangeName,
    /// Routing key.
    pub routing_key: String,
    /// Whether the broker must return it when nobody would get it.
    pub mandatory: bool,
    /// Stable id.
    pub message_id: String,
    /// What it is: an event type, or the word of a work message.
    pub message_type: String,
    /// The task.
    pub correlation_id: Option<String>,
    /// When it was decided.
    pub at: DateTime<Utc>,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Arc<[u8]>,
}

/// The exchanges that the daemon publishes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExchangeName {
    /// Facts that are addressed to a team.
    Work,
    /// All facts.
    Events,
    /// Messages that are set aside.
    Rejected,
    /// Receipts.
    Replies,
}

impl ExchangeName {
    /// All of them, in the order of the code.
    pub const ALL: [Self; 4] = [Self::Work, Self::Events, Self::Rejected, Self::Replies];

    /// The name without the settable prefix's change.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Work => "heliograph.work",
            Self::Events => "heliograph.events",
            Self::Rejected => "heliograph.rejected",
            Self::Replies => "heliograph.replies",
        }
    }
}

/// The event of a fact, with routing key `<noun>.<verb>.<client or ->.<team or ->`; `None` when its body was purged.
#[must_use]
pub fn event(incarnation: &str, fact: &Fact) -> Option<Outgoing> {
    if fact.body.is_empty() {
        return None;
    }
    let client = fact.client.as_ref().map_or("-", |id| id.as_str());
    let team = fact.team.as_ref().map_or("-", |id| id.as_str());
    Some(Outgoing {
        exchange: ExchangeName::Events,
        routing_key: format!("{}.{client}.{team}", fact.event_type),
        mandatory: false,
        message_id: format!("{incarnation}.{}.e", fact.seq.0),
        message_type: fact.event_type.as_ref().into(),
        correlation_id: fact.task.as_ref().map(|(task, _)| task.as_str().into()),
        at: fact.at,
        headers: Vec::new(),
        body: Arc::clone(&fact.body),
    })
}

/// The message of a fact to its team, with the packet and then the payload as its last members when the fact carries
/// them; `None` when the fact is not addressed to a team or its body was purged.
#[must_use]
pub fn work(incarnation: &str, fact: &Fact, payload: Option<&[u8]>) -> Option<Outgoing> {
    let (message, team) = (fact.addressed?, fact.team.as_ref()?);
    if fact.body.is_empty() {
        return None;
    }
    let payload = payload.filter(|payload| fact.with_payload && !payload.is_empty());
    Some(Outgoing {
        exchange: ExchangeName::Work,
        routing_key: team.as_str().into(),
        mandatory: true,
        message_id: work_id(incarnation, fact.seq),
        message_type: message.as_str().into(),
        correlation_id: fact.task.as_ref().map(|(task, _)| task.as_str().into()),
        at: fact.at,
        headers: Vec::new(),
        body: with_members(fact, payload),
    })
}

/// The id of a fact's message to its team.
#[must_use]
pub fn work_id(incarnation: &str, seq: FactSeq) -> String {
    format!("{incarnation}.{}.w", seq.0)
}

/// The body with what only the team is told at its end.
fn with_members(fact: &Fact, payload: Option<&[u8]>) -> Arc<[u8]> {
    if fact.packet.is_none() && payload.is_none() {
        return Arc::clone(&fact.body);
    }
    let mut parts = vec![fact.body.strip_suffix(b"}").unwrap_or(&fact.body)];
    for (name, value) in [(br#","packet":"#.as_slice(), fact.packet.as_deref()), (br#","payload":"#, payload)] {
        if let Some(value) = value {
            parts.extend([name, value]);
        }
    }
    parts.push(b"}");
    parts.concat().into()
}

/// Why a `reply_to` is not answered; such values are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum ReplyIgnored {
    /// It is not `<client>.<anything>` of the client that sent the request.
    #[error("reply_to does not start with the client's id and a dot")]
    NotTheClients,
    /// It is longer than a routing key may be.
    #[error("reply_to is longer than 255 bytes")]
    TooLong,
    /// It has characters outside printable ASCII.
    #[error("reply_to has characters outside printable ASCII")]
    NotPrintable,
}

impl ReplyIgnored {
    /// All reasons.
    pub const ALL: [Self; 3] = [Self::NotTheClients, Self::TooLong, Self::NotPrintable];

    /// The word used in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotTheClients => "not_the_clients",
            Self::TooLong => "too_long",
            Self::NotPrintable => "not_printable",
        }
    }
}

/// What a receipt answers.
#[derive(Debug, Clone, Copy)]
pub struct Receipted<'a> {
    /// Who sent the request.
    pub client: &'a ClientId,
    /// Its id, as far as known.
    pub request: Option<&'a RequestId>,
    /// When it was answered.
    pub at: DateTime<Utc>,
    /// The answer.
    pub answer: &'a Answer,
}

/// The body of a receipt.
#[derive(Serialize)]
struct Receipt<'a> {
    outcome: &'static str,
    client: &'a ClientId,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a RequestId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<&'a TaskId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a Refusal>,
}

/// The receipt for a request with a `reply_to`.
///
/// # Errors
/// [`ReplyIgnored`] when the value is not one that is answered.
pub fn receipt(incarnation: &str, reply_to: &str, receipted: Receipted<'_>) -> Result<Outgoing, ReplyIgnored> {
    if reply_to.len() > MAX_ROUTING_KEY_BYTES {
        return Err(ReplyIgnored::TooLong);
    }
    if !reply_to.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ReplyIgnored::NotPrintable);
    }
    let is_clients =
        reply_to.split_once('.').is_some_and(|(client, rest)| client == receipted.client.as_str() && !rest.is_empty());
    if !is_clients {
        return Err(ReplyIgnored::NotTheClients);
    }
    let (outcome, task, refusal) = match receipted.answer {
        Answer::Admitted(task) => ("admitted", Some(task), None),
        Answer::Duplicate(task) => ("duplicate", Some(task), None),
        Answer::Applied => ("applied", None, None),
        Answer::Refused(refusal) => ("refused", None, Some(refusal)),
    };
    let body = json(&Receipt { outcome, client: receipted.client, id: receipted.request, task, refusal });
    Ok(Outgoing {
        exchange: ExchangeName::Replies,
        routing_key: reply_to.into(),
        mandatory: false,
        message_id: format!("{incarnation}.{}.r", content_id(&[reply_to.as_bytes(), &body])),
        message_type: "receipt".into(),
        correlation_id: task.map(|task| task.as_str().into()),
        at: receipted.at,
        headers: Vec::new(),
        body: body.into(),
    })
}

/// A message that is set aside: the body untouched; the original's properties and headers (`original`, a JSON object
/// within a frame's limit) and the reason as headers.
#[must_use]
pub fn rejected(incarnation: &str, original: &str, refusal: &Refusal, at: DateTime<Utc>, body: Arc<[u8]>) -> Outgoing {
    let reason = String::from_utf8(json(refusal)).expect("JSON is UTF-8");
    let id = content_id(&[original.as_bytes(), reason.as_bytes(), &body]);
    Outgoing {
        exchange: ExchangeName::Rejected,
        routing_key: ExchangeName::Rejected.as_str().into(),
        mandatory: true,
        message_id: format!("{incarnation}.{id}.x"),
        message_type: "rejected".into(),
        correlation_id: None,
        at,
        headers: vec![(ORIGINAL_HEADER.into(), original.into()), (REASON_HEADER.into(), reason)],
        body,
    }
}

/// An id that depends on the content alone, so that a redelivery gives the same one.
fn content_id(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hex(&hasher.finalize()[..16])
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("a message is plain data")
}
