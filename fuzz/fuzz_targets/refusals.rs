//! What every refusal keeps to.

use std::sync::Arc;

use chrono::DateTime;
use heliograph::engine::event::{Refusal, RefusalCode};
use heliograph::engine::process::MAX_STEPS;
use heliograph::wire::message;

use crate::plain::is_plain;

/// A message quotes what it refuses only in part.
const MAX_MESSAGE_BYTES: usize = 2_048;
/// Steps that wait for each other are all named.
const MAX_CYCLE_BYTES: usize = (MAX_STEPS + 1) * 132 + 64;
/// A place in a body, each name of it cut and escaped.
const MAX_FIELD_BYTES: usize = 1_024;

/// It says what is wrong and where, in bounds and in plain sight, and the rejected message that carries it can be made.
pub fn check(refusal: &Refusal, body: &[u8]) {
    let whole = [RefusalCode::TooLarge, RefusalCode::InvalidJson, RefusalCode::TooDeep].contains(&refusal.code);
    assert_eq!(refusal.field.is_none(), whole, "{refusal:?}");
    let field = refusal.field.as_deref().unwrap_or("$");
    let most = if field == "steps" { MAX_CYCLE_BYTES } else { MAX_MESSAGE_BYTES };
    assert!(is_plain(field, MAX_FIELD_BYTES) && is_plain(&refusal.message, most), "{refusal:?}");
    let text = serde_json::to_string(refusal).expect("a refusal is JSON");
    assert_eq!(serde_json::from_str::<Refusal>(&text).expect("it reads back"), *refusal);
    let _ = message::rejected("life", "original", refusal, DateTime::UNIX_EPOCH, Arc::from(body));
}
