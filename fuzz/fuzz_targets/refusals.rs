//! What every refusal keeps to.

use std::sync::Arc;

use chrono::DateTime;
use heliograph::engine::event::Refusal;
use heliograph::wire::message;

/// A message quotes what it refuses only in part.
const MAX_MESSAGE_BYTES: usize = 2_048;

/// It says something, in bounds, and the rejected message that carries it can be made.
pub fn check(refusal: &Refusal, body: &[u8]) {
    assert!(!refusal.message.is_empty() && refusal.message.len() <= MAX_MESSAGE_BYTES, "{refusal:?}");
    assert!(!refusal.message.contains(|it: char| it.is_control()), "{refusal:?}");
    let text = serde_json::to_string(refusal).expect("a refusal is JSON");
    assert_eq!(serde_json::from_str::<Refusal>(&text).expect("it reads back"), *refusal);
    let _ = message::rejected("life", "original", refusal, DateTime::UNIX_EPOCH, Arc::from(body));
}
