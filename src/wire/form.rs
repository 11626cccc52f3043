//! Forms: types that are read from JSON with exact refusals, and that know their own JSON Schema.
//!
//! [`form!`] declares a struct once; reader, known names and schema all come from that declaration, so that they
//! cannot drift apart. An absent field and `null` mean the same.

use std::fmt;

use chrono::{DateTime, Utc};
use schemars::{Schema, json_schema};

use crate::engine::event::{Refusal, RefusalCode};
use crate::engine::id::{Id, IdKind, MatterKind};
use crate::engine::request::{Place, Presence, Priority};
use crate::engine::update::DeclineReason;

use super::instant;
use super::json::{Fields, Node, cut, shown};
use super::rules::{MAX_ENTRIES, MAX_NOTE_CHARS, Rules};

/// A type that is read from JSON.
pub(super) trait Form: Sized {
    /// Reads a value that is not null.
    fn read(node: &Node<'_>, at: &At<'_>) -> Result<Self, Refusal>;

    /// Its JSON Schema (draft 2020-12).
    fn schema() -> Schema;

    /// What an absent field means; `None` when it is required.
    fn absent() -> Option<Self> {
        None
    }
}

/// A struct of fields that are forms.
pub(super) trait Fielded: Form {
    /// The names of its fields.
    const NAMES: &'static [&'static str];
}

/// Where in the body the reader is.
pub(super) struct At<'p> {
    pub(super) rules: &'p Rules,
    parent: Option<&'p At<'p>>,
    step: Step<'p>,
}

enum Step<'p> {
    Root,
    Field(&'p str),
    Entry(usize),
}

impl<'p> At<'p> {
    pub(super) fn root(rules: &'p Rules) -> Self {
        Self { rules, parent: None, step: Step::Root }
    }

    pub(super) fn field<'c>(&'c self, name: &'c str) -> At<'c> {
        At { rules: self.rules, parent: Some(self), step: Step::Field(name) }
    }

    pub(super) fn entry(&self, index: usize) -> At<'_> {
        At { rules: self.rules, parent: Some(self), step: Step::Entry(index) }
    }

    /// A refusal of this field.
    pub(super) fn refuse(&self, code: RefusalCode, message: impl Into<Box<str>>) -> Refusal {
        let field = self.to_string();
        if field.is_empty() { Refusal::new(code, message) } else { Refusal::of_field(code, field, message) }
    }

    /// A refusal of this field's value.
    pub(super) fn invalid(&self, message: impl Into<Box<str>>) -> Refusal {
        self.refuse(RefusalCode::InvalidField, message)
    }

    fn not(&self, node: &Node<'_>, wanted: impl fmt::Display) -> Refusal {
        self.invalid(format!("{} is not {wanted}", node.shown()))
    }

    pub(super) fn missing(&self) -> Refusal {
        self.refuse(RefusalCode::MissingField, "is required; add it")
    }

    pub(super) fn duplicate(&self) -> Refusal {
        self.refuse(RefusalCode::DuplicateKey, "stands twice in one object; keep one")
    }

    pub(super) fn unknown(&self, known: &[&str]) -> Refusal {
        let Step::Field(name) = self.step else { unreachable!("only a field can be unknown") };
        let advice = nearest(name, known).map_or("remove it".into(), |near| format!("the nearest is {near:?}"));
        self.refuse(RefusalCode::UnknownField, format!("is not a known field; {advice}"))
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Entry(index) => write!(f, "[{index}]"),
            Step::Field(name) => {
                let dot = if self.parent.is_some_and(|p| !matches!(p.step, Step::Root)) { "." } else { "" };
                write!(f, "{dot}{}", cut(name).escape_debug())
            }
        }
    }
}

/// The known name that is nearest to `name`; of two, the first.
fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    known.iter().copied().min_by_key(|candidate| strsim::damerau_levenshtein(cut(name), candidate))
}

/// Declares a struct that is a [`Form`].
macro_rules! form {
    (
        $(#[doc = $about:literal])*
        struct $name:ident {
            $($(#[doc = $doc:literal])* $field:ident: $type:ty,)*
        }
    ) => {
        $(#[doc = $about])*
        pub(super) struct $name {
            $($(#[doc = $doc])* pub(super) $field: $type,)*
        }

        impl $crate::wire::form::Fielded for $name {
            const NAMES: &'static [&'static str] = &[$(stringify!($field)),*];
        }

        impl $crate::wire::form::Form for $name {
            fn read(
                node: &$crate::wire::json::Node<'_>,
                at: &$crate::wire::form::At<'_>,
            ) -> Result<Self, $crate::engine::event::Refusal> {
                use $crate::wire::form::Fielded;
                $(let mut $field: Option<Option<$type>> = None;)*
                for entry in $crate::wire::form::fields(node, at)? {
                    let at = at.field(&entry.0);
                    match &*entry.0 {
                        $(stringify!($field) => {
                            let value = $crate::wire::form::unless_null(&entry.1, &at)?;
                            if $field.replace(value).is_some() {
                                return Err(at.duplicate());
                            }
                        })*
                        _ => return Err(at.unknown(Self::NAMES)),
                    }
                }
                Ok(Self {
                    $($field: $field
                        .flatten()
                        .or_else(<$type as $crate::wire::form::Form>::absent)
                        .ok_or_else(|| at.field(stringify!($field)).missing())?,)*
                })
            }

            fn schema() -> schemars::Schema {
                $crate::wire::form::object_schema(
                    concat!($($about),*),
                    &[$((
                        stringify!($field),
                        concat!($($doc),*),
                        <$type as $crate::wire::form::Form>::schema(),
                        <$type as $crate::wire::form::Form>::absent().is_none(),
                    )),*],
                )
            }
        }
    };
}
pub(super) use form;

/// The fields of a node that must be an object.
pub(super) fn fields<'n, 'a>(node: &'n Node<'a>, at: &At<'_>) -> Result<&'n Fields<'a>, Refusal> {
    match node {
        Node::Object(fields) => Ok(fields),
        other => Err(at.not(other, "an object")),
    }
}

/// Reads a value unless it is null.
pub(super) fn unless_null<T: Form>(node: &Node<'_>, at: &At<'_>) -> Result<Option<T>, Refusal> {
    match node {
        Node::Null => Ok(None),
        node => T::read(node, at).map(Some),
    }
}

/// The schema of an object: name, description, schema and whether it is required, for each field.
pub(super) fn object_schema(about: &str, fields: &[(&str, &str, Schema, bool)]) -> Schema {
    let mut properties = serde_json::Map::new();
    for (name, doc, schema, _) in fields {
        let mut schema = schema.clone();
        schema.insert("description".into(), doc.trim().into());
        properties.insert((*name).into(), schema.into());
    }
    let required: Vec<&str> = fields.iter().filter(|field| field.3).map(|field| field.0).collect();
    json_schema!({
        "type": "object",
        "description": about.trim(),
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// The text of a node that must be a string.
fn text_of<'n>(node: &'n Node<'_>, at: &At<'_>) -> Result<&'n str, Refusal> {
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
pub(super) struct Whole<const MIN: u32, const MAX: u32>(pub(super) u32);

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
pub(super) struct Line<const MAX: usize>(pub(super) String);

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
pub(super) struct Note(pub(super) String);

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

/// A type that is one of a few words.
trait Words: Copy + 'static {
    const WORDS: &'static [(&'static str, Self)];
}

impl Words for Priority {
    const WORDS: &'static [(&'static str, Self)] =
        &[("urgent", Self::Urgent), ("high", Self::High), ("normal", Self::Normal), ("low", Self::Low)];
}

impl Words for Presence {
    const WORDS: &'static [(&'static str, Self)] =
        &[("none", Self::None), ("contact", Self::Contact), ("in_person", Self::InPerson)];
}

impl Words for DeclineReason {
    const WORDS: &'static [(&'static str, Self)] =
        &[("busy", Self::Busy), ("not_qualified", Self::NotQualified), ("conflict", Self::Conflict)];
}

impl<T: Words> Form for T {
    fn read(node: &Node<'_>, at: &At<'_>) -> Result<Self, Refusal> {
        let text = text_of(node, at)?;
        T::WORDS
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, value)| *value)
            .ok_or_else(|| at.not_a_word(text, &words::<T>()))
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "enum": words::<T>() })
    }
}

/// The word of a reason for declining.
pub(super) fn decline_word(reason: DeclineReason) -> &'static str {
    match reason {
        DeclineReason::Busy => "busy",
        DeclineReason::NotQualified => "not_qualified",
        DeclineReason::Conflict => "conflict",
    }
}

fn words<T: Words>() -> Vec<&'static str> {
    T::WORDS.iter().map(|(word, _)| *word).collect()
}

impl At<'_> {
    /// A refusal of a word that is not one of those known.
    pub(super) fn not_a_word(&self, text: &str, known: &[&str]) -> Refusal {
        let near = nearest(text, known).unwrap_or_default();
        self.invalid(format!("{} is not one of {}; the nearest is {near:?}", shown(text), known.join(", ")))
    }
}
