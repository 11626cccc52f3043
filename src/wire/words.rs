//! Which facts hold what people wrote: those are emptied when a task's content is forgotten, and the rest of its history
//! stays.

use serde_json::{Map, Value};

use super::event::words_of;
use super::fact::Fact;

/// Whether the body or the packet of a fact holds text that a person wrote: a note, a free reason, an operator's order, or
/// what earlier holders said. A body that cannot be read counts as one that does.
#[must_use]
pub fn holds_words(fact: &Fact) -> bool {
    let says_something = |packet: &[u8]| packet != b"[]";
    if fact.packet.as_deref().is_some_and(says_something) {
        return true;
    }
    if fact.body.is_empty() {
        return false;
    }
    let Ok(body) = serde_json::from_slice::<Map<String, Value>>(&fact.body) else { return true };
    let is_said = |field: &str| body.get(field).is_some_and(|value| !value.is_null());
    is_said("order") || words_of(&fact.event_type).any(is_said)
}
