//! Values that are one of a few words: each word stands here once, for reading, for the schema and for telling.

use schemars::{Schema, json_schema};

use crate::engine::event::Refusal;
use crate::engine::request::{Presence, Priority};
use crate::engine::update::{DeclineReason, SetAside};
use crate::wire::json::Node;

use super::values::text_of;
use super::{At, Form};

/// A type that is one of a few words.
pub(in crate::wire) trait Words: Copy + 'static {
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

impl Words for SetAside {
    const WORDS: &'static [(&'static str, Self)] =
        &[("turned_down", Self::TurnedDown), ("drained", Self::Drained), ("open", Self::Open), ("seats", Self::Seats)];
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

/// The word of a value.
pub(in crate::wire) fn word_of<T: Words + PartialEq>(value: T) -> &'static str {
    T::WORDS.iter().find(|(_, known)| *known == value).map_or("", |(word, _)| *word)
}

fn words<T: Words>() -> Vec<&'static str> {
    T::WORDS.iter().map(|(word, _)| *word).collect()
}
