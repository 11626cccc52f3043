//! The digest of a request: what "the same request" means.
//!
//! SHA-256, in lower-case hexadecimal, over `heliograph.request.v1`, a zero byte, and then for each field that is
//! given, in the order below: its name, a zero byte, and its value. A text is its length in bytes (8 bytes, big-endian)
//! and its UTF-8; a number is 8 bytes, big-endian; an instant is its UTC seconds and nanoseconds as two numbers; a list
//! is its length and its entries. Fields that are absent or empty lists leave no trace, so that a field added
//! later changes no older digest. The last is `payload`, without white space between its tokens.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::engine::request::{RequestDigest, Step, WorkRequest};

use super::form::word_of;

/// The digest of a request's fields, without its `digest`, and of its compact payload.
pub(super) fn of(request: &WorkRequest, payload: &[u8]) -> RequestDigest {
    let mut canon = Canon::new(512 + payload.len());
    canon.field("id", |c| c.text(request.id.as_str()));
    canon.field("client", |c| c.text(request.client.as_str()));
    canon.field("matter", |c| c.text(request.matter.as_str()));
    canon.option("work_type", request.work_type.as_ref(), |c, id| c.text(id.as_str()));
    canon.option("jurisdiction", request.jurisdiction.as_ref(), |c, place| c.text(place.as_str()));
    canon.option("specialty", request.specialty.as_ref(), |c, term| c.text(term.as_str()));
    canon.option("languages", request.languages.as_ref(), |c, list| c.entries(list, |c, term| c.text(term.as_str())));
    canon.list("skills", &request.skills, |c, skill| {
        c.text(skill.name.as_str());
        c.number(skill.level.into());
    });
    canon.option("presence", request.presence, |c, presence| c.text(word_of(presence)));
    canon.option("place", request.place.as_ref(), |c, place| c.text(place.as_str()));
    canon.list("allowed_countries", &request.allowed_countries, |c, place| c.text(place.as_str()));
    canon.list("denied_countries", &request.denied_countries, |c, place| c.text(place.as_str()));
    canon.option("consent", request.consent.as_ref(), |c, consent| {
        c.number(consent.offshore.into());
        c.entries(consent.reference.as_slice(), |c, reference| c.text(reference));
    });
    canon.option("effort_minutes", request.effort_minutes, |c, minutes| c.number(minutes.into()));
    canon.option("priority", request.priority, |c, priority| c.text(priority.as_str()));
    canon.option("sla", request.sla.as_ref(), |c, id| c.text(id.as_str()));
    canon.option("deadline", request.deadline, Canon::instant);
    canon.option("not_before", request.not_before, Canon::instant);
    canon.list("after", &request.after, |c, task| c.text(task.as_str()));
    canon.option("preferred_team", request.preferred_team.as_ref(), |c, id| c.text(id.as_str()));
    canon.list("excluded_teams", &request.excluded_teams, |c, id| c.text(id.as_str()));
    canon.option("process", request.process.as_ref(), |c, id| c.text(id.as_str()));
    canon.list("steps", &request.steps, Canon::step);
    if !payload.is_empty() {
        canon.field("payload", |c| c.bytes(payload));
    }
    canon.finish()
}

/// The bytes that are digested.
struct Canon(Vec<u8>);

impl Canon {
    fn new(capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity);
        bytes.extend_from_slice(b"heliograph.request.v1\0");
        Self(bytes)
    }

    fn finish(self) -> RequestDigest {
        RequestDigest(hex(&Sha256::digest(&self.0)).into())
    }

    fn field(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(0);
        write(self);
    }

    fn option<T>(&mut self, name: &str, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        if let Some(value) = value {
            self.field(name, |canon| write(canon, value));
        }
    }

    fn list<T>(&mut self, name: &str, entries: &[T], write: impl Fn(&mut Self, &T)) {
        if !entries.is_empty() {
            self.field(name, |canon| canon.entries(entries, write));
        }
    }

    fn entries<T>(&mut self, entries: &[T], write: impl Fn(&mut Self, &T)) {
        self.number(entries.len() as u64);
        for entry in entries {
            write(self, entry);
        }
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    fn instant(&mut self, at: DateTime<Utc>) {
        self.0.extend_from_slice(&at.timestamp().to_be_bytes());
        self.number(at.timestamp_subsec_nanos().into());
    }

    fn step(&mut self, step: &Step) {
        self.text(step.id.as_str());
        self.text(step.work_type.as_str());
        self.text(step.jurisdiction.as_ref().map_or("", |place| place.as_str()));
        self.text(step.specialty.as_ref().map_or("", |term| term.as_str()));
        self.number(step.effort_minutes.unwrap_or(0).into());
        self.entries(&step.after, |canon, id| canon.text(id.as_str()));
    }
}

/// Bytes in lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all text");
        text
    })
}
