//! `[audit]`: how often the head of the chain of facts is told.

use super::fields::Fields;

/// Facts between two anchors, by default.
pub const DEFAULT_ANCHOR_EVERY: u64 = 10_000;

/// How the chain of facts is anchored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audit {
    /// An `audit.anchor` is published after this many facts, and at a clean stop.
    pub anchor_every: u64,
}

pub(super) fn read(fields: &mut Fields) -> Audit {
    Audit { anchor_every: fields.whole("anchor_every", 1..=10_000_000).unwrap_or(DEFAULT_ANCHOR_EVERY) }
}
