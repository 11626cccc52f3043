//! Where in a body the reader is, and the refusals that name that place.

use std::fmt;

use crate::engine::event::{Refusal, RefusalCode};
use crate::wire::json::{Node, cut, named, shown};
use crate::wire::rules::Rules;

/// Where in the body the reader is.
pub(in crate::wire) struct At<'p> {
    pub(in crate::wire) rules: &'p Rules,
    parent: Option<&'p At<'p>>,
    step: Step<'p>,
}

enum Step<'p> {
    Root,
    Field(&'p str),
    Entry(usize),
}

impl<'p> At<'p> {
    pub(in crate::wire) fn root(rules: &'p Rules) -> Self {
        Self { rules, parent: None, step: Step::Root }
    }

    pub(in crate::wire) fn field<'c>(&'c self, name: &'c str) -> At<'c> {
        At { rules: self.rules, parent: Some(self), step: Step::Field(name) }
    }

    pub(in crate::wire) fn entry(&self, index: usize) -> At<'_> {
        At { rules: self.rules, parent: Some(self), step: Step::Entry(index) }
    }

    /// A refusal of this field.
    pub(in crate::wire) fn refuse(&self, code: RefusalCode, message: impl Into<Box<str>>) -> Refusal {
        let field = self.to_string();
        if field.is_empty() { Refusal::new(code, message) } else { Refusal::of_field(code, field, message) }
    }

    /// A refusal of this field's value.
    pub(in crate::wire) fn invalid(&self, message: impl Into<Box<str>>) -> Refusal {
        self.refuse(RefusalCode::InvalidField, message)
    }

    pub(super) fn not(&self, node: &Node<'_>, wanted: impl fmt::Display) -> Refusal {
        self.invalid(format!("{} is not {wanted}", node.shown()))
    }

    pub(in crate::wire) fn missing(&self) -> Refusal {
        self.refuse(RefusalCode::MissingField, "is required; add it")
    }

    pub(in crate::wire) fn duplicate(&self) -> Refusal {
        self.refuse(RefusalCode::DuplicateKey, "stands twice in one object; keep one")
    }

    pub(in crate::wire) fn unknown(&self, known: &[&str]) -> Refusal {
        let Step::Field(name) = self.step else { unreachable!("only a field can be unknown") };
        let advice = nearest(name, known).map_or("remove it".into(), |near| format!("the nearest is {near:?}"));
        self.refuse(RefusalCode::UnknownField, format!("is not a known field; {advice}"))
    }

    /// A refusal of a word that is not one of those known.
    pub(in crate::wire) fn not_a_word(&self, text: &str, known: &[&str]) -> Refusal {
        let near = nearest(text, known).unwrap_or_default();
        self.invalid(format!("{} is not one of {}; the nearest is {near:?}", shown(text), known.join(", ")))
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
                write!(f, "{dot}{}", named(name))
            }
        }
    }
}

/// The known name that is nearest to `name`; of two, the first.
fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    known.iter().copied().min_by_key(|candidate| strsim::damerau_levenshtein(cut(name), candidate))
}
