//! CloudEvents 1.0 around a work request or an update: structured and binary content mode, over AMQP or HTTP headers.
//!
//! The envelope is checked and taken off; what is inside is read like any other message. A body that is in no envelope
//! passes through.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::engine::event::{Refusal, RefusalCode};

use super::json::{self, Text, shown};
use super::rules::{MAX_DEPTH, Rules};

/// Media type of the structured mode.
const STRUCTURED: &str = "application/cloudevents+json";
/// Media type of a batch, which is not taken.
const BATCH: &str = "application/cloudevents-batch+json";
/// How attributes are marked in headers in the binary mode: AMQP with either separator, and HTTP.
const PREFIXES: [&str; 3] = ["cloudEvents_", "cloudEvents:", "ce-"];
/// The version that is taken.
const VERSION: &str = "1.0";
/// Attributes that every event has, beside `specversion`.
const REQUIRED: [&str; 3] = ["id", "source", "type"];
/// Most members of an event.
const MAX_MEMBERS: usize = 64;

/// What came with a body.
#[derive(Debug, Clone, Copy, Default)]
pub struct Envelope<'a> {
    /// Its content type.
    pub content_type: Option<&'a str>,
    /// Its headers whose values are text.
    pub headers: &'a [(&'a str, &'a str)],
}

/// The message inside a CloudEvent, or the body itself when it is none.
///
/// # Errors
/// [`Refusal`] when it claims to be a CloudEvent and is not one that carries one JSON message.
pub fn inner<'a>(envelope: Envelope<'_>, body: &'a [u8], rules: &Rules) -> Result<Cow<'a, [u8]>, Refusal> {
    match envelope.content_type.map(media_type).as_deref() {
        Some(STRUCTURED) => structured(body, rules),
        Some(BATCH) => Err(Refusal::of_field(
            RefusalCode::InvalidField,
            "content_type",
            "a batch of CloudEvents is not taken; send one event a message",
        )),
        content_type => {
            let attributes: Vec<(&str, &str)> = envelope.headers.iter().filter_map(attribute).collect();
            if !attributes.is_empty() {
                binary(&attributes, content_type)?;
            }
            Ok(Cow::Borrowed(body))
        }
    }
}

/// A media type in lower case without its parameters.
fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || media_type == "text/json" || media_type.ends_with("+json")
}

/// An attribute of the binary mode.
fn attribute<'h>((name, value): &(&'h str, &'h str)) -> Option<(&'h str, &'h str)> {
    PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)).map(|name| (name, *value))
}

fn binary(attributes: &[(&str, &str)], content_type: Option<&str>) -> Result<(), Refusal> {
    let find = |wanted: &str| attributes.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
    check_version(find("specversion"))?;
    for name in REQUIRED {
        check_required(name, find(name))?;
    }
    check_data_type(content_type)
}

fn structured<'a>(body: &'a [u8], rules: &Rules) -> Result<Cow<'a, [u8]>, Refusal> {
    // Base64 takes four bytes for three, and one level of nesting is the event's own.
    let text = json::check(body, rules.max_body_bytes * 3 / 2, MAX_DEPTH + 1)?;
    let Members(members) = serde_json::from_str(text).map_err(|error| json::invalid(&error, "a CloudEvent"))?;
    if members.len() > MAX_MEMBERS {
        let message = format!("a CloudEvent of more than {MAX_MEMBERS} members is not taken; send fewer");
        return Err(Refusal::new(RefusalCode::InvalidField, message));
    }
    for (index, (name, _)) in members.iter().enumerate() {
        if members[..index].iter().any(|(earlier, _)| earlier == name) {
            let message = "stands twice in one object; keep one";
            return Err(Refusal::of_field(RefusalCode::DuplicateKey, json::named(name), message));
        }
    }
    let find = |wanted: &str| members.iter().find(|(name, _)| name == wanted).map(|(_, raw)| *raw);
    let string = |name| find(name).map(|raw| text_of(name, raw)).transpose();
    check_version(string("specversion")?.as_deref())?;
    for name in REQUIRED {
        check_required(name, string(name)?.as_deref())?;
    }
    check_data_type(string("datacontenttype")?.as_deref().map(media_type).as_deref())?;
    match (find("data"), string("data_base64")?) {
        (Some(data), None) => Ok(Cow::Borrowed(data.get().as_bytes())),
        (None, Some(data)) => from_base64(&data).map(Cow::Owned),
        (Some(_), Some(_)) => Err(invalid("data_base64", "stands beside data; give one of them")),
        (None, None) => Err(Refusal::of_field(RefusalCode::MissingField, "data", "is required; put the message there")),
    }
}

fn check_version(version: Option<&str>) -> Result<(), Refusal> {
    match version {
        Some(VERSION) => Ok(()),
        Some(other) => Err(invalid("specversion", format!("{} is not known; use {VERSION:?}", shown(other)))),
        None => check_required("specversion", None),
    }
}

fn check_required(name: &str, value: Option<&str>) -> Result<(), Refusal> {
    match value {
        Some("") => Err(invalid(name, "is empty; give it a value")),
        Some(_) => Ok(()),
        None => Err(Refusal::of_field(RefusalCode::MissingField, name, "is required in a CloudEvent; add it")),
    }
}

fn check_data_type(media_type: Option<&str>) -> Result<(), Refusal> {
    match media_type {
        Some(other) if !is_json(other) => {
            Err(invalid("datacontenttype", format!("{} is not JSON; use application/json", shown(other))))
        }
        _ => Ok(()),
    }
}

fn invalid(field: &str, message: impl Into<Box<str>>) -> Refusal {
    Refusal::of_field(RefusalCode::InvalidField, field, message)
}

fn text_of(name: &str, raw: &RawValue) -> Result<String, Refusal> {
    serde_json::from_str(raw.get()).map_err(|_| invalid(name, format!("{} is not a string", shown(raw.get()))))
}

/// Standard base64 with padding (RFC 4648, 4), strictly.
fn from_base64(text: &str) -> Result<Vec<u8>, Refusal> {
    let refuse = || invalid("data_base64", "is not standard base64 with padding; encode the message again");
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    if !text.len().is_multiple_of(4) {
        return Err(refuse());
    }
    let digits = text.trim_end_matches('=');
    if text.len() - digits.len() > 2 {
        return Err(refuse());
    }
    let mut out = Vec::with_capacity(digits.len() * 3 / 4);
    for group in digits.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for byte in group {
            bits = bits << 6 | u32::from(digit(*byte).ok_or_else(refuse)?);
        }
        bits <<= 6 * (4 - group.len());
        let [_, bytes @ ..] = bits.to_be_bytes();
        let (whole, rest) = bytes.split_at(group.len() - 1);
        if group.len() == 1 || rest.iter().any(|byte| *byte != 0) {
            return Err(refuse());
        }
        out.extend_from_slice(whole);
    }
    Ok(out)
}

/// The members of an object, at most one more than [`MAX_MEMBERS`].
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> serde::Deserialize<'de> for Members<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> serde::de::Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut entries: A) -> Result<Members<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some((Text(name), value)) = entries.next_entry::<Text<'de>, &'de RawValue>()? {
            if members.len() <= MAX_MEMBERS {
                members.push((name, value));
            }
        }
        Ok(Members(members))
    }
}
