//! Forms: types that are read from JSON with exact refusals, and that know their own JSON Schema.
//!
//! [`form!`] declares a struct once; reader, known names and schema all come from that declaration, so that they
//! cannot drift apart. An absent field and `null` mean the same.

mod place;
mod values;
mod words;

use schemars::{Schema, json_schema};

use crate::engine::event::Refusal;

use super::json::{Fields, Node};

pub(super) use place::At;
pub(super) use values::{Filled, Line, Note, Whole};
pub(super) use words::word_of;

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
