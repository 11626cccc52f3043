//! Identifiers. One generic newtype, so that a team can never be passed where a client is meant.
//!
//! An identifier is checked once, where it is parsed, and is canonical from then on: equal text means the same thing.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What an identifier names, and its grammar.
pub trait IdKind {
    /// The word used in messages, such as `team id`.
    const NAME: &'static str;
    /// The grammar in words, used in messages.
    const GRAMMAR: &'static str;
    /// Whether `text` is in the grammar.
    fn accepts(text: &str) -> bool;
}

/// A checked identifier of one kind; cheap to clone.
pub struct Id<K>(Arc<str>, PhantomData<fn() -> K>);

/// An identifier outside its grammar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} {value:?} is not valid: use {grammar}")]
pub struct InvalidId {
    /// What was being named.
    pub name: &'static str,
    /// The value as given, cut to 80 characters.
    pub value: String,
    /// The grammar in words.
    pub grammar: &'static str,
}

impl<K: IdKind> Id<K> {
    /// Checks `text` against the grammar of its kind.
    ///
    /// # Errors
    /// [`InvalidId`] names the value and the grammar.
    pub fn new(text: &str) -> Result<Self, InvalidId> {
        if K::accepts(text) {
            return Ok(Self(Arc::from(text), PhantomData));
        }
        Err(InvalidId { name: K::NAME, value: text.chars().take(80).collect(), grammar: K::GRAMMAR })
    }
}

impl<K> Id<K> {
    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<K: IdKind> FromStr for Id<K> {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::new(text)
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0), PhantomData)
    }
}

impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<K> Eq for Id<K> {}

impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<K> Borrow<str> for Id<K> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<K> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de, K: IdKind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

/// `[a-z0-9][a-z0-9-]{0,62}`: the identifiers that a roster defines.
fn is_roster_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_plain = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    bytes.len() <= 63 && bytes.first().is_some_and(is_plain) && bytes.iter().all(|b| is_plain(b) || *b == b'-')
}

const ROSTER_ID: &str = "1 to 63 of a-z 0-9 and -, not starting with -";

/// `[a-z][a-z0-9_]{0,62}`: names of work types, specialties and skills use `_` or `-`.
fn is_term(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && bytes.first().is_some_and(u8::is_ascii_lowercase)
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
}

/// `[A-Za-z0-9._:@-]{1,128}`: identifiers that a sender chooses.
fn is_sender_id(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'@' | b'-'))
}

const SENDER_ID: &str = "1 to 128 of A-Z a-z 0-9 . _ : @ -";

/// Marks [`TeamId`].
pub enum TeamKind {}
/// Marks [`ClientId`].
pub enum ClientKind {}
/// Marks [`CalendarId`].
pub enum CalendarKind {}
/// Marks [`SlaId`].
pub enum SlaKind {}
/// Marks [`ProcessId`].
pub enum ProcessKind {}
/// Marks [`WorkTypeId`].
pub enum WorkTypeKind {}
/// Marks [`Term`].
pub enum TermKind {}
/// Marks [`RequestId`].
pub enum RequestKind {}
/// Marks [`MatterId`].
pub enum MatterKind {}
/// Marks [`TaskId`].
pub enum TaskKind {}

impl IdKind for TeamKind {
    const NAME: &'static str = "team id";
    const GRAMMAR: &'static str = ROSTER_ID;
    fn accepts(text: &str) -> bool {
        is_roster_id(text)
    }
}

impl IdKind for ClientKind {
    const NAME: &'static str = "client id";
    const GRAMMAR: &'static str = ROSTER_ID;
    fn accepts(text: &str) -> bool {
        is_roster_id(text)
    }
}

impl IdKind for CalendarKind {
    const NAME: &'static str = "calendar id";
    const GRAMMAR: &'static str = ROSTER_ID;
    fn accepts(text: &str) -> bool {
        is_roster_id(text)
    }
}

impl IdKind for SlaKind {
    const NAME: &'static str = "sla id";
    const GRAMMAR: &'static str = ROSTER_ID;
    fn accepts(text: &str) -> bool {
        is_roster_id(text)
    }
}

impl IdKind for ProcessKind {
    const NAME: &'static str = "process id";
    const GRAMMAR: &'static str = ROSTER_ID;
    fn accepts(text: &str) -> bool {
        is_roster_id(text)
    }
}

impl IdKind for WorkTypeKind {
    const NAME: &'static str = "work type";
    const GRAMMAR: &'static str = "1 to 63 of a-z 0-9 _ and -, starting with a letter";
    fn accepts(text: &str) -> bool {
        is_term(text)
    }
}

impl IdKind for TermKind {
    const NAME: &'static str = "name";
    const GRAMMAR: &'static str = "1 to 63 of a-z 0-9 _ and -, starting with a letter";
    fn accepts(text: &str) -> bool {
        is_term(text)
    }
}

impl IdKind for RequestKind {
    const NAME: &'static str = "id";
    const GRAMMAR: &'static str = SENDER_ID;
    fn accepts(text: &str) -> bool {
        is_sender_id(text)
    }
}

impl IdKind for MatterKind {
    const NAME: &'static str = "matter";
    const GRAMMAR: &'static str = "1 to 128 printable characters";
    fn accepts(text: &str) -> bool {
        let is_printable = |c: char| !c.is_control() && !is_format_character(c);
        (1..=128).contains(&text.chars().count()) && text.chars().all(is_printable)
    }
}

impl IdKind for TaskKind {
    const NAME: &'static str = "task id";
    const GRAMMAR: &'static str = "CLIENT/ID or CLIENT/ID/STEP";
    fn accepts(text: &str) -> bool {
        let mut parts = text.split('/');
        parts.next().is_some_and(is_roster_id)
            && parts.next().is_some_and(is_sender_id)
            && parts.next().is_none_or(is_sender_id)
            && parts.next().is_none()
    }
}

/// Invisible characters that reorder or hide text: bidirectional controls, zero-width characters, line separators.
fn is_format_character(c: char) -> bool {
    matches!(c, '\u{00ad}' | '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A team that can own a task.
pub type TeamId = Id<TeamKind>;
/// A firm that publishes work requests.
pub type ClientId = Id<ClientKind>;
/// A calendar of the roster.
pub type CalendarId = Id<CalendarKind>;
/// An SLA policy of the roster.
pub type SlaId = Id<SlaKind>;
/// A process template of the roster.
pub type ProcessId = Id<ProcessKind>;
/// A work type of the roster's catalogue.
pub type WorkTypeId = Id<WorkTypeKind>;
/// A specialty, a skill or another term of the roster.
pub type Term = Id<TermKind>;
/// The id that a sender gives a request or an update.
pub type RequestId = Id<RequestKind>;
/// The client's case that a task belongs to.
pub type MatterId = Id<MatterKind>;
/// `<client>/<request id>`, for a step `<client>/<request id>/<step>`.
pub type TaskId = Id<TaskKind>;

impl TaskId {
    /// The task of a client's request.
    #[must_use]
    pub fn of(client: &ClientId, request: &RequestId) -> Self {
        Self(Arc::from(format!("{client}/{request}")), PhantomData)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_roster_id_is_lower_case_and_at_most_63_long() {
        assert!(TeamId::new("sydney-1").is_ok());
        assert!(TeamId::new(&"a".repeat(63)).is_ok());
        for bad in ["", "-a", "Sydney", "a.b", &"a".repeat(64), "a/b", "ä"] {
            assert!(TeamId::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_matter_has_no_invisible_characters() {
        assert!(MatterId::new("Smith ./. Müller (2026)").is_ok());
        for bad in ["", "a\nb", "a\u{202e}b", "a\u{0}b", &"x".repeat(129)] {
            assert!(MatterId::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_task_id_has_a_client_an_id_and_at_most_one_step() {
        assert!(TaskId::new("acme-llp/req-1").is_ok());
        assert!(TaskId::new("acme-llp/req-1/review").is_ok());
        for bad in ["acme-llp", "acme-llp/", "/req", "acme/a/b/c", "Acme/a"] {
            assert!(TaskId::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_error_names_value_and_grammar() {
        let error = TeamId::new("Sydney!").unwrap_err().to_string();
        assert_eq!(error, "team id \"Sydney!\" is not valid: use 1 to 63 of a-z 0-9 and -, not starting with -");
    }
}
