//! What may stand in a log or on a screen.

use heliograph::engine::id::{IdKind, MatterKind};

/// Whether a text says something, not too much, and nothing invisible.
pub fn is_plain(text: &str, max_bytes: usize) -> bool {
    !text.is_empty()
        && text.len() <= max_bytes
        && text.chars().all(|it| MatterKind::accepts(it.encode_utf8(&mut [0; 4])))
}
