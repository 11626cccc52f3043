//! Single values and lists of them.

use chrono::{DateTime, Utc};
use schemars::{Schema, json_schema};

use crate::engine::event::Refusal;
use crate::engine::id::{Id, IdKind, MatterKind};
use crate::engine::request::Place;
use crate::wire::instant;
use crate::wire::json::{Node, shown};
use crate::wire::rules::{MAX_ENTRIES, MAX_NOTE_CHARS};

use super::{At, Form};

/// The text of a node that must be a string.
pub(super) fn text_of<'n>(node: &'n Node<'_>, at: &At<'_>) -> Result<&'n str, Refusal> {
    match node {
        Node::Text(text) => Ok(text),
        other => Err(at.not(other, "a string")),
    }
}

impl<K: IdKind> Form for Id<K> {
    fn read(node: &Node<'_>, at: &At<'_>) -> Result<Self, Refusal> {
        Self::new(text_of(node, at)?).map_err(|error| at.invalid(error.to_string()))
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "title": format!("{}: {}", K::NAME, K::GRAMMAR) })
    }
}

impl Form for Place {
    fn read(node: &Node<'_>, at: &At<'_>) -> Result<Self, Refusal> {
        Self::new(text_of(node, at)?).map_err(|error| at.invalid(error.to_string()))
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "pattern": "^[A-Z]{2}(-[A-Z0-9]{1,3})?$" })
    }
}

impl Form for bool {
    fn read(node: &Node<'_>, at: &At<'_>) -> Result<Self, Refusal> {
        match node {
            Node::Bool(value) => Ok(*value),
            other => Err(at.not(other, "true or false")),
        }
    }

    fn schema() -> Schema {
        json_schema!({ "type": "boolean" })
    }
}

impl Form for DateTime<Utc> {
    fn read(node: &Node<'_>, at: &At<'_>) -> Result<Self, Refusal> {
        instant::parse(text_of(node, at)?, &at.rules.zones).map_err(|message| at.invalid(message))
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "title": "RFC 3339, or RFC 9557 with a zone in brackets" })
    }
}

/// A whole number from `MIN` to `MAX`.
pub(in crate::wire) struct Whole<const MIN: u32, const MAX: u32>(pub(in crate::wire) u32);

impl<const MIN: u32, const MAX: u32> Form for Whole<MIN, MAX> {
    fn read(node: &Node<'_>, at: &At<'_>) -> Result<Self, Refusal> {
        let value = match node {
            Node::Unsigned(value) => u32::try_from(*value).ok(),
            _ => None,
        };
        match value.filter(|value| (MIN..=MAX).contains(value)) {
            Some(value) => Ok(Self(value)),
            None => Err(at.not(node, format_args!("a whole number from {MIN} to {MAX}"))),
        }
    }

    fn schema() -> Schema {
        json_schema!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }
}

/// One line of 1 to `MAX` printable characters.
pub(in crate::wire) struct Line<const MAX: usize>(pub(in crate::wire) String);

impl<const MAX: usize> Form for Line<MAX> {
    fn read(node: &Node<'_>, at: &At<'_>) -> Result<Self, Refusal> {
        let text = text_of(node, at)?;
        if text.is_empty() || text.chars().nth(MAX).is_some() || !text.chars().all(is_printable) {
            return Err(at.invalid(format!("{} is not 1 to {MAX} printable characters", shown(text))));
        }
        Ok(Self(text.into()))
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "maxLength": MAX })
    }
}

/// Free text of at most [`MAX_NOTE_CHARS`] characters: lines and tabs, no other invisible characters.
pub(in crate::wire) struct Note(pub(in crate::wire) String);

impl Form for Note {
    fn read(node: &Node<'_>, at: &At<'_>) -> Result<Self, Refusal> {
        let text = text_of(node, at)?;
        let is_allowed = |c: char| matches!(c, '\n' | '\t' | '\r') || is_printable(c);
        if text.chars().nth(MAX_NOTE_CHARS).is_some() {
            let count = text.chars().count();
            return Err(
                at.invalid(format!("{count} characters are more than the limit of {MAX_NOTE_CHARS}; shorten it"))
            );
        }
        match text.chars().find(|c| !is_allowed(*c)) {
            None => Ok(Self(text.into())),
            Some(c) => Err(at.invalid(format!("the invisible character {c:?} is not allowed; remove it"))),
        }
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "maxLength": MAX_NOTE_CHARS })
    }
}

/// The rule of matters, for one character.
fn is_printable(c: char) -> bool {
    MatterKind::accepts(c.encode_utf8(&mut [0; 4]))
}

impl<T: Form> Form for Option<T> {
    fn read(node: &Node<'_>, at: &At<'_>) -> Result<Self, Refusal> {
        T::read(node, at).map(Some)
    }

    fn schema() -> Schema {
        json_schema!({ "anyOf": [T::schema(), { "type": "null" }] })
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Form> Form for Vec<T> {
    fn read(node: &Node<'_>, at: &At<'_>) -> Result<Self, Refusal> {
        let Node::List(entries) = node else { return Err(at.not(node, "a list")) };
        if entries.len() > MAX_ENTRIES {
            return Err(at.invalid(format!("has more than {MAX_ENTRIES} entries; send fewer")));
        }
        entries.iter().enumerate().map(|(index, entry)| T::read(entry, &at.entry(index))).collect()
    }

    fn schema() -> Schema {
        json_schema!({ "type": ["array", "null"], "maxItems": MAX_ENTRIES, "items": T::schema() })
    }

    fn absent() -> Option<Self> {
        Some(Self::new())
    }
}

/// A list of 1 to `MAX` entries.
pub(in crate::wire) struct Filled<T, const MAX: usize>(pub(in crate::wire) Vec<T>);

impl<T: Form, const MAX: usize> Form for Filled<T, MAX> {
    fn read(node: &Node<'_>, at: &At<'_>) -> Result<Self, Refusal> {
        let Node::List(entries) = node else { return Err(at.not(node, "a list")) };
        if entries.is_empty() {
            return Err(at.invalid("has no entries; add one, or leave it out"));
        }
        if entries.len() > MAX {
            return Err(at.invalid(format!("has more than {MAX} entries; send fewer")));
        }
        let read = |(index, entry)| T::read(entry, &at.entry(index));
        entries.iter().enumerate().map(read).collect::<Result<_, _>>().map(Self)
    }

    fn schema() -> Schema {
        json_schema!({ "type": "array", "minItems": 1, "maxItems": MAX, "items": T::schema() })
    }
}
