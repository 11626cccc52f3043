//! Facts as records for whoever checks the chain elsewhere, and the places of the chain that were anchored.
//!
//! What is checked is how facts follow from each other ([`super::chain`]): a record holds all that a link digests, and the
//! body and packet as they were written, byte for byte.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::engine::id::{ClientId, TaskId, TeamId};

use super::chain::Head;
use super::fact::{Fact, FactSeq, Link};

/// A fact with its digest and its link.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// Its number.
    pub seq: u64,
    /// When it was decided, with milliseconds, which are what the link digests.
    pub at: String,
    /// The event type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The task or the process.
    #[schemars(with = "Option<String>")]
    pub task: Option<TaskId>,
    /// The number of the fact in it.
    pub task_seq: Option<u64>,
    /// The client it concerns.
    #[schemars(with = "Option<String>")]
    pub client: Option<ClientId>,
    /// The team it concerns.
    #[schemars(with = "Option<String>")]
    pub team: Option<TeamId>,
    /// The event as it was published; none when it was purged.
    #[schemars(with = "Option<serde_json::Value>")]
    pub body: Option<Box<RawValue>>,
    /// Earlier holders and what they said, for the team that it was addressed to; none when there was none or it was purged.
    #[schemars(with = "Option<serde_json::Value>")]
    pub packet: Option<Box<RawValue>>,
    /// SHA-256 of body and packet, in hexadecimal.
    pub body_digest: String,
    /// The link, in hexadecimal.
    pub link: String,
}

/// Where a chain that is read begins: the last fact before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Start {
    /// Its number; 0 when the chain begins with the first fact ever.
    pub seq: u64,
    /// Its link, in hexadecimal.
    pub link: String,
}

impl From<Head> for Start {
    fn from(head: Head) -> Self {
        Self { seq: head.seq.0, link: hex(&head.link) }
    }
}

impl Start {
    /// The position.
    ///
    /// # Errors
    /// A link that is no digest.
    pub fn head(&self) -> Result<Head, String> {
        Ok(Head { seq: FactSeq(self.seq), link: unhex(&self.link)? })
    }
}

impl From<&Fact> for Record {
    fn from(fact: &Fact) -> Self {
        Self {
            seq: fact.seq.0,
            at: fact.at.to_rfc3339_opts(SecondsFormat::Millis, true),
            event_type: fact.event_type.as_ref().into(),
            task: fact.task.as_ref().map(|(task, _)| task.clone()),
            task_seq: fact.task.as_ref().map(|(_, task_seq)| *task_seq),
            client: fact.client.clone(),
            team: fact.team.clone(),
            body: raw(&fact.body),
            packet: fact.packet.as_deref().and_then(raw),
            body_digest: hex(&fact.body_digest),
            link: hex(&fact.link),
        }
    }
}

impl Record {
    /// The fact, as far as the chain covers it.
    ///
    /// # Errors
    /// What cannot be read of it.
    pub fn fact(&self) -> Result<Fact, String> {
        let at: DateTime<Utc> = self.at.parse().map_err(|_| format!("{:?} is no instant", self.at))?;
        let bytes = |raw: &RawValue| Arc::<[u8]>::from(raw.get().as_bytes());
        Ok(Fact {
            seq: FactSeq(self.seq),
            at,
            event_type: self.event_type.as_str().into(),
            task: self.task.clone().zip(self.task_seq),
            client: self.client.clone(),
            matter: None,
            team: self.team.clone(),
            addressed: None,
            held: None,
            with_payload: false,
            body: self.body.as_deref().map_or_else(|| [].into(), bytes),
            packet: self.packet.as_deref().map(bytes),
            body_digest: unhex(&self.body_digest)?,
            link: unhex(&self.link)?,
            decision: None,
        })
    }
}

/// A place of the chain: `SEQ:LINK`, or an `audit.anchor` event as it was published.
///
/// # Errors
/// Text that is neither.
pub fn anchor(text: &str) -> Result<Head, String> {
    #[derive(Deserialize)]
    struct Published {
        fact: u64,
        link: String,
    }
    let wrong = || "is neither SEQ:LINK nor an audit.anchor event as JSON".to_owned();
    let text = text.trim();
    let (seq, link) = match serde_json::from_str::<Published>(text) {
        Ok(Published { fact, link }) => (fact, link),
        Err(_) => {
            let (seq, link) = text.split_once(':').ok_or_else(wrong)?;
            (seq.parse().map_err(|_| wrong())?, link.to_owned())
        }
    };
    Ok(Head { seq: FactSeq(seq), link: unhex(&link)? })
}

/// JSON as it was written. What is no JSON any more is shown as text, whose digest is another: only what is empty is
/// taken for purged.
fn raw(bytes: &[u8]) -> Option<Box<RawValue>> {
    if bytes.is_empty() {
        return None;
    }
    let as_written = serde_json::from_slice::<Box<RawValue>>(bytes).ok().filter(|raw| raw.get().len() == bytes.len());
    as_written.or_else(|| serde_json::value::to_raw_value(&String::from_utf8_lossy(bytes)).ok())
}

/// A digest in hexadecimal.
#[must_use]
pub fn hex(link: &Link) -> String {
    link.iter().fold(String::with_capacity(64), |text, byte| text + &format!("{byte:02x}"))
}

fn unhex(text: &str) -> Result<Link, String> {
    let wrong = || format!("{} is no SHA-256 in 64 hexadecimal digits", super::shown(text));
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    let mut link = [0; 32];
    for (place, byte) in link.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[place * 2..place * 2 + 2], 16).map_err(|_| wrong())?;
    }
    Ok(link)
}
