//! JSON before it means anything: checked bytes, a borrowed tree, and compaction.
//!
//! Size, encoding and nesting are checked by scans without recursion before the parser sees a byte, so that a hostile
//! body costs no more than its length. Duplicate keys stay in the tree for the reader to refuse by name.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::engine::event::{Refusal, RefusalCode};
use crate::engine::process::MAX_STEPS;

use super::rules::{MAX_DEPTH, MAX_ENTRIES, MAX_SHOWN_CHARS};

/// A parsed value outside the payload. A list keeps at most one entry more than [`MAX_STEPS`], which is the most that any
/// may have, and an object one more than [`MAX_ENTRIES`]: enough to see that there are too many.
#[derive(Debug)]
pub(super) enum Node<'a> {
    Null,
    Bool(bool),
    Unsigned(u64),
    Negative(i64),
    Float(f64),
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Object(Fields<'a>),
}

/// The fields of an object in the order of the body.
pub(super) type Fields<'a> = Vec<(Cow<'a, str>, Node<'a>)>;

/// A string, borrowed from the body unless it has escapes.
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

/// Checks size, encoding and nesting.
pub(super) fn check(body: &[u8], max_bytes: usize, max_depth: usize) -> Result<&str, Refusal> {
    if body.len() > max_bytes {
        let message = format!("{} bytes are more than the limit of {max_bytes}; send less", body.len());
        return Err(Refusal::new(RefusalCode::TooLarge, message));
    }
    let text = std::str::from_utf8(body).map_err(|error| {
        let message = format!("not UTF-8 at byte {}; send JSON in UTF-8", error.valid_up_to());
        Refusal::new(RefusalCode::InvalidJson, message)
    })?;
    match first_too_deep(body, max_depth) {
        None => Ok(text),
        Some(at) => {
            let message = format!("nested deeper than {MAX_DEPTH} levels at byte {at}; flatten the message");
            Err(Refusal::new(RefusalCode::TooDeep, message))
        }
    }
}

/// What the JSON parser said, as a refusal.
pub(crate) fn invalid(error: &serde_json::Error, what: &str) -> Refusal {
    let message = if error.is_data() {
        format!("{what} is one JSON object; send an object")
    } else {
        format!("not valid JSON: {error}; send one JSON object")
    };
    Refusal::new(RefusalCode::InvalidJson, message)
}

/// A value as a refusal quotes it: cut to [`MAX_SHOWN_CHARS`], invisible characters escaped.
pub(crate) fn shown(text: &str) -> String {
    format!("{:?}", cut(text))
}

/// The name of a field as a refusal gives it: cut and escaped as values are, in quotes only when there is nothing in it.
pub(crate) fn named(name: &str) -> String {
    if name.is_empty() { "\"\"".into() } else { cut(name).escape_debug().to_string() }
}

/// The first [`MAX_SHOWN_CHARS`] characters.
pub(super) fn cut(text: &str) -> &str {
    text.char_indices().nth(MAX_SHOWN_CHARS).map_or(text, |(end, _)| &text[..end])
}

/// Valid JSON without white space between its tokens; strings and numbers keep their bytes.
pub(super) fn compact(json: &str) -> Vec<u8> {
    let bytes = json.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        match bytes[at] {
            b' ' | b'\t' | b'\n' | b'\r' => {
                at += 1;
                continue;
            }
            b'"' => at = string_end(bytes, at),
            _ => {
                while at < bytes.len() && !matches!(bytes[at], b' ' | b'\t' | b'\n' | b'\r' | b'"') {
                    at += 1;
                }
            }
        }
        out.extend_from_slice(&bytes[start..at]);
    }
    out
}

/// The position of the bracket that opens one level too many.
fn first_too_deep(bytes: &[u8], max_depth: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at = string_end(bytes, at);
                continue;
            }
            b'{' | b'[' => {
                depth += 1;
                if depth > max_depth {
                    return Some(at);
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The position after the string that starts at `start`; the end when it is never closed.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1 + plain_prefix(&bytes[start + 1..]);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// How many bytes at the start are surely neither a quote nor a backslash, in whole blocks: long strings are skipped
/// at the speed of the vector unit.
fn plain_prefix(bytes: &[u8]) -> usize {
    const BLOCK: usize = 32;
    let is_plain = |block: &&[u8]| !block.iter().fold(false, |found, byte| found | (*byte == b'"') | (*byte == b'\\'));
    bytes.chunks_exact(BLOCK).take_while(is_plain).count() * BLOCK
}

impl Node<'_> {
    /// The value as a refusal quotes it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Null => "null".into(),
            Self::Bool(value) => value.to_string(),
            Self::Unsigned(value) => value.to_string(),
            Self::Negative(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
            Self::Text(text) => shown(text),
            Self::List(_) => "a list".into(),
            Self::Object(_) => "an object".into(),
        }
    }
}

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.into())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

impl<'de> Deserialize<'de> for Node<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node<'de>, E> {
        Ok(Node::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node<'de>, E> {
        Ok(Node::Unsigned(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node<'de>, E> {
        Ok(Node::Negative(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node<'de>, E> {
        Ok(Node::Float(value))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(text.into())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Node<'de>, A::Error> {
        let mut list = Vec::new();
        while list.len() <= MAX_STEPS {
            match entries.next_element()? {
                Some(entry) => list.push(entry),
                None => return Ok(Node::List(list)),
            }
        }
        while entries.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node<'de>, A::Error> {
        let mut fields = Fields::new();
        while fields.len() <= MAX_ENTRIES {
            match entries.next_entry::<Text<'de>, Node<'de>>()? {
                Some((Text(key), value)) => fields.push((key, value)),
                None => return Ok(Node::Object(fields)),
            }
        }
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Node::Object(fields))
    }
}
